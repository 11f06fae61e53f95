"""Machines that carry the mark and belong to no object: reported, adopted, or removed where that is allowed."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gpuinstance.cli.command import run
from tests.integration.manifests import serving
from tests.integration.strangers import Stranger, bought_by_hand, machine_of
from tests.integration.world import World, until
from tests.rig.stack import Stack

pytestmark = pytest.mark.cluster

AFTER = 3.0
"""Seconds for which a machine has to be seen without an object."""
PAID = "monthly"
"""What is paid for a term is released by nobody: where other tests have left such a machine, it stays."""


@pytest.fixture(scope="module", autouse=True)
def in_a_hurry(stack: Stack) -> Iterator[None]:
    """The sweep comes every second, and goes back to its usual pace afterwards.

    What tests before these have left at the provider on purpose would be orphans, too: it goes first, if it may.
    """
    for left in stack.simulator.ask("machines"):
        if left["mode"] != PAID and left["state"] not in ("removing", "removed"):
            stack.simulator.tell(f"machines/{left['id']}/console", {"action": "delete"})
    until(
        lambda: all(it["state"] == "removed" or it["mode"] == PAID for it in stack.simulator.ask("machines")),
        "the account is empty",
    )
    stack.restart_operator(GPUINSTANCE_ORPHAN_SWEEP_SECONDS="1", GPUINSTANCE_ORPHAN_SECONDS=str(AFTER))
    yield
    usual = {"GPUINSTANCE_ORPHAN_SWEEP_SECONDS": "300", "GPUINSTANCE_ORPHAN_SECONDS": "600"}
    stack.restart_operator(**usual, GPUINSTANCE_ORPHAN_DELETION="false")


def counted(world: World) -> float:
    """Return the metric: how many orphans there are at Novita, besides those that other tests have left for ever."""
    name = 'gpuinstance_orphaned_machines{provider="novita"}'
    lines = [line for line in world.stack.operator.metrics().splitlines() if line.startswith(name)]
    left = sum(it["mode"] == PAID and it["state"] != "removed" for it in world.simulator.ask("machines"))
    return float(lines[0].split()[-1]) - left if lines else -1.0


def reported(world: World) -> list[dict[str, Any]]:
    """Return what `kubectl gpu orphans -A -o json` says."""
    found: list[dict[str, Any]] = json.loads(gpu(world, "orphans", "-A", "-o", "json"))["items"]
    return found


def gpu(world: World, *argv: str, kubeconfig: str | None = None) -> str:
    """Run `kubectl gpu` as an administrator; return what it prints, errors as well."""
    out, err = io.StringIO(), io.StringIO()
    code = run([*argv, "--kubeconfig", kubeconfig or str(world.stack.cluster.admin)], out, err, {})
    assert code == 0, err.getvalue()
    return out.getvalue() or err.getvalue()


@pytest.fixture
def living(world: World) -> World:
    """A world with an instance in it that is Ready: its account is in use, so that it is swept."""
    world.apply(serving("living"))
    world.ready("living")
    until(lambda: counted(world) == 0, "the account is swept")
    return world


@pytest.fixture
def orphan(living: World) -> Iterator[Stranger]:
    with bought_by_hand(living, f"gpui-{living.namespace}-gone-0badcafe-1") as machine:
        yield machine


def test_it_is_reported_and_nothing_else_is(living: World) -> None:
    """By metric, Event and command, and not before it was seen for long enough; others' machines never are."""
    names = (f"gpui-{living.namespace}-gone-0badcafe-1", f"blue-{living.namespace}-theirs-0badcafe-1", "my-workstation")
    with bought_by_hand(living, names[1]) as theirs, bought_by_hand(living, names[2]) as mine:
        began = time.monotonic()
        with bought_by_hand(living, names[0]) as orphan:
            until(lambda: counted(living) == 1, "it is counted")
            assert time.monotonic() - began >= AFTER
            [report] = until(lambda: [it for it in reported(living) if it["machine"] == orphan.id], "it is told")
            assert (report["name"], report["provider"], report["state"]) == (names[0], "novita", "running")
            assert report["secret"] == "novita-credentials"
            events = living.kubectl.json("get", "events", "-A", "--field-selector=reason=OrphanedMachine")["items"]
            [event] = [it for it in events if orphan.id in it["message"]]
            about = event["involvedObject"]
            assert (event["type"], about["kind"], about["name"]) == ("Warning", "Secret", "novita-credentials")
            assert about["namespace"] == event["metadata"]["namespace"]
            assert not [it for it in events if theirs.id in it["message"] or mine.id in it["message"]]
            shown = gpu(living, "orphans", "-A")
            assert orphan.id in shown
            assert orphan.shown["state"] == "running"
        until(lambda: counted(living) == 0, "what is gone is counted no more")
        assert [machine.done() for machine in (theirs, mine, orphan)] == [[], [], []]
    living.ready("living")


def test_only_the_right_to_list_events_is_needed(living: World, orphan: Stranger) -> None:
    """Whoever may see Events sees orphans: no key, no instance, no operator is asked."""
    until(lambda: any(it["machine"] == orphan.id for it in reported(living)), "it is told")
    admin = living.kubectl
    admin("create", "serviceaccount", "onlooker")
    admin("create", "clusterrole", f"onlooker-{living.namespace}", "--verb=list", "--resource=events")
    role, who = f"--clusterrole=onlooker-{living.namespace}", f"--serviceaccount={living.namespace}:onlooker"
    admin("create", "clusterrolebinding", f"onlooker-{living.namespace}", role, who)
    kubeconfig = living.stack.cluster.service_account_kubeconfig(living.namespace, "onlooker")
    assert orphan.id in gpu(living, "orphans", "-A", kubeconfig=str(kubeconfig))
    assert "No orphans reported in namespace default." in gpu(living, "orphans", "-n", "default")


def test_what_a_policy_left_is_adopted_by_another_object(living: World) -> None:
    """`deletionPolicy: Orphan` leaves one; as soon as an object names it, it belongs to somebody again."""
    living.apply(serving("left", deletionPolicy="Orphan"))
    living.ready("left")
    machine = machine_of(living, "left")
    living.delete("left")
    assert machine.shown["state"] == "running"
    until(lambda: counted(living) == 1, "it is an orphan")
    living.apply(serving("heir", adopt={"instanceID": machine.id}, management="Full"))
    living.ready("heir")
    until(lambda: counted(living) == 0, "it is none any more")
    assert machine.done() == []
    living.delete("heir")
    assert machine.shown == {}


def test_where_it_is_allowed_it_is_removed_and_nothing_else_is(living: World, orphan: Stranger) -> None:
    """Opt-in: the orphan goes, once it is one; what belongs to objects, to people and to other clusters stays."""
    until(lambda: counted(living) == 1, "it is an orphan")
    assert orphan.done() == []
    names = (f"blue-{living.namespace}-theirs-0badcafe-1", "my-workstation")
    with bought_by_hand(living, names[0]) as theirs, bought_by_hand(living, names[1]) as mine:
        began = time.monotonic()
        living.stack.restart_operator(GPUINSTANCE_ORPHAN_DELETION="true")
        until(lambda: not orphan.shown, "it is removed")
        assert time.monotonic() - began >= AFTER, "a new process has to see it for itself"
        until(lambda: counted(living) == 0, "and counted no more")
        assert (orphan.done(), theirs.done(), mine.done()) == (["delete"], [], [])
    living.ready("living")
    assert living.machine("living")["state"] == "running"
