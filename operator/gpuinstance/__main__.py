"""The composition root: settings → clients → accounts → reconciler → kopf. Imported by nobody."""

from __future__ import annotations

import asyncio
import gc
import platform
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import kopf
import structlog
from pydantic import ValidationError

from gpuinstance import __version__, handlers, logs
from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.api.words import ProviderName
from gpuinstance.audit import Audit
from gpuinstance.budgets import Budgets
from gpuinstance.config import Settings, complaint
from gpuinstance.credentials import Accounts
from gpuinstance.health import Health
from gpuinstance.kinds import kinds
from gpuinstance.known import Known, KnownKind
from gpuinstance.kube import PLURALS, KubeError, connect
from gpuinstance.leading import Leadership, candidate, lead
from gpuinstance.metrics import Metrics
from gpuinstance.notify import Deliverer, Postman
from gpuinstance.observing import Observer
from gpuinstance.observing_upgrades import UpgradeObserver, upgrade_of
from gpuinstance.outgoing import Outgoing, secret_reader
from gpuinstance.probes import Prober
from gpuinstance.providers import hostwinds, novita
from gpuinstance.providers.base import Capabilities, Provider
from gpuinstance.providers.fence import Fenced
from gpuinstance.providers.governing.governed import Governed
from gpuinstance.providers.governing.governor import Allowance
from gpuinstance.providers.governing.pressure import Pressure
from gpuinstance.providers.http import Limits
from gpuinstance.providers.wrappers import Metered, SharedListing
from gpuinstance.publishing import Objects, Publisher
from gpuinstance.queue import WakeQueue
from gpuinstance.reconcile import Reconciler
from gpuinstance.server import Server, parse_address
from gpuinstance.surplus import Surplus
from gpuinstance.sweeping import Sweep
from gpuinstance.watching import Watches

_log = structlog.get_logger("gpuinstance")
_LAG_SECONDS = 0.25
_ACCRUAL_SECONDS = 30.0
"""How finely the spend is counted: what changes its price is counted at the new one from then on."""
_GRACE_SECONDS = 50.0
"""How long running passes may take to finish at shutdown: one wait, one provider call and its record."""

_CAPABILITIES: Mapping[ProviderName, Capabilities] = {
    ProviderName.NOVITA: novita.CAPABILITIES,
    ProviderName.HOSTWINDS: hostwinds.CAPABILITIES,
}


def _now() -> datetime:
    return datetime.now(UTC)


def _allowance(settings: Settings, provider: ProviderName) -> Allowance:
    is_hostwinds = provider is ProviderName.HOSTWINDS
    return Allowance(
        rate=settings.hostwinds_rate if is_hostwinds else settings.novita_rate,
        burst=settings.hostwinds_burst if is_hostwinds else settings.novita_burst,
        concurrency=settings.provider_concurrency,
        patience=settings.provider_wait_seconds,
    )


def _account_opener(
    settings: Settings, metrics: Metrics, pressure: Pressure, holds_now: Callable[[], bool]
) -> Callable[[ProviderName, str], SharedListing]:
    """Return what opens an account at a provider with one API key, wrapped in all that guards it."""
    limits = Limits(total=settings.provider_timeout_seconds, connections=settings.provider_concurrency)

    def adapter_of(provider: ProviderName, key: str) -> Provider:
        if provider is ProviderName.HOSTWINDS:
            return hostwinds.Hostwinds(key, url=settings.hostwinds_base_url, limits=limits)
        return novita.Novita(key, base_url=settings.novita_base_url, limits=limits)

    def open_account(provider: ProviderName, key: str) -> SharedListing:
        adapter = Fenced(adapter_of(provider, key), holds_now)
        governor = pressure.governor(adapter.name, _allowance(settings, provider))
        return SharedListing(Governed(Metered(adapter, metrics.provider_request), governor))

    return open_account


def _outgoing(
    settings: Settings,
    known: Known,
    accounts: Accounts,
    metrics: Metrics,
    leadership: Leadership,
    queue: WakeQueue,
) -> Outgoing:
    """Return what tells others of what has happened."""
    deliverer = Deliverer(clock=_now, allowed=settings.notification_allowed_networks)
    postman = Postman(deliverer, secret_reader(accounts), may_send=leadership.holds_now, record=metrics.notification)
    metrics.show_pending_notifications(lambda: postman.waiting)
    return Outgoing(known, postman, metrics, _now, farewell=settings.notification_farewell, wake=queue.wake)


def _show_gauges(
    metrics: Metrics,
    known: Known,
    queue: WakeQueue,
    pressure: Pressure,
    observer: Observer,
    watches: Watches,
    leadership: Leadership,
    sweep: Sweep,
    budgets: Budgets,
) -> None:
    """Let each scrape read what is true at that moment."""
    bill_stopped = [provider for provider, can in _CAPABILITIES.items() if can.bills_stopped]
    metrics.show_objects(
        lambda: known.of_kind(KIND), lambda: known.of_kind(UPGRADE_KIND), _now, bill_stopped=bill_stopped
    )
    metrics.show_duplicates(lambda: observer.surplus.by_provider(list(ProviderName)))
    metrics.show_build(__version__, platform.python_version())
    metrics.show_queue_depth(lambda: queue.depth)
    metrics.show_circuits(pressure.circuits)
    metrics.show_budget_tokens(pressure.tokens)
    metrics.show_observation_ages(observer.ages)
    metrics.show_standstill(queue.standstill)
    metrics.show_watch_age(watches.age)
    metrics.show_leader(leadership.holds_now)
    metrics.show_orphans(sweep.orphans)
    metrics.show_budgets(budgets.limits)


