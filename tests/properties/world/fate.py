"""What goes wrong, and when: troubles are planned for the n-th call of a kind that is yet to come.

The API server and the cloud of this world ask here at each call; the story plans. Nothing is random, so
that a failing story replays.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum


class Crash(BaseException):
    """The operator's process dies here. No `except Exception` survives it."""


class Kind(Enum):
    """The calls that can go wrong."""

    CHANGE = "a change at the provider"
    LOOK = "a read from the provider"
    WRITE = "a write to Kubernetes"
    READ = "a read from Kubernetes"
    RELEASE = "the removal of the finalizer"


class Trouble(Enum):
    """What can happen to one call."""

    CRASH_BEFORE = "the process dies before the request is sent"
    CRASH_AFTER = "the request takes effect and the process dies before it sees the answer"
    LOST_REQUEST = "the request never arrives, and the caller cannot know"
    LOST_ANSWER = "the request takes effect, and its answer is lost"
    LATE = "the caller gives up waiting, and the request takes effect only then"
    UNAVAILABLE = "a definite refusal: not now"
    RATE_LIMITED = "a definite refusal: too many calls"
    NO_CAPACITY = "a definite refusal: none to sell"
    UNAUTHORIZED = "a definite refusal: the key is not accepted"
    REJECTED = "a definite refusal: not like this"
    CONFLICT = "somebody else has just changed the object"


TROUBLES: dict[Kind, tuple[Trouble, ...]] = {
    Kind.CHANGE: (
        Trouble.CRASH_BEFORE,
        Trouble.CRASH_AFTER,
        Trouble.LOST_REQUEST,
        Trouble.LOST_ANSWER,
        Trouble.LATE,
        Trouble.UNAVAILABLE,
        Trouble.RATE_LIMITED,
        Trouble.NO_CAPACITY,
        Trouble.UNAUTHORIZED,
        Trouble.REJECTED,
    ),
    Kind.LOOK: (Trouble.CRASH_BEFORE, Trouble.UNAVAILABLE, Trouble.UNAUTHORIZED),
    Kind.WRITE: (
        Trouble.CRASH_BEFORE,
        Trouble.CRASH_AFTER,
        Trouble.LOST_ANSWER,
        Trouble.UNAVAILABLE,
        Trouble.CONFLICT,
    ),
    Kind.READ: (Trouble.CRASH_BEFORE, Trouble.UNAVAILABLE),
    Kind.RELEASE: (Trouble.CRASH_BEFORE,),
}
"""Which troubles each kind of call can meet."""

PLANS = [(kind, trouble) for kind, troubles in TROUBLES.items() for trouble in troubles]


@dataclass(slots=True)
class Fate:
    """The troubles that are still to come."""

    _met: Counter[Kind] = field(default_factory=Counter)
    _planned: dict[tuple[Kind, int], Trouble] = field(default_factory=dict)
    _counted_from: Counter[Kind] = field(default_factory=Counter)
    struck: Counter[Trouble] = field(default_factory=Counter)
    """What has gone wrong so far."""

    def plan(self, kind: Kind, trouble: Trouble, *, after: int) -> None:
        """Let the call of this kind go wrong that comes after so many others."""
        self._planned[kind, self._met[kind] + after] = trouble

    def begin_counting(self) -> None:
        """Count the calls from here on."""
        self._counted_from = self._met.copy()

    def counted(self) -> Counter[Kind]:
        """Return how many calls of each kind were made since then."""
        return self._met - self._counted_from

    def relent(self) -> None:
        """Nothing goes wrong any more."""
        self._planned.clear()

    def meet(self, kind: Kind) -> Trouble | None:
        """A call is about to be made: what happens to it. Raises Crash where the process dies first."""
        trouble = self._planned.pop((kind, self._met[kind]), None)
        self._met[kind] += 1
        if trouble is None:
            return None
        self.struck[trouble] += 1
        if trouble is Trouble.CRASH_BEFORE:
            raise Crash(f"before {kind.value}")
        return trouble
