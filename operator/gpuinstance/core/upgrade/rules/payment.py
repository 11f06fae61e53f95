"""Rules between the order and its payment. Payment is positive knowledge only: the provider says so, or a
person does, by the invoice's id. Silence, a vanished order, an error: not paid.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import OrderStatus, UpgradeCall
from gpuinstance.api.upgrade_words import CallPhase, CallType, UpgradeOutcome, UpgradePhase
from gpuinstance.core.decision import OrderUpgrade
from gpuinstance.core.model import Machine, MachineState, UpgradeOrder
from gpuinstance.core.pricing import money
from gpuinstance.core.upgrade import calls
from gpuinstance.core.upgrade.answers import fail, hold, need, stall, wait
from gpuinstance.core.upgrade.decision import UpgradeDecision, UpgradeNeed
from gpuinstance.core.upgrade.rules.beginning import foreign_order
from gpuinstance.core.upgrade.rules.ends import describe_open_order, order_hidden_until
from gpuinstance.core.upgrade.rules.ready import not_ready_for_change
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from gpuinstance.core.upgrade.target import choice_of, is_as_before, shape_of

_ORDERING, _AWAITING = UpgradePhase.ORDERING, UpgradePhase.AWAITING_PAYMENT


def stop_at_foreign_change(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """A machine that somebody else resizes before our own change stops the upgrade."""
    machine, before = s.machine, s.status.before
    if not s.is_ordered or machine is None or before is None or s.status.holds_machine:
        return None
    if is_as_before(machine, before) and machine.state not in (MachineState.RESIZING, MachineState.RESIZED):
        return None
    hidden_until = order_hidden_until(s)
    if hidden_until is not None and s.now < hidden_until:
        return None  # First the order is looked for, so that what stays open can be named.
    message = f"somebody else has resized machine {machine.id} ({machine.word}): this upgrade no longer fits"
    return fail(s, Reason.FOREIGN_CHANGE, message + describe_open_order(s), after=shape_of(machine))


def find_order(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """After the order call: look for the order. It is ordered again only if surely none was made."""
    call, machine = s.call_of(CallType.ORDER), s.machine
    if call is None or s.status.order is not None or machine is None:
        return None
    if s.order is None:
        return need(s, UpgradeNeed.ORDER)
    seen = s.order.order
    if call.phase is CallPhase.REFUSED:
        return foreign_order(s, _ORDERING) if seen is not None else _order_again(s, call, machine)
    if seen is not None:
        return _take_down(s, call, seen) if seen.has_invoice or seen.paid else _await_invoice(s, call, seen)
    if s.order.asked_at < call.started_at + s.limits.settle:
        return wait(s, _ORDERING, Reason.ORDERING, "looking for the order and its invoice")
    if call.phase is CallPhase.INITIATED:
        return _order_again(s, call, machine)
    if s.now < call.started_at + s.limits.resize_timeout:
        return wait(s, _ORDERING, Reason.ORDERING, "the provider has taken the order and does not show it yet")
    message = "the provider has taken an order and never showed it: look for an invoice in its portal"
    return fail(s, Reason.ORDER_NOT_SHOWN, message)


def _await_invoice(s: UpgradeSnapshot, call: UpgradeCall, seen: UpgradeOrder) -> UpgradeDecision:
    """Without its invoice nobody could pay it, and its sum is that of no invoice."""
    if s.now < call.started_at + s.limits.resize_timeout:
        message = f"order {seen.id} has no invoice yet: waiting until the provider shows it"
        return wait(s, _ORDERING, Reason.ORDERING, message)
    message = f"the provider shows order {seen.id} without an invoice: look for it in its portal, and do not pay it"
    return fail(s, Reason.ORDER_NOT_SHOWN, message)


def _take_down(s: UpgradeSnapshot, call: UpgradeCall, seen: UpgradeOrder) -> UpgradeDecision:
    order = OrderStatus(
        id=seen.id,
        order_id=seen.order_id,
        invoice_id=seen.invoice_id,
        total=format(seen.total, "f") if seen.total is not None else None,
        due_date=seen.due_date or None,
    )
    changes = {"order": order, "ordered_at": s.now, "call": calls.accept(call, s)}
    return _free(s, order, seen, changes) or await_person(s, order, seen, changes)


def _order_again(s: UpgradeSnapshot, call: UpgradeCall, machine: Machine) -> UpgradeDecision:
    plan, target, deadline = s.spec.target.plan, s.status.target, s.status.payment_deadline
    assert plan is not None
    assert target is not None
    last = call.error.message if call.error is not None else "no order is shown"
    if call.attempt >= calls.MOST_SENDS or (deadline is not None and s.now >= deadline):
        reason = Reason.UNKNOWN_OUTCOME if call.phase is CallPhase.INITIATED else Reason.REQUEST_REJECTED
        message = f"the order could not be placed: {last}; look into the provider's portal before you try again"
        return fail(s, reason, message)
    if (unready := not_ready_for_change(s, _ORDERING)) is not None:
        return unready
    message = f"ordering plan {target.product_name or target.product_id} for machine {machine.id}"
    action = OrderUpgrade(machine.id, choice_of(plan, target))
    return wait(s, _ORDERING, Reason.ORDERING, message, action=action, call=calls.begin(s, CallType.ORDER))


def await_payment(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """Nothing is applied before payment is positively known; without it the upgrade ends at its deadline."""
    order, status = s.status.order, s.status
    if order is None or status.paid_at is not None or status.holds_machine:
        return None
    if s.order is None:
        return need(s, UpgradeNeed.ORDER)
    seen, confirmed = s.order.order, s.spec.payment.confirmed_invoice_id
    said_by_person = confirmed == order.invoice_id
    if (foreign := stop_at_foreign_order(s, paid=said_by_person)) is not None:
        return foreign
    if said_by_person:
        return _paid(s, order, by="spec.payment.confirmedInvoiceID")
    if (refusal := _above_limit(s, order, seen)) is not None:
        return refusal
    if (settled := _settled(s, order, seen) if seen is not None else None) is not None:
        return settled
    if status.payment_deadline is not None and s.now >= status.payment_deadline:
        message = f"no payment of invoice {order.invoice_id} is known after spec.payment.timeout"
        return fail(s, Reason.PAYMENT_TIMED_OUT, message + describe_open_order(s))
    if confirmed is not None:
        message = f"spec.payment.confirmedInvoiceID is {confirmed}, and the invoice of this upgrade {order.invoice_id}"
        return hold(s, _AWAITING, Reason.PAYMENT_UNCONFIRMED, message)
    if seen is None:
        message = (
            f"the provider no longer shows order {order.id}, which proves no payment: if invoice {order.invoice_id} "
            "is paid, set spec.payment.confirmedInvoiceID to it, else spec.cancel to true"
        )
        return hold(s, _AWAITING, Reason.PAYMENT_UNCONFIRMED, message)
    return await_person(s, order, seen, {})


def stop_at_foreign_order(s: UpgradeSnapshot, *, paid: bool = False) -> UpgradeDecision | None:
    """Fail if another order than ours is open: what is paid or applied now could be somebody else's."""
    order, seen = s.status.order, s.order.order if s.order is not None else None
    if order is None or seen is None or seen.id == order.id:
        return None
    message = f"the open order is {seen.id} now, not {order.id}: somebody else has ordered"
    words = describe_open_order(s, paid=True) if paid or s.status.paid_at is not None else ""
    return fail(s, Reason.FOREIGN_UPGRADE_ORDER, message + words)


