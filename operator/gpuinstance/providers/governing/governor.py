"""Lets the calls of one account out, one after the other, and learns from how they end.

Used by `governed`, which knows the calls; this room knows only their errands. Whether a call may go out
at all is said by `lessons`, when its turn is by `lanes`. Whoever comes during a pause is told so at once,
with the time that is left: nobody queues for a pause.

No call is bounded in time here: `http` bounds each attempt, and knows whether a byte of it was sent. Only
the wait before sending is bounded, where giving up can be taken for nothing else.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import structlog

from gpuinstance.providers.base import ProviderError, RateLimited, Unavailable
from gpuinstance.providers.governing.breaker import Breaker, Circuit, Ticket, Tolerance
from gpuinstance.providers.governing.budget import TokenBucket
from gpuinstance.providers.governing.lanes import Door
from gpuinstance.providers.governing.leave import governed_by
from gpuinstance.providers.governing.lessons import Errand, Lessons, Pauses

_log = structlog.get_logger(__name__)

_LOCAL = frozenset({"QueueFull", "WaitedTooLong", "Closed"})
"""Codes of errors that only this operator knows, and that say more than their reason."""

_LEAST_RATE = 0.2
"""Requests a second: a call of three requests gets through within the usual patience."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one account may do."""

    rate: float = 100.0
    """Requests a second."""
    burst: float = 500.0
    """Requests that may go out at once after a quiet time."""
    concurrency: int = 20
    """Calls under way: no more than the adapter has connections, so that nothing waits there."""
    patience: float = 15.0
    """Seconds that a request waits for its turn at most. All requests of a change have to leave within this
    time, also where it looks first and changes last: it passes between a saved intent and its effect, so
    the settle window has to hold it."""
    queue: int = 1000
    """Callers that may wait in one lane: as many as there can be workers."""
    tolerance: Tolerance = field(default_factory=Tolerance)
    pauses: Pauses = field(default_factory=Pauses)

    def share(self, shares: int) -> Allowance:
        """Return one of so many equal parts of it: together they are no more than the whole.

        But one call at a time, and a request every few seconds, is what nobody can work without.
        """
        rate = min(self.rate, max(self.rate / shares, _LEAST_RATE))
        concurrency = max(self.concurrency // shares, 1)
        return replace(self, rate=rate, burst=max(self.burst / shares, 1.0), concurrency=concurrency)


class Notes(Protocol):
    """Where waits and refusals are counted; implemented by the room of metrics."""

    def provider_waited(self, *, provider: str, lane: str, seconds: float) -> None:
        """A call has got its turn."""

    def provider_refused(self, *, provider: str, reason: str) -> None:
        """A call was not sent: for the reason of its error, or `QueueFull`, `WaitedTooLong`, `Closed`."""


@dataclass(slots=True)
class _Visit:
    """A call that is inside."""

    errand: Errand
    ticket: Ticket
    arrived: float
    has_token: bool = True
    """It has entered with the token of its first request."""
    turned_back: bool = False
    """One of its requests was not sent: how it ends then says nothing about the provider."""


class Governor:
    """Use one for each account. `provider` is the name as in `spec.provider`."""

    def __init__(
        self, provider: str, allowance: Allowance, notes: Notes, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        now = monotonic()
        self.provider = provider
        self.is_closed = False
        self._used_at = now
        self._notes = notes
        self._now = monotonic
        self._patience = allowance.patience
        self._whole = allowance
        self._bucket = TokenBucket(allowance.rate, allowance.burst, now=now)
        self._breaker = Breaker(allowance.tolerance)
        self._lessons = Lessons(provider, self._breaker, allowance.pauses)
        self._door = Door(
            self._bucket,
            self._breaker,
            concurrency=allowance.concurrency,
            queue=allowance.queue,
            patience=allowance.patience,
            monotonic=monotonic,
        )

    @property
    def circuit(self) -> Circuit:
        """The state of the breaker."""
        return self._breaker.circuit(self._now())

    @property
    def tokens(self) -> float:
        """Requests that could go out at this moment."""
        return self._bucket.tokens(self._now())

    @property
    def idle_seconds(self) -> float:
        """How long nobody has wanted to call."""
        return self._now() - self._used_at

    async def call(self, errand: Errand, send: Callable[[], Awaitable[Result]]) -> Result:
        """Await `send()` when its turn comes, and return what it brings.

        Raises RateLimited, Unauthorized, CircuitOpen or another Unavailable without having called `send`,
        the error of the same question asked before, and whatever `send` raises.
        """
        self._used_at = arrived = self._now()
        self._require_leave(errand)
        try:
            ticket = await self._door.enter(errand.lane)
        except ProviderError as error:
            raise self._counted(error) from None
        try:
            self._require_leave(errand)  # something may have come up since it was let in
            seconds = self._now() - arrived
            self._notes.provider_waited(provider=self.provider, lane=errand.lane.value, seconds=seconds)
            return await self._judged(_Visit(errand, ticket, arrived), send)
        finally:
            self._door.leave(ticket)

    def divide(self, shares: int) -> None:
        """From now on use one of so many parts of the allowance: other processes use the rest."""
        part = self._whole.share(shares)
        self._bucket.change(part.rate, part.burst, self._now())
        self._door.resize(part.concurrency)

    def close(self) -> None:
        """Send everybody away who waits, and let nobody in any more."""
        self.is_closed = True
        self._door.send_away(_closed())

    def _require_leave(self, errand: Errand) -> None:
        refusal = _closed() if self.is_closed else self._lessons.refusal(errand, self._now())
        if refusal is not None:
            raise self._counted(refusal)

    async def _go_on(self, visit: _Visit) -> None:
        """Give leave to one request of a call that is inside."""
        try:
            self._require_no_silence()
            if not visit.has_token:
                since = self._now() if visit.errand.is_question else visit.arrived
                await self._door.go_on(visit.errand.lane, visit.ticket, deadline=since + self._patience)
                self._require_no_silence()
            visit.has_token = False
        except ProviderError as error:
            visit.turned_back = True
            raise self._counted(error) from None

    def _require_no_silence(self) -> None:
        refusal = _closed() if self.is_closed else self._lessons.silence(self._now())
        if refusal is not None:
            raise refusal

    async def _judged(self, visit: _Visit, send: Callable[[], Awaitable[Result]]) -> Result:
        try:
            with governed_by(functools.partial(self._go_on, visit)):
                result = await send()
        except ProviderError as error:
            if visit.turned_back:
                raise
            told = self._learn(visit, error)
            if told is error:
                raise
            raise told from None
        before = self.circuit
        self._lessons.succeeded(visit.errand, visit.ticket)
        self._tell_of_circuit(before)
        return result

    def _learn(self, visit: _Visit, error: ProviderError) -> ProviderError:
        before, now = self.circuit, self._now()
        lesson = self._lessons.failed(visit.errand, visit.ticket, error, now)
        self._tell_of_circuit(before, error)
        if isinstance(error, RateLimited):
            self._bucket.close_until(self._lessons.quiet_until)
            seconds = round(self._lessons.quiet_until - now, 1)
            _log.warning("the provider asks for a pause", provider=self.provider, seconds=seconds)
        if lesson.told_to_all is not None:
            self._door.send_away(lesson.told_to_all)
        return lesson.told

    def _tell_of_circuit(self, before: Circuit, error: ProviderError | None = None) -> None:
        """An outage is told once, and its end once; a probe that fails in between is not."""
        after = self.circuit
        if before is Circuit.CLOSED and after is Circuit.OPEN:
            text = error.message if error is not None else None
            _log.warning("the circuit has opened: no calls for a while", provider=self.provider, error=text)
        elif before is not Circuit.CLOSED and after is Circuit.CLOSED:
            _log.info("the circuit has closed: calls go out again", provider=self.provider)

    def _counted(self, error: ProviderError) -> ProviderError:
        self._notes.provider_refused(
            provider=self.provider, reason=error.code if error.code in _LOCAL else error.reason
        )
        return error


def _closed() -> Unavailable:
    return Unavailable("nothing was sent: the account has been closed", code="Closed")
