"""Gathers the snapshot that the rules decide on: the shared listing, and single facts on demand.

Called by `reconcile`. An error of the provider while looking makes the snapshot blind; it is never
mistaken for "there is nothing".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from gpuinstance.api.health import HealthCheck
from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.api.v1alpha1 import KIND, GPUInstance
from gpuinstance.api.words import ConditionType, ProviderName
from gpuinstance.budgets import Budgets
from gpuinstance.config import Settings
from gpuinstance.core.budget import Budget
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import Decision, Need
from gpuinstance.core.naming import Identity
from gpuinstance.core.rules.health import endpoints_to_check
from gpuinstance.core.sight import sight_of
from gpuinstance.core.snapshot import Blind, FoundUpgrade, HealthReport, Limits, Price, Seen, Snapshot
from gpuinstance.credentials import Accounts, CredentialsUnavailable, read_headers
from gpuinstance.kube import Body, Key, Kube, KubeError
from gpuinstance.neighbours import count_neighbours
from gpuinstance.owners import owner_of
from gpuinstance.planning import plan_order, plan_software, price_of_machine
from gpuinstance.providers.base import Capabilities, NotFound, ProviderError, Unauthorized
from gpuinstance.surplus import Surplus
from gpuinstance.veiling import veiled

if TYPE_CHECKING:
    from gpuinstance.probes import Prober
    from gpuinstance.providers.wrappers import SharedListing

_MOST_FACTS = 8
"""No chain of rules asks for more facts than this in one pass."""


@dataclass(slots=True)
class _Memory:
    """What is remembered about one object between passes: nothing that a restart may not lose."""

    last_seen_at: datetime
    health: HealthReport | None = None
    health_of: tuple[str | None, int] | None = None
    """The machine that the health report is about, and the generation of the spec that said what to ask."""
    account: SharedListing | None = None
    """The account that was last used: another one where the API key has been changed."""
    key_changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What one pass found out."""

    snapshot: Snapshot
    decision: Decision
    account: SharedListing | None

    @property
    def status(self) -> GPUInstanceStatus:
        """The status that was decided on."""
        return self.snapshot.status


