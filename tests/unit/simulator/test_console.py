"""Foreign interference."""

from __future__ import annotations

import pytest

from gpuinstance_simulator.catalogue import Mode
from gpuinstance_simulator.clock import ManualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.console import ConsoleAction, act
from gpuinstance_simulator.errors import CloudError
from gpuinstance_simulator.lifecycle import Actor
from gpuinstance_simulator.machine import SpotStatus
from tests.unit.simulator.support import running


@pytest.mark.parametrize(
    ("action", "word"),
    [
        ("stop", "toStop"),
        ("restart", "toRestart"),
        ("migrate", "migrating"),
        ("exit", "exited"),
        ("freeze", "freezing"),
        ("delete", "toRemove"),
    ],
)
def test_a_person_in_the_console_changes_the_machine(cloud: Cloud, action: str, word: str) -> None:
    """The ledger tells who it was."""
    machine = running(cloud)
    act(cloud, machine.id, ConsoleAction.model_validate({"action": action}))
    assert cloud.look(machine.id).word == word
    assert [entry.actor for entry in cloud.ledger] == [Actor.API, Actor.CONSOLE]


def test_a_frozen_machine_refuses_everything_until_it_is_released(cloud: Cloud, clock: ManualClock) -> None:
    """Only deletion works; after the release it is stopped."""
    machine = running(cloud)
    act(cloud, machine.id, ConsoleAction(action="freeze"))
    clock.advance(10**6)
    for verb in (cloud.start, cloud.stop, cloud.restart):
        with pytest.raises(CloudError):
            verb(machine.id)
    act(cloud, machine.id, ConsoleAction(action="unfreeze"))
    assert cloud.look(machine.id).word == "exited"


def test_a_machine_can_be_renamed_behind_our_back(cloud: Cloud) -> None:
    """Which is why the id is remembered, too."""
    machine = running(cloud)
    act(cloud, machine.id, ConsoleAction(action="rename", name="mine now"))
    assert [sight.machine.name for sight in cloud.listing()] == ["mine now"]
    assert cloud.ledger.select(name="mine now", actor=Actor.CONSOLE)


def test_a_reclaim_can_be_announced_at_once(cloud: Cloud, clock: ManualClock) -> None:
    """Tests cannot wait for the promised hour."""
    machine = running(cloud, mode=Mode.SPOT)
    act(cloud, machine.id, ConsoleAction(action="reclaim", notice=10))
    cloud.engine.now()
    assert machine.spot_status is SpotStatus.NOTIFIED
    clock.advance(70)
    assert cloud.look(machine.id).word == "exited"


def test_only_a_running_spot_machine_can_be_reclaimed(cloud: Cloud, clock: ManualClock) -> None:
    """Anything else is a mistake of the test."""
    on_demand, spot = running(cloud), running(cloud, mode=Mode.SPOT)
    cloud.stop(spot.id)
    clock.advance(6)
    for machine in (on_demand, spot):
        with pytest.raises(CloudError):
            act(cloud, machine.id, ConsoleAction(action="reclaim"))


def test_an_error_can_appear_on_a_running_machine(cloud: Cloud) -> None:
    """The state stays what it was."""
    machine = running(cloud)
    act(cloud, machine.id, ConsoleAction(action="fail", state="node", message="node lost"))
    assert machine.error == ("node", "node lost")
    assert cloud.look(machine.id).word == "running"
