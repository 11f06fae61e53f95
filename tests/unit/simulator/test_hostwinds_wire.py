"""Hostwinds' wire format: the form, the key, the exact texts, and every quirk of an answer's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gpuinstance_simulator.hostwinds import PATH
from gpuinstance_simulator.hostwinds.actions import ACTIONS
from gpuinstance_simulator.simulation import TEST_KEY
from tests.unit.simulator.hostwinds_support import (
    ADD,
    RESIZE,
    UBUNTU,
    Site,
    active,
    portal,
)

NOT_AUTHORIZED = [{"result": "error", "action": "Authorization", "message": "Not Authorized!"}]


async def test_forms_of_both_kinds_are_read_and_nothing_else_is(site: Site) -> None:
    """A key in JSON, in the URL of a GET or of a POST, in a header, or misspelt is no key."""
    form = {"API": TEST_KEY, "action": "get_instances"}
    good: tuple[dict[str, Any], ...] = (
        {"method": "POST", "data": form},
        {"method": "POST", "files": {name: (None, value) for name, value in form.items()}},
    )
    bad: tuple[dict[str, Any], ...] = (
        {"method": "POST", "json": form},
        {"method": "GET", "params": form},
        {"method": "POST", "params": form},
        {"method": "POST", "data": {**form, "API": "wrong"}},
        {"method": "POST", "data": {"action": "get_instances"}, "headers": {"Authorization": f"Bearer {TEST_KEY}"}},
        {"method": "POST", "content": b"\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        {"method": "POST"},
    )
    for request in good:
        assert (await site.visitor.request(url=PATH, **request)).json() == {"success": []}
    for request in bad:
        answer = await site.visitor.request(url=PATH, **request)
        assert (answer.status_code, answer.json()) == (200, NOT_AUTHORIZED), request
    assert site.simulation.calls.by_credential["key-1"] == {"list": 2}
    for status in (401, 403):
        site.switch(auth_status=status)
        assert (await site.visitor.post(PATH)).status_code == status


async def test_an_unknown_action_is_answered_by_an_item_or_by_nothing(site: Site) -> None:
    """Neither is documented."""
    (item,) = await site.call("delete_instance", serviceid=1)
    assert (item["result"], item["message"]) == ("error", "Invalid action.")
    site.switch(unknown_action="empty")
    answer = await site.post("delete_instance")
    assert (answer.status_code, answer.content) == (200, b"")


SUCCESSES: dict[str, tuple[str | None, str]] = {
    # action: (its title, its message)
    "boot": ("Boot", "Instance Server#{sid} has been started!"),
    "shutdown": ("Shutdown", "Instance Server#{sid} has been shut down!"),
    "reboot": ("Reboot", "Instance rebooted"),
    "recreate": ("Rercreate", "Recreating Server#{sid}"),
    "reinstall_instance": ("Reinstall Instance", "Instance Server#{sid} is being rebuilt!"),
    "regenerate_networking": ("Regenerate Networking", "Regenerating Network for Server#{sid}"),
    "edit_instance": ("Edit Instance", "Instance server name has been updated"),
    "toggle_lock": ("Toggle Lock", "Service has been locked."),
    "terminate": (None, "Instance deleted"),
    "upgrade_instance": ("Upgrade Instance", "Service has been upgraded!"),
    "upgrade_server": ("Upgrade Server", "Server Server#{sid} is being upgraded."),
    "confirm_upgrade": ("Confirm Upgrade", "Upgrade Confirmed!"),
    "revert_upgrade": ("Revert Upgrade", "Upgrade Reverted!"),
    "change_billing_cycle": ("Change Billing Cycle", "Service has been upgraded!"),
}
BEFORE = {
    "boot": ["shutdown"],
    "upgrade_server": ["upgrade_instance", "pay"],
    "confirm_upgrade": ["upgrade_instance", "pay", "upgrade_server"],
    "revert_upgrade": ["upgrade_instance", "pay", "upgrade_server"],
}
FIELDS = {"template": UBUNTU, "rid": "403", "srvrname": "x", "billingcycle": "monthly"}


@pytest.mark.parametrize(("action", "told"), SUCCESSES.items(), ids=SUCCESSES.keys())
async def test_success_has_the_documented_words(site: Site, action: str, told: tuple[str | None, str]) -> None:
    """An array of one item; or, by a quirk, the item itself."""
    for single in (False, True):
        machine = active(site.cloud)
        for step in BEFORE.get(action, []):
            if step == "pay":
                portal(site.cloud, machine, "pay")
            else:
                await site.call(step, serviceid=machine.id, **FIELDS)
            site.cloud.clock.advance(RESIZE)
        site.switch(single_item=single)
        answer = await site.call(action, serviceid=machine.id, **FIELDS)
        title, message = told
        expected = {"result": "success", "message": message.format(sid=machine.id)}
        expected |= {} if title is None else {"action": title}
        assert answer == (expected if single else [expected])
        site.switch(single_item=False)


@pytest.mark.parametrize(
    "action",
    [name for name in ACTIONS if name not in {"get_instances", "get_instance_ids", "add_instance"}],
)
async def test_a_missing_or_unknown_service_id_has_the_documented_words(site: Site, action: str) -> None:
    """For every action that needs one; two have a number, one a text of its own."""
    texts = {"toggle_lock": "Service Id is required."}
    codes = {"toggle_lock": "5529903", "upgrade_server": "721334"}
    needless = {"get_billingcycle_prices": ("", "1", "0", "nonsense"), "get_price_list": ("",)}
    for service_id in ("", "1", "0", "nonsense"):
        if service_id in needless.get(action, ()):
            continue
        fields = FIELDS | ({"serviceid": service_id} if service_id else {})
        if action == "check_serviceid":
            site.switch(unknown_service="false")
            assert await site.call(action, **fields) == {"success": False}
            site.switch(unknown_service="item")
        (item,) = await site.call(action, **fields)
        assert item["result"] == "error"
        assert item["message"] == texts.get(action, "A valid serviceid is required.")
        assert item.get("ERROR") == codes.get(action)


async def test_creation_answers_two_items_and_no_id(site: Site) -> None:
    """The new server is found by its name only, and the name may be there twice."""
    for _ in range(2):
        assert await site.call(**ADD) == [
            {"result": "success", "action": "Invoice Paid", "message": "Invoice paid"},
            {"result": "success", "action": "Add Instance", "message": "Server is being Created!"},
        ]
    found = (await site.call("get_instance_ids", search="web"))["success"]
    assert [it["srvrname"] for it in found] == ["web", "web"]
    assert found[0]["id"] != found[1]["id"]
    assert [entry.charge for entry in site.cloud.ledger] == [
        machine.product.term_price(1) for machine in machines(site)
    ]


def machines(site: Site) -> list[Any]:
    return site.cloud.truth()


BAD: tuple[tuple[Mapping[str, str], str, str | None], ...] = (
    ({"location_id": "99"}, "Location Id is invalid.", "342432"),
    ({"template": "windows"}, "Template is invalid.", None),
    ({"rid": "1"}, "Product Id is invalid.", None),
    ({"rid": "409"}, "This product is out of stock.", None),
    ({"billingcycle": "hourly"}, "Hourly products are disabled! Please contact customer service.", None),
    ({"billingcycle": "weekly"}, "Invalid parameter.", None),
    ({"qty": "0"}, "Invalid parameter.", None),
    ({"qty": "many"}, "Invalid parameter.", None),
    ({"rid": ""}, "Invalid parameter.", None),
    ({"rid": "420", "ram": "1000"}, "Invalid parameter.", None),
)


@pytest.mark.parametrize(("change", "message", "code"), BAD)
async def test_a_bad_order_is_refused(site: Site, change: Mapping[str, str], message: str, code: str | None) -> None:
    """With HTTP 200, and nothing is bought."""
    (item,) = await site.call(**{**ADD, **change})
    assert (item["result"], item["action"], item["message"]) == ("error", "Add Instance", message)
    assert item.get("ERROR") == code
    assert len(site.cloud.ledger) == 0


async def test_everything_in_an_order_arrives(site: Site) -> None:
    """Keys in bracket syntax, cycle, quantity, and the sizes of a custom plan at their price."""
    order = {"billingcycle": "quarterly", "rid": "420", "ram": "4096", "cpu": "2", "disk": "40", "qty": "2"}
    form = {**ADD, **order, "API": TEST_KEY, "keys[]": ["laptop", "ci"]}
    assert (await site.visitor.post(PATH, data=form)).json()[1]["result"] == "success"
    servers = (await site.call("get_instances"))["success"]
    assert len(servers) == 2
    for server in servers:
        assert server["ssh_keys"] == ["laptop", "ci"]
        assert (server["billingcycle"], server["hourly"], server["location_id"]) == ("quarterly", 0, 1)
        assert (server["ram"], server["cpu"], server["disk"], server["bandwidth"]) == (4096, 2, 40, 1)
    monthly = 4 * 2 + 2 * 2 + 40 * 0.1 + 1
    assert [float(entry.charge) for entry in site.cloud.ledger] == [3 * monthly] * 2


@pytest.mark.parametrize("mixed", ["accepted", "refused"])
async def test_an_array_may_mix_success_and_error(site: Site, mixed: str) -> None:
    """An error beside what was accepted, or a success before what was refused."""
    machine = active(site.cloud)
    site.switch(mixed_items=mixed)
    refused = await site.call("boot", serviceid=machine.id)
    accepted = await site.call("shutdown", serviceid=machine.id)
    spoilt, plain = (accepted, refused) if mixed == "accepted" else (refused, accepted)
    assert [it["result"] for it in spoilt] == ["success", "error"]
    assert len(plain) == 1
    assert machine.state == "powering_off"
    assert len(await site.call(**ADD)) == (3 if mixed == "accepted" else 2)


async def test_a_label_can_be_changed_and_a_host_name_cannot(site: Site) -> None:
    """An empty label is refused; another server may have the same."""
    first, second = active(site.cloud, "first"), active(site.cloud, "second")
    host = (await site.server(first))["hostname"]
    await site.call("edit_instance", serviceid=first.id, srvrname="second")
    assert first.name == second.name == "second"
    assert (await site.server(first))["hostname"] == host
    (refused,) = await site.call("edit_instance", serviceid=first.id, srvrname=" ")
    assert refused["result"] == "error"


async def test_a_change_of_cycle_is_charged_each_time(site: Site) -> None:
    """Whoever repeats it pays again."""
    machine = active(site.cloud)
    for _ in range(2):
        await site.call("change_billing_cycle", serviceid=machine.id, billingcycle="annually")
    assert float(machine.charge(site.cloud.engine.now())) == pytest.approx(9.99 + 2 * 119.88)
    assert (await site.server(machine))["billingcycle"] == "annually"
    (refused,) = await site.call("change_billing_cycle", serviceid=machine.id, billingcycle="hourly")
    assert refused["message"].startswith("Hourly products are disabled!")
    site.switch(hourly_enabled=True)
    await site.call("change_billing_cycle", serviceid=machine.id, billingcycle="hourly")
    assert (await site.server(machine))["hourly"] == 1
