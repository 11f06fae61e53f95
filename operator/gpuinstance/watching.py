"""kopf's connection to the API server, and what its requests tell about the life of the watches.

Called by `handlers` for the login and by `health`. kopf says nothing of its watches, and a dead one looks like
a cluster where nothing happens. But kopf lists before it watches, and begins each watch anew after some minutes:
so a watch that the API server accepted proves that the listing before it was complete, also in an empty cluster,
and a watch that has not been begun for long is dead. Nothing here looks at objects; that is `audit`'s part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from types import SimpleNamespace

import aiohttp
import kopf

from gpuinstance.api.v1alpha1 import GROUP, VERSION
from gpuinstance.kube import connect, looks_for_proxy

WATCH_SECONDS = 240
"""After this time the API server ends a watch, and kopf begins it anew where it was."""

STUCK_SECONDS = 900.0
"""Several watches have failed to begin by then."""

_LOGIN_LASTS = timedelta(minutes=10)
_CONNECTIONS = 50
"""For kopf's other requests, beside one for each watch."""


class Watches:
    """The watches that kopf should be holding, one for each resource and each namespace if these are listed."""

    def __init__(
        self, plurals: Iterable[str], namespaces: Collection[str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        places = [f"namespaces/{namespace}/" for namespace in namespaces] or [""]
        paths = [f"/apis/{GROUP}/{VERSION}/{place}{plural}" for plural in plurals for place in places]
        self._clock = clock
        self._begun: dict[str, float | None] = dict.fromkeys(paths)
        self._due_since: float | None = None

    def __len__(self) -> int:
        return len(self._begun)

    def expect(self) -> None:
        """From now on they are due."""
        self._due_since = self._clock()

    def begun(self, path: str) -> None:
        """The API server has accepted a watch of this path."""
        for known in self._begun:
            if path.endswith(known):  # an API server behind a proxy has a path of its own in front
                self._begun[known] = self._clock()

    def missing(self) -> str | None:
        """Return which of them have not begun even once; None if all have."""
        missing = [path.rpartition("/")[2] for path, at in self._begun.items() if at is None]
        return f"the watch of {', '.join(sorted(set(missing)))} has not begun" if missing else None

    def age(self) -> float:
        """Return the seconds since the one that began longest ago has begun; 0 while none is due."""
        if self._due_since is None:
            return 0.0
        due_since = self._due_since
        return self._clock() - min(due_since if at is None else at for at in self._begun.values())


async def log_in(watches: Watches) -> kopf.AiohttpSession:
    """Return kopf's session: a bounded number of connections, which report the watches. Raises KubeError.

    It expires: tokens of service accounts are rotated, and a single refused request would end the process.
    """
    kube = await connect()
    configuration = kube.api.configuration
    token = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")

    async def ended(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, request: aiohttp.TraceRequestEndParams
    ) -> None:
        if request.response.status == HTTPStatus.OK and request.url.query.get("watch") == "true":
            watches.begun(request.url.path)

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(ended)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS + len(watches), ssl=kube.api.rest_client.ssl_context),
        headers={"Authorization": token} if token else {},
        proxy=configuration.proxy,
        trust_env=looks_for_proxy(),
        trace_configs=[trace],
    )
    await kube.aclose()
    return kopf.AiohttpSession(
        server=configuration.host, aiohttp_session=session, expiration=datetime.now(UTC) + _LOGIN_LASTS
    )
