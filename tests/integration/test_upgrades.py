"""A paid upgrade: the story from the order to the new sizes, and every way not to come so far.

The judge is the ledger of the simulated Hostwinds: what was ordered, paid, applied and confirmed, and how often.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.integration.saga import PAID_AND_DONE, Saga
from tests.integration.world import World, until

pytestmark = pytest.mark.cluster

SLOW_RESIZE = {"kind": "stick", "state": "resize_migrating", "seconds": 90}
"""A second and a half, for those who have something to do meanwhile."""


def looks(world: World, count: int = 2) -> None:
    """Wait until the provider was asked for an open order so often."""
    seen = world.calls("check_order")
    until(lambda: world.calls("check_order") >= seen + count, "the operator has asked for the order again")


def test_the_story(saga: Saga) -> None:
    """Applied, ordered, paid in the portal, resized, confirmed: one order, one charge, and a bigger server."""
    world = saga.world
    world.quirk(order_status=True)
    spec = world.get(saga.server)["spec"]
    saga.order(payment={"maxTotal": 5})
    invoice = saga.status()["order"]
    row = world.kubectl("get", "iup", saga.name, "--no-headers").split()
    assert row[1:3] == ["AwaitingPayment", saga.server]
    assert row[-3:-1] == [invoice["invoiceID"], "4.00"]
    assert world.condition(saga.server, "Ready")["status"] == "True", "nothing was touched yet"
    world.pay(saga.reference)
    assert "new sizes" in saga.ended("Succeeded", "Completed")
    assert saga.books() == PAID_AND_DONE
    ended = saga.status()
    assert [ended["before"]["productID"], ended["after"]["productID"]] == ["402", "403"]
    assert [ended["before"]["cpu"], ended["after"]["cpu"]] == [1, 2]
    assert {it["type"]: it["status"] for it in ended["conditions"]} == dict.fromkeys(
        ("Ready", "Accepted", "Ordered", "Paid", "Applied", "Confirmed"), "True"
    )
    assert_told(saga)
    assert_followed(saga, spec)


def assert_told(saga: Saga) -> None:
    """Each step that costs, or asks for something, is an Event."""
    told = ["AwaitingPayment", "Paid", "Applying", "Completed"]
    until(lambda: len(saga.world.events(saga.reference)) >= len(told), "the Events were posted")
    events = saga.world.events(saga.reference)
    assert sorted(event["reason"] for event in events) == sorted(told)
    assert {event["type"] for event in events} == {"Normal"}
    assert "4.00 USD" in next(event["message"] for event in events if event["reason"] == "Completed")


def assert_followed(saga: Saga, spec: dict[str, Any]) -> None:
    """The instance showed Upgrading and is Ready again; its spec is neither changed nor fought for, and may follow."""
    world = saga.world
    world.ready(saga.server)
    phases = [status["phase"] for status in world.history(saga.server)]
    assert "Upgrading" in phases
    status = world.status(saga.server)
    assert status["instance"]["productName"] == "VPS 2 CPU 2 GB 50 GB"
    assert status["instance"]["hourlyPrice"] == saga.status()["target"]["hourlyPrice"], "not that of the plan before"
    assert "InstanceUpgrade" in world.condition(saga.server, "Synced")["message"]
    assert world.get(saga.server)["spec"] == spec
    rounds = world.calls("list")
    until(lambda: world.calls("list") >= rounds + 3, "the operator has looked again")
    assert world.status(saga.server)["instance"] == status["instance"]
    world.patch(saga.server, product={"id": "403"})
    world.wait(saga.server, "jsonpath={.status.observedGeneration}=2", "condition=Ready")
    assert world.done(saga.server) == Counter(create=1, order=1, apply=1, confirm=1)


def test_payment_is_known_by_the_invoice_and_nothing_else(saga: Saga) -> None:
    """The documented API never shows a payment: the right invoice's id in the spec does, another one does not."""
    saga.order()
    saga.world.pay(saga.reference)
    looks(saga.world)
    assert saga.condition("Paid")["status"] == "False"
    saga.edit(payment={"confirmedInvoiceID": "1"})
    assert saga.status()["order"]["invoiceID"] in saga.reason("PaymentUnconfirmed")
    assert saga.condition("ActionRequired")["status"] == "True"
    assert saga.books() == ["order", "pay"]
    saga.edit(payment={"confirmedInvoiceID": saga.status()["order"]["invoiceID"]})
    saga.ended("Succeeded", "Completed")
    assert saga.books() == PAID_AND_DONE


