"""Every collector, named once, on a registry of its own, behind methods that say what happened.

Called from everywhere; knows nobody. Labels are closed sets, so the number of series does not grow with the
number of objects: only the gauges of prices tell namespaces apart. What follows from memory, such as how
many instances are in which phase, is not kept up to date but asked for when somebody scrapes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gpuinstance.api.words import Phase

Object = Mapping[str, Any]
"""A GPUInstance as the API server gives it."""

OTHER = "other"
"""What a label says once a word would be one too many."""

_MOST_WORDS = 64
"""Words that one label may take. All are names of rules, operations, reasons and errors, so this many are
never reached; should somebody ever pass a name of an object, memory and Prometheus are safe."""

_NOT_PAID = frozenset({Phase.STOPPED, Phase.EXITED, Phase.TERMINATED})
"""Phases in which the recorded price is not being charged."""

# Otherwise each series has a second one, which says when the process began to count it.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it without types

_SECONDS_OF_CALLS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)
_SECONDS_OF_WAITS = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
_SECONDS_OF_PASSES = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60)
_SECONDS_OF_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5)
_SECONDS_TO_READY = (5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)


class Metrics:
    """The operator's metrics. Use one per process; `render` is what a scrape gets."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._words: dict[tuple[int, int], set[str]] = {}
        counter, histogram = self._counter, self._histogram
        self._passes = counter("passes", "Passes over one object, by how they ended.", "result")
        self._pass_seconds = histogram("pass_duration_seconds", "How long a pass took.", _SECONDS_OF_PASSES)
        self._decisions = counter("decisions", "Decisions, by the rule that answered.", "rule")
        self._requests = counter(
            "provider_requests",
            "Calls to a provider, by operation and by how they ended.",
            "provider",
            "operation",
            "code",
        )
        self._request_seconds = histogram(
            "provider_request_duration_seconds",
            "How long calls to a provider took, retries included.",
            _SECONDS_OF_CALLS,
            "provider",
            "operation",
        )
        self._refusals = counter(
            "provider_calls_refused",
            "Calls that were not sent to a provider, by the reason of the refusal.",
            "provider",
            "reason",
        )
        self._waits = histogram(
            "provider_wait_seconds",
            "How long calls that were sent to a provider had waited for their turn, by lane.",
            _SECONDS_OF_WAITS,
            "provider",
            "lane",
        )
        self._writes = counter("kubernetes_writes", "Writes to the API server that were accepted.", "kind")
        self._conflicts = counter("conflicts", "Passes that ended because the object had changed meanwhile.")
        self._unknown_outcomes = counter(
            "unknown_outcomes", "Calls without a usable answer, resolved by looking.", "operation"
        )
        self._transitions = counter("transitions", "Saved changes of an instance, by the reason of Ready.", "reason")
        self._time_to_ready = histogram(
            "time_to_ready_seconds", "From the start of an operation to Ready.", _SECONDS_TO_READY
        )
        self._checks = counter(
            "health_checks", "Checked endpoints, by result and category of the failure.", "result", "category"
        )
        self._check_seconds = histogram(
            "health_check_duration_seconds", "How long the last try of a checked endpoint took.", _SECONDS_OF_CALLS
        )
        self._audits = counter(
            "audits", "Comparisons of the API server's list with what the watch has shown.", "result"
        )
        self._found = counter(
            "audit_findings",
            "Objects that an audit found missed by the watch, gone unnoticed (ghost), or not looked at (overdue).",
            "what",
        )
        self._loop_lag = histogram(
            "event_loop_lag_seconds", "How late the event loop was, measured four times a second.", _SECONDS_OF_LAG
        )
        self._scraped = _Scraped()
        self.registry.register(self._scraped)

    # What happened. Everything below is safe to call at any time and never raises.

    def passed(self, result: str, seconds: float) -> None:
        """A pass ended."""
        self._add(self._passes, result)
        self._pass_seconds.observe(seconds)

    def lagged(self, seconds: float) -> None:
        """The event loop came back that much later than asked."""
        self._loop_lag.observe(seconds)

    def decided(self, rule: str) -> None:
        """A rule answered."""
        self._add(self._decisions, rule)

    def provider_request(self, *, provider: str, operation: str, outcome: str, seconds: float) -> None:
        """A call to a provider ended; `outcome` is `Success` or the name of an error."""
        self._add(self._requests, provider, operation, outcome)
        self._of(self._request_seconds, provider, operation).observe(seconds)

    def provider_waited(self, *, provider: str, lane: str, seconds: float) -> None:
        """A call to a provider has got its turn."""
        self._of(self._waits, provider, lane).observe(seconds)

    def provider_refused(self, *, provider: str, reason: str) -> None:
        """A call to a provider was not sent."""
        self._add(self._refusals, provider, reason)

    def wrote(self, kind: str) -> None:
        """The API server accepted a write: `status`, `event`, `finalizer`."""
        self._add(self._writes, kind)

    def conflict(self) -> None:
        """A write was refused because the object had changed."""
        self._conflicts.inc()

    def unknown_outcome(self, operation: str) -> None:
        """A call that changes something got no usable answer."""
        self._add(self._unknown_outcomes, operation)

    def transition(self, reason: str) -> None:
        """An instance was saved in another state."""
        self._add(self._transitions, reason)

    def became_ready(self, seconds: float) -> None:
        """An instance became Ready, that long after its operation began."""
        self._time_to_ready.observe(seconds)

    def health_check(self, healthy: bool, category: str | None, seconds: float | None = None) -> None:  # noqa: FBT001 - a fact
        """One endpoint was checked; `seconds` is the time of its last try."""
        self._add(self._checks, "healthy" if healthy else "unhealthy", category or "none")
        if seconds is not None:
            self._check_seconds.observe(seconds)

    def audited(self, result: str) -> None:
        """An audit ended: `done` or `failed`."""
        self._add(self._audits, result)

    def found(self, what: str, number: int) -> None:
        """An audit found so many objects: `missed`, `ghost` or `overdue`."""
        self._of(self._found, what).inc(number)

    # What is asked for at a scrape. Each takes a function that must be fast and must not raise.

    def show_instances(self, known: Callable[[], Iterable[Object]]) -> None:
        """`known` returns all objects as last seen."""
        self._scraped.known = known

    def show_observation_ages(self, ages: Callable[[], Mapping[str, float]]) -> None:
        """`ages` returns, by provider, the seconds since the oldest of its accounts was last observed."""
        text = "Seconds since the provider was last observed, for the account seen longest ago."
        self._scraped.by_provider["observation_age_seconds", text] = ages

    def show_circuits(self, circuits: Callable[[], Mapping[str, float]]) -> None:
        """`circuits` returns, by provider, the worst state of its accounts: 0 closed, 1 half open, 2 open."""
        text = "Whether calls to the provider are held back: 0 no, 1 all but one, 2 all; for the account worst off."
        self._scraped.by_provider["provider_circuit", text] = circuits

    def show_budget_tokens(self, tokens: Callable[[], Mapping[str, float]]) -> None:
        """`tokens` returns, by provider, the requests that could go out at once, for the account with the fewest."""
        text = "Requests that could be sent to the provider at this moment, for the account with the fewest."
        self._scraped.by_provider["provider_budget_tokens", text] = tokens

    def show_orphans(self, orphans: Callable[[], Mapping[str, float]]) -> None:
        """`orphans` returns, by provider, how many machines belong to no object."""
        text = "Machines that carry this cluster's mark and belong to no object."
        self._scraped.by_provider["orphaned_machines", text] = orphans

    def show_queue_depth(self, depth: Callable[[], int]) -> None:
        """`depth` returns how many objects wait for a pass."""
        self._scraped.values["queue_depth", "Objects that wait for a pass."] = depth

    def show_standstill(self, standstill: Callable[[], float]) -> None:
        """`standstill` returns for how many seconds objects have waited and no pass has ended."""
        self._scraped.values["standstill_seconds", "Seconds for which there was work and no pass ended."] = standstill

    def show_leader(self, leads: Callable[[], bool]) -> None:
        """`leads` says whether this process may act."""
        self._scraped.values["leader", "1 where this process may act, 0 where it stands by."] = leads

    def show_watch_age(self, age: Callable[[], float]) -> None:
        """`age` returns the seconds since a watch has begun; each begins anew every few minutes."""
        text = "Seconds since a watch has begun, for the one that began longest ago; a few minutes where all is well."
        self._scraped.values["watch_age_seconds", text] = age

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return all metrics as text, and its content type, in the best format that `accept` allows."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"gpuinstance_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"gpuinstance_{name}", text, labels, buckets=buckets, registry=self.registry)

    def _add(self, counter: Counter, *words: str) -> None:
        self._of(counter, *words).inc()

    def _of(self, collector: Any, *words: str) -> Any:
        """Return the series with these label values, each one of a bounded number of words."""
        return collector.labels(*(self._bounded((id(collector), n), word) for n, word in enumerate(words)))

    def _bounded(self, label: tuple[int, int], word: str) -> str:
        known = self._words.setdefault(label, set())
        if word not in known and len(known) >= _MOST_WORDS:
            return OTHER
        known.add(word)
        return str(word)


