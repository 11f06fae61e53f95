"""Paid upgrades at the simulated Hostwinds: order, pay, apply, confirm or revert; each step once, in this order."""

from __future__ import annotations

import pytest

from gpuinstance_simulator.lifecycle import Actor, Operation
from gpuinstance_simulator.machine import Machine
from tests.unit.simulator.hostwinds_support import (
    BIGGER,
    CUSTOM,
    DEBIAN,
    MORE_DISK,
    REBUILD,
    RESIZE,
    Site,
    active,
    history,
    payments,
    portal,
)


async def message(site: Site, action: str, machine: Machine, **fields: object) -> str:
    """What the one item of the answer says; refusals begin with `no: `."""
    (item,) = await site.call(action, serviceid=machine.id, **fields)
    return item["message"] if item["result"] == "success" else f"no: {item['message']}"


async def order_of(site: Site, machine: Machine) -> object:
    return (await site.call("check_upgrade_order", serviceid=machine.id))["success"]


async def sizes(site: Site, machine: Machine) -> tuple[str, int, int, int, int]:
    server = await site.server(machine)
    return server["status"], server["product_id"], server["ram"], server["cpu"], server["disk"]


async def paid_order(site: Site, rid: str = BIGGER, **fields: object) -> Machine:
    machine = active(site.cloud)
    await site.call("upgrade_instance", serviceid=machine.id, rid=rid, **fields)
    portal(site.cloud, machine, "pay")
    return machine


async def test_the_whole_story(site: Site) -> None:
    """Nothing changes on the server before the confirmation, and the books tell every step and its money."""
    machine = active(site.cloud)
    assert await order_of(site, machine) is False
    assert await message(site, "upgrade_instance", machine, rid=BIGGER) == "Service has been upgraded!"
    assert await order_of(site, machine) == {
        "id": 98,
        "orderid": 550,
        "invoiceid": 416,
        "duedate": "2027-01-22",
        "total": "4.00",
    }
    assert await site.call("check_upgrade_reboot", serviceid=machine.id) == {"success": True}
    assert await sizes(site, machine) == ("active", 402, 2048, 1, 50)
    assert await message(site, "upgrade_server", machine) == "no: The upgrade invoice has not been paid."
    assert (await site.admin("POST", "/invoices/416/pay"))["status"] == "paid"
    assert (await order_of(site, machine)) is not False, "still shown, and it does not say that it is paid"
    assert await message(site, "upgrade_server", machine) == f"Server Server#{machine.id} is being upgraded."
    site.cloud.clock.advance(RESIZE)
    assert await sizes(site, machine) == ("RESIZED", 402, 2048, 1, 50)
    assert await message(site, "confirm_upgrade", machine) == "Upgrade Confirmed!"
    site.cloud.clock.advance(5)
    assert await sizes(site, machine) == ("active", 403, 2048, 2, 50)
    assert await order_of(site, machine) is False
    assert history(site.cloud) == ["create", "order", "pay", "apply", "confirm"]
    entries = site.cloud.ledger.select(machine_id=machine.id)[1:]
    assert {entry.detail["invoice"] for entry in entries} == {416}
    assert [f"{entry.charge:.2f}" for entry in entries] == ["9.99", "13.99", "13.99", "13.99"]
    assert [entry.actor for entry in entries] == [Actor.API, Actor.CONSOLE, Actor.API, Actor.API]


async def test_a_reverted_upgrade_is_paid_nevertheless(site: Site) -> None:
    """The old sizes come back, the order is closed, another can be placed."""
    machine = await paid_order(site)
    await site.call("upgrade_server", serviceid=machine.id)
    site.cloud.clock.advance(RESIZE)
    assert await message(site, "revert_upgrade", machine) == "Upgrade Reverted!"
    site.cloud.clock.advance(15)
    assert await sizes(site, machine) == ("active", 402, 2048, 1, 50)
    assert await order_of(site, machine) is False
    assert payments(site.cloud) == ["4.00"]
    assert await message(site, "upgrade_instance", machine, rid=BIGGER) == "Service has been upgraded!"


