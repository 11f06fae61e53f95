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


@pytest.mark.parametrize("whole", [Allowance(), Allowance(rate=2, burst=20, concurrency=20), Allowance(concurrency=3)])
@pytest.mark.parametrize("shares", [1, 2, 3, 5, 7])
def test_the_parts_are_no_more_than_the_whole(whole: Allowance, shares: int) -> None:
    """What several leaders may do together is what one might do alone, as long as there is a part for each."""
    part = whole.share(shares)
    assert part.rate * shares <= whole.rate * 1.000001
    assert part.burst * shares <= whole.burst * 1.000001
    if shares <= whole.concurrency:
        assert part.concurrency * shares <= whole.concurrency
    assert (part.patience, part.queue) == (whole.patience, whole.queue)
    assert whole.share(1) == whole


def test_nobody_is_left_without_a_call() -> None:
    """One at a time, and a request every few seconds, whatever the number of shards; never more than the whole."""
    part = Allowance(rate=2, burst=20, concurrency=20).share(64)
    assert (part.rate, part.burst, part.concurrency) == (0.2, 1.0, 1)
    assert Allowance(rate=0.1).share(3).rate == 0.1


async def test_accounts_follow_the_number_of_leaders() -> None:
    """Those in use and those opened later; what was saved up beyond the part is lost, and comes back slowly."""
    clock = Clock()
    pressure = Pressure(Metrics(), monotonic=clock)
    before = pressure.governor("novita", ALLOWANCE)
    pressure.divide(4)
    after = pressure.governor("novita", ALLOWANCE)
    assert (before.tokens, after.tokens) == (25, 25)
    await use(before, times=5)
    clock.now += 4
    assert before.tokens == pytest.approx(21), "a quarter of a request a second"
    pressure.divide(1)
    assert before.tokens == pytest.approx(21)
    clock.now += 1000
    assert (before.tokens, after.tokens) == (100, 100)
