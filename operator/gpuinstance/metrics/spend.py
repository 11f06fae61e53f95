"""Money over time: what machines have cost while this process watched.

Used by `scraped`. Prices are those at which machines were bought, so the sum is an estimate and no invoice; and it is
a counter of this process, which starts at zero with every start and does not know what was billed while no
operator ran. `increase()` handles the former, nothing the latter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal

_SECONDS_PER_HOUR = 3600.0


class Spend:
    """US dollars by namespace. `clock` returns seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at: float | None = None
        self._accrued: defaultdict[str, float] = defaultdict(float)

    def advance(self, prices: Mapping[str, Decimal]) -> Mapping[str, float]:
        """Add what the time since the last call has cost at these prices, in US dollars per hour; return all sums.

        What changed its price meanwhile is counted at the new one, so call this every few seconds.
        """
        now = self._clock()
        hours = 0.0 if self._at is None else max(0.0, now - self._at) / _SECONDS_PER_HOUR
        self._at = now
        for namespace, price in prices.items():
            self._accrued[namespace] += float(price) * hours
        return self._accrued
