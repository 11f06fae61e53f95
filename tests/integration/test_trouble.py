"""When the world misbehaves: lost credentials, a provider in trouble, machines that go their own way.

A reason in status, a retry, and other resources go on undisturbed.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest

from tests.integration.manifests import serving
from tests.integration.world import SECRET_VALUE, WRONG_KEY, World, condition, until
from tests.rig.simulator import API_KEY

pytestmark = pytest.mark.cluster


def test_credentials_come_good_by_themselves(world: World) -> None:
    """Missing, malformed or refused: each is said, nothing is bought, and the right key is found unasked."""
    broken: dict[str, dict[str, str] | None] = {
        "missing": None,
        "nameless": {"key": API_KEY},
        "torn": {"apiKey": f"two {WRONG_KEY}\nlines"},
        "empty": {"apiKey": ""},
        "wrong": {"apiKey": WRONG_KEY},
    }
    for secret, data in broken.items():
        if data is not None:
            world.set_secret(secret, **data)
    world.apply(serving("fine"), *(serving(name, credentialsRef={"name": name}) for name in broken))
    world.ready("fine")
    for name in broken:
        said = world.reason(name, "Unauthorized" if name == "wrong" else "CredentialsUnavailable")
        assert WRONG_KEY not in said
        assert name == "wrong" or name in said, "the Secret is not named"
        assert world.condition(name, "Stalled")["status"] == "True"
        assert world.condition(name, "Synced")["status"] == "False"
    assert not any(world.ledger(name) for name in broken)
    for secret in broken:
        world.set_secret(secret, apiKey=API_KEY)
    world.ready(*broken)
    assert all(world.done(name) == Counter(create=1) for name in broken)


def test_a_gateway_of_html_is_not_the_end(world: World) -> None:
    """While the provider answers 502, Ready is kept for a while, then unknown; nothing is changed meanwhile."""
    world.apply(serving("old"))
    world.ready("old")
    world.fault({"kind": "answer", "status": 502}, operation="*", count=None)
    world.apply(serving("new"))
    said = world.reason("new", "ProviderUnavailable", condition="Synced")
    assert "502" in said
    assert "<html" not in said
    assert world.condition("new", "Reconciling")["status"] == "True"
    world.reason("old", "StaleObservation")
    world.simulator.forget("faults")
    world.ready("old", "new")
    assert world.done("old") == world.done("new") == Counter(create=1)
    course = [("True", "True"), ("True", "False"), ("Unknown", "False"), ("True", "True")]
    until(lambda: ready_and_synced(world)[-4:] == course, f"Ready and Synced went through {course}")


def ready_and_synced(world: World) -> list[tuple[str, str]]:
    seen = [[condition(status, kind)["status"] for kind in ("Ready", "Synced")] for status in world.history("old")]
    return [(ready, synced) for (ready, synced), _ in itertools.groupby(seen)]


def test_one_failed_answer_is_not_worth_a_word(world: World) -> None:
    """A look that fails once is repeated at once; the object shows nothing of it."""
    world.apply(serving())
    world.ready("trainer")
    until(lambda: world.events("trainer"), "the story of the purchase is told")
    before = world.now()
    world.fault({"kind": "answer", "status": 500}, operation="list", id="once")
    until(lambda: hits(world, "once") == 1, "it was answered with 500")
    rounds = world.calls("list")
    until(lambda: world.calls("list") >= rounds + 2, "it has looked again")
    assert world.writes(before) == []


BROKEN_LISTINGS: dict[str, dict[str, Any]] = {
    "half of the JSON": {"kind": "truncate"},
    "a broken connection": {"kind": "drop", "when": "before"},
    "an empty page": {"kind": "page", "shape": "empty"},
    "too short a page": {"kind": "page", "shape": "short"},
    "no list in it": {"kind": "strip", "fields": ["instances"]},
}


@pytest.mark.parametrize("shape", BROKEN_LISTINGS)
def test_a_broken_listing_is_no_loss(world: World, shape: str) -> None:
    """A machine that a spoilt listing does not show is not taken for gone, nor bought again."""
    world.apply(serving())
    world.ready("trainer")
    world.fault(BROKEN_LISTINGS[shape], operation="list", id="spoilt")
    until(lambda: hits(world, "spoilt") == 1, "the listing was asked for")
    world.patch("trainer", ports=[{"port": 80}, {"port": 81}])
    world.wait("trainer", "jsonpath={.status.observedGeneration}=2", "condition=Ready")
    assert world.done("trainer") == Counter(create=1, edit=1)
    assert "InstanceLost" not in [event["reason"] for event in world.events("trainer")]


def hits(world: World, fault: str) -> int:
    return next(int(it["hits"]) for it in world.simulator.ask("faults") if it["id"] == fault)


@pytest.mark.parametrize("state", ["pulling", "running"])
def test_an_unknown_status_word_is_survived(world: World, state: str) -> None:
    """A word that nobody knows means wait: no purchase, no loss, and Ready when a known word comes."""
    world.fault({"kind": "word", "word": "defragmenting", "state": state}, "trainer", operation="create")
    world.fault({"kind": "stick", "state": "pulling", "seconds": 60}, "trainer", operation="create")
    world.apply(serving())
    until(lambda: "defragmenting" in [machine["word"] for machine in world.machines("trainer")], "the word is shown")
    world.wait("trainer", "jsonpath={.status.phase}=Pending")
    if state == "running":
        world.console("trainer", "stop")
        world.reason("trainer", "InstanceExited")
        world.delete("trainer")
    else:
        world.ready("trainer")
    assert world.done("trainer")["create"] == 1


def test_a_lost_machine_is_reported_and_not_bought_again(world: World) -> None:
    """What somebody deletes in the console is gone; another is bought only when a person asks for it."""
    world.apply(serving("lost"), serving("other"))
    world.ready("lost", "other")
    world.console("lost", "delete")
    assert "spec.actions.recreate" in world.reason("lost", "InstanceLost")
    assert world.condition("lost", "Stalled")["status"] == "True"
    assert world.status("lost")["outcome"] == "Failed"
    world.ready("other")
    world.patch("lost", actions={"recreate": "another, please"})
    world.ready("lost")
    assert world.done("lost") == Counter(create=2)


def test_a_machine_that_exits_is_started_when_asked(world: World) -> None:
    """A machine that goes down by itself is reported; a restart token starts that very machine."""
    world.apply(serving())
    world.ready("trainer")
    machine = world.machine("trainer")["id"]
    world.console("trainer", "exit")
    assert "spec.actions.restart" in world.reason("trainer", "InstanceExited")
    world.wait("trainer", "jsonpath={.status.outcome}=Exited", "condition=Stalled")
    assert world.done("trainer") == Counter(create=1)
    world.patch("trainer", actions={"restart": "after the crash"})
    world.ready("trainer")
    assert world.machine("trainer")["id"] == machine
    assert world.done("trainer") == Counter(create=1, start=1)


def test_a_frozen_machine_is_left_alone(world: World) -> None:
    """A machine that the provider has frozen is reported and never touched."""
    world.apply(serving())
    world.ready("trainer")
    world.console("trainer", "freeze")
    assert "console" in world.reason("trainer", "InstanceSuspended")
    world.patch("trainer", powerState="Stopped")
    world.wait("trainer", "jsonpath={.status.observedGeneration}=2")
    assert world.condition("trainer", "Ready")["reason"] == "InstanceSuspended"
    assert world.done("trainer") == Counter(create=1)
    world.console("trainer", "unfreeze")
    world.outcome("trainer", "Stopped")


def test_a_machine_that_never_comes_up_is_reported(world: World) -> None:
    """Where the provider says that a machine failed, its words are in the condition, and it is not replaced."""
    failure = {"kind": "fail", "at": "pulling", "ends": "exited", "message": "no space left on device"}
    world.fault(failure, "trainer", operation="create")
    world.apply(serving())
    assert "no space left on device" in world.reason("trainer", "InstanceFailed")
    assert world.condition("trainer", "Stalled")["status"] == "True"
    assert world.done("trainer") == Counter(create=1)


def test_a_step_that_takes_too_long_is_reported(world: World) -> None:
    """After `timeouts.create` the machine is left for a person, who is told that it may be billed."""
    world.fault({"kind": "stick", "state": "pulling", "seconds": None}, "trainer", operation="create")
    world.apply(serving(timeouts={"create": "2s"}))
    assert "may be billed" in world.reason("trainer", "CreateTimedOut")
    assert world.condition("trainer", "Stalled")["status"] == "True"
    world.delete("trainer")
    assert world.done("trainer") == Counter(create=1, delete=1)


def test_secrets_reach_the_machine_and_nothing_else(world: World) -> None:
    """A value from a Secret is in the machine's environment; the stack looks for it everywhere else at its end."""
    world.set_secret("team", token=SECRET_VALUE)
    world.apply(serving(env=[{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "team", "key": "token"}}}]))
    world.ready("trainer")
    assert world.environment("trainer") == {"TOKEN": SECRET_VALUE}
