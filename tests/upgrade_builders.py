"""Builders of upgrades that read like sentences: `upgrade().awaiting_payment().cancelled()`.

Beside `tests.builders`, for the saga of an InstanceUpgrade: the object, the server that it is about, what the
provider sells and shows, and the snapshot of all of them. Each word returns a new builder. The times of a
saga are told backwards from NOW: whatever a word says has just happened, unless it is told when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Condition, OperationError
from gpuinstance.api.upgrade import InstanceUpgrade, InstanceUpgradeSpec
from gpuinstance.api.upgrade_status import (
    InstanceUpgradeStatus,
    MachineShape,
    OrderStatus,
    UpgradeCall,
    UpgradedInstance,
)
from gpuinstance.api.upgrade_words import CallPhase, CallType, UpgradeCondition, UpgradePhase
from gpuinstance.api.v1alpha1 import FINALIZER, GPUInstance, ObjectMeta
from gpuinstance.api.words import BillingCycle, BillingMode, ConditionStatus, ErrorCategory
from gpuinstance.core.model import Machine, MachineState, Plan, Sizes, Software, UpgradeOrder
from gpuinstance.core.snapshot import Blind, Seen
from gpuinstance.core.upgrade.snapshot import MachineSeen, OrderSeen, UpgradeLimits, UpgradeSnapshot
from gpuinstance.core.upgrade.target import shape_of
from tests.builders import InstanceBuilder, instance
from tests.materials import HOST, IMAGE, NOW, UID, ago, machine

UPGRADE_UID = "5f0c7d1e-2a3b-4c5d-8e6f-7a8b9c0d1e2f"
SMALL, BIG = Sizes(2048, 1, 50), Sizes(4096, 2, 100)
SMALL_PLAN = Plan("3", "Small", SMALL, ((BillingCycle.MONTHLY, Decimal("10.00")),), is_current=True)
BIG_PLAN = Plan("5", "Big", BIG, ((BillingCycle.MONTHLY, Decimal("14.00")),))
PLANS = (SMALL_PLAN, BIG_PLAN)
OURS = UpgradeOrder("98", "550", "416", Decimal("4.00"), "2027-02-01")
PAID = replace(OURS, paid=True)
THEIRS = UpgradeOrder("99", "551", "417", Decimal("80.00"), "2027-02-01")

ORDERED_LIMITS = UpgradeLimits(
    settle=timedelta(seconds=60),
    fast_poll=timedelta(seconds=30),
    slow_poll=timedelta(seconds=60),
    resize_timeout=timedelta(minutes=30),
    upgrades_are_ordered=True,
    can_change_software=False,
    can_change_ports=False,
    can_grow_disk=False,
    can_switch_to_monthly=False,
)
"""Of a provider where another plan is ordered."""
DIRECT_LIMITS = replace(
    ORDERED_LIMITS,
    upgrades_are_ordered=False,
    can_change_software=True,
    can_change_ports=True,
    can_grow_disk=True,
    can_switch_to_monthly=True,
)
"""Of one where everything else is changed directly."""


def server(state: MachineState = MachineState.RUNNING, sizes: Sizes | None = SMALL, **fields: Any) -> Machine:
    """Return the server of the instance, by default running with its small plan."""
    plan = {"product_id": "5", "product_name": "Big"} if sizes == BIG else {"product_id": "3", "product_name": "Small"}
    return machine("m-1", state, **{"exposes": (), "host": HOST, "sizes": sizes, **plan, **fields})


def renting() -> InstanceBuilder:
    """Return the instance that is upgraded: a server of Hostwinds that runs, with nothing else going on."""
    return instance().of_hostwinds().running()


@dataclass(frozen=True)
class UpgradeBuilder:
    """An upgrade in the making."""

    spec_fields: Mapping[str, Any] = field(default_factory=dict)
    status_fields: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def build(self) -> InstanceUpgrade:
        """Return the object."""
        usual: dict[str, Any] = {"instance_ref": {"name": "trainer"}, "target": {"plan": {"id": "5"}}}
        spec = usual | dict(self.spec_fields)
        metadata: dict[str, Any] = {
            "name": "bigger",
            "namespace": "default",
            "uid": UPGRADE_UID,
            "resource_version": "7",
            "finalizers": (FINALIZER,),
            "creation_timestamp": ago(hours=1),
        } | dict(self.metadata)
        return InstanceUpgrade(
            metadata=ObjectMeta(**metadata),
            spec=InstanceUpgradeSpec(**spec),
            status=InstanceUpgradeStatus(**self.status_fields),
        )

    # What the user wrote ---------------------------------------------------------------------------

    def with_spec(self, **fields: Any) -> UpgradeBuilder:
        """The spec says this."""
        return replace(self, spec_fields={**self.spec_fields, **fields})

    def to_plan(self, **plan: Any) -> UpgradeBuilder:
        """The target is this plan."""
        return self.with_spec(target={"plan": plan})

    def paying(self, **payment: Any) -> UpgradeBuilder:
        """The spec says this about the payment."""
        return self.with_spec(payment={**self.spec_fields.get("payment", {}), **payment})

    def confirming_invoice(self, invoice_id: str = "416") -> UpgradeBuilder:
        """Somebody says that this invoice is paid."""
        return self.paying(confirmed_invoice_id=invoice_id)

    def limited_to(self, total: str) -> UpgradeBuilder:
        """At most so many USD may be paid."""
        return self.paying(max_total=total)

    def cancelled(self) -> UpgradeBuilder:
        """Somebody no longer wants it."""
        return self.with_spec(cancel=True)

    def confirmed(self) -> UpgradeBuilder:
        """Somebody wants the new sizes kept."""
        return self.with_spec(confirm=True)

    # What Kubernetes added ---------------------------------------------------------------------------

    def deleting(self) -> UpgradeBuilder:
        """A user has deleted it; the finalizer holds it."""
        return replace(self, metadata={**self.metadata, "deletion_timestamp": ago(seconds=1)})

    def without_finalizer(self) -> UpgradeBuilder:
        """kopf has not reached it yet."""
        return replace(self, metadata={**self.metadata, "finalizers": ()})

    def of_generation(self, generation: int) -> UpgradeBuilder:
        """Somebody has edited the spec so often."""
        return replace(self, metadata={**self.metadata, "generation": generation})

    def named(self, name: str, *, uid: str | None = None, born: datetime | None = None) -> UpgradeBuilder:
        """It is another upgrade of the same instance."""
        created = born or ago(hours=1)
        own = {"name": name, "uid": uid or f"{name}-uid", "creation_timestamp": created}
        return replace(self, metadata={**self.metadata, **own})

    # What the operator wrote -------------------------------------------------------------------------

    def with_status(self, **fields: Any) -> UpgradeBuilder:
        """The status says this."""
        return replace(self, status_fields={**self.status_fields, **fields})

    def seen(self, reason: Reason = Reason.PENDING, phase: UpgradePhase = UpgradePhase.PENDING) -> UpgradeBuilder:
        """A pass has written a status: it waits."""
        said: dict[str, Any] = {
            "status": ConditionStatus.TRUE,
            "reason": reason,
            "message": str(reason),
            "observed_generation": 1,
            "last_transition_time": ago(minutes=50),
        }
        conditions = [
            Condition(type=UpgradeCondition.READY, **said | {"status": ConditionStatus.FALSE}),
            Condition(type=UpgradeCondition.RECONCILING, **said),
        ]
        return self.with_status(observed_generation=1, phase=phase, conditions=conditions)

    def accepted(self, before: Machine | None = None, target: MachineShape | None = None) -> UpgradeBuilder:
        """It was validated: the instance, the machine and the target are noted."""
        wanted = target or MachineShape(product_id="5", product_name="Big", ram_mb=4096, cpu=2, disk_gb=100)
        return self.seen().with_status(
            accepted_at=ago(hours=100),
            instance=UpgradedInstance(uid=UID, machine_id="m-1"),
            before=shape_of(before or server()),
            target=wanted,
        )

    def ordering(self, phase: CallPhase = CallPhase.INITIATED, *, began: datetime = NOW, **more: Any) -> UpgradeBuilder:
        """The order is under way, or refused; nothing is known of it."""
        order = call(CallType.ORDER, phase, began=began, **more)
        deadline = began + timedelta(hours=72)
        phase_word = UpgradePhase.ORDERING
        return self.accepted().with_status(call=order, payment_deadline=deadline, phase=phase_word)

    def awaiting_payment(self, *, total: str | None = "4.00", since: datetime | None = None) -> UpgradeBuilder:
        """The order is recorded, with invoice 416."""
        began = since or ago(minutes=40)
        known = OrderStatus(id="98", order_id="550", invoice_id="416", total=total, due_date="2027-02-01")
        ordered = self.ordering(CallPhase.ACCEPTED, began=began)
        return ordered.with_status(order=known, ordered_at=began, phase=UpgradePhase.AWAITING_PAYMENT)

    def paid(self) -> UpgradeBuilder:
        """Payment is known, and nothing was applied."""
        ordered = self.awaiting_payment(since=ago(hours=99))
        return ordered.with_status(paid_at=ago(hours=3), phase=UpgradePhase.APPLYING)

    def applying(self, phase: CallPhase = CallPhase.INITIATED, *, began: datetime = NOW, **more: Any) -> UpgradeBuilder:
        """The call that resizes is under way, or refused."""
        return self.paid().with_status(call=call(CallType.APPLY, phase, began=began, **more))

    def resizing(self, *, began: datetime | None = None, seen_at: datetime | None = None) -> UpgradeBuilder:
        """The machine was seen being resized."""
        sent = began or ago(minutes=5)
        resizing = self.applying(CallPhase.ACCEPTED, began=sent, accepted_at=seen_at or sent, seen_changing=True)
        return resizing.with_status(applied_at=sent, phase=UpgradePhase.RESIZING)

    def resized(self, *, at: datetime | None = None) -> UpgradeBuilder:
        """The machine was seen with its new sizes, unconfirmed."""
        return self.resizing().with_status(resized_at=at or ago(minutes=2), phase=UpgradePhase.AWAITING_CONFIRMATION)

    def confirming(self, phase: CallPhase = CallPhase.INITIATED, *, began: datetime = NOW, **m: Any) -> UpgradeBuilder:
        """The confirm call is under way, or refused."""
        sent = self.resized().with_status(call=call(CallType.CONFIRM, phase, began=began, **m))
        return sent.with_status(phase=UpgradePhase.CONFIRMING)

    def reverting(self, phase: CallPhase = CallPhase.INITIATED, *, began: datetime = NOW, **m: Any) -> UpgradeBuilder:
        """The revert call is under way, or refused."""
        sent = self.resized().with_status(call=call(CallType.REVERT, phase, began=began, **m))
        return sent.with_status(phase=UpgradePhase.REVERTING)

    def kept(self, *, at: datetime | None = None) -> UpgradeBuilder:
        """The new sizes were confirmed, and seen."""
        before = {"applied_at": ago(hours=2, minutes=50), "resized_at": ago(hours=2, minutes=40)}
        return self.confirming(CallPhase.ACCEPTED).with_status(**before, confirmed_at=at or ago(seconds=10))

    def changing(
        self,
        target: MachineShape,
        before: Machine,
        phase: CallPhase = CallPhase.INITIATED,
        *,
        began: datetime = NOW,
        **more: Any,
    ) -> UpgradeBuilder:
        """A direct change is under way, or refused."""
        return self.accepted(before, target).with_status(call=call(CallType.APPLY, phase, began=began, **more))


def call(
    kind: CallType,
    phase: CallPhase = CallPhase.INITIATED,
    *,
    began: datetime = NOW,
    attempt: int = 1,
    reason: Reason | None = None,
    retryable: bool = True,
    retry_in: float = 0,
    **fields: Any,
) -> UpgradeCall:
    """Return a call of the saga; with a reason: the last thing that went wrong, retried in so many seconds."""
    known: dict[str, Any] = {}
    if phase is CallPhase.ACCEPTED:
        known["accepted_at"] = began
    if reason is not None:
        category = ErrorCategory.RETRYABLE if retryable else ErrorCategory.NEEDS_PERSON
        known["error"] = OperationError(code=reason, category=category, retryable=retryable, message=f"no: {reason}")
    if phase is CallPhase.REFUSED:
        attempt -= 1
        known |= {"failures": 1, "retry_at": NOW + timedelta(seconds=retry_in)}
    own_id = f"{kind.lower()}-{int(began.timestamp())}-{attempt}"
    settings: dict[str, Any] = {"id": own_id, "type": kind, "phase": phase, "attempt": attempt, "started_at": began}
    return UpgradeCall(**settings | known | fields)


def upgrade(**spec: Any) -> UpgradeBuilder:
    """Return an upgrade to plan 5 that was just applied, with the finalizer on it."""
    return UpgradeBuilder().with_spec(**spec)


def look(
    of: UpgradeBuilder | InstanceUpgrade,
    *machines: Machine,
    instance: InstanceBuilder | GPUInstance | None = renting(),  # noqa: B008 - frozen, and the same for everybody
    at: datetime = NOW,
    listed_at: datetime | None = None,
    limits: Mapping[str, Any] | None = None,
    fresh: Machine | bool | None = None,
    order: UpgradeOrder | bool | None = None,
    asked_at: datetime | None = None,
    **facts: Any,
) -> UpgradeSnapshot:
    """Return the upgrade, its instance, what the listing shows, and the moment.

    `fresh` and `order` are the answers of the provider in this pass, to questions that were asked at
    `asked_at`: False for "there is none", None for "not asked yet"; `fresh=True` is what the listing shows.
    """
    if fresh is True:
        fresh = next(iter(machines), False)
    asked = asked_at or at
    here = instance.build() if isinstance(instance, InstanceBuilder) else instance
    return UpgradeSnapshot(
        now=at,
        upgrade=of.build() if isinstance(of, UpgradeBuilder) else of,
        instance=here,
        limits=replace(ORDERED_LIMITS, **limits or {}),
        view=Seen(machines, (), listed_at or at) if here is not None else unasked(),
        fresh=None if fresh is None else MachineSeen(fresh if isinstance(fresh, Machine) else None, asked),
        order=None if order is None else OrderSeen(order if isinstance(order, UpgradeOrder) else None, asked),
        **facts,
    )


def blind_look(
    of: UpgradeBuilder | InstanceUpgrade,
    *,
    reason: Reason = Reason.PROVIDER_UNAVAILABLE,
    needs_person: bool = False,
    **more: Any,
) -> UpgradeSnapshot:
    """Return the upgrade at a moment when the provider cannot be observed."""
    view = Blind(reason, f"because of {reason}", needs_person, ago(seconds=30))
    return replace(look(of, **more), view=view)


def unasked() -> Blind:
    """Return the view where there is no instance, and so nobody to ask."""
    return Blind(Reason.PENDING, "no provider was asked", False, NOW)


# ------------------------------------------------------------------------------------------- direct changes


def rented() -> Machine:
    """Return a machine of Novita that runs an image with one port."""
    return machine(image=IMAGE, billing_mode=BillingMode.ON_DEMAND)


def pod() -> InstanceBuilder:
    """Return its instance."""
    return instance().with_ports(80).running()


def direct(**target: Any) -> UpgradeBuilder:
    """Return an upgrade at Novita with this target."""
    return UpgradeBuilder().with_spec(target=target)


def direct_look(of: UpgradeBuilder, *machines: Machine, **facts: Any) -> UpgradeSnapshot:
    """Return the snapshot of a direct change."""
    settings: dict[str, Any] = {"instance": pod(), "limits": vars_of(DIRECT_LIMITS), "software": Software("other:2")}
    return look(of, *machines, **settings | facts)


def vars_of(limits: UpgradeLimits) -> dict[str, Any]:
    """Return limits as the fields that they are made of."""
    return {name: getattr(limits, name) for name in UpgradeLimits.__dataclass_fields__}
