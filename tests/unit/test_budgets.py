"""The budget of a namespace holds, however many decide at once, and whatever dies in between."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gpuinstance.kube import KubeError
from tests.unit.budget_world import PRICE, BudgetWorld

EXCEEDED = "NamespaceBudgetExceeded"


@pytest.mark.parametrize("seed", range(3))
async def test_a_hundred_at_once_share_a_budget_for_ten(seed: int) -> None:
    """Exactly ten are bought; ninety say why they are not, and nothing is ever spent beyond the limit."""
    world = BudgetWorld(limit="3.50", instances=100, seed=seed)
    await world.all_at_once()
    assert len(world.cloud.machines) == 10
    await world.all_at_once()
    await world.all_at_once()
    assert (len(world.cloud.machines), world.count(EXCEEDED), world.count("Ready")) == (10, 90, 10)
    assert world.cloud.most == Decimal("3.50")
    refused = next(key for key in world.keys if world.ready(key)[0] == EXCEEDED)
    assert "buying it would make 3.85 of at most 3.50 USD/h in namespace default" in world.ready(refused)[1]


async def test_a_hundred_decisions_cost_one_read() -> None:
    """The Namespace is read once for all, the objects are listed once in a process's life, and at rest neither."""
    world = BudgetWorld(limit="100", instances=100)
    await world.all_at_once()
    assert (world.cluster.reads, world.cluster.lists) == (1, 1)
    for _ in range(5):
        await world.all_at_once()
    assert world.count("Ready") == 100
    assert (world.cluster.reads, world.cluster.lists) == (1, 1)


@pytest.mark.parametrize("seed", range(6))
async def test_the_budget_holds_across_deaths_and_lost_answers(seed: int) -> None:
    """What a dead process may have bought counts before the next one has seen it; at last the budget is used up."""
    world = BudgetWorld(limit="3.50", instances=20, seed=seed)
    world.cloud.moods = ["well", "well", "lost", "taken", "sold out"]
    for _ in range(6):
        await world.killed_in_between()
        await world.all_at_once()
        assert world.cloud.most <= Decimal("3.50")
    world.cloud.moods = ["well"]
    for _ in range(15):
        await world.all_at_once()
    assert (len(world.cloud.machines), world.cloud.most) == (10, Decimal("3.50"))
    assert (world.count("Ready"), world.count(EXCEEDED)) == (10, 10)


async def test_what_the_watch_has_not_shown_yet_counts() -> None:
    """A new process knows one object of eleven, and still buys nothing for it."""
    world = BudgetWorld(limit="3.50", instances=11)
    for _ in range(3):
        await world.all_at_once()
    [left] = [key for key in world.keys if world.ready(key)[0] == EXCEEDED]
    world.start()
    await world.pass_over(left)
    assert len(world.cloud.machines) == 10
    assert world.ready(left)[0] == EXCEEDED


async def test_who_was_refused_is_woken_when_there_is_room() -> None:
    """Another one stops, or goes: nobody waits for the slow poll."""
    world = BudgetWorld(limit="0.70", instances=3)
    for _ in range(3):
        await world.all_at_once()
    [left] = [key for key in world.keys if world.ready(key)[0] == EXCEEDED]
    first, second = (key for key in world.keys if key != left)
    world.cluster.edit(first, powerState="Stopped")
    await world.all_at_once([first])
    assert world.woken == [], "it is still going down"
    await world.all_at_once([first])
    assert world.woken == [left]
    await world.all_at_once([left])
    await world.all_at_once([left])
    assert world.ready(left)[0] == "Ready"

    world.cluster.edit(first, powerState="Running")
    await world.all_at_once([first])
    message = "starting machine m-1 would make 1.05 of at most 0.70 USD/h"
    assert world.ready(first)[0] == EXCEEDED
    assert message.partition("m-1")[2] in world.ready(first)[1]
    world.woken.clear()
    del world.cluster.bodies[second]
    world.reconciler.forget(second)
    assert world.woken == [first]
    await world.all_at_once([first])
    assert len(world.cloud.running) == 3, "the orphan is nobody's instance; the started one fits beside the other"


async def test_starts_share_a_budget_as_purchases_do() -> None:
    """Ten stopped machines that are all to run again: as many as there is room for."""
    world = BudgetWorld(limit="3.50", instances=10)
    for _ in range(3):
        await world.all_at_once()
    for key in world.keys:
        world.cluster.edit(key, powerState="Stopped")
    for _ in range(3):
        await world.all_at_once()
    assert world.cloud.running == []
    world.cluster.limit = "1.05"
    for key in world.keys:
        world.cluster.edit(key, powerState="Running")
    for _ in range(4):
        await world.all_at_once()
    assert (len(world.cloud.running), world.count("Ready"), world.count(EXCEEDED)) == (3, 3, 7)


