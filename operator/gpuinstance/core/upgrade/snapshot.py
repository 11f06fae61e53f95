"""Everything that a decision about one upgrade may depend on, in one frozen value.

`observing_upgrades` gathers it; the rules only read it. Facts that cost a call start as None: a rule asks
for one by returning a decision that needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from gpuinstance.api.status import Operation
from gpuinstance.api.upgrade import InstanceUpgrade, InstanceUpgradeSpec
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus, UpgradeCall
from gpuinstance.api.upgrade_words import CallType
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import OperationPhase
from gpuinstance.core.budget import Budget
from gpuinstance.core.model import Machine, Plan, Software, UpgradeOrder
from gpuinstance.core.snapshot import Blind, HealthReport, Refusal, Seen


@dataclass(frozen=True, slots=True)
class UpgradeLimits:
    """What the provider can do, and how patient the operator is."""

    settle: timedelta
    """As for instances: after this, what a call did not bring about it never will."""
    fast_poll: timedelta
    """Pause between looks while something changes."""
    slow_poll: timedelta
    """Pause between looks at a payment, or at what waits for a person."""
    resize_timeout: timedelta
    """How long the provider may work on one step before the upgrade has failed."""
    upgrades_are_ordered: bool
    can_change_software: bool
    can_change_ports: bool
    can_grow_disk: bool
    can_switch_to_monthly: bool
    asks_budget: bool = False
    """True: namespaces may have a budget, which is asked before money is spent."""


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """What the provider showed when it was asked for an open order in this pass."""

    order: UpgradeOrder | None
    asked_at: datetime
    """When the question was sent: the answer is at least this fresh."""


@dataclass(frozen=True, slots=True)
class MachineSeen:
    """The one machine, asked for in this pass; None: the provider does not know it."""

    machine: Machine | None
    asked_at: datetime
    """When the question was sent: the answer is at least this fresh."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a directly paid change costs, in USD; None where the provider names no price."""

    total: Decimal | None


@dataclass(frozen=True)
class UpgradeSnapshot:
    """One upgrade, its instance and its machine, and the moment."""

    now: datetime
    upgrade: InstanceUpgrade
    instance: GPUInstance | None
    """The instance as last seen; None where there is none of that name."""
    limits: UpgradeLimits
    view: Seen | Blind
    ahead: str | None = None
    """Name of the upgrade of the same instance that goes first."""
    fresh: MachineSeen | None = None
    plans: Sequence[Plan] | None = None
    quote: Quote | None = None
    budget: Budget | None = None
    """What the instance's namespace may cost."""
    order: OrderSeen | None = None
    software: Software | Refusal | None = None
    health: HealthReport | None = None
    """A round of the instance's checks, made in this pass."""

    def __post_init__(self) -> None:
        if self.now.tzinfo is None:
            msg = "a snapshot's moment needs a time zone"
            raise ValueError(msg)

    @property
    def spec(self) -> InstanceUpgradeSpec:
        """What the user wants."""
        return self.upgrade.spec

    @property
    def status(self) -> InstanceUpgradeStatus:
        """What was last saved."""
        return self.upgrade.status

    @property
    def generation(self) -> int:
        """The generation of the spec."""
        return self.upgrade.metadata.generation

    @property
    def deleting(self) -> bool:
        """True once somebody has deleted the upgrade."""
        return self.upgrade.metadata.deletion_timestamp is not None

    @property
    def is_ordered(self) -> bool:
        """True for a change that is ordered and invoiced before it is applied."""
        return self.spec.target.plan is not None

    @property
    def machine_id(self) -> str | None:
        """The machine that is upgraded; before the upgrade is accepted, the instance's own."""
        if self.status.instance is not None:
            return self.status.instance.machine_id
        recorded = self.instance.status.instance if self.instance is not None else None
        return recorded.id if recorded is not None else None

    @cached_property
    def machine(self) -> Machine | None:
        """The machine as the provider shows it, asked in this pass, else listed; None if it is gone."""
        if self.fresh is not None:
            found = self.fresh.machine
        elif isinstance(self.view, Blind):
            return None
        else:
            found = next((m for m in self.view.machines if m.id == self.machine_id), None)
        return None if found is None or found.state.is_gone else found

    @property
    def looked_at(self) -> datetime:
        """The age of the picture of the machine: when it was asked for."""
        if self.fresh is not None:
            return self.fresh.asked_at
        return self.view.listed_at if isinstance(self.view, Seen) else self.view.last_seen_at

    @property
    def work_of_instance(self) -> Operation | None:
        """The instance's own operation, while it is about the machine.

        Where only the application has to answer the machine is done with: a bigger plan may be what helps it.
        """
        operation = self.instance.status.operation if self.instance is not None else None
        done_with = (OperationPhase.FAILED, OperationPhase.HEALTH_CHECKING)
        return operation if operation is not None and operation.phase not in done_with else None

    def call_of(self, *types: CallType) -> UpgradeCall | None:
        """Return the call in flight if it is of one of these types."""
        call = self.status.call
        return call if call is not None and call.type in types else None

    def settled_since(self, moment: datetime) -> bool:
        """True if the picture of the machine is so young that a call of that moment shows in it, or never will."""
        return self.looked_at >= moment + self.limits.settle
