"""The laws of an upgrade's status, as one check for every status that any test produces.

Beside `tests.laws`, which is about instances. `check` looks at one status, `check_step` at two that follow each
other, `check_decision` at a decision and what it was made from. What breaks a law fails the test in words.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Condition
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.api.upgrade_words import CallPhase, CallType, UpgradeCondition, UpgradeOutcome, UpgradePhase
from gpuinstance.api.words import ConditionStatus
from gpuinstance.core.decision import ApplyUpgrade, ConfirmUpgrade, OrderUpgrade, RevertUpgrade
from gpuinstance.core.snapshot import Blind
from gpuinstance.core.upgrade.calls import MOST_SENDS
from gpuinstance.core.upgrade.decision import UpgradeDecision
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from tests.laws import LawBroken, about_notifications

_ENDS = {
    UpgradeOutcome.SUCCEEDED: {UpgradePhase.COMPLETED},
    UpgradeOutcome.FAILED: {UpgradePhase.FAILED, UpgradePhase.REVERTED},
    UpgradeOutcome.CANCELLED: {UpgradePhase.CANCELLED},
}
MILESTONES = (
    (UpgradeCondition.ACCEPTED, "accepted_at"),
    (UpgradeCondition.ORDERED, "ordered_at"),
    (UpgradeCondition.PAID, "paid_at"),
    (UpgradeCondition.APPLIED, "applied_at"),
    (UpgradeCondition.CONFIRMED, "confirmed_at"),
)
_KEPT = ("accepted_at", "ordered_at", "paid_at", "applied_at", "resized_at", "confirmed_at", "completed_at")
"""Moments of a saga: once known, for ever."""
_NOTED = ("instance", "before", "target", "order", "payment_deadline", "outcome")
"""What is taken down once and never changes."""
_WHILE_TRUE = (UpgradeCondition.RECONCILING, UpgradeCondition.STALLED, UpgradeCondition.ACTION_REQUIRED)
_CHANGES = {
    OrderUpgrade: CallType.ORDER,
    ApplyUpgrade: CallType.APPLY,
    ConfirmUpgrade: CallType.CONFIRM,
    RevertUpgrade: CallType.REVERT,
}


def check(status: InstanceUpgradeStatus, *, generation: int | None = None) -> InstanceUpgradeStatus:
    """Return the status if it obeys every law; raises LawBroken that names all that it breaks."""
    _fail_on(
        [
            *_about_presence(status),
            *_about_generations(status, generation),
            *_about_progress(status),
            *_about_the_end(status),
            *_about_milestones(status),
            *about_notifications(status.pending_notifications, status.notification_troubles),
        ],
        status,
    )
    return status


def check_step(before: InstanceUpgradeStatus, after: InstanceUpgradeStatus) -> None:
    """Raise LawBroken if the second status takes back what the first has said."""
    broken = [f"{name} was {_of(before, name)} and is {_of(after, name)}" for name in _taken_back(before, after)]
    if before.completed_at is not None and _story(before) != _story(after):
        broken.append("an end is for ever")
    waited = {entry.id for entry in before.pending_notifications}
    if before.completed_at is not None and not {entry.id for entry in after.pending_notifications} <= waited:
        broken.append("after the end there is nothing more to tell")
    if before.call is not None and before.call.id != (after.call.id if after.call else None):
        sent_again = after.call is not None and after.call.started_at >= before.call.started_at
        if not sent_again:
            broken.append(f"call {before.call.id} is forgotten")
    _fail_on(broken, after)


def check_decision(s: UpgradeSnapshot, decision: UpgradeDecision) -> UpgradeDecision:
    """Return the decision if it keeps every promise; raises LawBroken that names all that it breaks."""
    if decision.need is not None:
        return decision
    status, action = decision.status, decision.action
    broken: list[str] = []
    if status != s.status:
        check(status, generation=s.generation)
        check_step(s.status, status)
    if decision.release and (action is not None or not s.deleting):
        broken.append("only a deleted object is released, and nothing else is done")
    if decision.remove and (s.status.completed_at is None or s.spec.ttl_after_finished is None):
        broken.append("only what has ended, and says so in its spec, is removed")
    if isinstance(s.view, Blind):
        broken += _about_blindness(s, decision)
    if action is not None:
        broken += _about_actions(s, decision)
    _fail_on(broken, status)
    return decision


def _about_presence(status: InstanceUpgradeStatus) -> list[str]:
    broken = []
    kinds = Counter(condition.type for condition in status.conditions)
    if twice := [kind for kind, count in kinds.items() if count > 1]:
        broken.append(f"a type appears once: {twice}")
    if unknown := set(kinds) - set(UpgradeCondition):
        broken.append(f"only documented types appear: {unknown}")
    if unknown := {condition.reason for condition in status.conditions} - set(Reason):
        broken.append(f"reasons come from the closed list: {unknown}")
    if status.condition("Ready") is None:
        broken.append("Ready is always present")
    broken += [
        f"{kind} is present only while True"
        for kind in _WHILE_TRUE
        if (condition := status.condition(kind)) is not None and not _is_true(condition)
    ]
    broken += [f"{c.type} says why in words" for c in status.conditions if not c.message.strip()]
    if status.phase is None:
        broken.append("phase is always set")
    return broken


def _about_generations(status: InstanceUpgradeStatus, generation: int | None) -> list[str]:
    broken = []
    if status.observed_generation < 1:
        broken.append("a written status has observed a generation")
    if generation is not None and status.observed_generation != generation:
        broken.append(f"observedGeneration is {status.observed_generation}, computed from {generation}")
    return broken + [
        f"{condition.type} carries generation {condition.observed_generation}, the status {status.observed_generation}"
        for condition in status.conditions
        if condition.observed_generation != status.observed_generation
    ]


def _about_progress(status: InstanceUpgradeStatus) -> list[str]:
    at_work, stuck = status.condition("Reconciling"), status.condition("Stalled")
    broken = []
    if at_work is not None and stuck is not None:
        broken.append("Reconciling and Stalled exclude each other")
    if _is_true(status.condition("Ready")):
        troubles = [status.condition(kind) for kind in _WHILE_TRUE]
        broken += [f"Ready=True excludes {c.type}" for c in troubles if c is not None]
    if status.outcome is None and at_work is None and stuck is None:
        broken.append("what has not ended is being worked on, or stuck")
    if status.condition("ActionRequired") is not None and status.outcome is not None:
        broken.append("what has ended asks nobody for anything")
    return broken


def _about_the_end(status: InstanceUpgradeStatus) -> list[str]:
    broken = []
    if (status.outcome is None) is not (status.completed_at is None):
        broken.append(f"outcome {status.outcome} and completedAt {status.completed_at} come together")
    if (status.outcome is UpgradeOutcome.SUCCEEDED) is not _is_true(status.condition("Ready")):
        broken.append(f"outcome {status.outcome} and Ready must agree")
    if status.outcome is not None and status.condition("Reconciling") is not None:
        broken.append(f"outcome {status.outcome} is for what has ended")
    ends = set().union(*_ENDS.values())
    if status.outcome is None and status.phase in ends:
        broken.append(f"phase {status.phase} is an end")
    if status.outcome is not None and status.phase not in _ENDS[status.outcome]:
        broken.append(f"outcome {status.outcome} does not fit phase {status.phase}")
    return broken


def _about_milestones(status: InstanceUpgradeStatus) -> list[str]:
    broken = []
    for kind, name in MILESTONES:
        condition, moment = status.condition(kind), getattr(status, name)
        if moment is not None and not _is_true(condition):
            broken.append(f"{name} is known and condition {kind} is not True")
        if moment is None and _is_true(condition):
            broken.append(f"condition {kind} is True and {name} is not known")
    known = [getattr(status, name) for _, name in MILESTONES]
    moments: list[datetime] = [moment for moment in known if moment is not None]
    if moments != sorted(moments):
        broken.append(f"milestones come in their order: {moments}")
    if moments and status.accepted_at is None:
        broken.append("nothing is reached before the upgrade was accepted")
    if status.paid_at is not None and status.order is None:
        broken.append("only an invoice that is known can be paid")
    if status.call is not None and status.call.attempt > MOST_SENDS:
        broken.append(f"call {status.call.id} was sent {status.call.attempt} times")
    return broken


def _taken_back(before: InstanceUpgradeStatus, after: InstanceUpgradeStatus) -> list[str]:
    names = [name for name in (*_KEPT, *_NOTED) if getattr(before, name) is not None]
    return [name for name in names if getattr(after, name) != getattr(before, name)]


def _about_blindness(s: UpgradeSnapshot, decision: UpgradeDecision) -> list[str]:
    broken = []
    if decision.action is not None:
        broken.append("blind means idle")
    gone = decision.rule in {"keep_the_end", "fail_without_instance", "cancel_before_beginning"}
    if decision.status.completed_at is not None and not gone:
        broken.append(f"{decision.rule} ends the upgrade without a look at the provider")
    moved = {name for name in _KEPT if getattr(decision.status, name) != getattr(s.status, name)}
    if moved - {"completed_at"}:
        broken.append(f"blind, {moved} cannot be known")
    return broken


def _about_actions(s: UpgradeSnapshot, decision: UpgradeDecision) -> list[str]:
    status, action, broken = decision.status, decision.action, []
    sent = status.call
    if sent is None or sent.phase is not CallPhase.INITIATED or sent == s.status.call or sent.started_at != s.now:
        broken.append("an action has its intent in the status first")
    kind = _CHANGES.get(type(action), CallType.APPLY)
    if sent is not None and sent.type is not kind:
        broken.append(f"{action} has the intent of {sent.type}")
    if s.deleting and not s.status.holds_machine:
        broken.append("a deleted upgrade begins nothing")
    if isinstance(action, ApplyUpgrade) and s.status.paid_at is None:
        broken.append("nothing is applied before payment was known and saved")
    if isinstance(action, OrderUpgrade) and s.status.order is not None:
        broken.append("what is ordered is not ordered again")
    if s.instance is None or s.instance.spec.suspend:
        broken.append("a suspended instance means hands off")
    return broken


def _fail_on(broken: list[str], status: InstanceUpgradeStatus) -> None:
    if broken:
        raise LawBroken("\n  ".join(["the upgrade breaks its laws:", *broken, str(status)]))


def _of(status: InstanceUpgradeStatus, name: str) -> object:
    return getattr(status, name)


def _story(status: InstanceUpgradeStatus) -> InstanceUpgradeStatus:
    """Return the status without what may still change at its end: who has read the spec, and who was told."""
    conditions = [c.model_copy(update={"observed_generation": 0}) for c in status.conditions]
    others = {"observed_generation": 0, "pending_notifications": [], "notification_troubles": []}
    return status.model_copy(update={**others, "conditions": conditions})


def _is_true(condition: Condition | None) -> bool:
    return condition is not None and condition.status is ConditionStatus.TRUE
