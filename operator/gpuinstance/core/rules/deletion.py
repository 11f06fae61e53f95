"""Rules for an object that is being deleted: nothing is forgotten while it may still be billed."""

from __future__ import annotations

from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import InstanceStatus, Operation
from gpuinstance.api.words import ConditionStatus, DeletionPolicy, OperationPhase, OperationType, Phase
from gpuinstance.core import operations
from gpuinstance.core.conditions import Verdict, Work, write
from gpuinstance.core.decision import Action, Decision, Delete, Need, Stop
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.rules.answers import need, wait
from gpuinstance.core.snapshot import Snapshot

_MAY_STILL_LAND = (OperationPhase.INITIATED, OperationPhase.MONITORING)

_WAYS_OUT = {
    Reason.DELETION_REFUSED: "; set deletionPolicy to Stop or Orphan to let the object go without it",
    Reason.INSTANCE_SUSPENDED: (
        "; release it in the provider's console, or set deletionPolicy to Orphan to let the object go without it"
    ),
}
"""What a person can do about a machine that the provider does not delete."""


def release_unseen(s: Snapshot) -> Decision | None:
    """An object whose own record shows that nothing was ever bought for it goes at once.

    The record must be the operator's (a generation was observed): a status that somebody wiped
    looks like a new object, and its machine has to be looked for first. What the provider shows counts
    more than any record: the operator may have written one after the old one was wiped.
    """
    status = s.status
    never_bought = status.observed_generation >= 0 and status.attempts == 0 and status.instance is None and not s.alive
    return Decision(status=status, release=True) if s.deleting and never_bought else None


def release_orphan(s: Snapshot) -> Decision | None:
    """`deletionPolicy: Orphan` needs no look at the provider: the machine is left as it is."""
    if not s.deleting or s.spec.deletion_policy is not DeletionPolicy.ORPHAN:
        return None
    return release(s, "the machine is left at the provider, as deletionPolicy Orphan asks")


def release_when_deleted(s: Snapshot) -> Decision | None:
    """The finalizer goes only when the provider itself shows that the machine is gone."""
    if not s.deleting:
        return None
    if s.alive:
        return _stop_first(s) if s.spec.deletion_policy is DeletionPolicy.STOP else _remove(s, s.alive[0])
    if (undecided := _create_may_still_land(s)) is not None:
        return undecided
    if s.machine_id is not None and s.machine_id not in s.confirmed_gone:
        return need(s, Need.CONFIRMATION)
    return release(s, "the machine is gone")


def _create_may_still_land(s: Snapshot) -> Decision | None:
    # The create may already have been superseded by the deletion of an older machine. An accepted one
    # counts as well: a provider that has just sold a machine may not know it everywhere yet.
    candidates = (s.operation, s.status.last_operation)
    creates = [o for o in candidates if o and o.type is OperationType.CREATE and o.phase in _MAY_STILL_LAND]
    if all(_would_be_seen(s, create) for create in creates):
        return None
    message = "the machine of the last create call is not listed: waiting until it would be, if it exists"
    return wait(s, Phase.TERMINATING, Reason.CONFIRMING_CREATE, message)


def _would_be_seen(s: Snapshot, create: Operation) -> bool:
    """True if the machine of a create would be listed by now. One that is paid for gets all the time that it has."""
    paid_for = create.phase is not OperationPhase.INITIATED and s.machine_id is None
    if paid_for and s.now < create.deadline:
        return False
    return s.settled_since(create.phases.monitoring_at or create.started_at)


def _remove(s: Snapshot, machine: Machine) -> Decision:
    operation = s.operation if s.operation and s.operation.type is OperationType.DELETE else None
    removing = machine.state is MachineState.REMOVING
    if operation is not None and operation.phase is OperationPhase.FAILED and not removing:
        if operation.retry_at is not None and operation.retry_at > s.now and operation.error is not None:
            return _refused(s, machine, Reason(operation.error.code), operation.error.message)
        operation = None
    if operation is not None and (removing or not s.settled_since(operation.started_at)):
        return _watch_removal(s, machine)
    if removing:
        return _watch_removal(s, machine)
    message = f"deleting machine {machine.id}"
    return _act(s, OperationType.DELETE, Delete(machine.id), message)


