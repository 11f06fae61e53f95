"""The life of an instance as the README tells it, and what a person may rely on while living it."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import pytest

from tests.integration.manifests import instance, serving
from tests.integration.world import World, until

pytestmark = pytest.mark.cluster


def test_a_life_from_apply_to_delete(world: World) -> None:
    """Applied, Ready, stopped, started again and deleted: one machine, each step exactly once at the provider."""
    world.apply(serving())
    world.wait("trainer", "create", "condition=Ready")
    assert_shown(world)
    world.patch("trainer", powerState="Stopped")
    world.outcome("trainer", "Stopped")
    assert world.machine("trainer")["state"] == "exited"
    assert world.condition("trainer", "Ready")["reason"] == "Stopped"
    world.patch("trainer", powerState="Running")
    world.outcome("trainer", "Ready")
    assert world.machine("trainer")["state"] == "running"
    world.delete("trainer")
    assert world.machines("trainer") == [], "kubectl returned before the provider showed it gone"
    assert world.done("trainer") == Counter(create=1, stop=1, start=1, delete=1)


def assert_shown(world: World) -> None:
    """Everything about a ready instance can be read from one line."""
    machine = world.machine("trainer")
    heads, line = world.kubectl("get", "gpui", "-o", "wide").splitlines()
    shown = {head: line[heads.index(head) :].split("  ")[0].strip() for head in heads.split()}
    url = f"{world.simulator.url}/_apps/{machine['id']}/80"
    assert shown | {"AGE": ""} == {
        "NAME": "trainer",
        "PHASE": "Ready",
        "READY": "True",
        "HEALTH": "Healthy",
        "PRODUCT": "RTX 4090 24GB",
        "GPUS": "1",
        "PRICE/H": "0.35",
        "AGE": "",
        "REGION": shown["REGION"],
        "INSTANCE": machine["id"],
        "PROVIDER": "novita",
        "ENDPOINT": url,
        "REASON": "Ready",
    }


def test_phases_pass_in_a_sensible_order(world: World) -> None:
    """Whoever watches sees the machine come into being, and the operation with its times until it has ended."""
    world.fault({"kind": "stick", "state": "pulling", "seconds": 60}, "trainer", operation="create")
    world.apply(serving())
    world.wait("trainer", "jsonpath={.status.phase}=Created")
    coming = world.status("trainer")
    assert coming["operation"]["type"] == "Create"
    assert coming["estimatedReadyAt"] > coming["createdAt"]
    world.ready("trainer")
    ended = world.status("trainer")
    assert ended["outcome"] == "Ready"
    assert "operation" not in ended
    assert ended["lastOperation"]["phase"] == "completed"
    moments = [ended["lastOperation"]["phases"][f"{name}At"] for name in ("initiated", "monitoring", "completed")]
    assert moments == sorted(moments)
    assert ended["createdAt"] <= ended["startedAt"] <= ended["readyAt"]
    world.patch("trainer", powerState="Stopped")
    world.outcome("trainer", "Stopped")
    world.delete("trainer")
    whole = ["Creating", "Created", "HealthChecking", "Ready", "Stopping", "Stopped", "Terminating", "Terminated"]
    until(lambda: phases(world) == whole, f"the watch shows {whole}")


def phases(world: World) -> list[str]:
    seen = (status["phase"] for status in world.history("trainer"))
    return [phase for phase, _ in itertools.groupby(seen)]


def test_ready_waits_for_the_application(world: World) -> None:
    """A running machine whose application does not answer is not Ready, and becomes so when it does."""
    world.simulator.tell("apps", {"name": f"gpui-{world.namespace}-*", "behaviour": {"ready": False}})
    world.apply(serving())
    world.reason("trainer", "HealthChecking")
    rounds = world.calls("list")
    until(lambda: world.calls("list") >= rounds + 5, "it has looked again and again")
    assert world.condition("trainer", "Ready")["reason"] == "HealthChecking"
    assert world.condition("trainer", "Healthy")["status"] == "False"
    world.simulator.forget("apps")
    world.ready("trainer")


def test_a_sick_application_takes_ready_back(world: World) -> None:
    """A ready instance whose application fails round after round is not Ready until it answers again."""
    world.apply(serving(healthCheck={"intervalSeconds": 5, "failureThreshold": 1, "retryAttempts": 0}))
    world.ready("trainer")
    world.simulator.tell("apps", {"machine": world.machine("trainer")["id"], "behaviour": {"crashed": True}})
    assert "port 80" in world.reason("trainer", "HealthCheckFailed")
    world.simulator.forget("apps")
    world.ready("trainer")
    assert world.done("trainer") == Counter(create=1)


def test_nothing_is_bought_for_a_stopped_instance(world: World) -> None:
    """An instance that is created as Stopped settles without a machine, and gets one when it shall run."""
    world.apply(serving(powerState="Stopped"))
    world.outcome("trainer", "Stopped")
    assert world.ledger("trainer") == []
    world.patch("trainer", powerState="Running")
    world.ready("trainer")


def test_an_instance_without_ports_is_ready_when_it_runs(world: World) -> None:
    """Where nothing is published there is nothing to ask."""
    world.apply(instance())
    world.ready("trainer")
    assert "endpoints" not in world.status("trainer")


def test_suspended_means_untouched(world: World) -> None:
    """While `suspend` is true nothing is bought, started, stopped or changed; afterwards work goes on."""
    world.apply(serving(suspend=True))
    world.reason("trainer", "Suspended")
    assert world.condition("trainer", "Paused")["status"] == "True"
    assert world.ledger("trainer") == []
    world.patch("trainer", suspend=False)
    world.ready("trainer")
    world.patch("trainer", suspend=True, powerState="Stopped")
    world.reason("trainer", "Suspended")
    assert world.machine("trainer")["state"] == "running"
    assert world.done("trainer") == Counter(create=1)
    world.patch("trainer", suspend=False)
    world.outcome("trainer", "Stopped")


@pytest.mark.parametrize(("policy", "state"), [("Stop", "exited"), ("Orphan", "running")])
def test_a_machine_may_outlive_its_object(world: World, policy: str, state: str) -> None:
    """With Stop the machine is down before the object goes, with Orphan it runs on; neither is deleted."""
    world.apply(serving(deletionPolicy=policy))
    world.ready("trainer")
    world.delete("trainer")
    assert world.machine("trainer")["state"] == state
    assert "delete" not in world.done("trainer")
    world.console("trainer", "delete")
    until(lambda: world.machines("trainer") == [], "the machine is gone")


def test_deleting_at_any_moment_leaves_nothing(world: World) -> None:
    """An object that is deleted while its machine is still coming up takes the machine with it."""
    world.apply(serving("early"), serving("later"))
    world.kubectl("delete", "gpui/early", "--timeout=60s")
    until(lambda: world.machines("later"), "the machine of the other one exists")
    world.delete("later")
    assert world.machines("early") == []
    assert world.machines("later") == []


def test_a_namesake_is_another_object(world: World) -> None:
    """An object that is deleted and applied again gets a machine of its own, under another name."""
    names = []
    for _ in range(2):
        world.apply(serving())
        world.ready("trainer")
        names.append(world.machine("trainer")["name"])
        world.delete("trainer")
    assert names[0] != names[1]
    assert world.done("trainer") == Counter(create=2, delete=2)


def test_a_restarted_operator_continues(world: World) -> None:
    """SIGTERM ends the operator well at once, in the middle of a creation; the next one finishes the work."""
    world.apply(serving("rested"))
    world.ready("rested")
    before = world.get("rested")["metadata"]["resourceVersion"]
    world.fault({"kind": "stick", "state": "pulling", "seconds": 120}, "halfway", operation="create")
    world.apply(serving("halfway"))
    until(lambda: world.machines("halfway"), "the machine is being created")
    assert world.stack.operator.stop() == 0, world.stack.operator.child.tail()
    world.stack.start_operator()
    world.ready("halfway")
    assert world.done("halfway") == Counter(create=1)
    assert world.get("rested")["metadata"]["resourceVersion"] == before, "a restart wrote to an object at rest"


def test_a_call_in_flight_is_awaited(world: World) -> None:
    """SIGTERM in the middle of a purchase: the operator hears the answer and writes it down before it goes."""
    world.fault({"kind": "delay", "when": "after", "seconds": 2}, "trainer", operation="create")
    world.apply(serving())
    until(lambda: world.machines("trainer"), "the provider has accepted")
    assert world.stack.operator.stop() == 0
    assert world.status("trainer")["instance"].get("id") == world.machine("trainer")["id"]
    world.stack.start_operator()
    world.ready("trainer")
    assert world.done("trainer") == Counter(create=1)


def test_users_keep_their_objects_to_themselves(world: World) -> None:
    """The operator adds a finalizer and a status, and nothing else: spec, labels and annotations stay."""
    manifest = serving()
    manifest["metadata"] |= {"labels": {"team": "vision"}, "annotations": {"note": "ours"}}
    world.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    created = world.get("trainer")
    world.ready("trainer")
    stored = world.get("trainer")
    assert stored["metadata"]["labels"] == {"team": "vision"}
    assert stored["metadata"]["annotations"] == {"note": "ours"}
    assert stored["metadata"]["finalizers"] == ["gpuinstance.dev/machine"]
    assert stored["metadata"]["generation"] == 1
    assert stored["spec"] == created["spec"]


def test_events_tell_outcomes(world: World) -> None:
    """A purchase is one Event with the whole story; so is each operation after it."""
    world.apply(serving())
    world.ready("trainer")
    world.patch("trainer", powerState="Stopped")
    world.outcome("trainer", "Stopped")
    until(lambda: len(world.events("trainer")) == 2, "two Events")
    bought, stopped = world.events("trainer")
    assert (bought["type"], bought["reason"]) == ("Normal", "Ready")
    assert world.machine("trainer")["id"] in bought["message"]
    assert "0.35 USD/h" in bought["message"]
    assert (stopped["type"], stopped["reason"]) == ("Normal", "Stopped")
