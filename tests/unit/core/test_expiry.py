"""A machine that has served: its time is over, or nobody used it, and what follows is what the spec says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import OperationPhase, OperationType, Outcome, Phase, PowerState
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import Delete, Start, Stop
from gpuinstance.core.model import MachineState
from gpuinstance.core.news import news
from gpuinstance.core.rules.expiry import delete_when_over
from gpuinstance.core.snapshot import Snapshot
from tests.builders import NOW, InstanceBuilder, ago, blind_snapshot, instance, machine, operation, order, snapshot
from tests.unit.core.served import DOWN, aged, asked, lasting, used
from tests.unit.core.table import SILENT, Answer, judge, rows, waits

# ------------------------------------------------------------------------------------------------- the ttl


def test_when_its_time_is_over_it_is_stopped() -> None:
    """As though powerState were Stopped, with the intent saved and the reason in words."""
    decision = asked(lasting(aged(hours=8), "8h"), machine())
    ready = decision.status.condition("Ready")
    assert decision.action == Stop("m-1")
    assert ready is not None
    assert "spec.expiry.ttl of 8h was over at 2027-01-15T12:00:00Z" in ready.message


def test_before_that_it_runs_and_says_until_when() -> None:
    """The end is in the status, and an alarm is set for what is to be said or done next."""
    decision = asked(lasting(aged(hours=7), "8h"), machine())
    assert (decision.action, decision.status.outcome) == (None, Outcome.READY)
    assert decision.status.expiry is not None
    assert (decision.status.expiry.expires_at, decision.status.expiry.warning) == (NOW + timedelta(hours=1), None)
    assert decision.requeue_after == timedelta(minutes=50), "then it is announced"


def test_once_down_it_rests_and_says_why() -> None:
    """Settled as Stopped with the reason Expired; at the next look nothing is new."""
    here = lasting(aged(hours=9), "8h")
    first = asked(here, DOWN)
    ready = first.status.condition("Ready")
    assert (first.action, first.status.phase, first.status.outcome) == (None, Phase.STOPPED, Outcome.STOPPED)
    assert ready is not None
    assert ready.reason == Reason.EXPIRED
    saved = here.build().model_copy(update={"status": first.status})
    assert decide(snapshot(saved, DOWN)).status is first.status or decide(snapshot(saved, DOWN)).status == first.status


@pytest.mark.parametrize("expiry", [{"ttl": "10h"}, None], ids=["raised", "removed"])
def test_it_comes_up_again_when_the_ttl_allows_it(expiry: dict[str, str] | None) -> None:
    """Raising or removing the ttl is how a person starts it again."""
    stopped = lasting(aged(hours=9), "8h")
    saved = stopped.after(asked(stopped, DOWN).status)
    assert asked(saved.edited(expiry=expiry), DOWN).action == Start("m-1")


@pytest.mark.parametrize("edit", [{"actions": {"restart": "now"}}, {"image": "other:2"}])
def test_nothing_else_starts_it(edit: dict[str, Any]) -> None:
    """Neither a token nor another change: its time is over all the same."""
    stopped = lasting(aged(hours=9), "8h")
    saved = stopped.after(asked(stopped, DOWN).status)
    assert asked(saved.edited(**edit), DOWN).action is None


def test_a_person_who_stopped_it_is_told_so() -> None:
    """powerState comes first, also after the time is over."""
    decision = asked(lasting(aged(hours=9), "8h").wanting(PowerState.STOPPED), DOWN)
    ready = decision.status.condition("Ready")
    assert ready is not None
    assert ready.reason == Reason.STOPPED


def test_a_machine_that_went_down_by_itself_is_left_down() -> None:
    """No recovery for a machine that has served."""
    decision = asked(lasting(aged(hours=9), "8h").with_spec(recovery={"policy": "Restart"}), DOWN)
    assert (decision.action, decision.status.outcome) == (None, Outcome.STOPPED)


@pytest.mark.parametrize("kind", [OperationType.START, OperationType.RESTART])
def test_a_moving_machine_is_stopped_once_it_is_up(kind: OperationType) -> None:
    """Nothing is pushed while the provider is at work."""
    here = lasting(aged(hours=9), "8h").during(operation(kind, OperationPhase.MONITORING, began=ago(seconds=90)))
    assert asked(here, machine(state=MachineState.STARTING)).action is None
    assert asked(here, machine(started_at=ago(seconds=5))).action == Stop("m-1")


def test_a_replacement_has_a_time_of_its_own() -> None:
    """While the old machine makes way for another, the old one's age says nothing."""
    replacing = operation(OperationType.RECREATE, OperationPhase.MONITORING, began=ago(seconds=90), token="again")
    here = lasting(aged(hours=9), "8h").asking_recreate("again").during(replacing)
    decision = asked(here, plan=order(), confirmed_gone=frozenset({"m-1"}))
    assert decision.rule == "create_when_missing"
    assert decision.status.expiry is None, "its time has not begun"


