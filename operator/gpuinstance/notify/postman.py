"""Who gets what, in which order, and when it is tried again.

Told by each pass what an object's status still holds, and asked for a report of what has become of it; so it
may be forgotten at any moment, and learns all of it anew after a restart. For each object and destination there
is one lane: its first letter is delivered, or tried again for as long as the status holds it, before the next one.
A lane that waits costs a timer and no task; the number of deliveries under way is bounded, for each namespace to
half of that, and namespaces take turns: nobody else's receivers delay one for longer than a few deliveries take.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol
from urllib.parse import urlsplit

import structlog

from gpuinstance.core.outbox import Report
from gpuinstance.guard import on_behalf_of
from gpuinstance.notify.delivery import Outcome, Result
from gpuinstance.notify.lanes import Lane, Post, cancel, close
from gpuinstance.notify.letters import Letter, Mailing, ReadSecret, Subject
from gpuinstance.notify.pacing import LONGEST_ASKED, Doors, Rests, pause
from gpuinstance.notify.preparing import NotReady, prepared
from gpuinstance.notify.signing import fingerprint
from gpuinstance.notify.turns import Turns

_log = structlog.get_logger(__name__)

MOST_AT_ONCE = 64
_TELL_AFTER = 5
"""Failed tries in a row after which a receiver counts as trouble; what waiting cannot cure does so at once."""
_LONGEST_PAUSE_FOR_SECRET = 60.0
_LONG = 600.0
"""Seconds; whoever has to wait for so long is told so, however seldom it was tried."""
_UNTIL_LEADING = 5.0
_SPREAD_SECONDS = 5.0


class Sends(Protocol):
    """What sends one letter; see `Deliverer`."""

    def send(self, url: str, letter: Letter, secrets: Sequence[bytes]) -> Awaitable[Outcome]:
        """Send it now. Raises nothing but cancellation."""

    async def aclose(self) -> None:
        """Close all connections."""


class Postman:
    """All deliveries of one process.

    `may_send` is asked right before each delivery. `news` hears of an object of which there is something new to
    report. `record` hears the result of each try. `jitter` returns the factor, around 1, by which a pause is stretched.
    """

    def __init__(
        self,
        sender: Sends,
        read_secret: ReadSecret,
        *,
        may_send: Callable[[], bool],
        news: Callable[[Subject], None] = lambda _: None,
        record: Callable[[str], None] = lambda _: None,
        jitter: Callable[[], float] = lambda: random.uniform(0.5, 1.5),  # noqa: S311 - it spreads load
        most_at_once: int = MOST_AT_ONCE,
    ) -> None:
        self._sender = sender
        self._read_secret = read_secret
        self._may_send = may_send
        self.news = news
        self._record = record
        self._jitter = jitter
        self._most = most_at_once
        self._share = max(1, most_at_once // 2)
        """Of one namespace: the rest is left for who comes next."""
        self._posts: dict[Subject, Post] = {}
        self._ready: Turns[tuple[Lane, str | None]] = Turns()
        self._busy: Counter[str] = Counter()
        """How many tasks each namespace has."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._doors: Doors[Lane] = Doors()
        self._rests = Rests(lambda: asyncio.get_running_loop().time())
        self._stopped = False

    @property
    def waiting(self) -> int:
        """How many deliveries are still to be made."""
        return sum(len(lane.letters) for post in self._posts.values() for lane in post.lanes.values())

    def carry(self, subject: Subject, mailings: Sequence[Mailing]) -> None:
        """Take note of all that an object's saved status holds; what it does not hold is of no interest any more."""
        if self._stopped or (not mailings and subject not in self._posts):
            return
        post = self._posts.setdefault(subject, Post())
        wanted = {mailing.destination.name: mailing for mailing in mailings}
        post.settled &= {(letter.id, name) for name, it in wanted.items() for letter in it.letters}
        for name in post.lanes.keys() - wanted.keys():
            close(post.lanes.pop(name))
        for name, mailing in wanted.items():
            lane = post.lanes.get(name)
            if lane is None:
                lane = post.lanes[name] = Lane(subject, mailing)
            elif lane.mailing.destination != mailing.destination:  # somebody may have mended it: try at once
                lane.failures, lane.trouble, lane.gone = 0, None, None
                cancel(lane)
            lane.mailing = mailing
            lane.letters = tuple(letter for letter in mailing.letters if (letter.id, name) not in post.settled)
            self._begin(lane)
        if not post.lanes:
            del self._posts[subject]

    def report(self, subject: Subject) -> Report:
        """Return what has been found out, as long as the object's status does not show it."""
        post = self._posts.get(subject)
        if post is None:
            return Report()
        return Report(
            settled=frozenset(post.settled),
            troubles={name: lane.trouble for name, lane in post.lanes.items() if lane.trouble is not None},
            gone={name: lane.gone for name, lane in post.lanes.items() if lane.gone is not None},
            fine=frozenset(name for name, lane in post.lanes.items() if lane.fine),
        )

    def forget(self, subject: Subject) -> None:
        """The object is gone: nothing more is told of it."""
        post = self._posts.pop(subject, None)
        for lane in post.lanes.values() if post is not None else ():
            close(lane)

    async def stop(self) -> None:
        """Deliver nothing more; what is under way is given up, and delivered again by whoever comes next."""
        self._stopped = True
        for subject in list(self._posts):
            self.forget(subject)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sender.aclose()

    # ------------------------------------------------------------------------------------ one lane at a time

    def _begin(self, lane: Lane, *, after: float = 0.0) -> None:
        """Let the lane's first letter be delivered, unless that is under way or waits for its time already."""
        if lane.closed or lane.under_way or lane.timer is not None or not lane.letters:
            return
        lane.timer = asyncio.get_running_loop().call_later(after, self._start, lane)

    def _start(self, lane: Lane, place: str | None = None) -> None:
        """Begin a try as soon as one of the tasks is free; `place` is the host at which the lane has one already."""
        if self._stopped:
            return
        lane.timer, lane.under_way = None, True
        if not self._has_room(lane.subject.namespace):
            # Who holds a place at a host keeps others of that host waiting.
            self._ready.add(lane.subject.namespace, (lane, place), urgent=place is not None)
            return
        self._launch(lane, place)

    def _has_room(self, namespace: str) -> bool:
        return len(self._tasks) < self._most and self._busy[namespace] < self._share

    def _launch(self, lane: Lane, place: str | None) -> None:
        namespace = lane.subject.namespace
        task = asyncio.create_task(self._run(lane, place))
        self._tasks.add(task)
        self._busy[namespace] += 1
        task.add_done_callback(lambda ended: self._ended(ended, namespace))

    def _ended(self, task: asyncio.Task[None], namespace: str) -> None:
        self._tasks.discard(task)
        self._busy[namespace] -= 1
        if not self._busy[namespace]:
            del self._busy[namespace]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a delivery failed unexpectedly", exc_info=error)
        while not self._stopped and (following := self._ready.take(self._has_room)) is not None:
            self._launch(*following)

    async def _run(self, lane: Lane, place: str | None) -> None:
        """One try, or the finding that it is not its time; in any case the lane knows when to go on."""
        on_behalf_of.set(lane.subject.namespace)
        after: float | None = pause(lane.failures + 1, self._jitter())  # should anything unforeseen happen
        try:
            after, place = await self._try(lane, place)
        finally:
            if place is not None and (following := self._doors.leave(place)) is not None:
                self._start(following, place)
            if after is not None:
                lane.under_way = False
                if not self._stopped:
                    self._begin(lane, after=after)

    async def _try(self, lane: Lane, place: str | None) -> tuple[float | None, str | None]:
        """Return the seconds until the lane goes on, None if it waits at a door, and the place that it still has."""
        if lane.closed or not lane.letters:
            return 0.0, place
        if not self._may_send():
            return _UNTIL_LEADING, place
        letter = lane.letters[0]
        try:
            url, secrets = await prepared(lane.mailing.destination, lane.subject.namespace, self._read_secret)
        except NotReady as error:
            return self._fail(lane, Outcome(Result.NOT_READY, str(error)), ""), place
        mark = fingerprint(secrets, url)
        if mark == (lane.gone or lane.mailing.gone):
            self._leave_alone(lane, mark)
            return 0.0, place
        if (rest := self._rests.left(lane.subject.namespace, url)) > 0:
            return rest + _SPREAD_SECONDS * self._jitter(), place
        host = _host_in(url)
        if place != host:
            if place is not None and (following := self._doors.leave(place)) is not None:
                self._start(following, place)
            if not self._doors.enter(host, lane, lane.subject.namespace):
                return None, None
        if self._is_off(lane):  # much may have happened while it waited at the door
            return _UNTIL_LEADING, host
        outcome = await self._sender.send(url, letter, secrets)
        return self._conclude(lane, letter, url, mark, outcome), host

    def _is_off(self, lane: Lane) -> bool:
        return lane.closed or not self._may_send()

    # ------------------------------------------------------------------------------------ what follows from it

    def _conclude(self, lane: Lane, letter: Letter, url: str, mark: str, outcome: Outcome) -> float:
        """Return the seconds until the lane goes on."""
        if outcome.result in (Result.SLOWED, Result.UNREACHABLE):
            self._rests.failed(lane.subject.namespace, url, outcome.retry_after)
        else:
            self._rests.answered(lane.subject.namespace, url)
        if outcome.result is Result.GONE:
            self._leave_alone(lane, mark)
            return 0.0
        if outcome.result is not Result.DELIVERED:
            return self._fail(lane, outcome, url)
        self._record(outcome.result)
        lane.failures, lane.trouble, lane.gone, lane.fine = 0, None, None, True
        self._settle(lane, letter)
        self._announce(lane)
        return 0.0

    def _leave_alone(self, lane: Lane, mark: str) -> None:
        """The destination is gone: all that waits for it is settled, and so is what follows, until it changes."""
        self._record(Result.GONE)
        lane.failures, lane.trouble, lane.gone, lane.fine = 0, None, mark, False
        for letter in lane.letters:
            self._settle(lane, letter)
        self._announce(lane)

    def _fail(self, lane: Lane, outcome: Outcome, url: str) -> float:
        self._record(outcome.result)
        lane.failures += 1
        wait = max(pause(lane.failures, self._jitter()), self._rests.left(lane.subject.namespace, url))
        if outcome.result is Result.NOT_READY:
            wait = min(wait, _LONGEST_PAUSE_FOR_SECRET)
        wait = max(wait, min(outcome.retry_after or 0.0, LONGEST_ASKED))
        hopeless = outcome.result in (Result.NOT_READY, Result.NOT_ALLOWED) or wait >= _LONG
        if (hopeless or lane.failures >= _TELL_AFTER) and lane.trouble != outcome.words:
            lane.trouble, lane.fine = outcome.words, False
            self._announce(lane)
        return wait

    def _settle(self, lane: Lane, letter: Letter) -> None:
        lane.letters = tuple(it for it in lane.letters if it.id != letter.id)
        post = self._posts.get(lane.subject)
        if post is not None:
            post.settled.add((letter.id, lane.mailing.destination.name))

    def _announce(self, lane: Lane) -> None:
        if not lane.closed:
            self.news(lane.subject)


def _host_in(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""  # such an address is refused when it is used
