"""A paid upgrade from the payment on: resized, looked at, kept or given back.

Patience with a sick application lasts half a minute by nature: those upgrades go on in the background, from the
first test of this module to the last.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.manifests import server
from tests.integration.saga import PAID_AND_DONE, Saga, Yard

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module", autouse=True)
def patients(yard: Yard) -> dict[str, Saga]:
    """Paid upgrades of servers whose applications fell ill before."""
    sagas = {name: Saga(yard, name) for name in ("revert", "hold")}
    yard.apply(*(server(name, healthCheck={"maxWaitSeconds": 30}) for name in sagas))
    yard.ready(*sagas)
    sagas["hold"].apply(onVerifyFailure="Hold")
    sagas["revert"].apply()
    for name, saga in sagas.items():
        saga.reason("AwaitingPayment")
        yard.simulator.tell("apps", {"machine": yard.machine(name)["id"], "behaviour": {"crashed": True}})
        saga.pay()
    return sagas


def test_a_person_looks_before_the_sizes_are_kept(saga: Saga) -> None:
    """With `confirmation: Manual` the resized server waits for `confirm: true`, however healthy it is."""
    saga.apply(confirmation="Manual")
    saga.reason("AwaitingPayment")
    saga.pay()
    assert "spec.confirm" in saga.reason("AwaitingConfirmation")
    assert saga.condition("ActionRequired")["status"] == "True"
    assert saga.world.machine(saga.server)["state"] == "resized"
    saga.edit(confirm=True)
    saga.ended("Succeeded", "Completed")
    assert saga.books() == PAID_AND_DONE


@pytest.mark.parametrize(
    ("verb", "end", "plan"),
    [("confirm", ("Succeeded", "Completed"), "403"), ("revert", ("Failed", "ForeignChange"), "402")],
)
def test_somebody_decides_in_the_portal(saga: Saga, verb: str, end: tuple[str, str], plan: str) -> None:
    """A confirmation there is as good as ours; sizes that were given back there are not taken again."""
    saga.apply(confirmation="Manual")
    saga.reason("AwaitingPayment")
    saga.pay()
    saga.reason("AwaitingConfirmation")
    saga.world.console(saga.server, verb)
    saga.ended(*end)
    assert saga.books() == ["order", "pay", "apply", verb]
    assert saga.plan() == plan
    saga.world.ready(saga.server)


PLANS: dict[str, tuple[dict[str, Any], str, tuple[int, int, int]]] = {
    "by one size": ({"cpu": 2}, "403", (2048, 2, 50)),
    "made to measure": ({"id": "420", "ram": 4096, "cpu": 2, "disk": 60}, "420", (4096, 2, 60)),
}


@pytest.mark.parametrize("how", PLANS)
def test_a_plan_is_found(saga: Saga, how: str) -> None:
    """By sizes: the first plan on sale that has them and takes nothing away; a custom plan by id and sizes."""
    wanted, plan, sizes = PLANS[how]
    saga.order(target={"plan": wanted})
    saga.pay()
    saga.ended("Succeeded", "Completed")
    after = saga.status()["after"]
    assert (after["ramMB"], after["cpu"], after["diskGB"]) == sizes
    assert saga.plan() == plan


def test_more_disk_may_need_no_confirmation(saga: Saga) -> None:
    """A server that is active right after the resize has nothing left to confirm."""
    saga.world.quirk(disk_only_skips_resized=True)
    saga.order(target={"plan": {"disk": 100}})
    saga.pay()
    saga.ended("Succeeded", "Completed")
    assert saga.books() == ["order", "pay", "apply"]
    assert saga.status()["after"]["diskGB"] == 100


def test_a_resize_that_fails_at_the_provider(saga: Saga) -> None:
    """The provider's own words end the upgrade, and nothing is sent again."""
    saga.world.fault({"kind": "fail", "at": "resize_migrating", "ends": "error"}, saga.server, operation="apply")
    saga.order()
    saga.pay()
    saga.ended("Failed", "ResizeFailed")
    assert saga.books() == ["order", "pay", "apply"]


def test_a_server_that_must_not_be_touched_is_not(saga: Saga) -> None:
    """Suspended at the provider or in the spec: what was paid for is applied when that is over, and not before."""
    world = saga.world
    saga.order()
    world.console(saga.server, "suspend")
    world.patch(saga.server, suspend=True)
    saga.pay()
    saga.reason("Suspended")
    world.patch(saga.server, suspend=False)
    assert "suspended" in saga.reason("InstanceSuspended")
    assert saga.condition("Stalled")["status"] == "True"
    assert saga.books() == ["order", "pay"]
    world.console(saga.server, "unsuspend")
    saga.ended("Succeeded", "Completed")
    assert saga.books() == PAID_AND_DONE


def test_a_finished_upgrade_goes_in_its_time(saga: Saga) -> None:
    """After `ttlAfterFinished` the object removes itself; what it did stays."""
    saga.order(ttlAfterFinished="1s")
    saga.pay()
    saga.gone()
    assert saga.plan() == "403"
    saga.world.ready(saga.server)


def test_a_word_that_is_not_true_costs_nothing(saga: Saga) -> None:
    """Said to be paid and not paid: the provider refuses to apply it; deleted, it leaves the server as it was."""
    saga.order()
    saga.edit(payment={"confirmedInvoiceID": saga.status()["order"]["invoiceID"]})
    assert "has not been paid" in saga.reason("RequestRejected")
    assert saga.condition("Stalled")["status"] == "True"
    saga.world.delete(saga.reference)
    assert saga.books() == ["order"]
    saga.world.ready(saga.server)


def test_a_server_that_stays_sick_gets_its_old_sizes_back(patients: dict[str, Saga]) -> None:
    """After the instance's own patience it is reverted, not confirmed; the money is spent, and it says so."""
    saga = patients["revert"]
    assert "old sizes" in saga.ended("Failed", "Reverted")
    assert saga.status()["phase"] == "Reverted"
    assert saga.books() == ["order", "pay", "apply", "revert"]
    assert (saga.plan(), saga.world.machine(saga.server)["state"]) == ("402", "active")


def test_a_held_server_is_kept_once_it_is_healthy(patients: dict[str, Saga]) -> None:
    """With `onVerifyFailure: Hold` nothing is given back: it waits for health, or for a person."""
    saga = patients["hold"]
    saga.reason("HealthCheckFailed")
    assert saga.condition("ActionRequired")["status"] == "True"
    saga.world.simulator.forget("apps")
    saga.ended("Succeeded", "Completed")
    assert saga.books() == PAID_AND_DONE
