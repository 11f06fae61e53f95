"""The one operation in flight: how it begins, is refused, times out and ends."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Operation
from gpuinstance.api.words import ErrorCategory, OperationPhase, OperationType
from gpuinstance.core import operations
from tests.builders import NOW, ago, instance, machine, operation, snapshot

INITIATED, MONITORING, FAILED = OperationPhase.INITIATED, OperationPhase.MONITORING, OperationPhase.FAILED
TIMEOUTS = {"create": "40m", "start": "20m", "stop": "7m", "delete": "3m"}

START = operation(OperationType.START, MONITORING, began=ago(minutes=5), lasts=timedelta(minutes=9), failures=2)


def test_an_intent_holds_all_that_a_restarted_operator_needs() -> None:
    """What is done, for which generation and token, since when and until when, and how the machine was before."""
    of = instance().running().edited(gpu_count=1)
    begun = operations.begin(snapshot(of, machine(started_at=ago(hours=3))), OperationType.RESTART, token="a")
    assert (begun.type, begun.phase, begun.attempt, begun.failures) == (OperationType.RESTART, INITIATED, 1, 0)
    assert (begun.generation, begun.token) == (2, "a")
    assert (begun.started_at, begun.phases.initiated_at) == (NOW, NOW)
    assert begun.deadline == NOW + timedelta(minutes=15)
    assert begun.machine_started_at == ago(hours=3)
    assert (begun.error, begun.retry_at) == (None, None)


ALLOWED = {
    OperationType.CREATE: 40,
    OperationType.START: 20,
    OperationType.STOP: 7,
    OperationType.RESTART: 20,
    OperationType.RECREATE: 43,
    OperationType.CHANGE: 20,
    OperationType.DELETE: 3,
    OperationType.REBUILD: 40,
    OperationType.REINSTALL: 40,
    OperationType.REGENERATE_NETWORKING: 40,
}


@pytest.mark.parametrize("kind", OperationType)
def test_the_spec_says_how_long_an_operation_may_take(kind: OperationType) -> None:
    """A recreate is a removal and a purchase; a rebuild is as long as a purchase, a restart or a change as a start."""
    begun = operations.begin(snapshot(instance().with_spec(timeouts=TIMEOUTS).running(), machine()), kind)
    assert begun.deadline == NOW + timedelta(minutes=ALLOWED[kind])


AGAIN: dict[str, tuple[Operation | None, OperationType, dict[str, Any]]] = {
    "nothing was in flight": (None, OperationType.START, {"attempt": 1, "failures": 0, "deadline": 15}),
    "another kind was": (START, OperationType.STOP, {"attempt": 1, "failures": 0, "deadline": 10}),
    "the same kind, of another generation: a changed spec starts anew": (
        START.model_copy(update={"generation": 7}),
        OperationType.START,
        {"attempt": 1, "failures": 0, "deadline": 15},
    ),
    "the same call without any effect is sent again: no time of its own": (
        START,
        OperationType.START,
        {"attempt": 2, "failures": 2, "deadline": 4},
    ),
    "the same after it has failed: new time, and refusals are counted on": (
        START.model_copy(update={"phase": FAILED, "attempt": 4}),
        OperationType.START,
        {"attempt": 5, "failures": 2, "deadline": 15},
    ),
    "a purchase after a refused one: its number is that of the machine's name": (
        operation(OperationType.CREATE, FAILED, attempt=6, failures=3, began=ago(minutes=5)),
        OperationType.CREATE,
        {"attempt": 9, "failures": 3, "deadline": 30},
    ),
    "a purchase after one that never arrived: it has all its time": (
        operation(OperationType.CREATE, INITIATED, attempt=6, began=ago(minutes=5)),
        OperationType.CREATE,
        {"attempt": 9, "failures": 0, "deadline": 30},
    ),
    "a recreate, numbered like a purchase": (None, OperationType.RECREATE, {"attempt": 9, "deadline": 40}),
}


@pytest.mark.parametrize(("before", "kind", "expected"), AGAIN.values(), ids=AGAIN)
def test_what_went_before_is_counted_on(
    before: Operation | None, kind: OperationType, expected: dict[str, Any]
) -> None:
    """Attempts and refusals of the same operation add up; `deadline` is in minutes from now."""
    of = instance().running() if before is None else instance().with_machine().during(before)
    begun = operations.begin(snapshot(of, machine()), kind, attempt=9)
    shown = {name: getattr(begun, name) for name in expected}
    assert shown == expected | {"deadline": NOW + timedelta(minutes=expected["deadline"])}


def test_a_further_token_asks_for_something_new() -> None:
    """It has all its time, although the restart before it is still under way."""
    before = operation(OperationType.RESTART, MONITORING, began=ago(minutes=5), token="a")
    look = snapshot(instance().with_machine().during(before), machine())
    assert operations.begin(look, OperationType.RESTART, token="b").deadline == NOW + timedelta(minutes=15)
    assert operations.begin(look, OperationType.RESTART, token="a").deadline == before.deadline


@pytest.mark.parametrize(("token", "expected"), [(f"{operations.RECOVERY}1", True), ("recovery", False), (None, False)])
def test_what_the_operator_asked_for_itself_is_told_by_the_token(token: str | None, *, expected: bool) -> None:
    """Its own tokens begin with a word and a slash."""
    assert operations.is_recovery(operation(OperationType.RESTART, token=token)) is expected


def test_two_operations_of_one_object_never_share_an_id() -> None:
    """Not even when the second begins within the same second: an answer is matched by it."""
    first = operations.begin(snapshot(instance().with_machine(), machine()), OperationType.START)
    second = operations.begin(snapshot(instance().with_machine().during(first), machine()), OperationType.START)
    assert first.id != second.id


PAUSES: dict[str, tuple[int, dict[str, Any], timedelta]] = {
    "the first refusal": (0, {}, timedelta(seconds=15)),
    "the second": (1, {}, timedelta(seconds=30)),
    "the third": (2, {}, timedelta(minutes=1)),
    "the sixth": (5, {}, timedelta(minutes=8)),
    "the seventh: as slow as it gets": (6, {}, timedelta(minutes=10)),
    "after years": (10**9, {}, timedelta(minutes=10)),
    "only a person helps": (0, {"needs_person": True}, timedelta(minutes=10)),
    "the provider asks for more time": (0, {"retry_after": timedelta(seconds=90)}, timedelta(seconds=90)),
    "even for more than the slowest": (9, {"retry_after": timedelta(hours=1)}, timedelta(hours=1)),
    "the provider would take it back sooner": (2, {"retry_after": timedelta(seconds=1)}, timedelta(minutes=1)),
}


@pytest.mark.parametrize(("failures", "answer", "pause"), PAUSES.values(), ids=PAUSES)
def test_refusals_are_tried_again_ever_more_slowly(failures: int, answer: dict[str, Any], pause: timedelta) -> None:
    """Doubling from 15 seconds to 10 minutes, and never before the provider's own time."""
    before = START.model_copy(update={"failures": failures})
    answered: dict[str, Any] = {"reason": Reason.RATE_LIMITED, "message": "slow down", "needs_person": False} | answer
    refused = operations.refuse(before, snapshot(instance()), **answered)
    assert refused.retry_at == NOW + pause
    assert refused.failures == failures + 1
    assert (refused.phase, refused.phases.failed_at) == (FAILED, NOW)
    assert refused.error is not None
    assert (refused.error.code, refused.error.message) == (Reason.RATE_LIMITED, "slow down")
    assert refused.error.retryable is not answered["needs_person"]
    wanted = ErrorCategory.NEEDS_PERSON if answered["needs_person"] else ErrorCategory.RETRYABLE
    assert refused.error.category is wanted


