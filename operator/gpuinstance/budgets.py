"""What each namespace may cost, and who is about to spend in it.

Called by the observers. A limit is read from the Namespace when money is about to be spent, and believed for
some seconds. Between a decision to spend and its saved intent stands a claim, made without any await after
the last look at the sum: two instances that decide at the same moment cannot both take what is left.
Nothing is decided here, and nothing at rest is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.api.v1alpha1 import KIND, GPUInstance
from gpuinstance.core.budget import Budget, read_limit, room_of, upgraded_price
from gpuinstance.known import Known
from gpuinstance.kube import Body, Forbidden, Key, Kube, version_of
from gpuinstance.providers.shelf import Shelf
from gpuinstance.providers.single_flight import Clock

_LIMIT_SECONDS = 10.0
"""How long a limit that was read is believed: a hundred instances that are applied at once cost one read."""
_MOST_LIMITS = 1000

_FORBIDDEN = (
    "its annotations cannot be read: grant the operator `get` on it, or set GPUINSTANCE_NAMESPACE_BUDGETS to false"
)


class Budgets:
    """The budgets of all namespaces, for one operator process."""

    def __init__(
        self,
        kube: Kube,
        known: Known,
        *,
        bill_stopped: Container[str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`bill_stopped` are the providers at which a machine that is down costs what it costs when it is up."""
        self.see: Callable[[Key, Body], None] = known.see
        """Called for objects that were read, to take note of them."""
        self.wake: Callable[[Key], None] = lambda _: None
        """Called for instances that were refused, once another one of the namespace costs less."""
        self._kube = kube
        self._known = known
        self._bill_stopped = bill_stopped
        clock = Clock(now=lambda: datetime.now(UTC), monotonic=monotonic)
        self._limits: Shelf[str, Budget] = Shelf(age=_LIMIT_SECONDS, size=_MOST_LIMITS, clock=clock)
        self._last_read: dict[str, Decimal] = {}
        """Limits, as last read, for who asks without waiting."""
        self._complete: Shelf[str, None] = Shelf(age=float("inf"), size=_MOST_LIMITS, clock=clock)
        """Namespaces of which everything is known: what the watch has not shown yet may cost something too."""
        self._claims: dict[str, Decimal] = {}
        """By uid of an instance, what is about to be saved of it."""
        self._claimants: dict[str, str] = {}
        """By uid of the object whose pass has claimed, the instance's."""
        self._counted: dict[str, Decimal] = {}
        """By uid, what an instance counted for when somebody was refused last."""
        self._refused: dict[str, set[Key]] = {}
        """By namespace, who waits until another one costs less."""
        self._spends: dict[str, tuple[int, Decimal | None]] = {}
        """By uid, the version of an object and what it counts for."""

    async def of(self, instance: GPUInstance) -> Budget:
        """Return what the instance's namespace allows it. Raises KubeError."""
        namespace = instance.metadata.namespace
        allowed = await self._limits.get(namespace, lambda: self._read(namespace))
        if allowed.limit is None:
            return allowed
        await self._complete.get(namespace, lambda: self._learn(namespace))
        return self._sum(instance, allowed)

    def cost(self, instance: GPUInstance, status: GPUInstanceStatus) -> Decimal:
        """Return what the instance will count for once the status is saved."""
        spec, saved = (it.model_dump(mode="json", by_alias=True, exclude_none=True) for it in (instance.spec, status))
        return room_of(spec, saved, bill_stopped=self._bill_stopped) or Decimal(0)

    def claim(self, instance: GPUInstance, budget: Budget, amount: Decimal, *, by: str) -> Budget | None:
        """Claim what the instance will count for, until the pass of the object with uid `by` is over.

        If what the others count for is another sum by now, nothing is claimed: it is returned, to be decided on.
        """
        if budget.limit is None:
            return None
        now = self._sum(instance, Budget(budget.limit))
        if now != budget:
            return now
        self._claims[instance.metadata.uid] = amount
        self._claimants[by] = instance.metadata.uid
        return None

    def refuse(self, instance: GPUInstance) -> None:
        """Note that the instance was refused: it is woken once another one of its namespace costs less."""
        metadata = instance.metadata
        for body in self._known.instances_in(metadata.namespace):
            uid = body["metadata"]["uid"]
            self._counted[uid] = self._counts(body) or Decimal(0)
        key = Key(metadata.namespace, metadata.name, metadata.uid, KIND)
        self._refused.setdefault(metadata.namespace, set()).add(key)

    def pass_over(self, key: Key) -> None:
        """The pass over an object has ended, or the object is gone: its claim ends, and others may have room."""
        self._claims.pop(self._claimants.pop(key.uid, ""), None)
        body, counted = self._known.last(key), self._counted.get(key.uid)
        if counted is not None and ((self._counts(body) if body is not None else None) or Decimal(0)) < counted:
            self._wake_refused(key.namespace)
        if body is None:
            self._spends.pop(key.uid, None)
            self._counted.pop(key.uid, None)
            self._refused.get(key.namespace, set()).discard(key)

    def _wake_refused(self, namespace: str) -> None:
        for body in self._known.instances_in(namespace):
            self._counted.pop(body["metadata"]["uid"], None)
        for key in self._refused.pop(namespace, ()):
            self.wake(key)

    def limits(self) -> Mapping[str, Decimal]:
        """Return the limits as they were when money was last about to be spent, by namespace, for gauges.

        Only of namespaces that have instances: nobody asks again about one that is gone.
        """
        for namespace in [it for it in self._last_read if not self._known.instances_in(it)]:
            del self._last_read[namespace]
        return self._last_read

    async def _read(self, namespace: str) -> Budget:
        budget = await self._read_anew(namespace)
        self._last_read.pop(namespace, None)
        if budget.limit is not None:
            self._last_read[namespace] = budget.limit
        return budget

    async def _read_anew(self, namespace: str) -> Budget:
        try:
            annotations = await self._kube.get_namespace_annotations(namespace)
        except Forbidden:
            return Budget(trouble=_FORBIDDEN)
        return read_limit(annotations) if annotations is not None else Budget(trouble="it does not exist any more")

    async def _learn(self, namespace: str) -> None:
        for body in await self._kube.list_objects(KIND, namespace):
            self.see(Key.of(body), body)

    def _sum(self, instance: GPUInstance, allowed: Budget) -> Budget:
        """Return the budget with what all others count for at this moment."""
        total, unpriced, uid = Decimal(0), "", instance.metadata.uid
        for body in self._known.instances_in(instance.metadata.namespace):
            if body["metadata"]["uid"] == uid:
                continue
            amount = self._counts(body)
            total += amount or Decimal(0)
            unpriced = unpriced if amount is not None else min(unpriced or "~", body["metadata"]["name"])
        return replace(allowed, others=total, unpriced=unpriced)

    def _counts(self, body: Body) -> Decimal | None:
        """Return what an instance counts for: what is saved, or more if that is about to be saved or upgraded to."""
        metadata = body["metadata"]
        saved, machine = self._spend(body), (body.get("status") or {}).get("instance") or {}
        upgrades = self._known.upgrades_of(metadata["namespace"], metadata["name"])
        upgraded = upgraded_price(upgrades, machine, is_billed=saved != 0)
        least = max(self._claims.get(metadata["uid"], Decimal(0)), upgraded)
        return max(saved, least) if saved is not None else least or None

    def _spend(self, body: Body) -> Decimal | None:
        uid, version = body["metadata"]["uid"], version_of(body)
        known = self._spends.get(uid)
        if known is None or known[0] != version:
            spend = room_of(body.get("spec") or {}, body.get("status") or {}, bill_stopped=self._bill_stopped)
            known = self._spends[uid] = (version, spend)
        return known[1]
