"""Hostwinds' objects and lists: every documented field, and every quirk of their shape."""

from __future__ import annotations

import pytest

from gpuinstance_simulator.hostwinds import PASSWORD_CANARY
from tests.unit.simulator.hostwinds_support import (
    DEBIAN,
    SMALL,
    UBUNTU,
    Site,
    active,
    bought,
    portal,
)

FIELDS_OF_A_SERVER = """
serviceid userid location_id server_uuid volume_uuid password port_uuid main_ip private_ip ips upgrade_available
is_suspended configkey ssh_keys hourly bandwidth pswd_changed srvrname template_uuid app_id locked hostname product_id
billingcycle product_name disk_type upgrade_ram upgrade_cpu upgrade_disk bandwidth_used mac_address status disp_status
image ip_v6 flavor vm_state task_state image_ref ram cpu disk created_at launched_at updated_at name power_state host
"""


async def test_a_server_object_has_every_documented_field(site: Site) -> None:
    """With the root password in clear, which no client may keep; times without a zone."""
    machine = active(site.cloud)
    server = await site.server(machine)
    assert set(server) == set(FIELDS_OF_A_SERVER.split())
    assert server["password"] == PASSWORD_CANARY
    assert (server["serviceid"], server["product_id"], server["srvrname"]) == (int(machine.id), int(SMALL), "web")
    assert (server["created_at"], server["launched_at"]) == ("2027-01-15 08:00:00", "2027-01-15 08:00:30")
    assert server["main_ip"].startswith("127.77.")
    assert (server["locked"], server["is_suspended"], server["upgrade_available"]) == (0, 0, 0)
    assert await site.call("get_instances") == {"success": [server]}
    (entry,) = (await site.call("get_instance_ips", serviceid=machine.id))["success"]
    assert entry == (await site.call("get_instance_ids"))["success"][0]
    assert (entry["id"], entry["dedicatedip"]) == (int(machine.id), server["main_ip"])


async def test_search_matches_any_part_in_any_case(site: Site) -> None:
    """So that whoever looks for a name finds longer names, too; newest first."""
    for name in ("gpui-a-1", "gpui-a-10", "GPUI-A-1", "other"):
        bought(site.cloud, name)
    found = (await site.call("get_instance_ids", search="gpui-a-1"))["success"]
    assert [it["srvrname"] for it in found] == ["GPUI-A-1", "gpui-a-10", "gpui-a-1"]
    assert (await site.call("get_instance_ids", search="gpui", location_id=2))["success"] == []
    by_host = await site.call("get_instance_ids", search=f"hwsrv-{site.cloud.truth()[3].id}")
    assert [it["srvrname"] for it in by_host["success"]] == ["other"]


@pytest.mark.parametrize("first_page", [0, 1])
async def test_ids_come_in_pages_if_wanted(site: Site, first_page: int) -> None:
    """Which number the first page has is a quirk; without a page it is meant; without a limit all come."""
    site.switch(first_page=first_page)
    for number in range(5):
        bought(site.cloud, f"m{number}")
    pages = [
        [it["srvrname"] for it in (await site.call("get_instance_ids", page=first_page + n, limit=2))["success"]]
        for n in range(4)
    ]
    assert pages == [["m4", "m3"], ["m2", "m1"], ["m0"], []]
    assert len((await site.call("get_instance_ids", limit=2))["success"]) == 2
    assert len((await site.call("get_instance_ids"))["success"]) == 5
    (refused,) = await site.call("get_instance_ids", page="two")
    assert refused["result"] == "error"


async def test_reads_come_bare_if_they_are_switched(site: Site) -> None:
    """Those that the sources disagree about: not the checks, orders and prices."""
    machine = active(site.cloud)
    enveloped = {
        action: await site.call(action, serviceid=machine.id)
        for action in ("get_instances", "get_instance", "get_instance_ids", "get_instance_ips")
    }
    site.switch(bare_reads=True)
    for action, answer in enveloped.items():
        assert await site.call(action, serviceid=machine.id) == answer["success"]
    assert await site.call("check_serviceid", serviceid=machine.id) == {"success": True}
    assert set(await site.call("get_price_list")) == {"success"}


async def test_numbers_are_text_if_they_are_switched(site: Site) -> None:
    """In every object; booleans and nothing stay what they are."""
    machine = active(site.cloud)
    await site.call("upgrade_instance", serviceid=machine.id, rid="403")
    site.switch(numbers_as_text=True)
    server = await site.server(machine)
    assert (server["serviceid"], server["ram"], server["locked"]) == (machine.id, "2048", "0")
    assert server["task_state"] is None
    order = (await site.call("check_upgrade_order", serviceid=machine.id))["success"]
    assert (order["id"], order["invoiceid"], order["total"]) == ("98", "416", "4.00")
    assert (await site.call("get_price_list"))["success"][0]["rid"] == "401"
    assert await site.call("check_serviceid", serviceid=machine.id) == {"success": True}


async def test_statuses_may_be_in_upper_case(site: Site) -> None:
    """All of them."""
    active(site.cloud, "web")
    portal(site.cloud, active(site.cloud, "frozen"), "suspend")
    site.switch(upper_statuses=True)
    assert {it["status"] for it in (await site.call("get_instances"))["success"]} == {"ACTIVE", "SUSPENDED"}


@pytest.mark.parametrize("shape", ["array", "map"])
async def test_the_price_list_has_two_shapes(site: Site, shape: str) -> None:
    """An array, or a map by the ids of its entries, which are not those that a plan is ordered by."""
    site.switch(price_list=shape)
    machine = active(site.cloud)
    answer = (await site.call("get_price_list", serviceid=machine.id, drive_type="ssd", managed=0))["success"]
    entries = answer if shape == "array" else list(answer.values())
    assert [it["rid"] for it in entries] == [401, 402, 403, 404, 405, 406, 420], "what is sold out is not there"
    assert [it["rid"] for it in entries if it["current"]] == [402]
    plan = entries[1]
    assert (plan["ram"], plan["cpu"], plan["disk"], plan["monthly"], plan["annually"]) == (
        "2048",
        "1",
        "50",
        "9.99",
        "119.88",
    )
    assert plan["id"] != plan["rid"]
    assert entries[-1]["prices"] == {"ram": "2.00", "cpu": "2.00", "disk": "0.10", "bandwidth": "1.00"}
    if shape == "map":
        assert list(answer) == [str(it["id"]) for it in entries]


async def test_the_rest_of_the_reads(site: Site) -> None:
    """Maintenance is told in words; of cycle prices nothing but an empty object is documented."""
    machine = active(site.cloud)
    assert await site.call("get_billingcycle_prices", serviceid=machine.id) == {}
    idle = await site.call("get_instance_maintenance", serviceid=machine.id)
    await site.call("reboot", serviceid=machine.id, time=5)
    busy = await site.call("get_instance_maintenance", serviceid=machine.id)
    assert (idle[0]["action"], idle[0]["result"]) == ("Get Instance Maintenance", "success")
    assert idle[0]["message"] != busy[0]["message"]


async def test_the_template_of_a_stranger_is_shown_as_it_is(site: Site) -> None:
    """Machines may have been bought by somebody else, with what is not on sale any more."""
    machine = active(site.cloud)
    del site.cloud.catalogue.templates[UBUNTU]
    assert (await site.server(machine))["image"] == {"name": UBUNTU}
    assert DEBIAN in site.cloud.catalogue.templates
