"""The simulated cloud: what a client can see and ask for, as plain synchronous methods.

Pure: no await, no sockets, no real clock; all time comes from the given `VirtualClock`, all chance
from `seed`, so that equal calls at equal times give equal worlds. A wire face puts a provider's HTTP
API over it, a test may call it directly. Every accepted change is in `ledger`; a refused one raises
CloudError and has changed nothing.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gpuinstance_simulator.catalogue import Catalogue, Mode, Port
from gpuinstance_simulator.charges import Meter, disk_rate
from gpuinstance_simulator.clock import VirtualClock
from gpuinstance_simulator.engine import Engine
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.ledger import Ledger
from gpuinstance_simulator.lifecycle import Actor, Lifecycle, NotAllowedError, Operation
from gpuinstance_simulator.machine import Edit, Machine, Order, Software
from gpuinstance_simulator.sales import Sales
from gpuinstance_simulator.settings import Settings


@dataclass(frozen=True, slots=True)
class Sight:
    """A machine as a client sees it now, which may lag behind the truth."""

    machine: Machine
    word: str
    is_up: bool


class Cloud:
    """One account at one provider."""

    def __init__(
        self,
        clock: VirtualClock,
        lifecycle: Lifecycle,
        catalogue: Catalogue,
        *,
        settings: Settings | None = None,
        seed: int = 0,
    ) -> None:
        self.engine = Engine(clock, lifecycle, settings or Settings())
        self.catalogue = catalogue
        self.sales = Sales(self.engine, catalogue)
        self.console_verbs: Mapping[str, Callable[[Machine, str], object]] = {}
        """What people can do in this provider's console only, by its word there; see `console`."""
        self._seed = seed
        self._random = random.Random(seed)
        self._sights: tuple[Sight, ...] = ()
        self._sights_revision = -1

    @property
    def clock(self) -> VirtualClock:
        """The time of this world."""
        return self.engine.clock

    @property
    def ledger(self) -> Ledger:
        """Every change that was accepted."""
        return self.engine.ledger

    @property
    def settings(self) -> Settings:
        """Lags, limits and delays; may be replaced at any time."""
        return self.engine.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self.engine.settings = settings

    def listing(self) -> Sequence[Sight]:
        """All machines as a listing shows them: newest first, behind by the lags."""
        now = self.engine.now()
        if self._sights_revision != self.engine.revision:
            seen = (self._lagging(it, now) for it in reversed(self.engine.listed.values()))
            self._sights = tuple(sight for sight in seen if sight is not None)
            self._sights_revision = self.engine.revision
        return self._sights

    def look(self, machine_id: str) -> Sight:
        """One machine by its id; without lag unless `Settings.lookups_lag`."""
        now = self.engine.now()
        machine = self.engine.machines.get(machine_id)
        sight = None
        if machine is not None:
            lagging = self.settings.lookups_lag
            sight = self._lagging(machine, now) if lagging else self._truly(machine)
        if sight is None:
            raise CloudError(Refusal.NO_SUCH_MACHINE, "instance not found")
        return sight

    def truth(self, *, with_gone: bool = False) -> list[Machine]:
        """The machines that exist now, without lag, oldest first; `with_gone`: ever existed."""
        self.engine.now()
        return [it for it in self.engine.machines.values() if with_gone or not it.is_gone]

    def machine(self, machine_id: str) -> Machine:
        """One existing machine, without lag. Raises CloudError NO_SUCH_MACHINE."""
        self.engine.now()
        machine = self.engine.machines.get(machine_id)
        if machine is None or machine.is_gone:
            raise CloudError(Refusal.NO_SUCH_MACHINE, "instance not found")
        return machine

    def create(self, order: Order, *, actor: Actor = Actor.API) -> Machine:
        """Buy a machine. The same name may be bought again: nothing here is idempotent."""
        now = self.engine.now()
        product, cluster = self.sales.accept(order, self._random)
        machine = Machine(
            id=self._new_id(),
            name=order.name,
            order=order,
            product=product,
            cluster_id=cluster.id,
            created_at=now,
            shown_from=now + self.settings.listing_lag,
            meter=Meter(
                gpu_rate=product.hourly_price(order.mode) * order.gpu_count,
                disk_rate=disk_rate(order.rootfs_gb),
                since=now,
            ),
        )
        if order.mode is Mode.MONTHLY:
            machine.meter.pay(product.term_price(order.months) * order.gpu_count)
        self.engine.add(machine, self.engine.lifecycle.path(Operation.CREATE, None))
        detail: dict[str, object] = {
            "product_id": product.id,
            "cluster_id": cluster.id,
            "gpu_count": order.gpu_count,
            "rootfs_gb": order.rootfs_gb,
            "mode": order.mode.value,
            "months": order.months,
            "hourly_price": str(machine.meter.gpu_rate),
            "image": order.software.image,
        }
        self.engine.record(Operation.CREATE, actor, machine, now, detail)
        return machine

    def start(self, machine_id: str, *, actor: Actor = Actor.API) -> Machine:
        """Start a stopped machine; its GPUs may have been sold meanwhile."""
        return self.transit(Operation.START, machine_id, actor=actor)

    def stop(self, machine_id: str, *, actor: Actor = Actor.API) -> Machine:
        """Stop a running machine; its disk stays, its GPUs do not."""
        return self.transit(Operation.STOP, machine_id, actor=actor)

    def restart(self, machine_id: str, *, actor: Actor = Actor.API) -> Machine:
        """Restart a running machine."""
        return self.transit(Operation.RESTART, machine_id, actor=actor)

    def migrate(self, machine_id: str, *, actor: Actor = Actor.API) -> Machine:
        """Move a machine to another node; it comes back as it was, running or stopped."""
        return self.transit(Operation.MIGRATE, machine_id, actor=actor)

    def delete(self, machine_id: str, *, actor: Actor = Actor.API) -> Machine:
        """Delete a machine in any state but an earlier deletion. A paid term is refused, unless it may go."""
        machine = self.machine(machine_id)
        if machine.order.mode is Mode.MONTHLY and not self.settings.prepaid_may_go:
            raise CloudError(Refusal.PREPAID, "a monthly instance cannot be released")
        path = self._path(Operation.DELETE, machine)
        now = self.engine.now()
        self.engine.remove(machine, path, now)
        self.engine.record(Operation.DELETE, actor, machine, now)
        return machine

    def edit(
        self,
        machine_id: str,
        *,
        ports: tuple[Port, ...] | None = None,
        grow_gb: int = 0,
        actor: Actor = Actor.API,
    ) -> Machine:
        """Replace the exposed ports, or grow the disk by so much; effective after a while."""
        machine = self.machine(machine_id)
        self._path(Operation.EDIT, machine)
        size = machine.order.rootfs_gb + grow_gb + sum(it.grow_gb for it in machine.edits)
        self.sales.check_disk(machine.product, size)
        now = self.engine.now()
        self.engine.schedule_edit(machine, Edit(ports, grow_gb), now)
        detail: dict[str, object] = {
            "ports": None if ports is None else [f"{it.number}/{it.protocol}" for it in ports],
            "grow_gb": grow_gb,
        }
        self.engine.record(Operation.EDIT, actor, machine, now, detail)
        return machine

    def upgrade(self, machine_id: str, software: Software, *, keep_data: bool, actor: Actor = Actor.API) -> Machine:
        """Reset a machine to other software. It ends up running, also if it was stopped."""
        machine = self.machine(machine_id)
        self.sales.check_software(software, machine.cluster_id)
        detail: dict[str, object] = {"image": software.image, "keep_data": keep_data}
        self.transit(Operation.UPGRADE, machine_id, actor=actor, detail=detail)
        machine.order = replace(machine.order, software=software)
        return machine

    def transit(
        self,
        operation: Operation,
        machine_id: str,
        *,
        actor: Actor = Actor.API,
        detail: dict[str, object] | None = None,
    ) -> Machine:
        """Any operation that the lifecycle table describes and that needs nothing but the id."""
        machine = self.machine(machine_id)
        path = self._path(operation, machine)
        first = self.engine.lifecycle.states[path[0]]
        if first.holds_gpus and not self.engine.state_of(machine).holds_gpus:
            self.sales.check_stock(machine.product.id, machine.order.gpu_count)
            self.sales.check_balance(machine.meter.gpu_rate)
        now = self.engine.now()
        self.engine.travel(machine, path, now)
        self.engine.record(operation, actor, machine, now, detail)
        return machine

    def secret(self, machine: Machine, purpose: str) -> str:
        """A password or the like that belongs to this run of the machine: 16 hex digits."""
        text = f"{self._seed}/{machine.id}/{machine.runs}/{purpose}"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def _lagging(self, machine: Machine, now: float) -> Sight | None:
        if now < machine.shown_from:
            return None
        removal = machine.removal
        if removal is not None and now < removal.shown_from:
            before = self.engine.lifecycle.states[removal.state_before]
            return Sight(machine, removal.state_before, bool(before.up))
        return self._truly(machine)

    def _truly(self, machine: Machine) -> Sight | None:
        if machine.is_gone:
            return None
        return Sight(machine, machine.word, machine.up_since is not None)

    def _path(self, operation: Operation, machine: Machine) -> tuple[str, ...]:
        try:
            return self.engine.lifecycle.path(operation, machine.state)
        except NotAllowedError as error:
            raise CloudError(Refusal.WRONG_STATE, str(error)) from error

    def _new_id(self) -> str:
        while (machine_id := f"{self._random.getrandbits(64):016x}") in self.engine.machines:
            pass
        return machine_id
