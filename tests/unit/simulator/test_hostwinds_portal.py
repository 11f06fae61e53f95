"""Foreign interference at the simulated Hostwinds: suspensions, locks, orders and confirmations of others."""

from __future__ import annotations

import pytest

from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.hostwinds import upgrades
from gpuinstance_simulator.lifecycle import Actor
from gpuinstance_simulator.machine import Machine
from tests.unit.simulator.hostwinds_support import (
    BIGGER,
    RESIZE,
    UBUNTU,
    Site,
    active,
    history,
    payments,
    portal,
)

CHANGES = (
    "boot",
    "shutdown",
    "reboot",
    "recreate",
    "reinstall_instance",
    "regenerate_networking",
    "edit_instance",
    "upgrade_instance",
    "upgrade_server",
    "confirm_upgrade",
    "change_billing_cycle",
)


async def answers(site: Site, machine: Machine, *actions: str) -> set[str]:
    """The messages of all these calls."""
    fields = {"template": UBUNTU, "rid": BIGGER, "srvrname": "x"}
    found = [await site.call(action, serviceid=machine.id, **fields) for action in actions]
    return {item["message"] for items in found for item in items}


def resized(site: Site) -> Machine:
    machine = active(site.cloud)
    for step in ("order", "pay", "apply"):
        portal(site.cloud, machine, step, plan=BIGGER)
    site.cloud.clock.advance(RESIZE)
    return machine


async def test_a_locked_server_is_left_alone(site: Site) -> None:
    """Nothing changes it, a deletion neither, until the lock is toggled; people in the portal are not held back."""
    machine = resized(site)
    await site.call("toggle_lock", serviceid=machine.id)
    assert (await site.server(machine))["locked"] == 1
    before = len(site.cloud.ledger)
    assert await answers(site, machine, *CHANGES, "revert_upgrade", "terminate") == {"Service is locked."}
    assert len(site.cloud.ledger) == before
    portal(site.cloud, machine, "confirm")
    site.cloud.clock.advance(5)
    assert await answers(site, machine, "toggle_lock") == {"Service has been unlocked."}
    assert await answers(site, machine, "terminate") == {"Instance deleted"}


async def test_the_portal_locks_and_unlocks(site: Site) -> None:
    """A state there, not a toggle: doing it twice changes nothing more."""
    machine = active(site.cloud)
    for action, locked in (("lock", 1), ("lock", 1), ("unlock", 0), ("unlock", 0)):
        portal(site.cloud, machine, action)
        assert (await site.server(machine))["locked"] == locked
    assert history(site.cloud, actor=Actor.CONSOLE) == ["toggle_lock", "toggle_lock"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [("both", ("suspended", 1)), ("status", ("suspended", 0)), ("flag", ("active", 1))],
)
async def test_a_suspended_server_refuses_everything_but_deletion(
    site: Site, where: str, expected: tuple[str, int]
) -> None:
    """It is down, and says so in its status, by a flag, or both; released, it is where it was."""
    site.switch(suspension=where)
    machine = active(site.cloud)
    portal(site.cloud, machine, "suspend")
    server = await site.server(machine)
    assert (server["status"], server["is_suspended"]) == expected
    assert not site.cloud.look(machine.id).is_up
    assert await answers(site, machine, *CHANGES) == {"Service is suspended."}
    portal(site.cloud, machine, "unsuspend")
    assert (await site.server(machine))["is_suspended"] == 0
    portal(site.cloud, machine, "freeze")
    assert await answers(site, machine, "terminate") == {"Instance deleted"}


@pytest.mark.parametrize("found", ["shutoff", "resized", "active"])
async def test_a_released_server_is_where_its_suspension_found_it(site: Site, found: str) -> None:
    """Down, resized, or active."""
    machine = resized(site) if found == "resized" else active(site.cloud)
    if found == "shutoff":
        await site.call("shutdown", serviceid=machine.id)
        site.cloud.clock.advance(5)
    portal(site.cloud, machine, "suspend")
    portal(site.cloud, machine, "unsuspend")
    assert machine.state == found


async def test_a_server_that_was_suspended_on_its_way_up_is_released_as_active(site: Site) -> None:
    """It would never finish the way by itself."""
    site.plant("create", {"kind": "fail", "at": "spawning", "ends": "suspended", "message": "unpaid"})
    await site.call("add_instance", template=UBUNTU, rid=BIGGER, location_id=1, srvrname="web", billingcycle="annually")
    site.cloud.clock.advance(30)
    (machine,) = site.cloud.truth()
    server = await site.server(machine)
    assert (server["status"], server["is_suspended"], server["disp_status"]) == ("suspended", 1, "unpaid")
    portal(site.cloud, machine, "unsuspend")
    assert machine.state == "active"


