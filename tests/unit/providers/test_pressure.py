"""The gauges of the accounts: the one that is worst off stands for its provider."""

from __future__ import annotations

import pytest

from gpuinstance.metrics import Metrics
from gpuinstance.providers.base import Unavailable
from gpuinstance.providers.governing.governor import Allowance, Governor
from gpuinstance.providers.governing.lanes import Lane
from gpuinstance.providers.governing.lessons import LISTING, Errand
from gpuinstance.providers.governing.pressure import Pressure

ALLOWANCE = Allowance(rate=1, burst=100)


class Clock:
    """Turned by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


async def use(governor: Governor, *, breaks: bool = False, times: int = 1) -> None:
    """Call so often, in vain if it breaks."""

    async def send() -> None:
        if breaks:
            raise Unavailable("HTTP 502")

    for _ in range(times):
        try:
            await governor.call(Errand(Lane.POLLS, LISTING, is_question=True), send)
        except Unavailable:
            assert breaks


async def test_the_worst_account_is_shown() -> None:
    """By provider; whoever is closed, or has not been used for long, is not in use."""
    clock, metrics = Clock(), Metrics()
    pressure = Pressure(metrics, monotonic=clock)
    good, bad, other = (pressure.governor(name, ALLOWANCE) for name in ("novita", "novita", "hostwinds"))
    assert pressure.circuits() == {"novita": 0, "hostwinds": 0}
    await use(good, times=30)
    await use(bad, breaks=True, times=5)
    assert pressure.circuits() == {"novita": 2, "hostwinds": 0}
    assert pressure.tokens() == {"novita": 70, "hostwinds": 100}
    clock.now = 10
    assert pressure.circuits() == {"novita": 1, "hostwinds": 0}
    bad.close()
    assert pressure.circuits() == {"novita": 0, "hostwinds": 0}
    clock.now = 500
    await use(good)
    clock.now = 650
    assert pressure.circuits() == {"novita": 0}
    del other


async def test_what_is_gone_is_not_shown() -> None:
    """An account that was closed and forgotten holds no memory here."""
    pressure = Pressure(Metrics())
    pressure.governor("novita", ALLOWANCE)
    assert pressure.circuits() == {}


async def test_a_scrape_shows_it_all() -> None:
    """Gauges by provider, waits by lane, refusals by reason: no label names an account."""
    clock, metrics = Clock(), Metrics()
    pressure = Pressure(metrics, monotonic=clock)
    metrics.show_circuits(pressure.circuits)
    metrics.show_budget_tokens(pressure.tokens)
    governor = pressure.governor("novita", ALLOWANCE)
    await use(governor, breaks=True, times=7)

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"gpuinstance_{name}", {"provider": "novita", **labels})

    assert value("provider_circuit") == 2
    assert value("provider_budget_tokens") == pytest.approx(95)
    assert value("provider_wait_seconds_count", lane="polls") == 5
    assert value("provider_calls_refused_total", reason="CircuitOpen") == 2
