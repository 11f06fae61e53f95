"""What stands behind an open door: an application that speaks tcp, or one that speaks http.

Door keepers open a listener on a socket that they have bound, and shut it when its application is down; its
connections end with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

_FAREWELL_SECONDS = 0.01
"""For a request that is being answered. Not 0, which aiohttp takes for: without end."""

HttpHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Listener(Protocol):
    """An application that can be opened and shut once."""

    async def open(self, bound: socket.socket) -> None:
        """Listen on a socket, which is closed with the listener."""

    async def shut(self) -> None:
        """Stop listening and end all connections."""


class TcpListener:
    """Says a banner to whoever comes, then listens politely until the guest leaves."""

    def __init__(self, banner: Callable[[], str]) -> None:
        self._banner = banner
        self._server: asyncio.Server | None = None
        self._guests: set[asyncio.Task[None]] = set()

    async def open(self, bound: socket.socket) -> None:
        """The promise of the protocol."""
        self._server = await asyncio.start_server(self._welcome, sock=bound)

    async def shut(self) -> None:
        """The promise of the protocol."""
        if self._server is not None:
            self._server.close()
        for guest in tuple(self._guests):
            guest.cancel()
        await asyncio.gather(*self._guests, return_exceptions=True)

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        guest = asyncio.ensure_future(_entertain(reader, writer, self._banner()))
        self._guests.add(guest)
        guest.add_done_callback(self._guests.discard)


class HttpListener:
    """Answers http requests."""

    def __init__(self, handler: HttpHandler) -> None:
        self._web = web.Server(handler, access_log=None)
        self._server: asyncio.Server | None = None

    async def open(self, bound: socket.socket) -> None:
        """The promise of the protocol."""
        self._server = await asyncio.get_running_loop().create_server(self._web, sock=bound)

    async def shut(self) -> None:
        """The promise of the protocol."""
        if self._server is not None:
            self._server.close()
        await self._web.shutdown(timeout=_FAREWELL_SECONDS)


async def _entertain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, banner: str) -> None:
    try:
        with contextlib.suppress(OSError):
            writer.write(banner.encode())
            while await reader.read(4096):
                pass
    finally:
        writer.close()


def bound_socket(host: str, number: int | None = None) -> socket.socket:
    """A bound socket that does not listen: on any free port, or on one that is ours.

    SO_REUSEADDR lets a door be bound again while old connections linger. For a new port it is set only after
    binding, so that the kernel does not hand out a port that somebody else has reserved. Raises OSError.
    """
    it = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if number is None:
            it.bind((host, 0))
        it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if number is not None:
            it.bind((host, number))
        it.setblocking(False)
    except OSError:
        it.close()
        raise
    return it
