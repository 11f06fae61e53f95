"""One request for many who want the same answer, kept for a moment.

Called by `wrappers`. A flight is one call of the function behind; whoever asks while it is under way
waits for it, whoever asks soon afterwards gets what it brought, failure included. It runs as a task of
its own: a waiter who is cancelled leaves the others undisturbed, and a cancelled flight reaches its
waiters as Unavailable, never as a cancellation of theirs. Nothing here knows what is asked.
"""

from __future__ import annotations

import asyncio
import contextvars
import copy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from gpuinstance.providers.base import ProviderError, RateLimited, Unavailable

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Clock:
    """Two views of time: `now` for moments that are compared with others' moments, `monotonic` for ages."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    """Seconds from anywhere; never goes back."""


class _Flight(Generic[Value]):
    """One call, under way or landed."""

    def __init__(self, call: Callable[[], Awaitable[Value]], clock: Clock) -> None:
        self.started_at = clock.now()
        self.started = clock.monotonic()
        self.landed: float | None = None
        self.error: BaseException | None = None
        self._clock = clock

        async def fly() -> Value:
            return await call()

        # An empty context: the first caller's log fields are not those of everybody.
        self.task = asyncio.create_task(fly(), context=contextvars.Context())
        self.task.add_done_callback(self._land)

    def _land(self, task: asyncio.Task[Value]) -> None:
        self.landed = self._clock.monotonic()
        if task.cancelled():
            self.error = Unavailable("the shared request to the provider was cancelled")
        else:
            self.error = task.exception()

    def result(self, *, pause: float | None = None) -> Value:
        """Return what the landed flight brought, or raise a copy of its error.

        A copy, because one exception that is raised in a thousand tasks would gather the tracebacks of
        all. `pause` replaces the time that a RateLimited asks for by what is left of it.
        """
        if self.error is None:
            return self.task.result()
        if not isinstance(self.error, ProviderError):
            raise self.error
        error = copy.copy(self.error)
        if isinstance(error, RateLimited) and error.retry_after is not None and pause is not None:
            error.retry_after = pause
        raise error


class SingleFlight(Generic[Value]):
    """Shares the answers of one function without arguments.

    `failure_age` is how many seconds a failure is passed on without asking again; a RateLimited that
    names its time is passed on until then.
    """

    def __init__(self, call: Callable[[], Awaitable[Value]], *, clock: Clock, failure_age: float) -> None:
        self._call = call
        self._clock = clock
        self._failure_age = failure_age
        self._flight: _Flight[Value] | None = None

    async def get(self, *, max_age: float, not_before: datetime | None = None) -> Value:
        """Return an answer whose request was sent less than `max_age` seconds ago.

        A request under way is joined whatever its age. `not_before` asks for one that was sent at that
        moment or later; one that is sent after this call always satisfies.
        """
        arrived = self._clock.monotonic()
        while True:
            flight = self._flight
            if flight is None or not self._serves(flight, max_age):
                flight = self._flight = _Flight(self._call, self._clock)
            fresh = not_before is None or flight.started_at >= not_before or flight.started >= arrived
            if flight.landed is None:
                await asyncio.wait({flight.task})  # waits without owning: our cancellation is not its
                if fresh:
                    return flight.result()
            elif flight.error is not None:
                return flight.result(pause=self._failure_left(flight))
            elif fresh:
                return flight.result()
            elif self._flight is flight:
                self._flight = None

    @property
    def is_under_way(self) -> bool:
        """Whether a request is waiting for its answer."""
        return self._flight is not None and self._flight.landed is None

    def serves(self, max_age: float) -> bool:
        """Whether a caller would be given something without a new request."""
        return self._flight is not None and self._serves(self._flight, max_age)

    def holds(self, max_age: float) -> bool:
        """Whether there is an answer, and no failure, whose request was sent less than `max_age` seconds ago."""
        flight = self._flight
        has_answer = flight is not None and flight.landed is not None and flight.error is None
        return has_answer and self.serves(max_age)

    def cancel(self) -> None:
        """End a request under way; its waiters get Unavailable."""
        if self._flight is not None:
            self._flight.task.cancel()

    def _serves(self, flight: _Flight[Value], max_age: float) -> bool:
        if flight.landed is None:
            return True
        if flight.error is not None:
            return self._failure_left(flight) > 0
        return self._clock.monotonic() - flight.started < max_age

    def _failure_left(self, flight: _Flight[Value]) -> float:
        """Return for how many seconds more a landed failure speaks for the next caller."""
        if flight.landed is None or not isinstance(flight.error, ProviderError):
            return 0.0
        kept = self._failure_age
        if isinstance(flight.error, RateLimited) and flight.error.retry_after is not None:
            kept = flight.error.retry_after
        return flight.landed + kept - self._clock.monotonic()
