"""The operator's process in this world: the real reconciler over the fakes, until it crashes.

Plays kopf's part by hand: it shows the object when it changes, polls it when it does not, puts the
finalizer on, and takes it away when the reconciler says so.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from gpuinstance.api.health import HealthCheck
from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.api.words import ProviderName
from gpuinstance.config import Settings
from gpuinstance.core.model import Check
from gpuinstance.core.snapshot import HealthReport, Probed
from gpuinstance.credentials import Accounts
from gpuinstance.kinds import kinds
from gpuinstance.known import Known
from gpuinstance.kube import Key
from gpuinstance.metrics import Metrics
from gpuinstance.observing import Observer
from gpuinstance.observing_upgrades import UpgradeObserver, paid_upgrade_of, upgrade_of
from gpuinstance.probes import Prober
from gpuinstance.providers.base import Provider
from gpuinstance.providers.governing.governed import Governed
from gpuinstance.providers.governing.governor import Allowance, Governor
from gpuinstance.providers.wrappers import SharedListing
from gpuinstance.reconcile import Reconciler
from tests.properties.world.api_server import ApiServer
from tests.properties.world.modelled_provider import ModelledProvider

SETTINGS = Settings(settle_seconds=60, fast_poll_seconds=3, poll_seconds=60, provider_timeout_seconds=20)


class Bug(AssertionError):
    """The reconciler met something that it did not expect."""


class _Tally:
    """In the place of the metrics: it counts nothing, and lets no surprise pass."""

    def passed(self, result: str, seconds: float) -> None:
        """A pass has ended."""
        if result in {"error", "invalid"}:
            raise Bug(f"a pass ended with {result}: see the log above")

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


class FakeProber:
    """Asks the simulated machines whether their application is up."""

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
        provider: ModelledProvider,
        is_serving: Callable[[str], bool],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        def open_account(name: ProviderName, key: str) -> SharedListing:
            account = cast("Provider", provider)  # no story upgrades
            governor = Governor(account.name, Allowance(), metrics, monotonic=monotonic)
            return SharedListing(Governed(account, governor), now=clock, monotonic=monotonic)

        self._server = server
        metrics = cast("Metrics", _Tally())
        known, capabilities = Known(), {ProviderName.NOVITA: provider.capabilities}
        observer = Observer(
            kube=server,
            accounts=Accounts(server, cast("Any", open_account), shared_namespace=None),
            prober=cast("Prober", FakeProber(is_serving, clock)),
            capabilities=capabilities,
            settings=SETTINGS,
            clock=clock,
            known=lambda: known.of_kind(KIND),
            upgrade_of=lambda instance: upgrade_of(known, instance),
            paid_upgrade_of=lambda instance: paid_upgrade_of(known, instance),
        )
        upgrades = UpgradeObserver(server, observer, capabilities, SETTINGS, clock, known)
        self._reconciler = Reconciler(server, kinds(observer, upgrades, metrics, clock), known, metrics)

    def see(self, key: Key) -> None:
        """The watch shows the object as it is now."""
        if self._server.body is None:
            self._reconciler.forget(key)
        else:
            self._reconciler.see(key, copy.deepcopy(self._server.body))
            self._server.hold()

    async def look(self, key: Key) -> timedelta | None:
        """One pass; returns when to look again."""
        again = await self._reconciler.once(key)
        await self._reconciler.drain()
        return again

    def may_release(self, key: Key) -> bool:
        """Whether the finalizer may be taken away."""
        return self._reconciler.released(key).is_set()
