"""Running is not serving: what has to answer, how patiently it is asked, and what is said meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import OperationPhase, Outcome, Phase
from gpuinstance.core.decide import decide
from tests.builders import instance, snapshot
from tests.materials import NOW, machine, report
from tests.unit.core.life import FAST, coming_up, serving

# ------------------------------------------------------------------------------------------------- the gate


def test_the_way_from_running_to_ready() -> None:
    """HealthChecking, then Ready; the operation's phases and the moments follow, and each is written once."""
    life = coming_up(80, sick=(80,))
    life.look()
    checking = life.status
    assert (checking.phase, life.said, life.is_ready) == (Phase.HEALTH_CHECKING, Reason.HEALTH_CHECKING, False)
    assert checking.outcome is None
    assert checking.operation is not None
    assert checking.operation.phase is OperationPhase.HEALTH_CHECKING
    assert checking.operation.phases.running_at == checking.operation.phases.health_checking_at == NOW
    assert checking.started_at == NOW
    assert checking.health_check is not None
    assert (checking.health_check.started_at, checking.health_check.completed_at) == (NOW, None)

    life.watch(12, every=FAST)
    life.sick = frozenset()
    life.look(after=FAST)
    done, ended = life.status, life.now
    assert (done.phase, done.outcome, life.is_ready) == (Phase.READY, Outcome.READY, True)
    assert done.ready_at == ended
    assert done.started_at == NOW
    assert done.operation is None
    assert done.last_operation is not None
    assert done.last_operation.phase is OperationPhase.COMPLETED
    assert done.last_operation.phases.health_checking_at == NOW
    assert done.last_operation.phases.completed_at == ended
    assert done.health_check is not None
    assert (done.health_check.started_at, done.health_check.completed_at) == (NOW, ended)
    assert len(life.written) == 2, "while nothing is learned, nothing is written"


def test_a_fresh_application_is_given_a_moment() -> None:
    """Refused connections of the first half minute are not worth a word; after that the cause is shown."""
    life = coming_up(80, sick=(80,))
    life.watch(27, every=FAST)
    assert len(life.written) == 1
    assert "502" not in life.condition("Ready").message
    life.watch(9, every=FAST)
    assert life.said == Reason.HEALTH_CHECKING
    assert life.condition("Ready").message == life.condition("Healthy").message == "port 80: HTTP 502"
    assert life.status.health_check is not None
    [endpoint] = life.status.health_check.endpoints
    assert (endpoint.error_type, endpoint.status_code) == ("badGateway", 502)
    assert len(life.written) == 2


def test_after_the_time_allowed_it_has_failed_and_may_heal() -> None:
    """Failed with the endpoint's reason, looked at less often from then on; Ready as soon as it answers."""
    life = coming_up(80, sick=(80,), max_wait_seconds=60, interval_seconds=30)
    life.watch(57, every=FAST)
    assert life.status.outcome is None
    life.watch(6, every=FAST)
    failed = life.status
    assert (failed.phase, failed.outcome, life.said) == (Phase.FAILED, Outcome.FAILED, Reason.HEALTH_CHECK_FAILED)
    assert failed.failed_at is not None
    message = life.condition("Ready").message
    assert "within 1m of running" in message
    assert "port 80: HTTP 502" in message
    assert life.condition("Stalled").status == "True"
    assert life.condition("Synced").status == "True"

    rounds, writes = life.rounds, len(life.written)
    life.watch(300, every=FAST)
    assert 8 <= life.rounds - rounds <= 12
    assert len(life.written) == writes, "a failure that lasts is told once"

    life.sick = frozenset()
    life.watch(36, every=FAST)
    assert life.is_ready
    assert (life.status.outcome, life.status.ready_at is not None) == (Outcome.READY, True)


@pytest.mark.parametrize("threshold", [1, 2, 5])
def test_good_rounds_in_a_row_make_it_ready(threshold: int) -> None:
    """`successThreshold` of them, and a bad one in between starts the count anew."""
    life = coming_up(80, success_threshold=threshold)
    life.look()
    for _ in range(threshold - 1):
        life.look(after=FAST)
        assert not life.is_ready
    life.sick = frozenset({80})
    life.look(after=FAST)
    assert not life.is_ready
    life.sick = frozenset()
    for count in range(1, threshold):
        life.look(after=FAST)
        assert not life.is_ready
        assert f"{count} of {threshold}" in life.condition("Ready").message
        assert (life.status.health_check and life.status.health_check.consecutive_successes) == count
        writes = len(life.written)
        life.look()
        assert len(life.written) == writes, "looking again is no further round"
    life.look(after=FAST)
    assert life.is_ready


# ------------------------------------------------------------------------------------------------- once ready


def test_a_few_misses_are_forgiven() -> None:
    """Fewer than `failureThreshold` in a row keep Ready; what was wrong is shown, and a good round clears it."""
    life = serving(80, failure_threshold=3)
    for _ in range(2):
        life.sick = frozenset({80})
        for misses in (1, 2):
            life.look(after=33)
            assert life.is_ready
            assert life.condition("Healthy").status == "True"
            assert life.condition("Ready").message == f"{misses} of 3 failed rounds: port 80: HTTP 502"
            writes = len(life.written)
            life.look()
            assert len(life.written) == writes, "looking again is no further miss"
        life.sick = frozenset()
        life.look(after=33)
        assert life.status.health_check is not None
        assert life.status.health_check.consecutive_failures == 0
        assert life.condition("Ready").message == "machine m-1 runs and every required endpoint answers"


