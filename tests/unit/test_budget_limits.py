"""What a scrape is told of the budgets of namespaces."""

from __future__ import annotations

from decimal import Decimal

from tests.unit.budget_world import BudgetWorld


async def test_a_limit_is_shown_once_somebody_wanted_to_spend() -> None:
    """Nothing is read for a gauge alone; what was read for a purchase is shown from then on."""
    world = BudgetWorld(limit="12.50", instances=1)
    assert world.budgets.limits() == {}
    await world.all_at_once()
    assert world.budgets.limits() == {"default": Decimal("12.50")}


async def test_a_namespace_without_a_limit_is_not_shown() -> None:
    """It has no budget, and that is no budget of nothing."""
    world = BudgetWorld(limit=None, instances=1)
    await world.all_at_once()
    assert world.budgets.limits() == {}


async def test_a_namespace_without_instances_is_not_shown_any_more() -> None:
    """It may be gone, and nobody would notice."""
    world = BudgetWorld(limit="12.50", instances=1)
    await world.all_at_once()
    for key in world.keys:
        world.reconciler.forget(key)
    assert world.budgets.limits() == {}
