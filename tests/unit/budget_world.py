"""A namespace full of instances, over a cluster and a cloud that answer in any order: for tests of budgets.

The real reconciler, observer and budgets run in it; every call yields to others a few times, by chance. The
process can be killed at any moment; the next one learns of the objects bit by bit, as from a watch.
"""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

from gpuinstance.api.v1alpha1 import FINALIZER, GROUP, KIND, VERSION, GPUInstance
from gpuinstance.api.words import BillingMode, ProviderName
from gpuinstance.budgets import Budgets
from gpuinstance.config import Settings
from gpuinstance.core.budget import LIMIT
from gpuinstance.core.model import Listing, Machine, MachineState, Order, Product
from gpuinstance.credentials import Accounts
from gpuinstance.kinds import kinds
from gpuinstance.known import Known
from gpuinstance.kube import Body, Conflict, Forbidden, Key, Kube, Vanished
from gpuinstance.metrics import Metrics
from gpuinstance.observing import Observer
from gpuinstance.observing_upgrades import UpgradeObserver
from gpuinstance.probes import Prober
from gpuinstance.providers.base import OutOfCapacity, UnknownOutcome
from gpuinstance.providers.novita import CAPABILITIES
from gpuinstance.reconcile import Reconciler
from tests.materials import IMAGE, NOW, product

PRICE = Decimal("0.35")
SETTINGS = Settings(poll_seconds=60, fast_poll_seconds=3, settle_seconds=60)


