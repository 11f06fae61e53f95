"""Changing through Novita's wire face: limits, refusals, and what arrives in the cloud."""

from __future__ import annotations

import httpx
import pytest

from gpuinstance_simulator.catalogue import Mode, Port
from gpuinstance_simulator.clock import ManualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.machine import Mount
from gpuinstance_simulator.novita import shop
from gpuinstance_simulator.settings import Settings
from tests.unit.simulator.support import MONTHLY, SCARCE, create_body, running

REGISTRY = next(iter(shop().registry_auths))


async def refused(api: httpx.AsyncClient, path: str, body: dict[str, object]) -> tuple[int, str, str]:
    answer = await api.post(path, json=body)
    payload = answer.json()
    assert set(payload) == {"code", "reason", "message", "metadata"}
    assert payload["code"] == answer.status_code
    return answer.status_code, payload["reason"], payload["message"]


async def test_a_create_call_answers_nothing_but_the_id(api: httpx.AsyncClient, cloud: Cloud) -> None:
    """Everything that was asked for is in the machine."""
    answer = await api.post(
        "/gpu/instance/create",
        json=create_body(
            productId=MONTHLY,
            clusterId="us-ca-6",
            gpuNum=2,
            envs=[{"key": "A", "value": "1"}],
            tools=[{"name": "Jupyter", "port": "8888", "type": "http"}],
            networkStorages=[{"Id": "ns-1001"}],
            imageAuthId=REGISTRY,
            command="run",
            billingMode="spot",
            minCudaVersion="12.4",
            unknownField="ignored",
        ),
    )
    (machine,) = cloud.truth()
    assert (answer.status_code, answer.json()) == (200, {"id": machine.id})
    assert len(machine.id) == 16
    assert machine.order.ports == (Port(80, "http"), Port(22, "tcp"))
    assert machine.order.tools == (("Jupyter", Port(8888, "http")),)
    assert machine.order.software.mounts == (Mount("ns-1001", "/network"),)
    assert machine.order.software.env == (("A", "1"),)
    assert machine.order.software.command == "run"
    assert (machine.order.mode, machine.cluster_id, machine.order.gpu_count) == (Mode.SPOT, "us-ca-6", 2)


