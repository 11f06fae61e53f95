"""The outbox: what goes in, what goes out, what is counted when it is full, and when that is worth a write."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from gpuinstance.api.notices import NoticeFacts
from gpuinstance.api.notifications import (
    Notification,
    NotificationEvent,
    NotificationTrouble,
    Recipient,
    SigningSecretRef,
)
from gpuinstance.api.reasons import Reason
from gpuinstance.core.announcements import Announcement
from gpuinstance.core.outbox import (
    LINGER,
    MOST_PENDING,
    PATIENCE,
    Box,
    Report,
    held_until,
    may_linger,
    message_id,
    news_of,
    renew,
)
from tests.materials import NOW, UID, ago

READY, STOPPED, LOST = (
    NotificationEvent.INSTANCE_READY,
    NotificationEvent.INSTANCE_STOPPED,
    NotificationEvent.INSTANCE_LOST,
)


def destination(name: str, *events: NotificationEvent) -> Notification:
    return Notification(
        name=name,
        url="https://hooks.example/x",
        signing_secret_ref=SigningSecretRef(name="hooks"),
        events=list(events) or None,
    )


OPS, CHAT = destination("ops"), destination("chat", LOST)


def it(event: NotificationEvent, **facts: Any) -> Announcement:
    return Announcement(event, NoticeFacts(generation=1, **facts))


def box(*events: NotificationEvent, at: datetime = NOW, to: tuple[Notification, ...] = (OPS,)) -> Box:
    """Return a box into which these went, each a second after the one before."""
    filled = Box()
    for number, event in enumerate(events):
        filled = step(filled, it(event), to=to, now=at + timedelta(seconds=number))
    return filled


def step(
    before: Box,
    *happened: Announcement,
    to: tuple[Notification, ...] | None = (OPS,),
    report: Report | None = None,
    now: datetime = NOW,
) -> Box:
    return renew(before, uid=UID, happened=happened, destinations=to, report=report or Report(), now=now)


def events(of: Box) -> list[str]:
    return [entry.event for entry in of.pending]


def taken(of: Box, *names: str) -> Report:
    """Return the report that all of this was taken by these destinations."""
    return Report(settled=frozenset((entry.id, name) for entry in of.pending for name in names))


def test_what_happens_goes_in_after_what_was_there() -> None:
    """In the order in which it happened, with what was true at that moment."""
    filled = step(box(READY), it(STOPPED, phase="Stopped"), now=NOW + timedelta(minutes=1))
    assert events(filled) == [READY, STOPPED]
    assert filled.pending[1].facts.phase == "Stopped"
    assert filled.pending[1].at == NOW + timedelta(minutes=1)


def test_each_destination_gets_what_it_wants() -> None:
    """An empty list of events is all of them; what nobody wants is not kept."""
    both = (OPS, CHAT)
    filled = box(READY, LOST, to=both)
    assert [[to.name for to in entry.to] for entry in filled.pending] == [["ops"], ["ops", "chat"]]
    assert box(READY, to=(CHAT,)) == Box()


def test_without_destinations_nothing_is_kept() -> None:
    """An instance that tells nobody anything has no outbox."""
    assert box(READY, to=()) == Box()


def test_the_id_follows_from_what_is_said() -> None:
    """So a pass that is made again says the same thing under the same id, and two things never share one."""
    same = message_id(UID, it(READY), NOW)
    others = [
        message_id("another", it(READY), NOW),
        message_id(UID, it(STOPPED), NOW),
        message_id(UID, it(READY, phase="Ready"), NOW),
        message_id(UID, it(READY), ago(seconds=1)),
    ]
    assert message_id(UID, it(READY), NOW) == same
    assert same.startswith("msg_")
    assert len({same, *others}) == 5
    assert events(step(box(READY), it(READY))) == [READY], "the same at the same moment is the same"


def test_what_was_taken_goes_out() -> None:
    """By each destination on its own; the last one takes the notification with it."""
    filled = box(LOST, to=(OPS, CHAT))
    half = step(filled, to=(OPS, CHAT), report=taken(filled, "ops"))
    assert [to.name for to in half.pending[0].to] == ["chat"]
    assert step(half, to=(OPS, CHAT), report=taken(half, "chat")) == Box()


def test_a_destination_that_is_not_in_the_spec_any_more_is_forgotten() -> None:
    """With all that waited for it, and with its trouble."""
    filled = step(box(READY), report=Report(troubles={"ops": "no"}))
    assert step(filled, to=(CHAT,)) == Box()


def test_while_the_destinations_are_not_known_nothing_is_taken_out() -> None:
    """As for an upgrade whose instance the watch has not shown yet."""
    filled = step(box(READY), report=Report(troubles={"ops": "no"}))
    assert step(filled, it(STOPPED), to=None) == filled


def test_a_full_box_drops_the_oldest_and_says_how_many() -> None:
    """It is bounded; the count is in the next notification, and in the status if there is none."""
    filled = box(*[READY, STOPPED] * MOST_PENDING)
    assert len(filled.pending) == MOST_PENDING
    assert sum(to.missed or 0 for entry in filled.pending for to in entry.to) == MOST_PENDING
    assert filled.pending[-1].to == [Recipient(name="ops", missed=1)]
    assert filled.troubles == ()


def test_what_nobody_takes_for_a_day_is_given_up() -> None:
    """It is counted in the status until the next notification can tell it."""
    old = box(READY, STOPPED, at=NOW - PATIENCE)
    given_up = step(old, now=NOW)
    assert events(given_up) == [STOPPED], "that one is a second younger"
    assert given_up.troubles == (NotificationTrouble(name="ops", since=NOW, missed=1),)
    told = step(given_up, it(LOST), now=NOW + timedelta(hours=1))
    assert events(told) == [LOST]
    assert told.pending[0].to[0].missed == 2
    assert told.troubles == ()


def test_a_dropped_notification_passes_its_count_on() -> None:
    """What was to be told with it is told with the next one."""
    first = step(step(box(READY, at=NOW - PATIENCE)), it(STOPPED))
    assert first.pending[0].to[0].missed == 1
    later = step(first, it(LOST), now=NOW + PATIENCE)
    assert later.pending[0].to[0].missed == 2


def test_trouble_is_shown_while_something_waits() -> None:
    """In words, from its beginning on; not any more once a notification gets through."""
    filled = box(READY, STOPPED)
    troubled = step(filled, report=Report(troubles={"ops": "the receiver answered HTTP 500"}))
    assert troubled.troubles[0].message == "the receiver answered HTTP 500"
    still = step(troubled, now=NOW + timedelta(hours=1))
    assert still == troubled, "a new process has nothing to report, and nothing has changed"
    assert step(troubled, report=Report(fine=frozenset({"ops"}))).troubles == ()
    assert step(troubled, report=taken(troubled, "ops")).troubles == ()


def test_a_destination_that_is_gone_is_noted_until_it_takes_something() -> None:
    """The note outlives all that waited."""
    filled = box(READY)
    gone = step(filled, report=Report(settled=taken(filled, "ops").settled, gone={"ops": "f1"}))
    assert gone == Box((), (NotificationTrouble(name="ops", since=NOW, gone="f1"),))
    again = step(gone, it(STOPPED), now=NOW + timedelta(hours=1))
    assert again.troubles == gone.troubles
    assert step(again, report=Report(settled=taken(again, "ops").settled, fine=frozenset({"ops"}))) == Box()


def test_what_was_just_delivered_is_worth_no_write_of_its_own() -> None:
    """It waits for the next write, or for a quiet moment; a trouble does not wait."""
    filled = box(READY, at=NOW)
    empty = step(filled, report=taken(filled, "ops"))
    assert may_linger(filled, empty, NOW + LINGER - timedelta(seconds=1))
    assert not may_linger(filled, empty, NOW + LINGER)
    assert not may_linger(filled, step(filled, report=Report(troubles={"ops": "no"})), NOW)


def test_a_deleted_object_is_held_for_a_bounded_time() -> None:
    """From its deletion, or from what was said last; not at all if nothing waits."""
    grace = timedelta(seconds=30)
    assert held_until(Box(), NOW, grace) is None
    assert held_until(box(READY, at=ago(hours=1)), NOW, grace) == NOW + grace
    assert held_until(box(READY, at=NOW), ago(minutes=5), grace) == NOW + grace


@pytest.mark.parametrize(
    ("trouble", "words", "given_up"),
    [
        ({"message": "the receiver answered HTTP 500"}, "ops: the receiver answered HTTP 500", 0),
        ({"gone": "f1"}, "ops: it answered HTTP 410, so that nothing is sent before it changes", 0),
        ({"missed": 2}, "ops: 2 given up", 2),
    ],
)
def test_a_trouble_that_begins_is_worth_an_event(trouble: dict[str, Any], words: str, given_up: int) -> None:
    """As a warning, once."""
    after = Box((), (NotificationTrouble(name="ops", since=NOW, **trouble),))
    found = news_of(Box(), after)
    assert found is not None
    assert found.news is not None
    assert (found.news.reason, found.news.message) == (Reason.NOTIFICATION_FAILED, f"notifications to {words}")
    assert found.news.warning
    assert found.given_up == given_up
    assert news_of(after, after) is None
    assert news_of(after, Box()) is None
