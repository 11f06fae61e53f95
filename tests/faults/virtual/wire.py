"""The road between the operator's adapter and the simulated provider's wire face: no socket, all of HTTP's meaning.

An httpx transport that hands each request to the face's own handler and brings back what that answers. A request
that has been sent goes on although its caller has left, or died.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
from aiohttp import web

from gpuinstance_simulator.faults import Fault
from gpuinstance_simulator.simulation import Face, Simulation
from tests.faults.boundaries import provider_call
from tests.faults.fate import Fate
from tests.faults.troubles import Kill, Meanwhile, Point, Wire

_LATENCY = 0.1
"""Seconds on the way, in each direction."""
_LATE = 40.0
"""Seconds after which a request of a dead process arrives: shorter than the settle window."""

Handler = Callable[[Any], Awaitable[web.StreamResponse]]


def handlers_of(face: Face, simulation: Simulation) -> Mapping[str, Handler]:
    """Return what answers at each path of a provider's API."""
    routes: list[Any] = [it for it in face.routes(simulation) if isinstance(it, web.RouteDef)]
    return {it.path: it.handler for it in routes if "{" not in it.path}


class _Connection:
    """The part of a transport that the simulator uses to drop a connection."""

    is_cut = False

    def get_extra_info(self, _: str) -> None:
        """There is no socket."""

    def abort(self) -> None:
        """Cut it."""
        self.is_cut = True


class _Request:
    """The part of aiohttp's request that the faces read."""

    def __init__(self, request: httpx.Request, body: bytes) -> None:
        self.method = request.method
        self.query: Mapping[str, str] = dict(request.url.params)
        self.headers = request.headers
        self.transport = _Connection()
        self._body = body

    async def read(self) -> bytes:
        """The body."""
        return self._body

    async def post(self) -> Mapping[str, str]:
        """The fields of a form."""
        return dict(httpx.QueryParams(self._body.decode()).multi_items())


class Road(httpx.AsyncBaseTransport):
    """One for each life of the operator; `spawn` starts what outlives it."""

    def __init__(
        self,
        simulation: Simulation,
        handlers: Mapping[str, Handler],
        fate: Fate,
        *,
        dead: Callable[[], bool],
        spawn: Callable[[Awaitable[Any]], asyncio.Task[Any]],
        meanwhile: Callable[[Meanwhile, bytes], None],
    ) -> None:
        self._handlers = handlers
        self._simulation = simulation
        self._fate = fate
        self._dead = dead
        self._spawn = spawn
        self._meanwhile = meanwhile

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Bring a request to the provider and its answer back. Raises httpx.ReadError where the line is cut."""
        body = await request.aread()
        operation = provider_call(request.method, request.url.path, body)
        await self._stop_if_dead()
        trouble = self._fate.meet(operation.value)
        await self._stop_if_dead()
        kill = trouble.does.point if trouble is not None and isinstance(trouble.does, Kill) else None
        if trouble is not None and isinstance(trouble.does, Wire):
            effect = trouble.does
            self._simulation.faults.add(Fault(operation=operation, effect=effect.effect, count=effect.count))
        if trouble is not None and isinstance(trouble.does, Meanwhile):
            self._meanwhile(trouble.does, body)
        asked = _Request(request, body)
        journey = self._spawn(self._travel(asked, request.url.path, _LATE if kill is Point.ARRIVES_LATE else _LATENCY))
        if kill is Point.ARRIVES_LATE:
            self._fate.die()
            await self._stop_if_dead()
        answer = await asyncio.shield(journey)
        if kill is Point.AFTER_SEND:
            self._fate.die()
        await self._stop_if_dead()
        await asyncio.sleep(_LATENCY)
        if asked.transport.is_cut:
            raise httpx.ReadError("the connection was reset", request=request)
        assert isinstance(answer, web.Response)
        content = answer.body if isinstance(answer.body, bytes) else b""
        return httpx.Response(answer.status, headers=dict(answer.headers), content=content, request=request)

    async def _travel(self, asked: _Request, path: str, seconds: float) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await self._handlers[path](asked)

    async def _stop_if_dead(self) -> None:
        if self._dead():
            await asyncio.get_running_loop().create_future()