async def test_a_small_disk_is_raised_and_months_win_over_the_billing_mode(
    api: httpx.AsyncClient, cloud: Cloud
) -> None:
    """Both silently."""
    await api.post("/gpu/instance/create", json=create_body(rootfsSize=3))
    body = create_body(productId=MONTHLY, month=1, billingMode="onDemand")
    await api.post("/gpu/instance/create", json=body)
    assert [it.order.rootfs_gb for it in cloud.truth()] == [10, 60]
    assert [it.order.mode for it in cloud.truth()] == [Mode.ON_DEMAND, Mode.MONTHLY]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"productId": None}, "productId"),
        ({"productId": ""}, "productId"),
        ({"imageUrl": None}, "imageUrl"),
        ({"imageUrl": "x" * 501}, "imageUrl"),
        ({"kind": None}, "kind"),
        ({"kind": "tpu"}, "kind"),
        ({"gpuNum": 0}, "gpuNum"),
        ({"gpuNum": 9}, "gpuNum"),
        ({"gpuNum": "1"}, "gpuNum"),
        ({"rootfsSize": None}, "rootfsSize"),
        ({"rootfsSize": 6145}, "rootfsSize"),
        ({"name": "x" * 256}, "name"),
        ({"command": "x" * 2048}, "command"),
        ({"entrypoint": "x" * 2048}, "entrypoint"),
        ({"month": -1}, "month"),
        ({"billingMode": "monthly"}, "month"),
        ({"billingMode": "hourly"}, "billingMode"),
        ({"autoRenewMonth": 13}, "autoRenewMonth"),
        ({"ports": "80"}, "ports"),
        ({"ports": "80/udp"}, "ports"),
        ({"ports": "0/http"}, "ports"),
        ({"ports": "65536/http"}, "ports"),
        ({"ports": "2222/tcp"}, "ports"),
        ({"ports": "80/http,80/tcp"}, "ports"),
        ({"ports": ",".join(f"{port}/http" for port in range(1, 17))}, "ports"),
        ({"ports": [{"port": 80, "type": "http"}]}, "ports"),
        ({"envs": [{"key": "x" * 512, "value": ""}]}, "envs.0.key"),
        ({"envs": [{"key": "x", "value": "x" * 4096}]}, "envs.0.value"),
        ({"envs": [{"key": f"k{number}", "value": ""} for number in range(101)]}, "envs"),
        ({"tools": [{"name": "Jupyter", "port": 8888, "type": "http"}]}, "tools.0.port"),
        ({"tools": [{"name": "Emacs", "port": "8888", "type": "http"}]}, "tools.0.name"),
        ({"tools": [{"name": "Jupyter", "port": "2223", "type": "http"}]}, "tools.0"),
        ({"networkStorages": [{"Id": f"s{number}"} for number in range(31)]}, "networkStorages"),
        ({"networkStorages": [{"id": "ns-1001"}]}, "networkStorages.0.Id"),
    ],
)
async def test_documented_limits_are_checked_and_the_field_is_named(
    api: httpx.AsyncClient, cloud: Cloud, changes: dict[str, object], field: str
) -> None:
    """400 VALIDATOR_PARAM, and nothing was bought."""
    status, reason, message = await refused(api, "/gpu/instance/create", create_body(**changes))
    assert (status, reason) == (400, "VALIDATOR_PARAM")
    assert field in message
    assert len(cloud.ledger) == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"productId": "no-such"}, "RESOURCE_NOT_FOUND"),
        ({"clusterId": "no-such"}, "RESOURCE_NOT_FOUND"),
        ({"productId": "h100.24c240g"}, "INSUFFICIENT_RESOURCE"),
        ({"productId": SCARCE, "gpuNum": 2}, "INSUFFICIENT_RESOURCE"),
        ({"productId": SCARCE, "billingMode": "spot"}, "UNSUPPORTED_BILLING_MODE"),
        ({"imageAuthId": "no-such"}, "RESOURCE_NOT_FOUND"),
        ({"networkStorages": [{"Id": "no-such"}]}, "NETWORK_STORAGE_NOT_FOUND"),
        (
            {"networkStorages": [{"Id": "ns-1001"}], "clusterId": "eu-de-1"},
            "CUR_CLUSTER_NETWORK_STORAGE_NOT_SUPPORT",
        ),
        ({"productId": "l40s.12c64g", "billingMode": "spot", "rootfsSize": 501}, "VALIDATOR_PARAM"),
    ],
)
async def test_refusals_have_the_documented_names(
    api: httpx.AsyncClient, changes: dict[str, object], reason: str
) -> None:
    """Nearly all of them are 400."""
    status, name, message = await refused(api, "/gpu/instance/create", create_body(**changes))
    assert (status, name) == (400, reason)
    assert message


async def test_money_and_limits_of_the_account(api: httpx.AsyncClient, cloud: Cloud) -> None:
    """Two more names."""
    cloud.settings = Settings.model_validate({"balance": "0.1"})
    assert (await refused(api, "/gpu/instance/create", create_body()))[1] == "BALANCE_NOT_ENOUGH"
    cloud.settings = Settings(machine_limit=0)
    assert (await refused(api, "/gpu/instance/create", create_body()))[1] == "CREATE_INSTANCE_LIMIT"


@pytest.mark.parametrize("body", [b"<xml/>", b"[1]", b'"text"', b'{"name": '])
async def test_a_body_that_is_no_json_object_is_refused(api: httpx.AsyncClient, body: bytes) -> None:
    """REQUEST, as the documentation calls it."""
    answer = await api.post("/gpu/instance/create", content=body)
    assert (answer.status_code, answer.json()["reason"]) == (400, "REQUEST")


async def test_start_and_stop_answer_with_the_state_the_rest_with_nothing(
    api: httpx.AsyncClient, cloud: Cloud, clock: ManualClock
) -> None:
    """All of them mean: accepted."""
    machine = running(cloud)
    walk = [
        ("stop", {"instanceId": machine.id, "state": "toStop"}),
        ("start", {"instanceId": machine.id, "state": "toStart"}),
        ("restart", {}),
        ("migrate", {}),
        ("delete", {}),
    ]
    for verb, expected in walk:
        answer = await api.post(f"/gpu/instance/{verb}", json={"instanceId": machine.id})
        assert (answer.status_code, answer.json()) == (200, expected)
        clock.advance(61)
    assert [it.operation.value for it in cloud.ledger] == ["create", *(verb for verb, _ in walk)]


async def test_the_wrong_state_has_a_text_and_no_name(api: httpx.AsyncClient, cloud: Cloud) -> None:
    """As observed: `invalid state change`."""
    machine = running(cloud)
    answer = await refused(api, "/gpu/instance/start", {"instanceId": machine.id})
    assert answer == (400, "", "invalid state change")


