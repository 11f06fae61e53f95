"""The order: made once, looked for after an unclear answer, repeated only if surely none was made."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_words import CallPhase, CallType, UpgradePhase
from gpuinstance.core.decision import OrderUpgrade
from gpuinstance.core.model import MachineState, PlanChoice, Sizes
from gpuinstance.core.upgrade.decision import UpgradeNeed
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from tests.materials import NOW, ago
from tests.unit.upgrade.table import Answer, asks, does, fails, holds, judge, rows, stalls, waits
from tests.upgrade_builders import BIG, OURS, PAID, THEIRS, UpgradeBuilder, look, renting, server, upgrade

ACCEPTED, REFUSED = CallPhase.ACCEPTED, CallPhase.REFUSED
ORDER = OrderUpgrade("m-1", PlanChoice("5"))


def sent(seconds: float, phase: CallPhase = CallPhase.INITIATED, **more: object) -> UpgradeBuilder:
    """Return an upgrade whose order was sent so many seconds ago."""
    return upgrade().ordering(phase, began=ago(seconds=seconds), **more)


@rows(
    ("after the call the order is looked for", look(sent(5), server()), asks(UpgradeNeed.ORDER)),
    (
        "it is shown: its invoice is taken down and somebody is asked to pay it",
        look(sent(5), server(), order=OURS),
        holds(
            Reason.AWAITING_PAYMENT,
            phase=UpgradePhase.AWAITING_PAYMENT,
            status=lambda status: (
                (status.order.invoice_id, status.order.total, status.ordered_at) == ("416", "4.00", NOW)
                and status.call.phase is ACCEPTED
            ),
        ).saying("pay invoice 416 of 4.00 USD, due 2027-02-01"),
    ),
    (
        "an unclear call whose order is shown late, too",
        look(sent(3000), server(), order=OURS),
        holds(Reason.AWAITING_PAYMENT),
    ),
    (
        "a total that is no number is said to be unknown",
        look(sent(5), server(), order=replace(OURS, total=None, due_date="")),
        holds(Reason.AWAITING_PAYMENT).saying("pay invoice 416 of an unknown sum at"),
    ),
    (
        "an order that is paid already is taken down all the same",
        look(sent(5), server(), order=PAID),
        holds(Reason.AWAITING_PAYMENT, status=lambda status: status.paid_at is None),
    ),
    ("not shown yet", look(sent(59), server(), order=False), waits(Reason.ORDERING)),
    (
        "not shown to a question that was asked too early, however late it was answered",
        look(sent(75), server(), order=False, asked_at=ago(seconds=20)),
        waits(Reason.ORDERING),
    ),
    (
        "an unclear order that never shows was never made: it is made again",
        look(sent(60), server(), order=False),
        does(ORDER, Reason.ORDERING, intent=CallType.ORDER, status=lambda status: status.call.attempt == 2),
    ),
    (
        "but not on a machine that was stopped meanwhile",
        look(sent(60), server(MachineState.STOPPED), order=False),
        holds(Reason.INSTANCE_NOT_RUNNING),
    ),
    (
        "nor while its instance is being worked on",
        look(sent(60), server(), order=False, instance=renting().edited(power_state="Stopped")),
        waits(Reason.INSTANCE_BUSY),
    ),
    (
        "nor for ever",
        look(sent(60, attempt=3), server(), order=False),
        fails(Reason.UNKNOWN_OUTCOME).saying("look into the provider's portal"),
    ),
    (
        "nor after the time for payment, whatever the machine does",
        look(sent(73 * 3600), server(MachineState.STOPPED), order=False),
        fails(Reason.UNKNOWN_OUTCOME),
    ),
    ("an accepted order is never made again", look(sent(60, ACCEPTED), server(), order=False), waits(Reason.ORDERING)),
    (
        "it is waited for, not for ever",
        look(sent(1800, ACCEPTED), server(), order=False),
        fails(Reason.ORDER_NOT_SHOWN).saying("look for an invoice in its portal"),
    ),
    (
        "a refused one is made again after its pause",
        look(sent(60, REFUSED, reason=Reason.RATE_LIMITED), server(), order=False),
        does(ORDER, Reason.ORDERING, status=lambda status: status.call.attempt == 1),
    ),
    (
        "an order that is shown after a refusal is somebody else's",
        look(sent(60, REFUSED, reason=Reason.RATE_LIMITED), server(), order=THEIRS),
        stalls(Reason.FOREIGN_UPGRADE_ORDER, status=lambda status: status.order is None),
    ),
    (
        "a refusal until the time for payment is over",
        look(sent(73 * 3600, REFUSED, reason=Reason.RATE_LIMITED), server(), order=False),
        fails(Reason.REQUEST_REJECTED),
    ),
)
def test_find_order(given: UpgradeSnapshot, answer: Answer) -> None:
    """The unknown outcome of an order is resolved by looking, for longer than it could stay hidden."""
    judge(given, answer.by("find_order"))


def test_nobody_is_asked_to_pay_nothing() -> None:
    """An invoice of 0 USD is noted and settled at once: there is no moment at which a person is waited for."""
    given = look(sent(5, ACCEPTED), server(), order=replace(OURS, total=Decimal("0.00")))

    def is_noted(status: Any) -> bool:
        free = status.order.total == "0.00" and status.ordered_at == NOW
        return free and status.paid_at == NOW and status.condition("ActionRequired") is None

    judge(given, waits(Reason.PAID, status=is_noted).by("find_order"))


UNBILLED = replace(OURS, invoice_id="0", total=Decimal("0.00"))


@rows(
    (
        "an order is shown before its invoice is made",
        look(sent(5, ACCEPTED), server(), order=UNBILLED),
        waits(Reason.ORDERING, status=lambda it: it.order is None and it.paid_at is None).saying("no invoice yet"),
    ),
    (
        "also where the call got no answer",
        look(sent(120), server(), order=UNBILLED),
        waits(Reason.ORDERING, status=lambda it: it.call.attempt == 1),
    ),
    (
        "no invoice comes up in all the time that a step may take",
        look(sent(1800, ACCEPTED), server(), order=UNBILLED),
        fails(Reason.ORDER_NOT_SHOWN).saying("order 98 without an invoice"),
    ),
    (
        "it is paid in as many words all the same",
        look(sent(5, ACCEPTED), server(), order=replace(UNBILLED, paid=True)),
        holds(Reason.AWAITING_PAYMENT, status=lambda it: it.order.id == "98"),
    ),
    (
        "a draft is noted, and is not free",
        look(sent(5, ACCEPTED), server(), order=replace(OURS, total=Decimal(0), is_void=True)),
        holds(Reason.AWAITING_PAYMENT, status=lambda it: it.order.total == "0" and it.paid_at is None),
    ),
)
def test_an_order_is_taken_down_with_its_invoice(given: UpgradeSnapshot, answer: Answer) -> None:
    """Before there is an invoice, a sum of 0 says nothing about what is to be paid, and 0 is the id of none."""
    judge(given, answer.by("find_order"))


def test_a_price_step_is_checked_again_on_the_invoice() -> None:
    """What the price list did not tell, the invoice does: above the limit nothing is waited for."""
    given = look(upgrade().limited_to("5").awaiting_payment(), server(), order=replace(OURS, total=Decimal(6)))
    judge(given, fails(Reason.PRICE_ABOVE_LIMIT).saying("do not pay it").by("await_payment"))


@rows(
    (
        "a pause is respected, and said",
        look(sent(5, REFUSED, reason=Reason.RATE_LIMITED, retry_in=10), server()),
        waits(Reason.RATE_LIMITED).saying("no: RateLimited"),
    ),
    (
        "what a person can help with is waited for",
        look(sent(5, REFUSED, reason=Reason.UNAUTHORIZED, retryable=False, retry_in=600), server()),
        stalls(Reason.UNAUTHORIZED),
    ),
    (
        "so is money",
        look(sent(5, REFUSED, reason=Reason.BALANCE_NOT_ENOUGH, retryable=False, retry_in=600), server()),
        stalls(Reason.BALANCE_NOT_ENOUGH),
    ),
    (
        "a definite no to an order ends the upgrade",
        look(sent(5, REFUSED, reason=Reason.REQUEST_REJECTED, retryable=False, retry_in=600), server()),
        fails(Reason.REQUEST_REJECTED),
    ),
    (
        "a definite no to an apply that is paid for does not: somebody has to see to it",
        look(
            upgrade().applying(REFUSED, reason=Reason.REQUEST_REJECTED, retryable=False, retry_in=600),
            server(),
        ),
        stalls(Reason.REQUEST_REJECTED, phase=UpgradePhase.APPLYING),
    ),
    (
        "until the time for payment is over and it was tried often enough",
        look(
            upgrade()
            .applying(REFUSED, reason=Reason.REQUEST_REJECTED, retryable=False, retry_in=600, failures=3)
            .with_status(payment_deadline=NOW),
            server(),
        ),
        fails(Reason.REQUEST_REJECTED).saying("invoice 416 was paid and nothing was applied"),
    ),
    (
        "however late it is, it is tried often enough",
        look(
            upgrade()
            .applying(REFUSED, reason=Reason.REQUEST_REJECTED, retryable=False, retry_in=600, failures=2)
            .with_status(payment_deadline=NOW),
            server(),
        ),
        stalls(Reason.REQUEST_REJECTED),
    ),
    (
        "a retryable no is no such end",
        look(
            upgrade()
            .applying(REFUSED, reason=Reason.RATE_LIMITED, retry_in=600, failures=9)
            .with_status(payment_deadline=NOW),
            server(),
        ),
        waits(Reason.RATE_LIMITED),
    ),
    (
        "nor does one to a confirmation",
        look(
            upgrade().confirming(REFUSED, reason=Reason.REQUEST_REJECTED, retryable=False, retry_in=600),
            server(MachineState.RESIZED, BIG),
        ),
        stalls(Reason.REQUEST_REJECTED),
    ),
)
def test_pause_after_refusal(given: UpgradeSnapshot, answer: Answer) -> None:
    """A refused call is made again after its pause; a refused order that no pause can help ends the upgrade."""
    judge(given, answer.by("pause_after_refusal"))


RESIZED_BY_OTHERS = [
    ("resizing", server(MachineState.RESIZING)),
    ("resized", server(MachineState.RESIZED, BIG)),
    ("confirmed", server(sizes=BIG)),
    ("another size", server(sizes=Sizes(8192, 4, 50))),
]


@rows(
    *[
        (
            f"awaiting payment, {how}",
            look(upgrade().awaiting_payment(), shown, order=OURS),
            fails(Reason.FOREIGN_CHANGE).saying("do not pay it"),
        )
        for how, shown in RESIZED_BY_OTHERS
    ],
    *[
        (
            f"paid, {how}",
            look(upgrade().paid(), shown, fresh=True, order=OURS),
            fails(Reason.FOREIGN_CHANGE).saying("was paid and nothing was applied"),
        )
        for how, shown in RESIZED_BY_OTHERS
    ],
    *[
        (
            f"apply refused, {how}",
            look(upgrade().applying(REFUSED, reason=Reason.REQUEST_REJECTED), shown, fresh=True, order=OURS),
            fails(Reason.FOREIGN_CHANGE),
        )
        for how, shown in RESIZED_BY_OTHERS
    ],
    (
        "while the order is refused",
        look(sent(5, REFUSED, reason=Reason.RATE_LIMITED, retry_in=10), server(MachineState.RESIZING)),
        fails(Reason.FOREIGN_CHANGE),
    ),
    (
        "after an order that never showed",
        look(sent(60), server(MachineState.RESIZING), order=False),
        fails(Reason.FOREIGN_CHANGE),
    ),
)
def test_stop_at_foreign_change(given: UpgradeSnapshot, answer: Answer) -> None:
    """A machine that somebody else resizes before our own change stops the upgrade, with what stays open."""
    judge(given, answer.by("stop_at_foreign_change"))


@rows(
    (
        "an order on its way is first looked for, so that it can be named",
        look(sent(5), server(MachineState.RESIZING)),
        asks(UpgradeNeed.ORDER),
    ),
    (
        "and taken down",
        look(sent(5), server(MachineState.RESIZING), order=OURS),
        holds(Reason.AWAITING_PAYMENT, status=lambda status: status.order.invoice_id == "416"),
    ),
    (
        "sizes that are not shown for once are no change",
        look(upgrade().awaiting_payment(), server(sizes=None), order=OURS),
        holds(Reason.AWAITING_PAYMENT),
    ),
    (
        "nor is a single one that is not shown",
        look(upgrade().awaiting_payment(), server(sizes=Sizes(0, 1, 50)), order=OURS),
        holds(Reason.AWAITING_PAYMENT),
    ),
)
def test_what_is_no_foreign_change(given: UpgradeSnapshot, answer: Answer) -> None:
    """Only what is seen counts as somebody's doing."""
    judge(given, answer)
