"""The roads between one operator and the world, with a gate on each: every call passes here in the clear.

The operator is told that the API server and the providers are here. A gate names each call, shows it to fate,
and carries it on as it is; where fate says so, the process dies right there: before the call is passed on,
before its answer is, or at a later call. Nobody but the operator uses these roads.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from gpuinstance.api.v1alpha1 import FINALIZER
from tests.faults.boundaries import provider_call
from tests.faults.fate import Fate
from tests.faults.real.watches import Watches
from tests.faults.troubles import Kill, Point

LATE_SECONDS = 4.0
"""After which a request of a dead process arrives: the next one has looked around by then."""

_OBJECT = re.compile(
    r"/apis/gpuinstance\.dev/v1alpha1/namespaces/[^/]+/(gpuinstances|instanceupgrades)/[^/]+(/status)?$"
)
_HOP = frozenset({"host", "connection", "transfer-encoding", "content-length", "keep-alive"})


@dataclass(slots=True)
class Warden:
    """What all gates of one operator share: its fate, and the way to end it."""

    fate: Fate = field(default_factory=Fate)
    lives: int = 0
    """Counts the deaths: what a dead process has sent is not carried on."""
    released: Callable[[str], Awaitable[None]] | None = None
    """Called with the path of an instance right before its finalizer goes."""
    saved: Callable[[Mapping[str, Any]], None] = lambda _: None
    """Shown each object as the API server has saved it."""


def kubernetes_call(method: str, path: str, body: bytes) -> str | None:
    """Return what a request to the API server is called as a boundary; None for all that is none."""
    if method == "POST" and path.endswith("/events"):
        return "event"
    found = _OBJECT.search(path)
    if found is None:
        return None
    of_upgrade = "upgrade-" if found[1] == "instanceupgrades" else ""
    if method == "GET":
        return "read"
    if method == "PATCH":
        return of_upgrade + ("status" if found[2] else "finalizer" if FINALIZER.encode() in body else "release")
    return None


class Gate:
    """A server on loopback in front of `upstream`; lives in the event loop that starts it."""

    def __init__(self, warden: Warden, upstream: str, trust: ssl.SSLContext | None = None) -> None:
        """With `trust` it is the API server's gate, else a provider's."""
        self._warden = warden
        self._upstream = upstream
        self._trust = trust
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self._late: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watching: list[web.Request] = []
        self.watches = Watches()
        self.url = ""

    async def open(self) -> None:
        """Listen."""
        self._loop = asyncio.get_running_loop()
        connector = aiohttp.TCPConnector(limit=0, ssl=self._trust or False)
        self._session = aiohttp.ClientSession(
            connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)
        )
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """End."""
        for task in self._late:
            task.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    def cut_watches(self) -> None:
        """Break the connections of all watches; called from any thread."""
        assert self._loop is not None
        for request in list(self._watching):
            if request.transport is not None:
                self._loop.call_soon_threadsafe(request.transport.abort)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            if request.query.get("watch") == "true":
                return await self._watch(request)
            return await self._judge(request, body)
        except (aiohttp.ClientError, OSError):  # nobody is behind the gate: the caller meets the same
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)

    async def _judge(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Carry a call on, unless the process dies of it."""
        warden, life = self._warden, self._warden.lives
        call = self._name(request, body)
        trouble = warden.fate.meet(call) if call is not None else None
        kill = trouble.does.point if trouble is not None and isinstance(trouble.does, Kill) else None
        if kill is Point.ARRIVES_LATE:
            warden.fate.die()
            self._send_late(request, body)
        if warden.lives != life:
            return _silence(request)
        if call == "release" and warden.released is not None:
            await warden.released(request.path)
        answer = await self._forward(request, body)
        if kill is Point.AFTER_SEND:
            warden.fate.die()
        if warden.lives != life:
            return _silence(request)
        return answer

    def _name(self, request: web.Request, body: bytes) -> str | None:
        if self._trust is not None:
            return kubernetes_call(request.method, request.path, body)
        return provider_call(request.method, request.path, body).value

    def _send_late(self, request: web.Request, body: bytes) -> None:
        async def send() -> None:
            await asyncio.sleep(LATE_SECONDS)
            await self._forward(request, body)

        task = asyncio.ensure_future(send())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        async with self._ask(request, body) as answer:
            content = await answer.read()
            if self._trust is not None and request.method == "PATCH" and answer.status == 200:
                self._warden.saved(await answer.json(content_type=None))
            return web.Response(status=answer.status, body=content, headers=_headers(answer.headers))

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        self._watching.append(request)
        try:
            return await self._stream(request)
        finally:
            self._watching = [it for it in self._watching if it is not request]

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        async with self._ask(request, b"") as answer:
            stream = web.StreamResponse(status=answer.status, headers=_headers(answer.headers))
            await stream.prepare(request)
            async for line in answer.content:
                for shown in await self.watches.pass_on(request.path, line):
                    await stream.write(shown)
            return stream

    def _ask(self, request: web.Request, body: bytes) -> Any:
        assert self._session is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        return self._session.request(
            request.method, self._upstream + request.raw_path, data=body or None, headers=headers, allow_redirects=False
        )


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP}


def _silence(request: web.Request) -> web.Response:
    """What a dead process hears."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)
