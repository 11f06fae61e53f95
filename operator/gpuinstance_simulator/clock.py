"""Virtual time: the only time that the simulated cloud knows.

Everything in the cloud happens at virtual seconds since the Unix epoch. A server lets them run by
a speed factor, a test stands still (speed 0) and advances by hand; the cloud cannot tell the
difference.
"""

from __future__ import annotations

import time
from collections.abc import Callable

TEST_EPOCH = 1_800_000_000.0
"""Where clocks of tests begin: a round number in January 2027."""


class VirtualClock:
    """Seconds since the Unix epoch that pass `speed` times as fast as those of `source`."""

    def __init__(self, *, start: float, speed: float = 1.0, source: Callable[[], float] = time.monotonic) -> None:
        """`source` counts real seconds from anywhere; it must never go backwards."""
        self._source = source
        self._speed = _checked_speed(speed)
        self._base = start
        self._mark = source()
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> float:
        """The virtual time, in seconds since the Unix epoch."""
        return self._base + (self._source() - self._mark) * self._speed

    @property
    def speed(self) -> float:
        """Virtual seconds per real second; 0 means that time moves only by `advance`."""
        return self._speed

    def set_speed(self, speed: float) -> None:
        """Change the speed from now on. Raises ValueError for a negative speed."""
        checked = _checked_speed(speed)
        self._base, self._mark = self.now(), self._source()
        self._speed = checked
        self._tell()

    def advance(self, seconds: float) -> None:
        """Jump forward. Raises ValueError for negative seconds: this world has no way back."""
        if seconds < 0:
            raise ValueError("time cannot be turned back")
        self._base += seconds
        self._tell()

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after each jump or change of speed; returns the way to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()


class ManualClock(VirtualClock):
    """A clock that stands still until a test advances it."""

    def __init__(self, start: float = TEST_EPOCH) -> None:
        super().__init__(start=start, speed=0.0)


def _checked_speed(speed: float) -> float:
    if speed < 0:
        raise ValueError("speed must not be negative")
    return speed
