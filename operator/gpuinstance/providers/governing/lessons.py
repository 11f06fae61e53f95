"""What the answers of one account have taught, and what follows for the calls after them.

Used by `governor`. Pure: the caller tells the time, and does what is decided here.

- 429: nothing leaves before the time that the provider has named, or before a growing pause is over;
- a refused API key: nothing leaves but, after growing pauses, the listing, with which a key is tried;
- a provider that is broken: the breaker opens;
- a question about one thing that brings an error each time: only that question is held back.

What is refused here has not been sent. It is refused in the same words for as long as it is, because
they end up in conditions.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpuinstance.providers.base import (
    CircuitOpen,
    IncompleteListing,
    NotFound,
    NotLeading,
    ProviderError,
    RateLimited,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
)
from gpuinstance.providers.governing.breaker import Breaker, Circuit, Ticket
from gpuinstance.providers.governing.lanes import Lane
from gpuinstance.providers.governing.pauses import GrowingPause, Grudges

LISTING = "list_machines"
"""Every account may list its machines: a key for which that is refused is refused altogether, one for
which something else is refused may do the rest."""

_MOST_QUESTIONS = 1000
"""Failing questions that are remembered."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """(first, longest) of the pauses that grow, in seconds."""

    after_429: tuple[float, float] = (5.0, 300.0)
    """Where it names no time."""
    refused_key: tuple[float, float] = (10.0, 600.0)
    """A key that is accepted again without being changed is noticed within ten minutes."""
    failing_question: tuple[float, float] = (5.0, 300.0)
    """Ten minutes is the slowest retry of the core; what it asks for should not add to that."""


@dataclass(frozen=True, slots=True)
class Errand:
    """A call, as far as governing it needs to know it."""

    lane: Lane
    operation: str
    """The name of a method of `Provider`."""
    about: str = ""
    """The machine, name or other single thing that the call is about; empty: the account."""
    is_question: bool = False
    """True: it reads. False: it changes something; how often that is repeated is decided in the core."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What follows from an error."""

    told: ProviderError
    """What the caller is told."""
    told_to_all: ProviderError | None = None
    """What those are told who wait for their turn; None: they may go on waiting."""


class Lessons:
    """The lessons of one account at `provider`, which goes into messages."""

    def __init__(self, provider: str, breaker: Breaker, pauses: Pauses) -> None:
        self._provider = provider
        self._breaker = breaker
        self._quiet = GrowingPause(*pauses.after_429)
        self._key = Grudges(*pauses.refused_key, size=1)
        self._questions = Grudges(*pauses.failing_question, size=_MOST_QUESTIONS)
        self._trouble = ""

    @property
    def quiet_until(self) -> float:
        """The moment before which nothing leaves; long ago if the provider has never asked for a pause."""
        return self._quiet.until

    def silence(self, now: float) -> RateLimited | None:
        """Return why nobody may send anything, not even the next page of a listing."""
        left = self._quiet.left(now)
        if left <= 0:
            return None
        return RateLimited(f"nothing was sent: {self._provider} has asked for a pause", retry_after=left)

    def refusal(self, errand: Errand, now: float) -> ProviderError | None:
        """Return why this call may not go out now, None if it may."""
        refusal = self.silence(now) or self._key.refusal(LISTING, now)
        if refusal is None and self._breaker.circuit(now) is Circuit.OPEN:
            return self._circuit_open(now)
        if refusal is None and errand.is_question:
            return self._questions.refusal(_question(errand), now)
        return refusal

    def succeeded(self, errand: Errand, ticket: Ticket) -> None:
        """The provider has done what was asked."""
        self._breaker.succeeded(ticket)
        self._quiet.shrink()
        self._forgive(errand)

    def failed(self, errand: Errand, ticket: Ticket, error: ProviderError, now: float) -> Lesson:
        """The call ended with an error."""
        if isinstance(error, NotLeading):
            return Lesson(error)  # the provider was not asked
        if _is_broken(error):
            self._resent(errand, error, now)
            return self._suffered(errand, ticket, error, now)
        self._breaker.succeeded(ticket)  # a definite no is an answer, and so is one that cannot be used
        if isinstance(error, RateLimited):
            return self._keep_quiet(error, now)
        if isinstance(error, NotFound):
            self._forgive(errand)
            return Lesson(error)
        if isinstance(error, Unauthorized) and errand.operation == LISTING:
            self._key.failed(LISTING, error, now)
            return Lesson(error, told_to_all=error)
        self._resent(errand, error, now)
        return Lesson(error)

    def _keep_quiet(self, error: RateLimited, now: float) -> Lesson:
        if error.retry_after:
            self._quiet.last_for(error.retry_after, now)
        else:  # no time was named, or one that is over already: clocks differ
            self._quiet.begin(now)
        told = RateLimited(error.message, retry_after=self._quiet.left(now), code=error.code)
        return Lesson(told, told_to_all=self.silence(now))

    def _suffered(self, errand: Errand, ticket: Ticket, error: ProviderError, now: float) -> Lesson:
        was_closed = self._breaker.circuit(now) is Circuit.CLOSED
        if not self._breaker.failed(ticket, now, about=errand.about or None):
            return Lesson(error)
        if was_closed:
            self._trouble = error.message
        to_all = self._circuit_open(now)
        # A failed probe says what was said before it: conditions would change to and fro with each.
        # A change without an answer stays what it is.
        is_as_before = ticket.is_probe and isinstance(error, Unavailable)
        return Lesson(to_all if is_as_before else error, told_to_all=to_all)

    def _circuit_open(self, now: float) -> CircuitOpen:
        text = f"nothing is sent for a while, because call after call has failed; one of them: {self._trouble}"
        return CircuitOpen(text, retry_after=self._breaker.seconds_to_probe(now))

    def _resent(self, errand: Errand, error: ProviderError, now: float) -> None:
        """Hold a question back. A listing that fails is shared for a moment, and otherwise the breaker's affair."""
        if errand.is_question and errand.operation != LISTING:
            self._questions.failed(_question(errand), error, now)

    def _forgive(self, errand: Errand) -> None:
        if errand.operation == LISTING:
            self._key.answered(LISTING)
        elif errand.is_question:
            self._questions.answered(_question(errand))


def _is_broken(error: ProviderError) -> bool:
    """Return whether an error means that the provider is broken, or cannot be reached."""
    if isinstance(error, IncompleteListing):
        # Pages that contradict each other have all come: machines come and go, and many of ours may be going.
        return error.__cause__ is not None
    return isinstance(error, Unavailable | UnknownOutcome)


def _question(errand: Errand) -> tuple[str, str]:
    return errand.operation, errand.about
