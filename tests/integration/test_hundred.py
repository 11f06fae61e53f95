"""A hundred instances at once: each gets its machine, and what that costs is counted, not estimated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.integration.manifests import serving
from tests.integration.pace import Pace, paced
from tests.integration.world import World, until
from tests.rig.stack import Stack

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

COUNT = 100
NAMES = [f"trainer-{number:03}" for number in range(COUNT)]
WRITES = 6
"""At most, for one instance from apply to Ready, Events and finalizer included."""
CALLS = 3
"""At most, for one instance that is created, listings included."""
PAGES = 1
"""Of the provider's listing, for so many machines."""


POLL_SECONDS = 2


@pytest.fixture(scope="module", autouse=True)
def calm_pace(stack: Stack) -> Iterator[None]:
    """Slow enough for two cores to follow a hundred machines, and for rounds at rest to be told apart."""
    with paced(stack, Pace(speed=20, poll=POLL_SECONDS, fast_poll=0.5)):
        yield


def test_a_hundred_at_once(world: World) -> None:
    """All become Ready, with one machine each, few writes and calls each, and silence afterwards."""
    began = world.now()
    world.simulator.forget("calls")
    world.apply(*(serving(name) for name in NAMES))
    world.kubectl("wait", "gpui", "--all", "--for=condition=Ready", "--timeout=120s", seconds=130)
    spent = Counter(world.simulator.ask("calls")["operations"])

    assert [world.done(name) for name in NAMES] == [Counter(create=1)] * COUNT
    assert [len(world.machines(name)) for name in NAMES] == [1] * COUNT
    assert sum(spent.values()) <= CALLS * COUNT, spent

    until(lambda: len(written(world, began)) == COUNT and all_told(world, began), "the Events are written")
    writes = written(world, began)
    costly = {name: count for name, count in writes.items() if count > WRITES}
    assert not costly

    assert_silent(world)


def written(world: World, since: int) -> Counter[str]:
    """Return how many writes each instance has cost the API server."""
    return Counter(write.name.partition(".")[0] for write in world.writes(since))


def all_told(world: World, since: int) -> bool:
    return sum(write.resource == "events" for write in world.writes(since)) >= COUNT


def at_rest(world: World) -> bool:
    """True once the last of a hundred, on a busy machine a while after the first, is not watched closely any more."""
    calls = world.simulator.ask("calls", recent="2")["recent"]
    return len(calls) == 2 and calls[1]["arrived"] - calls[0]["arrived"] >= 0.8 * POLL_SECONDS


def assert_silent(world: World) -> None:
    """At rest: nothing is written, and each round of polls costs one look at each page of the listing."""
    until(lambda: at_rest(world), "the polls are those of instances at rest")
    began = world.now()
    world.simulator.forget("calls")
    rounds = 4
    until(lambda: world.simulator.ask("calls")["operations"].get("list", 0) >= rounds * PAGES, "rounds of polls")
    calls = world.simulator.ask("calls", recent="1000")["recent"]
    assert {call["operation"] for call in calls} == {"list"}
    took = calls[-1]["arrived"] - calls[0]["arrived"]
    assert took >= 0.8 * (rounds - 1) * POLL_SECONDS, "more listings than rounds of polls"
    assert world.writes(began) == []
