"""The laws of conditions, for every status that `write` makes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Condition, EndpointHealth, GPUInstanceStatus, HealthStatus
from gpuinstance.api.words import (
    ConditionStatus,
    ConditionType,
    OperationPhase,
    OperationType,
    Outcome,
    OverallHealth,
    Phase,
)
from gpuinstance.core import operations
from gpuinstance.core.conditions import Verdict, Work, describe_health, write
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.snapshot import Snapshot
from tests.builders import NOW, InstanceBuilder, ago, blind_snapshot, instance, machine, operation, snapshot
from tests.laws import check

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN

READY = Verdict(Phase.READY, TRUE, Reason.READY, "it runs", outcome=Outcome.READY)
STARTING = Verdict(Phase.STARTING, FALSE, Reason.STARTING, "it is coming up", Work.GOING_ON)
STALE = Verdict(Phase.READY, UNKNOWN, Reason.STALE_OBSERVATION, "not seen for 5 min", Work.GOING_ON)
FAILED = Verdict(Phase.FAILED, FALSE, Reason.INSTANCE_FAILED, "it broke", Work.STUCK, Outcome.FAILED)
EXITED = Verdict(Phase.EXITED, FALSE, Reason.INSTANCE_EXITED, "it went down", Work.STUCK, Outcome.EXITED)
STOPPED = Verdict(Phase.STOPPED, FALSE, Reason.STOPPED, "it is down", outcome=Outcome.STOPPED)
SUSPENDED = Verdict(Phase.SUSPENDED, FALSE, Reason.SUSPENDED, "not touched", outcome=Outcome.SUSPENDED)
TERMINATED = Verdict(Phase.TERMINATED, FALSE, Reason.TERMINATING, "it is gone", Work.GOING_ON)

VERDICTS = (READY, STARTING, STALE, FAILED, EXITED, STOPPED, SUSPENDED, TERMINATED)
STARTED = operation(OperationType.START, OperationPhase.MONITORING, began=ago(minutes=2))
SITUATIONS = {
    "an object that nobody has seen": snapshot(instance()),
    "one that waits to be bought": snapshot(instance().seen()),
    "a purchase": snapshot(instance().creating(), machine(state=MachineState.CREATING)),
    "a ready machine": snapshot(instance().running(), machine()),
    "one that serves": snapshot(instance().serving(80, 8080), machine()),
    "one that is starting": snapshot(instance().with_machine().during(STARTED), machine()),
    "a machine that is down": snapshot(instance().stopped(), machine(state=MachineState.STOPPED)),
    "a lost machine": snapshot(instance().running()),
    "a suspended object": snapshot(instance().running().suspended(), machine()),
    "an edited object": snapshot(instance().running().edited(gpu_count=2), machine()),
    "a deleted object": snapshot(instance().running().deleting(), machine()),
    "a provider that is away": blind_snapshot(instance().running()),
}


def after(before: Snapshot, status: GPUInstanceStatus, *machines: Machine, later: timedelta = timedelta()) -> Snapshot:
    """Return the next look at the same object, once this status has been saved."""
    return snapshot(before.instance.model_copy(update={"status": status}), *machines, at=before.now + later)


def condition(status: GPUInstanceStatus, kind: ConditionType) -> Condition:
    found = status.condition(kind)
    assert found is not None
    return found


@pytest.mark.parametrize("before", SITUATIONS.values(), ids=SITUATIONS)
@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda verdict: verdict.reason)
def test_every_verdict_obeys_the_laws_in_every_situation(before: Snapshot, verdict: Verdict) -> None:
    """Whatever was true before, and again when the same is found out once more: then nothing is written."""
    changes = operations.end(before) if verdict.outcome is Outcome.READY else {}
    written = check(write(before, verdict, **changes), generation=before.generation)
    assert (written.phase, written.outcome) == (verdict.phase, verdict.outcome)
    ready = condition(written, ConditionType.READY)
    assert (ready.status, ready.reason, ready.message) == (verdict.ready, verdict.reason, verdict.message)
    again = replace(before, instance=before.instance.model_copy(update={"status": written}))
    assert write(replace(again, now=NOW + timedelta(hours=1)), verdict) is written


@pytest.mark.parametrize(
    ("work", "shown"), [(Work.GOING_ON, "Reconciling"), (Work.STUCK, "Stalled"), (Work.NONE, None)]
)
def test_work_shows_as_one_condition_or_none(work: Work, shown: str | None) -> None:
    """Present only while True, with the words of Ready, so that each reader finds them."""
    outcome = None if work is Work.GOING_ON else Outcome.FAILED
    written = write(snapshot(instance().seen()), replace(FAILED, work=work, outcome=outcome))
    found = {kind for kind in ("Reconciling", "Stalled") if written.condition(kind)}
    assert found == ({shown} - {None})
    if shown is not None:
        told = written.condition(shown)
        assert told is not None
        assert (told.status, told.reason, told.message) == (TRUE, FAILED.reason, FAILED.message)


@pytest.mark.parametrize(
    "contradiction",
    [{"work": Work.GOING_ON}, {"work": Work.STUCK}, {"ready": FALSE, "work": Work.GOING_ON}],
    ids=["ready and at work", "ready and stuck", "settled and at work"],
)
def test_a_verdict_that_contradicts_itself_cannot_be_made(contradiction: dict[str, Any]) -> None:
    """A rule that would break a law fails in the tests of that rule, not at a reader's."""
    with pytest.raises(ValueError, match=r"excludes work|is for settled"):
        replace(READY, **contradiction)


