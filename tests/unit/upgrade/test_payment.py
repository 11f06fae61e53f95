"""Payment is positive knowledge only: the provider's word, or a person's by the invoice's id."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_words import UpgradePhase
from gpuinstance.core.model import MachineState
from gpuinstance.core.upgrade.decision import UpgradeNeed
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from tests.materials import NOW, ago
from tests.unit.upgrade.table import Answer, asks, fails, holds, judge, rows, waits
from tests.upgrade_builders import OURS, PAID, THEIRS, look, server, upgrade

AWAITING = upgrade().awaiting_payment()
OVERDUE = upgrade().awaiting_payment(since=ago(hours=72))
COSTLY = replace(OURS, total=Decimal("4.01"))
NAMELESS = replace(OURS, total=None)
FREE = replace(OURS, total=Decimal("0.00"))
DRAFT = replace(FREE, is_void=True)
UNBILLED = replace(FREE, invoice_id="0")


def is_paid(status: object) -> bool:
    """Return whether the milestone is reached."""
    return getattr(status, "paid_at", None) == NOW


@rows(
    ("the provider is asked each time", look(AWAITING, server()), asks(UpgradeNeed.ORDER)),
    (
        "an open order says nothing about payment",
        look(AWAITING, server(), order=OURS),
        holds(Reason.AWAITING_PAYMENT, phase=UpgradePhase.AWAITING_PAYMENT),
    ),
    (
        "the provider says that it is paid",
        look(AWAITING, server(), order=PAID),
        waits(Reason.PAID, phase=UpgradePhase.APPLYING, status=is_paid).saying("says the provider"),
    ),
    (
        "there is nothing to be paid, as for a smaller plan",
        look(upgrade().awaiting_payment(total="0.00"), server(), order=FREE),
        waits(Reason.PAID, phase=UpgradePhase.APPLYING, status=is_paid).saying("416 is of 0 USD: nothing is to be"),
    ),
    (
        "that such an order is gone proves as little as of any other",
        look(upgrade().awaiting_payment(total="0.00"), server(), order=False),
        holds(Reason.PAYMENT_UNCONFIRMED).saying("proves no payment"),
    ),
    (
        "a draft of nothing may be of something tomorrow",
        look(upgrade().awaiting_payment(total="0.00"), server(), order=DRAFT),
        holds(Reason.AWAITING_PAYMENT),
    ),
    (
        "an order without an invoice owes nothing yet",
        look(upgrade().awaiting_payment(total="0.00"), server(), order=UNBILLED),
        holds(Reason.AWAITING_PAYMENT),
    ),
    (
        "what has become of the invoice since is what counts",
        look(upgrade().awaiting_payment(total="0.00"), server(), order=OURS),
        holds(Reason.AWAITING_PAYMENT).saying("pay invoice 416 of 4.00 USD"),
    ),
    (
        "another order than ours is not free because ours is",
        look(upgrade().awaiting_payment(total="0.00"), server(), order=THEIRS),
        fails(Reason.FOREIGN_UPGRADE_ORDER),
    ),
    (
        "a person says so",
        look(AWAITING.confirming_invoice("416"), server(), order=OURS),
        waits(Reason.PAID, status=is_paid).saying("says spec.payment.confirmedInvoiceID"),
    ),
    (
        "a person's word needs no order to be shown: where it is paid it may have vanished",
        look(AWAITING.confirming_invoice("416"), server(), order=False),
        waits(Reason.PAID, status=is_paid),
    ),
    (
        "the id of another invoice is no payment",
        look(AWAITING.confirming_invoice("417"), server(), order=OURS),
        holds(Reason.PAYMENT_UNCONFIRMED).saying("is 417, and the invoice of this upgrade 416"),
    ),
    (
        "nor is the id of the order",
        look(AWAITING.confirming_invoice("98"), server(), order=OURS),
        holds(Reason.PAYMENT_UNCONFIRMED),
    ),
    (
        "an order that vanished is no payment: a person is asked which of both it is",
        look(AWAITING, server(), order=False),
        holds(Reason.PAYMENT_UNCONFIRMED).saying("proves no payment"),
    ),
    (
        "an order of somebody else has taken its place",
        look(AWAITING, server(), order=THEIRS),
        fails(Reason.FOREIGN_UPGRADE_ORDER).saying("the open order is 99 now, not 98"),
    ),
    (
        "also if that one is paid",
        look(AWAITING, server(), order=replace(THEIRS, paid=True)),
        fails(Reason.FOREIGN_UPGRADE_ORDER),
    ),
    (
        "also if a person has paid ours: what was paid is named",
        look(AWAITING.confirming_invoice("416"), server(), order=THEIRS),
        fails(Reason.FOREIGN_UPGRADE_ORDER).saying("invoice 416 was paid and nothing was applied"),
    ),
    (
        "an invoice above the limit",
        look(AWAITING.limited_to("4"), server(), order=COSTLY),
        fails(Reason.PRICE_ABOVE_LIMIT).saying("for 4.01 USD, above spec.payment.maxTotal of 4 USD"),
    ),
    (
        "an invoice of an unknown sum, under a limit",
        look(AWAITING.limited_to("4"), server(), order=NAMELESS),
        fails(Reason.PRICE_ABOVE_LIMIT),
    ),
    (
        "an invoice of an unknown sum, without one",
        look(AWAITING, server(), order=NAMELESS),
        holds(Reason.AWAITING_PAYMENT),
    ),
    ("an invoice at the limit", look(AWAITING.limited_to("4"), server(), order=OURS), holds(Reason.AWAITING_PAYMENT)),
    (
        "above the limit and taken from the account by the provider: nothing is applied",
        look(AWAITING.limited_to("4"), server(), order=replace(COSTLY, paid=True)),
        fails(Reason.PRICE_ABOVE_LIMIT).saying("invoice 416 was paid and nothing was applied"),
    ),
    (
        "above the limit, but a person has paid this very invoice",
        look(AWAITING.limited_to("4").confirming_invoice("416"), server(), order=COSTLY),
        waits(Reason.PAID),
    ),
    (
        "the time is over",
        look(OVERDUE, server(), order=OURS),
        fails(Reason.PAYMENT_TIMED_OUT).saying("order 98 with invoice 416 stays open at the provider: do not pay it"),
    ),
    (
        "a second before that it is not",
        look(OVERDUE, server(), at=NOW - timedelta(seconds=1), order=OURS),
        holds(Reason.AWAITING_PAYMENT),
    ),
    ("the time is over, and the order vanished", look(OVERDUE, server(), order=False), fails(Reason.PAYMENT_TIMED_OUT)),
    ("paid in the last moment", look(OVERDUE, server(), order=PAID), waits(Reason.PAID)),
    ("confirmed in the last moment", look(OVERDUE.confirming_invoice(), server(), order=OURS), waits(Reason.PAID)),
    (
        "payment is awaited also while the machine is stopped",
        look(AWAITING, server(MachineState.STOPPED), order=OURS),
        holds(Reason.AWAITING_PAYMENT),
    ),
    (
        "and taken note of",
        look(AWAITING, server(MachineState.STOPPED), order=PAID),
        waits(Reason.PAID, status=is_paid),
    ),
)
def test_await_payment(given: UpgradeSnapshot, answer: Answer) -> None:
    """Nothing is applied before payment is positively known; without it the upgrade ends at its deadline."""
    judge(given, answer.by("await_payment"))


@pytest.mark.parametrize("order", [OURS, False], ids=["shown", "vanished"])
def test_payment_is_looked_at_slowly_and_acted_on_at_once(order: object) -> None:
    """A person takes hours; what the operator knows it does without a pause."""
    waiting = judge(look(AWAITING, server(), order=order), Answer())  # type: ignore[arg-type]  # either of both
    assert waiting.requeue_after == timedelta(seconds=60)
    paid = judge(look(AWAITING.confirming_invoice(), server(), order=order), Answer())  # type: ignore[arg-type]  # see above
    assert paid.requeue_after is not None
    assert paid.requeue_after == timedelta()


def test_waiting_for_payment_writes_nothing_new() -> None:
    """A look that learns nothing changes no status, so that three days of waiting cost no write."""
    first = judge(look(AWAITING, server(), order=OURS), Answer()).status
    again = AWAITING.build().model_copy(update={"status": first})
    later = look(again, server(), order=OURS, at=NOW + timedelta(hours=1))
    assert judge(later, Answer()).status == first
