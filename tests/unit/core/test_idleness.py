"""An idle machine: only what is known to be unused is stopped, and using it brings it up again."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import ConditionStatus, OperationType, Outcome, Phase, PowerState
from gpuinstance.core.decision import Restart, Start, Stop
from gpuinstance.core.expiry import last_used
from gpuinstance.core.model import MachineState
from gpuinstance.core.rules.expiry import notice_idleness
from gpuinstance.core.snapshot import Snapshot
from tests.builders import NOW, InstanceBuilder, ago, machine, operation, snapshot
from tests.unit.core.served import DOWN, aged, asked, used
from tests.unit.core.table import SILENT, Answer, judge, rows, waits


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-01-15T12:00:00Z", NOW),
        ("2027-01-15T14:00:00.75+02:00", NOW),
        ("2027-01-15T12:00:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_when_it_was_used_is_read_or_unknown(text: str, moment: datetime | None) -> None:
    """Only a moment with a zone says when; anything else says nothing."""
    assert last_used(used(aged(hours=1), text).build()) == moment


IDLE = used(aged(hours=9), ago(minutes=30))


@rows(
    ("nobody has used it for so long", snapshot(IDLE, machine()), waits(Reason.IDLE, phase=Phase.RUNNING)),
    ("somebody has", snapshot(used(aged(hours=9), ago(minutes=29)), machine()), SILENT),
    ("nobody says anything about its use", snapshot(used(aged(hours=9), None), machine()), SILENT),
    ("what is said cannot be read", snapshot(used(aged(hours=9), "often"), machine()), SILENT),
    ("it came up since", snapshot(IDLE.with_status(started_at=ago(minutes=29)), machine()), SILENT),
    ("nobody knows when it came up", snapshot(IDLE.with_status(started_at=None), machine()), SILENT),
    ("it is being changed", snapshot(IDLE.during(operation(OperationType.CHANGE)), machine()), SILENT),
    ("it is moving", snapshot(IDLE, machine(state=MachineState.STARTING)), SILENT),
    ("it is down", snapshot(IDLE, DOWN), SILENT),
    ("it should be down anyway", snapshot(IDLE.wanting(PowerState.STOPPED), machine()), SILENT),
    ("a token asks for a restart, which is use", snapshot(IDLE.asking_restart("now"), machine()), SILENT),
    ("the spec has just changed", snapshot(IDLE.edited(image="other:2"), machine()), SILENT),
    ("it is only observed", snapshot(IDLE.with_spec(management="Observe"), machine()), SILENT),
    ("nothing is said about idleness", snapshot(aged(hours=9), machine()), SILENT),
)
def test_notice_idleness(given: Snapshot, answer: Answer | None) -> None:
    """Unknown is not idle; and nothing that is being worked on is."""
    judge(notice_idleness, given, answer)


def idle_and_down() -> InstanceBuilder:
    """It was found idle, and has been stopped."""
    noted = IDLE.after(asked(IDLE, machine()).status)
    stopping = asked(noted, machine())
    assert stopping.action == Stop("m-1")
    down = noted.after(stopping.status)
    resting = asked(down, DOWN, at=NOW + timedelta(minutes=3))
    ready = resting.status.condition("Ready")
    assert ready is not None
    assert (resting.status.outcome, ready.reason) == (Outcome.STOPPED, Reason.IDLE)
    assert "it had not been used for 30m (spec.expiry.idleAfter)" in ready.message
    return down.after(resting.status)


LATER = NOW + timedelta(hours=5)


def test_an_idle_machine_is_stopped_and_stays_down() -> None:
    """Being down does not make it used: it rests, and nothing is written."""
    here = idle_and_down()
    later = asked(here, DOWN, at=LATER)
    assert later.action is None
    assert later.status == here.build().status


def test_using_it_brings_it_up_again() -> None:
    """The annotation of whoever uses it, a token, or any other change of the spec."""
    here = idle_and_down()
    assert asked(used(here, LATER), DOWN, at=LATER).action == Start("m-1")
    for edit in ({"actions": {"restart": "now"}}, {"drift": "Observe"}, {"expiry": None}):
        assert asked(here.edited(**edit), DOWN, at=LATER).action == Start("m-1"), edit


def test_once_up_again_it_has_all_its_time() -> None:
    """The countdown begins when the machine comes up, not with the old annotation."""
    here = idle_and_down()
    starting = here.edited(drift="Observe")
    started = starting.after(asked(starting, DOWN, at=LATER).status)
    up = machine(started_at=LATER)
    ready = asked(started, up, at=LATER + timedelta(minutes=2))
    assert ready.status.outcome is Outcome.READY
    assert ready.status.started_at == LATER + timedelta(minutes=2)
    saved = started.after(ready.status)
    assert asked(saved, up, at=LATER + timedelta(minutes=31)).status.outcome is Outcome.READY
    assert asked(saved, up, at=LATER + timedelta(minutes=32)).rule == "notice_idleness"


def test_an_idle_object_can_be_deleted() -> None:
    """With action Delete it goes when it is found idle, as was announced before."""
    here = used(aged(hours=9), ago(minutes=28), action="Delete")
    told = here.after(asked(here, machine()).status)
    end = NOW + timedelta(minutes=2)
    noted = asked(told, machine(), at=end)
    assert noted.rule == "notice_idleness"
    assert asked(here.after(noted.status), machine(), at=end).remove is True


def test_a_restart_of_a_machine_that_is_about_to_be_idle_goes_first() -> None:
    """A person's word is use."""
    assert isinstance(asked(IDLE.asking_restart("now"), machine()).action, Restart)


def test_whoever_uses_it_writes_nothing_into_the_status() -> None:
    """A heartbeat in the annotation is no news: no pass writes because of it."""
    here = used(aged(hours=9), ago(minutes=10))
    status = asked(here, machine()).status
    again = used(here.after(status), ago(minutes=1))
    assert asked(again, machine()).status == status
    assert status.condition("Ready").status is ConditionStatus.TRUE  # type: ignore[union-attr]  # always there
