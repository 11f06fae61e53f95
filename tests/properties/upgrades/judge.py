"""The judge at the provider's counter and in the API server: what must never be seen, whatever went wrong.

It compares each call that arrives, and each status that is written, with the truth that nobody else sees: the
rental's books and the stored objects.
"""

from __future__ import annotations

from gpuinstance.api.upgrade import InstanceUpgrade
from gpuinstance.api.upgrade_words import CallPhase, UpgradeOutcome
from gpuinstance.api.words import OperationPhase
from tests.properties.upgrades.cluster import Cluster
from tests.properties.upgrades.rental import Actor, Order, Rental

_OF_UPGRADES = {"order", "apply", "confirm", "revert"}
_OF_INSTANCES = {"start", "stop", "restart"}


_GLANCE = 25.0
"""Seconds between the look that a decision is made on and the arrival of its call, at most."""


class Judge:
    """Watches, and complains."""

    def __init__(self, rental: Rental, cluster: Cluster, instance: str) -> None:
        self._rental = rental
        self._cluster = cluster
        self._instance = instance
        self.complaints: list[str] = cluster.complaints
        self._seen: dict[str, InstanceUpgrade] = {}
        """The last picture of each upgrade, also of those that are gone, by uid."""

    def arrives(self, what: str, machine_id: str) -> None:
        """A change arrives from the operator, and has not taken effect yet."""
        if what in _OF_UPGRADES:
            self._judge_upgrade_call(what, machine_id)
        if what in _OF_INSTANCES:
            self._judge_instance_call(what)

    def written(self) -> None:
        """A status was written: upgrades of one instance never overlap."""
        upgrades = self._cluster.upgrades()
        self._seen |= {it.metadata.uid: it for it in upgrades}
        begun = [it.metadata.name for it in upgrades if it.status.has_begun]
        if len(begun) > 1:
            self._complain(f"upgrades overlap: {begun}")

    def judge_money(self) -> None:
        """I2: at most one charge for each upgrade, exactly one if it succeeded; nothing paid is charged twice."""
        for order in self._rental.orders:
            if order.charges > 1:
                self._complain(f"order {order.id} was charged {order.charges} times")
        owners: dict[str, str] = {}
        for upgrade in self._seen.values():
            order_id = upgrade.status.order.id if upgrade.status.order is not None else None
            if order_id is not None and order_id in owners:
                self._complain(f"{upgrade.metadata.name} and {owners[order_id]} share order {order_id}")
            elif order_id is not None:
                owners[order_id] = upgrade.metadata.name
            self._judge_success(upgrade, order_id)

    def _judge_success(self, upgrade: InstanceUpgrade, order_id: str | None) -> None:
        if upgrade.status.outcome is not UpgradeOutcome.SUCCEEDED or upgrade.status.accepted_at is None:
            return
        order = next((it for it in self._rental.orders if it.id == order_id), None)
        if order is None or order.charges != 1 or not order.applied:
            self._complain(f"{upgrade.metadata.name} succeeded with {order}")
        elif order.plan.id != (upgrade.status.target.product_id if upgrade.status.target else None):
            self._complain(f"{upgrade.metadata.name} succeeded with the plan of {order}")

    def _judge_upgrade_call(self, what: str, machine_id: str) -> None:
        order = self._rental.open_order(machine_id)
        holders = [it for it in self._cluster.upgrades() if it.status.has_begun]
        instance = self._cluster.instance(self._instance)
        operation = instance.status.operation if instance is not None else None
        if what == "order":
            hidden = order is not None and order.paid and self._rental.habits.forgets_paid
            if order is not None and order.actor is Actor.API and not hidden:
                self._complain(f"a second order beside {order.id}, which is ours")
            return
        if order is not None and order.actor is not Actor.API and self._could_be_known(order, holders):
            self._complain(f"{what} on order {order.id} of somebody else")
        if what == "apply":
            if order is not None and not order.paid and self._could_be_known(order, holders):
                self._complain(f"applied before order {order.id} was paid")
            if any(it.status.paid_at is None for it in holders if it.status.holds_machine):
                self._complain("applied before the payment was saved")
        if operation is not None and operation.phase not in (OperationPhase.FAILED, OperationPhase.HEALTH_CHECKING):
            self._complain(f"{what} while the instance is at {operation.type}")

    def _could_be_known(self, order: Order, holders: list[InstanceUpgrade]) -> bool:
        """Whether an order that is not ours could be told from ours.

        It cannot while no picture of it is young enough, nor if it was made after our own order call was decided on,
        which then never arrived: orders carry no mark of who made them.
        """
        shown_at = order.made_at + self._rental.habits.order_lag + _GLANCE
        if self._rental.now() < shown_at:
            return False
        adopted = [it for it in holders if it.status.order is not None and it.status.order.id == order.id]
        return not adopted or all(shown_at < _accepted_at(it) for it in adopted)

    def _judge_instance_call(self, what: str) -> None:
        instance = self._cluster.instance(self._instance)
        if instance is None or instance.metadata.deletion_timestamp is not None:
            return
        for upgrade in self._cluster.upgrades():
            call = upgrade.status.call
            if upgrade.status.holds_machine:
                told = f"{call.type} {call.phase}" if call is not None else "no call"
                self._complain(f"the instance did {what} while {upgrade.metadata.name} holds its machine ({told})")
            if call is not None and call.phase is CallPhase.REFUSED and upgrade.status.holds_machine:
                self._complain("and its call was refused")

    def _complain(self, words: str) -> None:
        self.complaints.append(f"at {self._rental.now():.0f}: {words}")


def _accepted_at(upgrade: InstanceUpgrade) -> float:
    return upgrade.status.accepted_at.timestamp() if upgrade.status.accepted_at is not None else 0.0
