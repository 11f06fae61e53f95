"""Applications as they are in life, on loopback sockets: well, starting, broken and hostile."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

HOST = "127.0.0.1"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Run an application, yield its port, and end whatever it still does."""
    guests: set[asyncio.Task[None]] = set()

    async def entertain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(entertain(reader, writer))
        guests.add(task)
        task.add_done_callback(guests.discard)

    server = await asyncio.start_server(welcome, HOST, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for guest in tuple(guests):
            guest.cancel()
        await asyncio.gather(*guests, return_exceptions=True)


def http(status: int = 200, body: str | bytes = "ok", *headers: str) -> bytes:
    """Return an answer, byte for byte."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content


def says(*answers: bytes, heard: list[bytes] | None = None) -> Serve:
    """Return an application that gives these answers in turn, and the last one from then on."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if heard is not None:
            heard.append(request)
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        await writer.drain()

    return serve


async def talks_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say at once what is neither TLS nor HTTP."""
    writer.write(b"220 mail.example ESMTP\r\n\r\n")
    await reader.read()


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, read and say nothing."""
    await reader.read()


async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin a good answer that does not end while anybody listens."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nok")
    await reader.read()


async def pours(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a body without end as fast as it is taken."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"4000\r\n" + b"bad gateway " * 1365 + b"1234\r\n"
    while True:
        writer.write(chunk)
        await writer.drain()


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Wait for the client to speak and close politely, without an answer."""
    await reader.read(65_536)


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Wait for the client to speak and drop the connection with a RST."""
    await reader.read(1)
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def nobody() -> Iterator[int]:
    """Yield a port on which nothing listens, reserved for as long."""
    with socket.socket() as reserved:
        reserved.bind((HOST, 0))
        yield reserved.getsockname()[1]