@pytest.mark.parametrize("threshold", [1, 3])
def test_misses_in_a_row_take_ready_back(threshold: int) -> None:
    """Reason and message name port and cause, for as long as it lasts; one good round heals."""
    life = serving(80, 8080, failure_threshold=threshold)
    life.sick = frozenset({8080})
    for _ in range(threshold):
        assert life.is_ready
        life.look(after=33)
    lost = life.now
    for _ in range(5):
        assert (life.said, life.is_ready) == (Reason.HEALTH_CHECK_FAILED, False)
        assert (life.status.phase, life.status.outcome) == (Phase.HEALTH_CHECKING, None)
        assert life.condition("Ready").message == "port 8080: HTTP 502"
        assert life.condition("Ready").last_transition_time == lost
        assert life.condition("Healthy").reason == Reason.HEALTH_CHECK_FAILED
        life.look(after=FAST)
    assert len(life.written) == threshold
    life.sick = frozenset()
    life.look(after=FAST)
    assert life.is_ready
    assert life.status.ready_at == life.now


def test_what_was_ready_gets_the_time_again_before_it_has_failed() -> None:
    """`maxWaitSeconds` counts from the moment at which Ready was lost, not from the machine's start long ago."""
    life = serving(80, failure_threshold=1, max_wait_seconds=60)
    life.sick = frozenset({80})
    life.look(after=33)
    life.watch(57, every=FAST)
    assert life.status.outcome is None
    life.watch(6, every=FAST)
    assert (life.said, life.status.outcome) == (Reason.HEALTH_CHECK_FAILED, Outcome.FAILED)


def test_an_outage_of_the_provider_does_not_use_up_the_patience() -> None:
    """Unknown for a while, then one bad round: the application may just be coming back with the network."""
    life = serving(80, max_wait_seconds=60)
    life.blind = True
    life.watch(400, every=10)
    assert life.condition("Ready").status == "Unknown"
    life.blind, life.sick = False, frozenset({80})
    life.look(after=10)
    assert (life.said, life.status.outcome) == (Reason.HEALTH_CHECK_FAILED, None)
    life.watch(57, every=FAST)
    assert life.status.outcome is None
    life.watch(6, every=FAST)
    assert life.status.outcome is Outcome.FAILED


def test_a_provider_outage_and_a_dead_application_are_told_apart() -> None:
    """The one shows in Synced and keeps Healthy, the other in Healthy and keeps Synced of what is ready."""
    away, dead = serving(80, failure_threshold=2), serving(80, failure_threshold=2)
    away.blind, dead.sick = True, frozenset({80})
    for life in (away, dead):
        life.look(after=33)
        assert life.is_ready
    assert [away.condition(kind).status for kind in ("Synced", "Healthy")] == ["False", "True"]
    assert away.condition("Synced").reason == Reason.PROVIDER_UNAVAILABLE
    dead.look(after=33)
    assert dead.said == dead.condition("Healthy").reason == Reason.HEALTH_CHECK_FAILED
    assert dead.condition("Synced").status == "True"


@pytest.mark.parametrize("interval", [30, 300, 3600])
def test_rounds_come_at_their_interval_and_cost_no_write(interval: int) -> None:
    """However often it is looked at: one round an interval, give or take a tenth, and silence in the status."""
    life = serving(80, interval_seconds=interval)
    life.watch(20 * interval, every=interval / 5)
    assert 18 <= life.rounds <= 24
    assert life.written == []


def test_the_next_look_is_due_when_the_next_round_is() -> None:
    """And not all at the same moment: each object has its own share of a fifth of the interval."""
    life = serving(80, interval_seconds=100)
    pause = life.look().requeue_after
    assert pause is not None
    assert timedelta(seconds=90) <= pause <= timedelta(seconds=110)
    other = life.instance.metadata.model_copy(update={"uid": "00000001-0c5e-4d6a-9b7e-1f2a3b4c5d6e"})
    seen = snapshot(life.instance, machine(), health=report(80))
    apart = decide(replace(seen, identity=type(seen.identity).of(other, mark="gpui"))).requeue_after
    assert apart != pause


def test_looks_in_between_put_no_round_off() -> None:
    """Each of them says what is left of the interval, so that rounds come as often as the spec says."""
    life = serving(80, interval_seconds=100)
    first = life.look().requeue_after
    later = life.look(after=60).requeue_after
    assert first is not None
    assert later == first - timedelta(seconds=60)
    life.sick = frozenset({80})
    failed = life.look(after=60).requeue_after
    assert failed == first, "a failed round, with others to follow before anything is made of it"
    assert life.look(after=40).requeue_after == first - timedelta(seconds=40)


def test_a_report_from_before_a_change_never_counts() -> None:
    """The addresses are forgotten with the change, and what answered there says nothing about the new ones."""
    for life in (serving(80), coming_up(80)):
        life.watch(6, every=FAST)
        assert life.is_ready
        life.edit(instance().serving(80).asking_restart("again"))
        life.look(after=FAST)
        assert len(life.actions) == 1
        assert life.status.health_check is None
        life.sick = frozenset({80})
        life.machines = (machine(started_at=life.now),)
        life.watch(30, every=FAST)
        assert not life.is_ready
        life.sick = frozenset()
        life.look(after=FAST)
        assert life.is_ready


def test_ready_is_dated_anew_only_when_it_comes_back() -> None:
    """Rounds and forgiven misses leave `readyAt` alone."""
    life = serving(80)
    since = life.status.ready_at
    life.watch(600, every=30)
    life.sick = frozenset({80})
    life.look(after=33)
    assert life.status.ready_at == since
