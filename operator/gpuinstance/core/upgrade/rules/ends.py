"""Rules about when an upgrade is over, and about what may be believed and touched at all."""

from __future__ import annotations

from datetime import datetime

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.api.upgrade_words import CallPhase, CallType, UpgradeOutcome, UpgradePhase
from gpuinstance.api.words import Management
from gpuinstance.core.model import MachineState
from gpuinstance.core.snapshot import Blind
from gpuinstance.core.upgrade.answers import fail, need, stall, wait
from gpuinstance.core.upgrade.decision import UpgradeDecision, UpgradeNeed
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from gpuinstance.core.upgrade.target import shape_of, summary_of


def keep_the_end(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """An upgrade that has ended stays so, until it is deleted or has outlived `ttlAfterFinished`."""
    if s.status.completed_at is None:
        return None
    if s.deleting:
        return UpgradeDecision(status=s.status, release=True)
    if s.spec.ttl_after_finished is None:
        return UpgradeDecision(_seen_again(s))
    left = s.status.completed_at + s.spec.ttl_after_finished - s.now
    if left.total_seconds() <= 0:
        return UpgradeDecision(status=s.status, remove=True)
    return UpgradeDecision(_seen_again(s), requeue_after=left)


def _seen_again(s: UpgradeSnapshot) -> InstanceUpgradeStatus:
    """Return the status with the generation that was seen, should the spec have changed after the end.

    An older version has left no summary of the target, which is shown in a column.
    """
    summary = s.status.target_summary or summary_of(s.spec.target, s.status.target)
    if s.status.observed_generation == s.generation and s.status.target_summary == summary:
        return s.status
    conditions = [c.model_copy(update={"observed_generation": s.generation}) for c in s.status.conditions]
    seen = {"observed_generation": s.generation, "conditions": conditions, "target_summary": summary}
    return s.status.model_copy(update=seen)


def release_when_deleted(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """Before the change is under way a deleted upgrade just goes; after that it is first brought to its end."""
    if not s.deleting or s.status.holds_machine:
        return None
    hidden_until = order_hidden_until(s)
    if hidden_until is not None and s.now < hidden_until:
        # Whoever comes next must see that order: it would take it for its own, or make another one beside it.
        return UpgradeDecision(status=s.status, requeue_after=hidden_until - s.now)
    return UpgradeDecision(status=s.status, release=True)


def order_hidden_until(s: UpgradeSnapshot) -> datetime | None:
    """Return until when an order of ours may exist that the provider does not show; None if none was sent."""
    call = s.call_of(CallType.ORDER)
    if call is None or call.phase is CallPhase.REFUSED or s.status.order is not None:
        return None
    return call.started_at + s.limits.settle


def cancel_before_beginning(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """`spec.cancel` ends at once what has not begun, whatever it waits for."""
    if not s.spec.cancel or s.status.accepted_at is not None:
        return None
    return _cancelled(s, "cancelled before anything: nothing was ordered or changed")


def _cancelled(s: UpgradeSnapshot, message: str) -> UpgradeDecision:
    return fail(s, Reason.CANCELLED, message, phase=UpgradePhase.CANCELLED, outcome=UpgradeOutcome.CANCELLED)


def fail_without_instance(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """Without its instance an upgrade waits if it has not begun, and has failed if it has."""
    instance, begun = s.instance, s.status.accepted_at is not None
    if instance is None:
        message = f"there is no GPUInstance {s.spec.instance_ref.name} in this namespace"
        if begun:
            return fail(s, Reason.INSTANCE_DELETED, f"{message} any more{_left_behind(s)}")
        return wait(s, UpgradePhase.PENDING, Reason.INSTANCE_NOT_FOUND, message, after=s.limits.slow_poll)
    pinned = s.status.instance
    if pinned is not None and pinned.uid != instance.metadata.uid:
        message = f"GPUInstance {instance.metadata.name} is another object now than when this upgrade began"
        return fail(s, Reason.INSTANCE_REPLACED, message + _left_behind(s))
    if instance.metadata.deletion_timestamp is not None:
        message = f"GPUInstance {instance.metadata.name} is being deleted"
        if begun:
            return fail(s, Reason.INSTANCE_DELETED, message + _left_behind(s))
        return wait(s, UpgradePhase.PENDING, Reason.INSTANCE_DELETED, message, after=s.limits.slow_poll)
    return None


def _left_behind(s: UpgradeSnapshot) -> str:
    """Return what stays at the provider, in words that a person can act on."""
    if s.status.holds_machine and s.machine is not None:
        machine = s.machine
        return f"; machine {machine.id} is left as it is, {machine.word}: finish its change in the provider's portal"
    return describe_open_order(s) if s.status.applied_at is None else ""


def describe_open_order(s: UpgradeSnapshot, *, paid: bool = False) -> str:
    """Return a clause about an order that stays open; empty where none is known."""
    order = s.status.order
    if order is None:
        return ""
    if paid or s.status.paid_at is not None:
        return f"; invoice {order.invoice_id} was paid and nothing was applied: see the provider's portal"
    return f"; order {order.id} with invoice {order.invoice_id} stays open at the provider: do not pay it"


def stay_idle_when_blind(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """If observing failed, nothing is done, and nothing is taken as paid, applied or gone."""
    if not isinstance(s.view, Blind):
        return None
    phase = s.status.phase or UpgradePhase.PENDING
    answer = stall if s.view.needs_person else wait
    return answer(s, phase, s.view.reason, s.view.message, after=s.limits.slow_poll)


def stay_idle_when_suspended(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """`suspend` and `management: Observe` of the instance hold for its upgrades as well: look, and touch nothing."""
    if s.instance is None:
        return None
    name, phase = s.instance.metadata.name, s.status.phase or UpgradePhase.PENDING
    if s.instance.spec.managed is Management.OBSERVE:
        message = f"GPUInstance {name} is only observed: nothing is changed before its management is Full"
        return wait(s, phase, Reason.INSTANCE_BUSY, message, after=s.limits.slow_poll)
    if not s.instance.spec.suspend:
        return None
    message = f"GPUInstance {name} is suspended: nothing is changed until its spec.suspend is false"
    return wait(s, phase, Reason.SUSPENDED, message, after=s.limits.slow_poll)


def wait_for_turn(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """One upgrade of an instance at a time; later ones queue."""
    if s.status.accepted_at is not None or s.ahead is None:
        return None
    message = f"InstanceUpgrade {s.ahead} of the same instance goes first"
    return wait(s, UpgradePhase.PENDING, Reason.QUEUED, message, after=s.limits.slow_poll)


def follow_its_machine(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """An upgrade is about one machine: if that is gone or was replaced, the upgrade has failed."""
    pinned, instance = s.status.instance, s.instance
    if pinned is None or instance is None:
        return None
    recorded = instance.status.instance
    if recorded is not None and recorded.id is not None and recorded.id != pinned.machine_id:
        message = f"the instance has another machine now ({recorded.id}) than when this upgrade began"
        return fail(s, Reason.INSTANCE_REPLACED, message + _left_behind(s))
    if s.machine is not None:
        return None
    if s.fresh is None:
        return need(s, UpgradeNeed.MACHINE)
    message = f"machine {pinned.machine_id} no longer exists at the provider"
    return fail(s, Reason.INSTANCE_LOST, message + _left_behind(s))


def cancel_when_asked(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """`spec.cancel` ends the upgrade while payment is not known; nothing at the provider is undone by it."""
    status = s.status
    if not s.spec.cancel or status.paid_at is not None or status.holds_machine:
        return None
    if not s.is_ordered:
        return _cancelled(s, "cancelled; nothing was changed")
    if s.order is None:
        return need(s, UpgradeNeed.ORDER)
    if status.order is None:
        return _cancel_unseen_order(s)
    paid = s.order.order is not None and s.order.order.paid
    if paid or status.order.invoice_id == s.spec.payment.confirmed_invoice_id:
        return None
    return _cancelled(s, "cancelled before payment" + describe_open_order(s))


def _cancel_unseen_order(s: UpgradeSnapshot) -> UpgradeDecision | None:
    hidden_until = order_hidden_until(s)
    if hidden_until is None:
        return _cancelled(s, "cancelled; no order was made")
    if s.order is not None and (s.order.order is not None or s.order.asked_at < hidden_until):
        return None  # Whether there is an invoice is about to be known, and is worth saying.
    if s.status.call is not None and s.status.call.phase is CallPhase.ACCEPTED:
        message = "the provider has taken an order and shows none: look for an invoice in its portal, and do not pay it"
        return _cancelled(s, f"cancelled; {message}")
    return _cancelled(s, "cancelled; the provider shows no order")


def leave_suspended_machine(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """A machine that the provider has frozen, or its owner has locked, is never touched."""
    machine = s.machine
    touching = s.status.paid_at is not None or s.status.holds_machine
    if machine is None or machine.state is not MachineState.SUSPENDED or not touching:
        return None
    message = f"machine {machine.id} is frozen or locked at the provider ({machine.word}): see its portal"
    return stall(s, s.status.phase or UpgradePhase.PENDING, Reason.INSTANCE_SUSPENDED, message)


def report_failed_change(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """An error state of the machine that is being changed ends the wait, in the provider's words."""
    machine = s.machine
    if machine is None or not s.status.holds_machine or not machine.trouble or machine.state is MachineState.RUNNING:
        return None
    message = f"the provider reports about machine {machine.id}: {machine.trouble}"
    return fail(s, Reason.RESIZE_FAILED, message, after=shape_of(machine))


def give_up_on_unknown_status(s: UpgradeSnapshot) -> UpgradeDecision:
    """A status that no step of the saga has written ends the upgrade: nobody knows what was done."""
    message = "the status of this upgrade fits no step of it, so that somebody has changed it: nothing more is done"
    return fail(s, Reason.UNKNOWN_OUTCOME, message + _left_behind(s))
