"""Gathers the snapshot that the rules about an upgrade decide on: its instance, the shared listing, and
single facts on demand.

Called by `reconcile`. An error of the provider while looking makes the snapshot blind; it is never
mistaken for "there is no order" or "the machine is gone".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade import InstanceUpgrade
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.api.upgrade_words import UpgradeOutcome, UpgradePhase
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import BillingMode, ProviderName
from gpuinstance.config import Settings
from gpuinstance.core.budget import Budget
from gpuinstance.core.expiry import will_be_deleted
from gpuinstance.core.snapshot import Blind, FoundUpgrade, Seen
from gpuinstance.core.upgrade.decide import decide_upgrade
from gpuinstance.core.upgrade.decision import UpgradeDecision, UpgradeNeed
from gpuinstance.core.upgrade.snapshot import MachineSeen, OrderSeen, Quote, UpgradeLimits, UpgradeSnapshot
from gpuinstance.known import Known
from gpuinstance.kube import Kube
from gpuinstance.observing import Observer
from gpuinstance.planning import plan_software
from gpuinstance.providers.base import Capabilities, NotFound, ProviderError

if TYPE_CHECKING:
    from gpuinstance.providers.wrappers import SharedListing

Answered = TypeVar("Answered")

_MOST_FACTS = 8
"""No chain of rules asks for more facts than this in one pass."""


@dataclass(frozen=True, slots=True)
class UpgradeLook:
    """What one pass found out."""

    snapshot: UpgradeSnapshot
    decision: UpgradeDecision
    account: SharedListing | None

    @property
    def status(self) -> InstanceUpgradeStatus:
        """The status that was decided on."""
        return self.snapshot.status


@dataclass(frozen=True, slots=True)
class UpgradeObserver:
    """Looks at the world for one upgrade at a time."""

    kube: Kube
    instances: Observer
    capabilities: Mapping[ProviderName, Capabilities]
    settings: Settings
    clock: Callable[[], datetime]
    known: Known

    async def look(self, upgrade: InstanceUpgrade) -> UpgradeLook:
        """Observe, ask the rules, gather what they need, ask again. Raises KubeError."""
        snapshot, account = await self._first_look(upgrade)
        for _ in range(_MOST_FACTS):
            decision = decide_upgrade(snapshot)
            if decision.need is None or account is None:
                # No await from here to the claim: what another one spends meanwhile would not be counted.
                outdated = self._claim(snapshot, decision)
                if outdated is None:
                    return UpgradeLook(snapshot, decision, account)
                snapshot = replace(snapshot, budget=outdated)
                continue
            instance = snapshot.instance
            assert instance is not None  # an account was opened for it
            try:
                snapshot = await self._with_fact(snapshot, instance, decision.need, account)
                snapshot = replace(snapshot, now=self._now())  # looking may have taken a while
            except ProviderError as error:
                snapshot = replace(snapshot, view=self.instances.blind(instance, error))
        msg = f"the rules keep asking for facts, the last was {decision.need} by {decision.rule}"
        raise AssertionError(msg)

    def _claim(self, s: UpgradeSnapshot, decision: UpgradeDecision) -> Budget | None:
        """Claim what the machine will cost; return the namespace's budget as it is now if it has changed."""
        budgets, target = self.instances.budgets, decision.status.target
        if budgets is None or s.budget is None or s.instance is None or decision.action is None:
            return None
        price = target.hourly_price if target is not None else None
        amount = Decimal(price) if price is not None else Decimal(0)
        return budgets.claim(s.instance, s.budget, amount, by=s.upgrade.metadata.uid)

    async def _first_look(self, upgrade: InstanceUpgrade) -> tuple[UpgradeSnapshot, SharedListing | None]:
        # What has ended is kept, for as long as somebody wants it: that costs nobody a question.
        instance = await self._instance_of(upgrade) if upgrade.status.completed_at is None else None
        if instance is None:
            view: Seen | Blind = Blind(Reason.PENDING, "no provider was asked", False, self.clock())
            account = None
        else:
            view, account = await self.instances.see(instance, max_age=self._max_age(upgrade, instance))
        snapshot = UpgradeSnapshot(
            now=self._now(),
            upgrade=upgrade,
            instance=instance,
            limits=self._limits(instance),
            view=view,
            ahead=self._ahead_of(upgrade),
        )
        return snapshot, account

    async def _instance_of(self, upgrade: InstanceUpgrade) -> GPUInstance | None:
        """Return the instance as last seen; before anything is concluded from its absence, the API server is asked."""
        namespace, name = upgrade.metadata.namespace, upgrade.spec.instance_ref.name
        body = self.known.instance_named(namespace, name) or await self.kube.find_instance(namespace, name)
        return GPUInstance.model_validate(body) if body is not None else None

    def _now(self) -> datetime:
        """Return the moment to the second, as it is kept in a status."""
        return self.clock().replace(microsecond=0)

    def _max_age(self, upgrade: InstanceUpgrade, instance: GPUInstance) -> float:
        """Return how old a listing may be, in seconds: young while the machine is being changed."""
        pause = self.settings.pace(instance.spec.provider) if upgrade.status.holds_machine else self.settings.poll
        return 0.9 * pause.total_seconds()

    def _ahead_of(self, upgrade: InstanceUpgrade) -> str | None:
        """Return the upgrade of the same instance that goes first: one that has begun, else the oldest."""
        if upgrade.status.has_begun:
            return None
        metadata = upgrade.metadata
        bodies = self.known.upgrades_of(metadata.namespace, upgrade.spec.instance_ref.name)
        others = [it for it in map(InstanceUpgrade.model_validate, bodies) if it.metadata.uid != metadata.uid]
        open_ones = [it for it in others if it.status.completed_at is None]
        begun = [it for it in open_ones if it.status.has_begun]
        older = [it for it in open_ones if _age(it) < _age(upgrade) and it.metadata.deletion_timestamp is None]
        first = min(begun or older, key=_age, default=None)
        return first.metadata.name if first is not None else None

    def _limits(self, instance: GPUInstance | None) -> UpgradeLimits:
        can = self.capabilities.get(instance.spec.provider) if instance is not None else None
        settings = self.settings
        return UpgradeLimits(
            settle=settings.settle,
            fast_poll=settings.pace(instance.spec.provider) if instance is not None else settings.fast_poll,
            slow_poll=settings.poll,
            resize_timeout=settings.resize_timeout,
            upgrades_are_ordered=can is not None and can.upgrades_are_ordered,
            can_change_software=can is not None and can.can_change_software,
            can_change_ports=can is not None and can.can_change_ports,
            can_grow_disk=can is not None and can.can_grow_disk,
            can_switch_to_monthly=can is not None and BillingMode.MONTHLY in can.billing_modes,
            asks_budget=self.instances.budgets is not None,
        )

    async def _with_fact(
        self, s: UpgradeSnapshot, instance: GPUInstance, need: UpgradeNeed, account: SharedListing
    ) -> UpgradeSnapshot:
        machine_id, asked_at = s.machine_id or "", self._now()
        match need:
            case UpgradeNeed.MACHINE:
                return replace(s, fresh=MachineSeen(await _if_known(account.get_machine(machine_id)), asked_at))
            case UpgradeNeed.PLANS:
                return replace(s, plans=await account.list_plans(machine_id))
            case UpgradeNeed.ORDER:
                # A machine that the provider does not know has no order; that it is gone is another rule's finding.
                return replace(s, order=OrderSeen(await _if_known(account.get_upgrade_order(machine_id)), asked_at))
            case UpgradeNeed.QUOTE:
                return replace(s, quote=Quote(await _monthly_total(account, s, instance)))
            case UpgradeNeed.BUDGET:
                budgets = self.instances.budgets
                return replace(s, budget=await budgets.of(instance) if budgets is not None else Budget())
            case UpgradeNeed.SOFTWARE:
                wanted = _spec_with_image(s, instance)
                software = await plan_software(self.kube, account, wanted.spec, instance.metadata.namespace)
                return replace(s, software=software)
            case UpgradeNeed.HEALTH:
                checks = instance.spec.health_check.model_copy(update={"retry_attempts": 0})
                return replace(s, health=await self.instances.check_health(instance, checks))


