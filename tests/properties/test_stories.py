"""Stories with a name: the moments in which money is lost elsewhere, each told once.

Where `test_convergence` lets Hypothesis invent troubles, these are the ones worth knowing by heart.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import OperationType, Outcome
from gpuinstance_simulator.console import ConsoleAction
from tests.properties.world.fate import Kind, Trouble
from tests.properties.world.world import Lags, World


@pytest.fixture
def world() -> Iterator[World]:
    """A world whose listings are half a settle window behind."""
    world = World(Lags(listing=25, deletion=25))
    yield world
    world.close()


def rest(world: World) -> None:
    """Let everything come to rest, and look that nothing had to be complained about."""
    world.come_to_rest(relent=False)
    assert world.complaints == []


def test_an_undisturbed_life_costs_few_writes_and_one_call_each(world: World) -> None:
    """From apply to Ready at most six status writes and one change; stop, start and delete one change each."""
    rest(world)
    assert world.status.outcome is Outcome.READY
    assert world.server.status_writes <= 6
    world.server.edit(powerState="Stopped")
    rest(world)
    assert world.status.outcome is Outcome.STOPPED
    world.server.edit(powerState="Running")
    rest(world)
    assert world.status.outcome is Outcome.READY
    world.server.delete()
    rest(world)
    assert world.server.body is None
    assert world.changes() == ["create", "stop", "start", "delete"]


def test_a_create_without_an_answer_is_found_and_adopted(world: World) -> None:
    """The answer of the create call is lost: its machine is found by name, and no second one is bought."""
    world.fate.plan(Kind.CHANGE, Trouble.LOST_ANSWER, after=0)
    rest(world)
    assert world.status.outcome is Outcome.READY
    assert world.changes() == ["create"]


def test_a_create_that_never_arrived_is_repeated_under_another_name(world: World) -> None:
    """The create call is lost: after the settle window a second attempt is made."""
    world.fate.plan(Kind.CHANGE, Trouble.LOST_REQUEST, after=0)
    rest(world)
    assert world.status.outcome is Outcome.READY
    assert world.status.attempts == 2
    assert world.changes() == ["create"]


@pytest.mark.parametrize("kind", [Kind.CHANGE, Kind.WRITE])
@pytest.mark.parametrize("trouble", [Trouble.CRASH_BEFORE, Trouble.CRASH_AFTER])
@pytest.mark.parametrize("after", [0, 1])
def test_a_crash_around_the_purchase_buys_one_machine(world: World, kind: Kind, trouble: Trouble, after: int) -> None:
    """The process dies before or after the intent, the call or the record: one machine, Ready."""
    world.fate.plan(kind, trouble, after=after)
    rest(world)
    assert world.status.outcome is Outcome.READY
    assert world.changes() == ["create"]


def test_deleting_right_after_an_unanswered_create_leaves_nothing_behind(world: World) -> None:
    """The machine of a create call whose answer was lost shows up late: the finalizer waits for it."""
    world.fate.plan(Kind.CHANGE, Trouble.LATE, after=0)
    world.pass_time(timedelta(seconds=10))
    world.server.delete()
    rest(world)
    assert world.server.body is None
    assert world.machines() == []
    assert world.changes() == ["create", "delete"]


def test_deleting_a_machine_that_lookups_do_not_know_yet_leaves_nothing_behind() -> None:
    """The provider sold a machine and does not know it for a while: that is no proof that it is gone."""
    world = World(Lags(listing=25, lookups=True))
    world.pass_time(timedelta(seconds=3))
    assert world.changes() == ["create"]
    world.server.delete()
    rest(world)
    assert world.server.body is None
    assert world.machines() == []
    world.close()


def test_a_replaced_machine_that_is_still_listed_is_not_adopted(world: World) -> None:
    """The old machine is gone but still listed when the purchase of the new one is lost: it is not taken back."""
    rest(world)
    world.server.edit(actions={"recreate": "once"})
    world.fate.plan(Kind.CHANGE, Trouble.LOST_REQUEST, after=1)
    rest(world)
    assert world.status.outcome is Outcome.READY
    assert world.changes() == ["create", "delete", "create"]
    assert [machine.name for machine in world.machines()] == [f"{world.stem}-3"]


def test_a_stop_that_is_taken_back_ends_in_running(world: World) -> None:
    """Stopped and Running again within seconds: the machine that went down on purpose comes up again."""
    rest(world)
    world.server.edit(powerState="Stopped")
    world.pass_time(timedelta(seconds=1))
    world.server.edit(powerState="Running")
    world.pass_time(timedelta(seconds=1))
    assert world.status.outcome is None, "nobody may call it Ready while it goes down"
    rest(world)
    assert world.status.outcome is Outcome.READY
    assert world.changes() == ["create", "stop", "start"]


def test_a_start_that_is_taken_back_is_not_called_stopped(world: World) -> None:
    """Running and Stopped again within a second: an old listing still shows it down, and that is no proof."""
    rest(world)
    world.server.edit(powerState="Stopped")
    rest(world)
    world.server.edit(powerState="Running")
    world.pass_time(timedelta(seconds=0.5))
    assert world.changes() == ["create", "stop", "start"]
    world.server.edit(powerState="Stopped")
    world.pass_time(timedelta(seconds=1))
    assert world.status.outcome is None
    rest(world)
    assert world.status.outcome is Outcome.STOPPED
    assert [machine.word for machine in world.machines()] == ["exited"]


def test_a_machine_that_was_just_started_is_stopped_before_its_object_goes(world: World) -> None:
    """Deleted with policy Stop right after a start: an old listing that shows it down is no proof."""
    world.server.edit(deletionPolicy="Stop")
    rest(world)
    world.server.edit(powerState="Stopped")
    rest(world)
    world.server.edit(powerState="Running")
    world.pass_time(timedelta(seconds=0.5))
    assert world.changes() == ["create", "stop", "start"]
    world.server.delete()
    rest(world)
    assert world.server.body is None
    assert [machine.word for machine in world.machines()] == ["exited"]


def test_a_restart_token_whose_start_is_lost_is_not_forgotten(world: World) -> None:
    """The token asks to start a machine that exited; its call is lost, and is sent again."""
    rest(world)
    world.meddle(ConsoleAction(action="exit"))
    rest(world)
    assert world.status.outcome is Outcome.EXITED
    world.fate.plan(Kind.CHANGE, Trouble.LOST_REQUEST, after=0)
    world.server.edit(actions={"restart": "again"})
    rest(world)
    assert world.status.outcome is Outcome.READY
    assert world.changes() == ["create", "start"]


def test_a_dead_application_is_restarted_a_few_times_and_then_left_alone(world: World) -> None:
    """With policy Restart: three attempts with growing pauses, then a person is asked, in silence."""
    world.server.edit(recovery={"policy": "Restart"})
    rest(world)
    world.infect(is_sick=True)
    rest(world)
    assert world.changes() == ["create", "restart", "restart", "restart"]
    assert world.status.outcome is Outcome.FAILED
    world.judge_rest()
    assert world.complaints == []
    world.infect(is_sick=False)
    rest(world)
    assert world.status.outcome is Outcome.READY


def test_a_restart_nobody_saw_is_noticed(world: World) -> None:
    """Restarted in the console between two looks: the application is asked anew, at its new address."""
    rest(world)
    [endpoint] = world.status.endpoints or []
    world.meddle(ConsoleAction(action="restart"))
    rest(world)
    assert world.status.outcome is Outcome.READY
    assert world.status.endpoints != [endpoint]


def test_a_vanished_machine_is_reported_and_not_bought_again(world: World) -> None:
    """Deleted in the console: only a recreate token may cost money again."""
    rest(world)
    world.meddle(ConsoleAction(action="delete"))
    rest(world)
    ready = world.status.condition("Ready")
    assert ready is not None
    assert ready.reason == Reason.INSTANCE_LOST
    assert world.changes() == ["create"]
    world.server.edit(actions={"recreate": "again"})
    rest(world)
    assert world.status.outcome is Outcome.READY
    assert world.changes() == ["create", "create"]


def test_a_wiped_status_finds_its_machine_again(world: World) -> None:
    """Somebody empties the status: the machine is found by its name, and nothing is bought."""
    rest(world)
    world.server.wipe_status()
    rest(world)
    assert world.status.outcome is Outcome.READY
    assert world.changes() == ["create"]


def test_an_object_that_is_deleted_with_a_wiped_status_takes_its_machine_along(world: World) -> None:
    """The status says that nothing was ever bought; the listing says otherwise, and is believed."""
    rest(world)
    world.server.wipe_status()
    world.server.delete()
    rest(world)
    assert world.server.body is None
    assert world.machines() == []


def test_a_port_that_is_taken_away_is_taken_away_although_the_first_call_is_lost(world: World) -> None:
    """A lost call is told from one that took effect by what the machine shows, also where less is wanted."""
    world.server.edit(ports=[{"port": 80, "protocol": "http"}, {"port": 8080, "protocol": "http"}])
    rest(world)
    world.fate.plan(Kind.CHANGE, Trouble.LOST_REQUEST, after=0)
    world.server.edit(ports=[{"port": 80, "protocol": "http"}])
    rest(world)
    assert world.status.outcome is Outcome.READY
    assert [port.number for port in world.machines()[0].order.ports] == [80]


def test_two_recreate_tokens_in_a_row_buy_one_machine(world: World) -> None:
    """A token that is set while the old machine goes asks for what is happening already."""
    rest(world)
    world.server.edit(actions={"recreate": "first"})
    world.pass_time(timedelta(seconds=4))
    world.server.edit(actions={"recreate": "second"})
    rest(world)
    assert world.status.handled_actions.recreate == "second"
    assert world.changes() == ["create", "delete", "create"]


def test_each_token_acts_exactly_once(world: World) -> None:
    """A restart token restarts once, also across a restart of the operator; the same token never again."""
    rest(world)
    for token in ("monday", "tuesday"):
        world.server.edit(actions={"restart": token})
        rest(world)
        world.kill()
        rest(world)
        world.server.edit(actions={"restart": token})
        world.server.label()
        rest(world)
        assert world.status.last_operation is not None
        assert world.status.last_operation.type is OperationType.RESTART
    assert world.changes() == ["create", "restart", "restart"]


def test_an_event_of_each_outcome_is_told_once(world: World) -> None:
    """An undisturbed creation is one Event; being stopped is another; nothing is told twice."""
    rest(world)
    assert [reason for reason, _ in world.server.events] == [Reason.READY]
    world.server.edit(powerState="Stopped")
    rest(world)
    world.judge_rest()
    assert [reason for reason, _ in world.server.events] == [Reason.READY, Reason.STOPPED]
    assert world.complaints == []