def _paid(s: UpgradeSnapshot, order: OrderStatus, *, by: str) -> UpgradeDecision:
    message = f"invoice {order.invoice_id} is paid, says {by}"
    return wait(s, UpgradePhase.APPLYING, Reason.PAID, message, after=timedelta(), paid_at=s.now)


def stop_at_new_charge(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """What was settled because it was of nothing, and is to be paid by now: nothing is applied before it is paid."""
    order, seen = s.status.order, s.order.order if s.order is not None else None
    if order is None or seen is None or seen.paid or not seen.total or not _was_of_nothing(order):
        return None
    if s.spec.payment.confirmed_invoice_id == order.invoice_id:
        return None
    message = f"invoice {order.invoice_id} was of nothing and is of {money(seen.total)} now"
    left = f"{message}; order {order.id} with invoice {order.invoice_id} stays open at the provider: do not pay it"
    cap, deadline = s.spec.payment.max_total, s.status.payment_deadline
    if s.spec.cancel:
        return fail(s, Reason.CANCELLED, left, phase=UpgradePhase.CANCELLED, outcome=UpgradeOutcome.CANCELLED)
    if cap is not None and seen.total > cap:
        return fail(s, Reason.PRICE_ABOVE_LIMIT, left)
    if deadline is not None and s.now >= deadline:
        return fail(s, Reason.PAYMENT_TIMED_OUT, left)
    ways = f'pay it and set spec.payment.confirmedInvoiceID to "{order.invoice_id}", or spec.cancel to true'
    return hold(s, UpgradePhase.APPLYING, Reason.PAYMENT_UNCONFIRMED, f"{message}: {ways}")


def _was_of_nothing(order: OrderStatus) -> bool:
    return order.total is not None and not Decimal(order.total)


def _settled(s: UpgradeSnapshot, order: OrderStatus, seen: UpgradeOrder) -> UpgradeDecision | None:
    """The provider says that it is paid, or that nothing is to be paid."""
    return _paid(s, order, by="the provider") if seen.paid else _free(s, order, seen)


def _free(
    s: UpgradeSnapshot, order: OrderStatus, seen: UpgradeOrder, changes: dict[str, Any] | None = None
) -> UpgradeDecision | None:
    """An invoice of nothing, as for a smaller plan, is nothing that anybody could pay; not before there is one."""
    if seen.total is None or seen.total > 0 or seen.is_void or not seen.has_invoice:
        return None
    message = f"invoice {order.invoice_id} is of {money(seen.total)}: nothing is to be paid"
    return wait(s, UpgradePhase.APPLYING, Reason.PAID, message, after=timedelta(), paid_at=s.now, **(changes or {}))


def await_person(
    s: UpgradeSnapshot, order: OrderStatus, seen: UpgradeOrder, changes: dict[str, Any]
) -> UpgradeDecision:
    """Say what is to be paid, and by which word the operator learns of it."""
    known = format(seen.total, "f") if seen.total is not None else order.total
    due = f", due {order.due_date}," if order.due_date else ""
    total = f"{known} USD" if known is not None else "an unknown sum"
    message = (
        f"pay invoice {order.invoice_id} of {total}{due} at the provider; should the provider not show that it is "
        f'paid, then set spec.payment.confirmedInvoiceID to "{order.invoice_id}"'
    )
    return hold(s, _AWAITING, Reason.AWAITING_PAYMENT, message, **changes)


def _above_limit(s: UpgradeSnapshot, order: OrderStatus, seen: UpgradeOrder | None) -> UpgradeDecision | None:
    cap, total = s.spec.payment.max_total, seen.total if seen is not None else None
    if cap is None or seen is None or (total is not None and total <= cap):
        return None
    message = f"invoice {order.invoice_id} is for {money(total)}, above spec.payment.maxTotal of {money(cap)}"
    return fail(s, Reason.PRICE_ABOVE_LIMIT, message + describe_open_order(s, paid=seen.paid))


def pause_after_refusal(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """A refused call is made again after its pause; where no pause can help, the refusal ends the upgrade."""
    call = s.status.call
    if call is None or call.phase is not CallPhase.REFUSED or call.error is None:
        return None
    reason, message = Reason(call.error.code), call.error.message
    if not call.error.retryable and reason not in _PERSON_CAN_HELP and _is_final(s, call):
        return fail(s, reason, message + describe_open_order(s))
    if call.retry_at is None or call.retry_at <= s.now:
        return None
    phase = s.status.phase or UpgradePhase.PENDING
    answer = wait if call.error.retryable else stall
    return answer(s, phase, reason, message, after=min(call.retry_at - s.now, s.limits.slow_poll))


def _is_final(s: UpgradeSnapshot, call: UpgradeCall) -> bool:
    """True for a definite no that is not waited out.

    Money that a person has sent may be booked late, so that what is paid for is asked for again, slowly, for as
    long as payment could have been waited for. A machine that was resized is never left by itself.
    """
    if s.status.applied_at is not None:
        return False
    if s.status.paid_at is None:
        return True
    deadline = s.status.payment_deadline
    return deadline is not None and s.now >= deadline and call.failures >= calls.MOST_SENDS


_PERSON_CAN_HELP = frozenset(
    {Reason.UNAUTHORIZED, Reason.CREDENTIALS_UNAVAILABLE, Reason.BALANCE_NOT_ENOUGH, Reason.INSTANCE_SUSPENDED}
)
"""Refusals that end when somebody has done something elsewhere, so that the same call is worth repeating."""
