"""What a scrape reads at its moment, and the two numbers that are measured all the time.

Called by the composition root, which has all the rooms whose state is shown. Nothing is counted here: that is done
where it happens.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import datetime

from gpuinstance import __version__
from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.api.words import ProviderName
from gpuinstance.budgets import Budgets
from gpuinstance.leading import Leadership
from gpuinstance.metrics import Metrics
from gpuinstance.observing import Observer
from gpuinstance.providers.governing.pressure import Pressure
from gpuinstance.queue import WakeQueue
from gpuinstance.sharing import Share
from gpuinstance.sweeping import Sweep
from gpuinstance.watching import Watches

_LAG_SECONDS = 0.25
_ACCRUAL_SECONDS = 30.0
"""How finely the spend is counted: what changes its price is counted at the new one from then on."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The rooms whose state is shown."""

    share: Share
    queue: WakeQueue
    pressure: Pressure
    observer: Observer
    watches: Watches
    leadership: Leadership
    sweep: Sweep
    budgets: Budgets


def show(metrics: Metrics, shown: Shown, now: Callable[[], datetime], *, bill_stopped: Container[str]) -> None:
    """Let each scrape read what is true at that moment; with shards each shows its own, so that sums are right.

    `bill_stopped` are the providers at which a machine that is down costs what it costs when it is up.
    """
    metrics.show_objects(
        lambda: shown.share.of_kind(KIND), lambda: shown.share.of_kind(UPGRADE_KIND), now, bill_stopped=bill_stopped
    )
    metrics.show_duplicates(lambda: shown.observer.surplus.by_provider(list(ProviderName)))
    metrics.show_build(__version__, platform.python_version())
    metrics.show_queue_depth(lambda: shown.queue.depth)
    metrics.show_circuits(shown.pressure.circuits)
    metrics.show_budget_tokens(shown.pressure.tokens)
    metrics.show_observation_ages(shown.observer.ages)
    metrics.show_standstill(shown.queue.standstill)
    metrics.show_watch_age(shown.watches.age)
    division = shown.leadership.division
    metrics.show_leader(shown.leadership.holds_now, shard=str(division), shards=division.count)
    metrics.show_orphans(shown.sweep.orphans)
    metrics.show_budgets(shown.budgets.limits)


async def measure_lag(metrics: Metrics) -> None:
    """Everything runs on one event loop: what blocks it makes every object wait."""
    loop = asyncio.get_running_loop()
    while True:
        asked = loop.time()
        await asyncio.sleep(_LAG_SECONDS)
        metrics.lagged(max(0.0, loop.time() - asked - _LAG_SECONDS))


async def accrue(metrics: Metrics) -> None:
    """What machines cost is added up while they cost it, whether or not anybody scrapes."""
    while True:
        metrics.accrue()
        await asyncio.sleep(_ACCRUAL_SECONDS)
