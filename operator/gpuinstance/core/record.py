"""What an action's answer means for the status: the second, smaller half of every decision.

Called by `reconcile` right after the one call of a pass. The status that comes in is the saved
intent; the one that goes out is saved before anybody is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Operation
from gpuinstance.api.words import OperationPhase, OperationType, Phase
from gpuinstance.core import operations
from gpuinstance.core.decision import (
    Action,
    ChangeSoftware,
    Create,
    Decision,
    Delete,
    GrowDisk,
    Rebuild,
    RegenerateNetworking,
    Reinstall,
    SetPorts,
)
from gpuinstance.core.desired import applied_by_change
from gpuinstance.core.rules.answers import PLACING, stuck, wait
from gpuinstance.core.snapshot import Snapshot
from gpuinstance.core.tokens import carried_out


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has taken the call on. `machine_id` is set for a create, where the provider tells it."""

    machine_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider has said no, or was provably not reached: nothing happened."""

    reason: Reason
    message: str
    needs_person: bool
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Unclear:
    """No usable answer: it may or may not have happened."""

    message: str


@dataclass(frozen=True, slots=True)
class Outdated:
    """The provider says that the machine has moved on: look again before anything else."""

    message: str


Answer = Accepted | Refused | Unclear | Outdated


def record(snapshot: Snapshot, action: Action, answer: Answer) -> Decision:
    """Return the status after an answer. `snapshot` holds the saved intent as its status."""
    operation = snapshot.operation
    status = snapshot.status
    again = snapshot.limits.fast_poll
    if operation is None or _is_about_surplus(snapshot, action, operation):
        return Decision(status=status, requeue_after=again)  # The next look decides.
    if isinstance(answer, Unclear):
        noted = operations.leave_unknown(operation, message=answer.message)
        return Decision(status=status.model_copy(update={"operation": noted}), requeue_after=again)
    if isinstance(answer, Outdated):
        # A definite no, and no fault of anybody: the machine is in another state than the picture showed.
        revoked = operations.revoke(operation, snapshot, message=answer.message)
        return Decision(status=status.model_copy(update={"operation": revoked}), requeue_after=again)
    if isinstance(answer, Refused):
        return _refused(snapshot, answer)
    accepted = operations.reach(operation, OperationPhase.MONITORING, snapshot)
    changes: dict[str, Any] = {"operation": accepted}
    if isinstance(action, Create) and status.instance is not None:
        changes["instance"] = status.instance.model_copy(update={"id": answer.machine_id})
        changes["created_at"] = snapshot.now
        return wait(snapshot, Phase.CREATED, Reason.CREATING, PLACING, **changes)
    if isinstance(action, ChangeSoftware | SetPorts | GrowDisk):
        changes["applied"] = applied_by_change(status.applied, operation.token or "")
    if isinstance(action, Rebuild | Reinstall | RegenerateNetworking):
        changes |= carried_out(status, operation)
    return Decision(status=status.model_copy(update=changes), requeue_after=again)


def _is_about_surplus(snapshot: Snapshot, action: Action, operation: Operation) -> bool:
    """True for the removal of a second machine: its answer says nothing about the operation in flight."""
    if not isinstance(action, Delete) or operation.type is OperationType.DELETE:
        return False
    return action.machine_id != snapshot.machine_id


def _refused(snapshot: Snapshot, answer: Refused) -> Decision:
    operation = snapshot.operation
    assert operation is not None
    failed = operations.refuse(
        operation,
        snapshot,
        reason=answer.reason,
        message=answer.message,
        needs_person=answer.needs_person,
        retry_after=answer.retry_after,
    )
    pause = (failed.retry_at or snapshot.now) - snapshot.now
    deleting = operation.type is OperationType.DELETE or snapshot.deleting
    phase = Phase.TERMINATING if deleting else Phase.PENDING
    if answer.needs_person and not deleting:
        phase = Phase.FAILED
        return stuck(
            snapshot, phase, answer.reason, answer.message, operation=failed, after=min(pause, timedelta(minutes=1))
        )
    return wait(snapshot, phase, answer.reason, answer.message, operation=failed, after=pause)
