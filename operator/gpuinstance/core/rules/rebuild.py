"""The rule about making a machine anew where it stands: rebuild it, reinstall it, set up its network.

Only for a provider that does so under the same id. It takes such a call on, carries it out later, and for
a while shows the machine as it was: what it shows is believed once it was seen at work, or when the call
is so long ago that it would have been. The rule stands before those about failed and stopped machines,
because that is what people rebuild, and after those about machines that must not be touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Operation
from gpuinstance.api.words import OperationPhase, OperationType, Phase, RecoveryPolicy
from gpuinstance.core import operations
from gpuinstance.core.decision import Action, Decision, Rebuild, RegenerateNetworking, Reinstall
from gpuinstance.core.desired import software_fingerprint
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.rules.answers import wait
from gpuinstance.core.rules.power import start_machine
from gpuinstance.core.snapshot import Snapshot
from gpuinstance.core.tokens import TOKENS, carried_out, new_token

_NEVER = frozenset(
    {
        MachineState.SUSPENDED,
        MachineState.RESIZING,
        MachineState.RESIZED,
        MachineState.REMOVING,
        MachineState.REMOVED,
    }
)
"""What the provider has blocked, what somebody resizes, and what goes, is not made anew."""

_AT_REST = frozenset({MachineState.RUNNING, MachineState.STOPPED})
_AT_WORK = frozenset({MachineState.CREATING, MachineState.STARTING, MachineState.STOPPING, MachineState.MIGRATING})
"""What a provider shows while it makes a machine anew."""


@dataclass(frozen=True, slots=True)
class _Work:
    reason: Reason
    doing: str
    done: str


_WORK = {
    OperationType.REBUILD: _Work(
        Reason.REBUILDING,
        "machine {} is being rebuilt as it was bought; what was on its disk is lost",
        "machine {} was rebuilt",
    ),
    OperationType.REINSTALL: _Work(
        Reason.REINSTALLING,
        "the template is being installed on machine {}; what was on its disk is lost",
        "the template was installed on machine {}",
    ),
    OperationType.REGENERATE_NETWORKING: _Work(
        Reason.REGENERATING_NETWORKING,
        "the network of machine {} is being set up anew",
        "the network of machine {} was set up anew",
    ),
}


def rebuild_on_token(s: Snapshot) -> Decision | None:
    """Where machines are made anew in place, a new token in `actions.recreate`, `reinstall` or
    `regenerateNetworking` does so once; what the provider shows right afterwards may be old.
    """
    operation = s.operation
    if operation is not None and _is_under_way(operation):
        return _watch(s, operation)
    if operation is not None and _was_withdrawn(s, operation):
        return _forget(s, operation)
    if s.machine is None or not s.limits.rebuilds_in_place or not s.wants_running or _is_moved_by_another(s, s.machine):
        return None
    for kind in TOKENS:
        token = new_token(s, kind)
        if token is not None and _may_begin(s, kind, s.machine):
            return rebuild_machine(s, s.machine, kind, token)
    return None


def stands(s: Snapshot) -> bool:
    """True if there is a machine that the provider can make anew in place, instead of another being bought."""
    return s.limits.rebuilds_in_place and s.machine is not None and s.machine.state is not MachineState.REMOVING


def can_be_rebuilt(machine: Machine) -> bool:
    """True if the machine is at rest, up or down, or has failed: a provider at work on it would refuse."""
    return machine.state not in _NEVER and (machine.state in _AT_REST or bool(machine.trouble))


def rebuild_machine(s: Snapshot, machine: Machine, kind: OperationType, token: str | None, **more: Any) -> Decision:
    """Save the intent to make the machine anew in place, and do so."""
    target = f"software:{software_fingerprint(s.spec)}" if kind is OperationType.REINSTALL else None
    operation = operations.begin(s, kind, token=token, target=target)
    return _say(
        s,
        kind,
        action=_action(s, kind, machine),
        operation=operation,
        last_operation=s.operation or s.status.last_operation,
        endpoints=None,
        health_check=None,
        **operations.estimated_end(s, operation),
        **more,
    )


def _action(s: Snapshot, kind: OperationType, machine: Machine) -> Action:
    if kind is OperationType.REBUILD:
        return Rebuild(machine.id)
    if kind is OperationType.REINSTALL:
        return Reinstall(machine.id, s.spec.template_id or "")
    return RegenerateNetworking(machine.id)


def _say(s: Snapshot, kind: OperationType, **changes: Any) -> Decision:
    work = _WORK[kind]
    return wait(s, Phase.STARTING, work.reason, work.doing.format(s.machine_id), **changes)


def _may_begin(s: Snapshot, kind: OperationType, machine: Machine) -> bool:
    if kind is OperationType.REGENERATE_NETWORKING:
        return machine.state is MachineState.RUNNING
    return can_be_rebuilt(machine) and (kind is not OperationType.REINSTALL or s.spec.template_id is not None)


def _is_moved_by_another(s: Snapshot, machine: Machine) -> bool:
    """True while a call about power, or a change, may still take hold: two at a time are one too many."""
    other = s.in_flight(OperationType.START, OperationType.STOP, OperationType.RESTART, OperationType.CHANGE)
    return other is not None and not operations.is_shown(other, machine, s)


def _is_under_way(operation: Operation) -> bool:
    sent = operation.phase in (OperationPhase.INITIATED, OperationPhase.MONITORING)
    return operation.type in _WORK and sent and operation.phases.running_at is None


def _watch(s: Snapshot, operation: Operation) -> Decision | None:
    """While the machine is made anew; None where the rules about failed and late machines have the word."""
    machine, late = s.machine, s.now >= operation.deadline
    if machine is None:
        return None if late else _say(s, operation.type)
    initiated = operation.phase is OperationPhase.INITIATED
    if machine.state not in _AT_REST and not machine.trouble:
        if machine.state in _AT_WORK and (initiated or not late):
            return _arrived(s, operations.see_changing(operation, s), operation)
        # In a state that says nothing, for too long: only a person can tell what became of the call.
        return _arrived(s, operations.arrive(operation, s), operation) if initiated and late else None
    is_settled = s.settled_since(operation.phases.monitoring_at or operation.started_at)
    if operations.has_changed(operation, machine) or (is_settled and not initiated):
        return _finish(s, operation, machine)
    if not is_settled:
        return _say(s, operation.type)
    if operations.was_touched(operation, machine):
        # It was over before its answer was given up: it looks as before, and only a note of the change is left.
        return _finish(s, operation, machine)
    # No answer, and no trace of it in what the provider shows: it never arrived.
    again = _is_wanted(s, operation) and s.wants_running and not late and _may_begin(s, operation.type, machine)
    return rebuild_machine(s, machine, operation.type, operation.token) if again else _forget(s, operation)


def _arrived(s: Snapshot, seen: Operation, before: Operation) -> Decision:
    """The provider has taken the call on, whatever became of its answer."""
    news = carried_out(s.status, before) if before.phase is OperationPhase.INITIATED else {}
    return _say(s, seen.type, operation=seen, **news)


def _finish(s: Snapshot, operation: Operation, machine: Machine) -> Decision | None:
    """The provider is done: from here on it is an ordinary machine, up or down, well or not."""
    if operation.phase is OperationPhase.INITIATED:
        return _arrived(s, operations.arrive(operation, s), operation)
    if machine.state is MachineState.RUNNING:
        message = _WORK[operation.type].done.format(machine.id)
        changes: dict[str, Any] = {"endpoints": None, "health_check": None}
        return wait(
            s,
            Phase.RUNNING,
            _WORK[operation.type].reason,
            message,
            operation=operations.come_up(operation, s),
            **changes,
        )
    if machine.trouble or not s.wants_running:
        return None
    return start_machine(s, machine, f"starting machine {machine.id}: it is down after it was made anew")


def _is_wanted(s: Snapshot, operation: Operation) -> bool:
    if operations.is_recovery(operation):
        return s.spec.recovery.policy is RecoveryPolicy.RECREATE
    return operation.token is not None and operation.token == new_token(s, operation.type)


_ABOUT_THE_MACHINE = (Reason.INSTANCE_FAILED, Reason.CREATE_TIMED_OUT)
"""What became of the machine, not of the call."""


def _was_withdrawn(s: Snapshot, operation: Operation) -> bool:
    """True if the call was refused, and nobody asks for it any more."""
    if operation.type not in _WORK or operation.phase is not OperationPhase.FAILED or operation.error is None:
        return False
    refused = operation.phases.monitoring_at is None and operation.error.code not in _ABOUT_THE_MACHINE
    return refused and not _is_wanted(s, operation)


def _forget(s: Snapshot, operation: Operation) -> Decision:
    """End an operation that never began; whatever is still asked for begins anew."""
    message = f"{operation.type} of machine {s.machine_id} never began"
    ended = operation if operation.phase is OperationPhase.FAILED else operations.revoke(operation, s, message=message)
    phase = Phase.RUNNING if s.machine is not None and s.machine.state is MachineState.RUNNING else Phase.PENDING
    return wait(s, phase, Reason.PENDING, message, after=timedelta(), operation=None, last_operation=ended)
