"""A machine that exists already: observed first, refused where others own it, controlled by a word."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.manifests import instance, serving
from tests.integration.strangers import Stranger, bought_by_hand, machine_of
from tests.integration.world import World, until

pytestmark = pytest.mark.cluster

OLD_IMAGE = "docker.io/library/nginx:1.26"


def adopting(machine: Stranger | str, name: str = "trainer", **spec: Any) -> dict[str, Any]:
    """Return a manifest that names a machine."""
    return serving(name, adopt={"instanceID": machine if isinstance(machine, str) else machine.id}, **spec)


def differences(world: World, name: str = "trainer") -> dict[str, tuple[str, str]]:
    """Return what the status says: what is wanted and what was found, by field."""
    return {it["field"]: (it["wanted"], it["found"]) for it in world.status(name).get("differences", [])}


@pytest.fixture
def stranger(world: World) -> Iterator[Stranger]:
    with bought_by_hand(world) as machine:
        yield machine


def test_it_is_observed_and_outlives_its_object(world: World, stranger: Stranger) -> None:
    """Ready by its health, with its addresses and nothing else: whatever happens, nothing is called but to look."""
    world.apply(adopting(stranger))
    world.ready("trainer")
    status = world.status("trainer")
    assert (status["instance"]["id"], status["instance"]["state"]) == (stranger.id, "running")
    assert [endpoint["port"] for endpoint in status["endpoints"]] == [80]
    assert differences(world) == {}
    stranger.console("stop")
    world.outcome("trainer", "Stopped")
    assert differences(world) == {"powerState": ("Running", "Stopped")}
    assert world.condition("trainer", "Synced")["reason"] == "DriftDetected"
    world.patch(
        "trainer", image="docker.io/library/nginx:1.28", actions={"restart": "now"}, recovery={"policy": "Restart"}
    )
    world.wait("trainer", "jsonpath={.status.observedGeneration}=2")
    stranger.console("start")
    world.ready("trainer")
    assert set(differences(world)) == {"image"}
    world.delete("trainer")
    assert (stranger.shown["state"], stranger.done()) == ("running", [])


def test_with_control_the_differences_become_changes(world: World) -> None:
    """Each with one call, on the same machine, with the data on its disk; then it is an instance like any other."""
    with bought_by_hand(world, image=OLD_IMAGE, ports=[{"number": 80}, {"number": 8080}]) as machine:
        world.apply(adopting(machine, rootfsSizeGB=80))
        world.ready("trainer")
        assert differences(world) == {
            "image": ("docker.io/library/nginx:1.27", OLD_IMAGE),
            "ports": ("80/http", "80/http,8080/http"),
            "rootfsSizeGB": ("80", "60"),
        }
        told = [event for event in world.events("trainer") if event["reason"] == "DriftDetected"]
        assert len(told) == 1
        assert OLD_IMAGE in told[0]["message"]
        assert machine.done() == []
        world.patch("trainer", management="Full")
        world.wait("trainer", "jsonpath={.status.observedGeneration}=2", "condition=Ready")
        assert Counter(machine.done()) == Counter(upgrade=1, edit=2)
        shown = machine.shown
        assert (shown["image"], shown["rootfs_gb"]) == ("docker.io/library/nginx:1.27", 80)
        assert [port["number"] for port in shown["ports"]] == [80]
        [kept] = [it for it in world.simulator.ask("ledger", machine=machine.id) if it["operation"] == "upgrade"]
        assert kept["detail"]["keep_data"] is True
        assert differences(world) == {}
        assert world.condition("trainer", "Synced")["status"] == "True"
        world.patch("trainer", powerState="Stopped")
        world.outcome("trainer", "Stopped")
        world.delete("trainer")
        assert machine.shown == {}
        assert machine.done()[-2:] == ["stop", "delete"]


def test_another_product_takes_more_than_control(world: World) -> None:
    """It is shown, then said to need a replacement; the machine runs on, and nothing is bought."""
    with bought_by_hand(world, gpu_count=2) as machine:
        world.apply(adopting(machine))
        world.ready("trainer")
        assert differences(world) == {"gpuCount": ("1", "2")}
        world.patch("trainer", management="Full")
        world.reason("trainer", "RecreateRequired")
        world.patch("trainer", gpuCount=2)
        world.ready("trainer")
        assert (machine.done(), world.machines("trainer")) == ([], [])
        world.patch("trainer", deletionPolicy="Orphan")
        world.delete("trainer")
        assert machine.shown["state"] == "running"


def test_the_hands_come_off_and_on_again(world: World) -> None:
    """What somebody stops while it is only observed stays down, and is started when control is taken back."""
    world.apply(serving())
    world.ready("trainer")
    machine = machine_of(world, "trainer")
    world.patch("trainer", management="Observe", recovery={"policy": "Recreate"})
    world.wait("trainer", "jsonpath={.status.observedGeneration}=2", "condition=Ready")
    machine.console("stop")
    world.outcome("trainer", "Stopped")
    assert machine.done() == []
    world.patch("trainer", management="Full")
    world.ready("trainer")
    assert machine.done() == ["start"]
    assert world.done("trainer") == Counter(create=1, start=1)


# ------------------------------------------------------------------------------------------------- refusals


def test_what_is_not_there_is_not_bought(world: World) -> None:
    """A wrong id is said so, also under control and without a status; an id that appears later is adopted."""
    world.apply(adopting("x-nobody", "observed"), adopting("x-nobody", "controlled", management="Full"))
    for name in ("observed", "controlled"):
        assert "x-nobody" in world.reason(name, "AdoptionFailed")
        assert world.condition(name, "Stalled")["status"] == "True"
    world.stack.operator.stop()
    wipe(world, "controlled")
    world.stack.start_operator()
    world.reason("controlled", "AdoptionFailed")
    for name in ("observed", "controlled"):
        world.delete(name)
        assert world.ledger(name) == []


def test_what_belongs_to_another_object_is_refused(world: World) -> None:
    """Who it belongs to is said; neither the machine nor its object notices anything."""
    world.apply(serving("owner"))
    world.ready("owner")
    owned = machine_of(world, "owner")
    world.apply(adopting(owned, "thief", management="Full"))
    assert f"GPUInstance {world.namespace}/owner" in world.reason("thief", "ForeignInstance")
    world.delete("thief")
    world.ready("owner")
    assert owned.done() == []


def test_what_belongs_to_another_cluster_is_refused(world: World) -> None:
    """Its mark is in the machine's name."""
    with bought_by_hand(world, f"blue-{world.namespace}-theirs-0badcafe-1") as theirs:
        world.apply(adopting(theirs, management="Full"))
        assert "the cluster with the mark blue" in world.reason("trainer", "ForeignInstance")
        world.delete("trainer")
        assert (theirs.shown["state"], theirs.done()) == ("running", [])


