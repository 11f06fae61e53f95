"""What somebody changes at the provider behind the operator's back: ignored, shown, or changed back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.manifests import serving
from tests.integration.strangers import Stranger, machine_of
from tests.integration.world import SECRET_VALUE, World, until

pytestmark = pytest.mark.cluster

IMAGE, OTHER = "docker.io/library/nginx:1.27", "docker.io/library/nginx:1.28"
CHANGES: dict[str, tuple[Callable[[Stranger], None], tuple[str, str, str]]] = {
    "ports": (lambda machine: machine.expose(8080), ("ports", "80/http", "none")),
    "image": (lambda machine: machine.run_image(OTHER), ("image", IMAGE, OTHER)),
}


def differences(world: World) -> list[tuple[str, str, str]]:
    return [(it["field"], it["wanted"], it["found"]) for it in world.status("trainer").get("differences", [])]


def drift_events(world: World) -> list[str]:
    return [event["message"] for event in world.events("trainer") if event["reason"] == "DriftDetected"]


def given(world: World, **spec: Any) -> Stranger:
    """Return the machine of an instance that is Ready."""
    world.apply(serving(**spec))
    world.ready("trainer")
    return machine_of(world, "trainer")


def test_by_default_it_is_shown_until_it_is_gone(world: World) -> None:
    """In status.differences, in condition Synced and in one Event, without a secret; nothing is done about it."""
    world.set_secret("team", token=SECRET_VALUE)
    machine = given(world, env=[{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "team", "key": "token"}}}])
    machine.run_image(OTHER)
    assert world.reason("trainer", "DriftDetected", "Synced") == f"image is {OTHER}, not {IMAGE}"
    assert differences(world) == [("image", IMAGE, OTHER)]
    world.ready("trainer")
    machine.run_image(IMAGE)
    world.reason("trainer", "Synced", "Synced")
    world.ready("trainer")
    assert differences(world) == []
    assert (machine.done(), drift_events(world)) == (["upgrade"] * 2, [f"image is {OTHER}, not {IMAGE}"])
    assert world.done("trainer")["upgrade"] == 2, "both were somebody else's"


def test_a_port_that_was_taken_away_explains_why_nothing_answers(world: World) -> None:
    """The application cannot be reached any more, and the reason is shown beside it."""
    machine = given(world, healthCheck={"intervalSeconds": 5, "failureThreshold": 1, "retryAttempts": 0})
    machine.expose(8080)
    assert world.reason("trainer", "DriftDetected", "Synced") == "ports is none, not 80/http"
    machine.expose(80)
    world.reason("trainer", "Synced", "Synced")
    world.ready("trainer")
    assert drift_events(world) == ["ports is none, not 80/http"]


@pytest.mark.parametrize(("change", "difference"), CHANGES.values(), ids=CHANGES)
def test_with_correct_it_is_changed_back_once(
    world: World, change: Callable[[Stranger], None], difference: tuple[str, str, str]
) -> None:
    """By one call; the Event says what it was."""
    machine = given(world, drift="Correct")
    change(machine)
    operation = "edit" if difference[0] == "ports" else "upgrade"
    until(lambda: machine.done() == [operation] * 2, f"{difference[0]} is changed back")
    until(lambda: not differences(world), "the status says so no more")
    world.wait("trainer", "condition=Synced", "condition=Ready")
    assert (machine.shown["image"], [it["number"] for it in machine.shown["ports"]]) == (IMAGE, [80])
    field, wanted, found = difference
    assert drift_events(world) == [f"{field} is {found}, not {wanted}"]
    assert machine.done() == [operation] * 2


def test_with_observe_nobody_is_told(world: World) -> None:
    """The machine is Ready, and in sync as far as anybody asked."""
    machine = given(world, drift="Observe")
    machine.run_image(OTHER)
    since = world.calls("list")
    until(lambda: world.calls("list") > since + 2, "the operator has looked again")
    world.ready("trainer")
    assert world.condition("trainer", "Synced")["status"] == "True"
    assert (differences(world), drift_events(world), machine.done()) == ([], [], ["upgrade"])


def test_our_own_change_is_the_new_normal(world: World) -> None:
    """What an edit of the spec, or an InstanceUpgrade, makes of the image is no drift."""
    machine = given(world, drift="Correct")
    world.patch("trainer", image=OTHER)
    world.wait("trainer", "jsonpath={.status.observedGeneration}=2", "condition=Ready", "condition=Synced")
    assert (machine.done(), machine.shown["image"]) == (["upgrade"], OTHER)
    target = {"image": {"image": IMAGE, "keepData": True}}
    upgrade = {"instanceRef": {"name": "trainer"}, "target": target}
    world.apply(
        {
            "apiVersion": "gpuinstance.dev/v1alpha1",
            "kind": "InstanceUpgrade",
            "metadata": {"name": "back"},
            "spec": upgrade,
        }
    )
    world.wait("iup/back", "condition=Ready")
    world.ready("trainer")
    since = world.calls("list")
    until(lambda: world.calls("list") > since + 3, "the operator has looked again")
    assert (machine.done(), machine.shown["image"]) == (["upgrade"] * 2, IMAGE)
    assert (differences(world), drift_events(world)) == ([], [])
