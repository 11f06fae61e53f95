"""Nothing happens but polls and health checks, for two rounds of polls: what that costs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from functools import partial

from tests.bench import provider
from tests.bench.numbers import percentile
from tests.bench.run import OPTIONS, Run, Teller, say
from tests.bench.table import Row
from tests.bench.usage import cpu_seconds, resident_megabytes

ROUNDS = 2
PAGE = 100
"""Machines on one page of the provider's listing."""
_BREATH_SECONDS = 3
"""No page of a listing is so long in coming: the round has ended."""


def measure(run: Run) -> Iterator[Row]:
    """Look from the end of one round of polls to that of another. The operator is not asked meanwhile."""
    say(f"at rest for {ROUNDS} rounds of polls")
    _await_round(run, [], partial(Teller().tell, "waiting for the end of a round"))
    run.audit.read()
    pid = run.stack.operator.child.pid
    before, calls, written, read = run.scrape(), _calls(run), run.audit.writes(), run.audit.reads
    began, cpu = time.monotonic(), cpu_seconds(pid)
    memory: list[float] = []
    teller = Teller()
    for number in range(ROUNDS):
        _await_round(run, memory, partial(teller.tell, f"{number} of {ROUNDS} rounds"))
    spent, seconds = cpu_seconds(pid) - cpu, time.monotonic() - began
    run.audit.read()
    after = run.scrape()

    def counted(name: str, **labels: str) -> float:
        return after.total(name, **labels) - before.total(name, **labels)

    yield Row("Kubernetes writes at rest", run.audit.writes() - written, limit=0)
    rounds = counted("gpuinstance_provider_requests_total", operation="list_machines")
    each = (_calls(run) - calls) / max(1, rounds)
    yield Row("provider calls per poll round at rest", each, limit=math.ceil(run.size / PAGE))
    yield Row("  poll rounds a minute", rounds * 60 / seconds)
    yield Row("average CPU at rest", spent / seconds, "cores", run.by_size(0.05, 0.25))
    yield Row("resident memory at rest, p95", percentile(memory, 0.95), "MB", run.by_size(200, 600))
    lag = after.quantile("gpuinstance_event_loop_lag_seconds", 0.99, before)
    yield Row("event loop lag at rest, p99", lag * 1000, "ms", 100)
    yield Row("passes a second at rest", counted("gpuinstance_passes_total") / seconds)
    yield Row("health checks a second at rest", counted("gpuinstance_health_checks_total") / seconds)
    yield Row("Kubernetes reads a minute at rest", (run.audit.reads - read) * 60 / seconds)


def _calls(run: Run) -> int:
    return sum(provider.calls(run.stack.simulator).values())


def _await_round(run: Run, memory: list[float], tell: Callable[[], object]) -> None:
    """Wait until the provider's listing has been read once more, to its end; sample memory, and tell, meanwhile."""
    deadline = time.monotonic() + 3 * OPTIONS.poll_seconds
    began = seen = provider.calls(run.stack.simulator).get("list", 0)
    still = 0
    while seen == began or still < _BREATH_SECONDS:
        if time.monotonic() > deadline:
            raise TimeoutError("the operator has not listed the provider's machines for three poll intervals")
        time.sleep(1)
        tell()
        memory.append(resident_megabytes(run.stack.operator.child.pid))
        now = provider.calls(run.stack.simulator).get("list", 0)
        still, seen = (still + 1, seen) if now == seen else (0, now)
