"""An upgrade that is not alone: a second one, a stop, a deletion, a restart of the operator in the middle."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.saga import PAID_AND_DONE, Saga
from tests.integration.world import until

pytestmark = pytest.mark.cluster

SLOW_RESIZE = {"kind": "stick", "state": "resize_migrating", "seconds": 120}
"""Two seconds, for those who come in between."""


def under_way(saga: Saga) -> None:
    """Ordered, paid, and being resized, for long enough to interfere."""
    saga.world.fault(SLOW_RESIZE, saga.server, operation="apply")
    saga.order()
    saga.pay()
    saga.phase("Resizing")


def test_the_same_wish_twice_is_one_order(saga: Saga) -> None:
    """Of two upgrades to the same plan, applied at once, one is ordered and paid; the other finds nothing to do."""
    twins = [saga.another("left"), saga.another("right")]
    saga.world.apply(*(it.manifest() for it in twins))
    ordered = until(lambda: [it for it in twins if it.condition("ActionRequired")], "one of them is ordered")
    (first,), (second,) = ordered, [it for it in twins if it not in ordered]
    assert first.name in second.reason("Queued")
    first.pay()
    first.ended("Succeeded", "Completed")
    assert "nothing was ordered" in second.ended("Succeeded", "Completed")
    assert saga.books() == PAID_AND_DONE


def test_upgrades_of_one_instance_queue(saga: Saga) -> None:
    """The second is ordered only when the first has ended, from the plan that it led to."""
    later = saga.another("later")
    saga.order()
    later.apply(target={"plan": {"id": "404"}})
    assert saga.name in later.reason("Queued")
    assert saga.books() == ["order"]
    saga.pay()
    saga.ended("Succeeded", "Completed")
    later.reason("AwaitingPayment")
    assert later.status()["order"]["total"] == "5.00"
    later.pay()
    later.ended("Succeeded", "Completed")
    assert saga.books() == PAID_AND_DONE * 2
    assert saga.plan() == "404"


def test_a_queued_upgrade_moves_up_when_the_first_is_cancelled(saga: Saga) -> None:
    """The first order stays open at the provider, so the next upgrade must not touch it, and says so."""
    later = saga.another("later")
    saga.order()
    later.apply()
    later.reason("Queued")
    saga.edit(cancel=True)
    saga.ended("Cancelled", "Cancelled")
    later.reason("ForeignUpgradeOrder")
    saga.world.console(saga.server, "cancel_order")
    later.reason("AwaitingPayment")
    assert saga.world.done(saga.server)["order"] == 2


def test_stopped_before_it_is_applied(saga: Saga) -> None:
    """An instance that is down is not resized: what was paid for waits, says what it waits for, and goes on."""
    world = saga.world
    saga.order()
    world.patch(saga.server, powerState="Stopped")
    world.outcome(saga.server, "Stopped")
    saga.pay()
    assert "start the instance" in saga.reason("InstanceNotRunning")
    assert saga.condition("ActionRequired")["status"] == "True"
    assert saga.books() == ["order", "pay"]
    world.patch(saga.server, powerState="Running")
    saga.ended("Succeeded", "Completed")
    assert saga.books() == PAID_AND_DONE


def test_stopped_while_it_is_resized(saga: Saga) -> None:
    """The instance yields until the upgrade has ended, and is stopped then."""
    world = saga.world
    under_way(saga)
    world.patch(saga.server, powerState="Stopped")
    assert saga.name in world.reason(saga.server, "Upgrading")
    saga.ended("Succeeded", "Completed")
    world.outcome(saga.server, "Stopped")
    assert [it["operation"] for it in world.ledger(saga.server)] == ["create", *PAID_AND_DONE, "stop"]


def test_paid_and_stopped_at_the_same_moment(saga: Saga) -> None:
    """Whoever comes first, the other waits: never both at work on one server, and in the end both came true."""
    world = saga.world
    saga.order()
    with ThreadPoolExecutor() as pool:
        for done in (pool.submit(world.patch, saga.server, powerState="Stopped"), pool.submit(saga.pay)):
            done.result()
    until(
        lambda: world.status(saga.server).get("outcome") == "Stopped" and saga.condition("Paid")["status"] == "True",
        "it is stopped, and the payment known",
    )
    world.patch(saga.server, powerState="Running")
    saga.ended("Succeeded", "Completed")
    world.ready(saga.server)
    assert saga.books() == PAID_AND_DONE
    assert world.done(saga.server) == {"create": 1, "stop": 1, "start": 1, "order": 1, "apply": 1, "confirm": 1}


def test_deleted_while_it_waits_for_payment(saga: Saga) -> None:
    """It goes at once and leaves the server as it was; a payment that comes later changes nothing."""
    world = saga.world
    saga.order()
    invoice = saga.status()["order"]["invoiceID"]
    world.delete(saga.reference)
    world.simulator.pay(invoice)
    rounds = world.calls("list")
    until(lambda: world.calls("list") >= rounds + 2, "the operator has looked again")
    assert saga.books() == ["order", "pay"]
    assert saga.plan() == "402"


def test_deleted_while_it_is_resized(saga: Saga) -> None:
    """`kubectl delete` returns when the upgrade has come to its end: no half-applied server is left."""
    under_way(saga)
    saga.world.delete(saga.reference)
    assert saga.books() == PAID_AND_DONE
    assert (saga.plan(), saga.world.machine(saga.server)["state"]) == ("403", "active")
    saga.world.ready(saga.server)


@pytest.mark.parametrize("early", [True, False], ids=["before payment", "in the middle"])
def test_the_instance_is_deleted(saga: Saga, early: bool) -> None:
    """Its machine goes, with it the reason for the upgrade, which has failed and says what was left behind."""
    if early:
        saga.order()
    else:
        under_way(saga)
    saga.world.delete(saga.server)
    said = saga.ended("Failed", "InstanceDeleted")
    assert ("do not pay it" in said) is early
    assert saga.world.machines(saga.server) == []


def test_the_operator_is_restarted_in_between(saga: Saga) -> None:
    """Status is the only store: the next operator goes on where the last one was, twice."""
    saga.world.fault(SLOW_RESIZE, saga.server, operation="apply")
    saga.order()
    saga.world.stack.restart_operator()
    saga.pay()
    saga.phase("Resizing")
    saga.world.stack.restart_operator()
    saga.ended("Succeeded", "Completed")
    assert saga.books() == PAID_AND_DONE
