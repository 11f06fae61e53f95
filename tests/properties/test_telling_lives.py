"""Whole lives are told outside, with a trouble at each write: the real reconciler, killed wherever fate says so.

A life is first lived undisturbed, and its calls are counted; then again for each write and each change at the
provider, with each trouble that it can meet. What the receiver hears is complete, in order, and ends with the end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from gpuinstance.kube import Key
from gpuinstance.notify import Letter, Outcome, Postman, Result
from gpuinstance.outgoing import Outgoing
from tests import laws
from tests.properties.telling import to
from tests.properties.test_campaign import Life, delete, edit
from tests.properties.world.fate import TROUBLES, Kind, Trouble
from tests.properties.world.operator import OperatorProcess
from tests.properties.world.world import KEY, Lags, World
from tests.webhooks import secret

BIRTH = ["instance.startup.initiated", "instance.created", "instance.health-checking", "instance.ready"]
LIVES: dict[str, tuple[Life, list[str]]] = {
    "create": ((), BIRTH),
    "stop": ((edit(powerState="Stopped"),), ["instance.stopped"]),
    "start": (
        (edit(powerState="Stopped"), edit(powerState="Running")),
        ["instance.startup.initiated", "instance.health-checking", "instance.ready"],
    ),
    "delete": ((delete,), ["instance.deleted"]),
}
"""What the user does, and what is told of the last step."""
EXTRA = {"instance.startup.failed", "instance.failed", "instance.unobserved", "instance.ready"}
"""What a trouble may add."""


@dataclass
class Listener:
    """The receiver, and the way to it."""

    heard: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, url: str, letter: Letter, secrets: Sequence[bytes]) -> Outcome:
        """Take everything."""
        await asyncio.sleep(0.3)
        self.heard.append({"id": letter.id, **json.loads(letter.body)})
        return Outcome(Result.DELIVERED)

    async def aclose(self) -> None:
        """Nothing is open."""

    def told(self) -> list[tuple[str, str]]:
        """Return moment and event of each notification, once, in the order of their first arrival."""
        first: dict[str, tuple[str, str]] = {}
        for notice in self.heard:
            first.setdefault(notice["id"], (notice["timestamp"], notice["type"]))
        return list(first.values())


class ToldWorld(World):
    """A world in which somebody listens."""

    def __init__(self) -> None:
        self.listener = Listener()
        self._outgoing: Outgoing | None = None
        super().__init__(Lags(listing=10, deletion=10))
        self.server.edit(notifications=to("ops"))

    def _birth(self) -> OperatorProcess:
        process = super()._birth()
        reconciler = process._reconciler

        async def read(*_: str) -> str:
            return secret()

        postman = Postman(self.listener, read, may_send=lambda: True, jitter=lambda: 1.0)
        self._outgoing = reconciler.outgoing = Outgoing(
            reconciler.known,
            postman,
            reconciler.metrics,  # which counts nothing here
            self.now,
            farewell=timedelta(seconds=30),
            wake=self._wake,
        )
        return process

    def _wake(self, key: Key, *, after: timedelta) -> None:
        self._due = min(self._due, self._loop.time() + after.total_seconds())

    def _die(self) -> None:
        assert self._outgoing is not None
        self._outgoing.forget(KEY)  # its timers are in the loop that the next process uses, too
        super()._die()


def live(steps: Life, plan: tuple[Kind, Trouble, int] | None) -> tuple[ToldWorld, list[str]]:
    """Live a life, with a trouble in its last step; return what was told of that step."""
    world = ToldWorld()
    for step in steps:
        world.come_to_rest()
        if step is not steps[-1]:
            step(world)
    before = len(world.listener.told())
    world.fate.begin_counting()
    if plan is not None:
        kind, trouble, after = plan
        world.fate.plan(kind, trouble, after=after)
    for step in steps[-1:]:
        step(world)
    world.come_to_rest(relent=False)
    told = world.listener.told()
    assert told == sorted(told, key=lambda it: it[0]), "in the order in which it happened"
    if world.server.body is not None:
        laws.check(world.status)
        assert world.status.pending_notifications == []
    world.close()
    return world, [event for _, event in told[before:]]


@pytest.mark.parametrize("life", LIVES)
def test_each_life_is_told_whatever_goes_wrong(life: str) -> None:
    """Nothing that belongs to it is missing, nothing is told twice under two ids, and the end is the last word."""
    steps, expected = LIVES[life]
    undisturbed, told = live(steps, None)
    assert told == expected
    assert undisturbed.complaints == []
    counted = undisturbed.fate.counted()
    for kind in (Kind.WRITE, Kind.CHANGE, Kind.RELEASE):
        for trouble in TROUBLES[kind]:
            for after in range(counted[kind]):
                world, told = live(steps, (kind, trouble, after))
                where = f"{life}: {trouble.name} at {kind.name} number {after} of {counted[kind]}: {told}"
                assert world.complaints == [], where
                kept = [event for event in told if event in expected]
                assert is_in_order(expected, kept), where
                assert set(told) <= set(expected) | EXTRA, where
                assert told[-1] == expected[-1], where
                assert told.count(expected[-1]) == 1 or trouble in TROUBLES[Kind.CHANGE], where


def is_in_order(wanted: list[str], told: list[str]) -> bool:
    """True if the one is part of the other, in its order."""
    rest = iter(told)
    return all(event in rest for event in wanted)
