"""Hostwinds' price list and upgrade orders, in the operator's words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gpuinstance.api.words import BillingCycle, BillingMode
from gpuinstance.core.model import Sizes, UpgradeOrder
from gpuinstance.providers.hostwinds.catalogue import OrderAnswer, PriceAnswer, prices

PRICE = {
    "id": 32,
    "name": "VPS 1 CPU 2 GB",
    "ram": "2048",
    "cpu": "1",
    "disk": "50",
    "bandwidth": "2",
    "monthly": "7.30",
    "quarterly": "21.90",
    "semiannually": "-1.00",
    "annually": "0.00",
    "mysort": 1,
    "current": 1,
    "promo": {},
    "rid": 402,
    "cycles": {},
    "firsts": [],
    "resource": None,
}


def price(**changes: object) -> PriceAnswer:
    return PriceAnswer.model_validate(PRICE | changes)


def test_a_plan_is_a_product() -> None:
    """It is bought by its rid, at a month's share of an hour; what costs nothing is not offered."""
    product = price().to_product()
    assert (product.id, product.name, product.available) == ("402", "VPS 1 CPU 2 GB", True)
    assert product.modes == {BillingMode.ON_DEMAND}
    assert product.hourly_price == Decimal("0.01")
    assert product.cycle_prices == (
        (BillingCycle.MONTHLY, Decimal("7.30")),
        (BillingCycle.QUARTERLY, Decimal("21.90")),
    )
    assert (product.cpu_per_gpu, product.memory_per_gpu_gb) == (1, 2)
    assert product.min_rootfs_gb == product.max_rootfs_gb == 50
    assert product.regions == ()


def test_a_plan_is_something_to_move_to() -> None:
    """With its sizes, and whether the machine has it already."""
    plan = price().to_plan()
    assert (plan.id, plan.sizes, plan.is_current) == ("402", Sizes(2048, 1, 50), True)
    assert not price(current="0").to_plan().is_current
    assert price(ram="2 GB", disk="50 GB").to_plan().sizes == Sizes(2048, 1, 50)


HOURLY = [
    ({"hourly": "0.02"}, Decimal("0.02")),
    ({"hourly": 0}, Decimal("0.01")),
    ({"monthly": None}, Decimal("0.01")),
    ({"monthly": "0.00", "quarterly": ""}, None),
    ({"monthly": {"ram": "1"}, "quarterly": None}, None),
    ({"monthly": "0", "quarterly": "0", "annually": "87.60"}, Decimal("0.01")),
]


@pytest.mark.parametrize(("changes", "expected"), HOURLY)
def test_the_price_of_an_hour(changes: dict[str, object], expected: Decimal | None) -> None:
    """As the provider says, or the share of the shortest cycle that is offered."""
    assert price(**changes).hourly_price == expected


CONTAINERS: dict[str, object] = {
    "a list": [PRICE, {**PRICE, "rid": "403"}],
    "a map by id": {"32": PRICE, "33": {**PRICE, "rid": "403"}},
    "a map of lists": {"fixed": [PRICE], "custom": [{**PRICE, "rid": "403"}]},
    "with noise": [PRICE, None, "x", 7, {**PRICE, "rid": None}, {**PRICE, "rid": 0}, {**PRICE, "rid": "403"}],
    "an entry twice": [PRICE, PRICE, {**PRICE, "rid": "403"}],
}


@pytest.mark.parametrize("content", CONTAINERS.values(), ids=CONTAINERS.keys())
def test_every_container_is_read(content: object) -> None:
    """The documented one is no valid JSON; what cannot be bought is left out."""
    found = prices(content)
    assert found is not None
    assert [it.rid for it in found] == ["402", "403"]


def test_a_single_plan_is_a_list_too() -> None:
    """Where an object holds no objects but is one plan."""
    assert [it.rid for it in prices(PRICE) or ()] == ["402"]


def test_an_empty_list_is_one() -> None:
    """Nothing on sale is an answer, nonsense is none."""
    assert prices([]) == prices({}) == []
    for nonsense in (None, False, True, "none", 0):
        assert prices(nonsense) is None


ORDER = {"id": 98, "orderid": 550, "invoiceid": 416, "duedate": "2018-06-01", "total": "4.00"}


def test_an_order() -> None:
    """As it is documented, and with all numbers as text."""
    expected = UpgradeOrder("98", "550", "416", Decimal("4.00"), "2018-06-01")
    for raw in (ORDER, {key: str(value) for key, value in ORDER.items()}):
        assert OrderAnswer.model_validate(raw).to_order() == expected
    assert OrderAnswer.model_validate({**ORDER, "total": "soon"}).to_order().total is None


PAID = [
    ({"status": "Paid"}, True),
    ({"invoicestatus": "paid"}, True),
    ({"paid": 1}, True),
    ({"paid": "1"}, True),
    ({"paid": True}, True),
    ({"paid": "yes", "status": "Active"}, True),
    ({"status": "Pending", "invoicestatus": "Paid"}, True),
    ({}, False),
    ({"status": "active"}, False),
    ({"status": 1}, False),
    ({"status": "1"}, False),
    ({"status": "Unpaid"}, False),
    ({"status": "not paid"}, False),
    ({"paid": 0, "status": "Paid"}, False),
    ({"paid": False, "status": "Paid"}, False),
    ({"paid": 1, "invoicestatus": "Unpaid"}, False),
    ({"paid": 1, "invoicestatus": "Refunded"}, False),
    ({"paid": "2026-01-01"}, False),
    ({"paid": {"x": 1}, "status": ["Paid"]}, False),
    ({"datepaid": "2026-01-01"}, False),
    ({"total": "0.00"}, False),
]


@pytest.mark.parametrize(("fields", "is_paid"), PAID)
def test_paid_is_said_in_as_many_words(fields: dict[str, object], is_paid: bool) -> None:
    """Nothing else is payment, and a contradiction is none."""
    assert OrderAnswer.model_validate(ORDER | fields).to_order().paid is is_paid


@pytest.mark.parametrize(
    ("fields", "is_void"),
    [
        ({}, False),
        ({"status": "Unpaid"}, False),
        ({"invoicestatus": "not paid"}, False),
        ({"status": "Paid"}, False),
        ({"status": "Draft"}, True),
        ({"status": "Active", "invoicestatus": "Cancelled"}, True),
        ({"status": "refunded"}, True),
    ],
)
def test_an_invoice_that_is_none_yet_or_no_more_is_told(fields: dict[str, object], is_void: bool) -> None:
    """Its sum says nothing about what is to be paid."""
    assert OrderAnswer.model_validate(ORDER | fields).to_order().is_void is is_void


def test_an_order_may_have_no_invoice_yet() -> None:
    """No id, or one of zeros, is none."""
    for number, known in ((416, True), ("0", False), (0, False), ("", False), (None, False)):
        assert OrderAnswer.model_validate(ORDER | {"invoiceid": number}).to_order().has_invoice is known


EXISTENCE = [
    (ORDER, True),
    ({"invoiceid": "416"}, True),
    ({"orderid": 1}, True),
    ({}, False),
    ({"id": None, "orderid": 0, "invoiceid": "0"}, False),
    ({"total": "4.00"}, False),
]


@pytest.mark.parametrize(("raw", "exists"), EXISTENCE)
def test_an_order_has_a_number(raw: dict[str, object], exists: bool) -> None:
    """Without one there is nothing that could be paid or compared."""
    assert OrderAnswer.model_validate(raw).exists is exists
