"""From a verdict to a status that obeys the laws of conditions.

Every status that the operator writes is made by `write`. The laws, which kubectl wait, kstatus, Flux
and Argo CD rely on:

- `Ready` is always present; `Reconciling` and `Stalled` only while True, and never both;
- Ready=True excludes both of them;
- each write carries the generation that it was computed from, in the status and in each condition;
- `outcome` is present only when the object has settled.

Where the machine is not as it should be is told in the same way by every rule: `status.differences`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum, auto
from typing import Any

from gpuinstance.api.expiry import ExpiryStatus
from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Condition, GPUInstanceStatus, HealthStatus, InstanceStatus
from gpuinstance.api.words import ConditionStatus, ConditionType, Outcome, OverallHealth, Phase, PowerState
from gpuinstance.core.differences import describe, told
from gpuinstance.core.expiry import tell_expiry
from gpuinstance.core.model import Machine, MachineState, SpotState
from gpuinstance.core.pricing import charged_above_limit, hourly_figure
from gpuinstance.core.snapshot import Blind, Snapshot

_QUIET = timedelta(seconds=30)
"""A change of nothing but what the provider shows of the machine is told only if the operation has been
running for longer than this: most machines come up through three or four words within seconds."""


_FAR_BELOW = 10
"""No sale makes a machine that runs so many times cheaper."""


class Work(Enum):
    """What becomes of an object that is not as it should be."""

    NONE = auto()
    GOING_ON = auto()
    """The operator is at work, or waits and tries again by itself: Reconciling."""
    STUCK = auto()
    """Only a person or a change of the spec helps: Stalled. It is still retried, slowly."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule found out about the object."""

    phase: Phase
    ready: ConditionStatus
    reason: Reason
    message: str
    work: Work = Work.NONE
    outcome: Outcome | None = None
    synced: tuple[ConditionStatus, Reason, str] | None = None
    """None: True if the provider was seen and nothing is stuck."""

    def __post_init__(self) -> None:
        if self.ready is ConditionStatus.TRUE and self.work is not Work.NONE:
            msg = f"Ready excludes work: {self}"
            raise ValueError(msg)
        if self.outcome is not None and self.work is Work.GOING_ON:
            msg = f"an outcome is for settled objects: {self}"
            raise ValueError(msg)


def write(snapshot: Snapshot, verdict: Verdict, **changes: Any) -> GPUInstanceStatus:
    """Return the status that says the verdict, with further `changes` of top-level fields.

    Where the result would tell nothing new, the old status itself comes back.
    """
    old = snapshot.status
    changed: dict[str, Any] = {
        "observed_generation": snapshot.generation,
        "phase": verdict.phase,
        "outcome": verdict.outcome,
        "instance": _shown_instance(snapshot, changes.get("instance", old.instance)),
        "differences": told(snapshot),
        "expiry": _expiry(snapshot, changes),
        **{name: value for name, value in changes.items() if name != "instance"},
    }
    new = old.model_copy(update=changed)
    new = new.model_copy(update={"conditions": _conditions(snapshot, verdict, new), **_moments(snapshot, verdict, new)})
    return old if _says_nothing_new(snapshot, old, new) else new


def _expiry(snapshot: Snapshot, changes: dict[str, Any]) -> ExpiryStatus | None:
    """Say when the machine will have served, and warn of it while it is up, as far as anybody knows."""
    machine, wanted = snapshot.machine, snapshot.spec.power_state is PowerState.RUNNING
    down = machine is not None and machine.state is MachineState.STOPPED
    return tell_expiry(
        snapshot.instance,
        snapshot.now,
        created_at=changes.get("created_at", snapshot.status.created_at),
        machine=snapshot.machine_id or "",
        ends=wanted and not down,
        touched=not snapshot.deleting and not snapshot.spec.suspend,
        held_by=snapshot.held_by,
    )


def _shown_instance(snapshot: Snapshot, instance: InstanceStatus | None) -> InstanceStatus | None:
    """Carry what the provider shows now into what is recorded about the machine."""
    machine = snapshot.machine
    if machine is None or instance is None or instance.id != machine.id:
        return instance
    return instance.model_copy(
        update={
            "state": machine.word,
            "region": instance.region or machine.region or None,
            "product_id": instance.product_id or machine.product_id or None,
            "product_name": instance.product_name or machine.product_name or None,
            "billing_mode": instance.billing_mode or machine.billing_mode,
            "hourly_price": _charged(machine, instance.hourly_price),
        }
    )


def _charged(machine: Machine, recorded: str | None) -> str | None:
    """What is charged counts, whatever the price list said before the purchase.

    Not what a machine shows that is not up: that is of its last time, and its next one has been asked for. Nor is a
    figure believed that is far below what was recorded: no document says its unit, and too low a price overspends.
    """
    price = machine.hourly_price
    if not price or machine.state is not MachineState.RUNNING:
        return recorded
    if recorded is not None and price * _FAR_BELOW < Decimal(recorded):
        return recorded
    return hourly_figure(price)


