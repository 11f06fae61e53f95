"""Real listening sockets for the tcp ports of simulated machines, on numbers of one host.

A port number is reserved when a face first shows the address: the socket is bound but does not listen,
so that connecting is refused, exactly as long as the application behind it does not answer. A restarted
machine gets another number, as at the real provider.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from gpuinstance_simulator.apps import App, Apps
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.keeper import DoorKeeper
from gpuinstance_simulator.listeners import TcpListener, bound_socket
from gpuinstance_simulator.machine import Machine


@dataclass(slots=True)
class _Door:
    machine: Machine
    port: int
    run: int
    number: int
    """The port on this host."""
    reserved: socket.socket
    listener: TcpListener | None = None

    @property
    def is_valid(self) -> bool:
        return self.machine.up_since is not None and self.machine.runs == self.run


class Doors(DoorKeeper):
    """The tcp side of one simulated cloud."""

    def __init__(self, cloud: Cloud, apps: Apps, host: str = "127.0.0.1") -> None:
        super().__init__(cloud, apps)
        self._host = host
        self._doors: dict[tuple[str, int, int], _Door] = {}
        self._busy = asyncio.Lock()

    def address(self, machine: Machine, port: int) -> str:
        """The promise of the base class; the number belongs to this run of the machine."""
        key = (machine.id, port, machine.runs)
        door = self._doors.get(key)
        if door is None:
            reserved = bound_socket(self._host)
            number = reserved.getsockname()[1]
            door = self._doors[key] = _Door(machine, port, machine.runs, number, reserved)
            self.wake()
        return f"{self._host}:{door.number}"

    async def settle(self) -> None:
        """The promise of the base class."""
        async with self._busy:
            self._cloud.engine.now()
            for key, door in list(self._doors.items()):
                if not door.is_valid:
                    del self._doors[key]
                    await _shut(door)
                    door.reserved.close()
                elif self._apps.at(door.machine, door.port).answers:
                    if door.listener is None:
                        await self._open(door)
                elif door.listener is not None:
                    await _shut(door)
                    door.reserved = bound_socket(self._host, door.number)

    async def close(self) -> None:
        """The promise of the base class."""
        for door in self._doors.values():
            await _shut(door)
            door.reserved.close()
        self._doors.clear()

    def watched(self) -> Iterable[App]:
        """The promise of the base class."""
        return (self._apps.at(it.machine, it.port) for it in self._doors.values())

    async def _open(self, door: _Door) -> None:
        door.listener = TcpListener(lambda: self._apps.behaviour(door.machine, door.port).banner)
        await door.listener.open(door.reserved)


async def _shut(door: _Door) -> None:
    """Stop listening and show the guests out. The socket is closed with the listener."""
    if door.listener is not None:
        await door.listener.shut()
        door.listener = None
