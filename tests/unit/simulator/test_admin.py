"""The admin API."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gpuinstance_simulator.clock import ManualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.novita import PREFIX, NovitaFace, Quirks, new_cloud
from gpuinstance_simulator.server import serve
from gpuinstance_simulator.settings import Settings
from gpuinstance_simulator.simulation import Simulation
from tests.unit.simulator.support import ANYWHERE, client, create_body, order, running


async def get(admin: httpx.AsyncClient, path: str, **params: str | int) -> Any:
    answer = await admin.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_health(admin: httpx.AsyncClient) -> None:
    """For whoever waits until the simulator is there."""
    assert await get(admin, "/health") == {"status": "ok"}


async def test_the_clock_can_be_read_advanced_and_set(admin: httpx.AsyncClient, clock: ManualClock) -> None:
    """And never turned back."""
    before = clock.now()
    answer = await admin.post("/clock", json={"advance": 90})
    assert answer.json() == {"now": before + 90, "speed": 0}
    assert clock.now() == before + 90
    assert (await admin.post("/clock", json={"speed": 60})).json()["speed"] == 60
    refused = await admin.post("/clock", json={"advance": -1})
    assert (refused.status_code, "advance" in refused.json()["error"]) == (400, True)


async def test_the_ledger_can_be_read_and_filtered(admin: httpx.AsyncClient, cloud: Cloud, clock: ManualClock) -> None:
    """Who did what to which machine when, and what it had cost by then."""
    machine = running(cloud, "mine")
    running(cloud, "other")
    clock.advance(3600 - 37 - 30)
    cloud.delete(machine.id)
    entries = await get(admin, "/ledger", machine=machine.id)
    assert [(it["operation"], it["actor"], it["machine_name"]) for it in entries] == [
        ("create", "api", "mine"),
        ("delete", "api", "mine"),
    ]
    assert entries[1]["charge"] == "0.220000"
    assert entries[1]["time"] == clock.now()
    assert [it["machine_name"] for it in await get(admin, "/ledger", operation="create")] == ["mine", "other"]
    assert await get(admin, "/ledger", name="other", operation="delete") == []
    assert await get(admin, "/ledger", actor="console") == []
    assert (await admin.get("/ledger", params={"operation": "explode"})).status_code == 400


async def test_calls_are_counted_by_operation_and_by_key() -> None:
    """Accepted or not; from the start or the last reset; the last ones in full."""
    cloud = new_cloud(ManualClock())
    async with serve(cloud, NovitaFace(), api_keys=["one", "two"]) as simulation, client() as visitor:
        api, admin = simulation.base_url + PREFIX, simulation.base_url + "/_simulator"
        for key in ("one", "two", "two", "wrong"):
            await visitor.get(f"{api}/gpu/instances", headers={"Authorization": f"Bearer {key}"})
        await visitor.post(
            f"{api}/gpu/instance/create", json=create_body(gpuNum=9), headers={"Authorization": "Bearer one"}
        )
        calls = (await visitor.get(f"{admin}/calls", params={"recent": 2})).json()
        assert calls["operations"] == {"list": 4, "create": 1}
        assert calls["total"] == 5
        assert calls["credentials"] == {
            "key-1": {"list": 1, "create": 1},
            "key-2": {"list": 2},
            "none": {"list": 1},
        }
        assert [(it["number"], it["operation"], it["status"]) for it in calls["recent"]] == [
            (4, "list", 401),
            (5, "create", 400),
        ]
        assert calls["recent"][1]["machine_name"] == "trainer"
        assert (await visitor.delete(f"{admin}/calls")).json()["total"] == 0


async def test_the_truth_about_machines_has_no_lag() -> None:
    """What listings do not show yet is here; what is gone only on request."""
    clock = ManualClock()
    cloud = new_cloud(clock, settings=Settings(listing_lag=100))
    async with serve(cloud, NovitaFace(Quirks())) as simulation, client() as visitor:
        url = simulation.base_url + "/_simulator/machines"
        machine = cloud.create(order())
        (seen,) = (await visitor.get(url)).json()
        assert (seen["id"], seen["state"], seen["gone"]) == (machine.id, "toCreate", False)
        cloud.delete(machine.id)
        clock.advance(11)
        assert (await visitor.get(url)).json() == []
        (gone,) = (await visitor.get(url, params={"gone": "true"})).json()
        assert gone["gone"]


async def test_somebody_can_buy_a_machine_with_our_name_in_the_console(admin: httpx.AsyncClient, cloud: Cloud) -> None:
    """Foreign, although it is called like ours."""
    ours = cloud.create(order("same"))
    answer = await admin.post("/machines", json={"name": "same", "product_id": ANYWHERE})
    assert answer.status_code == 201
    assert answer.json()["id"] != ours.id
    assert [(it.machine_name, it.actor) for it in cloud.ledger] == [("same", "api"), ("same", "console")]
    refused = await admin.post("/machines", json={"name": "x", "product_id": "no-such"})
    assert (refused.status_code, refused.json()["reason"]) == (409, "no_such_product")


async def test_the_console_acts_on_machines(admin: httpx.AsyncClient, cloud: Cloud) -> None:
    """Refusals are told as such."""
    machine = running(cloud)
    answer = await admin.post(f"/machines/{machine.id}/console", json={"action": "stop"})
    assert answer.json()["state"] == "toStop"
    again = await admin.post(f"/machines/{machine.id}/console", json={"action": "stop"})
    assert (again.status_code, again.json()["reason"]) == (409, "wrong_state")
    unknown = await admin.post("/machines/nobody/console", json={"action": "stop"})
    assert unknown.status_code == 404
    assert (await admin.post(f"/machines/{machine.id}/console", json={"action": "dance"})).status_code == 400


async def test_faults_can_be_planted_watched_and_removed(admin: httpx.AsyncClient, api: httpx.AsyncClient) -> None:
    """One or a list; how often each struck is told."""
    drop = {"id": "a", "operation": "list", "effect": {"kind": "answer", "status": 500}}
    assert (await admin.post("/faults", json=drop)).status_code == 201
    await admin.post("/faults", json=[{"effect": {"kind": "drop"}, "operation": "create"}])
    await api.get("/gpu/instances")
    await api.get("/gpu/instances")
    planted = {it["id"]: (it["seen"], it["hits"]) for it in await get(admin, "/faults")}
    assert planted == {"a": (2, 1), "fault-2": (0, 0)}
    assert (await admin.delete("/faults/a")).json() == {"removed": 1}
    assert (await admin.delete("/faults")).json() == {"removed": 1}
    wrong = await admin.post("/faults", json={"effect": {"kind": "explode"}})
    assert wrong.status_code == 400
    assert "explode" in wrong.json()["error"]


async def test_applications_can_be_ruled(admin: httpx.AsyncClient) -> None:
    """And healed."""
    rule = {"name": "sick-*", "behaviour": {"crashed": True}}
    (told,) = (await admin.post("/apps", json=rule)).json()
    assert (told["name"], told["behaviour"]["crashed"]) == ("sick-*", True)
    assert (await admin.delete("/apps")).json() == []
    assert await get(admin, "/apps") == []


async def test_visits_to_applications_are_counted(admin: httpx.AsyncClient, simulation: Simulation) -> None:
    """By machine and port, also where nobody answers."""
    machine = simulation.cloud.create(order())
    async with client() as visitor:
        for _ in range(2):
            await visitor.get(f"{simulation.base_url}/_apps/{machine.id}/80")
    assert await get(admin, "/visits") == {machine.id: {"80": 2}}


async def test_the_catalogue_can_be_changed(admin: httpx.AsyncClient, api: httpx.AsyncClient) -> None:
    """Only what is given changes; null takes the end of the stock away."""
    change: dict[str, object] = {"product": ANYWHERE, "price": "1.5", "capacity": 0}
    told = (await admin.post("/catalogue", json=change)).json()
    assert (told["price"], told["spot_price"], told["free_gpus"]) == ("1.5", "0.11", 0)
    refused = await api.post("/gpu/instance/create", json=create_body())
    assert refused.json()["reason"] == "INSUFFICIENT_RESOURCE"
    await admin.post("/catalogue", json={"product": ANYWHERE, "capacity": None})
    assert (await api.post("/gpu/instance/create", json=create_body())).status_code == 200
    listed = {it["id"]: it for it in await get(admin, "/catalogue")}
    assert listed[ANYWHERE]["capacity"] is None
    assert (await admin.post("/catalogue", json={"product": "no-such"})).status_code == 409


async def test_settings_can_be_changed_one_by_one(admin: httpx.AsyncClient, cloud: Cloud) -> None:
    """The others stay."""
    await admin.post("/settings", json={"listing_lag": 5})
    told = (await admin.post("/settings", json={"warm_up": 1})).json()
    assert (told["listing_lag"], told["warm_up"]) == (5, 1)
    assert cloud.settings.listing_lag == 5
    assert (await admin.post("/settings", json={"listing_leg": 5})).status_code == 400


async def test_quirks_can_be_switched_while_it_serves(admin: httpx.AsyncClient, api: httpx.AsyncClient) -> None:
    """The others stay; what is no quirk is refused."""
    assert (await api.get("/gpu/instances")).json()["total"] == 0
    told = (await admin.post("/quirks", json={"total_as_text": True})).json()
    assert (told["total_as_text"], told["first_page"]) == (True, 1)
    assert (await api.get("/gpu/instances")).json()["total"] == "0"
    assert (await get(admin, "/quirks"))["total_as_text"]
    assert (await admin.post("/quirks", json={"first_page": 7})).status_code == 400
    assert (await admin.post("/quirks", json={"fist_page": 0})).status_code == 400


async def test_what_another_provider_has_is_refused(admin: httpx.AsyncClient, cloud: Cloud) -> None:
    """Novita knows neither locks nor orders."""
    machine = running(cloud)
    refused = await admin.post(f"/machines/{machine.id}/console", json={"action": "lock"})
    assert (refused.status_code, refused.json()["reason"]) == (409, "wrong_state")


@pytest.mark.parametrize("path", ["/quirks", "/clock", "/faults", "/apps", "/machines", "/catalogue", "/settings"])
async def test_nonsense_is_refused(admin: httpx.AsyncClient, path: str) -> None:
    """Never a 500."""
    answer = await admin.post(path, content=b"nonsense")
    assert answer.status_code == 400
    assert answer.json()["error"]