class _Scraped(Collector):
    """Gauges that are computed when they are asked for."""

    def __init__(self) -> None:
        self.known: Callable[[], Iterable[Object]] = tuple
        self.by_provider: dict[tuple[str, str], Callable[[], Mapping[str, float]]] = {}
        self.values: dict[tuple[str, str], Callable[[], float]] = {}

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Say nothing at registration: the functions are not there yet."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask, and yield."""
        yield from _of_instances(self.known())
        for (name, text), values in self.by_provider.items():
            family = GaugeMetricFamily(f"gpuinstance_{name}", text, labels=["provider"])
            for provider, number in values().items():
                family.add_metric([provider], number)
            yield family
        for (name, text), value in self.values.items():
            yield GaugeMetricFamily(f"gpuinstance_{name}", text, value=value())


def _of_instances(known: Iterable[Object]) -> Iterator[GaugeMetricFamily]:
    phases: dict[str, int] = dict.fromkeys((phase.value for phase in Phase), 0)
    prices: defaultdict[str, Decimal] = defaultdict(Decimal)
    for instance in known:
        status = instance.get("status") or {}
        phase = status.get("phase", Phase.PENDING.value)
        if phase in phases:
            phases[phase] += 1
        if phase not in _NOT_PAID:
            prices[instance["metadata"]["namespace"]] += _price(status)
    family = GaugeMetricFamily("gpuinstance_instances", "Objects, by phase.", labels=["phase"])
    for phase, number in phases.items():
        family.add_metric([phase], number)
    yield family
    family = GaugeMetricFamily(
        "gpuinstance_hourly_price_usd",
        "US dollars per hour of all machines that are up or coming up, by the prices at which they were bought.",
        labels=["namespace"],
    )
    for namespace, price in sorted(prices.items()):
        if price:
            family.add_metric([namespace], float(price))
    yield family


def _price(status: Mapping[str, Any]) -> Decimal:
    machine = status.get("instance") or {}
    return Decimal(machine.get("hourlyPrice") or 0) if machine.get("id") else Decimal()
