"""What is not counted but asked for when somebody scrapes: states, ages, prices.

Part of `Metrics`. Each `show_…` takes a function that must be fast and must not raise; what nobody shows is not in
the answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.metrics.families import OTHER, Bounded, Families, Family, Part
from gpuinstance.metrics.instances import InstanceCensus, Object
from gpuinstance.metrics.spend import Spend
from gpuinstance.metrics.upgrades import UpgradeCensus

Numbers = Mapping[tuple[str, ...], float]
"""One number for each combination of label values."""

_Source = Callable[[], Iterable[tuple[Family, Numbers]]]

_Number = TypeVar("_Number", float, Decimal)

_MOST_NAMESPACES = 100
"""Namespaces that are told apart; the money of further ones is summed up as `other`."""


class Scraped(Part):
    """The metrics that are computed when they are asked for."""

    def __init__(self, families: Families) -> None:
        super().__init__(families)
        self._spend = Spend(families.clock)
        self._count: Callable[[], InstanceCensus] = InstanceCensus
        self._namespaces = Bounded(_MOST_NAMESPACES)
        self._sources: dict[str, _Source] = {}
        gauge, provider = self._gauge, "provider"
        self._instances = gauge("instances", "GPUInstances, by phase.", "phase")
        self._health = gauge(
            "instances_health",
            "GPUInstances, by the status of their condition Healthy: True, False, Unknown.",
            "status",
        )
        self._stalled = gauge(
            "instances_stalled", "GPUInstances that only a person can help, by the reason that they give.", "reason"
        )
        self._charged = gauge(
            "instances_charged_above_limit",
            "GPUInstances whose machine runs and costs more than `spec.billing.maxHourlyPrice`. Namespaces beyond the "
            "first 100 are summed up as `other`.",
            "namespace",
        )
        self._price = gauge(
            "hourly_price_usd",
            "US dollars per hour of all machines that are being billed, by their last known prices; where a price is "
            "not known, as for an adopted machine, it is not in it. "
            "Namespaces beyond the first 100 are summed up as `other`.",
            "namespace",
        )
        self._budget = gauge(
            "namespace_budget_usd",
            "US dollars per hour that a namespace's annotation `gpuinstance.dev/max-hourly-price` allows, as it was "
            "when money was last about to be spent there. Not shown before that has happened once.",
            "namespace",
        )
        self._spent = families.scraped(
            "spend_usd_total",
            "counter",
            "US dollars that machines have cost at these prices since this process began to lead. An estimate and no "
            "invoice: it starts at zero with each start, and what is billed while no operator runs is not in it.",
            "namespace",
        )
        self._upgrades = gauge("upgrades", "InstanceUpgrades, by phase.", "phase")
        self._upgrade_ages = gauge(
            "upgrade_phase_age_seconds",
            "Seconds since the last finished step of an upgrade that has not ended, for the one that has been in "
            "each phase for longest.",
            "phase",
        )
        self._unconfirmed = gauge(
            "unconfirmed_calls",
            "Calls that were decided on and whose effect is not known yet, by kind of object.",
            "kind",
        )
        self._unconfirmed_age = gauge(
            "unconfirmed_call_age_seconds",
            "Seconds since the oldest of the calls whose effect is not known yet was decided on; 0 if there is none.",
            "kind",
        )
        self._duplicates = gauge(
            "duplicate_machines",
            "Machines beyond one for each object, as the provider was last seen to list them.",
            provider,
        )
        self._orphans = gauge(
            "orphaned_machines", "Machines that carry this cluster's mark and belong to no object.", provider
        )
        self._observation_age = gauge(
            "observation_age_seconds",
            "Seconds since the provider was last observed, for the object seen longest ago.",
            provider,
        )
        self._circuit = gauge(
            "provider_circuit",
            "Whether calls to the provider are held back: 0 no, 1 all but one, 2 all; for the account worst off.",
            provider,
        )
        self._tokens = gauge(
            "provider_budget_tokens",
            "Requests that could be sent to the provider at this moment, for the account with the fewest.",
            provider,
        )
        self._queue_depth = gauge("queue_depth", "Objects that wait for a pass.")
        self._standstill = gauge("standstill_seconds", "Seconds for which there was work and no pass ended.")
        self._pending_notifications = gauge(
            "notifications_pending", "Notifications that are still to be delivered, each counted for each destination."
        )
        self._leader = gauge(
            "leader",
            "1 where this process may act, 0 where it stands by; with the shard that it stands for, such as 0-of-1.",
            "shard",
        )
        self._shards = gauge("shards", "Among how many leaders the objects are divided, by the settings.")
        self._watch_age = gauge(
            "watch_age_seconds",
            "Seconds since a watch has begun, for the one that began longest ago; a few minutes where all is well.",
        )
        self._build = gauge("build_info", "1, with the version of the operator and of Python.", "version", "python")
        families.registry.register(_Asked(self._sources))

    def show_objects(
        self,
        instances: Callable[[], Iterable[Object]],
        upgrades: Callable[[], Iterable[Object]],
        now: Callable[[], datetime],
        *,
        bill_stopped: Container[str] = (),
    ) -> None:
        """`instances` and `upgrades` return all objects as last seen, `now` the present moment.

        `bill_stopped` are the providers at which a machine that is down costs what it costs when it is up.
        """
        self._count = lambda: InstanceCensus.of(instances(), bill_stopped=bill_stopped)

        def ask() -> Iterator[tuple[Family, Numbers]]:
            all_instances, all_upgrades = self._count(), UpgradeCensus.of(upgrades(), now())
            yield self._instances, _words(all_instances.phases)
            yield self._health, _words(all_instances.health)
            yield self._stalled, _words(all_instances.stalled)
            yield self._charged, self._by_namespace(all_instances.charged_above_limit)
            yield self._price, self._by_namespace(all_instances.prices)
            yield self._spent, self._by_namespace(self._spend.advance(all_instances.prices))
            yield self._upgrades, _words(all_upgrades.phases)
            yield self._upgrade_ages, _words(all_upgrades.ages)
            kinds = {(KIND,): all_instances.unconfirmed, (UPGRADE_KIND,): all_upgrades.unconfirmed}
            yield self._unconfirmed, {kind: float(it.number) for kind, it in kinds.items()}
            yield self._unconfirmed_age, {kind: it.age(now()) for kind, it in kinds.items()}

        self._sources["objects"] = ask

    def show_budgets(self, limits: Callable[[], Mapping[str, Decimal]]) -> None:
        """`limits` returns, by namespace, the US dollars per hour that it allows."""

        def told_apart() -> Numbers:
            # What several namespaces allow together is no budget of anybody.
            own = {self._namespaces(namespace): float(limit) for namespace, limit in limits().items()}
            own.pop(OTHER, None)
            return _words(own)

        self._show(self._budget, told_apart)

    def show_duplicates(self, duplicates: Callable[[], Mapping[str, float]]) -> None:
        """`duplicates` returns, by provider, how many machines there are beyond one for each object."""
        self._show_words(self._duplicates, duplicates)

    def show_orphans(self, orphans: Callable[[], Mapping[str, float]]) -> None:
        """`orphans` returns, by provider, how many machines belong to no object."""
        self._show_words(self._orphans, orphans)

    def show_observation_ages(self, ages: Callable[[], Mapping[str, float]]) -> None:
        """`ages` returns, by provider, the seconds since the oldest of its objects was last observed."""
        self._show_words(self._observation_age, ages)

    def show_circuits(self, circuits: Callable[[], Mapping[str, float]]) -> None:
        """`circuits` returns, by provider, the worst state of its accounts: 0 closed, 1 half open, 2 open."""
        self._show_words(self._circuit, circuits)

    def show_budget_tokens(self, tokens: Callable[[], Mapping[str, float]]) -> None:
        """`tokens` returns, by provider, the requests that could go out at once, for the account with the fewest."""
        self._show_words(self._tokens, tokens)

    def show_queue_depth(self, depth: Callable[[], int]) -> None:
        """`depth` returns how many objects wait for a pass."""
        self._show(self._queue_depth, lambda: {(): depth()})

    def show_standstill(self, standstill: Callable[[], float]) -> None:
        """`standstill` returns for how many seconds objects have waited and no pass has ended."""
        self._show(self._standstill, lambda: {(): standstill()})

    def show_pending_notifications(self, pending: Callable[[], int]) -> None:
        """`pending` returns how many deliveries are still to be made."""
        self._show(self._pending_notifications, lambda: {(): pending()})

    def show_leader(self, leads: Callable[[], bool], *, shard: str, shards: int) -> None:
        """`leads` says whether this process may act: for `shard`, one of so many."""
        self._show(self._leader, lambda: {(shard,): float(leads())})
        self._show(self._shards, lambda: {(): float(shards)})

    def show_watch_age(self, age: Callable[[], float]) -> None:
        """`age` returns the seconds since a watch has begun; each begins anew every few minutes."""
        self._show(self._watch_age, lambda: {(): age()})

    def show_build(self, version: str, python: str) -> None:
        """Show which program this is."""
        self._show(self._build, lambda: {(version, python): 1.0})

    def accrue(self) -> None:
        """Count what machines have cost since the last call. Call it every few seconds."""
        self._spend.advance(self._count().prices)

    def _gauge(self, name: str, text: str, *labels: str) -> Family:
        return self._families.scraped(name, "gauge", text, *labels)

    def _show_words(self, family: Family, numbers: Callable[[], Mapping[str, float]]) -> None:
        self._show(family, lambda: _words(numbers()))

    def _show(self, family: Family, numbers: Callable[[], Numbers]) -> None:
        self._sources[family.name] = lambda: [(family, numbers())]

    def _by_namespace(self, numbers: Mapping[str, _Number]) -> Numbers:
        sums: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for namespace, number in sorted(numbers.items()):
            sums[(self._namespaces(namespace),)] += float(number)
        return sums


def _words(numbers: Mapping[str, float]) -> Numbers:
    return {(word,): number for word, number in numbers.items()}


class _Asked(Collector):
    """Asks the sources, in the order in which they came."""

    def __init__(self, sources: Mapping[str, _Source]) -> None:
        self._sources = sources

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Say nothing at registration: the functions are not there yet."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Ask, and yield."""
        for source in list(self._sources.values()):
            for family, numbers in source():
                make = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
                shown = make(family.name, family.text, labels=family.labels)
                for words, number in numbers.items():
                    shown.add_metric(words, number)
                yield shown
