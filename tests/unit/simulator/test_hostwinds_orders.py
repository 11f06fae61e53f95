"""The books of the simulated Hostwinds: totals, orders, invoices, without a cloud around them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gpuinstance_simulator.clock import TEST_EPOCH
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.hostwinds.orders import DAY, Books, prorated
from gpuinstance_simulator.hostwinds.shop import PLANS, Plan, Sizes

BY_RID = {plan.id: plan for plan in PLANS}
FOUR = Decimal("4.00")


@pytest.mark.parametrize(
    ("before", "after", "months", "days", "total"),
    [
        pytest.param("9.99", "13.99", 1, 0, "4.00", id="at the start the whole difference"),
        pytest.param("9.99", "13.99", 1, 0.99, "4.00", id="a day that has begun is not used up"),
        pytest.param("9.99", "13.99", 1, 1, "3.87", id="a day later one thirtieth less"),
        pytest.param("9.99", "13.99", 1, 15.5, "2.00", id="half way half of it"),
        pytest.param("9.99", "13.99", 1, 29.9, "0.13", id="on the last day one thirtieth"),
        pytest.param("9.99", "13.99", 1, 30, "4.00", id="a new cycle begins"),
        pytest.param("119.88", "167.88", 12, 180, "24.00", id="a year has 360 days"),
        pytest.param("13.99", "9.99", 1, 0, "0.00", id="something cheaper costs nothing"),
        pytest.param("9.99", "9.99", 0, 3, "0.00", id="hourly billing has no cycle"),
    ],
)
def test_a_total_is_prorated_by_days(before: str, after: str, months: int, days: float, total: str) -> None:
    """The difference for the cycle, times the share of its days that is left, in cents."""
    since = TEST_EPOCH
    found = prorated(Decimal(before), Decimal(after), months=months, since=since, now=since + days * DAY)
    assert str(found) == total


def test_an_order_has_an_invoice_and_keeps_others_away() -> None:
    """Three series of numbers; due in a week; one open order for each server."""
    books = Books()
    order = books.place("1", BY_RID["402"], BY_RID["403"], FOUR, TEST_EPOCH)
    assert (order.id, order.order_id, order.invoice.id) == (98, 550, 416)
    assert order.invoice.due.isoformat() == "2027-01-22"
    assert books.open_order("1") is order
    with pytest.raises(CloudError) as refused:
        books.place("1", BY_RID["402"], BY_RID["404"], FOUR, TEST_EPOCH)
    assert refused.value.reason is Refusal.ORDER_OPEN
    assert len(books.invoices) == 1
    other = books.place("2", BY_RID["402"], BY_RID["403"], FOUR, TEST_EPOCH)
    assert (other.id, other.order_id, other.invoice.id) == (99, 551, 417)
    order.is_open = False
    assert books.open_order("1") is None
    assert books.last_order("1") is order
    books.place("1", BY_RID["403"], BY_RID["404"], FOUR, TEST_EPOCH)


def test_an_invoice_is_paid_once_or_cancelled() -> None:
    """Cancelling a paid order leaves the money where it is."""
    books = Books()
    first = books.place("1", BY_RID["402"], BY_RID["403"], FOUR, TEST_EPOCH)
    second = books.place("2", BY_RID["402"], BY_RID["403"], FOUR, TEST_EPOCH)
    books.pay(416, TEST_EPOCH + 5)
    assert first.invoice.as_json() == {
        "id": 416,
        "machine_id": "1",
        "total": "4.00",
        "due": "2027-01-22",
        "status": "paid",
        "paid_at": TEST_EPOCH + 5,
    }
    books.cancel(first)
    books.cancel(second)
    assert [it.as_json()["status"] for it in books.invoices.values()] == ["paid", "cancelled"]
    for invoice_id, reason in (
        (416, Refusal.INVOICE_CLOSED),
        (417, Refusal.INVOICE_CLOSED),
        (418, Refusal.NO_SUCH_INVOICE),
    ):
        with pytest.raises(CloudError) as refused:
            books.pay(invoice_id, TEST_EPOCH)
        assert refused.value.reason is reason


@pytest.mark.parametrize(("rid", "is_disk_only"), [("406", True), ("403", False), ("404", False), ("402", True)])
def test_an_order_knows_whether_only_the_disk_changes(rid: str, is_disk_only: bool) -> None:
    """Then neither memory nor processors are other than before."""
    order = Books().place("1", BY_RID["402"], BY_RID[rid], FOUR, TEST_EPOCH)
    assert order.changes_only_the_disk is is_disk_only


def test_a_custom_plan_is_made_to_measure() -> None:
    """At the prices of its units; sizes that are not named are those of the list."""
    custom = BY_RID["420"]
    as_listed = custom.made_to_measure(Sizes())
    assert (as_listed.memory_gb, as_listed.cpu, as_listed.disk_gb) == (1, 1, 10)
    assert as_listed.term_price(1) == custom.term_price(1) == 6
    bigger = custom.made_to_measure(Sizes(ram_mb=8192, disk_gb=100))
    assert (bigger.ram_mb, bigger.cpu, bigger.disk_gb) == (8192, 1, 100)
    assert bigger.term_price(1) == 8 * 2 + 2 + 10 + 1
    assert isinstance(bigger, Plan)


@pytest.mark.parametrize(
    ("rid", "sizes"),
    [
        ("402", Sizes(cpu=4)),
        ("420", Sizes(ram_mb=1000)),
        ("420", Sizes(cpu=0)),
        ("420", Sizes(disk_gb=0)),
    ],
)
def test_other_measures_are_not_sold(rid: str, sizes: Sizes) -> None:
    """A fixed plan has no other sizes; memory comes by the GB."""
    with pytest.raises(ValueError, match="not"):
        BY_RID[rid].made_to_measure(sizes)