async def test_somebody_else_may_order_and_cancel(site: Site) -> None:
    """A foreign order keeps ours away; a cancelled one is gone, and cannot be paid."""
    machine = active(site.cloud)
    portal(site.cloud, machine, "order", plan=BIGGER)
    assert await answers(site, machine, "upgrade_instance") == {"An upgrade order already exists for this service."}
    portal(site.cloud, machine, "cancel_order")
    assert await site.call("check_upgrade_order", serviceid=machine.id) == {"success": False}
    assert await answers(site, machine, "upgrade_server") == {"No upgrade order found."}
    assert await answers(site, machine, "upgrade_instance") == {"Service has been upgraded!"}
    assert history(site.cloud) == ["create", "order", "cancel_order", "order"]
    assert [entry.actor for entry in site.cloud.ledger][1:] == [Actor.CONSOLE, Actor.CONSOLE, Actor.API]


@pytest.mark.parametrize(("step", "cpu"), [("confirm", 2), ("revert", 1)])
async def test_somebody_else_may_confirm_or_revert(site: Site, step: str, cpu: int) -> None:
    """Then our own step comes too late."""
    machine = resized(site)
    portal(site.cloud, machine, step)
    assert await answers(site, machine, "confirm_upgrade", "revert_upgrade") == {
        "Instance is not in the RESIZED state."
    }
    site.cloud.clock.advance(15)
    assert (await site.server(machine))["cpu"] == cpu
    assert history(site.cloud, actor=Actor.CONSOLE) == ["order", "pay", "apply", step]


async def test_somebody_else_may_rename_a_server(site: Site) -> None:
    """Its name is no proof of whose it is."""
    machine = active(site.cloud)
    portal(site.cloud, machine, "rename", name="mine now")
    assert (await site.call("get_instance_ids", search="web"))["success"] == []
    assert (await site.server(machine))["srvrname"] == "mine now"


async def test_a_server_may_end_in_error_with_words(site: Site) -> None:
    """It stops working, and the display status says why."""
    machine = active(site.cloud)
    portal(site.cloud, machine, "fail", message="Disk failure")
    server = await site.server(machine)
    assert (server["status"], server["disp_status"]) == ("error", "Disk failure")
    assert not site.cloud.look(machine.id).is_up
    assert history(site.cloud) == ["create", "fail"]


@pytest.mark.parametrize(
    ("steps", "refusal"),
    [
        (["pay"], Refusal.NO_ORDER),
        (["cancel_order"], Refusal.NO_ORDER),
        (["order", "order"], Refusal.ORDER_OPEN),
        (["order", "pay", "pay"], Refusal.INVOICE_CLOSED),
        (["order", "apply"], Refusal.UNPAID),
        (["order", "pay", "apply", "cancel_order"], Refusal.ALREADY_APPLIED),
        (["order", "pay", "confirm"], Refusal.NOT_RESIZED),
        (["reclaim"], Refusal.WRONG_STATE),
    ],
)
async def test_the_portal_obeys_the_same_rules(site: Site, steps: list[str], refusal: Refusal) -> None:
    """The last step is refused."""
    machine = active(site.cloud)
    for step in steps[:-1]:
        portal(site.cloud, machine, step, plan=BIGGER)
    with pytest.raises(CloudError) as refused:
        portal(site.cloud, machine, steps[-1], plan=BIGGER)
    assert refused.value.reason is refusal


async def test_invoices_can_be_seen_and_paid_by_their_number(site: Site) -> None:
    """In the admin API; once."""
    first, second = active(site.cloud, "first"), active(site.cloud, "second")
    for machine in (first, second):
        upgrades.order(site.cloud, machine.id, upgrades.plan_of(site.cloud, BIGGER))
    assert [it["id"] for it in await site.admin("GET", "/invoices")] == [416, 417]
    (mine,) = await site.admin("GET", "/invoices", params={"machine": second.id})
    assert (mine["id"], mine["status"], mine["total"]) == (417, "unpaid", "4.00")
    assert (await site.admin("POST", "/invoices/417/pay"))["status"] == "paid"
    for number, status in ((417, 409), (418, 404)):
        answer = await site.visitor.post(f"/_simulator/invoices/{number}/pay")
        assert answer.status_code == status
    assert payments(site.cloud) == ["4.00"]


async def test_the_console_is_open_to_the_admin_api(site: Site) -> None:
    """Purchases, orders and quirks, as a test in another process makes them."""
    bought = await site.admin("POST", "/machines", json={"name": "foreign", "product_id": "402", "image": UBUNTU})
    site.cloud.clock.advance(30)
    path = f"/machines/{bought['id']}/console"
    await site.admin("POST", path, json={"action": "order", "plan": BIGGER})
    assert len(await site.admin("GET", "/invoices")) == 1
    unknown = await site.admin("POST", path, json={"action": "order", "plan": "1"})
    assert unknown["reason"] == "no_such_product"
    told = await site.admin("POST", "/quirks", json={"bare_reads": True, "no_order": "item"})
    assert (told["bare_reads"], told["no_order"], told["price_list"]) == (True, "item", "array")
    assert isinstance(await site.call("get_instances"), list)
