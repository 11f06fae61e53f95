"""The composition root: settings → clients → accounts → reconciler → kopf. Imported by nobody."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

import kopf
import structlog
from pydantic import ValidationError

from gpuinstance import __version__, handlers, logs
from gpuinstance.api.words import ProviderName
from gpuinstance.config import Settings, complaint
from gpuinstance.credentials import Accounts
from gpuinstance.kube import KubeError, connect
from gpuinstance.metrics import Metrics
from gpuinstance.observing import Observer
from gpuinstance.probes import Prober
from gpuinstance.providers import novita
from gpuinstance.providers.base import Capabilities
from gpuinstance.providers.http import Limits
from gpuinstance.providers.wrappers import Metered, SharedListing
from gpuinstance.queue import WakeQueue
from gpuinstance.reconcile import Reconciler
from gpuinstance.server import Server, parse_address

_log = structlog.get_logger("gpuinstance")
_LAG_SECONDS = 0.25
_GRACE_SECONDS = 35.0
"""How long running passes may take to finish at shutdown: one provider call and its record."""

_CAPABILITIES: Mapping[ProviderName, Capabilities] = {ProviderName.NOVITA: novita.CAPABILITIES}


def _now() -> datetime:
    return datetime.now(UTC)


async def _measure_lag(metrics: Metrics) -> None:
    """Everything runs on one event loop: what blocks it makes every object wait."""
    loop = asyncio.get_running_loop()
    while True:
        asked = loop.time()
        await asyncio.sleep(_LAG_SECONDS)
        metrics.lagged(max(0.0, loop.time() - asked - _LAG_SECONDS))


async def run(settings: Settings) -> None:
    """Run the operator until it is told to stop. Raises KubeError if the API server cannot be used."""
    metrics = Metrics()
    kube = await connect()

    def open_account(provider: ProviderName, key: str) -> SharedListing:
        del provider  # one so far; the enum of the schema lists the same
        limits = Limits(total=settings.provider_timeout_seconds)
        adapter = novita.Novita(key, base_url=settings.novita_base_url, limits=limits)
        return SharedListing(Metered(adapter, metrics.provider_request))

    accounts = Accounts(kube, open_account, shared_namespace=settings.shared_credentials_namespace)
    prober = Prober(clock=_now, allowed=settings.probe_allowed_networks, record=metrics.health_check)
    observer = Observer(kube, accounts, prober, _CAPABILITIES, settings, _now)
    reconciler = Reconciler(kube, observer, metrics, _now)
    observer.known = reconciler.known
    queue = WakeQueue(reconciler.once, workers=settings.workers)

    registry = kopf.OperatorRegistry()
    handlers.register(registry, reconciler, queue, settings)
    kopf_settings = kopf.OperatorSettings()
    handlers.configure(kopf_settings)

    metrics.show_instances(reconciler.known)
    metrics.show_queue_depth(lambda: queue.depth)
    server = Server(settings.http_listen, metrics, alive=queue.trouble, ready=queue.trouble)
    try:
        await server.start()
    except OSError as error:
        sys.exit(f"gpu-instance-operator: GPUINSTANCE_HTTP_LISTEN: {error}")
    queue.start()
    lag = asyncio.create_task(_measure_lag(metrics))
    _log.info("started", version=__version__, namespaces=settings.namespaces or "all")
    try:
        await kopf.operator(
            registry=registry,
            settings=kopf_settings,
            clusterwide=not settings.namespaces,
            namespaces=settings.namespaces,
            standalone=True,
        )
    finally:
        lag.cancel()
        await queue.stop(grace=_GRACE_SECONDS)
        await reconciler.drain()
        await server.stop()
        await accounts.aclose()
        await prober.aclose()
        await kube.aclose()
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
