"""The operator's process in virtual time: everything that `__main__` puts together, until it dies.

Plays kopf's part by hand: it shows objects when they change, polls them when they do not, puts the finalizer
on, and takes it away when the reconciler says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import httpx

from gpuinstance.api.health import HealthCheck
from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.api.words import ProviderName
from gpuinstance.audit import Audit
from gpuinstance.budgets import Budgets
from gpuinstance.config import Settings
from gpuinstance.core.model import Check
from gpuinstance.core.snapshot import HealthReport, Probed
from gpuinstance.credentials import Accounts
from gpuinstance.handlers import LATELY
from gpuinstance.kinds import kinds
from gpuinstance.known import Known, KnownKind
from gpuinstance.kube import PLURALS, Body, Key, KubeError
from gpuinstance.metrics import Metrics
from gpuinstance.noticing import Noticing
from gpuinstance.observing import Observer
from gpuinstance.observing_upgrades import UpgradeObserver, paid_upgrade_of, upgrade_of
from gpuinstance.probes import Prober
from gpuinstance.providers import hostwinds, novita
from gpuinstance.providers.base import Provider
from gpuinstance.providers.fence import Fenced
from gpuinstance.providers.governing.governed import Governed
from gpuinstance.providers.governing.governor import Allowance
from gpuinstance.providers.governing.pressure import Pressure
from gpuinstance.providers.wrappers import Metered, SharedListing
from gpuinstance.queue import WakeQueue
from gpuinstance.reconcile import Reconciler
from tests.faults.virtual.api_server import ApiServer

# An apply without an answer is looked after for as long as a resize may take: less than the judge waits for news.
SETTINGS = Settings(hostwinds_poll_seconds=10, resize_timeout_seconds=300)
_CAPABILITIES = {ProviderName.NOVITA: novita.CAPABILITIES, ProviderName.HOSTWINDS: hostwinds.CAPABILITIES}


class Tally:
    """In the place of the metrics: it counts nothing, and lets no surprise pass."""

    def __init__(self, surprised: Callable[[str], None]) -> None:
        self._surprised = surprised

    def passed(self, result: str, seconds: float) -> None:
        """A pass has ended."""
        if result in {"error", "invalid"}:
            self._surprised(f"a pass ended with {result}")

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


class FakeProber:
    """Asks the simulated applications whether they answer."""

    def __init__(self, is_serving: Callable[[str], bool], clock: Callable[[], datetime]) -> None:
        self._is_serving = is_serving
        self._clock = clock

    async def check(
        self,
        checks: Sequence[Check],
        health_check: HealthCheck,
        *,
        headers: Mapping[int, Mapping[str, str]] | None = None,
    ) -> HealthReport:
        """One round of checks."""
        await asyncio.sleep(0.02)
        results = [
            Probed(it.port, healthy=True)
            if it.url is not None and self._is_serving(it.url)
            else Probed(it.port, healthy=False, error_type="BadStatus", status_code=502, message="HTTP 502")
            for it in checks
        ]
        return HealthReport(self._clock(), tuple(results))


class OperatorProcess:
    """One life of the operator."""

    def __init__(
        self,
        server: ApiServer,
        road: httpx.AsyncBaseTransport,
        is_serving: Callable[[str], bool],
        clock: Callable[[], datetime],
        surprised: Callable[[str], None],
    ) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        metrics = cast("Metrics", Tally(surprised))
        pressure = Pressure(metrics, monotonic=self._loop.time)

        def open_account(name: ProviderName, key: str) -> SharedListing:
            adapter: Provider
            if name is ProviderName.HOSTWINDS:
                adapter = hostwinds.Hostwinds(key, url="http://provider.test/cloud/api.php", transport=road, now=clock)
            else:
                base = "http://provider.test/gpu-instance/openapi/v1"
                adapter = novita.Novita(key, base_url=base, transport=road, now=clock)
            governor = pressure.governor(adapter.name, Allowance())
            governed = Governed(Metered(Fenced(adapter, lambda: True), metrics.provider_request), governor)
            return SharedListing(governed, now=clock, monotonic=self._loop.time, changed=noticing.changed)

        known = Known()
        noticing = Noticing(known, lambda key: self._queue.wake(key))  # noqa: PLW0108 - the queue is made later
        bill_stopped = {name for name, can in _CAPABILITIES.items() if can.bills_stopped}
        budgets = Budgets(server, known, bill_stopped=bill_stopped, monotonic=self._loop.time)
        self._accounts = Accounts(server, open_account, shared_namespace=None)
        observer = Observer(
            kube=server,
            accounts=self._accounts,
            prober=cast("Prober", FakeProber(is_serving, clock)),
            capabilities=_CAPABILITIES,
            settings=SETTINGS,
            clock=clock,
            known=lambda: known.of_kind(KIND),
            upgrade_of=lambda instance: upgrade_of(known, instance),
            paid_upgrade_of=lambda instance: paid_upgrade_of(known, instance),
            budgets=budgets,
        )
        upgrades = UpgradeObserver(server, observer, _CAPABILITIES, SETTINGS, clock, known)
        self._reconciler = Reconciler(server, kinds(observer, upgrades, metrics, clock), known, metrics)
        self._queue = WakeQueue(self._reconciler.once, workers=4)
        self._reconciler.wake = budgets.wake = self._queue.wake
        budgets.see = self._reconciler.see
        self._audits = {
            kind: Audit(
                server,
                kind,
                (),
                KnownKind(known, kind),
                self._queue,
                metrics,
                pause=SETTINGS.audit_seconds,
                poll=SETTINGS.poll_seconds,
                clock=self._loop.time,
            )
            for kind in PLURALS
        }
        self._keys: set[Key] = set()
        self._deleting: set[Key] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Begin as `__main__` does: know the upgrades, then work; the watch begins with all that there is."""
        await self._reconciler.prime(())
        self._queue.start()
        for body in self._server.objects():
            self.show(body, is_gone=False)
        for work in (self._poll(), *(audit.run() for audit in self._audits.values())):
            self._keep(work)

    def show(self, body: Body, *, is_gone: bool) -> None:
        """The watch brings a version of an object."""
        key = Key.of(body)
        if is_gone:
            self._audits[key.kind].gone(key)
            self._keys.discard(key)
            self._queue.forget(key)
            self._reconciler.forget(key)
            return
        self._keys.add(key)
        self._audits[key.kind].shown(body)
        self._reconciler.see(key, body)
        self._queue.wake(key)
        self._keep(_insistently(lambda: self._server.hold(key)))
        if body["metadata"].get("deletionTimestamp") and key not in self._deleting:
            self._deleting.add(key)
            self._keep(self._release(key))

    async def _release(self, key: Key) -> None:
        released = self._reconciler.released(key)
        self._queue.wake(key)
        await released.wait()
        await _insistently(lambda: self._server.let_go(key))

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(SETTINGS.poll_seconds)
            for key in list(self._keys):
                within = LATELY * SETTINGS.poll_seconds
                if not (self._reconciler.is_watched(key) and self._queue.has_seen(key, within=within)):
                    self._queue.wake(key)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _insistently(write: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Write as kopf does: again, until the API server takes it."""
    while True:
        try:
            return await write()
        except KubeError:
            await asyncio.sleep(1)
