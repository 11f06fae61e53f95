"""The life of an instance at Hostwinds: servers with addresses of their own, made anew in place, queued changes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.integration.manifests import DEBIAN, UBUNTU, server
from tests.integration.world import WRONG_KEY, World, until
from tests.rig.simulator import API_KEY

pytestmark = pytest.mark.cluster


def address(world: World) -> str:
    """Where the application is, as the status says."""
    endpoints = world.status("web")["endpoints"]
    assert [endpoint["port"] for endpoint in endpoints] == [8080]
    return str(endpoints[0]["url"])


def handled(world: World, action: str, token: str) -> None:
    world.wait("web", f"jsonpath={{.status.handledActions.{action}}}={token}", "condition=Ready")


def test_a_life_from_apply_to_delete(hostwinds: World) -> None:
    """Applied, Ready, stopped, started, restarted and deleted: one server, each step exactly once."""
    world = hostwinds
    world.apply(server())
    world.wait("web", "create", "condition=Ready")
    assert_shown(world)
    world.patch("web", powerState="Stopped")
    world.outcome("web", "Stopped")
    assert world.machine("web")["state"] == "shutoff"
    world.patch("web", powerState="Running")
    world.outcome("web", "Ready")
    world.patch("web", actions={"restart": "monday"})
    handled(world, "restart", "monday")
    world.delete("web")
    assert world.machines("web") == [], "kubectl returned before the provider showed it gone"
    assert world.done("web") == Counter(create=1, stop=1, start=1, restart=1, delete=1)


def assert_shown(world: World) -> None:
    """Everything about a ready server can be read from one line."""
    line = world.kubectl("get", "gpui", "-o", "wide", "--no-headers")
    for word in ("Ready", "Healthy", "VPS 1 CPU 2 GB 50 GB", "hostwinds", world.machine("web")["id"], address(world)):
        assert word in line


REBUILDS: dict[str, tuple[dict[str, Any], str, bool]] = {
    "recreate": ({}, "recreate", True),
    "reinstall": ({"templateID": DEBIAN}, "reinstall", False),
    "regenerateNetworking": ({}, "regenerate", True),
}
"""By token: what else is changed, the operation in the provider's ledger, whether the address changes."""


@pytest.mark.parametrize("action", REBUILDS)
def test_a_token_rebuilds_once_and_finds_the_new_address(hostwinds: World, action: str) -> None:
    """The same server is made anew once, also if the operator is restarted; Ready means at its new address."""
    world, (change, operation, moves) = hostwinds, REBUILDS[action]
    world.quirk(regenerate_changes_address=True)
    world.apply(server())
    world.ready("web")
    before, place = world.machine("web"), address(world)
    world.patch("web", actions={action: "monday"}, **change)
    until(lambda: world.done("web")[operation], "the provider has accepted")
    world.stack.restart_operator()
    handled(world, action, "monday")
    assert world.machine("web")["id"] == before["id"]
    assert (address(world) != place) is moves
    assert world.machine("web")["image"] == (change.get("templateID") or UBUNTU)
    assert world.done("web") == Counter({"create": 1, operation: 1})


def test_the_old_state_is_not_taken_for_the_new_one(hostwinds: World) -> None:
    """A server that still looks active after a recreate was accepted is not believed: it is only queued."""
    world = hostwinds
    world.quirk(stale_seconds=40)  # of the provider's time: longer than two looks, shorter than the settle window
    world.apply(server())
    world.ready("web")
    world.patch("web", actions={"recreate": "monday"})
    until(lambda: world.done("web")["recreate"], "the provider has accepted")
    assert world.condition("web", "Ready")["status"] == "False"
    handled(world, "recreate", "monday")
    phases = [status["phase"] for status in world.history("web")]
    assert "Ready" not in phases[phases.index("Starting") : -1], phases


def test_a_purchase_whose_answer_is_lost_is_found_by_its_name(hostwinds: World) -> None:
    """The answer holds no id at the best of times: whether it comes or not, one server is bought and adopted."""
    world = hostwinds
    world.fault({"kind": "drop", "when": "after"}, "lost", operation="create")
    world.fault({"kind": "lag", "seconds": 30}, "late", operation="create")
    world.apply(server("lost"), server("late"))
    world.ready("lost", "late")
    for name in ("lost", "late"):
        assert world.done(name) == Counter(create=1)
        assert world.status(name)["instance"]["id"] == world.machine(name)["id"]


@pytest.mark.parametrize(
    ("freeze", "release", "words"), [("suspend", "unsuspend", "suspended"), ("lock", "unlock", "locked")]
)
def test_a_server_that_must_not_be_touched_is_not(hostwinds: World, freeze: str, release: str, words: str) -> None:
    """While it is suspended or locked at the provider nothing is sent, and it says so; then work goes on."""
    world = hostwinds
    world.apply(server())
    world.ready("web")
    world.console("web", freeze)
    assert words in world.reason("web", "InstanceSuspended")
    world.patch("web", powerState="Stopped")
    world.wait("web", "jsonpath={.status.observedGeneration}=2")
    world.reason("web", "InstanceSuspended")
    assert world.done("web") == Counter(create=1)
    world.console("web", release)
    world.outcome("web", "Stopped")
    assert world.done("web") == Counter(create=1, stop=1)


def test_a_key_that_is_not_allowed_is_a_matter_of_configuration(hostwinds: World) -> None:
    """`Not Authorized!` comes with HTTP 200, and is no outage: Stalled, until the Secret holds another key."""
    world = hostwinds
    world.set_secret("team", apiKey=WRONG_KEY)
    world.apply(server(credentialsRef={"name": "team"}))
    said = world.reason("web", "Unauthorized")
    assert WRONG_KEY not in said
    assert world.condition("web", "Stalled")["status"] == "True"
    world.set_secret("team", apiKey=API_KEY)
    world.ready("web")


def test_another_plan_is_not_slipped_in(hostwinds: World) -> None:
    """A changed product is an order with an invoice: it is left to an InstanceUpgrade, in words."""
    world = hostwinds
    world.apply(server())
    world.ready("web")
    world.patch("web", product={"id": "403"})
    assert "InstanceUpgrade" in world.reason("web", "UpgradeRequired")
    assert world.done("web") == Counter(create=1)
    assert world.machine("web")["state"] == "active"
    world.patch("web", product={"id": "402"})
    world.wait("web", "jsonpath={.status.observedGeneration}=3", "condition=Ready")
