"""SIGKILL at every boundary of creating and deleting: never a second machine, never one left behind.

Each run buys and deletes one instance. The operator is killed once while it buys and once while it deletes, at
the moment that the row names, and is then started again. Where the dead operator's call was on its way, it takes
effect, or shows, only after the next one has looked around: whoever does not know that it does not know buys
twice. Further runs are killed at moments drawn from the seed in their name: after so many requests to provider
and API server together.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.integration.manifests import serving
from tests.integration.pace import Pace, paced
from tests.integration.world import World, until
from tests.rig.stack import Stack

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SEED = int(os.environ.get("KILL_SEED", "20260131"))
NAME = "trainer"
SETTLE = 15.0
"""Seconds: longer than an operator takes to come back and look around, on a busy machine, too."""
HELD = 1.0
"""Seconds for which the provider holds an answer, so that the operator can be killed in the middle of a call."""


@pytest.fixture(scope="module", autouse=True)
def patient_operator(stack: Stack) -> Iterator[None]:
    """The settle window is longer than the calls and lags of this module last."""
    with paced(stack, Pace(settle=SETTLE)):
        yield


class Watcher:
    """What has happened to the instance since this began."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._audit = world.now()
        self._calls = int(world.simulator.ask("calls")["total"])

    def saved(self, count: int, resource: str = "gpuinstances/status") -> bool:
        """True once so many writes of this kind were answered."""
        found = self._world.writes_about(NAME, self._audit)
        return sum(it.resource == resource for it in found) >= count

    def calls(self, operation: str) -> bool:
        """True once a call of this kind has arrived at the provider."""
        total = int(self._world.simulator.ask("calls")["total"]) - self._calls
        recent = self._world.simulator.ask("calls", recent=str(total))["recent"] if total else []
        return any(call["operation"] == operation for call in recent)

    def accepted(self, operation: str) -> bool:
        """True once the provider has carried it out."""
        return self._world.done(NAME)[operation] > 0

    def state(self, word: str) -> bool:
        """True while the machine is in this state."""
        return word in [machine["state"] for machine in self._world.machines(NAME)]

    def gone(self) -> bool:
        """True once the machine exists no more."""
        return not self._world.machines(NAME)

    def requests(self) -> int:
        """How many requests were sent to the provider and how many writes to the API server."""
        calls = int(self._world.simulator.ask("calls")["total"]) - self._calls
        return calls + len(self._world.writes_about(NAME, self._audit))


@dataclass(frozen=True)
class Moment:
    """When to kill, and what the world has in store for the operator that comes next."""

    title: str
    come: Callable[[Watcher], bool]
    """Kill as soon as this is true."""
    fault: dict[str, Any] = field(default_factory=dict)
    """What the provider does to make the moment last, or worse."""
    late: Callable[[World], object] | None = None
    """What comes true only when the next operator has looked around; until then the provider's time stands."""


def held(operation: str) -> dict[str, Any]:
    return {"operation": operation, "effect": {"kind": "delay", "when": "after", "seconds": HELD}}


def lost(operation: str, when: str) -> dict[str, Any]:
    return {"operation": operation, "effect": {"kind": "drop", "when": when}}


def lagging(operation: str) -> dict[str, Any]:
    return {"operation": operation, "effect": {"kind": "lag", "seconds": Pace().speed * HELD}}


def buy_late(world: World) -> None:
    """The request of the dead operator arrives."""
    intended = world.status(NAME)["instance"]
    purchase = {"name": intended["name"], "product_id": intended["productID"], "ports": [{"number": 80}]}
    world.simulator.tell("machines", purchase)


def delete_late(world: World) -> None:
    """The request of the dead operator arrives."""
    world.console(NAME, "delete")


def show_late(_: World) -> None:
    """Time goes on, and the listing shows what was accepted."""


BUYING = (
    Moment("the finalizer is set", lambda it: it.saved(1, "gpuinstances")),
    Moment("prices are being asked", lambda it: it.calls("products"), held("products")),
    Moment("the intent is saved", lambda it: it.saved(1)),
    Moment("the purchase is sent, not yet accepted", lambda it: it.calls("create"), lost("create", "before"), buy_late),
    Moment("accepted, the answer is on its way", lambda it: it.accepted("create"), held("create")),
    Moment("accepted, and the listing lags", lambda it: it.accepted("create"), lagging("create"), show_late),
    Moment("accepted, and the answer is lost", lambda it: it.accepted("create"), lost("create", "after")),
    Moment("the answer is saved", lambda it: it.saved(2)),
    Moment("the machine runs", lambda it: it.state("running")),
    Moment("addresses are being asked", lambda it: it.calls("get"), held("get")),
)
DELETING = (
    Moment("deletion is asked for", lambda _: True),
    Moment("the provider is being listed", lambda it: it.calls("list"), held("list")),
    Moment("the intent is saved", lambda it: it.saved(1)),
    Moment(
        "the deletion is sent, not yet accepted", lambda it: it.calls("delete"), lost("delete", "before"), delete_late
    ),
    Moment("accepted, the answer is on its way", lambda it: it.accepted("delete"), held("delete")),
    Moment("accepted, and the listing lags", lambda it: it.accepted("delete"), lagging("delete"), show_late),
    Moment("accepted, and the answer is lost", lambda it: it.accepted("delete"), lost("delete", "after")),
    Moment("the machine is being removed", lambda it: it.state("removing")),
    Moment("the machine is gone", lambda it: it.gone()),
    Moment("its absence is being confirmed", lambda it: it.calls("get"), held("get")),
)


