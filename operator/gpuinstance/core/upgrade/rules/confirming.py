"""Rules from the resized machine to the end: confirm or revert, then verify what came of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import UpgradeCall
from gpuinstance.api.upgrade_words import CallPhase, CallType, Confirmation, UpgradePhase, VerifyFailurePolicy
from gpuinstance.core.decision import ConfirmUpgrade, RevertUpgrade
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.rules.health import is_healthy
from gpuinstance.core.upgrade import calls
from gpuinstance.core.upgrade.answers import fail, hold, need, stall, succeed, wait
from gpuinstance.core.upgrade.decision import UpgradeDecision, UpgradeNeed
from gpuinstance.core.upgrade.rules.payment import stop_at_foreign_order
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from gpuinstance.core.upgrade.target import runs_as, shape_of

_AWAITING, _VERIFYING = UpgradePhase.AWAITING_CONFIRMATION, UpgradePhase.VERIFYING


def confirm_or_revert(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """The machine runs with its new sizes: keep them, give them back, or ask somebody."""
    machine, call = s.machine, s.status.call
    if not s.is_ordered or s.status.resized_at is None or s.status.confirmed_at is not None or machine is None:
        return None
    if call is not None and call.type in (CallType.CONFIRM, CallType.REVERT) and call.phase is not CallPhase.REFUSED:
        return None
    if machine.state is not MachineState.RESIZED:
        return _decided_elsewhere(s, machine)
    if s.spec.confirm:
        return _confirm(s, machine)
    if s.spec.confirmation is Confirmation.MANUAL and not s.deleting:
        message = f"machine {machine.id} runs with its new sizes: look at it, then set spec.confirm to true"
        return hold(s, _AWAITING, Reason.AWAITING_CONFIRMATION, message)
    return _judge_health(s, machine)


def _decided_elsewhere(s: UpgradeSnapshot, machine: Machine) -> UpgradeDecision:
    """Nothing is left to confirm: no confirmation was needed, or somebody gave it, or took the sizes back."""
    if runs_as(machine, s.status.target, s.status.before):
        return wait(s, _VERIFYING, Reason.VERIFYING, "the new sizes are kept", after=timedelta(), confirmed_at=s.now)
    resized_at = s.status.resized_at or s.now
    if runs_as(machine, s.status.before, s.status.before) and s.settled_since(resized_at):
        message = f"somebody has given machine {machine.id} its old sizes back"
        return fail(s, Reason.FOREIGN_CHANGE, message, after=shape_of(machine))
    if s.now < resized_at + s.limits.resize_timeout:
        return wait(s, _VERIFYING, Reason.VERIFYING, f"machine {machine.id} is {machine.word}: waiting")
    message = f"machine {machine.id} is {machine.word}, and not resized any more: see the provider's portal"
    if s.deleting:
        return fail(s, Reason.VERIFICATION_FAILED, message, after=shape_of(machine))
    # Somebody may have begun to decide only now, however long ago it was resized: this is not the end.
    return stall(s, _VERIFYING, Reason.VERIFICATION_FAILED, message, after=s.limits.fast_poll)


def _judge_health(s: UpgradeSnapshot, machine: Machine) -> UpgradeDecision:
    instance = s.instance
    assert instance is not None
    checks = instance.spec.health_check
    if not checks.enabled or not instance.status.endpoints:
        return _confirm(s, machine)
    if s.health is None:
        return need(s, UpgradeNeed.HEALTH)
    if not s.health.results or is_healthy(instance.spec, s.health):
        return _confirm(s, machine)
    over = s.now - (s.status.resized_at or s.now) >= timedelta(seconds=checks.max_wait_seconds)
    if not over:
        message = f"machine {machine.id} runs with its new sizes; waiting for its application to answer"
        return wait(s, _AWAITING, Reason.HEALTH_CHECKING, message)
    if s.spec.on_verify_failure is VerifyFailurePolicy.HOLD and not s.deleting:
        message = (
            f"machine {machine.id} is not healthy with its new sizes: it is confirmed once it is, or by spec.confirm"
        )
        return hold(s, _AWAITING, Reason.HEALTH_CHECK_FAILED, message)
    return _revert(s, machine, f"machine {machine.id} is not healthy with its new sizes: giving it the old ones back")


def _confirm(s: UpgradeSnapshot, machine: Machine) -> UpgradeDecision:
    if (unsure := _look_whose_resize(s)) is not None:
        return unsure
    message = f"confirming the new sizes of machine {machine.id}"
    call = calls.begin(s, CallType.CONFIRM)
    return wait(s, UpgradePhase.CONFIRMING, Reason.CONFIRMING, message, action=ConfirmUpgrade(machine.id), call=call)


def _revert(s: UpgradeSnapshot, machine: Machine, message: str) -> UpgradeDecision:
    if (unsure := _look_whose_resize(s)) is not None:
        return unsure
    call = calls.begin(s, CallType.REVERT)
    return wait(s, UpgradePhase.REVERTING, Reason.REVERTING, message, action=RevertUpgrade(machine.id), call=call)


def _look_whose_resize(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """Between two looks somebody may have taken our sizes back and resized the machine by an order of their own."""
    return need(s, UpgradeNeed.ORDER) if s.order is None else stop_at_foreign_order(s)


def watch_confirm(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """After the confirm call: the machine shows whether it arrived."""
    machine, call = s.machine, s.call_of(CallType.CONFIRM)
    if machine is None or call is None or s.status.confirmed_at is not None or call.phase is CallPhase.REFUSED:
        return None
    kept, back = runs_as(machine, s.status.target, s.status.before), runs_as(machine, s.status.before, s.status.before)
    if kept or (back and s.settled_since(call.started_at)):
        return _decided_elsewhere(s, machine)
    if machine.state is MachineState.RESIZED and _never_arrived(s, call):
        return _confirm(s, machine)
    return _too_late(s, call, machine) or wait(
        s, UpgradePhase.CONFIRMING, Reason.CONFIRMING, f"confirming the new sizes of machine {machine.id}"
    )


def watch_revert(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """After the revert call: the end, once the machine runs with its old sizes."""
    machine, call = s.machine, s.call_of(CallType.REVERT)
    if machine is None or call is None or call.phase is CallPhase.REFUSED:
        return None
    # The old sizes may be shown by a picture from before the resize, too.
    believed = call.seen_changing or s.settled_since(s.status.resized_at or s.now)
    if believed and runs_as(machine, s.status.before, s.status.before):
        message = f"machine {machine.id} has its old sizes again: it was not healthy with the new ones"
        return fail(s, Reason.REVERTED, message, phase=UpgradePhase.REVERTED, after=shape_of(machine))
    if runs_as(machine, s.status.target, s.status.before) and s.settled_since(call.started_at):
        message = f"machine {machine.id} kept its new sizes although it was to be reverted: confirmed by somebody"
        return fail(s, Reason.FOREIGN_CHANGE, message, after=shape_of(machine))
    if machine.state is MachineState.RESIZED and _never_arrived(s, call):
        return _revert(s, machine, f"giving machine {machine.id} its old sizes back")
    words = f"waiting until machine {machine.id} has its old sizes"
    seen: dict[str, Any] = (
        {"call": calls.accept(call, s, seen_changing=True)} if machine.state is MachineState.RESIZING else {}
    )
    return _too_late(s, call, machine) or wait(s, UpgradePhase.REVERTING, Reason.REVERTING, words, **seen)


def _never_arrived(s: UpgradeSnapshot, call: UpgradeCall) -> bool:
    unanswered = call.phase is CallPhase.INITIATED and s.settled_since(call.started_at)
    return unanswered and call.attempt < calls.MOST_SENDS


def _too_late(s: UpgradeSnapshot, call: UpgradeCall, machine: Machine) -> UpgradeDecision | None:
    if s.now < call.started_at + s.limits.resize_timeout:
        return None
    message = f"machine {machine.id} is still {machine.word} after the time allowed: see the provider's portal"
    return fail(s, Reason.VERIFICATION_FAILED, message, after=shape_of(machine))


def verify(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """The end that was asked for: the machine runs, and the provider shows its new sizes."""
    machine, confirmed = s.machine, s.status.confirmed_at
    if not s.is_ordered or machine is None or confirmed is None:
        return None
    if runs_as(machine, s.status.target, s.status.before):
        shape = shape_of(machine)
        return succeed(s, Reason.COMPLETED, f"machine {machine.id} runs with its new sizes", after=shape)
    if s.now >= confirmed + s.limits.resize_timeout:
        message = f"machine {machine.id} is {machine.word} and does not show its new sizes"
        return fail(s, Reason.VERIFICATION_FAILED, message, after=shape_of(machine))
    return wait(s, _VERIFYING, Reason.VERIFYING, f"waiting until machine {machine.id} shows its new sizes")
