"""What fails for ever costs almost nothing: a day of it, call by call, in virtual time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.properties.world.fate import Kind, Trouble
from tests.properties.world.world import World

DAY = timedelta(days=1)
MORE_THAN_A_DAY_BRINGS = 20_000


def live_through(kind: Kind, trouble: Trouble, span: timedelta) -> World:
    """Live so long with a provider that never does what is asked."""
    world = World()
    for number in range(MORE_THAN_A_DAY_BRINGS):
        world.fate.plan(kind, trouble, after=number)
    world.fate.begin_counting()
    world.pass_time(span)
    return world


@pytest.mark.parametrize("trouble", [Trouble.NO_CAPACITY, Trouble.REJECTED])
def test_a_create_that_is_refused_for_ever(trouble: Trouble) -> None:
    """A purchase is tried every ten minutes in the end, a listing read every minute, and nothing else."""
    world = live_through(Kind.CHANGE, trouble, DAY)
    calls = world.fate.counted()
    assert 140 <= calls[Kind.CHANGE] <= 155
    assert calls[Kind.LOOK] <= DAY / timedelta(minutes=1) + 155, "the minutely listing, and the prices before each try"
    assert world.server.status_writes <= 2 * calls[Kind.CHANGE]
    assert world.complaints == []
    world.close()


@pytest.mark.parametrize(
    ("trouble", "most"), [(Trouble.UNAUTHORIZED, 60), (Trouble.UNAVAILABLE, 6 * 60 + 15)], ids=["401", "502"]
)
def test_a_provider_that_never_answers_well(trouble: Trouble, most: int) -> None:
    """A quarter of a day with a refused key, or without the provider: few calls, and it is told once, not again."""
    world = live_through(Kind.LOOK, trouble, DAY / 4)
    calls = world.fate.counted()
    assert 0 < calls[Kind.LOOK] <= most
    assert calls[Kind.CHANGE] == 0
    assert world.server.status_writes <= 4
    assert world.complaints == []
    world.close()
