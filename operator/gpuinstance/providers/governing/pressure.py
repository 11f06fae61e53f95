"""How the accounts in use are doing, by provider, for the gauges of a scrape.

The composition root gives each account its governor from here. There are as many accounts as people have
keys, so no series tells them apart: of each provider the account that is worst off is shown.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator, Mapping

from gpuinstance.providers.governing.breaker import Circuit
from gpuinstance.providers.governing.governor import Allowance, Governor, Notes

_FORGOTTEN_SECONDS = 600.0
"""An account that nobody has used for so long is not in use: the Secret with its key has changed."""

_AS_NUMBER = {Circuit.CLOSED: 0.0, Circuit.HALF_OPEN: 1.0, Circuit.OPEN: 2.0}


class Pressure:
    """All governors of the process. `notes` is told of waits and refusals."""

    def __init__(self, notes: Notes, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._notes = notes
        self._monotonic = monotonic
        self._governors: weakref.WeakSet[Governor] = weakref.WeakSet()
        self._shares = 1

    def governor(self, provider: str, allowance: Allowance) -> Governor:
        """Return a new governor, for one account."""
        governor = Governor(provider, allowance, self._notes, monotonic=self._monotonic)
        if self._shares > 1:
            governor.divide(self._shares)
        self._governors.add(governor)
        return governor

    def divide(self, shares: int) -> None:
        """From now on use one of so many parts of what accounts may do: the leaders of other shards use the rest."""
        if shares == self._shares:
            return
        self._shares = shares
        for governor in list(self._governors):
            governor.divide(shares)

    def circuits(self) -> Mapping[str, float]:
        """Return by provider the worst state of a breaker: 0 closed, 1 half open, 2 open."""
        worst: dict[str, float] = {}
        for governor in self._in_use():
            worst[governor.provider] = max(worst.get(governor.provider, 0.0), _AS_NUMBER[governor.circuit])
        return worst

    def tokens(self) -> Mapping[str, float]:
        """Return by provider how many requests could go out at once, for the account with the fewest."""
        fewest: dict[str, float] = {}
        for governor in self._in_use():
            fewest[governor.provider] = min(fewest.get(governor.provider, governor.tokens), governor.tokens)
        return fewest

    def _in_use(self) -> Iterator[Governor]:
        for governor in list(self._governors):
            if not governor.is_closed and governor.idle_seconds < _FORGOTTEN_SECONDS:
                yield governor