REFUSED: dict[str, tuple[list[str], str, str]] = {
    # name: (what was done before, the call, what it is told)
    "a second order": (["upgrade_instance"], "upgrade_instance", "An upgrade order already exists for this service."),
    "a second order, the first is paid": (
        ["upgrade_instance", "pay"],
        "upgrade_instance",
        "An upgrade order already exists for this service.",
    ),
    "apply without an order": ([], "upgrade_server", "No upgrade order found."),
    "apply before payment": (["upgrade_instance"], "upgrade_server", "The upgrade invoice has not been paid."),
    "apply twice": (
        ["upgrade_instance", "pay", "upgrade_server"],
        "upgrade_server",
        "The upgrade is already in progress.",
    ),
    "confirm without an order": ([], "confirm_upgrade", "Instance is not in the RESIZED state."),
    "confirm before it is resized": (
        ["upgrade_instance", "pay", "upgrade_server"],
        "confirm_upgrade",
        "Instance is not in the RESIZED state.",
    ),
    "revert before it is applied": (
        ["upgrade_instance", "pay"],
        "revert_upgrade",
        "Instance is not in the RESIZED state.",
    ),
}


@pytest.mark.parametrize(("before", "call", "told"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_step_out_of_turn_is_refused(site: Site, before: list[str], call: str, told: str) -> None:
    """With an error item; nothing moves, and it is in the ledger as accepted nowhere."""
    machine = active(site.cloud)
    for step in before:
        if step == "pay":
            portal(site.cloud, machine, "pay")
        else:
            assert not (await message(site, step, machine, rid=BIGGER)).startswith("no")
    state, entries = machine.state, len(site.cloud.ledger)
    assert await message(site, call, machine, rid=BIGGER) == f"no: {told}"
    assert (machine.state, len(site.cloud.ledger)) == (state, entries)


@pytest.mark.parametrize("moment", ["at once", "while it is resized", "after it is confirmed"])
async def test_a_repeated_upgrade_is_charged_again_where_that_is_switched(site: Site, moment: str) -> None:
    """So that a client that repeats itself is caught: two payments for one order."""
    site.switch(repeated_upgrade="charged")
    machine = await paid_order(site)
    await site.call("upgrade_server", serviceid=machine.id)
    if moment != "at once":
        site.cloud.clock.advance(RESIZE)
    if moment == "after it is confirmed":
        await site.call("confirm_upgrade", serviceid=machine.id)
        site.cloud.clock.advance(5)
    assert not (await message(site, "upgrade_server", machine)).startswith("no")
    assert payments(site.cloud) == ["4.00", "4.00"]
    again = site.cloud.ledger.select(operation=Operation.APPLY)[-1]
    assert again.detail["repeated"] is True
    assert [it["status"] for it in await site.admin("GET", "/invoices")] == ["paid", "paid"]


async def test_a_disk_only_upgrade_may_end_active_at_once(site: Site) -> None:
    """By a quirk: with the new sizes and without an order, as if it had been confirmed."""
    site.switch(disk_only_skips_resized=True)
    machine = await paid_order(site, MORE_DISK)
    assert await site.call("check_upgrade_reboot", serviceid=machine.id) == {"success": False}
    await site.call("upgrade_server", serviceid=machine.id, disk=100)
    site.cloud.clock.advance(RESIZE)
    assert await sizes(site, machine) == ("active", 406, 2048, 1, 100)
    assert await order_of(site, machine) is False
    other = await paid_order(site, BIGGER)
    await site.call("upgrade_server", serviceid=other.id)
    site.cloud.clock.advance(RESIZE)
    assert (await sizes(site, other))[0] == "RESIZED"


async def test_it_may_be_called_verify_resize(site: Site) -> None:
    """OpenStack's own word."""
    site.switch(verify_resize=True)
    machine = await paid_order(site)
    await site.call("upgrade_server", serviceid=machine.id)
    site.cloud.clock.advance(RESIZE)
    assert (await site.server(machine))["status"] == "VERIFY_RESIZE"


@pytest.mark.parametrize(
    ("quirk", "expected"), [("false", b'{"success": false}'), ("list", b'{"success": []}'), ("empty", b"")]
)
async def test_no_order_has_many_faces(site: Site, quirk: str, expected: bytes) -> None:
    """Which of them is real is not known."""
    machine = active(site.cloud)
    site.switch(no_order=quirk)
    answer = await site.post("check_upgrade_order", serviceid=machine.id)
    assert (answer.status_code, answer.content) == (200, expected)


async def test_no_order_may_be_an_error_item(site: Site) -> None:
    """Also where orders would be shown with their status."""
    site.switch(no_order="item", order_status=True)
    machine = active(site.cloud)
    assert await message(site, "check_upgrade_order", machine) == "no: No upgrade order found."


@pytest.mark.parametrize("vanishes", [False, True])
async def test_payment_shows_only_where_it_is_switched_on(site: Site, vanishes: bool) -> None:
    """As a status, or by the order being gone; a vanished order can be applied, and keeps others away."""
    site.switch(order_status=True, paid_order_vanishes=vanishes)
    machine = active(site.cloud)
    await site.call("upgrade_instance", serviceid=machine.id, rid=BIGGER)
    unpaid = await order_of(site, machine)
    assert isinstance(unpaid, dict)
    assert unpaid["status"] == "Unpaid"
    portal(site.cloud, machine, "pay")
    paid = await order_of(site, machine)
    assert paid == (False if vanishes else unpaid | {"status": "Paid"})
    assert (await message(site, "upgrade_instance", machine, rid=BIGGER)).startswith("no: An upgrade order")
    assert not (await message(site, "upgrade_server", machine)).startswith("no")


async def test_a_change_to_something_cheaper_is_paid_at_once(site: Site) -> None:
    """Its invoice is about nothing."""
    machine = active(site.cloud, plan=BIGGER)
    await site.call("upgrade_instance", serviceid=machine.id, rid="402")
    assert payments(site.cloud) == ["0.00"]
    assert site.cloud.ledger.select(operation=Operation.PAY)[0].actor is Actor.PROVIDER
    assert not (await message(site, "upgrade_server", machine)).startswith("no")


async def test_a_custom_plan_takes_sizes(site: Site) -> None:
    """As many as the call names; at the price that they make."""
    machine = await paid_order(site, CUSTOM, ram=4096, cpu=2, disk=50)
    assert payments(site.cloud) == [f"{4 * 2 + 2 * 2 + 50 * 0.1 + 1 - 9.99:.2f}"]
    await site.call("upgrade_server", serviceid=machine.id)
    site.cloud.clock.advance(RESIZE)
    await site.call("confirm_upgrade", serviceid=machine.id)
    site.cloud.clock.advance(5)
    assert await sizes(site, machine) == ("active", 420, 4096, 2, 50)


@pytest.mark.parametrize("rid", ["409", "9999", ""])
async def test_what_is_not_on_sale_cannot_be_ordered(site: Site, rid: str) -> None:
    """Sold out, unknown, or not said."""
    machine = active(site.cloud)
    assert (await message(site, "upgrade_instance", machine, rid=rid)).startswith("no: ")
    assert await order_of(site, machine) is False


async def test_a_price_may_rise_between_quote_and_order(site: Site) -> None:
    """The total is that of the order; what the server pays until then is what it was sold for."""
    machine = active(site.cloud)
    site.plant("products", {"kind": "price", "factor": 2, "product": BIGGER})
    quote = (await site.call("get_price_list"))["success"][2]["monthly"]
    await site.call("upgrade_instance", serviceid=machine.id, rid=BIGGER)
    order = await order_of(site, machine)
    assert isinstance(order, dict)
    assert (quote, order["total"]) == ("13.99", "17.99")


async def test_an_hourly_server_is_upgraded_by_the_hour(site: Site) -> None:
    """Where hourly billing is offered; otherwise not at all."""
    site.switch(hourly_enabled=True)
    machine = active(site.cloud)
    site.switch(hourly_enabled=False)
    told = await message(site, "upgrade_instance", machine, rid=BIGGER)
    assert told == "no: Hourly products are disabled! Please contact customer service."
    site.switch(hourly_enabled=True)
    await site.call("upgrade_instance", serviceid=machine.id, rid=BIGGER)
    await site.call("upgrade_server", serviceid=machine.id)
    site.cloud.clock.advance(RESIZE)
    await site.call("confirm_upgrade", serviceid=machine.id)
    site.cloud.clock.advance(5)
    assert (await site.server(machine))["cpu"] == 2
    assert machine.meter.gpu_rate == machine.product.price


async def test_a_terminated_server_leaves_no_open_invoice(site: Site) -> None:
    """Its order is cancelled; nobody can pay for what is gone."""
    machine = active(site.cloud)
    await site.call("upgrade_instance", serviceid=machine.id, rid=BIGGER)
    await site.call("terminate", serviceid=machine.id)
    site.cloud.clock.advance(5)
    assert [it["status"] for it in await site.admin("GET", "/invoices")] == ["cancelled"]
    assert (await site.admin("POST", "/invoices/416/pay"))["reason"] == "invoice_closed"


async def test_a_reinstallation_in_between_does_not_touch_the_order(site: Site) -> None:
    """Two changes of one server, one after the other, each with its own effect."""
    machine = await paid_order(site)
    await site.call("reinstall_instance", serviceid=machine.id, template=DEBIAN)
    site.cloud.clock.advance(REBUILD)
    assert await sizes(site, machine) == ("active", 402, 2048, 1, 50)
    assert (await site.server(machine))["template_uuid"] == DEBIAN
    assert not (await message(site, "upgrade_server", machine)).startswith("no")