def test_what_is_not_managed_or_not_seen_is_left() -> None:
    """Suspended, only observed, or blind: hands off."""
    here = lasting(aged(hours=9), "8h")
    assert asked(here.suspended(), machine()).action is None
    assert asked(here.with_spec(management="Observe"), machine()).action is None
    blind = decide(blind_snapshot(here))
    assert (blind.action, blind.remove) == (None, False)


def test_while_blind_the_reason_of_the_rest_is_kept() -> None:
    """A provider that is away for a moment does not make Expired into Stopped."""
    here = lasting(aged(hours=9), "8h")
    saved = here.build().model_copy(update={"status": asked(here, DOWN).status})
    ready = decide(blind_snapshot(saved)).status.condition("Ready")
    assert ready is not None
    assert ready.reason == Reason.EXPIRED


# ------------------------------------------------------------------------------------------------- deletion

SURPRISED = lasting(aged(hours=9), "8h", action="Delete")
"""Nobody was told: it was adopted late, the ttl was added late, or the clock has jumped."""
OVER = SURPRISED.with_status(expiry={"deletes_at": ago(minutes=1)})


@rows(
    ("its time is over", snapshot(OVER, machine()), waits(Reason.EXPIRED, phase=Phase.TERMINATING)),
    ("also while it is down", snapshot(OVER.wanting(PowerState.STOPPED), DOWN), waits(Reason.EXPIRED)),
    ("also when the machine is gone", snapshot(OVER), waits(Reason.EXPIRED)),
    ("not unannounced", snapshot(SURPRISED, machine()), SILENT),
    (
        "not before the announced moment",
        snapshot(SURPRISED.with_status(expiry={"deletes_at": NOW + timedelta(minutes=1)}), machine()),
        SILENT,
    ),
    (
        "what was announced of an idle machine, which was used since, announces nothing about the end of its time",
        snapshot(SURPRISED.with_status(expiry={"deletes_at": ago(hours=2)}), machine()),
        SILENT,
    ),
    ("not before kopf holds it", snapshot(OVER.without_finalizer(), machine()), SILENT),
    ("not before", snapshot(lasting(aged(hours=7), "8h", action="Delete"), machine()), SILENT),
    ("not with action Stop", snapshot(lasting(aged(hours=9), "8h"), machine()), SILENT),
    ("not while it is protected", snapshot(OVER.with_spec(deletion_protection=True), machine()), SILENT),
    ("not while it is only observed", snapshot(OVER.with_spec(management="Observe"), machine()), SILENT),
)
def test_delete_when_over(given: Snapshot, answer: Answer | None) -> None:
    """The object is deleted; what becomes of the machine is deletionPolicy's word."""
    judge(delete_when_over, given, answer)


def test_the_object_is_deleted_after_the_reason_is_saved() -> None:
    """No call to the provider: the deletion of the object does the rest."""
    decision = asked(OVER, machine())
    assert (decision.remove, decision.action, decision.rule) == (True, None, "delete_when_over")
    assert asked(OVER.deleting(), machine()).remove is False


@pytest.mark.parametrize("ttl", ["8h", "20m"])
def test_what_comes_as_a_surprise_is_announced_first(ttl: str) -> None:
    """The machine is stopped at once, and the object goes after the time of a warning, which is told by an Event."""
    here = lasting(aged(days=90), ttl, action="Delete")
    first = asked(here, machine())
    assert (first.remove, first.action) == (False, Stop("m-1"))
    lead = timedelta(minutes=10 if ttl == "8h" else 2)
    assert first.status.expiry is not None
    assert first.status.expiry.deletes_at == NOW + lead
    told = news(here.build().status, first.status)
    assert told is None or told.reason in {Reason.EXPIRING, Reason.EXPIRED}
    waiting = here.after(first.status)
    before = asked(waiting, DOWN, at=NOW + lead - timedelta(seconds=1))
    assert (before.remove, before.requeue_after) == (False, timedelta(seconds=1))
    assert before.status.expiry is not None
    assert before.status.expiry.deletes_at == NOW + lead
    assert asked(here.after(before.status), DOWN, at=NOW + lead).remove is True


