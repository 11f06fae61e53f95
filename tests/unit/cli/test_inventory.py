"""Resources beside machines: who knows what, and does it fit together."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.api.words import BillingMode
from gpuinstance.cli.inventory import counts, merge
from gpuinstance.cli.inventory_rows import Account, Source
from gpuinstance.core.model import Machine, MachineState
from tests.unit.cli.objects import MACHINE, Object, instance

OURS = "gpui-team-a-trainer-943a2f83-1"


def recorded(**record: Any) -> Object:
    """Return a resource whose status names machine 5f1c, with these fields otherwise."""
    return instance(phase="Ready", instance={**MACHINE, **record})


def shown(machine_id: str = "5f1c", name: str = OURS, **fields: Any) -> Machine:
    """Return a machine as the provider lists it, by default just what `recorded` says."""
    usual: dict[str, Any] = {
        "state": MachineState.RUNNING,
        "word": "running",
        "product_name": "RTX 4090 24GB",
        "region": "us-ca-6",
        "billing_mode": BillingMode.ON_DEMAND,
        "gpu_count": 2,
    }
    return Machine(id=machine_id, name=name, **usual | fields)


def account(*machines: Machine, at: str = "team-a/novita-credentials", **fields: Any) -> Account:
    return Account("novita", (at,), machines, **fields)


DOWN = Account("novita", ("team-a/novita-credentials",), None)

ROWS = [
    ("they say the same", recorded(), account(shown()), "both", "consistent"),
    ("its state has changed", recorded(), account(shown(word="exited")), "both", "differs: state"),
    ("several fields", recorded(), account(shown(word="x", gpu_count=1)), "both", "differs: state, gpuCount"),
    ("another product", recorded(), account(shown(product_name="H100")), "both", "differs: product"),
    ("a renamed one is found by its id", recorded(), account(shown(name="mine")), "both", "differs: name"),
    ("a name of the product is enough", recorded(productID="a"), account(shown(product_id="b")), "both", "consistent"),
    ("what is not shown is no difference", recorded(), account(shown(word="", gpu_count=None)), "both", "consistent"),
    ("images are compared as Docker does", recorded(image="nginx"), account(shown(image="nginx:latest")), "both",
     "consistent"),
    ("another image", recorded(image="nginx"), account(shown(image="redis")), "both", "differs: image"),
    ("bought, and not recorded yet", instance(phase="Creating"), account(shown()), "both", "differs: machine"),
    ("gone behind the operator's back", recorded(), account(), "resource", "missing at provider"),
    ("said to be removed is gone", recorded(), account(shown(state=MachineState.REMOVED)), "resource",
     "missing at provider"),
    ("nothing was bought", instance(phase="Pending"), account(), "resource", "no machine"),
    ("it was let go", {**recorded(), "status": {"instance": MACHINE, "terminatedAt": "2026-01-01T11:00:00Z"}},
     account(), "resource", "no machine"),
    ("the provider is down", recorded(), DOWN, "resource", "not compared"),
    ("another account was read", recorded(), account(at="team-b/novita-credentials"), "resource", "not compared"),
    ("a key that the user named", recorded(), account(at="ops/novita-credentials", extra=True), "resource",
     "missing at provider"),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "listed", "source", "consistency"), [row[1:] for row in ROWS],
                         ids=[row[0] for row in ROWS])  # fmt: skip
def test_a_resource(resource: Object, listed: Account, source: str, consistency: str) -> None:
    """One row for each, whatever the provider says."""
    [row] = merge([resource], [listed])
    assert (row.source, row.consistency) == (source, consistency)


STRANGERS = [
    ("bought by a person", shown("m-1", "my-workstation"), "foreign"),
    ("our mark, and nobody's", shown("m-1", "gpui-team-a-gone-0badcafe-1"), "without resource"),
    ("the mark of another cluster", shown("m-1", "blue-team-a-theirs-0badcafe-1"), "another cluster's"),
    ("a second purchase of the same resource", shown("m-0", "gpui-team-a-trainer-943a2f83-2"),
     "second machine of team-a/trainer"),
    ("nearly a name of ours", shown("m-1", "gpui-team-a-gone-0badcafe"), "foreign"),
]  # fmt: skip


@pytest.mark.parametrize(("machine", "consistency"), [row[1:] for row in STRANGERS], ids=[row[0] for row in STRANGERS])
def test_a_machine_without_a_resource_of_its_own(machine: Machine, consistency: str) -> None:
    """It is told apart by its name alone."""
    resource, stranger = merge([recorded()], [account(shown(), machine)])
    assert resource.consistency == "consistent"
    assert (stranger.source, stranger.instance, stranger.machine) == (Source.PROVIDER, None, machine)
    assert stranger.consistency == consistency


def test_the_mark_is_learned_from_the_machines_of_this_cluster() -> None:
    """An operator with another mark than the usual one is believed by what it has named."""
    resource = recorded(name="blue-team-a-trainer-943a2f83-1")
    mine = shown(name="blue-team-a-trainer-943a2f83-1")
    ours, theirs = shown("m-1", "blue-x-gone-0badcafe-1"), shown("m-2", "gpui-x-gone-0badcafe-1")
    rows = merge([resource], [account(mine, ours, theirs)])
    assert [row.consistency for row in rows] == ["consistent", "another cluster's", "without resource"]


def test_without_all_resources_nothing_is_called_an_orphan() -> None:
    """Its object may be one that this user may not see."""
    [row] = merge([], [account(shown())], all_seen=False)
    assert row.consistency == "resource not seen"


def test_two_keys_of_one_account_show_a_machine_once() -> None:
    """And another provider's machine of the same id is another machine."""
    elsewhere = Account("hostwinds", ("team-a/hostwinds-credentials",), (shown(name="mine"),))
    rows = merge([recorded()], [account(shown()), account(shown(), at="team-b/key"), elsewhere])
    assert [(row.provider, row.consistency) for row in rows] == [("novita", "consistent"), ("hostwinds", "foreign")]


def test_a_wish_to_adopt_comes_after_records_and_names() -> None:
    """An object that names a machine of another object does not have it."""
    thief = instance("thief", phase="Failed")
    thief["metadata"]["uid"] = "11111111-0c5e-4d6a-9b7e-1f2a3b4c5d6e"
    thief["spec"]["adopt"] = {"instanceID": "5f1c"}
    rows = merge([thief, recorded()], [account(shown())])
    assert [row.consistency for row in rows] == ["no machine", "consistent"]
    [alone] = merge([thief], [account(shown(name="by-hand"))])
    assert alone.consistency == "differs: machine"


def test_counts() -> None:
    """One line: who knows, and what is odd."""
    new = instance("new", phase="Pending")
    new["metadata"]["uid"] = "11111111-0c5e-4d6a-9b7e-1f2a3b4c5d6e"
    rows = merge([recorded(), new], [account(shown(), shown("m-1", "mine"))])
    assert counts(rows) == "1 both, 1 resource, 1 provider; 1 no machine, 1 foreign"
    assert counts([]) == "0 both, 0 resource, 0 provider"
