"""The one operation in flight: how it begins, moves on, fails and ends.

An operation is the saved intent. While it is `initiated`, the call may or may not have reached the
provider; it becomes `monitoring` when the provider has answered or the machine shows the effect.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.spec import GPUInstanceSpec
from gpuinstance.api.status import Operation, OperationError, OperationTimes
from gpuinstance.api.words import ErrorCategory, OperationPhase, OperationType
from gpuinstance.core.model import Machine
from gpuinstance.core.snapshot import Snapshot

USUAL_DURATION = {
    OperationType.CREATE: timedelta(minutes=4),
    OperationType.RECREATE: timedelta(minutes=5),
    OperationType.START: timedelta(minutes=3),
    OperationType.RESTART: timedelta(minutes=3),
    OperationType.CHANGE: timedelta(minutes=3),
    OperationType.REBUILD: timedelta(minutes=10),
    OperationType.REINSTALL: timedelta(minutes=10),
    OperationType.REGENERATE_NETWORKING: timedelta(minutes=5),
}
"""What such an operation usually takes until Ready, pulling an image or installing a template included."""

_FIRST_RETRY = timedelta(seconds=15)
_SLOWEST_RETRY = timedelta(minutes=10)


def begin(
    snapshot: Snapshot, kind: OperationType, *, attempt: int = 1, token: str | None = None, target: str | None = None
) -> Operation:
    """Return a new intent. Refusals of the same kind of operation before it are counted on."""
    before = snapshot.operation
    same = before is not None and before.type is kind and before.generation == snapshot.generation
    again = same and before is not None and _is_sent_again(before, token)
    sent_before = before.attempt if same and before is not None and kind not in _NUMBERED_BY_NAME else 0
    number = attempt if kind in _NUMBERED_BY_NAME else sent_before + 1
    return Operation(
        id=f"{kind.lower()}-{int(snapshot.now.timestamp())}-{number}",
        type=kind,
        attempt=number,
        phase=OperationPhase.INITIATED,
        generation=snapshot.generation,
        token=token,
        target=target,
        started_at=snapshot.now,
        # A call that is sent again because it had no effect gets no time of its own.
        deadline=before.deadline if again and before is not None else snapshot.now + _time_allowed(snapshot.spec, kind),
        machine_started_at=snapshot.machine.started_at if snapshot.machine else None,
        machine_changed_at=snapshot.machine.changed_at if snapshot.machine and kind in _ENDS_AS_IT_BEGAN else None,
        phases=OperationTimes(initiated_at=snapshot.now),
        failures=before.failures if same and before is not None else 0,
    )


_NUMBERED_BY_NAME = (OperationType.CREATE, OperationType.RECREATE)


def _is_sent_again(before: Operation, token: str | None) -> bool:
    """True if a call is repeated because it had no effect: a further token asks for something new."""
    return (
        before.type is not OperationType.CREATE and before.phase is not OperationPhase.FAILED and before.token == token
    )


def _time_allowed(spec: GPUInstanceSpec, kind: OperationType) -> timedelta:
    limits = spec.timeouts
    if kind in _AS_LONG_AS_A_CREATE:
        return limits.create
    if kind is OperationType.RECREATE:
        return limits.delete + limits.create
    if kind is OperationType.STOP:
        return limits.stop
    if kind is OperationType.DELETE:
        return limits.delete
    return limits.start


_AS_LONG_AS_A_CREATE = (
    OperationType.CREATE,
    OperationType.REBUILD,
    OperationType.REINSTALL,
    OperationType.REGENERATE_NETWORKING,
)


def estimated_end(snapshot: Snapshot, operation: Operation) -> dict[str, Any]:
    """Return the `estimated_ready_at` of an operation that ends in Ready."""
    usual = USUAL_DURATION.get(operation.type)
    return {"estimated_ready_at": snapshot.now + usual} if usual else {"estimated_ready_at": None}


def reach(operation: Operation, phase: OperationPhase, snapshot: Snapshot) -> Operation:
    """Return the operation in that phase, with the moment noted; unchanged if it is there already."""
    if operation.phase is phase:
        return operation
    moment = {f"{_MOMENT[phase]}_at": snapshot.now}
    return operation.model_copy(update={"phase": phase, "phases": operation.phases.model_copy(update=moment)})


def arrive(operation: Operation, snapshot: Snapshot) -> Operation:
    """Return the operation as accepted, whatever became of its call's answer; as it is if that was known."""
    if operation.phase is not OperationPhase.INITIATED:
        return operation
    return reach(operation, OperationPhase.MONITORING, snapshot).model_copy(update={"error": None})


def see_changing(operation: Operation, snapshot: Snapshot) -> Operation:
    """Return the operation of a machine that moves as asked: it has arrived, and where that matters it is noted."""
    under_way = operation.phase in (OperationPhase.INITIATED, OperationPhase.MONITORING)
    noted = operation.type not in _ENDS_AS_IT_BEGAN or operation.phases.changing_at is not None
    return arrive(operation, snapshot) if noted or not under_way else _at(operation, snapshot, "changing_at")


def come_up(operation: Operation, snapshot: Snapshot) -> Operation:
    """Return the operation of a machine that is up again: from here on it only has to become healthy."""
    return _at(operation, snapshot, "running_at")