def test_what_is_suspended_has_its_warning_afterwards() -> None:
    """Nothing is done while it is suspended, so that nothing is announced either."""
    held = asked(SURPRISED.suspended(), machine()).status
    assert held.expiry is None or held.expiry.deletes_at is None


def test_an_announced_object_goes_on_time() -> None:
    """Told ten minutes before, gone when its time is over."""
    here = lasting(aged(hours=7, minutes=55), "8h", action="Delete")
    told = here.after(asked(here, machine()).status)
    end = NOW + timedelta(minutes=5)
    assert asked(told, machine(), at=end - timedelta(seconds=1)).remove is False
    assert asked(told, machine(), at=end).remove is True


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_moment_that_no_calendar_has_is_survived(moment: str) -> None:
    """It may be meant as "never idle": nothing is idle, and nothing else is held up by it."""
    here = used(aged(hours=9), moment, action="Delete")
    assert asked(here, machine()).status.outcome is Outcome.READY
    assert asked(here.deleting(), machine()).action == Delete("m-1")


def test_a_protected_object_has_its_machine_stopped() -> None:
    """deletionProtection wins, and is said; the machine costs nothing more than it must."""
    here = OVER.with_spec(deletion_protection=True)
    assert asked(here, machine()).action == Stop("m-1")
    ready = asked(here, DOWN).status.condition("Ready")
    assert ready is not None
    assert "deletionProtection keeps this object" in ready.message


# ------------------------------------------------------------------------------------------------- announcements


@pytest.mark.parametrize(
    ("here", "words"),
    [
        (lasting(aged(hours=7, minutes=50), "8h"), "machine m-1 is stopped at 2027-01-15T12:10:00Z, when spec.expiry."),
        (lasting(aged(minutes=46), "50m"), "machine m-1 is stopped at 2027-01-15T12:04:00Z"),
        (lasting(aged(hours=7, minutes=55), "8h", action="Delete"), "this object is deleted at 2027-01-15T12:05:00Z"),
        (used(aged(hours=9), ago(minutes=28)), "machine m-1 is stopped at 2027-01-15T12:02:00Z if it is not used"),
    ],
)
def test_the_end_is_announced(here: InstanceBuilder, words: str) -> None:
    """In the status and by one Event, when a tenth of the time is left and at most ten minutes."""
    before, decision = here.build().status, asked(here, machine())
    assert decision.status.expiry is not None
    assert (decision.status.expiry.warning or "").startswith(words)
    told = news(before, decision.status)
    assert told is not None
    assert (told.reason, told.warning, told.message) == (Reason.EXPIRING, True, decision.status.expiry.warning)
    assert news(decision.status, decision.status) is None, "once"


@pytest.mark.parametrize(
    "here",
    [
        lasting(aged(hours=7, minutes=49), "8h"),
        lasting(aged(hours=7, minutes=55), "8h").wanting(PowerState.STOPPED),
        lasting(aged(hours=7, minutes=55), "8h").suspended(),
        used(aged(hours=9), ago(minutes=26)),
        used(aged(hours=9), None),
    ],
)
def test_what_is_not_about_to_happen_is_not_announced(here: InstanceBuilder) -> None:
    """Not yet, not at all, or not by us."""
    expiry = asked(here, machine()).status.expiry
    assert expiry is None or expiry.warning is None


def test_an_announcement_outlives_a_moment_of_blindness() -> None:
    """It is about time, and time goes on."""
    here = lasting(aged(hours=7, minutes=55), "8h")
    saved = here.build().model_copy(update={"status": asked(here, machine()).status})
    assert decide(blind_snapshot(saved)).status.expiry == saved.status.expiry


def test_what_is_announced_together_with_ready_is_in_its_story() -> None:
    """One write tells one story: nothing is lost in it."""
    here = lasting(aged(hours=7, minutes=55), "8h")
    before = instance().with_machine().build().status
    told = news(before, asked(here, machine()).status)
    assert told is not None
    assert (told.reason, told.warning) == (Reason.READY, True)
    assert "is stopped at 2027-01-15T12:05:00Z" in told.message