async def test_a_price_that_rose_counts_at_the_start() -> None:
    """What costs more now than it did may not fit any more."""
    world = BudgetWorld(limit="0.40", instances=1)
    [key] = world.keys
    for _ in range(3):
        await world.all_at_once()
    world.cluster.edit(key, powerState="Stopped")
    for _ in range(3):
        await world.all_at_once()
    world.cloud.price = Decimal("0.41")
    world.cluster.edit(key, powerState="Running")
    await world.all_at_once()
    assert (world.cloud.running, world.ready(key)[0]) == ([], EXCEEDED)
    world.cloud.price = Decimal("0.39")
    await world.all_at_once()
    assert world.cluster.bodies[key]["status"]["instance"]["hourlyPrice"] == "0.39"


async def test_a_lowered_budget_stops_nothing() -> None:
    """What runs goes on; nothing is added."""
    world = BudgetWorld(limit=str(PRICE * 2), instances=2)
    for _ in range(3):
        await world.all_at_once()
    world.cluster.limit = "0"
    world.keys.append(world.cluster.add("late", world.cluster.bodies[world.keys[0]]["spec"]))
    for _ in range(3):
        await world.all_at_once()
    assert (len(world.cloud.running), world.count("Ready"), world.count(EXCEEDED)) == (2, 2, 1)


async def test_a_raised_budget_is_seen_by_itself() -> None:
    """The annotation is read again when it is asked about again."""
    world = BudgetWorld(limit="0", instances=1)
    [key] = world.keys
    await world.all_at_once()
    assert world.ready(key)[0] == EXCEEDED
    world.cluster.limit = None
    for _ in range(3):
        await world.all_at_once()
    assert world.ready(key)[0] == "Ready"


async def test_a_namespace_that_may_not_be_read_allows_nothing() -> None:
    """A guard that is switched off by a missing right would be none; the message names both ways out."""
    world = BudgetWorld(limit=None, instances=1)
    [key] = world.keys
    world.cluster.is_forbidden = True
    await world.all_at_once()
    reason, message = world.ready(key)
    assert (reason, world.cloud.machines) == ("NamespaceBudgetUnknown", {})
    assert "grant the operator `get` on it, or set GPUINSTANCE_NAMESPACE_BUDGETS to false" in message


async def test_a_namespace_that_is_gone_allows_nothing() -> None:
    """Its instances go as well; nothing is bought for them meanwhile."""
    world = BudgetWorld(limit=None, instances=1)
    [key] = world.keys
    world.cluster.is_gone = True
    await world.all_at_once()
    assert (world.ready(key)[0], world.cloud.machines) == ("NamespaceBudgetUnknown", {})


async def test_an_api_server_that_is_away_is_asked_again() -> None:
    """That is no answer: the pass ends, nothing is bought, and nothing is said about a budget."""
    world = BudgetWorld(limit="1", instances=1)
    [key] = world.keys
    read = world.cluster.get_namespace_annotations

    async def away(name: str) -> None:
        raise KubeError("away")

    world.cluster.get_namespace_annotations = away  # type: ignore[method-assign]  # for a while
    await world.all_at_once()
    assert (world.ready(key), world.cloud.machines) == (("", ""), {})
    world.cluster.get_namespace_annotations = read  # type: ignore[method-assign]  # it is back
    for _ in range(3):
        await world.all_at_once()
    assert world.ready(key)[0] == "Ready"


async def test_an_unreadable_limit_allows_nothing() -> None:
    """And says what is wrong with it."""
    world = BudgetWorld(limit="twelve", instances=1)
    [key] = world.keys
    await world.all_at_once()
    assert world.ready(key)[0] == "NamespaceBudgetUnknown"
    assert "is 'twelve', which is no price such as 12.50" in world.ready(key)[1]


async def test_an_adopted_machine_without_a_price_is_named() -> None:
    """Its owner has to say what it counts for, before anything else is bought beside it."""
    world = BudgetWorld(limit="9", instances=2)
    adopted, key = world.keys
    body = world.cluster.bodies[adopted]
    body["status"] |= {"phase": "Ready", "instance": {"id": "m-9", "name": "old"}}
    await world.all_at_once([key])
    assert "what job-0 costs is not known" in world.ready(key)[1]
    world.cluster.edit(adopted, billing={"maxHourlyPrice": 0.5})
    world.reconciler.see(adopted, body)
    for _ in range(2):
        await world.all_at_once([key])
    assert len(world.cloud.machines) == 1
