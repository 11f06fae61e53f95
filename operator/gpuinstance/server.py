"""What kubelet and Prometheus ask: /healthz, /readyz and /metrics.

Started before anything that can take long, and independent of it: it must answer while the API server or a
provider does not. It tells nothing about single objects and takes no input.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from gpuinstance.metrics import Metrics

Verdict = Callable[[], str | None]
"""Returns None if all is well, else one line that says what is not. Must be fast."""


_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65535


def parse_address(listen: str) -> tuple[str | None, int]:
    """Split `127.0.0.1:8080`, `[::]:8080` or `:8080`, where no host means all interfaces. Raises ValueError."""
    found = _ADDRESS.fullmatch(listen.strip())
    if found is None or int(found["port"]) > _LAST_PORT:
        raise ValueError(f"not an address such as 127.0.0.1:8080 or [::]:8080: {listen!r}")
    return found["v6"] or found["host"] or None, int(found["port"])


class Server:
    """The operator's own HTTP server.

    `listen` is `host:port`; port 0 takes a free one. `alive` decides whether the process should be
    restarted, `ready` whether it does its work.
    """

    def __init__(self, listen: str, metrics: Metrics, *, alive: Verdict, ready: Verdict) -> None:
        self._host, self._port = parse_address(listen)
        self._metrics = metrics
        self._alive = alive
        self._ready = ready
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port on which it listens, once started."""
        addresses = self._runner.addresses if self._runner else []
        return int(addresses[0][1]) if addresses else self._port

    async def start(self) -> None:
        """Listen. Raises OSError if the address is taken or not ours."""
        application = web.Application()
        application.add_routes(
            [
                web.get("/healthz", _asking(self._alive)),
                web.get("/readyz", _asking(self._ready)),
                web.get("/metrics", self._render),
            ]
        )
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening; answers under way are finished."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _render(self, request: web.Request) -> web.Response:
        body, content_type = self._metrics.render(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})


def _asking(verdict: Verdict) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        words = verdict()
        status, text = (200, "ok") if words is None else (503, words)
        return web.Response(status=status, text=text + "\n", headers={"Cache-Control": "no-store"})

    return answer
