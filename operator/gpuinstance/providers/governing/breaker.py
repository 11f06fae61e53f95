"""The circuit breaker of one account: it stops calling a provider that is broken, and feels its way back.

Asked by `lanes` before a call enters, told by `governor` how it ended. Pure: the caller tells the time.

    Closed ── enough failures in a row ──▶ Open ── pause over ──▶ HalfOpen ── enough successes ──▶ Closed
                                            ▲                        │
                                            └────── one failure ─────┘   the next pause is longer

Failures in a row are counted by what they are about, so that one machine whose calls fail for ever
cannot close an account to all others. What was sent before a change of state says nothing about the
new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gpuinstance.providers.governing.pauses import GrowingPause


class Circuit(StrEnum):
    """The state of a breaker."""

    CLOSED = "Closed"
    """Calls go out."""
    HALF_OPEN = "HalfOpen"
    """One call at a time goes out, to see whether the provider has recovered."""
    OPEN = "Open"
    """No call goes out."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """When a breaker changes its state. Pauses are seconds."""

    failures: int = 5
    """Failures in a row that open it, each about something else."""
    successes: int = 2
    """Successful calls in a row that close it again: one could be luck."""
    first_pause: float = 10.0
    """Twice as long as a failed listing is shared, so that an outage costs less than without a breaker."""
    longest_pause: float = 60.0
    """An outage that is over is noticed within a minute."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A call that has entered."""

    number: int
    """Calls are numbered in the order in which they enter."""
    era: int
    """In which of its states the breaker was."""
    is_probe: bool


class Breaker:
    """Use one per account."""

    def __init__(self, tolerance: Tolerance) -> None:
        self._tolerance = tolerance
        self._pause = GrowingPause(tolerance.first_pause, tolerance.longest_pause)
        self._era = 0
        self._entered = 0
        self._is_tripped = False
        self._is_probing = False
        self._failed: set[object] = set()
        self._successes = 0

    def circuit(self, now: float) -> Circuit:
        """Return the state at that moment."""
        if not self._is_tripped:
            return Circuit.CLOSED
        return Circuit.OPEN if self._pause.left(now) > 0 else Circuit.HALF_OPEN

    def seconds_to_probe(self, now: float) -> float:
        """Return after how many seconds a call may go out again; 0 if one may now."""
        return self._pause.left(now) if self._is_tripped else 0.0

    def may_enter(self, now: float) -> bool:
        """Return whether a call may go out now."""
        circuit = self.circuit(now)
        return circuit is Circuit.CLOSED or (circuit is Circuit.HALF_OPEN and not self._is_probing)

    def enter(self) -> Ticket:
        """Let a call go out that may; it must `leave`."""
        self._is_probing = self._is_tripped
        self._entered += 1
        return Ticket(self._entered, self._era, self._is_tripped)

    def leave(self, ticket: Ticket) -> None:
        """A call has ended, well or badly or without an answer."""
        if ticket.is_probe:
            self._is_probing = False

    def succeeded(self, ticket: Ticket) -> None:
        """The provider has answered, if only with a definite no."""
        if ticket.era != self._era:
            return
        self._failed.clear()
        if self._is_tripped:
            self._successes += 1
            if self._successes >= self._tolerance.successes:
                self._is_tripped = False
                self._pause.shrink()
                self._era += 1

    def failed(self, ticket: Ticket, now: float, *, about: object = None) -> bool:
        """The provider could not be asked, or is broken. `about` None is about the whole account.

        Returns whether this has opened the breaker, or has opened it again.
        """
        if ticket.era != self._era:
            return False
        self._failed.add(about if about is not None else object())
        if not self._is_tripped and len(self._failed) < self._tolerance.failures:
            return False
        self._is_tripped = True
        self._successes = 0
        self._pause.begin(now)
        self._era += 1
        return True