async def _if_known(answer: Awaitable[Answered | None]) -> Answered | None:
    """Return the answer about a machine; None if the provider does not know the machine."""
    try:
        return await answer
    except NotFound:
        return None


def _age(upgrade: InstanceUpgrade) -> tuple[float, str]:
    created = upgrade.metadata.creation_timestamp
    return created.timestamp() if created is not None else 0.0, upgrade.metadata.uid


def _spec_with_image(s: UpgradeSnapshot, instance: GPUInstance) -> GPUInstance:
    """Return the instance as if its spec named the target's software; mounts stay as they are."""
    image = s.spec.target.image
    assert image is not None
    changes = {
        "image": image.image,
        "template_id": None,
        "registry_auth_id": image.registry_auth_id,
        "command": image.command,
        "entrypoint": image.entrypoint,
        "env": image.env,
    }
    return instance.model_copy(update={"spec": instance.spec.model_copy(update=changes)})


async def _monthly_total(account: SharedListing, s: UpgradeSnapshot, instance: GPUInstance) -> Decimal | None:
    """Return what the machine costs for the target's months, in USD; None where no price is shown."""
    billing, recorded = s.spec.target.billing, instance.status.instance
    machine_product = s.machine.product_id if s.machine is not None else ""
    product_id = machine_product or (recorded.product_id if recorded is not None else None)
    assert billing is not None
    count = instance.spec.gpu_count
    products = await account.list_products(name="", gpu_count=count, mode=BillingMode.MONTHLY)
    product = next((it for it in products if it.id == product_id), None)
    if product is None:
        return None
    prices = dict(product.monthly_prices)
    if billing.months in prices:
        return prices[billing.months] * count
    return prices[1] * billing.months * count if 1 in prices else None