def _at(operation: Operation, snapshot: Snapshot, moment: str) -> Operation:
    arrived = arrive(operation, snapshot)
    return arrived.model_copy(update={"phases": arrived.phases.model_copy(update={moment: snapshot.now})})


_ENDS_AS_IT_BEGAN = (
    OperationType.RESTART,
    OperationType.REBUILD,
    OperationType.REINSTALL,
    OperationType.REGENERATE_NETWORKING,
)
"""The state after such an operation is the one before it: only what was seen between tells them apart."""

_MOMENT = {
    OperationPhase.INITIATED: "initiated",
    OperationPhase.MONITORING: "monitoring",
    OperationPhase.HEALTH_CHECKING: "health_checking",
    OperationPhase.COMPLETED: "completed",
    OperationPhase.FAILED: "failed",
}


def refuse(
    operation: Operation,
    snapshot: Snapshot,
    *,
    reason: Reason,
    message: str,
    needs_person: bool,
    retry_after: timedelta | None = None,
) -> Operation:
    """Return the operation as definitely refused: nothing happened, and when it is tried again."""
    failures = operation.failures + 1
    doubled = _FIRST_RETRY * 2 ** min(failures - 1, 10)
    pause = _SLOWEST_RETRY if needs_person else min(doubled, _SLOWEST_RETRY)
    error = OperationError(
        code=reason,
        category=ErrorCategory.NEEDS_PERSON if needs_person else ErrorCategory.RETRYABLE,
        retryable=not needs_person,
        message=message,
    )
    failed = reach(operation, OperationPhase.FAILED, snapshot)
    return failed.model_copy(
        update={"failures": failures, "retry_at": snapshot.now + max(pause, retry_after or timedelta()), "error": error}
    )


def revoke(operation: Operation, snapshot: Snapshot, *, message: str) -> Operation:
    """Return the operation as not begun, because the machine had moved on: the next look decides anew."""
    error = OperationError(
        code=Reason.REQUEST_REJECTED, category=ErrorCategory.RETRYABLE, retryable=True, message=message
    )
    failed = reach(operation, OperationPhase.FAILED, snapshot)
    return failed.model_copy(update={"retry_at": snapshot.now, "error": error})


def leave_unknown(operation: Operation, *, message: str) -> Operation:
    """Return the operation with the note that its call got no answer; it stays `initiated`."""
    error = OperationError(
        code=Reason.UNKNOWN_OUTCOME, category=ErrorCategory.UNKNOWN_OUTCOME, retryable=False, message=message
    )
    return operation.model_copy(update={"error": error})


def time_out(operation: Operation, snapshot: Snapshot, *, reason: Reason, message: str) -> Operation:
    """Return the operation as failed at its deadline; it may be tried again after a long pause."""
    error = OperationError(code=reason, category=ErrorCategory.NEEDS_PERSON, retryable=False, message=message)
    failed = reach(operation, OperationPhase.FAILED, snapshot)
    return failed.model_copy(update={"error": error, "retry_at": snapshot.now + _SLOWEST_RETRY})


RECOVERY = "recovery/"
"""Tokens of operations that `spec.recovery` asked for begin so."""


def is_recovery(operation: Operation) -> bool:
    """True if the operator itself asked for the operation, by `spec.recovery`."""
    return (operation.token or "").startswith(RECOVERY)


def has_restarted(operation: Operation, machine: Machine) -> bool:
    """True if the machine came up anew since the operation began.

    The provider's times are compared with each other only: its clock is not ours.
    """
    before, now = operation.machine_started_at, machine.started_at
    # A status keeps whole seconds.
    return now is not None and (before is None or now.replace(microsecond=0) > before)


def has_changed(operation: Operation, machine: Machine) -> bool:
    """True if the provider was seen at work on the machine since the operation began, or its trace is seen."""
    return operation.phases.changing_at is not None or has_restarted(operation, machine)


def was_touched(operation: Operation, machine: Machine) -> bool:
    """True if the provider has noted some change of the machine since the operation began."""
    before, now = operation.machine_changed_at, machine.changed_at
    return before is not None and now is not None and now.replace(microsecond=0) > before


def replacement(snapshot: Snapshot) -> Operation | None:
    """Return the replacement under way, old machine first; a token that is set meanwhile asks for nothing more."""
    operation = snapshot.in_flight(OperationType.RECREATE)
    if operation is None or is_recovery(operation):
        return operation
    token, handled = snapshot.spec.actions.recreate, snapshot.status.handled_actions.recreate
    return operation if token is not None and token != handled else None


def is_shown(operation: Operation, machine: Machine, snapshot: Snapshot) -> bool:
    """True if the picture is from after the call: the machine came up since, or the effect would show by now."""
    sent = operation.phases.monitoring_at or operation.started_at
    return has_restarted(operation, machine) or snapshot.settled_since(sent)


def end(snapshot: Snapshot) -> dict[str, Any]:
    """Return the status fields that end the operation in flight well; nothing if there is none."""
    operation = snapshot.operation
    if operation is None:
        return {}
    completed = reach(operation, OperationPhase.COMPLETED, snapshot).model_copy(
        update={"error": None, "retry_at": None}
    )
    return {"operation": None, "last_operation": completed}
