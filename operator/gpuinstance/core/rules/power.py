"""Rules about up and down: waiting, deadlines, stop, start, restart."""

from __future__ import annotations

from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Operation
from gpuinstance.api.words import OperationPhase, OperationType, Outcome, Phase, PowerState
from gpuinstance.core import operations
from gpuinstance.core.decision import Action, Decision, Restart, Start, Stop
from gpuinstance.core.expiry import is_protected
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.rules.answers import PLACING, settle, stuck, wait
from gpuinstance.core.rules.spending import cannot_start, price_when_started
from gpuinstance.core.snapshot import Snapshot

_SHOWN = {
    MachineState.CREATING: (Phase.CREATED, Reason.CREATING, PLACING),
    MachineState.STARTING: (Phase.STARTING, Reason.STARTING, "the machine is coming up"),
    MachineState.STOPPING: (Phase.STOPPING, Reason.STOPPING, "the machine is going down"),
    MachineState.MIGRATING: (Phase.STARTING, Reason.STARTING, "the provider is moving the machine to another host"),
    MachineState.REMOVING: (
        Phase.TERMINATING,
        Reason.INSTANCE_LOST,
        "somebody is deleting the machine at the provider",
    ),
    MachineState.UNKNOWN: (
        Phase.PENDING,
        Reason.PENDING,
        "the provider shows a state that this operator does not know: waiting",
    ),
}

_WAYS_OUT = "set a new token in spec.actions.recreate to replace it, or delete the object"

_TIMED_OUT = {
    OperationType.CREATE: Reason.CREATE_TIMED_OUT,
    OperationType.REBUILD: Reason.CREATE_TIMED_OUT,
    OperationType.REINSTALL: Reason.CREATE_TIMED_OUT,
    OperationType.REGENERATE_NETWORKING: Reason.CREATE_TIMED_OUT,
    OperationType.STOP: Reason.STOP_TIMED_OUT,
}


def has_failed(s: Snapshot) -> bool:
    """True if the provider itself names a failure of a machine that is not up."""
    machine = s.machine
    if machine is None or not machine.trouble or not s.wants_running:
        return False
    return machine.state is not MachineState.RUNNING


def report_failed_machine(s: Snapshot) -> Decision | None:
    """The provider itself says that the machine failed."""
    machine = s.machine
    if machine is None or not has_failed(s):
        return None
    message = f"the provider reports about machine {machine.id}: {machine.trouble}; {_WAYS_OUT}"
    return stuck(s, Phase.FAILED, Reason.INSTANCE_FAILED, message, **_failed(s, Reason.INSTANCE_FAILED, message))


def wait_while_changing(s: Snapshot) -> Decision | None:
    """The provider is at work on the machine: wait, up to the operation's deadline."""
    machine = s.machine
    if machine is None or machine.state not in _SHOWN or _is_over(s):
        return None
    phase, reason, message = _SHOWN[machine.state]
    operation = s.operation
    # Once it is up again it may be published elsewhere, and has to answer anew.
    changes: dict[str, Any] = {"endpoints": None, "health_check": None}
    if operation is None:
        return wait(s, phase, reason, message, **changes)
    if operation.type is OperationType.RESTART and machine.state is not MachineState.REMOVING:
        reason = Reason.RESTARTING
    if operation.type is OperationType.CHANGE:
        reason = Reason.APPLYING_CHANGE
    if machine.state in _LEADS_TO.get(operation.type, ()):
        changes["operation"] = operations.see_changing(operation, s)
    return wait(s, phase, reason, message, **changes)


_LEADS_TO = {
    OperationType.CREATE: (MachineState.CREATING, MachineState.STARTING),
    OperationType.START: (MachineState.STARTING,),
    OperationType.STOP: (MachineState.STOPPING,),
    OperationType.RESTART: (MachineState.STOPPING, MachineState.STARTING),
}
"""On the way where each operation sends a machine; a machine that moves elsewhere was sent by others."""


def give_up_after_deadline(s: Snapshot) -> Decision | None:
    """An operation that takes longer than allowed has failed; the machine is left for a person."""
    machine, operation = s.machine, s.operation
    if machine is None or operation is None or not is_out_of_time(s):
        return None
    if operation.generation != s.generation and not machine.state.is_changing:
        return None  # The spec has changed, so what failed may be tried anew.
    if operation.type is OperationType.STOP and operation.retry_at is not None and operation.retry_at <= s.now:
        return None  # A machine that should be down is billed: asking again is worth a call.
    reason = _TIMED_OUT.get(operation.type, Reason.START_TIMED_OUT)
    late = f"machine {machine.id} is still {machine.word} after the time allowed by spec.timeouts"
    ways_out = "see the provider's console, or delete the object" if s.limits.rebuilds_in_place else _WAYS_OUT
    message = f"{late}; it may be billed; {ways_out}"
    return stuck(s, Phase.FAILED, reason, message, **_failed(s, reason, message))


