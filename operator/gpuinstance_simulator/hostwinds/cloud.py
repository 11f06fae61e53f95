"""The simulated cloud as Hostwinds runs it: servers with addresses, locks and operating systems.

Adds to the neutral cloud what only this provider has; paid changes are in `upgrades`. Still pure: no await, no
sockets, no wire. The face calls it for API clients, the console for people in the portal; both obey the same
table and enter the same ledger, but locks and suspensions hold back the API only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gpuinstance_simulator.catalogue import Catalogue, Mode, Port
from gpuinstance_simulator.clock import VirtualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.hostwinds.addresses import ip
from gpuinstance_simulator.hostwinds.lifecycle import (
    ACTIVE,
    LIFECYCLE,
    LOOK_AS_BEFORE,
    QUEUED,
    SUSPENDED,
)
from gpuinstance_simulator.hostwinds.orders import Books
from gpuinstance_simulator.hostwinds.quirks import Quirks
from gpuinstance_simulator.hostwinds.servers import Register, Server
from gpuinstance_simulator.lifecycle import Actor, Operation
from gpuinstance_simulator.machine import Machine, Order, Software
from gpuinstance_simulator.settings import Settings

_FIRST_ID = 100_183
_LARGEST_STEP = 9
"""Ids are not dense: other customers buy, too."""

DEFAULT_PORTS = (Port(8080, "http"), Port(2200, "tcp"))
"""What the made-up applications in a server listen on: above those that need privileges."""


class HostwindsCloud(Cloud):
    """One account at Hostwinds."""

    def __init__(
        self,
        clock: VirtualClock,
        catalogue: Catalogue,
        *,
        settings: Settings,
        seconds: Mapping[str, float],
        ports: tuple[Port, ...],
        seed: int,
    ) -> None:
        super().__init__(clock, LIFECYCLE.with_seconds(seconds), catalogue, settings=settings, seed=seed)
        self.ports = ports
        """Of every server: this provider knows nothing about ports."""
        self.books = Books()
        """Its upgrade orders and invoices; `upgrades` writes them."""
        self.block = 0
        """Which block of loopback addresses the servers have."""
        self.quirks = Quirks()
        self._register = Register()
        self._last_id = _FIRST_ID
        self.engine.listeners.append(self._entered)
        self.obey(self.quirks)

    def obey(self, quirks: Quirks) -> None:
        """Behave so from now on."""
        self.quirks = quirks
        self.engine.lifecycle = self.engine.lifecycle.with_seconds({QUEUED: quirks.stale_seconds})

    def server(self, machine: Machine) -> Server:
        """What else is known about a machine."""
        return self._register.of(machine.id, machine.created_at)

    def main_ip(self, machine: Machine) -> str:
        """The address at which its applications are."""
        self.engine.now()
        return ip(self.block, self.server(machine).address)

    def create(self, order: Order, *, actor: Actor = Actor.API) -> Machine:
        """Buy a server; monthly, where hourly billing is not offered."""
        if order.mode is Mode.ON_DEMAND and not self.quirks.hourly_enabled:
            order = replace(order, mode=Mode.MONTHLY, months=1)
        return super().create(replace(order, ports=order.ports or self.ports), actor=actor)

    def delete(self, machine_id: str, *, actor: Actor = Actor.API) -> Machine:
        """Terminate a server, also a suspended one, but not a locked one."""
        self.check_unlocked(self.machine(machine_id), actor)
        return super().delete(machine_id, actor=actor)

    def transit(
        self,
        operation: Operation,
        machine_id: str,
        *,
        actor: Actor = Actor.API,
        detail: dict[str, object] | None = None,
    ) -> Machine:
        """Any operation of the table; a client of the API can do nothing to a locked or suspended server."""
        self.check_free(self.machine(machine_id), actor)
        machine = super().transit(operation, machine_id, actor=actor, detail=detail)
        machine.error = ("", "")
        self.server(machine).coming = None
        return machine

    def recreate(self, machine_id: str) -> Machine:
        """Delete a server and provision it again, at another address."""
        machine = self.transit(Operation.RECREATE, machine_id)
        server, moves = self.server(machine), not self.quirks.recreate_keeps_address

        def arrive(at: float) -> None:
            server.launched_at = at
            if moves:
                self._register.move(server)

        server.coming = arrive
        return machine

    def template_id(self, template: str) -> str:
        """The uuid of an operating system that is given by it, or by the name of its image. Raises CloudError."""
        for it in self.catalogue.templates.values():
            if template in (it.id, it.image):
                return it.id
        raise CloudError(Refusal.NO_SUCH_TEMPLATE, "unknown template")

    def reinstall(self, machine_id: str, template: str) -> Machine:
        """Put an operating system on a server, over everything that is there."""
        self.machine(machine_id)
        template_id = self.template_id(template)
        machine = self.transit(Operation.REINSTALL, machine_id, detail={"template": template_id})

        def arrive(_: float) -> None:
            machine.order = replace(machine.order, software=Software(image=template_id))

        self.server(machine).coming = arrive
        return machine

    def regenerate(self, machine_id: str) -> Machine:
        """Make the networking of a server anew."""
        machine = self.transit(Operation.REGENERATE, machine_id)
        server = self.server(machine)
        if self.quirks.regenerate_changes_address:
            server.coming = lambda _: self._register.move(server)
        return machine

    def rename(self, machine_id: str, name: str) -> Machine:
        """Change the label of a server; another may have the same."""
        machine = self.machine(machine_id)
        self.check_free(machine, Actor.API)
        machine.name = name
        self.engine.record(Operation.RENAME, Actor.API, machine, self.engine.now())
        return machine

    def toggle_lock(self, machine_id: str, *, actor: Actor = Actor.API) -> Machine:
        """Lock a server, or unlock it."""
        machine = self.machine(machine_id)
        server = self.server(machine)
        server.is_locked = not server.is_locked
        detail: dict[str, object] = {"locked": server.is_locked}
        self.engine.record(Operation.TOGGLE_LOCK, actor, machine, self.engine.now(), detail)
        return machine

    def check_free(self, machine: Machine, actor: Actor) -> None:
        """Raise CloudError where a client of the API must not change the server."""
        self.check_unlocked(machine, actor)
        if actor is Actor.API and machine.state == SUSPENDED:
            raise CloudError(Refusal.SUSPENDED, "the server is suspended")

    def check_unlocked(self, machine: Machine, actor: Actor) -> None:
        """Raise CloudError where the server is locked against a client of the API."""
        if actor is Actor.API and self.server(machine).is_locked:
            raise CloudError(Refusal.LOCKED, "the server is locked")

    def _path(self, operation: Operation, machine: Machine) -> tuple[str, ...]:
        path = super()._path(operation, machine)
        if operation is Operation.UNFREEZE:
            before = self.server(machine).before
            return (before,) if self.engine.lifecycle.states[before].seconds is None else path
        if operation is Operation.APPLY and self._skips_resized(machine):
            return (*path[:-1], ACTIVE)
        return path

    def _skips_resized(self, machine: Machine) -> bool:
        order = self.books.open_order(machine.id)
        return self.quirks.disk_only_skips_resized and order is not None and order.changes_only_the_disk

    def _entered(self, machine: Machine, at: float) -> None:
        server = self.server(machine)
        if machine.state != QUEUED:  # the old state is shown, with its time
            server.updated_at = at
        if machine.is_gone:
            self._register.release(server)
            order = self.books.open_order(machine.id)
            if order is not None:
                self.books.cancel(order)
            return
        if machine.state not in LOOK_AS_BEFORE | {SUSPENDED}:
            server.before = machine.state
        if machine.state == ACTIVE:
            server.launched_at = server.launched_at or at
            coming, server.coming = server.coming, None
            if coming is not None and machine.error == ("", ""):
                coming(at)

    def _new_id(self) -> str:
        self._last_id += self._random.randint(1, _LARGEST_STEP)
        return str(self._last_id)
