"""The applications of simulated servers, listening at the servers' own addresses.

While a server is up and its application answers, there is a socket at (its main address, the port); otherwise
nobody listens there and connecting is refused: no proxy of the provider stands in front. When the server goes
down, moves or restarts, its connections end. Only loopback addresses are ever bound.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aiohttp import web

from gpuinstance_simulator.apps import App, Apps
from gpuinstance_simulator.catalogue import Port
from gpuinstance_simulator.hostwinds.addresses import Claim
from gpuinstance_simulator.hostwinds.cloud import HostwindsCloud
from gpuinstance_simulator.keeper import DoorKeeper
from gpuinstance_simulator.listeners import HttpListener, Listener, TcpListener, bound_socket
from gpuinstance_simulator.machine import Machine

Place = tuple[str, int]
"""Address and port."""


@dataclass(frozen=True, slots=True)
class _Tenant:
    """Who is at home behind a door. Another run of the same machine is another tenant."""

    machine: Machine
    run: int
    port: Port


class ServerDoors(DoorKeeper):
    """All ports of all servers of one simulated cloud."""

    def __init__(self, cloud: HostwindsCloud, apps: Apps) -> None:
        """Claims a block of addresses. Raises OSError if there is none, or a port cannot be had."""
        super().__init__(cloud, apps)
        self._servers = cloud
        self._claim = Claim(it.number for it in cloud.ports)
        cloud.block = self._claim.block
        self._open: dict[Place, tuple[_Tenant, Listener]] = {}
        self._complaints: set[Place] = set()
        self._busy = asyncio.Lock()

    def address(self, machine: Machine, port: int) -> str:
        """The promise of the base class."""
        return f"{self._servers.main_ip(machine)}:{port}"

    async def settle(self) -> None:
        """The promise of the base class."""
        async with self._busy:
            wanted = dict(self._tenants())
            for place, (tenant, listener) in list(self._open.items()):
                if wanted.get(place) != tenant:
                    del self._open[place]
                    await listener.shut()
            for place, tenant in wanted.items():
                if place not in self._open:
                    await self._move_in(place, tenant)

    async def close(self) -> None:
        """The promise of the base class."""
        for _, listener in self._open.values():
            await listener.shut()
        self._open.clear()
        self._claim.release()

    def watched(self) -> Iterable[App]:
        """The promise of the base class."""
        return (self._apps.at(it, port.number) for it in self._cloud.truth() for port in it.order.ports)

    def _tenants(self) -> Iterator[tuple[Place, _Tenant]]:
        """Everybody who should be at home now."""
        for machine in self._cloud.truth():
            for port in machine.order.ports:
                if self._apps.at(machine, port.number).answers:
                    place = (self._servers.main_ip(machine), port.number)
                    yield place, _Tenant(machine, machine.runs, port)

    async def _move_in(self, place: Place, tenant: _Tenant) -> None:
        listener = self._listener(tenant)
        try:
            await listener.open(bound_socket(*place))
        except OSError as error:
            if place not in self._complaints:
                self._complaints.add(place)
                sys.stderr.write(f"cannot listen at {place[0]}:{place[1]}: {error}\n")
        else:
            self._open[place] = (tenant, listener)

    def _listener(self, tenant: _Tenant) -> Listener:
        machine, port = tenant.machine, tenant.port
        if port.protocol == "tcp":
            return TcpListener(lambda: self._apps.behaviour(machine, port.number).banner)

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            if not self._apps.at(machine, port.number).answers and request.transport is not None:
                request.transport.abort()  # it has just gone down, and nobody has shut the door yet
            return await self._apps.respond(request, machine, port.number)

        return HttpListener(answer)
