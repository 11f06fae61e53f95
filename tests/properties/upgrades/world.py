"""The world of one instance and its upgrades: time passes in it, people and the provider meddle, a judge watches.

A story (a test) acts through the verbs here and finally calls `come_to_an_end`. The operator dies and is born
again inside `pass_time`, wherever fate says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade import UPGRADE_KIND, InstanceUpgrade
from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.core.model import MachineState, PlanChoice
from gpuinstance.kube import Body
from gpuinstance.providers.base import ProviderError
from tests.properties.upgrades.cluster import Cluster
from tests.properties.upgrades.judge import Judge
from tests.properties.upgrades.process import OperatorProcess
from tests.properties.upgrades.provider import RentalAccount
from tests.properties.upgrades.rental import HOST, Actor, Habits, Order, Rental, Server
from tests.properties.world.fate import Fate
from tests.properties.world.virtual_time import VirtualTimeLoop

INSTANCE = "trainer"
EPOCH = datetime(2027, 1, 15, 12, 0, tzinfo=UTC).timestamp()
SPEC: dict[str, Any] = {
    "provider": "hostwinds",
    "product": {"id": "3"},
    "templateID": "ubuntu",
    "hostwinds": {"locationID": 1},
    "ports": [{"port": 80, "protocol": "http"}],
    "powerState": "Running",
    "healthCheck": {"intervalSeconds": 600, "maxWaitSeconds": 60},
}
_WARM_UP = 15.0
"""Seconds from a running server to its application answering."""
_QUIET = 12 * 60.0
"""No news for this long is rest: longer than the slowest retry."""
_ROUNDS = 40


class World:
    """One instance, its upgrades, one account, one operator that may die at any boundary."""

    def __init__(self, habits: Habits | None = None, *, watch_lag: float = 0.05) -> None:
        self._loop = VirtualTimeLoop()
        self._watch_lag = watch_lag
        self.fate = Fate()
        self.rental = Rental(lambda: EPOCH + self._loop.time(), self._loop.call_later, habits or Habits())
        self.cluster = Cluster(self.fate, lambda: self.now().strftime("%Y-%m-%dT%H:%M:%SZ"), self._changed)
        self.judge = Judge(self.rental, self.cluster, INSTANCE)
        self.cluster.written = self.judge.written
        self.is_sick = False
        """True while the application does not answer, however long its server has been up."""
        self.deaths = 0
        self._last_news = 0.0
        self._died = asyncio.Event()
        self._operator: OperatorProcess | None = None
        self.cluster.create(KIND, INSTANCE, SPEC)
        self._run(self._birth())

    # What people do -----------------------------------------------------------------------------------------

    def order_upgrade(self, name: str, plan_id: str, **spec: Any) -> None:
        """Somebody applies an upgrade."""
        given = {"instanceRef": {"name": INSTANCE}, "target": {"plan": {"id": plan_id}}, "payment": {"timeout": "2h"}}
        self.cluster.create(UPGRADE_KIND, name, {**given, **spec})

    def edit_upgrade(self, name: str, **spec: Any) -> None:
        """Somebody edits one of the few fields that may change."""
        if (UPGRADE_KIND, name) in self.cluster.objects:
            self.cluster.edit(UPGRADE_KIND, name, spec)

    def delete(self, kind: str, name: str) -> None:
        """`kubectl delete`."""
        if (kind, name) in self.cluster.objects:
            self.cluster.delete(kind, name)

    def edit_instance(self, **spec: Any) -> None:
        """Somebody edits the instance."""
        if (KIND, INSTANCE) in self.cluster.objects:
            self.cluster.edit(KIND, INSTANCE, spec)

    def pay(self, upgrade: InstanceUpgrade) -> bool:
        """Somebody pays the invoice that an upgrade asks to be paid."""
        waiting = upgrade.status.order is not None and upgrade.status.paid_at is None
        if not waiting or upgrade.status.completed_at is not None or upgrade.status.order is None:
            return False
        self._last_news = self._loop.time()
        return self.rental.pay(upgrade.status.order.invoice_id)

    def is_paid(self, upgrade: InstanceUpgrade) -> bool:
        """Return whether the invoice of an upgrade is truly paid."""
        known = upgrade.status.order
        return known is not None and any(it.paid for it in self.rental.orders if it.id == known.id)

    def say_paid(self, upgrade: InstanceUpgrade) -> None:
        """Somebody tells the operator that the invoice is paid; nobody lies in this world."""
        if upgrade.status.order is not None and self.is_paid(upgrade):
            confirmed = {"confirmedInvoiceID": upgrade.status.order.invoice_id}
            self.edit_upgrade(upgrade.metadata.name, payment=confirmed)

    def meddle(self, act: Callable[[Rental, Server], object]) -> bool:
        """Somebody uses the provider's portal on our server; False where that is impossible."""
        self._last_news = self._loop.time()
        try:
            for server in self.rental.living()[-1:]:
                act(self.rental, server)
        except ProviderError:
            return False
        return bool(self.rental.living())

    def order_elsewhere(self, plan_id: str = "7") -> None:
        """Somebody orders an upgrade of our server in the portal."""
        self.meddle(lambda rental, server: rental.order(server.id, PlanChoice(plan_id), Actor.PORTAL))

    def kill(self) -> None:
        """The operator's process dies."""
        self._die()

    # Time ---------------------------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """Let the operator work for so long."""
        until = self._loop.time() + seconds
        while (left := until - self._loop.time()) > 0:
            self._run(self._until_death(left))
            if self._died.is_set():
                self._die()

    def come_to_rest(self) -> bool:
        """Let the operator work until nothing changes for a while; False if that never happens."""
        self.fate.relent()
        for _ in range(600):
            if self._loop.time() - self._last_news >= _QUIET:
                return True
            self.pass_time(60)
        self.complain("the operator never comes to rest")
        return False

    def come_to_an_end(self) -> None:
        """Faults stop, and somebody does what is asked for, until every upgrade has ended."""
        self.is_sick, self._last_news = False, self._loop.time()
        for server in self.rental.living():
            self.rental.set_locked(server.id, locked=False)
        for _ in range(_ROUNDS):
            if not self.come_to_rest() or not self._do_what_is_asked():
                break
        self.judge_end()
        self.judge.judge_money()

    def judge_end(self) -> None:
        """Every upgrade has ended, what was deleted is gone, and rest is silent."""
        for upgrade in self.cluster.upgrades():
            if upgrade.status.completed_at is None:
                self.complain(f"{upgrade.metadata.name} has not ended: {upgrade.status}")
            if upgrade.metadata.deletion_timestamp is not None:
                self.complain(f"{upgrade.metadata.name} is deleted and still there")
        instance = self.cluster.instance(INSTANCE)
        if instance is not None and instance.metadata.deletion_timestamp is not None:
            self.complain(f"the instance is deleted and still there: {instance.status.conditions}")
        writes, changes = self.cluster.status_writes, len(self.rental.ledger)
        self.pass_time(30 * 60)
        if self.cluster.status_writes != writes:
            self.complain(f"{self.cluster.status_writes - writes} status writes at rest")
        if len(self.rental.ledger) != changes:
            self.complain(f"changes at rest: {self.rental.ledger[changes:]}")

    def close(self) -> None:
        """End everything."""
        self._loop.abandon()
        self._loop.close()

    # What can be seen ---------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The wall clock of this world."""
        return datetime.fromtimestamp(EPOCH + self._loop.time(), UTC)

    def upgrade(self, name: str) -> InstanceUpgrade:
        """Return an upgrade as it is stored."""
        return InstanceUpgrade.model_validate(self.cluster.objects[UPGRADE_KIND, name])

    @property
    def complaints(self) -> list[str]:
        """What the judge has seen so far."""
        return self.judge.complaints

    def complain(self, words: str) -> None:
        """Something is not as it should be."""
        self.complaints.append(words)

    def changes(self) -> list[str]:
        """Return what the rental accepted from the operator, in order."""
        return [what for what, actor, _ in self.rental.ledger if actor is Actor.API]

    # The works ----------------------------------------------------------------------------------------------

    def _do_what_is_asked(self) -> bool:
        """Do the next thing that the world waits for; False if it waits for nothing."""
        instance = self.cluster.instance(INSTANCE)
        waiting = [it for it in self.cluster.upgrades() if it.status.completed_at is None]
        if not waiting and (instance is None or instance.metadata.deletion_timestamp is None):
            return False
        self._last_news = self._loop.time()
        if instance is not None and instance.metadata.deletion_timestamp is not None:
            self.meddle(lambda rental, server: rental.confirm(server.id, Actor.PORTAL))
        if instance is not None and instance.spec.suspend:
            self.edit_instance(suspend=False)
            return True
        return any(self._help(upgrade) for upgrade in waiting)

    def _help(self, upgrade: InstanceUpgrade) -> bool:
        ready, name = upgrade.status.condition("Ready"), upgrade.metadata.name
        assert ready is not None
        order = upgrade.status.order
        match ready.reason:
            case Reason.AWAITING_PAYMENT | Reason.PAYMENT_UNCONFIRMED if order is not None:
                self.rental.pay(order.invoice_id)
                if self.is_paid(upgrade):
                    self.edit_upgrade(name, payment={"confirmedInvoiceID": order.invoice_id})
                else:
                    self.edit_upgrade(name, cancel=True)
            case Reason.AWAITING_CONFIRMATION | Reason.HEALTH_CHECK_FAILED:
                self.edit_upgrade(name, confirm=True)
            case Reason.INSTANCE_NOT_RUNNING:
                self.edit_instance(powerState="Running")
                self.meddle(lambda rental, server: rental.start(server.id, Actor.PORTAL))
            case Reason.FOREIGN_UPGRADE_ORDER:
                self._settle_foreign_orders()
            case Reason.FOREIGN_CHANGE:
                self.meddle(lambda rental, server: rental.confirm(server.id, Actor.PORTAL))
            case Reason.VERIFICATION_FAILED:
                self.meddle(lambda rental, server: rental.start(server.id, Actor.PORTAL))
            case Reason.INSTANCE_NOT_FOUND | Reason.INSTANCE_DELETED | Reason.INSTANCE_LOST:
                self.edit_upgrade(name, cancel=True)
            case _:
                return False
        return True

    def _settle_foreign_orders(self) -> None:
        def settle(rental: Rental, server: Server) -> None:
            for order in [it for it in rental.orders if it.open and it.machine_id == server.id]:
                _settle(rental, server, order)

        self.meddle(settle)

    def _run(self, work: Any) -> None:
        self._loop.run_until_complete(work)

    async def _until_death(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._died.wait()
        except TimeoutError:
            return

    async def _birth(self) -> None:
        life, self._died = self.deaths, asyncio.Event()

        def is_dead() -> bool:
            return self.deaths > life or self._died.is_set()

        self.cluster.is_dead = is_dead
        account = RentalAccount(self.rental, self.fate, self.judge.arrives, is_dead)
        self._operator = OperatorProcess(
            self.cluster, account, self._is_serving, self.now, self._died.set, self.complain
        )
        await self._operator.start()

    def _die(self) -> None:
        self.deaths += 1
        self._last_news = self._loop.time()
        self._operator = None
        self._loop.abandon()
        self._loop.pass_time(2.0)
        self._run(self._birth())

    def _changed(self, body: Body, is_gone: bool) -> None:
        self._last_news = self._loop.time()
        self._loop.call_later(self._watch_lag, self._show, body, is_gone)

    def _show(self, body: Body, is_gone: bool) -> None:
        if self._operator is not None:
            self._operator.show(body, is_gone=is_gone)

    def _is_serving(self, url: str) -> bool:
        now = self.rental.now()
        up = [it for it in self.rental.living() if it.up_since is not None and it.up_since + _WARM_UP <= now]
        return not self.is_sick and urlsplit(url).hostname == HOST and bool(up)


def _settle(rental: Rental, server: Server, order: Order) -> None:
    """Somebody brings an order to its end in the portal."""
    if order.applied and server.state is MachineState.RESIZED:
        rental.confirm(server.id, Actor.PORTAL)
    else:
        rental.close_order(order)