def kill_at(world: World, watcher: Watcher, moment: Moment) -> None:
    """Kill the operator as soon as the moment has come."""
    until(lambda: moment.come(watcher), moment.title, pause=0.01)
    world.stack.operator.kill()
    if moment.late is not None:
        world.simulator.tell("clock", {"speed": 0})


def come_back(world: World, moment: Moment) -> None:
    """Start the next operator; what is late comes true when it has looked around."""
    world.stack.start_operator()
    if moment.late is not None:
        looks = world.calls("list")
        try:
            until(lambda: world.calls("list") >= looks + 2, "the operator has looked around")
            moment.late(world)
        finally:
            world.simulator.tell("clock", {"speed": Pace().speed})


def plant(world: World, *moments: Moment) -> Watcher:
    """Prepare the provider for these moments; return who watches for them."""
    for moment in moments:
        if moment.fault:
            world.simulator.tell("faults", moment.fault)
    return Watcher(world)


def strike(world: World, begin: Callable[[], object], *moments: Moment) -> None:
    """Begin something, kill the operator at each of the moments, and start it again each time."""
    watcher = plant(world, *moments)
    begin()
    for moment in moments:
        kill_at(world, watcher, moment)
        come_back(world, moment)


def live(world: World, buying: tuple[Moment, ...], deleting: tuple[Moment, ...]) -> None:
    """Buy and delete one instance through these kills; exactly one machine was bought, and none is left."""
    strike(world, lambda: world.apply(serving(NAME)), *buying)
    world.ready(NAME)
    rounds = Watcher(world)
    until(lambda: rounds.requests() >= 2, "the operator has looked again")
    assert [machine["state"] for machine in world.machines(NAME)] == ["running"]
    strike(world, lambda: world.kubectl("delete", f"gpui/{NAME}", "--wait=false"), *deleting)
    world.wait(NAME, "delete")
    assert_one_came_and_went(world)


def assert_one_came_and_went(world: World) -> None:
    assert world.machines(NAME) == []
    assert Counter(entry["operation"] for entry in world.ledger(NAME)) == Counter(create=1, delete=1)


@pytest.mark.parametrize(
    ("buying", "deleting"),
    [pytest.param(*pair, id=f"{pair[0].title} - {pair[1].title}") for pair in zip(BUYING, DELETING, strict=True)],
)
def test_a_kill_at_a_boundary(world: World, buying: Moment, deleting: Moment) -> None:
    """Twenty boundaries: what was begun is finished once, whatever was known when the process died."""
    live(world, (buying,), (deleting,))


IN_DOUBT = [moment for moment in BUYING if moment.late is not None or "lost" in moment.title]


@pytest.mark.parametrize("moment", [pytest.param(moment, id=moment.title) for moment in IN_DOUBT])
def test_a_purchase_in_doubt_is_not_forgotten(world: World, moment: Moment) -> None:
    """An object that is deleted while nobody knows whether its machine was bought goes after the machine does."""
    watcher = plant(world, moment)
    world.apply(serving(NAME))
    kill_at(world, watcher, moment)
    world.kubectl("delete", f"gpui/{NAME}", "--wait=false")
    come_back(world, moment)
    world.wait(NAME, "delete")
    assert_one_came_and_went(world)


@pytest.mark.parametrize("number", [pytest.param(number, id=f"seed-{SEED}-{number}") for number in range(2)])
def test_kills_at_any_moment(world: World, number: int) -> None:
    """Two kills while it buys and one while it deletes, wherever the seed puts them; KILL_SEED sets another."""
    chance = random.Random(f"{SEED}-{number}")
    buying, deleting = sorted(chance.sample(range(1, 14), 2)), [chance.randrange(1, 7)]
    live(world, *(tuple(after(count) for count in counts) for counts in (buying, deleting)))


def after(count: int) -> Moment:
    return Moment(f"{count} requests were made", lambda it: it.requests() >= count)