def is_out_of_time(s: Snapshot) -> bool:
    """True if the operation in flight, or failed, is past its deadline without its effect."""
    machine, operation = s.machine, s.operation
    return machine is not None and operation is not None and _is_over(s) and not _has_effect(s, operation, machine)


def _is_over(s: Snapshot) -> bool:
    return s.operation is not None and s.now >= s.operation.deadline


def _has_effect(s: Snapshot, operation: Operation, machine: Machine) -> bool:
    wanted = MachineState.STOPPED if operation.type is OperationType.STOP else MachineState.RUNNING
    return machine.state is wanted or (machine.state is MachineState.STOPPED and not s.wants_running)


def _failed(s: Snapshot, reason: Reason, message: str) -> dict[str, Any]:
    operation = s.operation
    if operation is None or operation.phase is OperationPhase.FAILED:
        return {}
    return {"operation": operations.time_out(operation, s, reason=reason, message=message)}


def stop_when_unwanted(s: Snapshot) -> Decision | None:
    """`powerState: Stopped`, or the machine has served: bring it down; once down, the object is settled."""
    machine = s.machine
    if s.wants_running or machine is None:
        return None
    starting = s.in_flight(OperationType.START)
    if machine.state is MachineState.STOPPED and starting is not None and not operations.is_shown(starting, machine, s):
        message = f"machine {machine.id} was just started: it is stopped once it is up"
        return wait(s, Phase.STARTING, Reason.STOPPING, message)
    if machine.state is MachineState.STOPPED:
        handled = s.status.handled_actions.model_copy(update={"restart": s.spec.actions.restart})
        applied = s.status.applied.model_copy(update={"power_state": PowerState.STOPPED})
        reason, why = why_down(s)
        return settle(
            s,
            Phase.STOPPED,
            reason,
            f"machine {machine.id} is down, {why}; what is kept of it is still billed",
            Outcome.STOPPED,
            **operations.end(s),
            applied=applied,
            handled_actions=handled,
            endpoints=None,
            health_check=None,
        )
    message = f"stopping machine {machine.id}" + (f": {s.over.words}" if s.over is not None else "")
    stopping = s.in_flight(OperationType.STOP)
    if stopping is not None and not operations.is_shown(stopping, machine, s):
        return wait(s, Phase.STOPPING, Reason.STOPPING, message)
    # Not asked yet, or asked without any effect by now: a machine that should be down is billed.
    return _act(s, OperationType.STOP, Stop(machine.id), Phase.STOPPING, Reason.STOPPING, message)


def why_down(s: Snapshot) -> tuple[Reason, str]:
    """Return why the machine should be down, as a reason and in words."""
    if s.spec.power_state is PowerState.STOPPED or s.over is None:
        return Reason.STOPPED, "as powerState asks"
    kept = "; deletionProtection keeps this object" if is_protected(s.instance) else ""
    return s.over.reason, f"because {s.over.words}{kept}"


def start_when_wanted(s: Snapshot) -> Decision | None:
    """`powerState: Running`: start a machine that was stopped on purpose; report one that exited."""
    machine = s.machine
    if not s.wants_running or machine is None:
        return None
    stopping = s.in_flight(OperationType.STOP)
    if stopping is not None and machine.state is MachineState.RUNNING and not operations.is_shown(stopping, machine, s):
        message = f"machine {machine.id} was just stopped: it is started once it is down"
        return wait(s, Phase.STOPPING, Reason.STARTING, message)
    if machine.state is not MachineState.STOPPED:
        return None
    token, handled = s.spec.actions.restart, s.status.handled_actions
    if token is not None and token != handled.restart:
        handled = handled.model_copy(update={"restart": token})
        message = f"starting machine {machine.id}, as the restart token asks"
        return start_machine(s, machine, message, token=token, handled_actions=handled)
    operation = s.in_flight(OperationType.START, OperationType.RESTART)
    if operation is not None and not s.settled_since(operation.phases.monitoring_at or operation.started_at):
        return wait(s, Phase.STARTING, Reason.STARTING, f"starting machine {machine.id}")
    if has_exited(s):
        return _report_exit(s, machine)
    return start_machine(s, machine, f"starting machine {machine.id}")