# ----------------------------------------------------------------------------------------------- transition times

TRANSITIONS: dict[str, tuple[Verdict, Verdict, ConditionType, bool]] = {
    "Ready stays False for another reason": (STARTING, FAILED, ConditionType.READY, False),
    "Ready becomes True": (STARTING, READY, ConditionType.READY, True),
    "Ready becomes Unknown": (READY, STALE, ConditionType.READY, True),
    "Ready is no longer Unknown but False": (STALE, STARTING, ConditionType.READY, True),
    "work goes on in other words": (STARTING, TERMINATED, ConditionType.RECONCILING, False),
    "work begins": (READY, STARTING, ConditionType.RECONCILING, True),
    "it is stuck in another way": (FAILED, EXITED, ConditionType.STALLED, False),
    "it stops being worked on and is stuck": (STARTING, FAILED, ConditionType.STALLED, True),
    "Synced stays False": (STARTING, FAILED, ConditionType.SYNCED, False),
    "Synced becomes True": (STARTING, STOPPED, ConditionType.SYNCED, True),
}


@pytest.mark.parametrize(("first", "second", "kind", "moved"), TRANSITIONS.values(), ids=TRANSITIONS)
def test_the_transition_time_tells_since_when(
    first: Verdict, second: Verdict, kind: ConditionType, *, moved: bool
) -> None:
    """It moves when the condition's status changes or the condition appears, and at no other change."""
    start = snapshot(instance(), machine())
    later = after(start, write(start, first), machine(), later=timedelta(minutes=7))
    changed = condition(write(later, second), kind)
    assert changed.last_transition_time == (later.now if moved else NOW)


def test_a_condition_that_comes_back_is_new() -> None:
    """Absent in between, it has not been True all the time."""
    look = snapshot(instance().with_machine(), machine())
    for verdict in (STARTING, READY, STARTING):
        look = after(look, write(look, verdict), machine(), later=timedelta(minutes=1))
    assert condition(look.status, ConditionType.RECONCILING).last_transition_time == NOW + timedelta(minutes=2)


# -------------------------------------------------------------------------------------------------- nothing new

CREATING = Verdict(Phase.CREATED, FALSE, Reason.CREATING, "being placed", Work.GOING_ON)
PULLING = machine(state=MachineState.CREATING, word="pulling")

