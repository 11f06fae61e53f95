"""Everything that a decision may depend on, in one frozen value.

`reconcile` gathers it; the rules only read it. Time is a field. Facts that cost a call and are
rarely needed start as None: a rule asks for one by returning a decision that needs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from gpuinstance.api.reasons import Reason
from gpuinstance.api.spec import GPUInstanceSpec
from gpuinstance.api.status import GPUInstanceStatus, Operation
from gpuinstance.api.upgrade_status import MachineShape
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import ConditionStatus, ConditionType, OperationPhase, OverallHealth, PowerState
from gpuinstance.core.budget import Budget
from gpuinstance.core.expiry import Over, held_until, over
from gpuinstance.core.model import Machine, Order, Port, Software
from gpuinstance.core.naming import Identity


@dataclass(frozen=True, slots=True)
class Limits:
    """What the provider can do, and how patient the operator is."""

    settle: timedelta
    """Longer than a call can be under way plus the time that a listing lags behind: after this, a
    call without an answer is known to have had no effect if the listing shows none."""
    fast_poll: timedelta
    """Pause between looks while something changes."""
    stale_after: timedelta
    """Age of the last observation above which nothing is known any more."""
    max_gpu_count: int
    max_rootfs_gb: int
    billing_modes: frozenset[str]
    listing_has_addresses: bool
    can_change_ports: bool
    can_grow_disk: bool
    can_change_software: bool
    publishes_ports: bool
    """False: a machine has an address of its own, and each port is reachable there."""
    rebuilds_in_place: bool
    """True: a machine can be made anew under the same id, without another purchase."""
    upgrades_are_ordered: bool
    """True: another plan has to be ordered and paid, by an InstanceUpgrade."""
    bills_stopped: bool = False
    """True: a machine that is down costs what it costs when it is up."""
    asks_budget: bool = False
    """True: namespaces may have a budget, which is asked before money is spent."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The provider was observed."""

    machines: tuple[Machine, ...]
    """Those that carry our name or the recorded id, newest purchase first."""
    namesakes: tuple[Machine, ...]
    """Those of the same namespace and name but another uid: never ours."""
    listed_at: datetime
    """When the listing was requested; it is at least this fresh."""
    candidates: tuple[Machine, ...] = ()
    """The machine that `spec.adopt` names, if it is listed."""


@dataclass(frozen=True, slots=True)
class Blind:
    """The provider could not be observed."""

    reason: Reason
    message: str
    needs_person: bool
    last_seen_at: datetime
    """When it was last observed; the operator's start if not since then."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no machine can be ordered now."""

    reason: Reason
    message: str
    needs_person: bool


@dataclass(frozen=True, slots=True)
class Probed:
    """The answer of one endpoint."""

    port: int
    healthy: bool
    error_type: str | None = None
    status_code: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class HealthReport:
    """One round of health checks."""

    checked_at: datetime
    results: tuple[Probed, ...]

    @property
    def overall(self) -> OverallHealth:
        """All endpoints together."""
        healthy = sum(result.healthy for result in self.results)
        if healthy == len(self.results):
            return OverallHealth.HEALTHY
        return OverallHealth.PARTIAL if healthy else OverallHealth.UNHEALTHY


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The instances of one namespace that should be up, this one included."""

    total: int
    in_trouble: int


@dataclass(frozen=True, slots=True)
class Price:
    """What the recorded machine costs an hour while it is up, in USD."""

    now: Decimal | None
    """None where the provider shows no price of its product."""


@dataclass(frozen=True, slots=True)
class FoundUpgrade:
    """An InstanceUpgrade as far as its instance has to know it."""

    name: str
    uid: str
    machine_id: str
    holds: bool
    """True while it changes the machine."""
    ports: str | None = None
    """The ports that it has published instead of the spec's, as `22/tcp,80/http`; None if it changed none."""
    hourly_price: str | None = None
    """USD that the machine costs an hour since, by the price list when it began; None where that was unknown."""
    failed_between: tuple[MachineShape, MachineShape] | None = None
    """What the machine was, and what it was to become, where the upgrade has failed and left open which; else None."""
    ended_at: datetime | None = None
    """When it has ended; None while it works."""


