"""A person's part in an upgrade: to say that it is paid, that it is confirmed, that it is not wanted. Pure.

An upgrade in; out comes the change of its spec, or that nothing is to be done, or, as Trouble, why it is too late or
too early. The commands in `commands/steer` ask and send.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade import InstanceUpgrade
from gpuinstance.api.upgrade_words import UpgradeCondition
from gpuinstance.cli.connection import Object
from gpuinstance.cli.endings import Exit, Trouble


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be written, None for nothing, and what comes of it."""

    changes: Object | None
    words: str


def confirm_payment(upgrade: InstanceUpgrade, invoice: str | None) -> Step:
    """Return how it is said that the invoice is paid; `invoice` None: whichever it is.

    Raises Trouble if there is no invoice, or another.
    """
    order, name = upgrade.status.order, upgrade.metadata.name
    if _is_paid(upgrade):
        return Step(None, "is known to be paid already")
    _refuse_ended(upgrade)
    if order is None:
        if upgrade.spec.target.plan is None:
            raise _refused(upgrade, "it changes the machine by one call: there is no invoice")
        raise _refused(upgrade, f"there is no invoice yet: `kubectl gpu wait iup/{name} --for AwaitingPayment`")
    if invoice is not None and invoice != order.invoice_id:
        raise _refused(upgrade, f"its invoice is {order.invoice_id}, not {invoice}")
    if upgrade.spec.payment.confirmed_invoice_id == order.invoice_id:
        return Step(None, f"was told already that invoice {order.invoice_id} is paid")
    changes = {"payment": {"confirmedInvoiceID": order.invoice_id}}
    return Step(changes, f"is told that {describe_invoice(upgrade)} is paid: the change is applied now")


def describe_invoice(upgrade: InstanceUpgrade) -> str:
    """Return the invoice with its total, in words."""
    order = upgrade.status.order
    if order is None:
        return "no invoice"
    return f"invoice {order.invoice_id}" + (f" of {order.total} USD" if order.total else " of unknown total")


def confirm_sizes(upgrade: InstanceUpgrade) -> Step:
    """Return how the new sizes are kept. Raises Trouble if there is nothing to confirm."""
    if upgrade.spec.target.plan is None:
        raise _refused(upgrade, "only a plan has to be confirmed")
    if upgrade.status.confirmed_at is not None:
        return Step(None, "is confirmed already")
    _refuse_ended(upgrade)
    if upgrade.spec.confirm:
        return Step(None, "was told already to keep the new sizes")
    if upgrade.status.resized_at is None:
        return Step({"confirm": True}, "will keep the new sizes once the machine has them, healthy or not")
    return Step({"confirm": True}, "keeps the new sizes")


def cancel(upgrade: InstanceUpgrade) -> Step:
    """Return how the upgrade is cancelled. Raises Trouble if it is too late."""
    status = upgrade.status
    if status.outcome is not None:
        return Step(None, f"has ended already: {status.phase}")
    if upgrade.spec.cancel:
        return Step(None, "was told already not to go on")
    if _is_paid(upgrade) or status.holds_machine:
        raise _refused(upgrade, f"it is too late to cancel: {status.phase}")
    if status.order is not None:
        return Step({"cancel": True}, f"does not go on; do not pay {describe_invoice(upgrade)}, which stays open")
    return Step({"cancel": True}, "does not go on")


def _is_paid(upgrade: InstanceUpgrade) -> bool:
    """False also for an invoice that was of nothing when it was settled, and is to be paid by now."""
    ready = upgrade.status.condition(UpgradeCondition.READY)
    is_open = ready is not None and ready.reason == Reason.PAYMENT_UNCONFIRMED
    return upgrade.status.paid_at is not None and not is_open


def _refuse_ended(upgrade: InstanceUpgrade) -> None:
    if upgrade.status.outcome is not None:
        raise _refused(upgrade, f"it has ended: {upgrade.status.phase}; create another one")
    if upgrade.spec.cancel:
        raise _refused(upgrade, "it was told not to go on; create another one")


def _refused(upgrade: InstanceUpgrade, why: str) -> Trouble:
    return Trouble(f"iup/{upgrade.metadata.name}: {why}", Exit.REFUSED)