async def _measure_lag(metrics: Metrics) -> None:
    """Everything runs on one event loop: what blocks it makes every object wait."""
    loop = asyncio.get_running_loop()
    while True:
        asked = loop.time()
        await asyncio.sleep(_LAG_SECONDS)
        metrics.lagged(max(0.0, loop.time() - asked - _LAG_SECONDS))


async def _accrue(metrics: Metrics) -> None:
    """What machines cost is added up while they cost it, whether or not anybody scrapes."""
    while True:
        metrics.accrue()
        await asyncio.sleep(_ACCRUAL_SECONDS)


async def _listening(settings: Settings, metrics: Metrics, health: Health) -> Server:
    server = Server(settings.http_listen, metrics, alive=health.alive, ready=health.ready)
    try:
        await server.start()
    except OSError as error:
        sys.exit(f"gpu-instance-operator: GPUINSTANCE_HTTP_LISTEN: {error}")
    return server


def _kopf_settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    handlers.configure(settings)
    return settings


async def run(settings: Settings) -> None:
    """Run the operator until it is told to stop. Raises KubeError if the API server cannot be used."""
    metrics = Metrics()
    pressure = Pressure(metrics)
    kube = await connect()
    leadership = await candidate(settings)
    kube.may_write = leadership.holds_now

    open_account = _account_opener(settings, metrics, pressure, leadership.holds_now)
    accounts = Accounts(kube, open_account, shared_namespace=settings.shared_credentials_namespace)
    prober = Prober(clock=_now, allowed=settings.probe_allowed_networks, record=metrics.health_check)
    known = Known()
    budgets = Budgets(
        kube,
        known,
        bill_stopped={provider for provider, can in _CAPABILITIES.items() if can.bills_stopped},
    )
    observer = Observer(
        kube,
        accounts,
        prober,
        _CAPABILITIES,
        settings,
        _now,
        known=lambda: known.of_kind(KIND),
        upgrade_of=lambda instance: upgrade_of(known, instance),
        budgets=budgets if settings.namespace_budgets else None,
        surplus=Surplus(metrics.duplicate_seen),
    )
    upgrades = UpgradeObserver(kube, observer, _CAPABILITIES, settings, _now, known)
    publisher = Publisher(
        Objects(kube), metrics, pace=settings.connection_seconds, allowed=settings.connection_allowed_networks
    )
    reconciler = Reconciler(kube, kinds(observer, upgrades, metrics, _now, publisher), known, metrics)
    sweep = Sweep(kube, accounts, settings, metrics, _now)
    queue = WakeQueue(reconciler.once, workers=settings.workers)
    reconciler.wake = budgets.wake = queue.wake
    budgets.see = reconciler.see
    outgoing = reconciler.outgoing = _outgoing(settings, known, accounts, metrics, leadership, queue)

    watches = Watches(list(PLURALS.values()), settings.namespaces)
    audits = {
        kind: Audit(
            kube,
            kind,
            settings.namespaces,
            KnownKind(known, kind),
            queue,
            metrics,
            pause=settings.audit_seconds,
            poll=settings.poll_seconds,
        )
        for kind in PLURALS
    }
    registry = kopf.OperatorRegistry()
    handlers.register(registry, reconciler, queue, settings, watches, audits)

    _show_gauges(metrics, known, queue, pressure, observer, watches, leadership, sweep, budgets)
    health = Health(leadership, queue, watches, list(audits.values()))
    server = await _listening(settings, metrics, health)

    async def work() -> None:
        await reconciler.prime(settings.namespaces)
        queue.start()
        watches.expect()
        beside = [asyncio.create_task(run_it()) for run_it in (sweep.run, *(audit.run for audit in audits.values()))]
        try:
            await kopf.operator(
                registry=registry,
                settings=_kopf_settings(),
                clusterwide=not settings.namespaces,
                namespaces=settings.namespaces,
                standalone=True,
            )
        finally:
            for task in beside:
                task.cancel()
            await queue.stop(grace=_GRACE_SECONDS)
            await reconciler.drain()
            await outgoing.stop()

    measuring = [asyncio.create_task(it) for it in (_measure_lag(metrics), _accrue(metrics))]
    _log.info("started", version=__version__, namespaces=settings.namespaces or "all")
    try:
        await lead(leadership, work)
    finally:
        for task in measuring:
            task.cancel()
        await server.stop()
        for room in (accounts, prober, publisher, kube):
            await room.aclose()
        _log.info("stopped")


def main() -> None:
    """Entry point of the command `gpu-instance-operator`."""
    if any(word in sys.argv[1:] for word in ("-h", "--help", "--version")):
        print(f"gpu-instance-operator {__version__}: configured by environment variables GPUINSTANCE_…, see the README")
        return
    try:
        settings = Settings()
        parse_address(settings.http_listen)
    except ValueError as error:
        details = complaint(error) if isinstance(error, ValidationError) else f"GPUINSTANCE_HTTP_LISTEN: {error}"
        sys.exit(f"gpu-instance-operator: the settings are not valid: {details}")
    logs.configure(settings.log_format, settings.log_level)
    gc.set_threshold(20_000, 50, 1000)  # thousands of long-lived objects: full collections cost a second each
    try:
        asyncio.run(run(settings))
    except KubeError as error:
        sys.exit(f"gpu-instance-operator: {error}")


if __name__ == "__main__":
    main()
