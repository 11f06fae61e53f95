"""An upgrade in a namespace with a budget: it is asked for, claimed with the order, and counted from its intent on."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.api.upgrade_words import UpgradeOutcome, UpgradePhase
from gpuinstance.api.words import Phase
from gpuinstance.budgets import Budgets
from gpuinstance.core.budget import LIMIT
from gpuinstance.core.decision import OrderUpgrade
from gpuinstance.kube import Body, Key, Kube
from tests.builders import InstanceBuilder
from tests.materials import NOW, ago
from tests.unit.upgrade.test_observing import World, stored
from tests.unit.upgrade.test_spending import SERVER
from tests.upgrade_builders import UPGRADE_UID, UpgradeBuilder, server, upgrade

NEIGHBOUR = InstanceBuilder(metadata={"name": "other", "uid": "00000000-0c5e-4d6a-9b7e-1f2a3b4c5d6e"})


class _Cluster:
    """A Namespace with a limit, of which everything is known."""

    def __init__(self, limit: str) -> None:
        self.limit = limit

    async def get_namespace_annotations(self, name: str) -> Mapping[str, str]:
        return {LIMIT: self.limit}

    async def list_objects(self, kind: str, namespace: str) -> list[Body]:
        return []


def limited(limit: str) -> tuple[World, Budgets]:
    """Return a server that costs 0.0137 USD an hour, in a namespace with that limit."""
    world = World(server(), instance=SERVER)
    budgets = Budgets(cast("Kube", _Cluster(limit)), world.known, bill_stopped=())
    world.observer.instances.budgets = budgets
    return world, budgets


async def counted(budgets: Budgets) -> Decimal:
    """Return what another instance of the namespace has to reckon with."""
    return (await budgets.of(NEIGHBOUR.build())).others


@pytest.mark.parametrize(("limit", "orders"), [("0.01918", True), ("0.01917", False)])
async def test_an_upgrade_has_to_fit(limit: str, *, orders: bool) -> None:
    """The machine counts once, with its new price; where that is too much nothing is ordered, and it waits."""
    world, _ = limited(limit)
    look = await world.look(upgrade())
    assert isinstance(look.decision.action, OrderUpgrade) is orders
    ready = look.decision.status.condition("Ready")
    assert ready is not None
    assert (ready.reason == Reason.NAMESPACE_BUDGET_EXCEEDED) is not orders


async def test_it_counts_from_the_decision_to_its_end() -> None:
    """First as a claim, then by its saved intent, at last as the price of the machine."""
    world, budgets = limited("1")
    assert await counted(budgets) == Decimal("0.0137")
    look = await world.look(upgrade())
    assert await counted(budgets) == Decimal("0.01918"), "claimed"
    budgets.pass_over(Key.of(stored(upgrade())))
    assert await counted(budgets) == Decimal("0.0137"), "nothing was saved"
    saved = look.decision.status
    world.show(_with(upgrade(), saved))
    assert await counted(budgets) == Decimal("0.01918"), "saved"


SUCCEEDED = {"completed_at": NOW, "applied_at": NOW, "outcome": UpgradeOutcome.SUCCEEDED}
FAILED = {"completed_at": NOW, "outcome": UpgradeOutcome.FAILED}
OLD, NEW = Decimal("0.0137"), Decimal("0.01918")


@pytest.mark.parametrize(
    ("ended", "recorded", "amount"),
    [
        pytest.param(SUCCEEDED, {}, NEW, id="until its instance has taken note of it"),
        pytest.param(SUCCEEDED, {"upgraded_by": UPGRADE_UID}, OLD, id="then the instance's own price counts"),
        pytest.param(SUCCEEDED, {"id": "m-2"}, OLD, id="the machine was replaced"),
        pytest.param(FAILED | {"applied_at": NOW}, {}, NEW, id="it failed, and the machine may have changed"),
        pytest.param(
            FAILED | {"applied_at": NOW},
            {"priced_by": UPGRADE_UID},
            OLD,
            id="its instance has looked at it since",
        ),
        pytest.param(FAILED, {}, OLD, id="it failed before anything was changed"),
        pytest.param(
            FAILED | {"applied_at": NOW, "phase": UpgradePhase.REVERTED}, {}, OLD, id="the machine is as it was"
        ),
    ],
)
async def test_an_upgrade_that_has_ended_counts(
    ended: dict[str, Any], recorded: dict[str, Any], amount: Decimal
) -> None:
    """Between its end and the note of its instance, nobody else may take what the machine costs by now."""
    world, budgets = limited("1")
    status = (await world.look(upgrade())).decision.status
    world.show(_with(upgrade(), status.model_copy(update=ended)))
    world.show(_recording(**recorded))
    budgets.pass_over(Key.of(stored(upgrade())))
    assert await counted(budgets) == amount


async def test_an_older_upgrade_than_the_noted_one_counts_no_more() -> None:
    """A bigger plan, and then a smaller one: only what was made last is what the machine costs."""
    world, budgets = limited("1")
    status = (await world.look(upgrade())).decision.status
    for name, hours in (("first", 3), ("second", 2)):
        ended = status.model_copy(update=SUCCEEDED | {"completed_at": ago(hours=hours)})
        world.show(_with(upgrade().named(name), ended))
    world.show(_recording(upgraded_by="second-uid"))
    budgets.pass_over(Key.of(stored(upgrade())))
    assert await counted(budgets) == OLD
    world.show(_recording(upgraded_by="first-uid"))
    assert await counted(budgets) == NEW


@pytest.mark.parametrize(("hours", "amount"), [(3, OLD), (2, OLD), (1, NEW)])
async def test_what_is_gone_was_noted_all_the_same(hours: int, amount: Decimal) -> None:
    """The last upgrade that was noted has been deleted: an older one that failed does not count again for that."""
    world, budgets = limited("1")
    status = (await world.look(upgrade())).decision.status
    world.show(
        _with(upgrade(), status.model_copy(update=FAILED | {"applied_at": NOW, "completed_at": ago(hours=hours)}))
    )
    world.show(_recording(upgraded_by="gone-uid", last_upgrade_ended_at=ago(hours=2)))
    budgets.pass_over(Key.of(stored(upgrade())))
    assert await counted(budgets) == amount


async def test_an_upgrade_of_what_was_stopped_since_counts_nothing() -> None:
    """A machine that is down is not billed, whatever it became; before it starts its price is asked."""
    world, budgets = limited("1")
    status = (await world.look(upgrade())).decision.status
    world.show(_with(upgrade(), status.model_copy(update=SUCCEEDED)))
    world.show(_recording().with_status(phase=Phase.STOPPED))
    budgets.pass_over(Key.of(stored(upgrade())))
    assert await counted(budgets) == 0


def _recording(**fields: Any) -> InstanceBuilder:
    recorded = SERVER.build().status.instance
    assert recorded is not None
    return SERVER.with_status(instance=recorded.model_copy(update=fields))


async def test_a_claim_of_another_makes_it_decide_anew() -> None:
    """Between its look at the sum and its order a neighbour has taken what was left."""
    world, budgets = limited("0.36")
    world.show(NEIGHBOUR)
    ask = world.get_upgrade_order

    async def overtaken(machine_id: str) -> None:
        neighbour = NEIGHBOUR.build()
        budget = await budgets.of(neighbour)
        assert budgets.claim(neighbour, budget, Decimal("0.35"), by=neighbour.metadata.uid) is None
        await ask(machine_id)

    world.get_upgrade_order = overtaken  # type: ignore[method-assign]  # it happens at this moment
    look = await world.look(upgrade())
    assert look.decision.action is None
    assert "of at most 0.36 USD/h" in look.decision.status.conditions[0].message


def _with(of: UpgradeBuilder, status: InstanceUpgradeStatus) -> UpgradeBuilder:
    return UpgradeBuilder(of.spec_fields, {**of.status_fields, **dict(status)}, of.metadata)
