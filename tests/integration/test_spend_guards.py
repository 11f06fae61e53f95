"""Spend guards on a real API server: the budget of a namespace, and machines whose time is over."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.integration.manifests import instance
from tests.integration.world import World, until

pytestmark = pytest.mark.cluster

LIMIT = "gpuinstance.dev/max-hourly-price"
USED = "gpuinstance.dev/last-used"
EXCEEDED = "NamespaceBudgetExceeded"


def allow(world: World, amount: str) -> None:
    """Limit what the test's namespace may cost."""
    world.kubectl("annotate", "namespace", world.namespace, "--overwrite", f"{LIMIT}={amount}")


def refusals(world: World, names: list[str]) -> Counter[str]:
    """Return how often each reason of Ready is given."""
    return Counter(world.condition(name, "Ready").get("reason", "") for name in names)


@pytest.fixture
def frugal(world: World) -> World:
    """A namespace that may cost 0.50 USD an hour: one machine of 0.35."""
    allow(world, "0.50")
    return world


def test_a_budget_refuses_and_allows_again_after_a_stop(frugal: World) -> None:
    """The second is refused in words, buys nothing, and gets its machine as soon as the first is down."""
    frugal.apply(instance("first"))
    frugal.ready("first")
    frugal.apply(instance("second"))
    words = frugal.reason("second", EXCEEDED)
    assert f"buying it would make 0.70 of at most 0.50 USD/h in namespace {frugal.namespace}" in words
    assert frugal.condition("second", "Stalled")["status"] == "True"
    assert frugal.done("second") == {}
    frugal.patch("first", powerState="Stopped")
    frugal.outcome("first", "Stopped")
    frugal.ready("second")

    frugal.patch("first", powerState="Running")
    assert "starting machine" in frugal.reason("first", EXCEEDED)
    assert (frugal.done("first")["start"], frugal.done("second")["create"]) == (0, 1)
    frugal.delete("second")
    frugal.ready("first")


def test_twenty_at_once_stay_within_the_budget(world: World) -> None:
    """Three fit, whoever comes first: three machines exist, and seventeen instances say why they have none."""
    allow(world, "1.20")
    names = [f"job-{number}" for number in range(20)]
    world.apply(*(instance(name, healthCheck={"enabled": False}) for name in names))
    until(lambda: refusals(world, names) == {"Ready": 3, EXCEEDED: 17}, "three run, the others are refused")
    bought = sum(world.done(name)["create"] for name in names)
    assert bought == 3
    world.kubectl("delete", "gpui", "--all", "--wait=false")


def test_a_machine_whose_ttl_is_over_is_stopped_and_can_be_brought_back(world: World) -> None:
    """It ends in Stopped with the reason Expired; the spec is not touched; a longer ttl starts it again."""
    world.apply(instance("short", expiry={"ttl": "6s"}, healthCheck={"enabled": False}))
    world.ready("short")
    assert world.status("short")["expiry"]["expiresAt"] > world.status("short")["createdAt"]
    assert "spec.expiry.ttl of 6s was over" in world.reason("short", "Expired")
    world.outcome("short", "Stopped")
    assert (world.machine("short")["word"], world.get("short")["spec"]["powerState"]) == ("exited", "Running")
    assert "Expired" in [event["reason"] for event in world.events("short")]
    world.patch("short", expiry={"ttl": "1h"})
    world.ready("short")
    assert world.done("short") == {"create": 1, "stop": 1, "start": 1}


def test_an_object_whose_ttl_is_over_is_deleted(world: World) -> None:
    """With action Delete object and machine go, and why is told; a protected one is stopped instead."""
    ends = {"expiry": {"ttl": "6s", "action": "Delete"}, "healthCheck": {"enabled": False}}
    world.apply(instance("short", **ends), instance("dear", **ends, deletionProtection=True))
    world.ready("short", "dear")
    world.wait("short", "delete")
    assert world.machines("short") == []
    assert "Expired" in [event["reason"] for event in world.events("short")]
    world.outcome("dear", "Stopped")
    assert "deletionProtection keeps this object" in world.condition("dear", "Ready")["message"]
    world.patch("dear", deletionProtection=False)
    world.wait("dear", "delete")


def test_an_idle_machine_is_stopped_until_it_is_used(world: World) -> None:
    """Nothing is idle that nobody speaks about; what was not used is stopped; using it starts it."""
    world.apply(instance("notebook", expiry={"idleAfter": "3s"}, healthCheck={"enabled": False}))
    world.ready("notebook")
    world.kubectl("annotate", "gpui/notebook", f"{USED}=2027-01-01T00:00:00Z")
    world.kubectl("annotate", "gpui/notebook", "--overwrite", f"{USED}=2020-01-01T00:00:00Z")
    assert "it had not been used for 3s" in world.reason("notebook", "Idle")
    world.outcome("notebook", "Stopped")
    world.kubectl("annotate", "gpui/notebook", "--overwrite", f"{USED}=2099-01-01T00:00:00Z")
    world.ready("notebook")
    assert world.done("notebook") == {"create": 1, "stop": 1, "start": 1}