def test_a_call_without_an_answer_stays_open() -> None:
    """It is noted, but it has not failed and is not tried again: looking decides."""
    before = operation(OperationType.CREATE)
    noted = operations.leave_unknown(before, message="connection lost")
    assert noted.error is not None
    assert (noted.error.category, noted.error.code) == (ErrorCategory.UNKNOWN_OUTCOME, Reason.UNKNOWN_OUTCOME)
    assert not noted.error.retryable
    assert noted.model_copy(update={"error": None}) == before


def test_what_is_revoked_is_decided_anew_at_once() -> None:
    """The machine had moved on before the call: no refusal is counted, and nothing is waited for."""
    revoked = operations.revoke(START, snapshot(instance()), message="it is stopped already")
    assert (revoked.phase, revoked.phases.failed_at, revoked.retry_at) == (FAILED, NOW, NOW)
    assert revoked.failures == START.failures
    assert revoked.error is not None
    assert (revoked.error.message, revoked.error.retryable) == ("it is stopped already", True)


def test_a_timed_out_operation_has_failed_and_waits_long() -> None:
    """A person is asked; it is no refusal, so that none is counted."""
    late = operations.time_out(START, snapshot(instance()), reason=Reason.START_TIMED_OUT, message="still pulling")
    assert (late.phase, late.phases.failed_at) == (FAILED, NOW)
    assert late.retry_at == NOW + timedelta(minutes=10)
    assert late.failures == START.failures
    assert late.error is not None
    assert (late.error.code, late.error.category) == (Reason.START_TIMED_OUT, ErrorCategory.NEEDS_PERSON)


