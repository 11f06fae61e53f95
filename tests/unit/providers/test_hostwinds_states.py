"""What a Hostwinds server is doing, by the four fields that tell it."""

from __future__ import annotations

import pytest

from gpuinstance.core.model import MachineState as State
from gpuinstance.providers.hostwinds.states import Sight

TABLE = [
    # A sentence, status, vm_state, task_state, power_state, the state.
    ("placed", "BUILD", "building", "scheduling", 0, State.CREATING),
    ("its network is being made", "BUILD", "building", "networking", 0, State.CREATING),
    ("being installed", "BUILD", "building", "spawning", 0, State.CREATING),
    ("ready", "active", "active", "", 1, State.RUNNING),
    ("ready, shouting", "ACTIVE", "ACTIVE", "", 1, State.RUNNING),
    ("ready, with blanks", " Active ", "active", " ", 1, State.RUNNING),
    ("going down", "active", "active", "powering-off", 1, State.STOPPING),
    ("going down, in the other spelling", "ACTIVE", "active", "powering_off", 1, State.STOPPING),
    ("down", "SHUTOFF", "stopped", "", 4, State.STOPPED),
    ("down by another word", "stopped", "", "", None, State.STOPPED),
    ("down by its power alone", "active", "active", "", 4, State.STOPPED),
    ("coming up", "SHUTOFF", "stopped", "powering-on", 4, State.STARTING),
    ("rebooting", "active", "active", "rebooting", 1, State.STARTING),
    ("rebooting hard", "HARD_REBOOT", "active", "rebooting_hard", 1, State.STARTING),
    ("made anew", "REBUILD", "active", "rebuilding", 1, State.STARTING),
    ("made anew, installing", "REBUILD", "active", "rebuild_spawning", 1, State.STARTING),
    ("made anew after a failure", "REBUILD", "error", "rebuild_block_device_mapping", 0, State.STARTING),
    ("its network is being made anew", "active", "active", "networking", 1, State.STARTING),
    ("growing", "RESIZE", "active", "resize_prep", 1, State.RESIZING),
    ("growing, by its task alone", "active", "active", "resize_migrating", 1, State.RESIZING),
    ("grown", "RESIZED", "resized", "", 1, State.RESIZED),
    ("grown, by Nova's word", "VERIFY_RESIZE", "active", "", 1, State.RESIZED),
    ("grown, by vm_state alone", "active", "resized", "", 1, State.RESIZED),
    ("being confirmed: nobody may confirm it again", "RESIZED", "resized", "resize_confirming", 1, State.RESIZING),
    ("being reverted", "REVERT_RESIZE", "resized", "resize_reverting", 1, State.RESIZING),
    ("moving", "MIGRATING", "active", "migrating", 1, State.MIGRATING),
    ("being removed", "active", "active", "deleting", 1, State.REMOVING),
    ("a failed one being removed", "error", "error", "deleting", 0, State.REMOVING),
    ("removed by its status is not gone yet", "DELETED", "deleted", "", 0, State.REMOVING),
    ("suspended", "suspended", "active", "", 1, State.SUSPENDED),
    ("suspended, shouting", "SUSPENDED", "suspended", "", 4, State.SUSPENDED),
    ("failed", "error", "active", "", 1, State.STOPPED),
    ("failed by vm_state", "active", "error", "", 1, State.STOPPED),
    ("a task nobody knows", "active", "active", "image_snapshot", 1, State.UNKNOWN),
    ("a status nobody knows", "hibernating", "active", "", 1, State.UNKNOWN),
    ("rescued", "RESCUE", "rescued", "", 1, State.UNKNOWN),
    ("no status: vm_state has to do", "", "active", "", 1, State.RUNNING),
    ("nothing at all", "", "", "", None, State.UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "vm_state", "task", "power", "state"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_states(status: str, vm_state: str, task: str, power: int | None, state: State) -> None:
    """Each row's sentence is what the fields say."""
    assert Sight(status, vm_state, task, power).state is state


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_suspended_and_locked_outweigh_everything(row: tuple[str, str, str, str, int | None, State]) -> None:
    """Whatever else such a server is doing: it must not be touched, and its word says why."""
    _, status, vm_state, task, power, _ = row
    for flag, word in (("is_suspended", "suspended"), ("is_locked", "locked")):
        sight = Sight(status, vm_state, task, power, **{flag: True})
        assert sight.state is State.SUSPENDED
        assert sight.word.lower().count(word) == 1


WORDS = [
    (Sight("active"), "active"),
    (Sight("", "building"), "building"),
    (Sight("active", "active", "powering-off"), "active, powering-off"),
    (Sight("active", is_locked=True), "active, locked"),
    (Sight("active", is_suspended=True, is_locked=True), "active, suspended, locked"),
    (Sight("suspended", is_suspended=True), "suspended"),
    (Sight("RESIZED", "resized", "resize_confirming"), "RESIZED, resize_confirming"),
    (Sight(""), ""),
]


@pytest.mark.parametrize(("sight", "word"), WORDS)
def test_words(sight: Sight, word: str) -> None:
    """People read the provider's own words, and which of suspended and locked it is."""
    assert sight.word == word


def test_a_busy_word_is_a_change_in_progress() -> None:
    """Everything with a task makes the operator wait, known or not, unless it has failed."""
    for task in ("powering-off", "spawning", "resize_prep", "image_uploading", "deleting", "something_new"):
        for status in ("active", "SHUTOFF", "RESIZED", "odd"):
            assert Sight(status, "active", task, 1).state.is_changing
