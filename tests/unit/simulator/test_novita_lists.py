"""Reading through Novita's wire face: pages, filters, shapes, secrets."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gpuinstance_simulator.catalogue import Mode, Port
from gpuinstance_simulator.clock import ManualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.machine import Mount, Software
from gpuinstance_simulator.novita import PREFIX, NovitaFace, Quirks
from gpuinstance_simulator.server import serve
from gpuinstance_simulator.simulation import TEST_KEY
from tests.unit.simulator.support import MONTHLY, SCARCE, client, order, running


async def get(api: httpx.AsyncClient, path: str, **params: str | int) -> Any:
    answer = await api.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def names(api: httpx.AsyncClient, **params: str | int) -> list[str]:
    return [entry["name"] for entry in (await get(api, "/gpu/instances", **params))["instances"]]


@pytest.fixture
def many(cloud: Cloud) -> None:
    """Twelve machines, m1 the oldest."""
    for number in range(1, 13):
        cloud.create(order(f"m{number}"))


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("params", "first", "count"),
    [
        pytest.param({}, "m12", 10, id="ten a page by default"),
        pytest.param({"pageSize": 5, "pageNum": 1}, "m12", 5, id="pages count from one"),
        pytest.param({"pageSize": 5, "pageNum": 0}, "m12", 5, id="zero is the first, too"),
        pytest.param({"pageSize": 5, "pageNum": 3}, "m2", 2, id="the last is shorter"),
        pytest.param({"pageSize": 5, "pageNum": 4}, None, 0, id="beyond the end is empty"),
        pytest.param({"pageSize": 0, "pageNum": 2}, "m2", 2, id="size zero means the default"),
        pytest.param({"pageSize": 5, "pageNumber": 2}, "m12", 5, id="a misspelt parameter is ignored"),
        pytest.param({"page_size": 3, "page": 2}, "m12", 10, id="so is another spelling"),
    ],
)
async def test_pages(api: httpx.AsyncClient, params: dict[str, int], first: str | None, count: int) -> None:
    """Newest first; `total` counts all pages."""
    answer = await get(api, "/gpu/instances", **params)
    found = [entry["name"] for entry in answer["instances"]]
    assert len(found) == count
    assert (found[0] if found else None) == first
    assert answer["total"] == 12


async def test_a_page_holds_a_hundred_at_most(api: httpx.AsyncClient, cloud: Cloud) -> None:
    """A larger wish is cut down without a word."""
    for number in range(101):
        cloud.create(order(f"m{number}"))
    assert len(await names(api, pageSize=500)) == 100


@pytest.mark.usefixtures("many")
async def test_switches_for_what_is_not_documented(cloud: Cloud) -> None:
    """Pages from zero, `total` as text, empty billing modes, 404 for unknown ids, keys refused by the gateway."""
    quirks = Quirks(first_page=0, total_as_text=True, empty_billing_mode=True, not_found_status=404, gateway_auth=True)
    async with (
        serve(cloud, NovitaFace(quirks)) as simulation,
        client(simulation.base_url + PREFIX, key=TEST_KEY) as api,
    ):
        answer = await get(api, "/gpu/instances", pageSize=5, pageNum=1)
        assert [entry["name"] for entry in answer["instances"]] == ["m7", "m6", "m5", "m4", "m3"]
        assert answer["total"] == "12"
        assert answer["instances"][0]["billingMode"] == ""
        unknown = await api.get("/gpu/instance", params={"instanceId": "nobody"})
        assert (unknown.status_code, unknown.json()["reason"]) == (404, "RESOURCE_NOT_FOUND")
        refused = await api.get("/gpu/instances", headers={"Authorization": "Bearer wrong"})
        assert (refused.status_code, refused.json()["reason"]) == (403, "INVALID_API_KEY")


@pytest.mark.parametrize("header", [None, "Bearer wrong", TEST_KEY, f"Basic {TEST_KEY}"])
async def test_without_the_key_nothing_is_answered(api: httpx.AsyncClient, header: str | None) -> None:
    """401 with the documented name; the call is counted, as one of nobody."""
    request = api.build_request("GET", "/gpu/instances")
    del request.headers["Authorization"]
    if header is not None:
        request.headers["Authorization"] = header
    answer = await api.send(request)
    assert answer.status_code == 401
    assert answer.json() == {"code": 401, "reason": "UNAUTHORIZED", "message": "unauthorized", "metadata": {}}


async def test_unknown_calls_have_a_name(api: httpx.AsyncClient) -> None:
    """Also a known path with the wrong method."""
    for answer in (await api.get("/gpu/instance/list"), await api.get("/gpu/instance/create")):
        assert (answer.status_code, answer.json()["reason"]) == (404, "API_NOT_FOUND")


async def test_filters_are_fuzzy_but_for_the_status(api: httpx.AsyncClient, cloud: Cloud, clock: ManualClock) -> None:
    """Part of the name in any case: whoever looks for `trainer` finds `my-TRAINER-2`, too."""
    cloud.create(order("trainer"))
    cloud.create(order("my-TRAINER-2", product_id=MONTHLY))
    clock.advance(37)
    cloud.create(order("other"))
    assert await names(api, name="trainer") == ["my-TRAINER-2", "trainer"]
    assert await names(api, productName="4090") == ["my-TRAINER-2"]
    assert await names(api, status="toCreate") == ["other"]
    assert await names(api, status="run") == []


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"pageSize": -1}, "pageSize"),
        ({"pageNum": "two"}, "pageNum"),
        ({"name": "x" * 256}, "name"),
        ({"status": "x" * 64}, "status"),
    ],
)
async def test_bad_list_parameters_are_named(api: httpx.AsyncClient, params: dict[str, str], field: str) -> None:
    """400 VALIDATOR_PARAM with the name of the parameter."""
    answer = await api.get("/gpu/instances", params=params)
    assert (answer.status_code, answer.json()["reason"]) == (400, "VALIDATOR_PARAM")
    assert field in answer.json()["message"]


async def test_the_list_has_no_endpoints_and_many_numbers_as_text(api: httpx.AsyncClient, cloud: Cloud) -> None:
    """As on the wire: CPU, memory, GPUs, sizes of mounts and times are strings, ports and the root disk are not."""
    software = Software("img", env=(("A", "1"),), mounts=(Mount("ns-1001", "/data"),))
    machine = running(cloud, gpu_count=2, software=software)
    entry = (await get(api, "/gpu/instances"))["instances"][0]
    assert entry["portMappings"] == [{"port": 80, "type": "http"}, {"port": 22, "type": "tcp"}]
    assert (entry["cpuNum"], entry["memory"], entry["gpuNum"], entry["rootfsSize"]) == ("32", "184", "2", 60)
    assert entry["volumeMounts"] == [{"type": "network", "size": "500", "id": "ns-1001", "mountPath": "/data"}]
    assert entry["envs"] == [{"key": "A", "value": "1"}]
    assert entry["createdAt"] == str(int(machine.created_at))
    assert entry["lastStartedAt"] == str(int(machine.created_at) + 37)
    assert (entry["lastStoppedAt"], entry["endTime"]) == ("0", "-1")
    assert (entry["spotStatus"], entry["spotReclaimTime"]) == ("", "0")
    assert entry["statusError"] == {"state": "", "message": ""}
    assert "password" not in str(entry)
    detail = await get(api, "/gpu/instance", instanceId=machine.id)
    assert detail["volumeMounts"][0]["size"] == 500


async def test_endpoints_and_secrets_show_only_while_the_machine_is_up(
    api: httpx.AsyncClient, cloud: Cloud, clock: ManualClock
) -> None:
    """And passwords change with each run."""
    machine = cloud.create(order())
    before = await get(api, "/gpu/instance", instanceId=machine.id)
    assert [it["endpoint"] for it in before["portMappings"]] == ["", ""]
    assert before["connectComponentSSH"] == {"sshCommand": "", "password": "", "isRunning": False}
    clock.advance(37)
    up = await get(api, "/gpu/instance", instanceId=machine.id)
    assert up["portMappings"][0]["endpoint"].endswith(f"/_apps/{machine.id}/80")
    assert up["portMappings"][1]["endpoint"].startswith("127.0.0.1:")
    assert up["connectComponentSSH"]["sshCommand"].startswith("ssh -p ")
    assert up["connectComponentSSH"]["isRunning"]
    cloud.restart(machine.id)
    clock.advance(11)
    again = await get(api, "/gpu/instance", instanceId=machine.id)
    assert again["connectComponentSSH"]["password"] != up["connectComponentSSH"]["password"]


async def test_a_tool_has_its_own_place(api: httpx.AsyncClient, cloud: Cloud) -> None:
    """Jupyter's address, once it runs."""
    machine = running(cloud, tools=(("Jupyter", Port(8888, "http")),))
    detail = await get(api, "/gpu/instance", instanceId=machine.id)
    jupyter = detail["connectComponentJupyter"]
    assert (jupyter["port"], jupyter["isRunning"]) == (8888, True)
    assert jupyter["address"].endswith(f"/_apps/{machine.id}/8888")


