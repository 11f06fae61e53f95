"""What a kind of resource brings to the corridor: how it is read, looked at, recorded and told.

`reconcile` runs every pass in the same way and knows no kind by name; the two kinds are put together here,
for the composition root. Nothing is decided: each function leads to the core or to an observer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from gpuinstance.api.status import Condition, GPUInstanceStatus
from gpuinstance.api.upgrade import UPGRADE_KIND, InstanceUpgrade
from gpuinstance.api.v1alpha1 import KIND, GPUInstance
from gpuinstance.core.decision import Action, Decision
from gpuinstance.core.news import News, news
from gpuinstance.core.record import Answer, record
from gpuinstance.core.upgrade.decision import UpgradeDecision
from gpuinstance.core.upgrade.news import upgrade_news
from gpuinstance.core.upgrade.record import record_upgrade
from gpuinstance.kube import Body
from gpuinstance.metrics import Metrics
from gpuinstance.observing import Look, Observer
from gpuinstance.observing_upgrades import UpgradeLook, UpgradeObserver

if TYPE_CHECKING:
    from gpuinstance.providers.wrappers import SharedListing


class AnyStatus(Protocol):
    """What all statuses have in common."""

    @property
    def phase(self) -> str | None:
        """For people."""

    def condition(self, type_: str) -> Condition | None:
        """Return the condition of that type, or None."""

    def model_dump(self, *, mode: str = ..., by_alias: bool | None = ..., exclude_none: bool = ...) -> dict[str, Any]:
        """Return the status as plain data."""


class AnyResource(Protocol):
    """What all resources have in common."""

    @property
    def status(self) -> Any:
        """What was last saved."""


class AnyDecision(Protocol):
    """What all decisions have in common; see `core.decision`."""

    @property
    def status(self) -> Any:
        """To be saved."""

    @property
    def action(self) -> Action | None:
        """To be performed after that."""

    @property
    def release(self) -> bool:
        """True when a deleted object may go."""

    @property
    def remove(self) -> bool:
        """True when the object is to be deleted by the operator itself."""

    @property
    def requeue_after(self) -> timedelta | None:
        """When to look again."""

    @property
    def rule(self) -> str:
        """Who decided."""


class AnyLook(Protocol):
    """What one pass found out."""

    @property
    def status(self) -> Any:
        """The status that was decided on."""

    @property
    def decision(self) -> AnyDecision:
        """The answer of the rules."""

    @property
    def account(self) -> SharedListing | None:
        """Where an action is performed."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource, for the corridor."""

    parse: Callable[[Body], AnyResource]
    look: Callable[[Any], Awaitable[AnyLook]]
    intent: Callable[[Any], str | None]
    """The id of the saved intent of a resource."""
    record: Callable[[Any, Any, Answer], AnyDecision]
    """From a look, the resource as it is now, and the answer to what the look decided."""
    leave: Callable[[Any], AnyDecision]
    """The decision to change nothing and to look again at once."""
    news: Callable[[Any, Any], News | None]
    count: Callable[[Any, Any], None]
    """Counts what is special to the kind, from the status before and after."""
    forget: Callable[[str], None]


def kinds(
    instances: Observer, upgrades: UpgradeObserver, metrics: Metrics, clock: Callable[[], datetime]
) -> dict[str, Kind]:
    """Return both kinds, by name."""

    def now() -> datetime:
        return clock().replace(microsecond=0)

    def record_instance(look: Look, instance: GPUInstance, answer: Answer) -> Decision:
        action = look.decision.action
        assert action is not None
        return record(replace(look.snapshot, instance=instance, now=now()), action, answer)

    def record_of_upgrade(look: UpgradeLook, upgrade: InstanceUpgrade, answer: Answer) -> UpgradeDecision:
        return record_upgrade(replace(look.snapshot, upgrade=upgrade, now=now()), answer)

    def count_instance(old: GPUInstanceStatus, new: GPUInstanceStatus) -> None:
        if new.ready_at is not None and new.ready_at != old.ready_at and new.last_operation is not None:
            metrics.became_ready((new.ready_at - new.last_operation.started_at).total_seconds())

    return {
        KIND: Kind(
            parse=GPUInstance.model_validate,
            look=instances.look,
            intent=lambda instance: instance.status.operation.id if instance.status.operation else None,
            record=record_instance,
            leave=lambda instance: Decision(status=instance.status, requeue_after=timedelta()),
            news=news,
            count=count_instance,
            forget=instances.forget,
        ),
        UPGRADE_KIND: Kind(
            parse=InstanceUpgrade.model_validate,
            look=upgrades.look,
            intent=lambda upgrade: upgrade.status.call.id if upgrade.status.call else None,
            record=record_of_upgrade,
            leave=lambda upgrade: UpgradeDecision(status=upgrade.status, requeue_after=timedelta()),
            news=upgrade_news,
            count=lambda _old, _new: None,
            forget=lambda _uid: None,
        ),
    }
