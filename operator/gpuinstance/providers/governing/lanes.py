"""The door of an account: who may send next, and who waits.

Used by `governor`. Whoever enters needs three things: a free place among the calls under way, a token of
the budget, and a breaker that lets it through. Those who wait stand in lanes. A higher lane goes before a
lower one, and within a lane the first who came goes first. Waiting ends for everybody: by going, by being
told that nobody goes, or after `patience` seconds. Nothing has been sent before a wait ends well.

There is no loop here and no task: a wait ends when somebody leaves, or at one alarm of the event loop,
which is set to the next moment at which anything can change.
"""

from __future__ import annotations

import asyncio
import bisect
import contextvars
import copy
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from gpuinstance.providers.base import ProviderError, Unavailable
from gpuinstance.providers.governing.breaker import Breaker, Ticket
from gpuinstance.providers.governing.budget import TokenBucket

_ROUNDING = 1e-6
"""Seconds by which an alarm may ring before its time."""


class Lane(Enum):
    """In the order in which they are served."""

    URGENT = "urgent"
    """What ends a cost: deletes and stops."""
    CHANGES = "changes"
    """What a user has asked for, and the single reads that belong to it."""
    POLLS = "polls"
    """What comes again by itself: listings and the catalogue."""


@dataclass(slots=True, eq=False)
class _Waiter:
    deadline: float
    turn: asyncio.Future[ProviderError | None]
    """None: go; an error: do not."""
    number: int = 0
    """That of the call, for who is inside."""
    ticket: Ticket | None = None
    """For who was let in."""


class Door:
    """Lets calls enter and leave.

    At most `concurrency` are inside. Of these places some can only be taken by higher lanes, so that slow
    polls never take all of them. At most `queue` callers wait in a lane.
    """

    def __init__(
        self,
        bucket: TokenBucket,
        breaker: Breaker,
        *,
        concurrency: int,
        queue: int,
        patience: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._bucket = bucket
        self._breaker = breaker
        self._queue = queue
        self._patience = patience
        self._now = monotonic
        self._places = _places(concurrency)
        self._inside = 0
        self._outside: dict[Lane, list[_Waiter]] = {lane: [] for lane in Lane}
        # They have a place, on which others may be waiting, and need a token only. So they go before
        # those of their own lane who have none: behind them they could wait for each other. Among
        # themselves the call goes first that entered first: twenty calls of three requests that went on
        # in turns would all be late, where some of them can be done.
        self._going_on: dict[Lane, list[_Waiter]] = {lane: [] for lane in Lane}
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many wait, inside and outside."""
        return sum(map(len, self._lines()))

    def resize(self, concurrency: int) -> None:
        """From now on let so many be inside; those who are stay, and whoever waits is looked at anew."""
        self._places = _places(concurrency)
        self._let_go()

    async def enter(self, lane: Lane) -> Ticket:
        """Wait for a place and a token. The caller must `leave`.

        Raises Unavailable with code QueueFull or WaitedTooLong, and whatever `send_away` is given.
        """
        line = self._outside[lane]
        if len(line) >= self._queue:
            raise Unavailable("nothing was sent: too many calls of this account wait already", code="QueueFull")
        waiter = self._waiter(self._now() + self._patience)
        line.append(waiter)
        await self._wait(line, waiter)
        assert waiter.ticket is not None
        return waiter.ticket

    async def go_on(self, lane: Lane, ticket: Ticket, *, deadline: float) -> None:
        """Wait for a token for one more request of a call that is inside, until `deadline` at most.

        Raises Unavailable with code WaitedTooLong, and whatever `send_away` is given.
        """
        line, waiter = self._going_on[lane], self._waiter(deadline, ticket.number)
        bisect.insort(line, waiter, key=lambda it: it.number)
        await self._wait(line, waiter)

    def leave(self, ticket: Ticket) -> None:
        """Give the place to whoever is next."""
        self._inside -= 1
        self._breaker.leave(ticket)
        self._let_go()

    def send_away(self, error: ProviderError) -> None:
        """Let everybody who waits end with this error."""
        for line in self._lines():
            while line:
                _tell(line.pop(0), copy.copy(error))
        self._set_alarm()

    def _waiter(self, deadline: float, number: int = 0) -> _Waiter:
        return _Waiter(deadline, asyncio.get_running_loop().create_future(), number)

    async def _wait(self, line: list[_Waiter], waiter: _Waiter) -> None:
        self._let_go()
        try:
            error = await waiter.turn
        except asyncio.CancelledError:
            if waiter in line:
                line.remove(waiter)
            elif waiter.ticket is not None:
                self.leave(waiter.ticket)  # it was let in, and cancelled before it knew
            raise
        if error is not None:
            raise error

    def _let_go(self) -> None:
        """Let everybody go who may, and everybody give up who has waited too long."""
        now = self._now()
        for line in self._lines():
            for late in [it for it in line if it.deadline <= now + _ROUNDING]:
                line.remove(late)
                text = f"nothing was sent: its turn did not come within {self._patience:g} s"
                _tell(late, Unavailable(text, code="WaitedTooLong"))
        for lane in Lane:
            going_on, outside = self._going_on[lane], self._outside[lane]
            while going_on and self._bucket.take(now):
                _tell(going_on.pop(0), None)
            while outside and self._has_place(lane, now) and self._bucket.take(now):
                waiter = outside.pop(0)
                if _tell(waiter, None):
                    waiter.ticket = self._breaker.enter()
                    self._inside += 1
        self._set_alarm()

    def _has_place(self, lane: Lane, now: float) -> bool:
        return self._inside < self._places[lane] and self._breaker.may_enter(now)

    def _set_alarm(self) -> None:
        """Look again when the first deadline or the next token comes. Places are given on by who leaves."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        deadlines = [it.deadline for line in self._lines() for it in line]
        if not deadlines:
            return
        now = self._now()
        pause = min(deadlines) - now
        if (token := self._bucket.seconds_to_token(now)) > 0:
            pause = min(pause, token)
        # An empty context: the log fields of one caller are not those of all who come after.
        self._alarm = asyncio.get_running_loop().call_later(
            max(pause, 0.0), self._let_go, context=contextvars.Context()
        )

    def _lines(self) -> tuple[list[_Waiter], ...]:
        return (*self._going_on.values(), *self._outside.values())


def _places(concurrency: int) -> dict[Lane, int]:
    """Return how many may be inside when somebody of a lane enters."""
    kept_free = min(2, (concurrency - 1) // len(Lane))
    return {lane: concurrency - kept_free * rank for rank, lane in enumerate(Lane)}


def _tell(waiter: _Waiter, error: ProviderError | None) -> bool:
    """End a wait; False if it was cancelled in this very moment."""
    if waiter.turn.done():
        return False
    waiter.turn.set_result(error)
    return True
