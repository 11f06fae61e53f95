"""Asks one endpoint once: a GET, or a TCP connection, and what the answer means.

Called by `prober`, which knows about patience. Nothing is followed, kept or stored: no redirect, no cookie, no
connection, no body.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus

import httpx

from gpuinstance import __version__
from gpuinstance.core.model import Check
from gpuinstance.guard import Guard, GuardedTransport
from gpuinstance.probes.errorpages import error_in
from gpuinstance.probes.failures import Failure, unexpected_status

BODY_LIMIT = 64 * 1024
"""Bytes of a body that are read, to find an error page in it."""

_OUR_HEADERS = {
    "User-Agent": f"gpu-instance-operator/{__version__}",
    "Accept": "*/*",
    # A compressed body would have to be unpacked before it can be read, to any size.
    "Accept-Encoding": "identity",
    "Connection": "close",
}
_NOT_TO_BE_SET = frozenset({"host", "connection", "accept-encoding", "content-length", "transfer-encoding"})
"""What decides about the connection and about where a request goes."""

_PORTS = {"http": 80, "https": 443}


class Asker:
    """One transport for all checks of a process. It sets no time limit: whoever asks does.

    Both questions return None from a healthy endpoint, and raise what `failures.failure_of` understands.
    """

    def __init__(self, guard: Guard, *, connections: int, ssl_context: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        # The transport alone, without a client above it: a check has no redirects, cookies or credentials to keep, and
        # the client is a third of what a check costs.
        self._transport = GuardedTransport(guard, connections=connections, ssl_context=ssl_context)

    async def http(self, check: Check, headers: Mapping[str, str], patterns: Sequence[str]) -> Failure | None:
        """GET, and judge the status and a body that comes with a good one."""
        request = httpx.Request("GET", http_url(check), headers=sent_headers(headers))
        response = await self._transport.handle_async_request(request)
        try:
            status = response.status_code
            if not expects(check.expected_statuses, status):
                return unexpected_status(status)
            if not HTTPStatus.OK <= status < HTTPStatus.BAD_REQUEST:
                return None
            found = error_in(await _read(response), patterns=patterns)
        finally:
            await response.aclose()
        if found is None:
            return None
        phrase, category = found
        return Failure(category, f"HTTP {status} with an error page ({phrase})", status)

    async def tcp(self, check: Check) -> None:
        """Connect, and hang up."""
        url = _url_of(check)
        await self._guard.touch(url.host, url.port or _PORTS.get(url.scheme, 0))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


@lru_cache(maxsize=32_768)  # every check of every object, or it is of no use: they come one after the other
def http_url(check: Check) -> httpx.URL:
    """Return what to GET: the path, with its query, appended to whatever path the published URL has.

    A port that is published as tcp is asked in plain http. Raises httpx.InvalidURL.
    """
    base = _url_of(check)
    asked = httpx.URL("http://host" + (check.path if check.path.startswith("/") else f"/{check.path}"))
    path = base.raw_path.partition(b"?")[0].rstrip(b"/") + asked.raw_path
    return base.copy_with(scheme="http" if base.scheme == "tcp" else base.scheme, raw_path=path, fragment=None)


def _url_of(check: Check) -> httpx.URL:
    """Return the published address as a URL; a bare `host:port` is one of tcp."""
    address = check.url or ""
    return httpx.URL(address if "://" in address else f"tcp://{address}")


def sent_headers(wanted: Mapping[str, str]) -> dict[str, str]:
    """Return our headers with the wanted ones over them, without those that are not theirs to set."""
    own = {name: value for name, value in wanted.items() if name.lower() not in _NOT_TO_BE_SET}
    replaced = {name.lower() for name in own}
    return {name: value for name, value in _OUR_HEADERS.items() if name.lower() not in replaced} | own


def expects(statuses: str, status: int) -> bool:
    """True if `statuses`, such as `200-399,401`, names the status. Raises ValueError if it is no such list."""
    return any(status in it for it in _ranges(statuses))


@lru_cache(maxsize=256)
def _ranges(statuses: str) -> tuple[range, ...]:
    bounds = [part.partition("-") for part in statuses.split(",")]
    return tuple(range(int(low), int(high or low) + 1) for low, _, high in bounds)


async def _read(response: httpx.Response) -> bytes:
    """Return the body; nothing where it is larger than the limit or packed, and so can tell nothing."""
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        return b""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > BODY_LIMIT:
            return b""
    return bytes(body)