def test_a_phase_is_reached_once() -> None:
    """The moment of each phase is the first; what was reached before stays noted."""
    begun = operation(OperationType.CREATE, began=ago(minutes=2))
    accepted = operations.reach(begun, MONITORING, snapshot(instance(), at=ago(minutes=1)))
    assert accepted.phases.monitoring_at == ago(minutes=1)
    assert operations.reach(accepted, MONITORING, snapshot(instance())) is accepted
    checking = operations.reach(accepted, OperationPhase.HEALTH_CHECKING, snapshot(instance()))
    assert {name: moment for name, moment in checking.phases if moment} == {
        "initiated_at": ago(minutes=2),
        "monitoring_at": ago(minutes=1),
        "health_checking_at": NOW,
    }


def test_an_operation_that_ends_well_is_kept_as_the_last() -> None:
    """Without the troubles on its way; and where nothing is in flight, nothing ends."""
    troubled = operations.refuse(
        START, snapshot(instance()), reason=Reason.RATE_LIMITED, message="", needs_person=False
    )
    ended = operations.end(snapshot(instance().with_machine().during(troubled), machine()))
    assert ended["operation"] is None
    last = ended["last_operation"]
    assert (last.id, last.phase, last.phases.completed_at) == (START.id, OperationPhase.COMPLETED, NOW)
    assert (last.error, last.retry_at) == (None, None)
    assert operations.end(snapshot(instance().running(), machine())) == {}


STARTS: dict[str, tuple[datetime | None, datetime | None, bool]] = {
    "it came up later than before": (ago(minutes=5), ago(minutes=1), True),
    "it is as it was": (ago(minutes=5), ago(minutes=5), False),
    "it is as it was: a status keeps whole seconds": (
        ago(minutes=5),
        ago(minutes=5) + timedelta(milliseconds=700),
        False,
    ),
    "an older picture": (ago(minutes=5), ago(minutes=9), False),
    "it had never come up before": (None, ago(minutes=1), True),
    "it has still never come up": (None, None, False),
    "it no longer says": (ago(minutes=5), None, False),
}


@pytest.mark.parametrize(("before", "now", "expected"), STARTS.values(), ids=STARTS)
def test_a_restart_is_proved_by_the_machines_own_time(
    before: datetime | None, now: datetime | None, *, expected: bool
) -> None:
    """The provider's times are compared with each other, never with our clock."""
    running = operation(OperationType.RESTART, machine_started_at=before)
    assert operations.has_restarted(running, machine(started_at=now)) is expected


SIGHTS: dict[str, tuple[int, int, int, bool, bool]] = {
    "listed before the call": (50, 50, 55, False, False),
    "listed after it, but a listing may lag by a minute": (90, 90, 31, False, False),
    "listed so late that the effect shows, or never will": (90, 90, 30, False, True),
    "the call took long: the minute counts from its answer": (90, 60, 30, False, False),
    "the machine itself came up since": (10, 10, 5, True, True),
}


@pytest.mark.parametrize(("began", "accepted", "listed", "came_up", "expected"), SIGHTS.values(), ids=SIGHTS)
def test_an_effect_shows_in_a_picture_that_is_young_enough(
    began: int, accepted: int, listed: int, *, came_up: bool, expected: bool
) -> None:
    """The numbers are seconds ago."""
    restart = operation(OperationType.RESTART, began=ago(seconds=began), machine_started_at=ago(hours=1))
    restart = operations.reach(restart, MONITORING, snapshot(instance(), at=ago(seconds=accepted)))
    shown = machine(started_at=ago(seconds=7) if came_up else ago(hours=1))
    assert operations.is_shown(restart, shown, snapshot(instance(), listed_at=ago(seconds=listed))) is expected


@pytest.mark.parametrize("kind", OperationType)
def test_only_what_ends_in_ready_has_an_expected_end(kind: OperationType) -> None:
    """Nobody waits for Ready after a stop or a delete."""
    expected = operations.estimated_end(snapshot(instance()), operation(kind))["estimated_ready_at"]
    if kind in {OperationType.STOP, OperationType.DELETE}:
        assert expected is None
    else:
        assert expected > NOW
