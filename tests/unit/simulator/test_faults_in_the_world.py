"""Faults of pages, machines and the world around a call, seen through the wire."""

from __future__ import annotations

from decimal import Decimal

import httpx
import pytest

from gpuinstance_simulator.catalogue import Mode
from gpuinstance_simulator.clock import ManualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.lifecycle import Actor, Operation
from gpuinstance_simulator.machine import SpotStatus
from gpuinstance_simulator.simulation import Simulation
from tests.unit.simulator.support import (
    ANYWHERE,
    WAY_UP,
    create,
    listing,
    order,
    plant,
    running,
)


async def test_one_machine_can_be_hidden_from_listings_after_create_and_after_delete(
    simulation: Simulation, api: httpx.AsyncClient, clock: ManualClock
) -> None:
    """The lag of this machine only; a lookup by id knows it at once."""
    plant(simulation, {"kind": "lag", "seconds": 50}, name="slow")
    plant(simulation, {"kind": "lag", "seconds": 50}, name="slow", operation="delete")
    machine_id = (await create(api, name="slow")).json()["id"]
    await create(api, name="quick")
    assert await names(api) == ["quick"]
    assert (await api.get("/gpu/instance", params={"instanceId": machine_id})).status_code == 200
    clock.advance(50)
    assert await names(api) == ["quick", "slow"]
    await api.post("/gpu/instance/delete", json={"instanceId": machine_id})
    clock.advance(49)
    assert await names(api) == ["quick", "slow"]
    clock.advance(1)
    assert await names(api) == ["quick"]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("empty", []),
        ("short", ["m4"]),
        ("repeated", ["m6", "m5"]),
        ("overlap", ["m4", "m4"]),
    ],
)
async def test_a_page_can_be_wrong_although_it_is_answered_with_200(
    simulation: Simulation, api: httpx.AsyncClient, cloud: Cloud, shape: str, expected: list[str]
) -> None:
    """Pages of two, newest first: m6 m5 | m4 m3 | m2 m1. The second is spoilt, `total` stays six."""
    for number in range(1, 7):
        cloud.create(order(f"m{number}"))
    plant(simulation, {"kind": "page", "shape": shape}, operation="list", page=2, count=None)
    pages = [(await listing(api, pageSize=2, pageNum=number)) for number in (1, 2, 3)]
    assert [entry["name"] for entry in pages[1]["instances"]] == expected
    assert [entry["name"] for page in (pages[0], pages[2]) for entry in page["instances"]] == ["m6", "m5", "m2", "m1"]
    assert {page["total"] for page in pages} == {6}


async def test_a_single_page_can_fail(simulation: Simulation, api: httpx.AsyncClient, cloud: Cloud) -> None:
    """The others are answered."""
    for number in range(4):
        cloud.create(order(f"m{number}"))
    plant(simulation, {"kind": "answer", "status": 500}, operation="list", page=2)
    statuses = [
        (await api.get("/gpu/instances", params={"pageSize": 2, "pageNum": number})).status_code for number in (1, 2, 2)
    ]
    assert statuses == [200, 500, 200]


async def test_the_price_can_rise_between_quote_and_order(
    simulation: Simulation, api: httpx.AsyncClient, cloud: Cloud
) -> None:
    """The quote shows the old price, the machine costs the new one."""
    plant(simulation, {"kind": "price", "factor": 3, "product": ANYWHERE}, operation="products")
    quote = (await api.get("/products", params={"productName": "3090"})).json()["data"][0]["price"]
    await create(api)
    assert quote == "22000"
    assert cloud.truth()[0].meter.gpu_rate == Decimal("0.66")


async def test_a_creation_can_fail_get_stuck_or_show_a_strange_word(
    simulation: Simulation, api: httpx.AsyncClient, clock: ManualClock
) -> None:
    """What befalls a machine is said when it is bought."""
    plant(simulation, {"kind": "fail", "at": "creating", "ends": "exited", "message": "no such image"}, name="bad")
    plant(simulation, {"kind": "stick", "state": "pulling"}, name="stuck")
    plant(simulation, {"kind": "word", "word": "pending", "state": "toCreate"}, name="strange")
    for name in ("bad", "stuck", "strange"):
        await create(api, name=name)
    first = {entry["name"]: entry["status"] for entry in (await listing(api))["instances"]}
    assert first["strange"] == "pending"
    clock.advance(10_000)
    entries = {entry["name"]: entry for entry in (await listing(api))["instances"]}
    assert {name: entry["status"] for name, entry in entries.items()} == {
        "bad": "exited",
        "stuck": "pulling",
        "strange": "running",
    }
    assert entries["bad"]["statusError"] == {"state": "error", "message": "no such image"}


async def test_a_spot_machine_can_be_reclaimed_on_time(
    simulation: Simulation, api: httpx.AsyncClient, clock: ManualClock, cloud: Cloud
) -> None:
    """Announced after 100 s of running, begun 30 s later: no hour has to be waited for."""
    plant(simulation, {"kind": "reclaim", "after": 100, "notice": 30})
    await create(api, billingMode="spot")
    clock.advance(WAY_UP + 100)
    assert (await listing(api))["instances"][0]["spotStatus"] == "notified"
    clock.advance(90)
    entry = (await listing(api))["instances"][0]
    assert (entry["status"], entry["spotStatus"]) == ("exited", "terminated")
    assert entry["spotReclaimTime"] == str(int(cloud.truth()[0].reclaimed_at or 0)) != "0"


async def test_a_running_spot_machine_can_be_reclaimed_by_a_fault_on_any_call_about_it(
    simulation: Simulation, api: httpx.AsyncClient, cloud: Cloud
) -> None:
    """The announcement comes at once if so much running is already over."""
    machine = running(cloud, mode=Mode.SPOT)
    plant(simulation, {"kind": "reclaim"}, operation="get")
    await api.get("/gpu/instance", params={"instanceId": machine.id})
    cloud.engine.now()
    assert machine.spot_status is SpotStatus.NOTIFIED


@pytest.mark.parametrize("when", ["before", "after"])
async def test_somebody_can_interfere_at_the_very_moment_of_a_call(
    simulation: Simulation, api: httpx.AsyncClient, cloud: Cloud, when: str
) -> None:
    """Deleted in the console right before we stop it: our call is refused. Right after: it was accepted."""
    machine = running(cloud)
    plant(simulation, {"kind": "console", "when": when, "do": {"action": "delete"}}, operation="stop")
    answer = await api.post("/gpu/instance/stop", json={"instanceId": machine.id})
    assert answer.status_code == (400 if when == "before" else 200)
    assert [it.operation for it in cloud.ledger.select(actor=Actor.CONSOLE)] == [Operation.DELETE]


async def test_somebody_can_delete_what_we_have_just_bought(
    simulation: Simulation, api: httpx.AsyncClient, cloud: Cloud
) -> None:
    """The new machine's id is known only after the acceptance."""
    plant(simulation, {"kind": "console", "when": "after", "do": {"action": "delete"}})
    assert (await create(api)).status_code == 200
    assert [it.state for it in cloud.truth()] == ["toRemove"]


async def names(api: httpx.AsyncClient) -> list[str]:
    return [entry["name"] for entry in (await listing(api))["instances"]]
