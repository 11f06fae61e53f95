"""Carries out the effects of faults on one HTTP exchange.

A face hands in how to accept the call and how its provider words an error; this room decides neither.
Around the acceptance, which is one synchronous step, it delays, drops, replaces and cuts.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from aiohttp import web

from gpuinstance_simulator import disturbances
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.console import act
from gpuinstance_simulator.effects import (
    Answer,
    Console,
    Delay,
    Drop,
    Effect,
    Fail,
    Hang,
    Lag,
    Page,
    Price,
    Reclaim,
    Stick,
    Strip,
    Truncate,
    When,
    Word,
)
from gpuinstance_simulator.errors import CloudError
from gpuinstance_simulator.machine import Failure, Machine
from gpuinstance_simulator.reply import Reply

_LINGER_NOT = struct.pack("ii", 1, 0)
"""SO_LINGER with a time of zero: closing sends RST instead of FIN."""


class DroppedError(Exception):
    """The connection is to be reset instead of answered."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One API call, as its face sees it."""

    request: web.Request
    cloud: Cloud
    machine_id: str
    accept: Callable[[Sequence[Page]], Reply]
    """Do what was asked; refusals of the cloud come back as answers."""
    excuse: Callable[[Answer], Reply]
    """A false answer in the provider's own wording."""


async def carry_out(exchange: Exchange, effects: Sequence[Effect]) -> tuple[web.StreamResponse, int]:
    """Answer the call, spoilt by `effects`; with the status that was sent, 0 for a dropped connection."""
    try:
        reply = await _before(exchange, effects)
        if reply is None:
            reply = exchange.accept([it for it in effects if isinstance(it, Page)])
            reply = await _after(exchange, effects, reply)
        if any(isinstance(it, Truncate) and it.abort for it in effects):
            return await _send_half(exchange.request, reply), 0
    except DroppedError:
        _reset(exchange.request)
        return web.Response(), 0
    response = web.Response(
        status=reply.status,
        body=reply.body,
        content_type=reply.content_type,
        headers=dict(reply.headers),
    )
    return response, reply.status


async def _before(exchange: Exchange, effects: Sequence[Effect]) -> Reply | None:
    for effect in effects:
        await _strike(exchange.cloud, exchange.machine_id, effect, "before")
        if isinstance(effect, Answer) and effect.when == "before":
            return exchange.excuse(effect)
    return None


async def _after(exchange: Exchange, effects: Sequence[Effect], reply: Reply) -> Reply:
    machine_id = exchange.machine_id
    if reply.machine is not None:
        machine_id = reply.machine.id
        for effect in effects:
            _disturb(exchange.cloud, reply.machine, effect)
    for effect in effects:
        await _strike(exchange.cloud, machine_id, effect, "after")
        reply = _spoil(exchange, effect, reply)
    return reply


async def _strike(cloud: Cloud, machine_id: str, effect: Effect, when: When) -> None:
    """What happens to the connection or the world on one side of the acceptance."""
    if not isinstance(effect, Drop | Hang | Delay | Price | Console) or effect.when != when:
        return
    if isinstance(effect, Hang | Delay):
        await asyncio.sleep(effect.seconds)
    if isinstance(effect, Hang | Drop):
        raise DroppedError
    if isinstance(effect, Price | Console):
        _meddle(cloud, machine_id, effect)


def _spoil(exchange: Exchange, effect: Effect, reply: Reply) -> Reply:
    match effect:
        case Answer(when="after"):
            return exchange.excuse(effect)
        case Strip(fields=fields):
            return reply.without(fields)
        case Truncate(abort=False):
            return replace(reply, body=reply.body[: len(reply.body) // 2])
        case _:
            return reply


def _meddle(cloud: Cloud, machine_id: str, effect: Price | Console) -> None:
    """Change the world around the call. What is impossible by now is silently left out."""
    with contextlib.suppress(CloudError, KeyError):
        if isinstance(effect, Price):
            cloud.catalogue.raise_prices(effect.factor, effect.product)
        else:
            act(cloud, machine_id, effect.do)


def _disturb(cloud: Cloud, machine: Machine, effect: Effect) -> None:
    match effect:
        case Lag():
            disturbances.hide(cloud, machine, effect.seconds)
        case Stick():
            disturbances.stick(cloud, machine, effect.state, effect.seconds)
        case Fail():
            failure = Failure(effect.at, effect.ends, effect.state, effect.message)
            disturbances.doom(cloud, machine, failure)
        case Word():
            disturbances.mislabel(cloud, machine, effect.word, effect.state)
        case Reclaim():
            disturbances.reclaim(cloud, machine, effect.after, effect.notice)
        case _:
            pass


async def _send_half(request: web.Request, reply: Reply) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers=dict(reply.headers))
    response.content_type = reply.content_type
    response.content_length = len(reply.body)
    await response.prepare(request)
    await response.write(reply.body[: len(reply.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def _reset(request: web.Request) -> None:
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()
