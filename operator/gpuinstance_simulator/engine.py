"""The works of the simulated cloud: moves machines along their paths as time passes.

Used by `cloud` (what clients ask for), `console` (what people do behind their backs) and `disturbances`
(what goes wrong). It decides nothing about who may do what; it knows the consequences of entering a
state: stock, charges, the spot clock, the ledger for what the provider does by itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from gpuinstance_simulator.agenda import Agenda
from gpuinstance_simulator.catalogue import Mode
from gpuinstance_simulator.clock import VirtualClock
from gpuinstance_simulator.ledger import Ledger
from gpuinstance_simulator.lifecycle import GONE, Actor, Lifecycle, Operation, State
from gpuinstance_simulator.machine import Edit, Machine, Removal, SpotStatus
from gpuinstance_simulator.settings import Settings

_NOWHERE = State("")


class Engine:
    """All machines that ever were, and their appointments with time."""

    def __init__(self, clock: VirtualClock, lifecycle: Lifecycle, settings: Settings) -> None:
        self.clock = clock
        self.lifecycle = lifecycle
        self.settings = settings
        self.ledger = Ledger()
        self.agenda = Agenda()
        self.machines: dict[str, Machine] = {}
        """Everything, also what is gone, by id, oldest first."""
        self.listed: dict[str, Machine] = {}
        """What a listing may still have to show."""
        self.gpus_used: Counter[str] = Counter()
        """GPUs held, by product id."""
        self.revision = 0
        """Changes whenever anything that a client can see may have changed."""
        self.listeners: list[Callable[[Machine, float], None]] = []
        """Told of each machine that has just entered a state, and when. What failed on the way has its error."""

    def now(self) -> float:
        """The time, after everything due until then has happened."""
        now = self.clock.now()
        if self.agenda.run(now):
            self.revision += 1
        return now

    def add(self, machine: Machine, path: tuple[str, ...]) -> None:
        """A new machine starts its life."""
        self.machines[machine.id] = self.listed[machine.id] = machine
        self.show_from(machine, machine.shown_from)
        self.travel(machine, path, machine.created_at)

    def travel(self, machine: Machine, path: tuple[str, ...], at: float) -> None:
        """Send a machine along `path`; whatever it was doing is over."""
        self.revision += 1
        machine.path = path[1:]
        self._enter(machine, path[0], at)

    def state_of(self, machine: Machine) -> State:
        """The table's entry for the state that the machine is in."""
        return self.lifecycle.states.get(machine.state, _NOWHERE)

    def remove(self, machine: Machine, path: tuple[str, ...], at: float) -> None:
        """Deletion was accepted. Listings learn of it after the lag."""
        shown_from = at + self.settings.deletion_lag
        machine.removal = Removal(shown_from, machine.state)
        self.travel(machine, path, at)
        self.show_from(machine, shown_from)

    def show_from(self, machine: Machine, time: float) -> None:
        """Keep the machine, or its deletion if that was accepted, out of listings until then."""
        self.revision += 1
        if machine.removal is None:
            machine.shown_from = time
        else:
            machine.removal = replace(machine.removal, shown_from=time)
        self.agenda.at(time, partial(self._unlist, machine))

    def schedule_step(self, machine: Machine, entered: float) -> None:
        """Set the appointment for the end of the state that the machine is in."""
        seconds = self.state_of(machine).seconds
        if not machine.path or seconds is None:
            return
        stay = seconds + machine.stuck.get(machine.state, 0.0)
        if math.isfinite(stay):
            self.agenda.at(entered + stay, partial(self._step, machine, machine.leg))

    def schedule_edit(self, machine: Machine, edit: Edit, at: float) -> None:
        """An edit was accepted; it takes effect later, if the machine still exists by then."""
        machine.edits.append(edit)
        due = at + self.settings.edit_delay
        self.agenda.at(due, partial(self._finish_edit, machine, edit))

    def schedule_reclaim(self, machine: Machine, announced: float, notice: float) -> None:
        """Announce, start and finish the reclaim of a spot machine, unless this run ends before."""
        reclaiming = announced + notice
        turns = (
            (announced, SpotStatus.NOTIFIED),
            (reclaiming, SpotStatus.RECLAIMING),
            (reclaiming + self.settings.spot_reclaiming, SpotStatus.TERMINATED),
        )
        for due, status in turns:
            self.agenda.at(due, partial(self._turn_spot, machine, machine.runs, status))

    def record(
        self,
        operation: Operation,
        actor: Actor,
        machine: Machine,
        at: float,
        detail: dict[str, object] | None = None,
    ) -> None:
        """Append to the ledger what was accepted for this machine."""
        self.ledger.append(
            operation,
            actor,
            time=at,
            machine_id=machine.id,
            machine_name=machine.name,
            charge=machine.charge(at),
            detail=detail,
        )

    def _step(self, machine: Machine, leg: int, at: float) -> None:
        if machine.leg != leg:
            return
        failure = machine.failure
        if failure is not None and failure.at == machine.state:
            machine.failure = None
            machine.error = (failure.state, failure.message)
            self.travel(machine, (failure.ends,), at)
            machine.error = (failure.state, failure.message)  # once more: coming up clears what was before
            self.record(Operation.FAIL, Actor.PROVIDER, machine, at, {"message": failure.message})
            return
        self.travel(machine, machine.path, at)

    def _enter(self, machine: Machine, word: str, at: float) -> None:
        before = self.state_of(machine)
        machine.state, machine.leg = word, machine.leg + 1
        state = self.state_of(machine)
        held = (state.holds_gpus - before.holds_gpus) * machine.order.gpu_count
        self.gpus_used[machine.product.id] += held
        machine.meter.switch(at, billed=state.billed, removed=state.removal or word == GONE)
        for listener in self.listeners:
            listener(machine, at)
        if state.up is False:
            machine.up_since = None
        if state.up and machine.up_since is None:
            self._come_up(machine, at)
        elif word == self.lifecycle.down:
            machine.stopped_at = at
            if machine.spot_status is not SpotStatus.TERMINATED:
                machine.spot_status = SpotStatus.NONE
        elif word == GONE:
            self._unlist(machine, at)
        self.schedule_step(machine, at)

    def _come_up(self, machine: Machine, at: float) -> None:
        machine.runs += 1
        machine.up_since = machine.started_at = at
        machine.error = ("", "")
        if machine.order.mode is not Mode.SPOT:
            return
        machine.spot_status, machine.reclaimed_at = SpotStatus.RUNNING, None
        settings, plan = self.settings, machine.spot_plan
        if plan is not None:
            machine.spot_plan = None
            self.schedule_reclaim(machine, at + plan[0], plan[1])
        elif settings.spot_lifetime is not None:
            lifetime = max(settings.spot_lifetime, settings.spot_guarantee)
            self.schedule_reclaim(machine, at + lifetime, settings.spot_notice)

    def _turn_spot(self, machine: Machine, run: int, status: SpotStatus, at: float) -> None:
        if machine.runs != run or machine.up_since is None:
            return
        machine.spot_status = status
        if status is SpotStatus.RECLAIMING:
            machine.reclaimed_at = at
        elif status is SpotStatus.TERMINATED:
            self.travel(machine, (self.lifecycle.down,), at)
            self.record(Operation.RECLAIM, Actor.PROVIDER, machine, at)

    def _finish_edit(self, machine: Machine, edit: Edit, at: float) -> None:
        machine.edits.remove(edit)
        if self.state_of(machine).removal or machine.is_gone:
            return
        order = machine.order
        rootfs_gb = order.rootfs_gb + edit.grow_gb
        ports = order.ports if edit.ports is None else edit.ports
        machine.order = replace(order, rootfs_gb=rootfs_gb, ports=ports)
        machine.meter.resize(at, rootfs_gb)

    def _unlist(self, machine: Machine, at: float) -> None:
        """A lag is over: listings are made anew, and forget the machine if it is gone."""
        if machine.is_gone and machine.removal and machine.removal.shown_from <= at:
            self.listed.pop(machine.id, None)
