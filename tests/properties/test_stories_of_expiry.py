"""A machine whose time is over, with every trouble on the way: it is stopped once, or its object goes with it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import ConditionType, Outcome
from tests.properties.world.fate import PLANS, Kind, Trouble
from tests.properties.world.world import Lags, World

TTL = timedelta(minutes=40)
PLANNED = pytest.mark.parametrize(("kind", "trouble"), PLANS, ids=[f"{k.name}-{t.name}" for k, t in PLANS])


@pytest.fixture
def world() -> Iterator[World]:
    """A world whose listings are half a settle window behind."""
    world = World(Lags(listing=25, deletion=25))
    yield world
    world.close()


def live(world: World, action: str, kind: Kind, trouble: Trouble) -> None:
    """Buy a machine for a while, and let one thing go wrong when its time is over."""
    world.server.edit(expiry={"ttl": "40m", "action": action})
    world.come_to_rest()
    assert world.status.outcome is Outcome.READY
    assert world.status.created_at is not None
    world.pass_time(world.status.created_at + TTL - timedelta(minutes=1) - world.now())
    assert world.status.outcome is Outcome.READY, "not before"
    world.fate.plan(kind, trouble, after=1 if kind is Kind.WRITE else 0)
    world.pass_time(timedelta(minutes=5))
    world.come_to_rest()
    assert world.complaints == []


@PLANNED
def test_it_is_stopped_and_stays_so(world: World, kind: Kind, trouble: Trouble) -> None:
    """One machine was bought, and it is down, whatever went wrong; at rest nothing is written or changed."""
    live(world, "Stop", kind, trouble)
    ready = world.status.condition(ConditionType.READY)
    assert ready is not None
    assert (world.status.outcome, ready.reason) == (Outcome.STOPPED, Reason.EXPIRED)
    assert [it.word for it in world.machines()] == ["exited"]
    assert world.changes().count("create") == 1
    assert "start" not in world.changes()
    world.judge_rest()
    assert world.complaints == []


@PLANNED
def test_it_is_deleted_with_its_object(world: World, kind: Kind, trouble: Trouble) -> None:
    """Nothing is left behind, and nothing is bought again."""
    live(world, "Delete", kind, trouble)
    assert world.server.body is None
    assert world.machines() == []
    assert set(world.changes()) == {"create", "delete"}
