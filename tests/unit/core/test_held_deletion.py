"""Deletion without a usable API key: the object stays, for as long as it takes, and tells what can be done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import DeletionPolicy
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import Delete
from gpuinstance.core.rules.trust import stay_idle_when_blind
from tests.builders import NOW, InstanceBuilder, blind_snapshot, instance, machine, snapshot


@pytest.mark.parametrize("reason", [Reason.CREDENTIALS_UNAVAILABLE, Reason.UNAUTHORIZED])
@pytest.mark.parametrize(
    ("given", "machine_id"),
    [
        (instance().running(), f"machine {machine().id} "),
        (instance(), "its machine, if there is one, "),
    ],
)
def test_an_object_that_cannot_go_says_why(given: InstanceBuilder, machine_id: str, reason: Reason) -> None:
    """What is missing, what it costs, and how to let the object go all the same."""
    view = blind_snapshot(given.deleting(), reason=reason, needs_person=True)
    decision = stay_idle_when_blind(view)
    assert decision is not None
    assert not decision.release
    ready = decision.status.condition("Ready")
    assert ready is not None
    for words in (f"{machine_id}may be billed", "the object stays", "`kubectl gpu abandon trainer -n default`"):
        assert words in ready.message


@pytest.mark.parametrize("reason", [Reason.CREDENTIALS_UNAVAILABLE, Reason.UNAUTHORIZED])
@pytest.mark.parametrize("years", [0, 1, 10])
def test_it_is_held_for_ever(reason: Reason, years: int) -> None:
    """No time is long enough for a machine to be forgotten; whether the key is back is asked every few seconds."""
    at = NOW + timedelta(days=365 * years)
    decision = decide(blind_snapshot(instance().running().deleting(), reason=reason, needs_person=True, at=at))
    assert (decision.release, decision.action) == (False, None)
    assert decision.requeue_after is not None
    assert decision.requeue_after <= timedelta(seconds=10)
    assert decision.status.instance is not None


def test_orphan_is_the_way_out() -> None:
    """`deletionPolicy: Orphan` needs no key: the object goes, and its machine stays."""
    given = instance().running().with_spec(deletion_policy=DeletionPolicy.ORPHAN).deleting()
    view = blind_snapshot(given, reason=Reason.CREDENTIALS_UNAVAILABLE, needs_person=True)
    decision = decide(view)
    assert (decision.release, decision.action) == (True, None)


@pytest.mark.parametrize(
    ("reason", "needs_person", "age", "goes_unseen"),
    [
        (Reason.PROVIDER_UNAVAILABLE, False, timedelta(seconds=2), False),
        (Reason.PROVIDER_UNAVAILABLE, False, timedelta(days=2), False),
        (Reason.CREDENTIALS_UNAVAILABLE, True, timedelta(seconds=2), True),
        (Reason.CREDENTIALS_UNAVAILABLE, True, timedelta(days=2), False),
        (Reason.UNAUTHORIZED, True, timedelta(days=2), False),
    ],
)
def test_a_first_status_written_blindly_proves_nothing(
    reason: Reason, needs_person: bool, age: timedelta, goes_unseen: bool
) -> None:
    """The status before may have been wiped: the object waits for one look, unless it is as young as a mistake."""
    wiped = replace(instance(), metadata={"creation_timestamp": NOW - age})
    first = decide(blind_snapshot(wiped, reason=reason, needs_person=needs_person))
    deleted = wiped.deleting().build().model_copy(update={"status": first.status})
    assert decide(blind_snapshot(deleted, reason=reason, needs_person=needs_person)).release is goes_unseen
    found = decide(snapshot(deleted, machine()))
    assert (found.release, found.action) == (False, Delete(machine().id))
    assert decide(snapshot(deleted)).release
