"""What a kind of resource brings to the corridor: how it is read, looked at, recorded and told.

`reconcile` runs every pass in the same way and knows no kind by name; the two kinds are put together here,
for the composition root. Nothing is decided: each function leads to the core or to an observer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from gpuinstance.api.status import Condition, GPUInstanceStatus
from gpuinstance.api.upgrade import UPGRADE_KIND, InstanceUpgrade
from gpuinstance.api.v1alpha1 import KIND, GPUInstance
from gpuinstance.core.announcements import Announcement, announcements, farewell
from gpuinstance.core.connection import wish_of
from gpuinstance.core.decision import Action, Decision
from gpuinstance.core.news import News, news
from gpuinstance.core.record import Answer, record
from gpuinstance.core.upgrade.announcements import upgrade_announcements
from gpuinstance.core.upgrade.decision import UpgradeDecision
from gpuinstance.core.upgrade.news import upgrade_news
from gpuinstance.core.upgrade.record import record_upgrade
from gpuinstance.counting import count_instance, count_upgrade
from gpuinstance.kube import Body, Key
from gpuinstance.metrics import Metrics
from gpuinstance.observing import Look, Observer
from gpuinstance.observing_upgrades import UpgradeLook, UpgradeObserver

if TYPE_CHECKING:
    from gpuinstance.providers.wrappers import SharedListing
    from gpuinstance.publishing import Publisher


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


async def _nothing(_: Any) -> None:
    """Publish nothing."""


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
    is_watched: Callable[[str], bool] = lambda _: False
    """By uid, whether what changes at the provider wakes the object, so that it need not look by itself."""
    announcements: Callable[[Any, Any, AnyDecision], Sequence[Announcement]] = lambda *_: ()
    """What is to be told outside, from a resource, its status before, and what was decided."""
    publish: Callable[[Any], Awaitable[Any | None]] = _nothing
    """From a look that needs no action: makes known in the cluster what it found; returns the status to be saved
    then, None for the one that was decided on. Raises nothing but cancellation."""
    pass_over: Callable[[Key], None] = lambda _: None
    """Called when a pass has ended, however it did, and when the object is gone."""


def kinds(
    instances: Observer,
    upgrades: UpgradeObserver,
    metrics: Metrics,
    clock: Callable[[], datetime],
    publisher: Publisher | None = None,
) -> dict[str, Kind]:
    """Return both kinds, by name. Without `publisher` no instance is made known in the cluster."""

    def now() -> datetime:
        return clock().replace(microsecond=0)

    def record_instance(look: Look, instance: GPUInstance, answer: Answer) -> Decision:
        action = look.decision.action
        assert action is not None
        return record(replace(look.snapshot, instance=instance, now=now()), action, answer)

    def record_of_upgrade(look: UpgradeLook, upgrade: InstanceUpgrade, answer: Answer) -> UpgradeDecision:
        return record_upgrade(replace(look.snapshot, upgrade=upgrade, now=now()), answer)

    async def publish(look: Look) -> GPUInstanceStatus | None:
        status = look.decision.status
        wish = wish_of(look.snapshot, status)
        if publisher is None or wish is None:
            return None
        told = await publisher.publish(wish, status.connection, look.account)
        return None if told == status.connection else status.model_copy(update={"connection": told})

    def announce_instance(_: GPUInstance, old: GPUInstanceStatus, decision: AnyDecision) -> Sequence[Announcement]:
        last = (farewell(old, decision.status),) if decision.release else ()
        return (*announcements(old, decision.status), *last)

    def forget(uid: str) -> None:
        instances.forget(uid)
        if publisher is not None:
            publisher.forget(uid)

    return {
        KIND: Kind(
            parse=GPUInstance.model_validate,
            look=instances.look,
            intent=lambda instance: instance.status.operation.id if instance.status.operation else None,
            record=record_instance,
            leave=lambda instance: Decision(status=instance.status, requeue_after=timedelta()),
            news=news,
            count=partial(count_instance, metrics),
            forget=forget,
            is_watched=instances.is_watched,
            announcements=announce_instance,
            pass_over=instances.pass_over,
            publish=publish,
        ),
        UPGRADE_KIND: Kind(
            parse=InstanceUpgrade.model_validate,
            look=upgrades.look,
            intent=lambda upgrade: upgrade.status.call.id if upgrade.status.call else None,
            record=record_of_upgrade,
            leave=lambda upgrade: UpgradeDecision(status=upgrade.status, requeue_after=timedelta()),
            news=upgrade_news,
            count=partial(count_upgrade, metrics),
            forget=lambda _uid: None,
            announcements=lambda upgrade, old, decision: upgrade_announcements(
                upgrade.spec.instance_ref.name, old, decision.status
            ),
            pass_over=instances.pass_over,
        ),
    }
