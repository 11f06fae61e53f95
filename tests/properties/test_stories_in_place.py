"""Stories with a name where a cloud sells nameless machines, and makes them anew in place.

A purchase is found by the machine's name alone; a rebuild loses a disk. Neither happens twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import Outcome
from tests.properties.world.fate import Kind, Trouble
from tests.properties.world.world import Lags, World


def rest(world: World) -> None:
    """Let everything come to rest, and look that nothing had to be complained about."""
    world.come_to_rest(relent=False)
    assert world.complaints == []


@pytest.fixture
def world() -> Iterator[World]:
    """A cloud that names no machine when it sells one, and makes machines anew in world."""
    world = World(Lags(listing=25, deletion=25), in_place=True)
    yield world
    world.close()


def test_a_nameless_purchase_is_listed_long_after_the_settle_window() -> None:
    """Accepted, and not listed for ten minutes: it is paid for, so that nothing else is bought."""
    world = World(Lags(listing=600), in_place=True)
    world.pass_time(timedelta(minutes=9))
    assert world.changes() == ["create"]
    assert world.status.outcome is None
    rest(world)
    assert world.status.outcome is Outcome.READY
    assert world.changes() == ["create"]
    world.close()


def test_a_nameless_purchase_that_never_shows_up_is_for_a_person() -> None:
    """Half an hour after the order a person is asked, and nothing is bought before that."""
    world = World(Lags(listing=36_000), in_place=True)
    world.pass_time(timedelta(hours=2))
    ready = world.status.condition("Ready")
    assert ready is not None
    assert (ready.reason, world.status.outcome) == (Reason.CREATE_TIMED_OUT, Outcome.FAILED)
    assert world.changes() == ["create"]
    world.judge_rest()
    assert world.complaints == []
    world.close()


def test_deleting_a_nameless_purchase_waits_for_its_machine() -> None:
    """Deleted while it is not listed: the finalizer stays until the machine has come, and gone."""
    world = World(Lags(listing=600, deletion=25), in_place=True)
    world.pass_time(timedelta(minutes=4))
    world.server.delete()
    world.pass_time(timedelta(minutes=4))
    assert world.server.body is not None
    rest(world)
    assert world.server.body is None
    assert world.machines() == []
    assert world.changes() == ["create", "delete"]
    world.close()


def test_tokens_in_place_run_once_each_and_buy_nothing(world: World) -> None:
    """Rebuilt, reinstalled, with another network; across restarts of the operator, and never again."""
    rest(world)
    for actions in ({"recreate": "a"}, {"reinstall": "a"}, {"regenerateNetworking": "a"}):
        world.server.edit(actions=actions)
        world.pass_time(timedelta(seconds=2))
        world.kill()
        rest(world)
        assert world.status.outcome is Outcome.READY
        world.server.label()
        rest(world)
    assert world.changes() == ["create", "upgrade", "upgrade", "restart"]


def test_a_changed_template_is_installed_by_a_token_only(world: World) -> None:
    """The edit alone is reported, because it would lose the disk; the token installs what the spec says."""
    rest(world)
    world.server.edit(templateID="debian")
    rest(world)
    ready = world.status.condition("Ready")
    assert ready is not None
    assert ready.reason == Reason.REINSTALL_REQUIRED
    world.server.edit(actions={"reinstall": "debian"})
    rest(world)
    assert world.status.outcome is Outcome.READY
    assert world.machines()[0].order.software.image == "debian"
    assert world.changes() == ["create", "upgrade"]


def test_a_lost_answer_to_a_rebuild_loses_the_disk_once(world: World) -> None:
    """The call took effect, and its answer was lost: looking finds out, and it is not sent again."""
    rest(world)
    world.fate.plan(Kind.CHANGE, Trouble.LOST_ANSWER, after=0)
    world.server.edit(actions={"recreate": "a"})
    rest(world)
    assert world.status.outcome is Outcome.READY
    assert world.changes() == ["create", "upgrade"]


def test_a_dead_application_is_rebuilt_a_few_times_and_never_bought_again(world: World) -> None:
    """With policy Recreate: three rebuilds with growing pauses, then a person is asked."""
    world.server.edit(recovery={"policy": "Recreate"})
    rest(world)
    world.infect(is_sick=True)
    rest(world)
    assert world.changes() == ["create", "upgrade", "upgrade", "upgrade"]
    assert world.status.outcome is Outcome.FAILED
