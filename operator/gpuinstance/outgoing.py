"""Between the corridor and the postman: what has happened goes into the outbox, what is saved goes out.

Called by `reconcile` at three points of a pass: before the status is saved (`announced`), after that (`post`), and
before a deleted object goes (`holds`). The destinations of an upgrade are those of its instance. Decides nothing:
what is told is derived in `core`, and how it is delivered is the postman's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from gpuinstance.api.notices import Notice, NoticeData
from gpuinstance.api.notifications import Notification, NotificationEvent, NotificationTrouble, PendingNotification
from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.core.announcements import Announcement
from gpuinstance.core.news import News
from gpuinstance.core.outbox import LINGER, Box, Report, held_until, may_linger, news_of, renew
from gpuinstance.credentials import Accounts
from gpuinstance.known import Known, instance_of
from gpuinstance.kube import Body, Key, KubeError
from gpuinstance.notify import Letter, Mailing, Postman, ReadSecret, SecretUnreadable, Subject


def secret_reader(accounts: Accounts) -> ReadSecret:
    """Return what reads the Secrets of notifications: in the same way as those of health checks."""

    async def read(namespace: str, name: str, key: str) -> str | None:
        try:
            return await accounts.secret_text(namespace, name, key)
        except KubeError as error:
            raise SecretUnreadable(str(error)) from None

    return read


class Counts(Protocol):
    """Where notifications are counted that nobody will get."""

    def notifications_given_up(self, number: int) -> None:
        """So many notifications will never be delivered."""


class Wake(Protocol):
    """What has an object looked at; see `WakeQueue`."""

    def __call__(self, key: Key, *, after: timedelta) -> None:
        """Look at the object after a while."""


class Outgoing:
    """The outboxes of all objects, for one process.

    `farewell` is how long a deleted object is kept at most for what is still to be told of it. `wake` looks at an
    object after a while.
    """

    def __init__(
        self,
        known: Known,
        postman: Postman,
        counts: Counts,
        clock: Callable[[], datetime],
        *,
        farewell: timedelta,
        wake: Wake,
    ) -> None:
        self._known = known
        self._postman = postman
        self._counts = counts
        self._clock = clock
        self._farewell = farewell
        self._wake = wake
        self._let_go: set[Key] = set()
        postman.news = self._hear

    def announced(self, key: Key, old: Any, new: Any, happened: Sequence[Announcement], *, releasing: bool) -> Any:
        """Return the status with its outbox renewed: with what has happened, and without what was delivered.

        `new` itself comes back where there is nothing worth a write.
        """
        box = _box(old)
        if not (happened or box.pending or box.troubles):
            return new
        if releasing:
            said = {entry.event for entry in box.pending}
            happened = [it for it in happened if it.event not in said]
        now, report = self._now(), _but_farewells(self._postman.report(_subject(key)), box)
        destinations = self._destinations(key)
        after = renew(box, uid=key.uid, happened=happened, destinations=destinations, report=report, now=now)
        quiet = new == old and {entry.id for entry in after.pending} <= {entry.id for entry in box.pending}
        if after == box or (quiet and (releasing or may_linger(box, after, now))):
            return new
        return new.model_copy(
            update={"pending_notifications": list(after.pending), "notification_troubles": list(after.troubles)}
        )

    def post(self, key: Key, saved: Body) -> None:
        """Hand over what the saved object has still to tell."""
        status = saved.get("status") or {}
        box = _stored(status)
        destinations = self._destinations(key) if box.pending else ()
        if destinations is None:
            return
        gone = {trouble.name: trouble.gone for trouble in box.troubles}
        mailings = []
        for destination in destinations:
            letters = tuple(_letter(key, entry, destination.name) for entry in _to(destination.name, box))
            if letters:
                mailings.append(Mailing(destination, letters, gone.get(destination.name)))
        self._postman.carry(_subject(key), mailings)

    def holds(self, key: Key, saved: Body) -> timedelta | None:
        """Return how much longer a deleted object is to be kept for what is still to be told; None: it may go."""
        box = _stored(saved.get("status") or {})
        if not box.pending:
            return None
        now, report = self._now(), self._postman.report(_subject(key))
        left = renew(box, uid=key.uid, happened=(), destinations=self._destinations(key), report=report, now=now)
        deleted_at = saved["metadata"].get("deletionTimestamp")
        since = now if deleted_at is None else datetime.fromisoformat(deleted_at)
        until = held_until(left, since, self._farewell)
        if until is None:
            return None
        if until > now:
            return until - now
        if key not in self._let_go:  # there may be a further pass before it is gone
            self._let_go.add(key)
            self._counts.notifications_given_up(sum(len(entry.to) for entry in left.pending))
        return None

    def news(self, old: Any, new: Any) -> News | None:
        """Return what is worth an Event about the deliveries themselves, and count what was given up."""
        found = news_of(_box(old), _box(new))
        if found is not None and found.given_up:
            self._counts.notifications_given_up(found.given_up)
        return found.news if found is not None else None

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self._postman.forget(_subject(key))
        self._let_go.discard(key)

    async def stop(self) -> None:
        """Tell nothing more."""
        await self._postman.stop()

    def _hear(self, subject: Subject) -> None:
        """Something was delivered, or not: the next pass of the object takes note, and a deleted one may go."""
        key = Key(subject.namespace, subject.name, subject.uid, subject.kind)
        body = self._known.last(key)
        leaving = body is not None and body["metadata"].get("deletionTimestamp") is not None
        self._wake(key, after=timedelta() if leaving else LINGER + timedelta(seconds=1))

    def _destinations(self, key: Key) -> list[Notification] | None:
        """Return who is to be told; None if that is not known, because the instance of an upgrade is not."""
        body = self._known.last(key)
        if key.kind == UPGRADE_KIND and body is not None:
            body = self._known.instance_named(*instance_of(key, body))
        if body is None:
            return None
        return [Notification.model_validate(it) for it in (body.get("spec") or {}).get("notifications") or ()]

    def _now(self) -> datetime:
        return self._clock().astimezone(UTC).replace(microsecond=0)


def _but_farewells(report: Report, box: Box) -> Report:
    """The last notification stays in the outbox until its object is gone: so it is known to have been said."""
    last = {entry.id for entry in box.pending if entry.event == NotificationEvent.INSTANCE_DELETED}
    return replace(report, settled=frozenset(it for it in report.settled if it[0] not in last)) if last else report


def _box(status: Any) -> Box:
    return Box(tuple(status.pending_notifications), tuple(status.notification_troubles))


def _stored(status: Body) -> Box:
    return Box(
        tuple(PendingNotification.model_validate(it) for it in status.get("pendingNotifications") or ()),
        tuple(NotificationTrouble.model_validate(it) for it in status.get("notificationTroubles") or ()),
    )


def _subject(key: Key) -> Subject:
    return Subject(key.kind, key.namespace, key.name, key.uid)


def _to(name: str, box: Box) -> list[PendingNotification]:
    return [entry for entry in box.pending if any(to.name == name for to in entry.to)]


def _letter(key: Key, entry: PendingNotification, destination: str) -> Letter:
    missed = next(to.missed for to in entry.to if to.name == destination)
    data = NoticeData(
        kind=key.kind,
        namespace=key.namespace,
        name=key.name,
        uid=key.uid,
        missed=missed,
        **entry.facts.model_dump(),
    )
    notice = Notice(type=entry.event, timestamp=entry.at, data=data)
    return Letter(entry.id, notice.model_dump_json(by_alias=True, exclude_none=True).encode())
