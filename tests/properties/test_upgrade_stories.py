"""Stories of upgrades with a name: the moments in which money is lost elsewhere, each told once.

Where `test_upgrade_interleavings` lets Hypothesis invent troubles, these are the ones worth knowing by heart; most
of them were found there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.api.upgrade_words import UpgradeOutcome
from gpuinstance.api.v1alpha1 import KIND
from tests.properties.upgrades.rental import Actor, Habits
from tests.properties.upgrades.world import INSTANCE, World
from tests.properties.world.fate import Kind, Trouble

HAND_MADE = ["create", "order", "apply", "confirm"]
"""What an undisturbed upgrade asks of the provider, the instance's purchase before it."""


@pytest.fixture
def world() -> Iterator[World]:
    """A server that is Ready, at a provider that lags a little, queues for long, and charges a second apply."""
    yield from a_world(Habits(listing_lag=5, look_lag=5, order_lag=5, queue=90, charges_again=True))


def a_world(habits: Habits) -> Iterator[World]:
    """A server that is Ready at a provider with these habits; nobody complains at the end."""
    world = World(habits)
    world.pass_time(120)
    yield world
    world.close()
    assert world.complaints == []


def begin(world: World, name: str = "bigger", plan: str = "5", **spec: Any) -> None:
    """Apply an upgrade, and wait until its invoice is known."""
    world.order_upgrade(name, plan, **spec)
    world.pass_time(150)


def pay(world: World, name: str = "bigger") -> None:
    """Pay its invoice, and tell the operator so."""
    assert world.pay(world.upgrade(name))
    world.say_paid(world.upgrade(name))


def end(world: World, name: str = "bigger") -> tuple[UpgradeOutcome | None, str]:
    """Let everything come to an end; return the upgrade's outcome and reason."""
    world.come_to_an_end()
    assert world.complaints == []
    ready = world.upgrade(name).status.condition("Ready")
    assert ready is not None
    return world.upgrade(name).status.outcome, ready.reason


DONE = (UpgradeOutcome.SUCCEEDED, Reason.COMPLETED)


def test_an_undisturbed_upgrade_costs_few_writes_and_one_call_each(world: World) -> None:
    """One order, one charge, one apply, one confirmation; a status write for each thing that was learned."""
    writes = world.cluster.status_writes
    begin(world)
    assert world.cluster.status_writes - writes <= 4
    pay(world)
    assert end(world) == DONE
    assert world.changes() == HAND_MADE
    assert world.cluster.status_writes - writes <= 23


def test_nothing_happens_before_payment(world: World) -> None:
    """Hours pass; the server stays as it is, and nothing is written."""
    begin(world, payment={"timeout": "9h"})
    writes = world.cluster.status_writes
    world.pass_time(8 * 3600)
    assert world.cluster.status_writes == writes
    assert world.changes() == ["create", "order"]


@pytest.mark.parametrize("kind", [Kind.CHANGE, Kind.WRITE])
@pytest.mark.parametrize("trouble", [Trouble.CRASH_BEFORE, Trouble.CRASH_AFTER])
@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize("step", ["order", "payment"])
def test_a_crash_at_any_boundary(world: World, kind: Kind, trouble: Trouble, after: int, step: str) -> None:
    """The process dies before or after an intent, a call or a record: once each, and as it was asked for."""
    if step == "order":
        world.fate.plan(kind, trouble, after=after)
    begin(world)
    if step == "payment":
        world.fate.plan(kind, trouble, after=after)
    pay(world)
    world.pass_time(700)
    assert end(world) == DONE
    assert world.changes() == HAND_MADE


@pytest.mark.parametrize("trouble", [Trouble.LOST_ANSWER, Trouble.LATE, Trouble.LOST_REQUEST])
def test_an_apply_without_an_answer_is_looked_after(world: World, trouble: Trouble) -> None:
    """A queued resize looks like one that never arrived, for longer than any lag: a second call would be charged."""
    begin(world)
    world.fate.plan(Kind.CHANGE, trouble, after=0)
    pay(world)
    assert end(world) == DONE
    assert world.changes() == HAND_MADE


def test_an_apply_whose_order_is_hidden_is_not_repeated() -> None:
    """The provider forgets paid orders: whether the call arrived cannot be known, and a second could cost again."""
    [world] = worlds(Habits(forgets_paid=True, charges_again=True))
    begin(world)
    world.fate.plan(Kind.CHANGE, Trouble.LOST_REQUEST, after=0)
    pay(world)
    world.pass_time(700)
    assert end(world) == (UpgradeOutcome.FAILED, Reason.UNKNOWN_OUTCOME)
    assert world.changes() == ["create", "order"]
    world.close()


def worlds(*habits: Habits) -> list[World]:
    """Return worlds of servers that are Ready; whoever asks closes them."""
    found = [World(it) for it in habits]
    for world in found:
        world.pass_time(120)
    return found


