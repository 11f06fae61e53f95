"""Before an upgrade is ordered: what the machine may cost an hour, by its instance's cap and its namespace's budget."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingCycle
from gpuinstance.core.budget import Budget
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import OrderUpgrade, SwitchToMonthly
from gpuinstance.core.snapshot import FoundUpgrade
from gpuinstance.core.upgrade.decide import decide_upgrade
from gpuinstance.core.upgrade.decision import UpgradeNeed
from gpuinstance.core.upgrade.snapshot import Quote, UpgradeSnapshot
from tests.builders import OF_HOSTWINDS, InstanceBuilder, snapshot
from tests.unit.upgrade.table import Answer, asks, does, fails, judge, rows, stalls
from tests.upgrade_builders import (
    BIG,
    BIG_PLAN,
    DIRECT_LIMITS,
    PLANS,
    SMALL_PLAN,
    direct,
    look,
    pod,
    rented,
    renting,
    server,
    upgrade,
    vars_of,
)


def priced(of: InstanceBuilder, price: str | None) -> InstanceBuilder:
    """The machine was bought at that price."""
    recorded = of.build().status.instance
    assert recorded is not None
    return of.with_status(instance=recorded.model_copy(update={"hourly_price": price}))


MONTHLY = renting().of_hostwinds(billing_cycle=BillingCycle.MONTHLY)
SERVER = priced(MONTHLY, "0.0137")
"""10.00 USD a month; the bigger plan costs 4.00 more, 0.00548 an hour."""


def cap(price: str) -> InstanceBuilder:
    """Return the instance with a cap."""
    return SERVER.with_spec(billing={"max_hourly_price": Decimal(price)})


def ordering(of: InstanceBuilder = SERVER, **facts: Any) -> UpgradeSnapshot:
    """Return an upgrade to the bigger plan for which everything else is known."""
    settings: dict[str, Any] = {"instance": of, "plans": PLANS, "fresh": True, "order": False}
    return look(upgrade(), server(), **settings | facts)


ASKED: dict[str, Any] = {"limits": {"asks_budget": True}}
UNPRICED = replace(BIG_PLAN, cycle_prices=())


def room(limit: str | None, others: str = "0", **more: Any) -> dict[str, Any]:
    """Return the facts of a namespace with that limit."""
    return ASKED | {"budget": Budget(Decimal(limit) if limit is not None else None, Decimal(others), **more)}


@rows(
    ("nothing limits it", ordering(), does(OrderUpgrade, Reason.ORDERING)),
    ("it stays below the instance's cap", ordering(cap("0.02")), does(OrderUpgrade, Reason.ORDERING)),
    (
        "it would not",
        ordering(cap("0.019")),
        fails(Reason.PRICE_ABOVE_LIMIT).saying("would cost 0.01918 USD/h"),
    ),
    ("the budget is asked for", ordering(**ASKED), asks(UpgradeNeed.BUDGET)),
    ("there is none", ordering(**room(None)), does(OrderUpgrade, Reason.ORDERING)),
    ("it fits", ordering(**room("1.01918", "1")), does(OrderUpgrade, Reason.ORDERING)),
    (
        "it does not, until something else costs less",
        ordering(**room("1.01917", "1")),
        stalls(Reason.NAMESPACE_BUDGET_EXCEEDED).saying("upgrading it would make 1.01918 of at most 1.01917 USD/h"),
    ),
    (
        "nobody knows the limit",
        ordering(**room(None, trouble="it is 'x'")),
        stalls(Reason.NAMESPACE_BUDGET_UNKNOWN),
    ),
    (
        "where nobody knows what it will cost, the invoice decides",
        ordering(priced(MONTHLY, None), **room(None)),
        does(OrderUpgrade, Reason.ORDERING),
    ),
    (
        "what it costs more is the least that it will cost: that may be enough to be too dear",
        ordering(priced(cap("0.00547"), None)),
        fails(Reason.PRICE_ABOVE_LIMIT).saying("would cost at least 0.00548 USD/h"),
    ),
    ("or it is not", ordering(priced(cap("0.00548"), None)), does(OrderUpgrade, Reason.ORDERING)),
    ("the budget is asked for all the same", ordering(priced(MONTHLY, None), **ASKED), asks(UpgradeNeed.BUDGET)),
    (
        "an unknown price does not fit into a budget",
        ordering(priced(MONTHLY, None), **room("99")),
        stalls(Reason.NAMESPACE_BUDGET_UNKNOWN).saying("the price is not known"),
    ),
    (
        "nor does one of which the price list knows nothing",
        ordering(plans=(SMALL_PLAN, UNPRICED), **room("99")),
        stalls(Reason.NAMESPACE_BUDGET_UNKNOWN),
    ),
)
def test_before_the_order(given: UpgradeSnapshot, answer: Answer) -> None:
    """What the price list shows to be too dear is not ordered."""
    judge(given, answer.by("validate"))


POD = priced(pod(), "0.35")
UNQUOTED: dict[str, Any] = {"quote": Quote(None)}


def switching(of: InstanceBuilder = POD, **facts: Any) -> UpgradeSnapshot:
    """Return a switch to monthly billing for 219 USD a month, 0.30 an hour."""
    limits = vars_of(DIRECT_LIMITS) | facts.pop("limits", {})
    settings: dict[str, Any] = {"instance": of, "fresh": True, "quote": Quote(Decimal(219)), "limits": limits}
    return look(direct(billing={"months": 1}), rented(), **settings | facts)


@rows(
    ("nothing limits it", switching(), does(SwitchToMonthly, Reason.APPLYING)),
    ("it fits", switching(**room("0.30")), does(SwitchToMonthly, Reason.APPLYING)),
    ("it does not", switching(**room("0.29")), stalls(Reason.NAMESPACE_BUDGET_EXCEEDED)),
    ("nobody knows", switching(**UNQUOTED, **room("9")), stalls(Reason.NAMESPACE_BUDGET_UNKNOWN)),
    ("nobody asks", switching(**UNQUOTED, **room(None)), does(SwitchToMonthly, Reason.APPLYING)),
    (
        "it costs more than the instance may",
        switching(POD.with_spec(billing={"max_hourly_price": Decimal("0.29")})),
        fails(Reason.PRICE_ABOVE_LIMIT),
    ),
)
def test_before_the_switch(given: UpgradeSnapshot, answer: Answer) -> None:
    """A term is paid ahead, and counts by the hour."""
    judge(given, answer.by("validate"))


def test_a_smaller_plan_costs_less_afterwards() -> None:
    """Nothing is given back, and from the next hour on the machine has the price of its plan."""
    plans = (replace(SMALL_PLAN, is_current=False), replace(BIG_PLAN, is_current=True))
    here = priced(MONTHLY, "0.01918")
    given = look(
        upgrade(target={"plan": {"id": "3"}}), server(sizes=BIG), instance=here, plans=plans, fresh=True, order=False
    )
    status = decide_upgrade(given).status
    assert status.target is not None
    assert status.target.hourly_price == "0.0137"


def test_a_price_that_would_be_none_is_not_known() -> None:
    """Where what was recorded and the price list do not go together, nobody knows what it will cost."""
    plans = (replace(SMALL_PLAN, is_current=False), replace(BIG_PLAN, is_current=True))
    given = look(
        upgrade(target={"plan": {"id": "3"}}), server(sizes=BIG), instance=priced(MONTHLY, "0.001"), plans=plans,
        fresh=True, order=False,
    )  # fmt: skip
    status = decide_upgrade(given).status
    assert status.target is not None
    assert status.target.hourly_price is None


def test_what_it_will_cost_is_noted_with_the_intent() -> None:
    """From then on it counts, and afterwards it is the price of the machine."""
    status = decide_upgrade(ordering()).status
    assert status.target is not None
    assert status.target.hourly_price == "0.01918"
    done = FoundUpgrade("bigger", "uid-9", "m-1", holds=False, hourly_price=status.target.hourly_price)
    here = snapshot(SERVER, server(sizes=BIG), limits=OF_HOSTWINDS, upgrade=done)
    noted = decide(here)
    assert noted.rule == "take_note_of_upgrade"
    assert noted.status.instance is not None
    assert noted.status.instance.hourly_price == "0.01918"