def test_of_two_at_once_one_has_it_for_ever(world: World, stranger: Stranger) -> None:
    """Also after a restart, and after the status of the one that was refused is emptied; its deletion costs nothing."""
    world.apply(*(adopting(stranger, name, management="Full") for name in ("one", "two")))
    outcomes = {name: settled(world, name) for name in ("one", "two")}
    assert sorted(outcomes.values()) == ["Failed", "Ready"]
    [winner] = [name for name, outcome in outcomes.items() if outcome == "Ready"]
    [loser] = [name for name, outcome in outcomes.items() if outcome == "Failed"]
    assert winner in world.reason(loser, "ForeignInstance")
    assert "instance" not in world.status(loser)
    world.stack.operator.stop()
    wipe(world, loser)
    world.stack.start_operator()
    world.reason(loser, "ForeignInstance")
    world.ready(winner)
    world.delete(loser)
    world.ready(winner)
    assert (stranger.shown["state"], stranger.done()) == ("running", [])


def settled(world: World, name: str) -> str:
    """Wait until the object has an outcome, and return it."""
    return str(until(lambda: world.status(name).get("outcome"), f"{name} settles"))


def test_an_emptied_status_is_made_up_for(world: World, stranger: Stranger) -> None:
    """The machine is noted again; and an object that goes at that very moment still takes its machine along."""
    world.apply(adopting(stranger, management="Full"))
    world.ready("trainer")
    world.stack.operator.stop()
    wipe(world, "trainer")
    world.stack.start_operator()
    world.ready("trainer")
    assert (world.status("trainer")["instance"]["id"], stranger.done()) == (stranger.id, [])
    world.stack.operator.stop()
    wipe(world, "trainer")
    world.kubectl("delete", "gpui/trainer", "--wait=false")
    world.stack.start_operator()
    world.kubectl("wait", "gpui/trainer", "--for=delete", "--timeout=60s")
    assert (stranger.shown, stranger.done()) == ({}, ["delete"])


def wipe(world: World, name: str) -> None:
    """Take the status away, as `kubectl replace --subresource=status` with an old manifest does."""
    emptied = json.dumps({**world.get(name), "status": {"observedGeneration": -1}})
    world.kubectl("replace", "--subresource=status", "-f", "-", stdin=emptied)


def test_nothing_to_observe(world: World) -> None:
    """An object that only observes buys nothing, and says how it would."""
    world.apply(instance(management="Observe"))
    assert "management Full" in world.reason("trainer", "AdoptionFailed")
    assert world.ledger("trainer") == []