def test_an_order_that_vanished_proves_no_payment(saga: Saga) -> None:
    """Where a paid order is no longer shown, somebody has to say that it was paid."""
    saga.world.quirk(paid_order_vanishes=True)
    saga.order()
    saga.world.pay(saga.reference)
    assert "proves no payment" in saga.reason("PaymentUnconfirmed")
    assert saga.books() == ["order", "pay"]
    saga.edit(payment={"confirmedInvoiceID": saga.status()["order"]["invoiceID"]})
    saga.ended("Succeeded", "Completed")
    assert saga.books() == PAID_AND_DONE


def test_lost_answers_are_looked_up(saga: Saga) -> None:
    """Ordered, applied and confirmed without a single answer: each was sent once, because its effect was seen."""
    for operation in ("order", "apply", "confirm"):
        saga.world.fault({"kind": "drop", "when": "after"}, saga.server, operation=operation)
    saga.order()
    saga.pay()
    saga.ended("Succeeded", "Completed")
    assert saga.books() == PAID_AND_DONE


def test_cancelled_before_payment(saga: Saga) -> None:
    """Nothing is applied, and it is said which invoice must not be paid; the server runs on as it was."""
    saga.order()
    invoice = saga.status()["order"]["invoiceID"]
    saga.edit(cancel=True)
    assert f"invoice {invoice} stays open at the provider: do not pay it" in saga.ended("Cancelled", "Cancelled")
    saga.world.pay(saga.reference)
    rounds = saga.world.calls("list")
    until(lambda: saga.world.calls("list") >= rounds + 2, "the operator has looked again")
    assert saga.books() == ["order", "pay"]
    assert saga.plan() == "402"
    assert saga.world.condition(saga.server, "Ready")["status"] == "True"


def test_cancelled_too_late(saga: Saga) -> None:
    """Once payment is known, cancelling is refused in words, and the upgrade ends as it was paid for."""
    saga.world.fault(SLOW_RESIZE, saga.server, operation="apply")
    saga.order()
    saga.pay()
    saga.phase("Resizing")
    saga.edit(cancel=True)
    until(lambda: "too late" in saga.condition("Ready")["message"], "the wish is refused in words")
    saga.ended("Succeeded", "Completed")
    assert saga.books() == PAID_AND_DONE


def test_nobody_pays(saga: Saga) -> None:
    """After `payment.timeout` the upgrade has failed, and nothing was applied."""
    saga.apply(payment={"timeout": "1s"})
    assert "do not pay it" in saga.ended("Failed", "PaymentTimedOut")
    assert saga.books() == ["order"]
    assert saga.plan() == "402"


def test_an_order_of_somebody_else_is_left_alone(saga: Saga) -> None:
    """It is neither adopted nor paid for; once it is cancelled in the portal, ours is placed."""
    saga.world.console(saga.server, "order", plan="405")
    saga.apply()
    assert "was not made by this upgrade" in saga.reason("ForeignUpgradeOrder")
    assert saga.condition("Stalled")["status"] == "True"
    assert saga.world.done(saga.server)["order"] == 0
    saga.world.console(saga.server, "cancel_order")
    saga.reason("AwaitingPayment")
    saga.pay()
    saga.ended("Succeeded", "Completed")
    assert saga.books() == ["order", "cancel_order", *PAID_AND_DONE]


IMPOSSIBLE: dict[str, tuple[dict[str, Any], str, str]] = {
    "too expensive": ({"payment": {"maxTotal": 3.99}}, "PriceAboveLimit", "nothing was ordered"),
    "a plan that does not exist": ({"target": {"plan": {"id": "999"}}}, "PlanNotFound", "403: VPS 2 CPU"),
    "sizes that nobody sells": ({"target": {"plan": {"cpu": 3}}}, "PlanNotFound", "with these sizes"),
    "an image": ({"target": {"image": {"image": "nginx"}}}, "UnsupportedByProvider", "hostwinds does not offer"),
}


@pytest.mark.parametrize("why", IMPOSSIBLE)
def test_what_cannot_be_is_said_before_it_costs(saga: Saga, why: str) -> None:
    """It has failed in words, nothing was ordered, and the server is as before."""
    spec, reason, words = IMPOSSIBLE[why]
    saga.apply(**spec)
    assert words in saga.ended("Failed", reason)
    assert saga.books() == []