def _watch_removal(s: Snapshot, machine: Machine) -> Decision:
    operation = s.operation
    if operation is not None and operation.type is OperationType.DELETE and s.now >= operation.deadline:
        late = f"machine {machine.id} is still {machine.word} after the time allowed"
        message = f"{late}: deletion goes on; it may still be billed"
        return wait(s, Phase.TERMINATING, Reason.DELETE_TIMED_OUT, message)
    message = f"waiting until the provider shows machine {machine.id} gone"
    return wait(s, Phase.TERMINATING, Reason.TERMINATING, message, **_noted(s))


def _noted(s: Snapshot) -> dict[str, Any]:
    """Record a machine of which there is no record, as after somebody has emptied the status.

    Otherwise the next pass would take what this one writes as proof that nothing was ever bought; or it would
    wait for a machine that has come, and gone.
    """
    recorded = s.status.instance
    if recorded is None:
        return {"instance": InstanceStatus(id=s.alive[0].id, name=s.alive[0].name)}
    bought = next((m for m in s.alive if recorded.id is None and m.name == recorded.name), None)
    return {"instance": recorded.model_copy(update={"id": bought.id})} if bought is not None else {}


def _refused(s: Snapshot, machine: Machine, reason: Reason, words: str) -> Decision:
    message = f"machine {machine.id} cannot be deleted yet: {words}"
    message += _WAYS_OUT.get(reason, "")
    return wait(s, Phase.TERMINATING, reason, message)


def _stop_first(s: Snapshot) -> Decision:
    running = [m for m in s.alive if m.state is MachineState.RUNNING]
    if not running:
        frozen = next((m for m in s.alive if m.state is MachineState.SUSPENDED), None)
        if frozen is not None:
            message = (
                f"machine {frozen.id} is frozen or locked at the provider ({frozen.word}) and cannot be stopped: "
                "set deletionPolicy to Delete or Orphan to let the object go"
            )
            return wait(s, Phase.TERMINATING, Reason.INSTANCE_SUSPENDED, message, **_noted(s))
        if any(m.state.is_changing for m in s.alive):
            message = "waiting until the machine is down, as deletionPolicy Stop asks"
            return wait(s, Phase.TERMINATING, Reason.STOPPING, message, **_noted(s))
        starting = s.in_flight(OperationType.START)
        if starting is not None and s.machine is not None and not operations.is_shown(starting, s.machine, s):
            message = f"machine {s.machine.id} was just started: waiting until it can be stopped"
            return wait(s, Phase.TERMINATING, Reason.STOPPING, message)
        return release(s, "the machine is down and kept, as deletionPolicy Stop asks")
    operation = s.in_flight(OperationType.STOP)
    if operation is not None and not s.settled_since(operation.started_at):
        return wait(
            s, Phase.TERMINATING, Reason.STOPPING, f"stopping machine {running[0].id}, as deletionPolicy Stop asks"
        )
    return _act(
        s, OperationType.STOP, Stop(running[0].id), f"stopping machine {running[0].id}, as deletionPolicy Stop asks"
    )


def _act(s: Snapshot, kind: OperationType, action: Action, message: str) -> Decision:
    reason = Reason.STOPPING if kind is OperationType.STOP else Reason.TERMINATING
    # An operation of another kind ends here: deletion supersedes it.
    last = s.operation if s.operation is not None and s.operation.type is not kind else s.status.last_operation
    operation = operations.begin(s, kind)
    return wait(
        s,
        Phase.TERMINATING,
        reason,
        message,
        action=action,
        operation=operation,
        last_operation=last,
        estimated_ready_at=None,
        **_noted(s),
    )


def release(s: Snapshot, message: str) -> Decision:
    """Let the object go."""
    verdict = Verdict(Phase.TERMINATED, ConditionStatus.FALSE, Reason.TERMINATING, message, Work.GOING_ON)
    return Decision(status=write(s, verdict, **operations.end(s)), release=True)