PULLED = replace(CREATING, message="the image is there")
LOOKS: dict[str, tuple[dict[str, Any], Verdict, int, dict[str, Any], bool]] = {
    "nothing changed": ({}, CREATING, 5, {}, False),
    "nothing changed for hours": ({}, CREATING, 9999, {}, False),
    "the provider's word changed soon after the start": ({"word": "up"}, CREATING, 30, {}, False),
    "the word changed later: somebody may be waiting": ({"word": "up"}, CREATING, 31, {}, True),
    "the region became known soon after the start: it can wait": ({"region": "us-ca-6"}, CREATING, 5, {}, False),
    "something else changed as well": ({"word": "up"}, PULLED, 5, {}, True),
    "the operation ended": ({"word": "up"}, CREATING, 5, {"operation": None}, True),
    "a field that a rule sets": ({}, CREATING, 5, {"attempts": 2}, True),
}


@pytest.mark.parametrize(("shown", "verdict", "seconds", "changes", "told"), LOOKS.values(), ids=LOOKS)
def test_what_tells_nothing_new_is_not_written(
    shown: dict[str, Any], verdict: Verdict, seconds: int, changes: dict[str, Any], *, told: bool
) -> None:
    """The old status itself comes back; most machines come up through several words within seconds."""
    first = snapshot(instance().creating(answered=True), PULLING)
    saved = write(first, CREATING)
    now = replace(PULLING, **shown)
    written = write(after(first, saved, now, later=timedelta(seconds=seconds)), verdict, **changes)
    assert (written is not saved) is told
    assert written.instance is not None
    assert written.instance.state == (now.word if told else PULLING.word)
    check(written, generation=1)


def test_a_new_generation_is_always_told() -> None:
    """Readers wait for `observedGeneration`, also when nothing else follows from an edit."""
    of = instance().running()
    saved = write(snapshot(of, machine()), READY)
    edited = of.edited(regions=["us-ca-6"]).build().model_copy(update={"status": saved})
    written = check(write(snapshot(edited, machine()), READY), generation=2)
    assert written is not saved


# ----------------------------------------------------------------------------------------------------- moments

LONG_AGO, SOON = ago(hours=2), NOW + timedelta(minutes=3)
FAILED_BEFORE = instance().with_machine().with_status(outcome=Outcome.FAILED, failed_at=LONG_AGO)
GONE_BEFORE = instance().running().with_status(terminated_at=LONG_AGO)
EXPECTED = instance().with_machine().with_status(estimated_ready_at=SOON)

MOMENTS: dict[str, tuple[InstanceBuilder, Verdict, str, datetime | None]] = {
    "it becomes ready": (instance().with_machine(), READY, "ready_at", NOW),
    "it stays ready": (instance().running(), READY, "ready_at", ago(minutes=50)),
    "it is no longer ready: when it last was is kept": (instance().running(), STARTING, "ready_at", ago(minutes=50)),
    "it fails": (instance().with_machine(), FAILED, "failed_at", NOW),
    "it has failed before": (FAILED_BEFORE, FAILED, "failed_at", LONG_AGO),
    "it was stopped": (instance().running(), STOPPED, "stopped_at", NOW),
    "it went down by itself": (instance().running(), EXITED, "stopped_at", NOW),
    "it stays down": (instance().stopped().with_status(stopped_at=LONG_AGO), STOPPED, "stopped_at", LONG_AGO),
    "nothing was ever bought, so nothing went down": (instance().seen(), STOPPED, "stopped_at", None),
    "it is gone": (instance().running(), TERMINATED, "terminated_at", NOW),
    "it is still gone": (GONE_BEFORE, TERMINATED, "terminated_at", LONG_AGO),
    "without an operation nothing is expected": (EXPECTED, STARTING, "estimated_ready_at", None),
    "with one it is": (EXPECTED.during(STARTED), STARTING, "estimated_ready_at", SOON),
}


