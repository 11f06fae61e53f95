"""What a person changes in the spec of a living instance, and what comes of it at the provider."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.integration.manifests import instance, serving
from tests.integration.world import World, until

pytestmark = pytest.mark.cluster


def ports(*numbers: int) -> list[dict[str, int]]:
    return [{"port": number} for number in numbers]


def test_a_restart_token_restarts_once(world: World) -> None:
    """Each new token restarts the machine exactly once, also if the operator itself is restarted."""
    world.apply(serving(actions={"restart": "at birth"}))
    world.ready("trainer")
    assert world.done("trainer") == Counter(create=1), "a new machine is what a token asks for"
    for count, token in enumerate(("monday", "tuesday"), start=1):
        world.patch("trainer", actions={"restart": token})
        world.wait("trainer", f"jsonpath={{.status.handledActions.restart}}={token}", "condition=Ready")
        assert world.done("trainer") == Counter(create=1, restart=count)
    world.stack.restart_operator()
    world.wait("trainer", "condition=Ready")
    world.patch("trainer", actions=None)
    world.wait("trainer", "jsonpath={.status.observedGeneration}=4", "condition=Ready")
    assert world.done("trainer") == Counter(create=1, restart=2)


def test_a_recreate_token_replaces_the_machine(world: World) -> None:
    """The old machine is gone before the new one is bought, by the current spec."""
    world.apply(serving())
    world.ready("trainer")
    old = world.machine("trainer")
    world.patch("trainer", gpuCount=2, actions={"recreate": "bigger"})
    world.wait("trainer", "jsonpath={.status.handledActions.recreate}=bigger", "condition=Ready")
    new = world.machine("trainer")
    assert new["id"] != old["id"]
    assert new["gpu_count"] == 2
    assert [entry["operation"] for entry in world.ledger("trainer")] == ["create", "delete", "create"]


def test_the_price_is_asked_before_a_machine_is_given_up(world: World) -> None:
    """A recreate whose new machine would be too expensive leaves the old one running."""
    world.apply(serving(billing={"maxHourlyPrice": 0.5}))
    world.ready("trainer")
    world.patch("trainer", gpuCount=2, actions={"recreate": "bigger"})
    world.reason("trainer", "PriceAboveLimit")
    assert world.machine("trainer")["state"] == "running"
    assert world.done("trainer") == Counter(create=1)
    world.patch("trainer", billing={"maxHourlyPrice": 1})
    world.wait("trainer", "jsonpath={.status.handledActions.recreate}=bigger", "condition=Ready")
    assert world.done("trainer") == Counter(create=2, delete=1)


CHANGES = [
    pytest.param(
        {"image": "docker.io/library/nginx:1.28"},
        {"upgrade": 1},
        {"image": "docker.io/library/nginx:1.28"},
        id="another image",
    ),
    pytest.param(
        {"ports": ports(80, 8080)},
        {"edit": 1},
        {"ports": [{"number": 80, "protocol": "http"}, {"number": 8080, "protocol": "http"}]},
        id="another port",
    ),
    pytest.param({"rootfsSizeGB": 100}, {"edit": 1}, {"rootfs_gb": 100}, id="more disk"),
    pytest.param(
        {"image": "docker.io/library/nginx:1.28", "ports": ports(8080), "rootfsSizeGB": 80},
        {"upgrade": 1, "edit": 2},
        {"image": "docker.io/library/nginx:1.28", "rootfs_gb": 80, "ports": [{"number": 8080, "protocol": "http"}]},
        id="all at once",
    ),
]


@pytest.mark.parametrize(("change", "calls", "shown"), CHANGES)
def test_the_machine_follows_the_spec(
    world: World, change: dict[str, Any], calls: dict[str, int], shown: dict[str, Any]
) -> None:
    """The same machine gets what the spec asks for, each change with one call, and is Ready again."""
    world.apply(serving(rootfsSizeGB=60))
    world.ready("trainer")
    before = world.machine("trainer")
    world.patch("trainer", **change)
    world.wait("trainer", "jsonpath={.status.observedGeneration}=2", "condition=Ready")
    until(lambda: shown.items() <= world.machine("trainer").items(), f"the provider shows {shown}")
    assert world.machine("trainer")["id"] == before["id"]
    assert world.done("trainer") == Counter(create=1, **calls)
    published = [endpoint["port"] for endpoint in world.status("trainer")["endpoints"]]
    assert published == [port["number"] for port in world.machine("trainer")["ports"]]


def test_a_change_while_the_machine_comes_up(world: World) -> None:
    """What is changed before the machine runs is brought about once it does."""
    world.fault({"kind": "stick", "state": "pulling", "seconds": 60}, "trainer", operation="create")
    world.apply(serving())
    until(lambda: world.machines("trainer"), "the machine is being created")
    world.patch("trainer", ports=ports(80, 81))
    world.ready("trainer")
    assert [endpoint["port"] for endpoint in world.status("trainer")["endpoints"]] == [80, 81]
    assert world.done("trainer") == Counter(create=1, edit=1)


@pytest.mark.parametrize(
    ("before", "change", "back"),
    [
        ({}, {"gpuCount": 2}, {"gpuCount": 1}),
        ({}, {"product": {"name": "RTX 3090 24GB"}}, {"product": {"name": "RTX 4090 24GB"}}),
        ({}, {"billing": {"mode": "Spot"}}, {"billing": None}),
        ({"minCudaVersion": "12.4"}, {"minCudaVersion": "12.6"}, {"minCudaVersion": "12.4"}),
    ],
    ids=["gpuCount", "product", "billing", "minCudaVersion"],
)
def test_what_no_machine_can_follow_is_said(
    world: World, before: dict[str, Any], change: dict[str, Any], back: dict[str, Any]
) -> None:
    """A change that needs another machine is never made silently: Stalled, until it is taken back."""
    world.apply(serving(**before))
    world.ready("trainer")
    world.patch("trainer", **change)
    world.wait("trainer", "condition=Stalled")
    assert "spec.actions.recreate" in world.reason("trainer", "RecreateRequired")
    world.patch("trainer", **back)
    world.wait("trainer", "jsonpath={.status.observedGeneration}=3", "condition=Ready")
    assert world.done("trainer") == Counter(create=1)


def test_a_template_is_expanded_and_the_spec_wins(world: World) -> None:
    """Image, ports and disk are the template's where the spec is silent, and the spec's where it speaks."""
    world.apply(
        instance("asis", image=None, templateID="107672"),
        instance("mine", image=None, templateID="107672", rootfsSizeGB=200, ports=ports(9000)),
    )
    world.ready("asis", "mine")
    plain, own = world.machine("asis"), world.machine("mine")
    assert (plain["image"], plain["rootfs_gb"]) == ("docker.io/library/comfyui:0.3", 80)
    assert {(port["number"], port["protocol"]) for port in plain["ports"]} == {
        (80, "http"),
        (8188, "http"),
        (22, "tcp"),
    }
    assert (own["image"], own["rootfs_gb"]) == ("docker.io/library/comfyui:0.3", 200)
    assert [port["number"] for port in own["ports"]] == [9000]


@pytest.mark.parametrize(
    ("spec", "product", "place"),
    [
        pytest.param({}, "4090.16c96g.v2", None, id="of the cheapest the one with most memory"),
        pytest.param({"regions": ["US-CA-06"]}, "4090.16c62g", "us-ca-6", id="in the wanted region"),
        pytest.param(
            {"regions": ["EU-DE-01", "CN-HK-01 (Hong Kong)", "US-CA-06"]},
            "4090.16c96g.v2",
            "cn-hongkong-1",
            id="in the first region that has one",
        ),
        pytest.param({"product": {"id": "4090.12c46g.hk"}}, "4090.12c46g.hk", "cn-hongkong-1", id="the very one"),
    ],
)
def test_the_optimal_product_is_bought(world: World, spec: dict[str, Any], product: str, place: str | None) -> None:
    """By name: available, in the most preferred region, cheapest, then more memory; by id: that one."""
    world.apply(instance("trainer", **spec))
    world.ready("trainer")
    machine = world.machine("trainer")
    assert machine["product_id"] == product
    assert place in (None, machine["cluster_id"])
    assert world.status("trainer")["instance"]["productID"] == product
