"""The transition table, walked from every state with every operation."""

from __future__ import annotations

import pytest

from gpuinstance_simulator import disturbances
from gpuinstance_simulator.clock import ManualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.lifecycle import GONE, Operation
from gpuinstance_simulator.machine import Machine, Software
from gpuinstance_simulator.novita import LIFECYCLE, new_cloud
from tests.unit.simulator.support import order, running

PATHS = {
    (Operation.START, "exited"): ["toStart", "starting", "running"],
    (Operation.STOP, "running"): ["toStop", "stopping", "exited"],
    (Operation.RESTART, "running"): ["toRestart", "restarting", "running"],
    (Operation.UPGRADE, "running"): ["toReset", "resetting", "running"],
    (Operation.UPGRADE, "exited"): ["toReset", "resetting", "running"],
    (Operation.MIGRATE, "running"): ["migrating", "running"],
    (Operation.MIGRATE, "exited"): ["migrating", "exited"],
}
REMOVAL = ["toRemove", "removing", "removed", GONE]
OPERATIONS = (
    Operation.START,
    Operation.STOP,
    Operation.RESTART,
    Operation.UPGRADE,
    Operation.MIGRATE,
    Operation.DELETE,
)
STATES = [state for state in LIFECYCLE.states if state != "removed"]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_operation_is_accepted_where_the_table_says_and_leads_where_it_says(
    operation: Operation, state: str
) -> None:
    """Accepted: it passes exactly the documented words. Refused: nothing changes, nothing is in the ledger."""
    cloud = new_cloud(ManualClock())
    machine = machine_in(cloud, state)
    before = len(cloud.ledger)
    expected = PATHS.get((operation, state))
    if operation is Operation.DELETE and not LIFECYCLE.states[state].removal:
        expected = REMOVAL
    if expected is None:
        with pytest.raises(CloudError) as refused:
            apply(cloud, operation, machine)
        assert refused.value.reason is Refusal.WRONG_STATE
        assert machine.state == state
        assert len(cloud.ledger) == before
    else:
        machine.stuck.clear()
        apply(cloud, operation, machine)
        assert seen_words(cloud, machine) == expected
        assert [it.operation for it in cloud.ledger][before:] == [operation]


def test_a_new_machine_passes_the_documented_words_in_time(cloud: Cloud, clock: ManualClock) -> None:
    """Two seconds in toCreate, five in creating, thirty in pulling; then it runs and goes on running."""
    machine = cloud.create(order())
    walk = [("toCreate", 2), ("creating", 5), ("pulling", 30)]
    for word, seconds in walk:
        assert cloud.look(machine.id).word == word
        clock.advance(seconds - 0.001)
        assert cloud.look(machine.id).word == word
        clock.advance(0.001)
    assert cloud.look(machine.id).word == "running"
    clock.advance(10**7)
    assert cloud.look(machine.id).word == "running"


def test_a_gone_machine_is_unknown_to_every_operation(cloud: Cloud, clock: ManualClock) -> None:
    """After `removed` the provider has never heard of it."""
    machine = running(cloud)
    cloud.delete(machine.id)
    clock.advance(11)
    for operation in OPERATIONS:
        with pytest.raises(CloudError) as refused:
            apply(cloud, operation, machine)
        assert refused.value.reason is Refusal.NO_SUCH_MACHINE
    with pytest.raises(CloudError):
        cloud.look(machine.id)
    assert cloud.truth() == []
    assert cloud.truth(with_gone=True) == [machine]


def test_durations_can_be_replaced_by_word() -> None:
    """The command line does it; a misspelt word is an error."""
    cloud = new_cloud(ManualClock(), seconds={"pulling": 1})
    machine = cloud.create(order())
    cloud.clock.advance(8)
    assert cloud.look(machine.id).word == "running"
    with pytest.raises(KeyError):
        new_cloud(ManualClock(), seconds={"puling": 1})


def apply(cloud: Cloud, operation: Operation, machine: Machine) -> None:
    if operation is Operation.DELETE:
        cloud.delete(machine.id)
    elif operation is Operation.UPGRADE:
        cloud.upgrade(machine.id, Software("other"), keep_data=True)
    else:
        cloud.transit(operation, machine.id)


def machine_in(cloud: Cloud, state: str) -> Machine:
    """A machine that is kept in `state`."""
    machine = running(cloud)
    cloud.engine.travel(machine, (state, "running"), cloud.clock.now())
    disturbances.stick(cloud, machine, state)
    machine.path = ()
    return machine


def seen_words(cloud: Cloud, machine: Machine) -> list[str]:
    words = [machine.state]
    for _ in range(200):
        cloud.clock.advance(1)
        cloud.engine.now()
        if words[-1] != machine.state:
            words.append(machine.state)
    return words
