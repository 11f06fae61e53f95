"""Rules from the known payment to the resized machine. The change is queued at the provider, not done:
a machine that looks as before may be one that has not begun, for as long as a resize may take.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import UpgradeCall
from gpuinstance.api.upgrade_words import CallPhase, CallType, UpgradePhase
from gpuinstance.core.decision import ApplyUpgrade
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.upgrade import calls
from gpuinstance.core.upgrade.answers import fail, need, wait
from gpuinstance.core.upgrade.decision import UpgradeDecision, UpgradeNeed
from gpuinstance.core.upgrade.rules.payment import stop_at_foreign_order, stop_at_new_charge
from gpuinstance.core.upgrade.rules.ready import not_ready_for_change
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from gpuinstance.core.upgrade.target import runs_as, shape_of

_APPLYING, _RESIZING = UpgradePhase.APPLYING, UpgradePhase.RESIZING


def apply_when_paid(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """Paid, and the machine runs with nobody else at work on it: save the intent, then apply, once."""
    machine = s.machine
    if not s.is_ordered or s.status.paid_at is None or s.status.holds_machine or machine is None:
        return None
    return not_ready_for_change(s, _APPLYING) or _look_closely(s) or _apply(s, machine)


def _look_closely(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """Nothing is applied on an old picture, nor on somebody else's order, nor on one that costs something since."""
    if s.fresh is None:
        return need(s, UpgradeNeed.MACHINE)
    if s.order is None:
        return need(s, UpgradeNeed.ORDER)
    return stop_at_foreign_order(s) or stop_at_new_charge(s)


def _apply(s: UpgradeSnapshot, machine: Machine) -> UpgradeDecision:
    plan, target = s.spec.target.plan, s.status.target
    assert plan is not None
    name = (target.product_name or target.product_id) if target is not None else plan.id
    disk = plan.disk if plan.id is not None else None
    message = f"moving machine {machine.id} to plan {name}"
    return wait(
        s,
        _APPLYING,
        Reason.APPLYING,
        message,
        action=ApplyUpgrade(machine.id, disk),
        call=calls.begin(s, CallType.APPLY),
    )


def watch_resize(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """While the machine is resized: believe its old sizes only once it was seen at work, or the time is over."""
    machine, call = s.machine, s.call_of(CallType.APPLY)
    if not s.is_ordered or machine is None or call is None or call.phase is CallPhase.REFUSED:
        return None
    if s.status.resized_at is not None:
        return None
    applied_at = s.status.applied_at or s.now
    if machine.state is MachineState.RESIZED or runs_as(machine, s.status.target, s.status.before):
        return wait(
            s,
            UpgradePhase.AWAITING_CONFIRMATION,
            Reason.RESIZED,
            f"machine {machine.id} runs with its new sizes",
            after=timedelta(),
            applied_at=applied_at,
            resized_at=s.now,
            call=calls.accept(call, s, seen_changing=True),
        )
    late = s.looked_at >= call.started_at + s.limits.resize_timeout
    if machine.state is MachineState.RESIZING and not late:
        message = f"the provider is resizing machine {machine.id}"
        seen = calls.accept(call, s, seen_changing=True)
        return wait(s, _RESIZING, Reason.RESIZING, message, applied_at=applied_at, call=seen)
    as_before = runs_as(machine, s.status.before, s.status.before)
    if as_before and call.seen_changing and s.settled_since(call.accepted_at or s.now):
        message = f"the resize of machine {machine.id} ended with its old sizes: undone at the provider"
        return fail(s, Reason.FOREIGN_CHANGE, message, after=shape_of(machine))
    if not late:
        return _wait_for_a_sign(s, call, machine)
    return (_apply_again(s, call, machine) if as_before else None) or _give_up(s, call, machine)


def _apply_again(s: UpgradeSnapshot, call: UpgradeCall, machine: Machine) -> UpgradeDecision | None:
    """An unclear call that had no effect in all the time that a resize may take surely never arrived.

    Less than that proves nothing: an accepted resize is queued, and a second call could cost a second time.
    Neither is it repeated without its order, which it may have used up before somebody took the sizes back.
    """
    if call.phase is not CallPhase.INITIATED:
        return None
    if (unready := not_ready_for_change(s, _APPLYING) or _look_closely(s)) is not None:
        return unready
    if call.attempt >= calls.MOST_SENDS or s.order is None or s.order.order is None:
        return None
    return _apply(s, machine)


def _give_up(s: UpgradeSnapshot, call: UpgradeCall, machine: Machine) -> UpgradeDecision:
    message = f"machine {machine.id} is {machine.word}, without its new sizes, after the time allowed for a resize"
    if call.phase is CallPhase.INITIATED:
        message += ", and whether the call arrived is not known: see the provider's portal"
        return fail(s, Reason.UNKNOWN_OUTCOME, message, after=shape_of(machine))
    return fail(s, Reason.RESIZE_TIMED_OUT, message, after=shape_of(machine))


def _wait_for_a_sign(s: UpgradeSnapshot, call: UpgradeCall, machine: Machine) -> UpgradeDecision:
    changes: dict[str, Any] = {"applied_at": s.status.applied_at or s.now} if call.phase is CallPhase.ACCEPTED else {}
    if call.seen_changing:
        message = f"waiting until machine {machine.id} runs with its new sizes"
        return wait(s, _RESIZING, Reason.RESIZING, message, **changes)
    message = f"waiting until the provider begins to resize machine {machine.id}"
    if call.phase is CallPhase.INITIATED and call.error is not None:
        message += "; the call got no answer, so that it is not known to have arrived"
    return wait(s, _APPLYING, Reason.APPLYING, message, **changes)
