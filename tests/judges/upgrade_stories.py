"""Stories of one InstanceUpgrade: what the operator sees of its server and its order, and what it saves then.

Beside `stories`, which plays them. The object and its instance are those of `tests.upgrade_builders`; each status
is written by the rules of the saga, and obeys its laws.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from gpuinstance.api.upgrade import UPGRADE_PLURAL, InstanceUpgrade
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.core.model import Machine, UpgradeOrder
from gpuinstance.core.record import Accepted, Answer
from gpuinstance.core.snapshot import Blind, HealthReport
from gpuinstance.core.upgrade.decide import decide_upgrade
from gpuinstance.core.upgrade.decision import UpgradeDecision, UpgradeNeed
from gpuinstance.core.upgrade.record import record_upgrade
from gpuinstance.core.upgrade.snapshot import MachineSeen, OrderSeen, UpgradeSnapshot
from gpuinstance.reconcile import to_json
from tests import laws_of_upgrades
from tests.builders import InstanceBuilder
from tests.integration.manifests import Manifest, upgrade
from tests.judges.stories import Body, Kind, Visit
from tests.materials import NOW
from tests.upgrade_builders import PLANS, look, renting, server

_MOST_PASSES = 8


def _example(name: str) -> Manifest:
    return upgrade(name, "trainer", target={"plan": {"id": "5"}})


def _manual(name: str) -> Manifest:
    return upgrade(name, "trainer", target={"plan": {"id": "5"}}, confirmation="Manual")


UPGRADE = Kind("iup", UPGRADE_PLURAL, InstanceUpgrade.model_validate, _example)
"""A server is moved to a bigger plan."""
MANUAL_UPGRADE = Kind("iup", UPGRADE_PLURAL, InstanceUpgrade.model_validate, _manual)
"""The same, and a person has to confirm it."""


@dataclass(frozen=True)
class UpgradeLook(Visit):
    """A visit to an InstanceUpgrade, whose provider shows this server and this open order.

    `minute` counts from the creation of the object. `answer` is what the provider says to a call; None: the
    operator is still waiting for it.
    """

    machine: Machine = field(default_factory=server)
    minute: float = 0
    order: UpgradeOrder | None = None
    instance: InstanceBuilder | None = field(default_factory=renting)
    ahead: str | None = None
    health: HealthReport | None = None
    blind: Blind | None = None
    answer: Answer | None = field(default_factory=lambda: Accepted(None))

    def statuses(self, body: Body) -> list[Body]:
        """Return what is saved while the world stands still."""
        seen, saved = InstanceUpgrade.model_validate(body), list[InstanceUpgradeStatus]()
        for _ in range(_MOST_PASSES):
            snapshot, decision = self._decided(seen)
            written = self._written(snapshot, decision)
            saved += written
            if not written or (decision.action is not None and self.answer is None):
                return [to_json(status) for status in saved]
            seen = seen.model_copy(update={"status": written[-1]})
        raise AssertionError(f"the rules do not come to rest, the last was {decision.rule}")

    def _decided(self, seen: InstanceUpgrade) -> tuple[UpgradeSnapshot, UpgradeDecision]:
        moment = NOW + timedelta(minutes=self.minute)
        snapshot = look(seen, self.machine, instance=self.instance, at=moment, ahead=self.ahead)
        if self.blind is not None:
            snapshot = replace(snapshot, view=self.blind)
        for _ in UpgradeNeed:
            decision = decide_upgrade(snapshot)
            match decision.need:
                case None:
                    return snapshot, laws_of_upgrades.check_decision(snapshot, decision)
                case UpgradeNeed.MACHINE:
                    snapshot = replace(snapshot, fresh=MachineSeen(self.machine, moment))
                case UpgradeNeed.PLANS:
                    snapshot = replace(snapshot, plans=PLANS)
                case UpgradeNeed.ORDER:
                    snapshot = replace(snapshot, order=OrderSeen(self.order, moment))
                case UpgradeNeed.HEALTH:
                    snapshot = replace(snapshot, health=self.health)
        raise AssertionError(f"the rules keep asking, the last was {decision.rule}")

    def _written(self, snapshot: UpgradeSnapshot, decision: UpgradeDecision) -> list[InstanceUpgradeStatus]:
        written = [] if decision.status == snapshot.status else [decision.status]
        if decision.action is None or self.answer is None:
            return written
        intent = replace(snapshot, upgrade=snapshot.upgrade.model_copy(update={"status": decision.status}))
        answered = record_upgrade(intent, self.answer).status
        return [*written, laws_of_upgrades.check(answered, generation=snapshot.generation)]
