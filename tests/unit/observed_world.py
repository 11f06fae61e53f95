"""A small world around one observer: account, Secrets, prober and clock in one, for tests of observing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

from gpuinstance.api.health import HealthCheck
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import ProviderName
from gpuinstance.config import Settings
from gpuinstance.core.model import Check, Listing, Machine
from gpuinstance.core.snapshot import HealthReport, Probed
from gpuinstance.credentials import Accounts, CredentialsUnavailable
from gpuinstance.kube import Body, Kube, KubeError
from gpuinstance.observing import Look, Observer
from gpuinstance.probes import Prober
from gpuinstance.providers.novita import CAPABILITIES
from tests.builders import InstanceBuilder
from tests.materials import NOW, machine

CANARY = "Bearer canary-0123456789"
SETTINGS = Settings(poll_seconds=60, fast_poll_seconds=3, settle_seconds=60)


class World:
    """Plays everybody whom the observer asks: the account, the Secrets, the prober and the clock."""

    def __init__(self, *machines: Machine) -> None:
        self.now = NOW
        self.machines = machines
        self.alone: Machine | Exception = machine(exposes=())
        """What the provider says when it is asked for one machine."""
        self.trouble: Exception | None = None
        """What becomes of the next looks."""
        self.secrets = {("default", "app", "token"): CANARY}
        self.sick: set[int] = set()
        self.other_account: World | None = None
        """What another API key leads to, once the Secret holds it."""
        self.ages: list[float] = []
        self.rounds: list[tuple[Sequence[Check], HealthCheck, Mapping[int, Mapping[str, str]]]] = []
        self.known: list[Body] = []
        self.observer = Observer(
            kube=cast("Kube", None),
            accounts=cast("Accounts", self),
            prober=cast("Prober", self),
            capabilities={ProviderName.NOVITA: CAPABILITIES},
            settings=SETTINGS,
            clock=lambda: self.now,
            known=lambda: self.known,
        )

    async def look(self, at: InstanceBuilder | GPUInstance, *, after: float = 0) -> Look:
        """One look, so many seconds later."""
        self.now += timedelta(seconds=after)
        return await self.observer.look(at.build() if isinstance(at, InstanceBuilder) else at)

    # What the observer sees of it.

    async def account_of(self, _: GPUInstance) -> World:
        """Play the accounts."""
        if isinstance(self.trouble, CredentialsUnavailable | KubeError):
            raise self.trouble
        return self.other_account or self

    async def secret_text(self, namespace: str, name: str, key: str) -> str | None:
        """Play the Secrets."""
        return self.secrets.get((namespace, name, key))

    async def listing(self, *, max_age: float) -> Listing:
        """Play the shared listing."""
        self.ages.append(max_age)
        if self.trouble is not None:
            raise self.trouble
        return Listing(self.machines, self.now)

    async def get_machine(self, _: str) -> Machine:
        """Play the provider."""
        if isinstance(self.alone, Exception):
            raise self.alone
        return self.alone

    async def check(
        self,
        checks: Sequence[Check],
        health_check: HealthCheck,
        *,
        headers: Mapping[int, Mapping[str, str]] | None = None,
    ) -> HealthReport:
        """Play the prober."""
        self.rounds.append((checks, health_check, headers or {}))
        return HealthReport(self.now, tuple(Probed(it.port, healthy=it.port not in self.sick) for it in checks))


def afterwards(look: Look, **metadata: Any) -> GPUInstance:
    """Return the object as it is once the decision of a look was saved."""
    of = look.snapshot.instance
    return of.model_copy(update={"status": look.decision.status, "metadata": of.metadata.model_copy(update=metadata)})
