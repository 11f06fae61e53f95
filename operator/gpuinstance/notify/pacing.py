"""How often a receiver is tried, and how much may be under way to it at once.

One that fails is left alone for longer and longer, by all of a namespace who have something for it; so are
single notifications. No receiver, however slow, takes more than a few of the places from the others; and at
each of them namespaces take turns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gpuinstance.notify.turns import Turns

MOST_PER_HOST = 8
_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 3600.0
_LONGEST_REST = 300.0
LONGEST_ASKED = 3600.0
"""What a receiver may ask for at most, in seconds: far less than a notification's patience."""
_MOST_RESTING = 2000

Waiting = TypeVar("Waiting")


def pause(failures: int, jitter: float) -> float:
    """Return the seconds until the next try, after so many in a row that failed: 5 s, doubling to an hour.

    `jitter` is a factor around 1.
    """
    return float(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures - 1, 20)) * jitter)


@dataclass(slots=True)
class _Rest:
    failures: int
    until: float


class Rests:
    """Addresses that are left alone for a while, by the namespace that found out. `clock` counts seconds.

    What one finds out holds for no other: a delivery may also fail of what its own namespace does, such as to
    wait for a turn with the resolver behind names that never resolve.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._resting: dict[tuple[str, str], _Rest] = {}

    def left(self, namespace: str, url: str) -> float:
        """Return for how many seconds the address is still to be left alone."""
        rest = self._resting.get((namespace, url))
        return 0.0 if rest is None else max(0.0, rest.until - self._clock())

    def failed(self, namespace: str, url: str, asked_for: float | None) -> None:
        """The address has no time now; `asked_for` are the seconds that it asks for itself."""
        before = self._resting.pop((namespace, url), None)
        failures = before.failures + 1 if before is not None else 1
        seconds = min(_LONGEST_REST, _FIRST_PAUSE * 2.0 ** min(failures - 1, 20))
        seconds = max(seconds, min(asked_for or 0.0, LONGEST_ASKED))
        self._resting[namespace, url] = _Rest(failures, self._clock() + seconds)
        while len(self._resting) > _MOST_RESTING:
            del self._resting[next(iter(self._resting))]

    def answered(self, namespace: str, url: str) -> None:
        """The address has answered."""
        self._resting.pop((namespace, url), None)


class Doors(Generic[Waiting]):
    """How many are on their way to each host, and who waits for one of these places."""

    def __init__(self, most: int = MOST_PER_HOST) -> None:
        self._most = most
        self._inside: defaultdict[str, int] = defaultdict(int)
        self._queues: defaultdict[str, Turns[Waiting]] = defaultdict(Turns)

    def enter(self, host: str, who: Waiting, namespace: str) -> bool:
        """Take a place; False if there is none, and then `leave` will hand one over."""
        if self._inside[host] >= self._most:
            self._queues[host].add(namespace, who)
            return False
        self._inside[host] += 1
        return True

    def leave(self, host: str) -> Waiting | None:
        """Give a place back; return to whom it is handed over, who has to leave in turn."""
        queue = self._queues.get(host)
        following = queue.take() if queue is not None else None
        if not queue:
            self._queues.pop(host, None)
        if following is not None:
            return following
        self._inside[host] -= 1
        if not self._inside[host]:
            del self._inside[host]
        return None