def upgrade_of(known: Known, instance: GPUInstance) -> FoundUpgrade | None:
    """Return the upgrade that holds the instance's machine, else the last one that succeeded on it.

    Once that is noted, one that failed later comes first, as long as what the machine costs since is not noted.
    What ended before the last one that was noted tells nothing more, also where that one is gone.
    """
    mine, recorded = _of_its_machine(known, instance), instance.status.instance
    holding = next((it for it in mine if it.status.holds_machine), None)
    if holding is not None:
        return _found(holding, holds=True)
    noted = recorded.upgraded_by if recorded is not None else None
    since = recorded.last_upgrade_ended_at.timestamp() if recorded and recorded.last_upgrade_ended_at else 0.0
    mine = [it for it in mine if _end(it) > since or it.metadata.uid == noted]
    done = [it for it in mine if it.status.outcome is UpgradeOutcome.SUCCEEDED]
    last = max(done, key=_end, default=None)
    is_noted = last is None or last.metadata.uid == noted
    failed = max((it for it in mine if _leaves_price_open(it)), key=_end, default=None)
    if is_noted and failed is not None and recorded is not None and recorded.priced_by != failed.metadata.uid:
        last = failed if last is None or _end(failed) > _end(last) else last
    return _found(last, holds=False) if last is not None else None


def _leaves_price_open(upgrade: InstanceUpgrade) -> bool:
    """True if an upgrade to another price has failed after the machine may have been changed."""
    status = upgrade.status
    failed = status.completed_at is not None and status.outcome is not UpgradeOutcome.SUCCEEDED
    is_priced = status.target is not None and status.target.hourly_price is not None and status.before is not None
    return failed and is_priced and status.applied_at is not None and status.phase is not UpgradePhase.REVERTED


def paid_upgrade_of(known: Known, instance: GPUInstance) -> str | None:
    """Return the name of the upgrade that is paid for and has not ended, of an instance that `spec.expiry` deletes."""
    if not will_be_deleted(instance):
        return None
    mine = _of_its_machine(known, instance)
    paid = (it.metadata.name for it in mine if it.status.paid_at is not None and it.status.completed_at is None)
    return min(paid, default=None)


def _of_its_machine(known: Known, instance: GPUInstance) -> list[InstanceUpgrade]:
    """Return the upgrades that were begun for this very object and the machine that it has now."""
    metadata, recorded = instance.metadata, instance.status.instance
    if recorded is None or recorded.id is None:
        return []
    bodies = known.upgrades_of(metadata.namespace, metadata.name)
    return [
        it
        for it in map(InstanceUpgrade.model_validate, bodies)
        if it.status.instance is not None
        and it.status.instance.uid == metadata.uid
        and it.status.instance.machine_id == recorded.id
    ]


def _end(upgrade: InstanceUpgrade) -> float:
    return upgrade.status.completed_at.timestamp() if upgrade.status.completed_at is not None else 0.0


def _found(upgrade: InstanceUpgrade, *, holds: bool) -> FoundUpgrade:
    target, pinned = upgrade.status.target, upgrade.status.instance
    assert pinned is not None  # it was found by that
    ports = target.ports or "" if target is not None and upgrade.spec.target.ports is not None else None
    price = target.hourly_price if target is not None else None
    before = upgrade.status.before
    between = (before, target) if _leaves_price_open(upgrade) and before is not None and target is not None else None
    metadata, ended = upgrade.metadata, upgrade.status.completed_at
    return FoundUpgrade(metadata.name, metadata.uid, pinned.machine_id, holds, ports, price, between, ended)
