"""Rules about helping a machine in trouble: only where `spec.recovery` allows it, and with brakes.

Each stands right before the rule that would report its trouble, and falls through to it when
nothing may be done. The brakes: a number of attempts, a pause that doubles between them, and none
while more than half of the namespace is in trouble, because then the cause is likely elsewhere.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import OperationPhase, OperationType, Phase, RecoveryPolicy, SpotReclaimPolicy
from gpuinstance.core import operations
from gpuinstance.core.decision import Decision, Need
from gpuinstance.core.model import MachineState
from gpuinstance.core.rules.answers import SLOW_RETRY, need, wait
from gpuinstance.core.rules.health import is_beyond_patience
from gpuinstance.core.rules.power import has_exited, has_failed, is_out_of_time, restart_machine, start_machine
from gpuinstance.core.rules.rebuild import can_be_rebuilt, rebuild_machine, stands
from gpuinstance.core.rules.replacement import may_be_lost, replace_machine
from gpuinstance.core.snapshot import Snapshot

_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(minutes=10)


def recover_lost_machine(s: Snapshot) -> Decision | None:
    """With policy Recreate, a machine that vanished is replaced."""
    if not may_be_lost(s) or not s.wants_running or s.spec.recovery.policy is not RecoveryPolicy.RECREATE:
        return None
    if s.machine_id not in s.confirmed_gone:
        return need(s, Need.CONFIRMATION)
    return _help(s, RecoveryPolicy.RECREATE, f"machine {s.machine_id} no longer exists at the provider")


def recover_failed_machine(s: Snapshot) -> Decision | None:
    """With policy Recreate, a machine that failed, or did not come up in time, is rebuilt or replaced."""
    in_trouble = has_failed(s) or (is_out_of_time(s) and s.wants_running)
    if s.machine is None or not in_trouble or s.spec.recovery.policy is not RecoveryPolicy.RECREATE:
        return None
    return _help(s, RecoveryPolicy.RECREATE, f"machine {s.machine.id} failed ({s.machine.word})")


def recover_exited_machine(s: Snapshot) -> Decision | None:
    """A machine that went down by itself is started, rebuilt or replaced; a reclaimed one by its own policy."""
    machine, token = s.machine, s.spec.actions.restart
    if machine is None or not has_exited(s):
        return None
    if token is not None and token != s.status.handled_actions.restart:
        return None  # A person's word: the brakes do not hold it.
    if machine.reclaimed_at is not None:
        return _help(s, _AFTER_RECLAIM[s.spec.recovery.on_spot_reclaim], f"the provider took machine {machine.id} back")
    return _help(s, s.spec.recovery.policy, f"machine {machine.id} went down by itself")


_AFTER_RECLAIM = {
    SpotReclaimPolicy.NEVER: RecoveryPolicy.NEVER,
    SpotReclaimPolicy.START: RecoveryPolicy.RESTART,
    SpotReclaimPolicy.RECREATE: RecoveryPolicy.RECREATE,
}


def repeat_refused_recovery(s: Snapshot) -> Decision | None:
    """Help for a running machine that the provider refused is asked for again, without another long wait."""
    machine = s.machine
    if machine is None or machine.state is not MachineState.RUNNING or not s.wants_running or not _was_refused(s):
        return None
    return _help(s, s.spec.recovery.policy, f"machine {machine.id} runs and its application did not answer")


def recover_when_unhealthy(s: Snapshot) -> Decision | None:
    """A running machine whose application does not answer within its patience is restarted or replaced."""
    if s.machine is None or s.spec.recovery.policy is RecoveryPolicy.NEVER or not is_beyond_patience(s):
        return None
    decision = _help(s, s.spec.recovery.policy, f"machine {s.machine.id} runs and its application does not answer")
    acts = decision is not None and decision.action is not None
    return need(s, Need.HEALTH) if acts and not s.health_is_new else decision


def _help(s: Snapshot, policy: RecoveryPolicy, trouble: str) -> Decision | None:
    """Help as the policy says, unless a brake holds; None leaves the trouble to be reported."""
    refused_before = _was_refused(s)
    attempts = s.status.recovery_attempts
    if policy is RecoveryPolicy.NEVER or (attempts >= s.spec.recovery.max_attempts and not refused_before):
        return None
    if s.neighbours is None:
        return need(s, Need.NEIGHBOURS)
    phase = _shown_phase(s)
    if s.neighbours.in_trouble > max(1, s.neighbours.total / 2):
        message = f"{trouble}; nothing is done while more than half of the namespace's instances are in trouble"
        return wait(s, phase, Reason.RECOVERY_HELD, message, after=SLOW_RETRY)
    number = attempts if refused_before else attempts + 1
    next_at = _not_before(s)
    if next_at > s.now and not refused_before:
        message = f"{trouble}; pausing before attempt {number} of {s.spec.recovery.max_attempts} to help"
        return wait(s, phase, Reason.RECOVERING, message, after=next_at - s.now)
    counted = {"recovery_attempts": number, "last_recovery_at": s.now}
    return _act(s, policy, f"{operations.RECOVERY}{number}", counted)


def _shown_phase(s: Snapshot) -> Phase:
    """Return the phase while help waits: what is neither down nor gone may be billed, and counts in a budget."""
    if s.machine is None or s.machine.state is MachineState.STOPPED:
        return Phase.EXITED
    return Phase.RUNNING if s.machine.state is MachineState.RUNNING else Phase.STARTING


def _act(s: Snapshot, policy: RecoveryPolicy, token: str, counted: dict[str, Any]) -> Decision | None:
    if policy is RecoveryPolicy.RECREATE and s.machine is not None and stands(s):
        if not can_be_rebuilt(s.machine):
            return None
        return rebuild_machine(s, s.machine, OperationType.REBUILD, token, **counted)
    if policy is RecoveryPolicy.RECREATE:
        return replace_machine(s, token, **counted)
    if s.machine is not None and s.machine.state is MachineState.RUNNING:
        return restart_machine(s, s.machine, token, **counted)
    if s.machine is not None and s.machine.state is MachineState.STOPPED:
        return start_machine(s, s.machine, f"starting machine {s.machine.id} again", token=token, **counted)
    return None


def _was_refused(s: Snapshot) -> bool:
    """True if the last attempt was refused for want of capacity or the like: it does not count again."""
    operation = s.operation
    if operation is None or operation.phase is not OperationPhase.FAILED or not operations.is_recovery(operation):
        return False
    return operation.error is not None and operation.error.retryable


def _not_before(s: Snapshot) -> datetime:
    """Return the moment of the next attempt: at once for the first, then after a pause that doubles."""
    last, attempts = s.status.last_recovery_at, s.status.recovery_attempts
    if last is None or attempts == 0:
        return s.now
    pause: timedelta = min(_FIRST_PAUSE * 2 ** (attempts - 1), _LONGEST_PAUSE)
    return last + pause
