"""The shapes of answers that all rules about an upgrade give, and the status that says them.

Every status of an InstanceUpgrade is made here, so that the laws of conditions hold: Ready always,
Reconciling and Stalled only while True and never both, an outcome only at the end, milestones that never
go back, and the generation in each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Condition
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.api.upgrade_words import UpgradeCondition, UpgradeOutcome, UpgradePhase
from gpuinstance.api.words import ConditionStatus
from gpuinstance.core.conditions import Work
from gpuinstance.core.decision import Action
from gpuinstance.core.upgrade.decision import UpgradeDecision, UpgradeNeed
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from gpuinstance.core.upgrade.target import summary_of

TOO_LATE = "; spec.cancel came too late: it works until payment is known"


@dataclass(frozen=True, slots=True)
class UpgradeVerdict:
    """What a rule found out about the upgrade."""

    phase: UpgradePhase
    reason: Reason
    message: str
    work: Work
    outcome: UpgradeOutcome | None = None
    asks_person: bool = False
    """True where nothing moves before somebody does what the message says."""


def need(s: UpgradeSnapshot, fact: UpgradeNeed) -> UpgradeDecision:
    """Ask for a fact; the rules run again with it in the same pass."""
    return UpgradeDecision(status=s.status, need=fact)


def wait(
    s: UpgradeSnapshot,
    phase: UpgradePhase,
    reason: Reason,
    message: str,
    *,
    action: Action | None = None,
    after: timedelta | None = None,
    **changes: Any,
) -> UpgradeDecision:
    """The operator or the provider is at work. With an action: this is its saved intent."""
    verdict = UpgradeVerdict(phase, reason, message, Work.GOING_ON)
    pause = s.limits.fast_poll if after is None else after
    return UpgradeDecision(write(s, verdict, **changes), action=action, requeue_after=pause)


def hold(
    s: UpgradeSnapshot,
    phase: UpgradePhase,
    reason: Reason,
    message: str,
    *,
    after: timedelta | None = None,
    **changes: Any,
) -> UpgradeDecision:
    """Somebody has to do what the message says; nothing is wrong: Reconciling and ActionRequired."""
    verdict = UpgradeVerdict(phase, reason, message, Work.GOING_ON, asks_person=True)
    return UpgradeDecision(write(s, verdict, **changes), requeue_after=after or s.limits.slow_poll)


def stall(
    s: UpgradeSnapshot,
    phase: UpgradePhase,
    reason: Reason,
    message: str,
    *,
    after: timedelta | None = None,
    **changes: Any,
) -> UpgradeDecision:
    """Something is wrong that only a person can change: Stalled and ActionRequired; looked at again slowly."""
    verdict = UpgradeVerdict(phase, reason, message, Work.STUCK, asks_person=True)
    return UpgradeDecision(write(s, verdict, **changes), requeue_after=after or s.limits.slow_poll)


def fail(
    s: UpgradeSnapshot,
    reason: Reason,
    message: str,
    *,
    phase: UpgradePhase = UpgradePhase.FAILED,
    outcome: UpgradeOutcome = UpgradeOutcome.FAILED,
    **changes: Any,
) -> UpgradeDecision:
    """The end, and not the one that was asked for."""
    verdict = UpgradeVerdict(phase, reason, message, Work.STUCK, outcome)
    return UpgradeDecision(write(s, verdict, completed_at=s.now, **changes), requeue_after=timedelta())


def succeed(s: UpgradeSnapshot, reason: Reason, message: str, **changes: Any) -> UpgradeDecision:
    """The end that was asked for."""
    verdict = UpgradeVerdict(UpgradePhase.COMPLETED, reason, message, Work.NONE, UpgradeOutcome.SUCCEEDED)
    return UpgradeDecision(write(s, verdict, completed_at=s.now, **changes), requeue_after=timedelta())


def write(s: UpgradeSnapshot, verdict: UpgradeVerdict, **changes: Any) -> InstanceUpgradeStatus:
    """Return the status that says the verdict, with further `changes` of top-level fields."""
    new = s.status.model_copy(
        update={
            "observed_generation": s.generation,
            "phase": verdict.phase,
            "outcome": verdict.outcome,
            "target_summary": summary_of(s.spec.target, changes.get("target", s.status.target)),
            **changes,
        }
    )
    if s.spec.cancel and verdict.outcome is None and (new.paid_at is not None or new.holds_machine):
        verdict = UpgradeVerdict(
            verdict.phase, verdict.reason, verdict.message + TOO_LATE, verdict.work, None, verdict.asks_person
        )
    return new.model_copy(update={"conditions": _conditions(s, verdict, new)})


def _conditions(s: UpgradeSnapshot, verdict: UpgradeVerdict, new: InstanceUpgradeStatus) -> list[Condition]:
    true, false = ConditionStatus.TRUE, ConditionStatus.FALSE
    said = (verdict.reason, verdict.message)
    ready = true if verdict.outcome is UpgradeOutcome.SUCCEEDED else false
    wanted = [(UpgradeCondition.READY, ready, *said)]
    if verdict.work is Work.GOING_ON:
        wanted.append((UpgradeCondition.RECONCILING, true, *said))
    if verdict.work is Work.STUCK:
        wanted.append((UpgradeCondition.STALLED, true, *said))
    if verdict.asks_person:
        wanted.append((UpgradeCondition.ACTION_REQUIRED, true, *said))
    for kind, moment, words in _milestones(s, new):
        if moment is not None:
            wanted.append((kind, true, Reason.COMPLETED, words))
        elif new.accepted_at is not None:
            awaited = kind is UpgradeCondition.PAID and new.ordered_at is not None
            wanted.append((kind, false, *(said if awaited else (Reason.PENDING, "not yet"))))
    return [_condition(s, *condition) for condition in wanted]


def _milestones(s: UpgradeSnapshot, new: InstanceUpgradeStatus) -> list[tuple[UpgradeCondition, Any, str]]:
    accepted = (UpgradeCondition.ACCEPTED, new.accepted_at, "the instance and the target were validated")
    applied = (UpgradeCondition.APPLIED, new.applied_at, "the provider carries the change out")
    if not s.is_ordered:
        return [accepted, applied]
    invoice = f"invoice {new.order.invoice_id}" if new.order is not None else "the invoice"
    return [
        accepted,
        (UpgradeCondition.ORDERED, new.ordered_at, f"the provider shows the order and {invoice}"),
        (UpgradeCondition.PAID, new.paid_at, f"{invoice} is paid"),
        applied,
        (UpgradeCondition.CONFIRMED, new.confirmed_at, "the new sizes are kept"),
    ]


def _condition(
    s: UpgradeSnapshot, kind: UpgradeCondition, status: ConditionStatus, reason: Reason, message: str
) -> Condition:
    before = s.status.condition(kind)
    same = before is not None and before.status is status
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        observed_generation=s.generation,
        last_transition_time=before.last_transition_time if same and before is not None else s.now,
    )
