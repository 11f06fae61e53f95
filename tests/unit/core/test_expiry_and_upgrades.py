"""A machine that has served while an InstanceUpgrade of it is paid for and not done: that comes first, for a day."""

from __future__ import annotations

from datetime import timedelta

from gpuinstance.api.reasons import Reason
from gpuinstance.core.decision import Stop
from gpuinstance.core.model import MachineState
from gpuinstance.core.news import news
from gpuinstance.core.snapshot import FoundUpgrade
from tests.builders import NOW, ago, machine
from tests.unit.core.served import aged, asked, lasting, used

END = timedelta(hours=8)
HELD = timedelta(days=1)
"""For how long after its end a machine is kept at most."""
OVER = lasting(aged(hours=9), "8h", action="Delete").with_status(expiry={"deletes_at": ago(hours=1)})
PAID = {"paid_upgrade": "bigger"}
HOLDS = {"upgrade": FoundUpgrade("bigger", "uid-of-bigger", "m-1", holds=True)}


def test_what_is_paid_for_is_applied_before_the_object_goes() -> None:
    """The machine runs on, because it can be changed only while it runs, and the status says why and until when."""
    decision = asked(OVER, machine(), **PAID)
    assert (decision.remove, decision.action) == (False, None)
    told = decision.status.expiry
    assert told is not None
    assert told.held_until == NOW - timedelta(hours=1) + HELD
    assert told.warning is not None
    assert told.warning.startswith("this object is deleted once InstanceUpgrade bigger, which is under way, has")
    assert "2027-01-16T11:00:00Z at the latest" in told.warning
    assert "raise spec.expiry.ttl" in told.warning
    event = news(OVER.build().status, decision.status)
    assert event is not None
    assert told.warning in event.message


def test_the_object_goes_at_once_when_the_upgrade_has_ended() -> None:
    """However it ended: its end was announced before, and put off only for that."""
    held = asked(OVER, machine(), **PAID).status
    later = asked(OVER.after(held), machine(), at=NOW + timedelta(hours=2))
    assert (later.remove, later.action) == (True, None)
    assert later.status.expiry is None or later.status.expiry.held_until is None


def test_an_upgrade_that_never_ends_holds_it_for_a_day_at_most() -> None:
    """Whether it waits to be applied, or has the machine and waits for somebody to confirm its sizes."""
    for upgrade in (PAID, HOLDS):
        held = OVER.after(asked(OVER, machine(), **upgrade).status)
        end = NOW - timedelta(hours=1) + HELD
        assert asked(held, machine(), at=end - timedelta(seconds=1), **upgrade).remove is False
        assert asked(held, machine(), at=end, **upgrade).remove is True


def test_it_is_looked_at_again_when_it_can_be_held_no_longer() -> None:
    """The end is a moment by the clock, and nothing else may happen until then."""
    held = OVER.after(asked(OVER, machine(), **PAID).status)
    nearly = asked(held, machine(), at=NOW - timedelta(hours=1) + HELD - timedelta(seconds=7), **PAID)
    assert nearly.requeue_after is not None
    assert nearly.requeue_after <= timedelta(seconds=7)


def test_an_upgrade_at_work_is_named_as_well() -> None:
    """The rule that yields to it has the word; the status says what will happen afterwards."""
    decision = asked(OVER, machine(state=MachineState.RESIZING), **HOLDS)
    assert (decision.rule, decision.remove) == ("yield_to_active_upgrade", False)
    assert decision.status.expiry is not None
    assert "once InstanceUpgrade bigger, which is under way" in (decision.status.expiry.warning or "")


def test_one_that_is_over_for_longer_is_not_kept_by_a_late_payment() -> None:
    """The day counts from the machine's own end, not from the payment."""
    long_over = lasting(aged(hours=40), "8h", action="Delete").with_status(expiry={"deletes_at": ago(hours=32)})
    assert asked(long_over, machine(), **PAID).remove is True


def test_what_is_only_stopped_is_not_held() -> None:
    """Nothing is lost: the upgrade waits, and is applied when somebody lets the machine run longer."""
    for here in (lasting(aged(hours=9), "8h"), OVER.with_spec(deletion_protection=True)):
        decision = asked(here, machine(), **PAID)
        assert decision.action == Stop("m-1")
        assert decision.status.expiry is None or decision.status.expiry.held_until is None


def test_an_idle_machine_is_held_for_a_day_since_it_was_found_idle() -> None:
    """It is found idle once: the bound does not move while it is held."""
    here = used(aged(hours=9), ago(minutes=40), action="Delete")
    first = asked(here, machine(), **PAID)
    assert first.status.expiry is not None
    assert first.status.expiry.idle_at == NOW
    second = asked(here.after(first.status), machine(), at=NOW + timedelta(hours=3), **PAID)
    assert (second.remove, second.action) == (False, None)
    assert second.status.expiry is not None
    assert (second.status.expiry.idle_at, second.status.expiry.held_until) == (NOW, NOW + HELD)
    assert "renew annotation" in (second.status.expiry.warning or "")


def test_before_its_end_a_machine_is_held_by_nothing() -> None:
    """A paid upgrade says nothing about one that may run."""
    decision = asked(lasting(aged(hours=7), "8h", action="Delete"), machine(), **PAID)
    assert decision.status.expiry is not None
    assert (decision.status.expiry.warning, decision.status.expiry.held_until) == (None, None)
    assert decision.status.condition("Ready") is not None
    assert decision.status.condition("Ready").reason == Reason.READY  # type: ignore[union-attr]
