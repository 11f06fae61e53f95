"""The outbox in a status: what is still to be told, to whom, in order, and never more than it may hold.

What has happened is put in by the same write that says so, so that nothing is lost however the process ends;
what was delivered is taken out by a later one. Between the two a notification may be delivered twice, under
the same id. What is dropped is counted, and the count is told. Called by `outgoing`; pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gpuinstance.api.notifications import Notification, NotificationTrouble, PendingNotification, Recipient
from gpuinstance.api.reasons import Reason
from gpuinstance.core.announcements import Announcement
from gpuinstance.core.news import News

MOST_PENDING = 20
"""Notifications that one object keeps; a receiver that lies behind by more loses the oldest."""

PATIENCE = timedelta(hours=24)
"""After this time a notification that nobody has taken is given up."""

LINGER = timedelta(seconds=5)
"""How long what was delivered stays, so that one write takes out all that follows each other at once."""


@dataclass(frozen=True, slots=True)
class Box:
    """What a status holds of notifications."""

    pending: tuple[PendingNotification, ...] = ()
    """The oldest first."""
    troubles: tuple[NotificationTrouble, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What was found out by delivering, and is not saved yet."""

    settled: frozenset[tuple[str, str]] = frozenset()
    """Id and destination of what was taken, or is not wanted by a destination that is gone."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """In words, by destination: why nothing gets through."""
    gone: Mapping[str, str] = field(default_factory=dict)
    """Fingerprint of each destination that has answered that it is gone."""
    fine: frozenset[str] = frozenset()
    """Destinations that have taken something since they were last in trouble."""


def renew(
    box: Box,
    *,
    uid: str,
    happened: Sequence[Announcement],
    destinations: Sequence[Notification] | None,
    report: Report,
    now: datetime,
) -> Box:
    """Return the box without what is settled, and with what has happened.

    `destinations` are those of the spec; None: they are not known now, so that nobody can be told anything,
    and nothing is taken out for want of them.
    """
    known = None if destinations is None else {it.name for it in destinations}
    missed = {trouble.name: trouble.missed or 0 for trouble in box.troubles}
    pending = [it for it in (_without(entry, report.settled, known) for entry in box.pending) if it.to]
    new = _addressed(happened, destinations or (), uid, now, known_ids={entry.id for entry in box.pending})
    while pending and (pending[0].at + PATIENCE <= now or len(pending) + len(new) > MOST_PENDING):
        _count_missed(missed, pending.pop(0))
    pending += [_with_missed(entry, missed) for entry in new]
    return Box(tuple(pending), _troubles(box, known, pending, missed, report, now))


def _without(
    entry: PendingNotification, settled: frozenset[tuple[str, str]], known: set[str] | None
) -> PendingNotification:
    waiting = [to for to in entry.to if (entry.id, to.name) not in settled and (known is None or to.name in known)]
    return entry if len(waiting) == len(entry.to) else entry.model_copy(update={"to": waiting})


def _addressed(
    happened: Sequence[Announcement],
    destinations: Iterable[Notification],
    uid: str,
    now: datetime,
    *,
    known_ids: set[str],
) -> list[PendingNotification]:
    new: dict[str, PendingNotification] = {}
    for it in happened:
        to = [Recipient(name=destination.name) for destination in destinations if destination.wants(it.event)]
        entry = PendingNotification(id=message_id(uid, it, now), event=it.event, at=now, to=to, facts=it.facts)
        if to and entry.id not in known_ids:
            new[entry.id] = entry
    return list(new.values())[-MOST_PENDING:]


def message_id(uid: str, happened: Announcement, at: datetime) -> str:
    """Return the id of a notification, which follows from all that it says: the same twice is the same."""
    text = "\0".join((uid, happened.event, at.isoformat(), happened.facts.model_dump_json(exclude_none=True)))
    return f"msg_{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _count_missed(missed: dict[str, int], entry: PendingNotification) -> None:
    """A dropped notification takes with it the count that it was to tell."""
    for to in entry.to:
        missed[to.name] = missed.get(to.name, 0) + 1 + (to.missed or 0)


def _with_missed(entry: PendingNotification, missed: dict[str, int]) -> PendingNotification:
    to = [Recipient(name=it.name, missed=missed.pop(it.name, 0) or None) for it in entry.to]
    return entry.model_copy(update={"to": to})


def _troubles(
    box: Box,
    known: set[str] | None,
    pending: Sequence[PendingNotification],
    missed: Mapping[str, int],
    report: Report,
    now: datetime,
) -> tuple[NotificationTrouble, ...]:
    before = {trouble.name: trouble for trouble in box.troubles}
    waited_for = {to.name for entry in pending for to in entry.to}
    found = []
    for name in sorted({*before, *missed, *report.troubles, *report.gone}):
        old = before.get(name)
        message, gone = (old.message, old.gone) if old is not None and name not in report.fine else (None, None)
        message, gone = report.troubles.get(name, message), report.gone.get(name, gone)
        message = message if name in waited_for else None
        count = missed.get(name) or None
        if (known is None or name in known) and (message or gone or count):
            since = old.since if old is not None else now
            found.append(NotificationTrouble(name=name, since=since, message=message, missed=count, gone=gone))
    return tuple(found)


def may_linger(before: Box, after: Box, now: datetime) -> bool:
    """True if nothing has changed but that young notifications are delivered: that is worth no write of its own."""
    if before.troubles != after.troubles:
        return False
    left = set(map(repr, after.pending))
    return all(now - entry.at < LINGER for entry in before.pending if repr(entry) not in left)


def held_until(box: Box, deleted_at: datetime, grace: timedelta) -> datetime | None:
    """Return until when a deleted object is kept for what is still to be told of it; None if that is nothing."""
    if not box.pending:
        return None
    return max(deleted_at, box.pending[-1].at) + grace


@dataclass(frozen=True, slots=True)
class Troubled:
    """What the step from one box to the next has to tell about the deliveries themselves."""

    news: News | None
    given_up: int
    """Deliveries that will never be made."""


def news_of(before: Box, after: Box) -> Troubled | None:
    """Return what is worth an Event: a trouble that begins, and notifications that were given up."""
    old = {trouble.name: trouble for trouble in before.troubles}
    words, given_up = [], 0
    for trouble in after.troubles:
        was = old.get(trouble.name)
        lost = (trouble.missed or 0) - (was.missed or 0 if was is not None else 0)
        if trouble.gone is not None and (was is None or was.gone is None):
            words.append(f"{trouble.name}: it answered HTTP 410, so that nothing is sent before it changes")
        elif trouble.message is not None and (was is None or was.message is None):
            words.append(f"{trouble.name}: {trouble.message}")
        if lost > 0:
            words.append(f"{trouble.name}: {lost} given up")
            given_up += lost
    if not words:
        return None
    return Troubled(News(Reason.NOTIFICATION_FAILED, f"notifications to {'; '.join(words)}", warning=True), given_up)
