"""The operator's process in this world: the real reconciler, observers and wake queue, until it dies.

Plays kopf's part by hand: it shows objects when they change, polls them when they do not, puts the finalizers on,
and takes them away when the reconciler says so. Passes overlap as they do in a real process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, cast

from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.api.words import ProviderName
from gpuinstance.config import Settings
from gpuinstance.credentials import Accounts
from gpuinstance.kinds import kinds
from gpuinstance.known import Known
from gpuinstance.kube import Body, Key
from gpuinstance.metrics import Metrics
from gpuinstance.observing import Observer
from gpuinstance.observing_upgrades import UpgradeObserver, upgrade_of
from gpuinstance.probes import Prober
from gpuinstance.providers.base import Provider
from gpuinstance.providers.wrappers import SharedListing
from gpuinstance.queue import WakeQueue
from gpuinstance.reconcile import Reconciler
from tests.properties.upgrades.cluster import Cluster
from tests.properties.upgrades.provider import RentalAccount
from tests.properties.world.fate import Crash
from tests.properties.world.operator import FakeProber

SETTINGS = Settings(
    settle_seconds=60,
    hostwinds_poll_seconds=10,
    poll_seconds=60,
    provider_timeout_seconds=20,
    resize_timeout_seconds=600,
)


class _Tally:
    """In the place of the metrics: it counts nothing, and lets no surprise pass."""

    def __init__(self, surprised: Callable[[str], None]) -> None:
        self._surprised = surprised

    def passed(self, result: str, seconds: float) -> None:
        """A pass has ended."""
        if result in {"error", "invalid"}:
            self._surprised(f"a pass ended with {result}: see the log above")

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


class OperatorProcess:
    """One life of the operator."""

    def __init__(
        self,
        cluster: Cluster,
        account: RentalAccount,
        is_serving: Callable[[str], bool],
        clock: Callable[[], datetime],
        died: Callable[[], None],
        surprised: Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._died = died
        self._loop = asyncio.get_running_loop()
        self._keys: dict[Key, None] = {}
        self._releasing: set[Key] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        metrics = cast("Metrics", _Tally(surprised))
        known, capabilities = Known(), {ProviderName.HOSTWINDS: account.capabilities}

        def open_account(name: ProviderName, key: str) -> SharedListing:
            return SharedListing(cast("Provider", account), now=clock, monotonic=self._loop.time)

        observer = Observer(
            kube=cluster,
            accounts=Accounts(cluster, open_account, shared_namespace=None),
            prober=cast("Prober", FakeProber(is_serving, clock)),
            capabilities=capabilities,
            settings=SETTINGS,
            clock=clock,
            known=lambda: known.of_kind(KIND),
            upgrade_of=lambda instance: upgrade_of(known, instance),
        )
        upgrades = UpgradeObserver(cluster, observer, capabilities, SETTINGS, clock, known)
        self._reconciler = Reconciler(cluster, kinds(observer, upgrades, metrics, clock), known, metrics)
        self._queue = WakeQueue(self._once, workers=4)
        self._reconciler.wake = self._queue.wake

    async def start(self) -> None:
        """Begin as `__main__` does: know the upgrades, then work; the watch begins with all that there is."""
        await self._reconciler.prime(())
        self._queue.start()
        for body in self._cluster.shown():
            self.show(body, is_gone=False)
        self._keep(self._poll())

    def show(self, body: Body, *, is_gone: bool) -> None:
        """The watch brings a version of an object."""
        key = Key.of(body)
        if is_gone:
            self._keys.pop(key, None)
            self._queue.forget(key)
            self._reconciler.forget(key)
            return
        self._keys[key] = None
        self._reconciler.see(key, body)
        self._queue.wake(key)
        self._cluster.hold(key)
        if body["metadata"].get("deletionTimestamp") and key not in self._releasing:
            self._releasing.add(key)
            self._keep(self._release(key))

    async def _once(self, key: Key) -> timedelta | None:
        try:
            return await self._reconciler.once(key)
        except Crash:
            self._died()
            return None

    async def _release(self, key: Key) -> None:
        await self._reconciler.released(key).wait()
        await asyncio.sleep(0.01)
        try:
            self._cluster.let_go(key)
        except Crash:
            self._died()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(SETTINGS.poll_seconds)
            for key in list(self._keys):
                self._queue.wake(key)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
