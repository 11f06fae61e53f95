"""Real listening sockets for the tcp ports of simulated machines.

A port number is reserved when a face first shows the address: the socket is bound but does not listen,
so that connecting is refused, exactly as long as the application behind it does not answer. A keeper
task opens and closes the doors as virtual time passes. A restarted machine gets another number, as at
the real provider.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field

from gpuinstance_simulator.apps import Apps
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.machine import Machine

_SHORTEST_PAUSE = 0.02
"""Real seconds: however fast virtual time runs, the keeper leaves the processor to others."""


@dataclass(slots=True)
class _Door:
    machine: Machine
    port: int
    run: int
    number: int
    """The port on this host."""
    reserved: socket.socket
    server: asyncio.Server | None = None
    guests: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def is_valid(self) -> bool:
        return self.machine.up_since is not None and self.machine.runs == self.run


class Doors:
    """The tcp side of one simulated cloud."""

    def __init__(self, cloud: Cloud, apps: Apps, host: str = "127.0.0.1") -> None:
        self._cloud = cloud
        self._apps = apps
        self._host = host
        self._doors: dict[tuple[str, int, int], _Door] = {}
        self._changed = asyncio.Event()
        self._busy = asyncio.Lock()

    def address(self, machine: Machine, port: int) -> str:
        """`host:port` where this port of a running machine is published during this run."""
        key = (machine.id, port, machine.runs)
        door = self._doors.get(key)
        if door is None:
            reserved = _reserve(self._host)
            number = reserved.getsockname()[1]
            door = self._doors[key] = _Door(machine, port, machine.runs, number, reserved)
            self._changed.set()
        return f"{self._host}:{door.number}"

    def wake(self) -> None:
        """Something may have changed; the keeper looks soon."""
        self._changed.set()

    async def settle(self) -> None:
        """Open and close doors until they match the world of this moment."""
        async with self._busy:
            self._cloud.engine.now()
            for key, door in list(self._doors.items()):
                if not door.is_valid:
                    del self._doors[key]
                    await _shut(door)
                    door.reserved.close()
                elif self._apps.at(door.machine, door.port).answers:
                    if door.server is None:
                        await self._open(door)
                elif door.server is not None:
                    await _shut(door)
                    door.reserved = _reserve(self._host, door.number)

    async def keep(self) -> None:
        """Keep the doors matching the world, for ever."""
        forget = self._cloud.clock.subscribe(self.wake)
        try:
            while True:
                self._changed.clear()
                await self.settle()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause()):
                        await self._changed.wait()
        finally:
            forget()

    async def close(self) -> None:
        """Close everything."""
        for door in self._doors.values():
            await _shut(door)
            door.reserved.close()
        self._doors.clear()

    def _pause(self) -> float | None:
        """Real seconds until the world may differ by itself; None: not before somebody wakes us."""
        speed = self._cloud.clock.speed
        if not self._doors or not speed:
            return None
        apps = (self._apps.at(it.machine, it.port) for it in self._doors.values())
        times = [it.answers_from for it in apps if it.answers_from is not None]
        due = self._cloud.engine.agenda.next()
        if due is not None:
            times.append(due)
        if not times:
            return None
        return max(_SHORTEST_PAUSE, (min(times) - self._cloud.clock.now()) / speed)

    async def _open(self, door: _Door) -> None:
        def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            banner = self._apps.behaviour(door.machine, door.port).banner
            guest = asyncio.ensure_future(_entertain(reader, writer, banner))
            door.guests.add(guest)
            guest.add_done_callback(door.guests.discard)

        door.server = await asyncio.start_server(welcome, sock=door.reserved)


async def _entertain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, banner: str) -> None:
    """Say the banner, then listen politely until the guest leaves."""
    try:
        with contextlib.suppress(OSError):
            writer.write(banner.encode())
            while await reader.read(4096):
                pass
    finally:
        writer.close()


async def _shut(door: _Door) -> None:
    """Stop listening and show the guests out. The socket is closed with the server."""
    if door.server is not None:
        door.server.close()
        door.server = None
    for guest in tuple(door.guests):
        guest.cancel()
    await asyncio.gather(*door.guests, return_exceptions=True)


def _reserve(host: str, number: int | None = None) -> socket.socket:
    """A bound socket that does not listen: any free port, or again one that was ours.

    SO_REUSEADDR lets a door be reserved again while old connections linger. For a new port it is set
    only after binding, so that the kernel does not hand out a port that somebody else has reserved.
    """
    it = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if number is None:
        it.bind((host, 0))
    it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if number is not None:
        it.bind((host, number))
    it.setblocking(False)
    return it