def _conditions(snapshot: Snapshot, verdict: Verdict, new: GPUInstanceStatus) -> list[Condition]:
    true = ConditionStatus.TRUE
    wanted = [(ConditionType.READY, verdict.ready, verdict.reason, verdict.message)]
    if verdict.work is Work.GOING_ON:
        wanted.append((ConditionType.RECONCILING, true, verdict.reason, verdict.message))
    if verdict.work is Work.STUCK:
        wanted.append((ConditionType.STALLED, true, verdict.reason, verdict.message))
    wanted.append((ConditionType.SYNCED, *_synced(snapshot, verdict, new)))
    wanted.append((ConditionType.HEALTHY, *_health(snapshot, verdict, new.health_check)))
    if (interruption := _spot_interruption(snapshot)) is not None:
        wanted.append((ConditionType.SPOT_INTERRUPTION, true, *interruption))
    if snapshot.spec.suspend:
        message = "spec.suspend is true: the operator looks but does not touch"
        wanted.append((ConditionType.PAUSED, true, Reason.SUSPENDED, message))
    return [_condition(snapshot, *condition) for condition in wanted]


def _spot_interruption(snapshot: Snapshot) -> tuple[Reason, str] | None:
    """Return what the provider does, or is about to do, to a spot machine; while blind, what it last said."""
    machine, before = snapshot.machine, snapshot.status.condition(ConditionType.SPOT_INTERRUPTION)
    if isinstance(snapshot.view, Blind):
        return (Reason(before.reason), before.message) if before is not None else None
    if machine is None:
        return None
    if machine.reclaimed_at is not None and machine.state is MachineState.STOPPED:
        return Reason.SPOT_RECLAIMED, f"the provider has taken machine {machine.id} back"
    if machine.spot is SpotState.RECLAIMING:
        return Reason.SPOT_RECLAIMING, f"the provider is taking machine {machine.id} back"
    if machine.spot is SpotState.NOTIFIED:
        return Reason.SPOT_RECLAIM_NOTIFIED, f"the provider will take machine {machine.id} back: save what matters"
    return None


_ABOUT_THE_APPLICATION = (Reason.HEALTH_CHECKING, Reason.HEALTH_CHECK_FAILED)
"""An application that does not answer runs on a machine that is as the spec says."""


def _synced(snapshot: Snapshot, verdict: Verdict, new: GPUInstanceStatus) -> tuple[ConditionStatus, Reason, str]:
    if isinstance(snapshot.view, Blind):
        return verdict.synced or (ConditionStatus.FALSE, snapshot.view.reason, snapshot.view.message)
    if verdict.work is not Work.NONE and verdict.reason not in _ABOUT_THE_APPLICATION:
        return verdict.synced or (ConditionStatus.FALSE, verdict.reason, verdict.message)
    if new.differences:
        return ConditionStatus.FALSE, Reason.DRIFT_DETECTED, describe(new.differences)
    if (words := charged_above_limit(snapshot, new)) is not None:
        return ConditionStatus.FALSE, Reason.CHARGED_ABOVE_LIMIT, words
    return verdict.synced or (ConditionStatus.TRUE, Reason.SYNCED, "the provider was observed and the spec is applied")


def _health(snapshot: Snapshot, verdict: Verdict, health: HealthStatus | None) -> tuple[ConditionStatus, Reason, str]:
    if verdict.ready is ConditionStatus.TRUE:
        words = "every required endpoint answers" if health is not None else "nothing to check"
        return ConditionStatus.TRUE, Reason.HEALTHY, words
    machine = snapshot.machine
    is_up = machine is not None and machine.state is MachineState.RUNNING and not snapshot.deleting
    if health is None or not is_up:
        return ConditionStatus.UNKNOWN, Reason.NOT_CHECKED, "health is checked while the machine runs"
    if health.overall is OverallHealth.HEALTHY:
        return ConditionStatus.TRUE, Reason.HEALTHY, "every required endpoint answers"
    return ConditionStatus.FALSE, Reason.HEALTH_CHECK_FAILED, describe_health(health)


def describe_health(health: HealthStatus) -> str:
    """Return what is wrong, endpoint by endpoint, in words that change only with the facts."""
    troubles = [f"port {e.port}: {e.message or e.error_type or 'unhealthy'}" for e in health.endpoints if not e.healthy]
    return "; ".join(troubles) or "every required endpoint answers"


def _condition(
    snapshot: Snapshot, kind: ConditionType, status: ConditionStatus, reason: Reason, message: str
) -> Condition:
    before = snapshot.status.condition(kind)
    same = before is not None and before.status is status
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        observed_generation=snapshot.generation,
        last_transition_time=before.last_transition_time if same and before is not None else snapshot.now,
    )


def _moments(snapshot: Snapshot, verdict: Verdict, new: GPUInstanceStatus) -> dict[str, Any]:
    """Return the timestamps of the states that are entered now."""
    old, now = snapshot.status, snapshot.now
    moments: dict[str, Any] = {}
    if verdict.ready is ConditionStatus.TRUE and not snapshot.was_ready:
        moments["ready_at"] = now
    if verdict.outcome is Outcome.FAILED and old.outcome is not Outcome.FAILED:
        moments["failed_at"] = now
    if verdict.outcome in (Outcome.STOPPED, Outcome.EXITED) and old.outcome is not verdict.outcome and new.instance:
        moments["stopped_at"] = now
    if verdict.phase is Phase.TERMINATED and old.terminated_at is None:
        moments["terminated_at"] = now
    if new.operation is None:
        moments["estimated_ready_at"] = None
    return moments


def _says_nothing_new(snapshot: Snapshot, old: GPUInstanceStatus, new: GPUInstanceStatus) -> bool:
    if new == old:
        return True
    operation = new.operation
    if (
        operation is None
        or snapshot.now - operation.started_at > _QUIET
        or new.instance is None
        or old.instance is None
    ):
        return False
    return new.instance.id == old.instance.id and new.model_copy(update={"instance": old.instance}) == old
