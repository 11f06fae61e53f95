"""Names are resolved by threads of the guard's own, and nobody's dead names take them all."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gpuinstance.guard import Guard, on_behalf_of

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 80))]


class Names:
    """The system's resolver: no server answers for names of `dead.example`, and everybody waits for it."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.asked: list[str] = []

    def ask(self, host: str, *_: Any, **__: Any) -> list[Any]:
        """Answer at once, or when it is over."""
        self.asked.append(host)
        if host.endswith("dead.example"):
            self.over.wait(30)
            raise OSError("no name server has answered")
        return FOUND


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Names]:
    """The resolver of a test; whoever still waits is let go at its end."""
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names.ask)
    yield names
    names.over.set()


async def resolve(guard: Guard, party: str, host: str) -> int:
    """Resolve on behalf of somebody; return how many addresses there are."""
    on_behalf_of.set(party)
    return len(await guard.addresses(host, 80))


async def test_the_dead_names_of_one_leave_threads_for_the_others(names: Names) -> None:
    """Somebody has forty receivers whose name server is away: another one's name is found all the same."""
    guard = Guard()
    waiting = [asyncio.create_task(resolve(guard, "loud", f"{n}.dead.example")) for n in range(40)]
    async with asyncio.timeout(10):
        assert await asyncio.create_task(resolve(guard, "calm", "hooks.example")) == 1
    names.over.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert len(names.asked) == 41, "each one has had its turn"
    await guard.aclose()


async def test_whoever_gives_up_leaves_the_thread_where_it_is(names: Names) -> None:
    """A delivery that has run out of time does not make room for another dead name: the thread is still taken."""
    guard = Guard()
    first = [asyncio.create_task(resolve(guard, "loud", f"{n}.dead.example")) for n in range(40)]
    async with asyncio.timeout(10):
        assert await asyncio.create_task(resolve(guard, "calm", "hooks.example")) == 1
    for task in first:
        task.cancel()
    await asyncio.gather(*first, return_exceptions=True)
    second = [asyncio.create_task(resolve(guard, "loud", f"again-{n}.dead.example")) for n in range(40)]
    async with asyncio.timeout(10):
        assert await asyncio.create_task(resolve(guard, "calm", "hooks.example")) == 1
    names.over.set()
    await asyncio.gather(*second, return_exceptions=True)
    assert len([it for it in names.asked if it.startswith("again")]) == 40
    await guard.aclose()


async def test_who_asks_for_nobody_is_not_held_back(names: Names) -> None:
    """Where nobody is named there is nobody to be fair to, and all threads may be used."""
    guard = Guard()
    waiting = [asyncio.create_task(resolve(guard, "", f"{n}.dead.example")) for n in range(12)]
    async with asyncio.timeout(10):
        assert await asyncio.create_task(resolve(guard, "", "hooks.example")) == 1
    names.over.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    await guard.aclose()
