"""What there is to tell somebody outside: derived from the status before and after, before it is saved.

Several things may have happened at once; they are told in the order in which one follows from the other.
Progress within an operation, and what is merely tried again, is not told. Called by `kinds`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gpuinstance.api.notices import NoticeFacts, NoticeOperation
from gpuinstance.api.notifications import NotificationEvent
from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Condition, GPUInstanceStatus
from gpuinstance.api.words import ConditionStatus, ConditionType, OperationPhase, OperationType, Outcome, Phase
from gpuinstance.core.operations import USUAL_DURATION, is_recovery
from gpuinstance.core.overcharge import comes_to_light


@dataclass(frozen=True, slots=True)
class Announcement:
    """One thing that has happened, and what was true at that moment."""

    event: NotificationEvent
    facts: NoticeFacts


_SPOT = ConditionType.SPOT_INTERRUPTION
_BRINGS_A_MACHINE = (OperationType.CREATE, OperationType.RECREATE)
_STARTS = frozenset(USUAL_DURATION) - {OperationType.CHANGE}
"""Operations that end in a ready instance; a change of one that runs is no start."""
_TIMED_OUT = frozenset({Reason.CREATE_TIMED_OUT, Reason.START_TIMED_OUT})
_SETTLED_DOWN = {
    Outcome.STOPPED: NotificationEvent.INSTANCE_STOPPED,
    Outcome.EXITED: NotificationEvent.INSTANCE_EXITED,
}


def announcements(old: GPUInstanceStatus, new: GPUInstanceStatus) -> tuple[Announcement, ...]:
    """Return what is to be told of the step from one status of a GPUInstance to the next."""
    if new is old:
        return ()
    return tuple(Announcement(event, _facts(old, new, reason)) for event, reason in _happened(old, new))


def farewell(old: GPUInstanceStatus, new: GPUInstanceStatus) -> Announcement:
    """Return the last thing to be told of a GPUInstance: it goes."""
    return Announcement(NotificationEvent.INSTANCE_DELETED, _facts(old, new, _reason(new)))


def _happened(old: GPUInstanceStatus, new: GPUInstanceStatus) -> Iterator[tuple[NotificationEvent, str | None]]:
    reason = _reason(new)
    if (notice := _spot_notice(old, new)) is not None:
        yield NotificationEvent.INSTANCE_SPOT_NOTICE, notice
    yield from ((event, reason) for event in _loss_of_ready(old, new))
    if _recovery_begins(old, new):
        yield NotificationEvent.INSTANCE_RECOVERING, reason
    if _startup_begins(old, new):
        yield NotificationEvent.INSTANCE_STARTUP_INITIATED, reason
    if (arrival := _arrival(old, new)) is not None:
        yield arrival, reason
    if new.phase is Phase.HEALTH_CHECKING and old.phase is not Phase.HEALTH_CHECKING and not _was_ready(old):
        yield NotificationEvent.INSTANCE_HEALTH_CHECKING, reason
    if (end := _end(old, new)) is not None:
        yield end, reason
    if comes_to_light(old, new):
        yield NotificationEvent.INSTANCE_CHARGED_ABOVE_LIMIT, Reason.CHARGED_ABOVE_LIMIT


def _spot_notice(old: GPUInstanceStatus, new: GPUInstanceStatus) -> str | None:
    before, after = old.condition(_SPOT), new.condition(_SPOT)
    if after is None or (before is not None and before.reason == after.reason):
        return None
    return after.reason


def _loss_of_ready(old: GPUInstanceStatus, new: GPUInstanceStatus) -> Iterator[NotificationEvent]:
    """Being ready ended in a way that no other event tells."""
    ready = new.condition(ConditionType.READY)
    if not _was_ready(old) or ready is None or ready.status is ConditionStatus.TRUE:
        return
    if ready.reason == Reason.HEALTH_CHECK_FAILED and new.outcome is None:
        yield NotificationEvent.INSTANCE_UNHEALTHY
    elif ready.status is ConditionStatus.UNKNOWN:
        yield NotificationEvent.INSTANCE_UNOBSERVED


def _recovery_begins(old: GPUInstanceStatus, new: GPUInstanceStatus) -> bool:
    before, now = old.operation, new.operation
    return now is not None and is_recovery(now) and (before is None or before.token != now.token)


def _startup_begins(old: GPUInstanceStatus, new: GPUInstanceStatus) -> bool:
    """True for the first intent of a series; what was refused is tried again without another word."""
    before, now = old.operation, new.operation
    if now is None or now.type not in _STARTS or now.phase is not OperationPhase.INITIATED or now.failures:
        return False
    return before is None or before.id != now.id


def _arrival(old: GPUInstanceStatus, new: GPUInstanceStatus) -> NotificationEvent | None:
    before, now = _machine(old), _machine(new)
    if now is None or now == before:
        return None
    bought = any(o is not None and o.type in _BRINGS_A_MACHINE for o in (old.operation, new.operation))
    return NotificationEvent.INSTANCE_CREATED if bought else NotificationEvent.INSTANCE_ADOPTED


def _end(old: GPUInstanceStatus, new: GPUInstanceStatus) -> NotificationEvent | None:
    """How it has settled now, or failed to."""
    ready, before = new.condition(ConditionType.READY), old.condition(ConditionType.READY)
    if ready is None:
        return None
    if ready.status is ConditionStatus.TRUE:
        return None if _was_ready(old) else NotificationEvent.INSTANCE_READY
    if new.outcome in _SETTLED_DOWN:
        return _SETTLED_DOWN[new.outcome] if new.outcome is not old.outcome else None
    if _is_told(before, ready, old, new):
        return None
    if ready.reason == Reason.INSTANCE_LOST:
        return NotificationEvent.INSTANCE_LOST
    operation = new.operation
    starting = operation is not None and operation.type in _STARTS
    gave_up = ready.reason == Reason.HEALTH_CHECK_FAILED and new.outcome is Outcome.FAILED
    if ready.reason in _TIMED_OUT or (starting and gave_up):
        return NotificationEvent.INSTANCE_STARTUP_TIMEOUT
    if operation is not None and starting and operation.phase is OperationPhase.FAILED and operation.error is not None:
        return NotificationEvent.INSTANCE_STARTUP_FAILED if ready.reason == operation.error.code else None
    return NotificationEvent.INSTANCE_FAILED if new.outcome is Outcome.FAILED else None


def _is_told(before: Condition | None, ready: Condition, old: GPUInstanceStatus, new: GPUInstanceStatus) -> bool:
    """True if the same was said by the status before, or by the try before the one that failed again."""
    if before is not None and before.reason == ready.reason and old.outcome == new.outcome:
        return True
    failed = new.operation
    return failed is not None and failed.failures > 1 and failed.phase is OperationPhase.FAILED


def _was_ready(status: GPUInstanceStatus) -> bool:
    ready = status.condition(ConditionType.READY)
    return ready is not None and ready.status is ConditionStatus.TRUE


def _machine(status: GPUInstanceStatus) -> str | None:
    return status.instance.id if status.instance is not None else None


def _reason(status: GPUInstanceStatus) -> str | None:
    ready = status.condition(ConditionType.READY)
    return ready.reason if ready is not None else None


def _facts(old: GPUInstanceStatus, new: GPUInstanceStatus, reason: str | None) -> NoticeFacts:
    ended = new.last_operation if new.last_operation != old.last_operation else None
    operation = new.operation or ended
    return NoticeFacts(
        generation=new.observed_generation,
        phase=new.phase,
        previous_phase=old.phase if old.phase is not new.phase else None,
        reason=reason,
        operation=NoticeOperation(id=operation.id, type=operation.type, attempt=operation.attempt)
        if operation is not None
        else None,
        machine_id=_machine(new),
        hourly_price=new.instance.hourly_price if new.instance is not None else None,
    )