async def test_a_monthly_machine_says_when_it_ends_and_a_vanished_product_has_no_name(
    api: httpx.AsyncClient, cloud: Cloud
) -> None:
    """Thirty days a month; the product's name goes with the product."""
    machine = running(cloud, product_id=MONTHLY, mode=Mode.MONTHLY, months=2)
    del cloud.catalogue.products[MONTHLY]
    entry = (await get(api, "/gpu/instances"))["instances"][0]
    assert entry["endTime"] == str(int(machine.created_at) + 60 * 86400)
    assert (entry["billingMode"], entry["productId"], entry["productName"]) == ("monthly", MONTHLY, "")


async def test_an_unknown_instance_is_a_400_with_a_name(api: httpx.AsyncClient) -> None:
    """Status 400 means many things; the name tells."""
    answer = await api.get("/gpu/instance", params={"instanceId": "nobody"})
    assert (answer.status_code, answer.json()["reason"]) == (400, "RESOURCE_NOT_FOUND")
    missing = await api.get("/gpu/instance")
    assert missing.json()["reason"] == "VALIDATOR_PARAM"
    assert "instanceId" in missing.json()["message"]


async def test_products_show_cluster_names_and_prices_in_small_units(api: httpx.AsyncClient) -> None:
    """Text in 1/100000 USD; `regions` are names; what is offered depends on the billing method."""
    products = {it["id"]: it for it in (await get(api, "/products"))["data"]}
    usual = products[MONTHLY]
    assert (usual["price"], usual["spotPrice"]) == ("35000", "17500")
    assert usual["monthlyPrice"][0] == {"price": "22000000", "month": 1}
    assert usual["regions"] == ["US-CA-06 (California)", "AS-SGP-02 (Singapore)"]
    assert usual["billingMethods"] == ["onDemand", "spot", "monthly"]
    assert products["3090.16c92g"]["regions"] == [], "everywhere"
    assert "spotPrice" not in products[SCARCE]
    assert "l40s.12c64g" not in products, "only as spot"
    assert not products["h100.24c240g"]["availableDeploy"]
    assert products["h100.24c240g"]["inventoryState"] == "none"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"productName": "rtx 4090", "clusterId": "cn-hongkong-1"}, {"4090.16c96g.v2", "4090.12c46g.hk"}),
        ({"billingMethod": "monthly", "minMemoryPerGpu": 100}, {"6000ada.16c125g"}),
        ({"billingMethod": "spot", "minCpuPerGpu": 20}, {"h100.24c240g"}),
        ({"billingMethod": "spot", "productName": "l40s", "minRootFSSize": 501}, set()),
    ],
)
async def test_products_can_be_filtered(api: httpx.AsyncClient, params: dict[str, str], expected: set[str]) -> None:
    """But never by availability."""
    assert {it["id"] for it in (await get(api, "/products", **params))["data"]} == expected


