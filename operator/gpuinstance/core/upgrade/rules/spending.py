"""What is asked before an upgrade is ordered, or applied directly: what the machine may cost from then on.

The caps are the instance's own `billing.maxHourlyPrice` and the budget of its namespace. Where nobody knows what
the machine costs by now, what it will cost more is the least that the cap is compared with, and nothing fits into
a budget; where there is none, `payment.maxTotal` and the person who pays the invoice are the guard.
"""

from __future__ import annotations

from decimal import Decimal

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import MachineShape
from gpuinstance.api.upgrade_words import UpgradePhase
from gpuinstance.core.pricing import hourly_figure, money
from gpuinstance.core.rules.spending import against_budget
from gpuinstance.core.upgrade.answers import fail, need, stall
from gpuinstance.core.upgrade.decision import UpgradeDecision, UpgradeNeed
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot


def price_after(s: UpgradeSnapshot, step: Decimal | None, hours: int) -> Decimal | None:
    """Return what the machine will cost an hour if it costs `step` more, or less, in so many hours; None if unknown."""
    recorded = s.instance.status.instance if s.instance is not None else None
    if step is None or recorded is None or recorded.hourly_price is None:
        return None
    price = per_hour(step, hours) + Decimal(recorded.hourly_price)
    return price if price > 0 else None  # else what was recorded is not what the price list speaks of


def per_hour(total: Decimal, hours: int) -> Decimal:
    """Return the price of one hour of many."""
    return (total / hours).quantize(Decimal("0.00001"))


def priced(target: MachineShape, price: Decimal | None) -> MachineShape:
    """Return the target with what it will cost an hour, where that is known: it counts from its intent on."""
    return target.model_copy(update={"hourly_price": hourly_figure(price)}) if price is not None else target


def beyond_hourly_limits(
    s: UpgradeSnapshot, price: Decimal | None, *, at_least: Decimal | None = None
) -> UpgradeDecision | None:
    """Return why the machine may not cost so much an hour, or ask for the budget; None if it may.

    `at_least` is the part of an unknown price that is known, in US dollars per hour.
    """
    if s.instance is None:
        return None
    cap, known = s.instance.spec.billing.max_hourly_price, price if price is not None else at_least
    if cap is not None and known is not None and known > cap:
        cost = money(known) if price is not None else f"at least {money(known)}"
        message = (
            f"the machine would cost {cost}/h, above the instance's spec.billing.maxHourlyPrice of "
            f"{money(cap)}: nothing was ordered"
        )
        return fail(s, Reason.PRICE_ABOVE_LIMIT, message)
    if not s.limits.asks_budget:
        return None
    if s.budget is None:
        return need(s, UpgradeNeed.BUDGET)
    refusal = against_budget(s.budget, price, s.instance.metadata.namespace, "upgrading it")
    return stall(s, UpgradePhase.VALIDATING, refusal.reason, refusal.message) if refusal is not None else None