@pytest.mark.parametrize(("of", "verdict", "moment", "expected"), MOMENTS.values(), ids=MOMENTS)
def test_timestamps_tell_when_a_state_was_entered(
    of: InstanceBuilder, verdict: Verdict, moment: str, expected: datetime | None
) -> None:
    """Once at the beginning, and not moved while it lasts."""
    assert getattr(write(snapshot(of, machine()), verdict), moment) == expected


# ---------------------------------------------------------------------------------------------- what is carried in


def test_what_is_bought_is_not_overwritten_by_what_is_shown() -> None:
    """Only the provider's word follows the listing; the rest is filled where it was empty."""
    of = instance().running().with_status(instance={"id": "m-1", "name": "n", "product_name": "RTX 4090"})
    shown = machine(word="busy", product_name="something else", product_id="4090.a", region="us-ca-6")
    found = write(snapshot(of, shown), READY).instance
    assert found is not None
    assert (found.state, found.product_name, found.product_id, found.region) == (
        "busy",
        "RTX 4090",
        "4090.a",
        "us-ca-6",
    )
    assert found.name == "n"


def test_another_machine_is_not_shown_as_the_recorded_one() -> None:
    """What is not listed keeps the last known word."""
    found = write(snapshot(instance().running(), machine("m-9", word="strange")), FAILED).instance
    assert found is not None
    assert (found.id, found.state) == ("m-1", "running")


ALL_ANSWER = HealthStatus(overall=OverallHealth.HEALTHY)
SOME_ANSWER = HealthStatus(overall=OverallHealth.PARTIAL, endpoints=[EndpointHealth(port=80, healthy=False)])
HEALTH: dict[str, tuple[Verdict, HealthStatus | None, ConditionStatus, Reason]] = {
    "ready, and nothing to check": (READY, None, TRUE, Reason.HEALTHY),
    "not up, so not checked": (STARTING, None, UNKNOWN, Reason.NOT_CHECKED),
    "every endpoint answers": (STARTING, ALL_ANSWER, TRUE, Reason.HEALTHY),
    "enough of them answer": (READY, SOME_ANSWER, TRUE, Reason.HEALTHY),
    "too few answer": (STARTING, SOME_ANSWER, FALSE, Reason.HEALTH_CHECK_FAILED),
}


@pytest.mark.parametrize(("verdict", "found", "status", "reason"), HEALTH.values(), ids=HEALTH)
def test_healthy_tells_what_the_checks_found(
    verdict: Verdict, found: HealthStatus | None, status: ConditionStatus, reason: Reason
) -> None:
    """Unknown until something has been checked."""
    written = write(snapshot(instance().with_machine(), machine()), verdict, health_check=found)
    healthy = condition(written, ConditionType.HEALTHY)
    assert (healthy.status, healthy.reason) == (status, reason)


def test_health_is_described_by_what_is_wrong() -> None:
    """The message, else the category, else that it is unhealthy; healthy endpoints are left out."""
    sick = [
        EndpointHealth(port=80, healthy=False, message="HTTP 502", error_type="badGateway"),
        EndpointHealth(port=81, healthy=False, error_type="timeout"),
        EndpointHealth(port=82, healthy=False),
        EndpointHealth(port=83, healthy=True),
    ]
    found = HealthStatus(overall=OverallHealth.PARTIAL, endpoints=sick)
    assert describe_health(found) == "port 80: HTTP 502; port 81: timeout; port 82: unhealthy"


def test_the_provider_being_away_shows_in_synced() -> None:
    """Also where what has settled is kept as it is."""
    synced = condition(write(blind_snapshot(instance().running()), READY), ConditionType.SYNCED)
    assert (synced.status, synced.reason) == (FALSE, Reason.PROVIDER_UNAVAILABLE)


def test_suspension_shows_in_paused() -> None:
    """Whatever else is true, and only while `spec.suspend` is."""
    assert write(snapshot(instance().running().suspended(), machine()), READY).condition("Paused") is not None
    assert write(snapshot(instance().running(), machine()), READY).condition("Paused") is None
