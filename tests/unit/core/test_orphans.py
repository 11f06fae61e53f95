"""Which machines are orphans, and which of them may go."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.orphans import Sighting, Told, confirmed, describe, note, read, removable, without_object
from tests.builders import NOW, machine

UID = "943a2f83-0c5e-4d6a-9b7e-1f2a3b4c5d6e"
TEN_MINUTES = timedelta(minutes=10)


def named(name: str, state: MachineState = MachineState.RUNNING, *, id_: str = "m-1") -> Machine:
    """Return a machine of that name."""
    return machine(id_, state, name=name)


@pytest.mark.parametrize(
    ("name", "state", "expected"),
    [
        pytest.param("gpui-default-gone-0badcafe-1", MachineState.RUNNING, True, id="its object is gone"),
        pytest.param("gpui-default-gone-0badcafe-1", MachineState.STOPPED, True, id="a stopped one is billed as well"),
        pytest.param("gpui-default-trainer-943a2f83-1", MachineState.RUNNING, False, id="its object lives"),
        pytest.param("gpui-default-trainer-943a2f83-7", MachineState.RUNNING, False, id="a later attempt of it"),
        pytest.param("blue-default-gone-0badcafe-1", MachineState.RUNNING, False, id="another cluster's mark"),
        pytest.param("gpuix-default-gone-0badcafe-1", MachineState.RUNNING, False, id="a mark that begins like ours"),
        pytest.param("my-workstation", MachineState.RUNNING, False, id="somebody's own machine"),
        pytest.param("gpui-notes", MachineState.RUNNING, False, id="somebody's own, named a little like ours"),
        pytest.param("gpui-default-gone-0badcafe-1", MachineState.REMOVING, False, id="on its way out"),
        pytest.param("gpui-default-gone-0badcafe-1", MachineState.REMOVED, False, id="gone"),
    ],
)
def test_who_belongs_to_nobody(name: str, state: MachineState, expected: bool) -> None:
    """A machine is suspected only if it carries our mark and the uid of no living object."""
    found = without_object([named(name, state)], mark="gpui", uids={UID}, recorded=())
    assert bool(found) is expected


def test_a_recorded_machine_is_no_orphan() -> None:
    """A machine that a status names belongs to that object, whatever its own name is."""
    lost = named("gpui-default-gone-0badcafe-1", id_="m-9")
    assert without_object([lost], mark="gpui", uids={UID}, recorded={"m-9"}) == []


def test_twice_and_for_long_enough() -> None:
    """Only what was seen twice, over ten minutes, is an orphan; what was not seen once is forgotten."""
    suspect = named("gpui-default-gone-0badcafe-1")
    first = note({}, [suspect], NOW)
    assert confirmed(first, NOW + TEN_MINUTES, after=TEN_MINUTES) == []
    early = note(first, [suspect], NOW + timedelta(minutes=5))
    assert confirmed(early, NOW + timedelta(minutes=5), after=TEN_MINUTES) == []
    late = note(early, [suspect], NOW + TEN_MINUTES)
    assert confirmed(late, NOW + TEN_MINUTES, after=TEN_MINUTES) == [suspect]
    back = note(note(late, [], NOW + TEN_MINUTES), [suspect], NOW + 2 * TEN_MINUTES)
    assert back == {"m-1": Sighting(suspect, NOW + 2 * TEN_MINUTES, 1)}


@pytest.mark.parametrize(
    ("orphans", "ours", "expected"),
    [
        pytest.param(1, 1, 1, id="the only machine of a small account"),
        pytest.param(3, 3, 2, id="a few, as many as the limit allows at once"),
        pytest.param(4, 100, 2, id="four of a hundred, as many as the limit allows"),
        pytest.param(60, 100, 0, id="more than half of all: the cluster was likely read wrongly"),
        pytest.param(4, 4, 0, id="everything there is"),
    ],
)
def test_removal_is_bounded_and_stops_itself(orphans: int, ours: int, expected: int) -> None:
    """Removal takes a few at a time, and nothing at all where too many would go."""
    machines = [named(f"gpui-default-gone-0badcafe-{n + 1}", id_=f"m-{n}") for n in range(orphans)]
    assert len(removable(machines, ours=ours, most=2)) == expected


def test_a_frozen_machine_is_left_alone() -> None:
    """What the provider has frozen is never touched, orphan or not."""
    frozen = named("gpui-default-gone-0badcafe-1", MachineState.SUSPENDED)
    assert removable([frozen], ours=10, most=2) == []


def test_what_is_told_can_be_read_again() -> None:
    """`kubectl gpu orphans` knows no more than the Events say: they say it in one form."""
    suspect = machine("i-0f/3", name="gpui-default-gone-0badcafe-1", word="to be started (again)")
    words = describe(Sighting(suspect, NOW, 2), "novita")
    assert read(words) == Told("i-0f/3", suspect.name, "novita", NOW, "to be started (again)")
    assert "spec.adopt.instanceID i-0f/3" in words
    assert read("machine m-1 is gone") is None