@dataclass(slots=True)
class Observer:
    """Looks at the world for one object at a time."""

    kube: Kube
    accounts: Accounts
    prober: Prober
    capabilities: Mapping[ProviderName, Capabilities]
    settings: Settings
    clock: Callable[[], datetime]
    known: Callable[[], Iterable[Body]] = tuple
    """All instances as last seen."""
    upgrade_of: Callable[[GPUInstance], FoundUpgrade | None] = lambda _: None
    """The upgrade that concerns an instance now: the one that holds its machine, else the last that succeeded."""
    paid_upgrade_of: Callable[[GPUInstance], str | None] = lambda _: None
    """The upgrade for which an instance whose machine has served is kept for a while."""
    budgets: Budgets | None = None
    """What namespaces may cost; None where they have no budgets."""
    surplus: Surplus = field(default_factory=Surplus)
    """Told of each object's machines."""
    _memory: dict[str, _Memory] = field(default_factory=dict)
    _started_at: datetime | None = None

    def forget(self, uid: str) -> None:
        """Drop what is remembered about an object that is gone."""
        self._memory.pop(uid, None)
        self.surplus.forget(uid)

    def pass_over(self, key: Key) -> None:
        """The pass over an object has ended, or the object is gone."""
        if self.budgets is not None:
            self.budgets.pass_over(key)

    def ages(self) -> dict[str, float]:
        """Return, by provider, the seconds since the object that was observed longest ago was observed."""
        now, oldest = self.clock(), dict[str, datetime]()
        for body in self.known():
            memory = self._memory.get(body["metadata"]["uid"])
            provider = (body.get("spec") or {}).get("provider")
            if memory is not None and isinstance(provider, str):
                oldest[provider] = min(memory.last_seen_at, oldest.get(provider, now))
        return {provider: (now - seen_at).total_seconds() for provider, seen_at in oldest.items()}

    def is_watched(self, uid: str) -> bool:
        """Whether the object's account was listed lately, so that a change of its machine has woken it."""
        memory = self._memory.get(uid)
        return memory is not None and memory.account is not None and memory.account.is_fresh(self._patience())

    async def look(self, instance: GPUInstance) -> Look:
        """Observe, ask the rules, gather what they need, ask again. Raises KubeError."""
        snapshot, account = await self._first_look(instance)
        for _ in range(_MOST_FACTS):
            decision = decide(snapshot)
            if decision.need is None or account is None:
                # No await from here to the claim: what another one spends meanwhile would not be counted.
                outdated = self._claim(snapshot, decision)
                if outdated is None:
                    return Look(snapshot, decision, account)
                snapshot = replace(snapshot, budget=outdated)
                continue
            try:
                snapshot = await self._with_fact(snapshot, decision.need, account)
                snapshot = replace(snapshot, now=self._now())  # looking may have taken a while
            except ProviderError as error:
                snapshot = replace(snapshot, view=self.blind(instance, error))
        msg = f"the rules keep asking for facts, the last was {decision.need} by {decision.rule}"
        raise AssertionError(msg)

    def _claim(self, snapshot: Snapshot, decision: Decision) -> Budget | None:
        """Claim what a decision will cost in its namespace; return the budget as it is now if it has changed."""
        if self.budgets is None or snapshot.budget is None or snapshot.budget.limit is None:
            return None
        if decision.action is not None:
            instance = snapshot.instance
            amount = self.budgets.cost(instance, decision.status)
            return self.budgets.claim(instance, snapshot.budget, amount, by=instance.metadata.uid)
        self.budgets.refuse(snapshot.instance)
        return None

    async def _first_look(self, instance: GPUInstance) -> tuple[Snapshot, SharedListing | None]:
        memory = self._remember(instance)
        view, account = await self.see(instance, max_age=self._max_age(instance))
        if instance.status.endpoints is None or memory.health_of != _subject(instance):
            memory.health = None  # made before the last change of machine or spec, or about another machine
        snapshot = Snapshot(
            now=self._now(),
            instance=instance,
            identity=self._identity(instance),
            limits=self._limits(instance.spec.provider),
            view=view,
            upgrade=self.upgrade_of(instance),
            paid_upgrade=self.paid_upgrade_of(instance),
            claimed_by=await self._claimant(instance, view),
            health=memory.health,
            key_changed_at=memory.key_changed_at,
        )
        return snapshot, account

    async def see(self, instance: GPUInstance, *, max_age: float) -> tuple[Seen | Blind, SharedListing | None]:
        """Look at the instance's machines in a listing at most `max_age` seconds old."""
        account: SharedListing | None = None
        memory = self._remember(instance)
        try:
            account = await self.accounts.account_of(instance)
            if memory.account is not None and memory.account is not account:
                memory.key_changed_at = self._now()
            memory.account = account
            listing = await account.listing(max_age=max_age)
        except CredentialsUnavailable as error:
            view: Seen | Blind = Blind(Reason.CREDENTIALS_UNAVAILABLE, str(error), True, memory.last_seen_at)
        except KubeError as error:
            text = f"the Secret with the API key cannot be read: {error}"
            view = Blind(Reason.CREDENTIALS_UNAVAILABLE, text, False, memory.last_seen_at)
        except ProviderError as error:
            view = self.blind(instance, error)
        else:
            seen = sight_of(instance, self._identity(instance), listing)
            self.surplus.note(instance.metadata.uid, instance.spec.provider, seen.machines)
            view = replace(seen, machines=await veiled(self.accounts, instance, seen.machines))
            memory.last_seen_at = max(memory.last_seen_at, listing.started_at)
        return view, account

    async def _claimant(self, instance: GPUInstance, view: Seen | Blind) -> str | None:
        """Return in words who else owns the machine that an object adopts, or has adopted. Raises KubeError."""
        recorded = instance.status.instance
        if not isinstance(view, Seen) or not view.candidates:
            return None
        machine = view.candidates[0]
        if recorded is not None and recorded.id != machine.id:
            return None
        owner = owner_of(machine, self.known(), instance)
        if owner is not None or recorded is not None:
            return owner
        namespaces = self.settings.namespaces
        if namespaces and machine.name.startswith(f"{self.settings.mark}-"):
            return "an object of this cluster, which may be in a namespace that this operator does not serve"
        # What the watch has not shown yet, as when the operator has just been started, has to be known here.
        for namespace in namespaces or (None,):
            owner = owner or owner_of(machine, await self.kube.list_objects(KIND, namespace), instance)
        return owner

    def _now(self) -> datetime:
        """Return the moment to the second, as it is kept in a status."""
        return self.clock().replace(microsecond=0)

    def _remember(self, instance: GPUInstance) -> _Memory:
        if self._started_at is None:
            self._started_at = self.clock()
        return self._memory.setdefault(instance.metadata.uid, _Memory(self._started_at))

    def _max_age(self, instance: GPUInstance) -> float:
        """Return how old a listing may be, in seconds: young while something changes."""
        metadata, status = instance.metadata, instance.status
        at_rest = (
            status.observed_generation == metadata.generation
            and status.operation is None
            and status.condition(ConditionType.RECONCILING) is None
            and metadata.deletion_timestamp is None
        )
        pace = self.settings.pace(instance.spec.provider).total_seconds()
        return self._patience() if at_rest else 0.9 * pace

    def _patience(self) -> float:
        """Return how old a listing may be at rest, in seconds: one is read in each poll."""
        return 0.9 * self.settings.poll_seconds

    def _identity(self, instance: GPUInstance) -> Identity:
        return Identity.of(instance.metadata, mark=self.settings.mark)

    def blind(self, instance: GPUInstance, error: ProviderError) -> Blind:
        """Return what is known when a look has failed."""
        person = isinstance(error, Unauthorized)
        return Blind(error.reason, error.message, person, self._remember(instance).last_seen_at)

    def _limits(self, provider: ProviderName) -> Limits:
        can, settings = self.capabilities[provider], self.settings
        return Limits(
            settle=settings.settle,
            fast_poll=settings.pace(provider),
            stale_after=settings.stale_after,
            max_gpu_count=can.max_gpu_count,
            max_rootfs_gb=can.max_rootfs_gb,
            billing_modes=frozenset(can.billing_modes),
            listing_has_addresses=can.listing_has_addresses,
            can_change_ports=can.can_change_ports,
            can_grow_disk=can.can_grow_disk,
            can_change_software=can.can_change_software,
            publishes_ports=can.publishes_ports,
            rebuilds_in_place=can.rebuilds_in_place,
            upgrades_are_ordered=can.upgrades_are_ordered,
            bills_stopped=can.bills_stopped,
            asks_budget=self.budgets is not None,
        )

    async def _with_fact(self, snapshot: Snapshot, need: Need, account: SharedListing) -> Snapshot:
        instance = snapshot.instance
        namespace = instance.metadata.namespace
        match need:
            case Need.PLAN:
                return replace(snapshot, plan=await plan_order(self.kube, account, snapshot.spec, namespace))
            case Need.SOFTWARE:
                return replace(snapshot, software=await plan_software(self.kube, account, snapshot.spec, namespace))
            case Need.BUDGET:
                budget = await self.budgets.of(instance) if self.budgets is not None else Budget()
                return replace(snapshot, budget=budget)
            case Need.PRICE:
                return replace(snapshot, price=Price(await price_of_machine(account, snapshot)))
            case Need.NEIGHBOURS:
                return replace(snapshot, neighbours=count_neighbours(self.known(), instance.metadata))
            case Need.HEALTH:
                # Before the first answer each pass is a try of its own; tries within a round are there
                # to keep a ready instance from losing Ready over one dropped packet.
                tries = {} if snapshot.was_ready else {"retry_attempts": 0}
                settings = snapshot.spec.health_check.model_copy(update=tries)
                report = await self.check_health(instance, settings)
                memory = self._remember(instance)
                memory.health, memory.health_of = report, _subject(instance)
                return replace(snapshot, health=report, health_is_new=True)
            case Need.ADDRESSES | Need.CONFIRMATION:
                return await self._ask_about_machine(snapshot, account)

    async def check_health(self, instance: GPUInstance, settings: HealthCheck) -> HealthReport:
        """Make one round of the instance's health checks, with these settings. Raises KubeError."""
        headers = await read_headers(self.accounts, settings, instance.metadata.namespace)
        return await self.prober.check(endpoints_to_check(instance), settings, headers=headers)

    async def _ask_about_machine(self, snapshot: Snapshot, account: SharedListing) -> Snapshot:
        """Ask for the one recorded machine: the provider's own word on it, with its addresses."""
        machine_id = snapshot.machine_id
        if machine_id is None or not isinstance(snapshot.view, Seen):
            return replace(snapshot, addresses=())
        try:
            machine = await account.get_machine(machine_id)
        except NotFound:
            machine = None
        if machine is None or machine.state.is_gone:
            return replace(snapshot, confirmed_gone=snapshot.confirmed_gone | {machine_id}, addresses=())
        (machine,) = await veiled(self.accounts, snapshot.instance, [machine])
        others = tuple(m for m in snapshot.view.machines if m.id != machine_id)
        listed = next((m for m in snapshot.view.machines if m.id == machine_id), machine)
        # What a single answer lacks (Novita: spot fields) is kept from the listing.
        shown = replace(
            listed, state=machine.state, word=machine.word, trouble=machine.trouble, host=machine.host or listed.host
        )
        shown = replace(shown, hourly_price=machine.hourly_price or listed.hourly_price)
        view = replace(snapshot.view, machines=(shown, *others))
        return replace(snapshot, view=view, addresses=machine.ports)


def _subject(instance: GPUInstance) -> tuple[str | None, int]:
    recorded = instance.status.instance
    return recorded.id if recorded else None, instance.metadata.generation
