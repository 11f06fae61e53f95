"""All instances are created, and become Ready: how long that takes, and what it costs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench import objects, provider
from tests.bench.numbers import percentile
from tests.bench.provider import Birth
from tests.bench.run import Run, say
from tests.bench.table import Row
from tests.bench.usage import cpu_seconds

MOST_WRITES = 6
MOST_CALLS = 3


def measure(run: Run) -> Iterator[Row]:
    """Create them and wait until the last one is Ready."""
    run.audit.read()
    pid = run.stack.operator.child.pid
    cpu, written, counted = cpu_seconds(pid), run.audit.writes(), run.scrape()
    called = sum(provider.calls(run.stack.simulator).values())

    began = time.monotonic()
    objects.create(run.stack.kubectl, run.size, run.directory)
    created = time.monotonic() - began
    run.until(lambda: run.phase_is("Ready"), run.size, "Ready")
    took = time.monotonic() - began
    run.until_silent()
    spent = cpu_seconds(pid) - cpu
    say(f"all Ready {took - created:.0f} s after the last was created")

    after = run.scrape()
    yield from _delays(run)
    writes = run.audit.writes() - written
    yield Row("Kubernetes writes per instance, apply to Ready", writes / run.size, limit=MOST_WRITES)
    known = after.total("gpuinstance_kubernetes_writes_total") - counted.total("gpuinstance_kubernetes_writes_total")
    yield Row("  as the operator counts them, without finalizers", known / run.size)
    calls = sum(provider.calls(run.stack.simulator).values()) - called
    yield Row("provider calls per created instance, all in", calls / run.size, limit=MOST_CALLS)
    yield Row("operator CPU per instance, apply to Ready", spent / run.size * 1000, "ms")
    yield Row("all created after", created, "s")
    yield Row("all Ready after", took, "s")
    lag = after.quantile("gpuinstance_event_loop_lag_seconds", 0.99, counted)
    yield Row("event loop lag while coming up, p99", lag * 1000, "ms")
    kinds = ", ".join(f"{kind} {number / run.size:.2f}" for kind, number in run.audit.by_kind().most_common())
    run.notes.append(f"Kubernetes writes per instance by the API server's audit log: {kinds}")


@dataclass(frozen=True, slots=True)
class Delay:
    """How long one instance took beyond its provider, in seconds."""

    beyond: float
    """From apply to Ready, less what the provider and the application took."""
    before: float
    """Of that, from apply to the purchase."""
    after: float
    """Of that, from the application's first answer to Ready."""


def delay_of(created: float, ready: float, birth: Birth) -> Delay:
    """Return the delay of an instance of which these moments are known, all in seconds since the Unix epoch."""
    # An answer is logged a moment after the others could see what it is about.
    return Delay(
        beyond=max(0.0, ready - created - birth.took),
        before=max(0.0, birth.bought - created),
        after=max(0.0, ready - birth.serving),
    )


def _delays(run: Run) -> Iterator[Row]:
    births, audit = provider.births(run.stack.simulator), run.audit
    machines = {
        item["metadata"]["name"]: item["status"]["instance"]["id"]
        for page in objects.pages(run.stack.kubectl, run.stack.namespace)
        for item in page["items"]
    }
    # The last status that was saved before all fell silent is the one that says Ready.
    found = [delay_of(audit.created[name], audit.saved[name], births[it]) for name, it in machines.items()]
    beyond = percentile([it.beyond for it in found], 0.95)
    yield Row("apply to Ready beyond the provider's own time, p95", beyond, "s", run.by_size(5, 60))
    yield Row("  from apply to the purchase, p95", percentile([it.before for it in found], 0.95), "s")
    yield Row("  from the application's first answer to Ready, p95", percentile([it.after for it in found], 0.95), "s")
