"""Pauses that grow while something keeps failing, and start small again after a success.

Used by `breaker` and `governor`. Pure: the caller tells the time, in seconds from anywhere. Whatever
fails while a pause runs was sent before it began, and says nothing new: it makes no pause longer.
"""

from __future__ import annotations

import copy
import math
from collections import OrderedDict
from collections.abc import Hashable

from gpuinstance.providers.base import ProviderError

_MOST_DOUBLINGS = 30


class GrowingPause:
    """`first` seconds, doubled from one time to the next, never more than `longest`."""

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._times = 0
        self._until = -math.inf

    @property
    def until(self) -> float:
        """The moment at which the latest pause ends, or has ended."""
        return self._until

    def left(self, now: float) -> float:
        """Return how many seconds of the pause are left; 0 if none is running."""
        return max(0.0, self._until - now)

    def begin(self, now: float) -> None:
        """Begin a pause, longer than the one before; one that is running stays as it is."""
        if self.left(now) > 0:
            return
        self._until = now + min(self._first * 2 ** min(self._times, _MOST_DOUBLINGS), self._longest)
        self._times += 1

    def last_for(self, seconds: float, now: float) -> None:
        """Let the pause run for at least so long from now, as somebody has asked."""
        self._until = max(self._until, now + seconds)

    def shrink(self) -> None:
        """Let the next pause be a short one. One that is running goes on."""
        self._times = 0


class Grudges:
    """Questions that have failed, each with its growing pause and the error that it last brought.

    Whoever asks again meanwhile gets that error. At most `size` are remembered; the oldest is forgotten
    first, and then costs one more call.
    """

    def __init__(self, first: float, longest: float, *, size: int) -> None:
        self._first = first
        self._longest = longest
        self._size = size
        self._held: OrderedDict[Hashable, tuple[GrowingPause, ProviderError]] = OrderedDict()

    def refusal(self, question: Hashable, now: float) -> ProviderError | None:
        """Return the error of a question that is not to be asked now, None if it may be."""
        held = self._held.get(question)
        if held is None or held[0].left(now) <= 0:
            return None
        # A copy: an exception that is raised again and again would gather all tracebacks.
        return copy.copy(held[1])

    def failed(self, question: Hashable, error: ProviderError, now: float) -> None:
        """Note a failure: the question is not asked again for a while."""
        held = self._held.pop(question, None)
        pause = held[0] if held is not None else GrowingPause(self._first, self._longest)
        pause.begin(now)
        self._held[question] = (pause, copy.copy(error))  # the copy has no traceback, which would hold much alive
        while len(self._held) > self._size:
            self._held.popitem(last=False)

    def answered(self, question: Hashable) -> None:
        """Forget the failures of a question."""
        self._held.pop(question, None)

    def __len__(self) -> int:
        return len(self._held)