async def test_deleting_is_refused_twice_unknown_and_prepaid(
    api: httpx.AsyncClient, cloud: Cloud, clock: ManualClock
) -> None:
    """While it is going: the wrong state; afterwards: not found; a monthly one: not at all."""
    machine = running(cloud)
    body: dict[str, object] = {"instanceId": machine.id}
    await api.post("/gpu/instance/delete", json=body)
    assert (await refused(api, "/gpu/instance/delete", body))[2] == "invalid state change"
    clock.advance(11)
    assert (await refused(api, "/gpu/instance/delete", body))[1] == "RESOURCE_NOT_FOUND"
    monthly = running(cloud, product_id=MONTHLY, mode=Mode.MONTHLY, months=1)
    answer = await refused(api, "/gpu/instance/delete", {"instanceId": monthly.id})
    assert answer[1] == "PREPAID_INSTANCE_NOT_SUPPORT_RELEASE"
    assert "instanceId" in (await refused(api, "/gpu/instance/delete", {}))[2]


async def test_no_stock_is_said_at_start_and_at_migration(
    api: httpx.AsyncClient, cloud: Cloud, clock: ManualClock
) -> None:
    """The name differs for migration."""
    machine = running(cloud, product_id=SCARCE)
    cloud.stop(machine.id)
    clock.advance(6)
    running(cloud, "thief", product_id=SCARCE)
    body: dict[str, object] = {"instanceId": machine.id}
    assert (await refused(api, "/gpu/instance/start", body))[1] == "INSUFFICIENT_RESOURCE"
    assert (await refused(api, "/gpu/instance/migrate", body))[1] == "MIGRATE_INSUFFICIENT_RESOURCE"


async def test_an_edit_takes_ports_as_objects_and_growth_as_an_increment(
    api: httpx.AsyncClient, cloud: Cloud, clock: ManualClock
) -> None:
    """Absent ports stay."""
    machine = running(cloud)
    body = {"instanceId": machine.id, "ports": [{"port": 8080, "type": "http"}], "expandRootDisk": 20}
    assert (await api.post("/gpu/instance/edit", json=body)).json() == {}
    grow = {"instanceId": machine.id, "expandRootDisk": 20}
    await api.post("/gpu/instance/edit", json=grow)
    clock.advance(5)
    cloud.engine.now()
    assert machine.order.ports == (Port(8080, "http"),)
    assert machine.order.rootfs_gb == 100


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ports": "80/http"}, "ports"),
        ({"ports": [{"port": 2224, "type": "tcp"}]}, "ports"),
        ({"ports": [{"port": "80", "type": "tcp"}]}, "ports.0.port"),
        ({"ports": [{"port": 80, "type": "tcp"}, {"port": 80, "type": "http"}]}, "twice"),
        ({"ports": [{"port": port, "type": "tcp"} for port in range(1, 17)]}, "ports"),
        ({"expandRootDisk": -1}, "expandRootDisk"),
        ({"expandRootDisk": 6100}, "expandRootDisk"),
    ],
)
async def test_bad_edits_are_refused(
    api: httpx.AsyncClient, cloud: Cloud, changes: dict[str, object], field: str
) -> None:
    """With the limits of create calls."""
    machine = running(cloud)
    answer = await refused(api, "/gpu/instance/edit", {"instanceId": machine.id} | changes)
    assert answer[:2] == (400, "VALIDATOR_PARAM")
    assert field in answer[2]


FULL_UPGRADE: dict[str, object] = {
    "imageUrl": "img:2",
    "envs": [{"key": "B", "value": "2"}],
    "command": "",
    "entrypoint": "",
    "save": True,
    "networkVolume": {"volumeMounts": []},
}


@pytest.mark.parametrize("missing", list(FULL_UPGRADE))
async def test_an_upgrade_needs_every_field(api: httpx.AsyncClient, cloud: Cloud, missing: str) -> None:
    """Leaving one out is an error, not "as before"."""
    machine = running(cloud)
    body = {"instanceId": machine.id} | {key: value for key, value in FULL_UPGRADE.items() if key != missing}
    answer = await refused(api, "/gpu/instance/upgrade", body)
    assert answer[:2] == (400, "VALIDATOR_PARAM")
    assert missing in answer[2]


async def test_an_upgrade_replaces_the_software(api: httpx.AsyncClient, cloud: Cloud) -> None:
    """And resets the machine."""
    machine = running(cloud)
    answer = await api.post("/gpu/instance/upgrade", json={"instanceId": machine.id} | FULL_UPGRADE)
    assert (answer.status_code, answer.json()) == (200, {})
    assert machine.order.software.image == "img:2"
    assert cloud.look(machine.id).word == "toReset"