@pytest.mark.parametrize("trouble", [Trouble.LOST_ANSWER, Trouble.LATE, Trouble.LOST_REQUEST])
def test_an_order_without_an_answer_is_looked_for(trouble: Trouble) -> None:
    """Also where the provider would take a second order beside the first."""
    [world] = worlds(Habits(order_lag=25, takes_many_orders=True))
    world.fate.plan(Kind.CHANGE, trouble, after=0)
    begin(world)
    pay(world)
    assert end(world) == DONE
    assert world.changes() == HAND_MADE
    world.close()


def test_an_upgrade_that_is_deleted_with_its_order_on_the_way_makes_the_next_one_wait() -> None:
    """The next upgrade must not order beside it, nor take its order for its own."""
    [world] = worlds(Habits(order_lag=25, takes_many_orders=True))
    world.fate.plan(Kind.CHANGE, Trouble.LATE, after=0)
    world.order_upgrade("hasty", "5")
    world.order_upgrade("patient", "5")
    world.pass_time(3)
    world.delete(UPGRADE_KIND, "hasty")
    world.pass_time(200)
    assert [it.metadata.name for it in world.cluster.upgrades()] == ["patient"]
    ready = world.upgrade("patient").status.condition("Ready")
    assert ready is not None
    assert ready.reason == Reason.FOREIGN_UPGRADE_ORDER
    assert end(world, "patient") == DONE
    world.close()


def test_two_upgrades_at_once_follow_each_other(world: World) -> None:
    """The older one first; the other waits in the queue, and goes on from what the first has made."""
    world.order_upgrade("big", "5")
    begin(world, "huge", "7")
    ready = world.upgrade("huge").status.condition("Ready")
    assert ready is not None
    assert ready.reason == Reason.QUEUED
    pay(world, "big")
    assert end(world, "huge") == DONE
    assert world.upgrade("big").status.outcome is UpgradeOutcome.SUCCEEDED
    assert world.changes() == [*HAND_MADE, "order", "apply", "confirm"]
    assert [server.plan.id for server in world.rental.living()] == ["7"]


def test_a_queued_upgrade_is_cancelled_at_once(world: World) -> None:
    """Whoever waits behind somebody else need not wait for that."""
    world.order_upgrade("big", "5")
    begin(world, "huge", "7")
    world.edit_upgrade("huge", cancel=True)
    world.pass_time(2)
    assert world.upgrade("huge").status.outcome is UpgradeOutcome.CANCELLED


def test_a_stop_while_the_machine_is_resized_comes_afterwards(world: World) -> None:
    """The instance yields while its machine is held, and is stopped once the upgrade has ended."""
    begin(world)
    pay(world)
    world.pass_time(15)
    world.edit_instance(powerState="Stopped")
    assert end(world) == DONE
    assert world.changes() == [*HAND_MADE, "stop"]


def test_a_stop_before_the_payment_makes_the_upgrade_wait(world: World) -> None:
    """Paid while the machine is down: somebody is asked to start it, does so in the portal, and then it is applied."""
    begin(world)
    world.edit_instance(powerState="Stopped")
    world.pass_time(60)
    pay(world)
    world.pass_time(60)
    ready = world.upgrade("bigger").status.condition("Ready")
    assert ready is not None
    assert ready.reason == Reason.INSTANCE_NOT_RUNNING
    assert end(world) == DONE
    assert world.changes() == ["create", "order", "stop", "apply", "confirm"]


def test_somebody_elses_resize_is_not_confirmed() -> None:
    """Our sizes were taken back and the machine resized by another order between two looks."""
    [world] = worlds(Habits(queue=0, work=1))
    begin(world, confirmation="Manual")
    pay(world)
    world.pass_time(60)
    world.meddle(lambda rental, server: rental.revert(server.id, Actor.PORTAL))
    world.pass_time(2)
    world.order_elsewhere("7")
    order = world.rental.orders[-1]
    world.rental.pay(order.invoice_id)
    world.meddle(lambda rental, server: rental.apply(server.id, Actor.PORTAL))
    world.edit_upgrade("bigger", confirm=True)
    outcome, _ = end(world)
    assert outcome is UpgradeOutcome.FAILED
    assert "confirm" not in world.changes()
    world.close()


def test_an_instance_that_goes_takes_its_upgrade_with_it(world: World) -> None:
    """Resizing or not: the upgrade has failed, in words, and nothing is left behind."""
    begin(world)
    pay(world)
    world.pass_time(15)
    world.delete(KIND, INSTANCE)
    assert end(world) == (UpgradeOutcome.FAILED, Reason.INSTANCE_DELETED)
    assert world.rental.living() == []


def test_a_sick_machine_gets_its_old_sizes_back(world: World) -> None:
    """Nothing answers with the new sizes: reverted after the time allowed, charged once, and no success."""
    begin(world)
    pay(world)
    world.is_sick = True
    world.pass_time(600)
    assert end(world) == (UpgradeOutcome.FAILED, Reason.REVERTED)
    assert world.changes() == ["create", "order", "apply", "revert"]
    assert [server.plan.id for server in world.rental.living()] == ["3"]


def test_a_finished_upgrade_goes_by_itself(world: World) -> None:
    """After `ttlAfterFinished`, finalizer and all."""
    begin(world, ttlAfterFinished="10m")
    world.edit_upgrade("bigger", cancel=True)
    world.come_to_rest()
    assert world.cluster.upgrades() == []