class Chance:
    """Lets others go first, now and then."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    async def turn(self) -> None:
        """Yield a few times."""
        for _ in range(self.random.randint(0, 4)):
            await asyncio.sleep(0)


class Cluster(Kube):
    """The API server: objects, and one Namespace with an annotation."""

    def __init__(self, chance: Chance, limit: str | None) -> None:
        self.chance = chance
        self.limit = limit
        self.is_forbidden = False
        self.is_gone = False
        self.reads = 0
        """How often the Namespace was read."""
        self.lists = 0
        self.bodies: dict[Key, Body] = {}
        self._version = 0

    def add(self, name: str, spec: Mapping[str, Any]) -> Key:
        """Apply an instance."""
        key = Key("default", name, f"{len(self.bodies):08x}-0c5e-4d6a-9b7e-1f2a3b4c5d6e", KIND)
        metadata = {"name": name, "namespace": "default", "uid": key.uid, "generation": 1, "finalizers": [FINALIZER]}
        self.bodies[key] = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "metadata": metadata,
            "spec": dict(spec),
            "status": {"observedGeneration": -1},
        }
        self._bump(key)
        return key

    def edit(self, key: Key, **spec: Any) -> None:
        """Change a spec."""
        self.bodies[key]["spec"] |= spec
        self.bodies[key]["metadata"]["generation"] += 1
        self._bump(key)

    async def get_object(self, key: Key) -> Body:
        """Return an object."""
        await self.chance.turn()
        if key not in self.bodies:
            raise Vanished("not found")
        return copy.deepcopy(self.bodies[key])

    async def list_objects(self, kind: str, namespace: str | None, *, metadata_only: bool = False) -> list[Body]:
        """Return all objects."""
        self.lists += 1
        await self.chance.turn()
        found = copy.deepcopy(list(self.bodies.values())) if kind == KIND else []
        await self.chance.turn()
        return found

    async def patch_status(self, body: Body, patch: Body) -> Body:
        """Merge a patch, if the object is still as it was read."""
        await self.chance.turn()
        key = Key.of(body)
        current = self.bodies[key]
        if current["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflict("changed")
        _merge(current["status"], patch)
        self._bump(key)
        saved = copy.deepcopy(current)
        await self.chance.turn()
        return saved

    async def get_namespace_annotations(self, name: str) -> Mapping[str, str] | None:
        """Return what the Namespace says."""
        self.reads += 1
        await self.chance.turn()
        if self.is_forbidden:
            raise Forbidden("no")
        if self.is_gone:
            return None
        return {LIMIT: self.limit} if self.limit is not None else {}

    async def post_event(self, body: Body, *, reason: str, message: str, warning: bool) -> None:
        """Take an Event."""

    def _bump(self, key: Key) -> None:
        self._version += 1
        self.bodies[key]["metadata"]["resourceVersion"] = str(self._version)


class Cloud:
    """The account: machines that are up once they are bought, at one price."""

    name = "novita"

    def __init__(self, chance: Chance, clock: Any) -> None:
        self.chance = chance
        self.clock = clock
        self.machines: dict[str, Machine] = {}
        self.price = PRICE
        self.moods: list[str] = ["well"]
        """How purchases end: well, lost (no answer, and nothing came of it), taken (no answer), sold out."""
        self.most = Decimal(0)
        """What all machines have cost at most."""
        self._count = 0

    async def account_of(self, _: GPUInstance) -> Cloud:
        """Play the accounts."""
        return self

    async def listing(self, *, max_age: float) -> Listing:
        """Show all machines."""
        shown = tuple(self.machines.values())
        await self.chance.turn()
        return Listing(shown, self.clock())

    async def list_products(self, *, name: str, gpu_count: int, mode: BillingMode) -> Sequence[Product]:
        """Show one product."""
        await self.chance.turn()
        return [product(hourly_price=self.price)]

    async def create(self, order: Order) -> str:
        """Sell a machine."""
        await self.chance.turn()
        mood = self.chance.random.choice(self.moods)
        if mood == "sold out":
            raise OutOfCapacity("sold out")
        if mood != "lost":
            self._count += 1
            machine_id = f"m-{self._count}"
            self.machines[machine_id] = Machine(
                id=machine_id,
                name=order.name,
                state=MachineState.RUNNING,
                word="running",
                product_id=order.product_id,
                gpu_count=1,
                started_at=self.clock(),
            )
            self._measure()
        await self.chance.turn()
        if mood != "well":
            raise UnknownOutcome("no answer")
        return machine_id

    async def start(self, machine_id: str) -> None:
        """Bring a machine up."""
        await self._becomes(machine_id, MachineState.RUNNING)

    async def stop(self, machine_id: str) -> None:
        """Bring a machine down."""
        await self._becomes(machine_id, MachineState.STOPPED)

    async def get_machine(self, machine_id: str) -> Machine:
        """Show one machine."""
        await self.chance.turn()
        return self.machines[machine_id]

    @property
    def running(self) -> list[Machine]:
        """Those that cost something."""
        return [it for it in self.machines.values() if it.state is MachineState.RUNNING]

    async def _becomes(self, machine_id: str, state: MachineState) -> None:
        await self.chance.turn()
        self.machines[machine_id] = replace(self.machines[machine_id], state=state, started_at=self.clock())
        self._measure()
        await self.chance.turn()

    def _measure(self) -> None:
        self.most = max(self.most, len(self.running) * self.price)


class BudgetWorld:
    """One namespace, one account, one operator at a time."""

    def __init__(self, *, limit: str | None, instances: int, seed: int = 0) -> None:
        self.now = NOW
        self.chance = Chance(seed)
        self.cluster = Cluster(self.chance, limit)
        self.cloud = Cloud(self.chance, lambda: self.now)
        spec = {
            "provider": "novita",
            "product": {"name": "RTX 4090"},
            "image": IMAGE,
            "healthCheck": {"enabled": False},
        }
        self.keys = [self.cluster.add(f"job-{n}", spec) for n in range(instances)]
        self.woken: list[Key] = []
        self.reconciler = self.start()

    def start(self) -> Reconciler:
        """Start a process that has seen nothing yet."""
        known, metrics = Known(), Metrics()
        capabilities = {ProviderName.NOVITA: CAPABILITIES}

        def now() -> Any:
            return self.now

        self.budgets = Budgets(
            self.cluster, known, bill_stopped=(), monotonic=lambda: (self.now - NOW) / timedelta(seconds=1)
        )
        observer = Observer(
            self.cluster,
            cast("Accounts", self.cloud),
            cast("Prober", None),
            capabilities,
            SETTINGS,
            now,
            known=lambda: known.of_kind(KIND),
            budgets=self.budgets,
        )
        upgrades = UpgradeObserver(self.cluster, observer, capabilities, SETTINGS, now, known)
        self.reconciler = Reconciler(self.cluster, kinds(observer, upgrades, metrics, now), known, metrics)
        self.budgets.see, self.budgets.wake = self.reconciler.see, self.woken.append
        return self.reconciler

    async def pass_over(self, key: Key) -> None:
        """The watch shows an object, and a pass looks at it."""
        await self.chance.turn()
        self.reconciler.see(key, copy.deepcopy(self.cluster.bodies[key]))
        await self.reconciler.once(key)

    async def all_at_once(self, keys: Sequence[Key] | None = None, *, seconds: float = 61) -> None:
        """One pass over each object, all at the same time, after a while."""
        self.now += timedelta(seconds=seconds)
        shuffled = list(self.keys if keys is None else keys)
        self.chance.random.shuffle(shuffled)
        await asyncio.gather(*(self.pass_over(key) for key in shuffled))
        await self.reconciler.drain()

    async def killed_in_between(self) -> None:
        """Begin a pass over each object, and die in the middle; the next process begins anew."""
        self.now += timedelta(seconds=61)
        tasks = [asyncio.create_task(self.pass_over(key)) for key in self.keys]
        for _ in range(self.chance.random.randint(1, 40)):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.start()

    def ready(self, key: Key) -> tuple[str, str]:
        """Return reason and message of Ready."""
        conditions = self.cluster.bodies[key]["status"].get("conditions", ())
        return next(((it["reason"], it["message"]) for it in conditions if it["type"] == "Ready"), ("", ""))

    def count(self, reason: str) -> int:
        """Return how many instances are so."""
        return sum(self.ready(key)[0] == reason for key in self.keys)


def _merge(old: dict[str, Any], patch: Mapping[str, Any]) -> None:
    for name, value in patch.items():
        if value is None:
            old.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(old.get(name), dict):
            _merge(old[name], value)
        else:
            old[name] = copy.deepcopy(value)
