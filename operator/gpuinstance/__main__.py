"""The composition root: settings → clients → accounts → reconciler → kopf. Imported by nobody."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import kopf
import structlog
from pydantic import ValidationError

from gpuinstance import __version__, handlers, logs
from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.api.words import ProviderName
from gpuinstance.audit import Audit
from gpuinstance.budgets import Budgets
from gpuinstance.config import Settings, complaint, unknown
from gpuinstance.credentials import Accounts
from gpuinstance.departing import Departures
from gpuinstance.gauges import Shown, accrue, measure_lag, show
from gpuinstance.guard import Guard, Network
from gpuinstance.health import Health
from gpuinstance.kinds import kinds
from gpuinstance.known import Known, KnownKind
from gpuinstance.kube import PLURALS, KubeError, connect
from gpuinstance.leading import Leadership, candidate, lead
from gpuinstance.metrics import Metrics
from gpuinstance.noticing import Noticing
from gpuinstance.notify import Deliverer, Postman
from gpuinstance.observing import Observer
from gpuinstance.observing_upgrades import UpgradeObserver, paid_upgrade_of, upgrade_of
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
from gpuinstance.sharing import Share
from gpuinstance.surplus import Surplus
from gpuinstance.sweeping import Sweep
from gpuinstance.watching import Watches

_log = structlog.get_logger("gpuinstance")
_GRACE_SECONDS = 50.0
"""How long running passes may take to finish at shutdown: one wait, one provider call and its record."""

_CAPABILITIES: Mapping[ProviderName, Capabilities] = {
    ProviderName.NOVITA: novita.CAPABILITIES,
    ProviderName.HOSTWINDS: hostwinds.CAPABILITIES,
}
_BILL_STOPPED = frozenset(provider for provider, can in _CAPABILITIES.items() if can.bills_stopped)


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
    settings: Settings, metrics: Metrics, pressure: Pressure, holds_now: Callable[[], bool], noticing: Noticing
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
        governed = Governed(Metered(adapter, metrics.provider_request), governor)
        return SharedListing(governed, changed=noticing.changed)

    return open_account


def _guard(settings: Settings, allowed: Iterable[Network]) -> Guard:
    """Return what judges the addresses of one way out, for which these exceptions are made."""
    return Guard(allowed=allowed, denied=settings.denied_networks)


def _outgoing(
    settings: Settings,
    known: Known,
    accounts: Accounts,
    metrics: Metrics,
    leadership: Leadership,
    share: Share,
) -> Outgoing:
    """Return what tells others of what has happened."""
    deliverer = Deliverer(clock=_now, guard=_guard(settings, settings.notification_allowed_networks))
    postman = Postman(deliverer, secret_reader(accounts), may_send=leadership.holds_now, record=metrics.notification)
    metrics.show_pending_notifications(lambda: postman.waiting)
    return Outgoing(known, postman, metrics, _now, farewell=settings.notification_farewell, wake=share.wake)


async def _candidate(settings: Settings) -> Leadership:
    """Return what decides whether this process may act, and on what; of several shards, each log line says which."""
    if settings.shards > 1:
        structlog.contextvars.bind_contextvars(shard=str(settings.division))
    return await candidate(settings)


def _divide(
    leadership: Leadership,
    share: Share,
    reconciler: Reconciler,
    queue: WakeQueue,
    budgets: Budgets,
    pressure: Pressure,
) -> None:
    """Have only the own objects looked at, and only the own part of what providers allow used; both may change."""
    share.corridor, share.queue, share.passed_by = reconciler, queue.wake, budgets.pass_over
    reconciler.wake = budgets.wake = share.wake
    budgets.see = reconciler.see

    def changed() -> None:
        pressure.divide(leadership.shares)
        share.grown()

    leadership.changed = changed
    changed()


@contextmanager
def _beside(*jobs: Coroutine[Any, Any, None]) -> Iterator[None]:
    """Do these beside what is done meanwhile, and no longer."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


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
    leadership = await _candidate(settings)
    kube.may_write = leadership.holds_now

    known = Known()
    share = Share(leadership, known, kube)
    noticing = Noticing(known, share.wake)
    open_account = _account_opener(settings, metrics, pressure, leadership.holds_now, noticing)
    accounts = Accounts(kube, open_account, shared_namespace=settings.shared_credentials_namespace)
    prober = Prober(clock=_now, guard=_guard(settings, settings.probe_allowed_networks), record=metrics.health_check)
    budgets = Budgets(kube, known, bill_stopped=_BILL_STOPPED)
    observer = Observer(
        kube,
        accounts,
        prober,
        _CAPABILITIES,
        settings,
        _now,
        known=lambda: known.of_kind(KIND),
        upgrade_of=lambda instance: upgrade_of(known, instance),
        paid_upgrade_of=lambda instance: paid_upgrade_of(known, instance),
        budgets=budgets if settings.namespace_budgets else None,
        surplus=Surplus(metrics.duplicate_seen),
    )
    upgrades = UpgradeObserver(kube, observer, _CAPABILITIES, settings, _now, known)
    publisher = Publisher(
        Objects(kube),
        metrics,
        pace=settings.connection_seconds,
        guard=_guard(settings, settings.connection_allowed_networks),
    )
    reconciler = Reconciler(kube, kinds(observer, upgrades, metrics, _now, publisher), known, metrics)
    sweep = Sweep(
        kube,
        accounts,
        settings,
        metrics,
        _now,
        is_ours=lambda: share.has_job("orphans"),
        instances=lambda: known.of_kind(KIND),
    )
    queue = WakeQueue(share.once, workers=settings.workers)
    _divide(leadership, share, reconciler, queue, budgets, pressure)
    outgoing = reconciler.outgoing = _outgoing(settings, known, accounts, metrics, leadership, share)
    watches = Watches(list(PLURALS.values()), settings.namespaces)
    audits = {
        kind: Audit(
            kube,
            kind,
            settings.namespaces,
            KnownKind(known, kind, is_ours=share.has),
            queue,
            metrics,
            pause=settings.audit_seconds,
            poll=settings.poll_seconds,
        )
        for kind in PLURALS
    }
    departures = Departures(
        kube, settings.namespaces, is_ours=share.has, gone=lambda key: reconciler.released(key).set()
    )
    registry = kopf.OperatorRegistry()
    handlers.register(registry, reconciler, queue, settings, watches, audits, share, departures)

    show(
        metrics,
        Shown(share, queue, pressure, observer, watches, leadership, sweep, budgets),
        _now,
        bill_stopped=_BILL_STOPPED,
    )
    health = Health(leadership, queue, watches, list(audits.values()))
    server = await _listening(settings, metrics, health)

    async def work() -> None:
        await reconciler.prime(settings.namespaces)
        queue.start()
        watches.expect()
        try:
            with _beside(sweep.run(), departures.run(), *(audit.run() for audit in audits.values())):
                await kopf.operator(
                    registry=registry,
                    settings=_kopf_settings(),
                    clusterwide=not settings.namespaces,
                    namespaces=settings.namespaces,
                    standalone=True,
                )
        finally:
            await queue.stop(grace=_GRACE_SECONDS)
            await reconciler.drain()
            await outgoing.stop()

    _log.info("started", version=__version__, namespaces=settings.namespaces or "all")
    try:
        with _beside(measure_lag(metrics), accrue(metrics)):
            await lead(leadership, work)
    finally:
        await server.stop()
        for room in (accounts, prober, publisher, kube):
            await room.aclose()
        _log.info("stopped")


def main() -> None:
    """Entry point of the command `gpu-instance-operator`."""
    if any(word in sys.argv[1:] for word in ("-h", "--help", "--version")):
        print(f"gpu-instance-operator {__version__}: its settings, GPUINSTANCE_…, are in docs/operating.md")
        return
    try:
        settings = Settings()
        parse_address(settings.http_listen)
    except ValueError as error:
        details = complaint(error) if isinstance(error, ValidationError) else f"GPUINSTANCE_HTTP_LISTEN: {error}"
        sys.exit(f"gpu-instance-operator: the settings are not valid: {details}")
    logs.configure(settings.log_format, settings.log_level)
    for variable in unknown(os.environ):
        _log.warning("no_such_setting", variable=variable)
    gc.set_threshold(20_000, 50, 1000)  # thousands of long-lived objects: full collections cost a second each
    try:
        asyncio.run(run(settings))
    except KubeError as error:
        sys.exit(f"gpu-instance-operator: {error}")


if __name__ == "__main__":
    main()