def has_exited(s: Snapshot) -> bool:
    """True if the machine is down although it should be up, and not because it was stopped on purpose."""
    machine = s.machine
    if machine is None or machine.state is not MachineState.STOPPED or not s.wants_running:
        return False
    operation = s.in_flight(OperationType.START, OperationType.RESTART)
    if operation is not None and not s.settled_since(operation.phases.monitoring_at or operation.started_at):
        return False
    came_up = operation is not None and operations.has_restarted(operation, machine)
    if _is_of(s.operation, OperationType.START) and not came_up:
        return False  # The start that was asked for had no effect: it is sent again.
    # A stop whose end was never seen, because it was revoked meanwhile, is on purpose as well.
    on_purpose = s.status.applied.power_state is PowerState.STOPPED or _is_of(s.operation, OperationType.STOP)
    return came_up or not on_purpose


def _is_of(operation: Operation | None, kind: OperationType) -> bool:
    return operation is not None and operation.type is kind


def start_machine(s: Snapshot, machine: Machine, message: str, *, token: str | None = None, **more: Any) -> Decision:
    """Save the intent to start the machine, and start it; or say why it may not cost what it would."""
    if (refusal := cannot_start(s, machine, exited=has_exited(s))) is not None:
        return refusal
    more |= price_when_started(s)
    operation = s.in_flight(OperationType.START)
    token = token or (operation.token if operation is not None else None)
    action = Start(machine.id)
    return _act(s, OperationType.START, action, Phase.STARTING, Reason.STARTING, message, token=token, **more)


def _report_exit(s: Snapshot, machine: Machine) -> Decision:
    cause = "was taken back by the provider (spot)" if machine.reclaimed_at else "went down by itself"
    way_out = "set a new token in spec.actions.restart to start it again"
    message = f"machine {machine.id} {cause}; what is kept of it is still billed: {way_out}"
    applied = s.status.applied.model_copy(update={"power_state": PowerState.RUNNING})
    return stuck(
        s,
        Phase.EXITED,
        Reason.INSTANCE_EXITED,
        message,
        outcome=Outcome.EXITED,
        **operations.end(s),
        applied=applied,
        endpoints=None,
        health_check=None,
    )


def restart_on_token(s: Snapshot) -> Decision | None:
    """A new token in `actions.restart` restarts a running machine, once."""
    token, machine, handled = s.spec.actions.restart, s.machine, s.status.handled_actions
    if machine is None or machine.state is not MachineState.RUNNING or not s.wants_running:
        return None
    operation = s.in_flight(OperationType.RESTART)
    if token is not None and token != handled.restart and (operation is None or operation.token != token):
        return restart_machine(s, machine, token)
    if operation is None or operation.phases.running_at is not None:
        return None
    arrived = operation.phase is not OperationPhase.INITIATED or operations.was_touched(operation, machine)
    if operations.has_changed(operation, machine) or (arrived and s.settled_since(operation.started_at)):
        # From here on it is an ordinary machine that has to become healthy.
        if operation.token == token:
            handled = handled.model_copy(update={"restart": token})
        up, message = operations.come_up(operation, s), f"machine {machine.id} was restarted"
        return wait(s, Phase.RUNNING, Reason.RESTARTING, message, operation=up, handled_actions=handled, endpoints=None)
    if operation.phase is OperationPhase.INITIATED and s.settled_since(operation.started_at):
        # No answer, and the machine shows no restart: it never arrived.
        return restart_machine(s, machine, operation.token)
    return wait(s, Phase.STARTING, Reason.RESTARTING, f"restarting machine {machine.id}")


def restart_machine(s: Snapshot, machine: Machine, token: str | None, **more: Any) -> Decision:
    """Save the intent to restart the machine, and restart it."""
    message, action = f"restarting machine {machine.id}", Restart(machine.id)
    return _act(s, OperationType.RESTART, action, Phase.STARTING, Reason.RESTARTING, message, token=token, **more)


def _act(
    s: Snapshot,
    kind: OperationType,
    action: Action,
    phase: Phase,
    reason: Reason,
    message: str,
    *,
    token: str | None = None,
    **changes: Any,
) -> Decision:
    operation = operations.begin(s, kind, token=token)
    return wait(
        s,
        phase,
        reason,
        message,
        action=action,
        operation=operation,
        last_operation=s.operation or s.status.last_operation,
        endpoints=None,
        health_check=None,
        **operations.estimated_end(s, operation),
        **changes,
    )
