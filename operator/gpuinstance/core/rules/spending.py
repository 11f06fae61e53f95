"""What is asked before money is spent: the cap of the spec and the budget of the namespace.

Called by the rules that buy or start. Each returns why not, in words, or the fact that it needs; None lets
the call through. A machine that runs is never stopped because of a limit.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingMode, OperationPhase, OperationType, Outcome, Phase, PowerState
from gpuinstance.core import operations
from gpuinstance.core.budget import LIMIT, Budget
from gpuinstance.core.decision import Decision, Need
from gpuinstance.core.model import Machine
from gpuinstance.core.pricing import hourly_figure, money
from gpuinstance.core.rules.answers import need, stuck
from gpuinstance.core.snapshot import Refusal, Snapshot


def beyond_budget(s: Snapshot, price: Decimal | None, doing: str) -> Refusal | Need | None:
    """Return why the namespace's budget forbids a machine at that price; `doing` is e.g. `buying it`."""
    if not s.limits.asks_budget:
        return None
    if s.budget is None:
        return Need.BUDGET
    return against_budget(s.budget, price, s.instance.metadata.namespace, doing)


def against_budget(budget: Budget, price: Decimal | None, namespace: str, doing: str) -> Refusal | None:
    """Return why a machine at that price does not fit beside the others of its namespace."""
    if budget.trouble:
        words = f"nothing may be spent in namespace {namespace}: {budget.trouble}"
    elif budget.limit is None:
        return None
    elif budget.unpriced:
        words = (
            f"what {budget.unpriced} costs is not known, and namespace {namespace} has a budget: set "
            "spec.billing.maxHourlyPrice there, which then counts as its price"
        )
    elif price is None:
        words = f"the price is not known, and namespace {namespace} has a budget of {_figure(budget.limit)} USD/h"
    else:
        return _compare(budget.others + price, budget.limit, namespace, doing)
    return Refusal(Reason.NAMESPACE_BUDGET_UNKNOWN, words, needs_person=True)


def _compare(total: Decimal, limit: Decimal, namespace: str, doing: str) -> Refusal | None:
    if total <= limit:
        return None
    words = (
        f"{doing} would make {_figure(total)} of at most {_figure(limit)} USD/h in namespace {namespace}: stop "
        f"something there, or raise its annotation {LIMIT}"
    )
    return Refusal(Reason.NAMESPACE_BUDGET_EXCEEDED, words, needs_person=True)


def _figure(amount: Decimal) -> str:
    """Return an amount with at least its cents."""
    whole, _, rest = format(amount.normalize(), "f").partition(".")
    return f"{whole}.{rest:0<2}"


def cannot_start(s: Snapshot, machine: Machine, *, exited: bool) -> Decision | None:
    """Return why a machine that is down may not be started, or ask what it would cost; None if it may.

    `exited` tells one that went down by itself from one that was stopped.
    Where a machine that is down is billed all the same, starting it costs nothing.
    """
    if s.limits.bills_stopped or machine.billing_mode is BillingMode.MONTHLY:
        return None
    cap = s.spec.billing.max_hourly_price
    if s.limits.asks_budget and s.budget is None:
        return need(s, Need.BUDGET)
    limited = s.budget is not None and s.budget.limits
    if cap is None and not limited:
        return None
    if s.price is None:
        return need(s, Need.PRICE)
    price = s.price.now if s.price.now is not None else _recorded_price(s)
    refusal = above_cap(s, price) or beyond_budget(s, price, f"starting machine {machine.id}")
    assert not isinstance(refusal, Need)  # it was asked for above
    return _refuse_start(s, refusal, exited=exited) if refusal is not None else None


def above_cap(s: Snapshot, price: Decimal | None) -> Refusal | None:
    """Return why a start at that price is too dear; an unknown price is above any cap."""
    cap = s.spec.billing.max_hourly_price
    if cap is None or (price is not None and price <= cap):
        return None
    words = (
        f"running machine {s.machine_id} costs {money(price)}/h now, above spec.billing.maxHourlyPrice of "
        f"{money(cap)}: it was not started; raise the limit, or set powerState to Stopped"
    )
    return Refusal(Reason.PRICE_ABOVE_LIMIT, words, needs_person=True)


def _refuse_start(s: Snapshot, refusal: Refusal, *, exited: bool) -> Decision:
    changes: dict[str, Any] = {"endpoints": None, "health_check": None, "estimated_ready_at": None}
    changes |= _end_of_start(s, exited=exited)
    if exited:
        return stuck(s, Phase.EXITED, refusal.reason, refusal.message, outcome=Outcome.EXITED, **changes)
    return stuck(s, Phase.STOPPED, refusal.reason, refusal.message, **changes)


def _end_of_start(s: Snapshot, *, exited: bool) -> dict[str, Any]:
    """End the start before this one: kept while there is no room, it would run out of its time.

    Not one whose effect may still show. Afterwards it is noted, as far as the status tells, whether the machine
    went down by itself, or is one that is to be started whenever it may cost what it does.
    """
    operation, applied = s.operation, s.status.applied
    if operation is None or operation.type is not OperationType.START:
        return {}
    if exited:
        return {**operations.end(s), "applied": applied.model_copy(update={"power_state": PowerState.RUNNING})}
    if operation.phase is not OperationPhase.FAILED:
        if not s.settled_since(operation.phases.monitoring_at or operation.started_at):
            return {}
        operation = operations.revoke(operation, s, message="it had no effect, and may not be sent again")
    wanted = applied.model_copy(update={"power_state": PowerState.STOPPED})
    return {"operation": None, "last_operation": operation, "applied": wanted}


def price_when_started(s: Snapshot) -> dict[str, Any]:
    """Return what the status says about the price of a machine that is started, where it was asked."""
    recorded = s.status.instance
    if s.price is None or s.price.now is None or recorded is None:
        return {}
    return {"instance": recorded.model_copy(update={"hourly_price": hourly_figure(s.price.now)})}


def _recorded_price(s: Snapshot) -> Decimal | None:
    recorded = s.status.instance
    return Decimal(recorded.hourly_price) if recorded is not None and recorded.hourly_price else None
