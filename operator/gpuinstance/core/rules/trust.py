"""Rules about what may be believed and touched at all: blindness, suspension, impossible specs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import InstanceStatus, Operation, OperationError
from gpuinstance.api.v1alpha1 import FINALIZER
from gpuinstance.api.words import ConditionStatus, OperationPhase, OperationType, Outcome, Phase
from gpuinstance.core.conditions import Verdict, Work, write
from gpuinstance.core.decision import Decision
from gpuinstance.core.desired import applied_matches
from gpuinstance.core.model import MachineState
from gpuinstance.core.rules.answers import stuck, wait
from gpuinstance.core.snapshot import Blind, Snapshot
from gpuinstance.core.tokens import TOKENS

_LOOK_AGAIN = timedelta(seconds=10)
"""Pause while blind: the shared listing asks the provider at its own, slower pace."""
_IN_MINUTES = 120.0
"""Seconds from which on a time is told in minutes."""

_KEPT = {
    Outcome.READY: (Phase.READY, ConditionStatus.TRUE, Reason.READY),
    Outcome.STOPPED: (Phase.STOPPED, ConditionStatus.FALSE, Reason.STOPPED),
}
"""What was as the spec asks when it was last seen is taken to be so still, for as long as that look counts."""


def stay_idle_when_blind(s: Snapshot) -> Decision | None:
    """If observing failed, nothing is changed; what has settled well is kept until the last look is too old.

    Not where the Secret with the API key is gone: that is no outage but certain, and lasts until somebody helps.
    """
    if not isinstance(s.view, Blind):
        return None
    view, synced = s.view, (ConditionStatus.FALSE, s.view.reason, s.view.message)
    fresh = s.now - view.last_seen_at <= s.limits.stale_after
    passing = fresh and not (view.needs_person and view.reason is Reason.CREDENTIALS_UNAVAILABLE)
    outcome, ready = Outcome.READY if s.was_ready else s.status.outcome, s.status.condition("Ready")
    if outcome in _KEPT and passing and s.status.observed_generation == s.generation and not s.deleting:
        phase, status, reason = _KEPT[outcome]
        if outcome is Outcome.STOPPED and ready is not None:
            reason = Reason(ready.reason)  # It says why: powerState, or spec.expiry.
        message = ready.message if ready else view.message
        verdict = Verdict(phase, status, reason, message, outcome=outcome, synced=synced)
        return Decision(status=write(s, verdict), requeue_after=_LOOK_AGAIN)
    if view.needs_person:
        outcome = None if s.deleting else Outcome.FAILED
        message = view.message + (_held(s) if s.deleting else "")
        verdict = Verdict(
            _shown_phase(s), ConditionStatus.FALSE, view.reason, message, Work.STUCK, outcome, synced=synced
        )
    elif not fresh:
        text = f"the provider could not be observed for {_spelled(s.limits.stale_after)}: {view.message}"
        verdict = Verdict(
            _shown_phase(s), ConditionStatus.UNKNOWN, Reason.STALE_OBSERVATION, text, Work.GOING_ON, synced=synced
        )
    else:
        status = ConditionStatus.UNKNOWN if s.was_ready else ConditionStatus.FALSE
        verdict = Verdict(_shown_phase(s), status, view.reason, view.message, Work.GOING_ON, synced=synced)
    return Decision(status=write(s, verdict, **_something_may_exist(s, view)), requeue_after=_LOOK_AGAIN)


def _held(s: Snapshot) -> str:
    """Say why an object that is being deleted stays, and the way out."""
    machine = f"machine {s.machine_id}" if s.machine_id else "its machine, if there is one,"
    way_out = f"`kubectl gpu abandon {s.instance.metadata.name} -n {s.instance.metadata.namespace}`"
    return f"; until then {machine} may be billed, and the object stays; {way_out} lets it go without its machine"


def _shown_phase(s: Snapshot) -> Phase:
    if s.deleting:
        return Phase.TERMINATING
    # What was ready when it was last seen runs, as far as anybody knows.
    return Phase.RUNNING if s.status.phase is Phase.READY else s.status.phase or Phase.PENDING


def _spelled(span: timedelta) -> str:
    """Return e.g. `90 s` or `5 min`."""
    seconds = span.total_seconds()
    return f"{seconds:g} s" if seconds < _IN_MINUTES else f"{seconds / 60:.0f} min"


def _something_may_exist(s: Snapshot, view: Blind) -> dict[str, InstanceStatus]:
    """Remember that an object without any status has never been looked up, as far as anybody can tell.

    Its status may have been wiped, so that a machine may exist: without this note, the next pass
    would take the status that this pass writes as proof that nothing was ever bought. An outage ends, so to wait for
    it costs nothing. A Secret that never was does not: an object that is as young as a mistake may go without it.
    """
    unseen = s.status.observed_generation < 0 and s.status.instance is None
    if unseen and (s.deleting or not view.needs_person or _was_known_before(s)):
        return {"instance": InstanceStatus(name=s.identity.name(1))}
    return {}


def _was_known_before(s: Snapshot) -> bool:
    """True for an object that has carried our finalizer for long: its first status was written soon after that."""
    metadata = s.instance.metadata
    created = metadata.creation_timestamp
    return FINALIZER in metadata.finalizers and created is not None and s.now - created > s.limits.settle


def stay_idle_when_suspended(s: Snapshot) -> Decision | None:
    """`spec.suspend`: look, tell, and touch nothing."""
    if not s.spec.suspend:
        return None
    machine = s.machine
    up = machine is not None and machine.state is MachineState.RUNNING
    if s.was_ready and up and s.wants_running and applied_matches(s):
        verdict = Verdict(
            Phase.READY, ConditionStatus.TRUE, Reason.READY, "healthy when it was suspended", outcome=Outcome.READY
        )
    else:
        shown = f"the machine is {machine.state.lower()}" if machine else "no machine exists"
        message = f"suspended: {shown}, and nothing is changed until spec.suspend is false"
        verdict = Verdict(Phase.SUSPENDED, ConditionStatus.FALSE, Reason.SUSPENDED, message, outcome=Outcome.SUSPENDED)
    return Decision(status=write(s, verdict))


def stall_on_impossible_spec(s: Snapshot) -> Decision | None:
    """What this provider can never do is refused in words, before anything is bought."""
    limits, spec = s.limits, s.spec
    if not s.wants_running:
        return None  # Stopping is always possible, and saves money.
    if spec.billing.mode not in limits.billing_modes:
        words = f"{spec.provider} does not offer billing mode {spec.billing.mode}"
    elif spec.gpu_count > limits.max_gpu_count:
        words = f"{spec.provider} offers at most {limits.max_gpu_count} GPUs in one machine"
    elif (spec.rootfs_size_gb or 0) > limits.max_rootfs_gb:
        words = f"{spec.provider} offers at most {limits.max_rootfs_gb} GB of root disk"
    else:
        return None
    return stuck(s, Phase.FAILED, Reason.UNSUPPORTED_BY_PROVIDER, f"{words}: change the spec")


def leave_suspended_machine(s: Snapshot) -> Decision | None:
    """A machine that is frozen or locked at the provider is never touched."""
    if s.machine is None or s.machine.state is not MachineState.SUSPENDED:
        return None
    message = (
        f"machine {s.machine.id} is frozen or locked at the provider ({s.machine.word}): see its console, e.g. for "
        "unpaid bills or a lock"
    )
    return stuck(s, Phase.SUSPENDED, Reason.INSTANCE_SUSPENDED, message)


_RESIZE = {
    MachineState.RESIZING: "somebody is moving machine {} to another plan at the provider: waiting until that is over",
    MachineState.RESIZED: (
        "somebody has moved machine {} to another plan at the provider, where it has to be confirmed or reverted: "
        "nothing is changed before that"
    ),
}


def leave_resized_machine(s: Snapshot) -> Decision | None:
    """A machine that somebody moves to another plan is never touched; one that was moved waits for a person."""
    machine = s.machine
    if machine is None or machine.state not in _RESIZE:
        return None
    message = _RESIZE[machine.state].format(machine.id)
    changes: dict[str, Any] = {"endpoints": None, "health_check": None}
    if machine.state is MachineState.RESIZED:
        return stuck(s, Phase.UPGRADING, Reason.RESIZE_UNCONFIRMED, message, **changes)
    return wait(s, Phase.UPGRADING, Reason.RESIZING, message, **changes)


def back_off_after_failure(s: Snapshot) -> Decision | None:
    """A refused operation is tried again after its pause, or at once if the spec or the refused key has changed."""
    operation = s.operation
    if operation is None or operation.error is None or operation.retry_at is None:
        return None
    over = operation.retry_at <= s.now or operation.generation != s.generation
    over = over or _has_another_key(s, operation, operation.error)
    if over or operation.phase is not OperationPhase.FAILED or _no_longer_wanted(s):
        return None
    reason, message = Reason(operation.error.code), operation.error.message
    phase = _PHASE_OF_FAILURE.get(operation.type, Phase.PENDING)
    if operation.error.retryable:
        return wait(s, phase, reason, message, after=operation.retry_at - s.now)
    return stuck(s, Phase.FAILED, reason, message, after=min(operation.retry_at - s.now, timedelta(minutes=1)))


def _has_another_key(s: Snapshot, operation: Operation, error: OperationError) -> bool:
    refused_at = operation.phases.failed_at or operation.started_at
    return error.code == Reason.UNAUTHORIZED and s.key_changed_at is not None and s.key_changed_at > refused_at


_PHASE_OF_FAILURE = {
    OperationType.START: Phase.STOPPED,
    OperationType.STOP: Phase.STOPPING,
    OperationType.DELETE: Phase.TERMINATING,
    OperationType.RESTART: Phase.RUNNING,
    OperationType.CHANGE: Phase.RUNNING,
    OperationType.REBUILD: Phase.STARTING,
    OperationType.REINSTALL: Phase.STARTING,
    OperationType.REGENERATE_NETWORKING: Phase.RUNNING,
}


def _no_longer_wanted(s: Snapshot) -> bool:
    """True if the world has moved on, so that the failure no longer matters."""
    operation, machine = s.operation, s.machine
    if operation is None:
        return True
    if s.over is not None and operation.type not in (OperationType.STOP, OperationType.DELETE):
        return True  # A machine that has served is stopped without a pause, whatever else was refused.
    state = machine.state if machine else None
    if operation.type is OperationType.CREATE:
        return state is MachineState.RUNNING or (machine is None and bool(s.alive))
    if operation.type is OperationType.START:
        return state is MachineState.RUNNING or not s.wants_running
    if operation.type is OperationType.STOP:
        return state is MachineState.STOPPED or s.wants_running
    if operation.type in TOKENS and operation.phases.monitoring_at is not None:
        return machine is None or state is MachineState.RUNNING  # It took too long, and came up all the same.
    return machine is None
