"""How operations end, and how calls without an answer are resolved: derived from two saved statuses.

Called by `kinds`, after a status was saved, to be counted. Nothing is decided by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gpuinstance.api.status import GPUInstanceStatus, Operation, OperationError
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus, UpgradeCall
from gpuinstance.api.upgrade_words import CallPhase, UpgradeOutcome
from gpuinstance.api.words import ErrorCategory, OperationPhase, OperationType


class Result(StrEnum):
    """How an operation ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    """Refused, or out of time; it may be tried again."""
    SUPERSEDED = "superseded"
    """Another operation was asked for before it had ended."""


class Resolution(StrEnum):
    """What became of a call without an answer."""

    FOUND = "found"
    """Its effect was seen."""
    REPEATED = "repeated"
    """Surely it had none, and the call was made again."""
    NOT_FOUND = "not_found"
    """Surely it had none, and it is not wanted any more."""
    SUPERSEDED = "superseded"
    """Another operation came first, so that it no longer matters."""
    GIVEN_UP = "given_up"
    """It was not found out in the time allowed: a person has to look."""


@dataclass(frozen=True, slots=True)
class Ending:
    """An operation that has ended."""

    operation: str
    result: Result
    seconds: float
    """From its intent to its end."""


def ending(old: GPUInstanceStatus, new: GPUInstanceStatus) -> Ending | None:
    """Return how the operation of the old status ended with the new one; None if it did not.

    A replacement has ended when the old machine is gone: the purchase of the next one is an operation of its own.
    """
    before = old.operation
    if before is None or before.phase is OperationPhase.FAILED:
        return None
    after, last = new.operation, new.last_operation
    if after is not None and after.id == before.id:
        return _ended(before, Result.FAILED, after) if after.phase is OperationPhase.FAILED else None
    if last is not None and last.id == before.id and last.phase in _RESULTS:
        return _ended(before, _RESULTS[last.phase], last)
    if _is_same_work(before, after):
        return None
    replaced = before.type is OperationType.RECREATE and after is not None and after.type is OperationType.CREATE
    return _ended(before, Result.COMPLETED if replaced else Result.SUPERSEDED, after)


_RESULTS = {OperationPhase.COMPLETED: Result.COMPLETED, OperationPhase.FAILED: Result.FAILED}


def _is_same_work(before: Operation, after: Operation | None) -> bool:
    """True if the call is made again because it had no effect: the same work, under a new number."""
    if after is None or after.type is not before.type:
        return False
    return before.type is OperationType.CREATE or after.deadline == before.deadline


def _ended(before: Operation, result: Result, after: Operation | None) -> Ending:
    """`after` is the operation as it has ended, or the one that took its place."""
    end = before.started_at
    if after is not None and after.id == before.id:
        end = after.phases.completed_at or after.phases.failed_at or end
    elif after is not None:
        end = after.started_at
    return Ending(before.type, result, max(0.0, (end - before.started_at).total_seconds()))


def became_unknown(old: GPUInstanceStatus, new: GPUInstanceStatus) -> str | None:
    """Return the type of the operation whose call has turned out to have no answer."""
    operation = new.operation
    if operation is None or not _is_unknown(operation.error) or _had_unknown(old, operation.id):
        return None
    return operation.type


def _had_unknown(old: GPUInstanceStatus, operation_id: str) -> bool:
    return old.operation is not None and old.operation.id == operation_id and _is_unknown(old.operation.error)


def resolution(old: GPUInstanceStatus, new: GPUInstanceStatus) -> tuple[str, Resolution] | None:
    """Return the operation whose call had no answer, and what became of it; None if that is not known yet."""
    before, after, last = old.operation, new.operation, new.last_operation
    if before is None or before.phase is not OperationPhase.INITIATED or not _is_unknown(before.error):
        return None
    if after is not None and after.id == before.id:
        if after.phase is OperationPhase.FAILED:
            return before.type, Resolution.GIVEN_UP
        known = after.phase is not OperationPhase.INITIATED or not _is_unknown(after.error)
        return (before.type, Resolution.FOUND) if known else None
    bought_nothing = before.type is OperationType.CREATE and (new.instance is None or new.instance.id is None)
    if after is not None and after.type is before.type:
        return before.type, Resolution.REPEATED
    if after is not None and after.type is not OperationType.DELETE:
        return before.type, Resolution.SUPERSEDED
    if after is not None:  # Only a machine that was found is removed.
        return before.type, Resolution.FOUND if before.type is OperationType.CREATE else Resolution.SUPERSEDED
    completed = last is not None and last.id == before.id and last.phase is OperationPhase.COMPLETED
    return before.type, Resolution.FOUND if completed and not bought_nothing else Resolution.NOT_FOUND


def upgrade_became_unknown(old: InstanceUpgradeStatus, new: InstanceUpgradeStatus) -> str | None:
    """Return the step of the upgrade whose call has turned out to have no answer."""
    call = new.call
    if call is None or not _is_unknown(call.error):
        return None
    known_before = old.call is not None and old.call.id == call.id and _is_unknown(old.call.error)
    return None if known_before else call.type


def upgrade_resolution(old: InstanceUpgradeStatus, new: InstanceUpgradeStatus) -> tuple[str, Resolution] | None:
    """Return the step whose call had no answer, and what became of it; None if that is not known yet."""
    before, after = old.call, new.call
    if before is None or before.phase is not CallPhase.INITIATED or not _is_unknown(before.error):
        return None
    if old.completed_at is not None:
        return None
    if after is not None and after.id != before.id:
        return before.type, Resolution.REPEATED if after.type is before.type else Resolution.SUPERSEDED
    if after is not None and _is_known(after):
        return before.type, Resolution.FOUND
    if new.completed_at is None:
        return None
    return before.type, Resolution.FOUND if new.outcome is UpgradeOutcome.SUCCEEDED else Resolution.GIVEN_UP


def _is_known(call: UpgradeCall) -> bool:
    return call.phase is CallPhase.ACCEPTED


def _is_unknown(error: OperationError | None) -> bool:
    return error is not None and error.category is ErrorCategory.UNKNOWN_OUTCOME
