"""What is going to happen, and when: the cloud's list of appointments.

The cloud is advanced lazily: each look at it first runs whatever has become due, in order of time,
at the time for which it was set. So the result never depends on how often anybody looked.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

Action = Callable[[float], None]
"""Called with the time for which it was set, which may lie well before the moment of the call."""


class Agenda:
    """Appointments in virtual time. Those set for the same moment run in the order of setting."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Action]] = []
        self._numbers = count()

    def at(self, time: float, action: Action) -> None:
        """Set an appointment. There is no cancelling: an action checks whether it still matters."""
        heapq.heappush(self._heap, (time, next(self._numbers), action))

    def run(self, now: float) -> bool:
        """Run everything due up to `now`, also what is set meanwhile. True if anything ran."""
        ran = False
        while self._heap and self._heap[0][0] <= now:
            time, _, action = heapq.heappop(self._heap)
            action(time)
            ran = True
        return ran

    def next(self) -> float | None:
        """When the next appointment is due; None if there is none."""
        return self._heap[0][0] if self._heap else None
