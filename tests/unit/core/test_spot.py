"""A spot machine may be taken back: that is said at once, while it is true, and told once."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.core.model import Machine, MachineState, SpotState
from tests.builders import instance
from tests.materials import ago, machine
from tests.unit.core.life import Life

STABLE = machine(spot=SpotState.STABLE)
NOTIFIED = machine(spot=SpotState.NOTIFIED)
RECLAIMING = machine(spot=SpotState.RECLAIMING, reclaimed_at=ago(seconds=5))
RECLAIMED = machine(state=MachineState.STOPPED, spot=SpotState.RECLAIMED, reclaimed_at=ago(seconds=5))
STOPPED = machine(state=MachineState.STOPPED)


def ready(**recovery: Any) -> Life:
    """Return a life of a spot instance that is Ready."""
    life = Life(instance().serving(80).with_spec(recovery=recovery).build(), (STABLE,))
    life.look()
    assert life.is_ready
    assert life.status.condition("SpotInterruption") is None
    return life


SHOWN: dict[str, tuple[Machine, Reason | None]] = {
    "nothing is planned": (STABLE, None),
    "the reclaim is announced": (NOTIFIED, Reason.SPOT_RECLAIM_NOTIFIED),
    "the reclaim is under way": (RECLAIMING, Reason.SPOT_RECLAIMING),
    "the machine was taken back": (RECLAIMED, Reason.SPOT_RECLAIMED),
    "it is down with a reclaim time, whatever its spot word": (
        machine(state=MachineState.STOPPED, reclaimed_at=ago(hours=1)),
        Reason.SPOT_RECLAIMED,
    ),
    "it went down by itself": (STOPPED, None),
    "it runs again, and still shows when it was taken back": (
        machine(spot=SpotState.STABLE, reclaimed_at=ago(hours=1)),
        None,
    ),
}


@pytest.mark.parametrize(("shown", "reason"), SHOWN.values(), ids=SHOWN)
def test_the_condition_says_what_the_provider_does(shown: Machine, reason: Reason | None) -> None:
    """True with a reason, or absent; never False."""
    life = ready()
    life.machines = (shown,)
    life.look(after=3)
    condition = life.status.condition("SpotInterruption")
    assert (condition and (condition.status, condition.reason)) == (reason and ("True", reason))


def test_an_announced_reclaim_keeps_ready() -> None:
    """The machine still serves: only the condition and one Event tell, at the very next look."""
    life = ready()
    life.machines = (NOTIFIED,)
    life.look(after=3)
    assert life.is_ready
    assert [(news.reason, news.warning) for news in life.told] == [(Reason.SPOT_RECLAIM_NOTIFIED, True)]
    assert "save what matters" in life.told[0].message
    life.watch(300, every=30)
    assert len(life.told) == 1


def test_an_announcement_that_is_taken_back_goes() -> None:
    """And a second one is told again."""
    life = ready()
    for shown in (NOTIFIED, STABLE, NOTIFIED):
        life.machines = (shown,)
        life.look(after=3)
        assert (life.status.condition("SpotInterruption") is not None) is (shown is NOTIFIED)
    assert [news.reason for news in life.told] == [Reason.SPOT_RECLAIM_NOTIFIED] * 2


def test_an_announcement_that_comes_with_ready_is_told() -> None:
    """Two things to tell at once: the one that would never be told later comes first."""
    life = ready()
    life.sick = frozenset({80})
    life.watch(120, every=33)
    assert not life.is_ready
    life.sick, life.machines = frozenset(), (NOTIFIED,)
    life.look(after=3)
    assert life.is_ready
    assert life.told[-1].reason == Reason.SPOT_RECLAIM_NOTIFIED


def test_an_outage_of_the_provider_takes_nothing_back() -> None:
    """While nobody can look, what was announced is still announced; afterwards it is not told again."""
    life = ready()
    life.machines = (NOTIFIED,)
    life.look(after=3)
    since = life.condition("SpotInterruption").last_transition_time
    for blind in (True, False):
        life.blind = blind
        life.look(after=10)
        condition = life.condition("SpotInterruption")
        assert (condition.reason, condition.last_transition_time) == (Reason.SPOT_RECLAIM_NOTIFIED, since)
    assert [news.reason for news in life.told] == [Reason.SPOT_RECLAIM_NOTIFIED]


ENDS: dict[str, tuple[str, list[Reason]]] = {
    "nothing is done": ("Never", [Reason.INSTANCE_EXITED]),
    "it is started again": ("Start", [Reason.SPOT_RECLAIMED]),
    "another is bought": ("Recreate", [Reason.SPOT_RECLAIMED]),
}


@pytest.mark.parametrize(("policy", "last"), ENDS.values(), ids=ENDS)
def test_a_reclaim_is_told_step_by_step(policy: str, last: list[Reason]) -> None:
    """Announced, begun, done: one Event each, whatever follows."""
    life = ready(on_spot_reclaim=policy)
    for shown in (NOTIFIED, RECLAIMING, RECLAIMED):
        life.machines = (shown,)
        life.watch(6, every=3)
    reasons = [reason for reason, _ in itertools.groupby(news.reason for news in life.told)]
    assert reasons == [Reason.SPOT_RECLAIM_NOTIFIED, Reason.SPOT_RECLAIMING, *last]
    assert "take" in life.told[-1].message
    assert life.condition("SpotInterruption").reason == Reason.SPOT_RECLAIMED


def test_a_machine_that_was_started_again_is_no_longer_interrupted() -> None:
    """After `onSpotReclaim: Start`, Ready comes back and the condition goes."""
    life = ready(on_spot_reclaim="Start")
    life.machines = (RECLAIMED,)
    life.look(after=3)
    assert len(life.actions) == 1
    life.machines = (machine(spot=SpotState.STABLE, started_at=life.now),)
    life.watch(12, every=3)
    assert life.is_ready
    assert life.status.condition("SpotInterruption") is None


def test_what_the_operator_does_by_itself_is_told() -> None:
    """Each attempt of recovery is an Event as it begins: it may cost data or money, and nobody asked for it."""
    life = ready(policy="Restart")
    life.machines = (STOPPED,)
    life.watch(6, every=3)
    assert [(news.reason, news.warning) for news in life.told] == [(Reason.RECOVERING, True)]
    assert "attempt 1" in life.told[0].message
    assert "starting machine m-1 again" in life.told[0].message
