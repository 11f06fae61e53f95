"""What Hostwinds knows about a server beyond what every simulated machine has.

`HostwindsCloud` keeps one record for each machine and changes it as the machine moves; `answers` shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gpuinstance_simulator.hostwinds.addresses import ADDRESSES_IN_BLOCK


@dataclass(slots=True)
class Server:
    """One server. Times are virtual seconds since the Unix epoch."""

    address: int
    """Its main address, as a number within the block of addresses of this simulator."""
    updated_at: float
    launched_at: float | None = None
    """When it was provisioned; a reboot does not change it."""
    is_locked: bool = False
    ssh_keys: tuple[str, ...] = ()
    before: str = ""
    """The last state that has a look of its own."""
    coming: Callable[[float], None] | None = None
    """What an accepted call brings about when the server is active again."""


class Register:
    """All servers by machine id, and the addresses that they hold."""

    def __init__(self) -> None:
        self._servers: dict[str, Server] = {}
        self._held: set[int] = set()
        self._last = 0

    def of(self, machine_id: str, at: float) -> Server:
        """The record of a machine; a new one, with an address, at the first time of asking."""
        server = self._servers.get(machine_id)
        if server is None:
            server = self._servers[machine_id] = Server(self._take_address(), at)
        return server

    def move(self, server: Server) -> None:
        """Give the server another address."""
        self.release(server)
        server.address = self._take_address()

    def release(self, server: Server) -> None:
        """Its address may be given to another server."""
        self._held.discard(server.address)

    def _take_address(self) -> int:
        """The next number in turn that nobody holds, so that an old address is not soon somebody else's."""
        if len(self._held) == ADDRESSES_IN_BLOCK:
            raise RuntimeError(f"more than {ADDRESSES_IN_BLOCK} servers at once")
        while True:
            self._last = self._last % ADDRESSES_IN_BLOCK + 1
            if self._last not in self._held:
                self._held.add(self._last)
                return self._last
