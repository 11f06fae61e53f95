"""InstanceUpgrades at Novita: image, disk, ports and monthly billing are changed directly, each with one call."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.integration.manifests import serving, upgrade
from tests.integration.saga import Saga
from tests.integration.world import SECRET_VALUE, World, until

pytestmark = pytest.mark.cluster

NEWER = "docker.io/library/nginx:1.28"
TARGETS: dict[str, dict[str, Any]] = {
    "image": {"image": {"image": NEWER}},
    "disk": {"rootfsExpandGB": 20},
    "ports": {"ports": [{"port": 80}, {"port": 8080}]},
    "monthly": {"billing": {"mode": "Monthly", "months": 3}},
}


@pytest.mark.parametrize("answered", [True, False], ids=["answered", "every answer lost"])
def test_each_change_is_made_once(world: World, answered: bool) -> None:
    """Four upgrades, applied at once, take turns; each is one call at the provider, whatever became of its answer."""
    world.apply(serving())
    world.ready("trainer")
    spec = world.get("trainer")["spec"]
    if not answered:
        for operation, count in (("upgrade", 1), ("edit", 2), ("change_cycle", 1)):
            world.fault({"kind": "drop", "when": "after"}, "trainer", operation=operation, count=count)
    world.apply(*(upgrade(name, "trainer", target=target) for name, target in TARGETS.items()))
    for name in TARGETS:
        Saga(world, "trainer", name).ended("Succeeded", "Completed")
    machine = world.machine("trainer")
    assert (machine["image"], machine["rootfs_gb"], machine["mode"]) == (NEWER, 80, "monthly")
    assert {port["number"] for port in machine["ports"]} == {80, 8080}
    assert world.done("trainer") == Counter(create=1, upgrade=1, edit=2, change_cycle=1)
    assert_not_fought(world, spec)
    world.patch("trainer", deletionPolicy="Orphan")  # Novita releases no machine that is paid for a term


def assert_not_fought(world: World, spec: dict[str, Any]) -> None:
    """The instance is Ready at its new ports, and takes what was changed neither for drift nor for its own."""
    world.ready("trainer")
    until(lambda: len(world.status("trainer")["endpoints"]) == 2, "both ports are published")
    assert "InstanceUpgrade" in world.condition("trainer", "Synced")["message"]
    before, rounds = world.done("trainer"), world.calls("list")
    until(lambda: world.calls("list") >= rounds + 3, "the operator has looked again")
    assert world.done("trainer") == before
    assert world.get("trainer")["spec"] == spec


def test_other_software_comes_with_all_that_belongs_to_it(world: World) -> None:
    """Everything is sent anew: what is not repeated is gone, and a Secret is read but never shown."""
    image = {
        "image": NEWER,
        "command": "serve",
        "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "team", "key": "token"}}}],
        "keepData": False,
    }
    world.apply(serving(env=[{"name": "OLD", "value": "1"}]))
    world.ready("trainer")
    world.apply(upgrade("newer", "trainer", target={"image": image}))
    saga = Saga(world, "trainer", "newer")
    assert "team" in saga.reason("ReferenceNotFound")
    assert saga.condition("Stalled")["status"] == "True"
    world.set_secret("team", token=SECRET_VALUE)
    saga.ended("Succeeded", "Completed")
    assert world.environment("trainer") == {"TOKEN": SECRET_VALUE}
    (sent,) = [entry for entry in world.ledger("trainer") if entry["operation"] == "upgrade"]
    assert (sent["detail"]["image"], sent["detail"]["keep_data"]) == (NEWER, False)


IMPOSSIBLE: dict[str, tuple[dict[str, Any], str, str]] = {
    "too expensive": (
        {"target": TARGETS["monthly"], "payment": {"maxTotal": 1}},
        "PriceAboveLimit",
        "nothing was ordered",
    ),
    "a plan": ({"target": {"plan": {"id": "403"}}}, "UnsupportedByProvider", "novita does not offer"),
}


def test_what_cannot_be_is_said_before_it_costs(world: World) -> None:
    """It has failed in words, and the machine is as before."""
    world.apply(serving(), *(upgrade(why.replace(" ", "-"), "trainer", **row[0]) for why, row in IMPOSSIBLE.items()))
    for why, (_, reason, words) in IMPOSSIBLE.items():
        assert words in Saga(world, "trainer", why.replace(" ", "-")).ended("Failed", reason)
    world.ready("trainer")
    assert world.done("trainer") == Counter(create=1)


def test_an_upgrade_may_come_before_its_instance(world: World) -> None:
    """It waits for the instance to exist and to be up, and says so."""
    saga = Saga(world, "trainer", "early")
    world.apply(upgrade("early", "trainer", target=TARGETS["disk"]))
    assert "no GPUInstance trainer" in saga.reason("InstanceNotFound")
    world.apply(serving())
    saga.ended("Succeeded", "Completed")
    assert world.machine("trainer")["rootfs_gb"] == 80