async def test_availability_follows_the_stock(api: httpx.AsyncClient, cloud: Cloud) -> None:
    """A sold-out product says so; asked for more GPUs than there are, it is not available either."""
    params: dict[str, str | int] = {"productName": "A100"}
    assert (await get(api, "/products", **params, gpuNum=8))["data"][0]["availableDeploy"]
    cloud.create(order(product_id="a100.16c120g", gpu_count=4))
    assert not (await get(api, "/products", **params, gpuNum=8))["data"][0]["availableDeploy"]
    entry = (await get(api, "/products", **params, gpuNum=1))["data"][0]
    assert (entry["availableDeploy"], entry["inventoryState"]) == (True, "low")
    bad = await api.get("/products", params={"gpuNum": 9})
    assert "gpuNum" in bad.json()["message"]


async def test_cluster_ids_cannot_be_computed_from_names(api: httpx.AsyncClient) -> None:
    """The map is in the answer and nowhere else."""
    clusters = {it["name"]: it for it in (await get(api, "/clusters"))["data"]}
    assert clusters["CN-HK-01 (Hong Kong)"]["id"] == "cn-hongkong-1"
    assert clusters["US-CA-06 (California)"]["id"] == "us-ca-6"
    assert "RTX 4090 24GB" in clusters["US-CA-06 (California)"]["availableGpuType"]


async def test_templates_group_their_ports_and_name_a_registry_login(api: httpx.AsyncClient) -> None:
    """Capital `Id`, the array called `template`, `imageAuth` an id."""
    template = (await get(api, "/template", templateId="107672"))["template"]
    assert template["Id"] == "107672"
    assert template["ports"] == [{"type": "http", "ports": [80, 8188]}, {"type": "tcp", "ports": [22]}]
    assert template["envs"][0] == {"key": "MODE", "value": "server"}
    private = await get(api, "/templates", channel="private,community", name="TRAINER")
    assert [it["name"] for it in private["template"]] == ["private-trainer"]
    auths = {it["id"] for it in (await get(api, "/repository/auths"))["data"]}
    assert private["template"][0]["imageAuth"] in auths
    unknown = await api.get("/template", params={"templateId": "1"})
    assert (unknown.status_code, unknown.json()["reason"]) == (400, "TEMPLATE_NOT_FOUND")
    assert unknown.json()["message"] == "template not found"


async def test_network_storages_call_their_page_otherwise(api: httpx.AsyncClient) -> None:
    """`pageNo` here, `pageNum` elsewhere."""
    answer = await get(api, "/networkstorages/list", pageSize=1, pageNo=2)
    assert [it["storageId"] for it in answer["data"]] == ["ns-1002"]
    assert answer["total"] == 2
    assert answer["data"][0]["clusterName"] == "AS-SGP-02 (Singapore)"
    found = await get(api, "/networkstorages/list", storageName="DATA")
    assert [it["storageName"] for it in found["data"]] == ["datasets"]
