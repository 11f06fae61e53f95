"""Resolve once, judge every address, connect to a judged one.

The connection goes to an address and never to the name, so an answer of the name server that changes in
between changes nothing. What is refused is refused before a socket exists.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar
from ipaddress import IPv6Address, ip_address
from typing import TypeVar
from weakref import WeakValueDictionary

import httpcore

from gpuinstance.guard.addresses import Address, Network, TargetNotAllowed, kind_of, literal_or_name, undisguised

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
Connection = TypeVar("Connection")

MOST_ADDRESSES = 4
"""How many addresses of one name are tried, in the order of the resolver; all of them are judged."""

_RESOLVER_THREADS = 16
"""Threads of the guard's own for names. A name whose server never answers blocks one of these for seconds,
and must not take the process-wide threads away from calls to the provider and to Kubernetes."""

_THREADS_OF_ONE = 4
"""Threads that one party may have at a time, until they come back, and not only until it gives up waiting."""

on_behalf_of: ContextVar[str] = ContextVar("on_behalf_of", default="")
"""For whom the current task leads out, such as a namespace: nobody's dead names take the others' threads."""

_MOST_PORTS = 65535


class NameNotResolved(Exception):  # named by consequence, like the errors of providers
    """The host name has no address, or no name server answered."""


class Guard:
    """Judges addresses and connects to them.

    `allowed`: networks that may be reached although they are not public. `denied`: networks that may
    never be reached, such as the ranges of services, pods and nodes where those are public; it wins over
    `allowed`. `resolve` turns a name into addresses and raises NameNotResolved; the default asks the system.
    """

    def __init__(
        self,
        *,
        allowed: Iterable[Network] = (),
        denied: Iterable[Network] = (),
        resolve: Resolve | None = None,
    ) -> None:
        self._allowed = tuple(allowed)
        self._denied = tuple(denied)
        self._threads = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="guard-resolver")
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        """By party, who waits for one of its threads; kept by those who wait, and by the threads."""
        self._resolve = resolve or self._ask_system

    def refusal(self, address: Address) -> str | None:
        """Return why the address may not be reached, e.g. `private address`; None if it may."""
        real = undisguised(address)
        if any(it in network for network in self._denied for it in (address, real)):
            return "address in a denied range"
        if any(real in network for network in self._allowed):
            return None
        kind = kind_of(real)
        return f"{kind} address" if kind else None

    async def addresses(self, host: str, port: int) -> tuple[Address, ...]:
        """Resolve once, judge all, and return what may be connected to; never empty.

        One refused address among several refuses the name: it would only be a matter of luck which one
        is used. Raises TargetNotAllowed and NameNotResolved.
        """
        if not 0 < port <= _MOST_PORTS:
            raise TargetNotAllowed("the port is not valid")
        literal = literal_or_name(host)
        found = [literal] if literal is not None else await self._resolve(host, port)
        if not found:
            raise NameNotResolved(host)
        for address in found:
            why = self.refusal(address)
            if why is not None:
                raise TargetNotAllowed(f"{why} is not allowed")
        return tuple(dict.fromkeys(_to_connect(address) for address in found))

    async def dial(self, host: str, port: int, connect: Callable[[str, int], Awaitable[Connection]]) -> Connection:
        """Call `connect` with the judged addresses, as text, until one works; return its connection.

        Raises what the last of them raised, besides TargetNotAllowed and NameNotResolved.
        """
        *others, last = (await self.addresses(host, port))[:MOST_ADDRESSES]
        for address in others:
            try:
                return await connect(str(address), port)
            except (OSError, httpcore.NetworkError, httpcore.TimeoutException):
                continue
        return await connect(str(last), port)

    async def touch(self, host: str, port: int) -> None:
        """Open a TCP connection and close it. Raises OSError besides what `dial` raises."""
        await self.dial(host, port, _touch)

    async def aclose(self) -> None:
        """Give the threads back; a name that is being resolved is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask_system(self, host: str, port: int) -> list[Address]:
        turn = await self._turn(on_behalf_of.get())
        asked = self._threads.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        asked.add_done_callback(turn)
        try:
            answers = await asyncio.wrap_future(asked)
        except (OSError, UnicodeError) as error:
            raise NameNotResolved(host) from error
        return [ip_address(answer[4][0]) for answer in answers]

    async def _turn(self, party: str) -> Callable[[object], None]:
        """Wait until the party may have another thread; return what is to be called when it is back."""
        if not party:
            return lambda _: None
        places = self._turns.get(party)
        if places is None:
            places = self._turns[party] = asyncio.Semaphore(_THREADS_OF_ONE)
        await places.acquire()
        loop = asyncio.get_running_loop()

        def give_back(_: object) -> None:
            with suppress(RuntimeError):  # the process has ended meanwhile, and its loop is closed
                loop.call_soon_threadsafe(places.release)

        return give_back


def _to_connect(address: Address) -> Address:
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address


async def _touch(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