@dataclass(frozen=True)
class Snapshot:
    """One object, its machine, and the moment."""

    now: datetime
    instance: GPUInstance
    identity: Identity
    limits: Limits
    view: Seen | Blind
    upgrade: FoundUpgrade | None = None
    """The upgrade that holds the machine, else the last one that succeeded."""
    paid_upgrade: str | None = None
    """The name of an upgrade of this machine that is paid for and has not ended, where `spec.expiry` deletes."""
    claimed_by: str | None = None
    """Who else owns the machine in `spec.adopt`, in words."""
    key_changed_at: datetime | None = None
    """When another API key was first used; None if there was none since the operator has started."""
    plan: Order | Refusal | None = None
    """What would be bought now; gathered on demand."""
    software: Software | Refusal | None = None
    """What would run in the machine by the current spec; gathered on demand."""
    addresses: tuple[Port, ...] | None = None
    """Where the machine's ports are published; gathered on demand."""
    confirmed_gone: frozenset[str] = frozenset()
    """Machine ids that the provider, asked in this pass, does not know or shows as removed."""
    budget: Budget | None = None
    """What the namespace may cost; gathered on demand."""
    price: Price | None = None
    """What the recorded machine costs now; gathered on demand."""
    neighbours: Neighbours | None = None
    """How the namespace's other instances are; gathered on demand."""
    health: HealthReport | None = None
    """The latest round of checks of this machine; a new one is gathered on demand."""
    health_is_new: bool = False
    """True if that round was made in this pass, so that it has not been counted yet."""

    def __post_init__(self) -> None:
        if self.now.tzinfo is None:
            msg = "a snapshot's moment needs a time zone"
            raise ValueError(msg)

    @property
    def spec(self) -> GPUInstanceSpec:
        """What the user wants."""
        return self.instance.spec

    @property
    def status(self) -> GPUInstanceStatus:
        """What was last saved."""
        return self.instance.status

    @property
    def generation(self) -> int:
        """The generation of the spec."""
        return self.instance.metadata.generation

    @property
    def deleting(self) -> bool:
        """True once somebody has deleted the object."""
        return self.instance.metadata.deletion_timestamp is not None

    @property
    def operation(self) -> Operation | None:
        """The operation in flight, or failed and not yet tried again."""
        return self.status.operation

    @cached_property
    def served(self) -> Over | None:
        """Why the machine has served, by `spec.expiry`, whether or not it is kept for an upgrade."""
        return over(self.instance, self.now)

    @property
    def over(self) -> Over | None:
        """Why the machine should be down by `spec.expiry`; None while it may run, also for an upgrade to be applied."""
        return None if self.paid_upgrade is not None and self.held_by is not None else self.served

    @property
    def held_by(self) -> str | None:
        """The upgrade for which the object is kept although its machine has served, as long as that may last."""
        until = held_until(self.instance, self.served) if self.served is not None else None
        if until is None or until <= self.now:
            return None
        active = self.active_upgrade
        return active.name if active is not None else self.paid_upgrade

    @property
    def active_upgrade(self) -> FoundUpgrade | None:
        """The upgrade that changes the machine now."""
        upgrade = self.upgrade
        if upgrade is None or not upgrade.holds or self.machine is None or self.machine.id != upgrade.machine_id:
            return None
        return upgrade

    @property
    def wants_running(self) -> bool:
        """True if the machine should be up."""
        return self.spec.power_state is PowerState.RUNNING and self.over is None

    @property
    def machine_id(self) -> str | None:
        """The recorded machine's id."""
        return self.status.instance.id if self.status.instance else None

    @cached_property
    def alive(self) -> tuple[Machine, ...]:
        """Machines of ours that exist, as far as anybody says."""
        if isinstance(self.view, Blind):
            return ()
        return tuple(m for m in self.view.machines if not m.state.is_gone and m.id not in self.confirmed_gone)

    @cached_property
    def machine(self) -> Machine | None:
        """The recorded machine, if it exists."""
        return next((m for m in self.alive if m.id == self.machine_id), None)

    @property
    def is_being_upgraded(self) -> bool:
        """True while an InstanceUpgrade changes the machine, or what it has made of it was not noted yet."""
        upgrade, recorded = self.upgrade, self.status.instance
        if upgrade is None or recorded is None or recorded.id != upgrade.machine_id:
            return False
        return upgrade.holds or (upgrade.failed_between is None and recorded.upgraded_by != upgrade.uid)

    @property
    def listed_at(self) -> datetime:
        """The age of the picture. Only for rules behind `stay_idle_when_blind`."""
        return self.view.listed_at if isinstance(self.view, Seen) else self.view.last_seen_at

    @property
    def was_ready(self) -> bool:
        """True if the saved status says Ready."""
        ready = self.status.condition(ConditionType.READY)
        return ready is not None and ready.status is ConditionStatus.TRUE

    def settled_since(self, moment: datetime) -> bool:
        """True if the picture is so young that a call of that moment shows in it, or never will."""
        return self.listed_at >= moment + self.limits.settle

    def in_flight(self, *types: str) -> Operation | None:
        """Return the running operation if it is of one of these types and has not failed."""
        operation = self.operation
        if operation is None or operation.phase is OperationPhase.FAILED or operation.type not in types:
            return None
        return operation
