"""A bounded shelf of shared answers, one for each question, each kept for some seconds.

Called by `wrappers`. What is too old leaves the shelf with the next question, so that neither keys nor
answers outlive their use for long.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from gpuinstance.providers.single_flight import Clock, SingleFlight

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Shelf(Generic[Key, Value]):
    """Shares answers by key for `age` seconds, at most `size` of them besides those under way."""

    def __init__(self, *, age: float, size: int, clock: Clock) -> None:
        self._age = age
        self._size = size
        self._clock = clock
        self._flights: dict[Key, SingleFlight[Value]] = {}

    async def get(self, key: Key, call: Callable[[], Awaitable[Value]]) -> Value:
        """Return the answer to `key`, asking `call` only if none is on the shelf."""
        self._tidy(key)
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = SingleFlight(call, clock=self._clock, failure_age=self._age)
        return await flight.get(max_age=self._age)

    def cancel(self) -> None:
        """End what is under way and forget everything."""
        for flight in self._flights.values():
            flight.cancel()
        self._flights.clear()

    def __len__(self) -> int:
        return len(self._flights)

    def _tidy(self, key: Key) -> None:
        """Drop what is over, and the oldest of the rest where a new key would not fit."""
        for kept, flight in list(self._flights.items()):
            must_yield = key not in self._flights and len(self._flights) >= self._size
            if not flight.serves(self._age) or (must_yield and not flight.is_under_way):
                del self._flights[kept]
