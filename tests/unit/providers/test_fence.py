"""The fence: once this process may not act, it looks on and changes nothing, down to the first byte."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest

from gpuinstance.providers import base
from gpuinstance.providers.answers import Call
from gpuinstance.providers.base import NotLeading, Provider, Unavailable
from gpuinstance.providers.fence import Fenced
from gpuinstance.providers.http_json import JsonEdge
from gpuinstance.providers.last_word import fenced_by
from gpuinstance.providers.novita.errors import NOVITA


class Inner:
    """A provider that notes the names of its calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Awaitable[str]]:
        """Return the method of that name, whichever it is."""

        async def method(*_: Any, **__: Any) -> str:
            self.calls.append(name)
            return name

        return method


METHODS = sorted(
    name for name, member in vars(base.Provider).items() if inspect.iscoroutinefunction(member) and name != "aclose"
)
READS = {name for name in METHODS if name.startswith(("list_", "get_"))}


async def call(provider: Provider, name: str) -> object:
    """Call a method with whatever it takes."""
    method = getattr(provider, name)
    parameters = inspect.signature(method).parameters.values()
    positional = [None for it in parameters if it.kind is it.POSITIONAL_OR_KEYWORD]
    named = {it.name: None for it in parameters if it.kind is it.KEYWORD_ONLY}
    result: object = await method(*positional, **named)
    return result


def fenced(inner: Inner, may_act: Callable[[], bool]) -> Provider:
    return Fenced(cast(Provider, inner), may_act)


@pytest.mark.parametrize("name", METHODS)
async def test_everything_passes_while_it_may(name: str) -> None:
    """The fence is not felt."""
    inner = Inner()
    await call(fenced(inner, lambda: True), name)
    assert inner.calls == [name]


@pytest.mark.parametrize("name", METHODS)
async def test_then_only_looks_pass(name: str) -> None:
    """Every method of the contract that is not a read is refused before the adapter begins it."""
    inner = Inner()
    provider = fenced(inner, lambda: False)
    if name in READS:
        await call(provider, name)
        assert inner.calls == [name]
        return
    with pytest.raises(NotLeading, match="nothing was sent"):
        await call(provider, name)
    assert inner.calls == []


def test_both_kinds_are_there() -> None:
    """The tables above are not empty, and what costs money is among the changes."""
    assert {"list_machines", "get_machine"} <= READS
    assert {"create", "start", "delete"} <= set(METHODS) - READS


def test_a_refusal_says_that_nothing_was_sent() -> None:
    """Nobody may take it for an unknown outcome."""
    assert issubclass(NotLeading, Unavailable)


# ------------------------------------------------------------------------------------------------- the first byte


class Listener:
    """A server that notes what arrives, and answers everything with an empty object."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.connected = asyncio.Event()
        self.connections: list[asyncio.Task[None] | None] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections.append(asyncio.current_task())
        self.connected.set()
        while data := await reader.read(65536):
            self.received.append(data)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()
        await writer.wait_closed()

    async def ended(self) -> None:
        """Wait until every connection was closed by the other side."""
        await asyncio.gather(*filter(None, self.connections))


@pytest.fixture
async def listener() -> Listener:
    return Listener()


@pytest.fixture
async def edge(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[JsonEdge]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    opened = JsonEdge(f"http://127.0.0.1:{port}", "sk-canary-0123456789", NOVITA)
    yield opened
    await opened.aclose()
    await listener.ended()
    server.close()
    await server.wait_closed()


CHANGE = Call("create", changes=True)


def answering(*answers: bool) -> Callable[[], bool]:
    """Return what says this, one after the other."""
    given = list(answers)
    return lambda: given.pop(0)


async def test_a_right_that_is_lost_while_connecting_stops_the_first_byte(edge: JsonEdge, listener: Listener) -> None:
    """Asked when the change began, it said yes; the connection stood, and not a byte went over it."""
    with pytest.raises(NotLeading), fenced_by(answering(True, False)):
        await edge.change(CHANGE, "/create", {"name": "m"})
    await listener.connected.wait()
    await listener.ended()
    assert listener.received == []


async def test_the_same_edge_serves_who_may_again(edge: JsonEdge, listener: Listener) -> None:
    """A refusal leaves no trace; a change is asked about exactly twice."""
    with pytest.raises(NotLeading), fenced_by(answering(True, False)):
        await edge.change(CHANGE, "/create", {"name": "m"})
    with fenced_by(answering(True, True)):
        await edge.change(CHANGE, "/create", {"name": "m"})
    assert len(listener.received) == 1


async def test_reads_are_not_asked_about(edge: JsonEdge, listener: Listener) -> None:
    """Neither are changes that nobody fences, as in tests of adapters."""
    with fenced_by(answering(True)):
        await edge.read(Call("list"), "/things", {})
    await edge.change(CHANGE, "/create", {"name": "m"})
    assert len(listener.received) == 2
