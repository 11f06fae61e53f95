"""Before money is spent the cap of the spec and the budget of the namespace are asked, and the refusal is in words."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Operation
from gpuinstance.api.words import BillingMode, OperationPhase, OperationType, Outcome, Phase, PowerState
from gpuinstance.core.budget import Budget, room_of
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import Create, Delete, Need, Start
from gpuinstance.core.model import MachineState
from gpuinstance.core.rules.creation import create_when_missing, refuse_above_namespace_budget, refuse_above_price_limit
from gpuinstance.core.rules.power import start_when_wanted
from gpuinstance.core.rules.recovery import recover_exited_machine, recover_lost_machine
from gpuinstance.core.rules.replacement import recreate_on_token
from gpuinstance.core.snapshot import Neighbours, Price, Snapshot
from tests.builders import NOW, InstanceBuilder, ago, instance, machine, operation, order, snapshot
from tests.unit.core.table import SILENT, Answer, asks, does, is_stuck, judge, rows, waits

EXCEEDED, UNKNOWN = Reason.NAMESPACE_BUDGET_EXCEEDED, Reason.NAMESPACE_BUDGET_UNKNOWN
ASKED: dict[str, Any] = {"limits": {"asks_budget": True}}
NEW = instance()
DOWN = machine(state=MachineState.STOPPED)
PRICED = {"id": "m-1", "name": "n", "product_name": "RTX 4090", "hourly_price": "0.35"}
STOPPED = instance().stopped().edited(power_state=PowerState.RUNNING).with_status(instance=PRICED)
RUNNING = instance().running().with_status(instance=PRICED)
EXITED = RUNNING.with_spec(recovery={"policy": "Restart"})


def room(limit: str | None, others: str = "0", **more: Any) -> dict[str, Any]:
    """Return the facts of a namespace with that limit, in which the others cost so much."""
    return ASKED | {"budget": Budget(Decimal(limit) if limit is not None else None, Decimal(others), **more)}


def capped(of: InstanceBuilder, cap: str) -> InstanceBuilder:
    """The spec always had a cap."""
    return of.with_spec(billing={"max_hourly_price": Decimal(cap)})


# ------------------------------------------------------------------------------------------------- buying


@rows(
    ("where there are no budgets, none is asked for", snapshot(NEW, plan=order()), SILENT),
    ("the budget is asked for when the price is known", snapshot(NEW, plan=order(), **ASKED), asks(Need.BUDGET)),
    ("before that nothing is known", snapshot(NEW, **ASKED), SILENT),
    ("a namespace without a limit allows everything", snapshot(NEW, plan=order(), **room(None, "99")), SILENT),
    ("what fits exactly is bought", snapshot(NEW, plan=order(), **room("0.70", "0.35")), SILENT),
    (
        "a cent too much is not",
        snapshot(NEW, plan=order(), **room("0.69", "0.35")),
        is_stuck(EXCEEDED, phase=Phase.FAILED),
    ),
    ("a budget of nothing allows nothing", snapshot(NEW, plan=order(), **room("0")), is_stuck(EXCEEDED)),
    (
        "an unknown price does not fit into a budget",
        snapshot(NEW, plan=order(hourly_price=None), **room("9")),
        is_stuck(UNKNOWN),
    ),
    (
        "without a limit an unknown price is fine",
        snapshot(NEW, plan=order(hourly_price=None), **room(None)),
        SILENT,
    ),
    (
        "an unreadable limit allows nothing",
        snapshot(NEW, plan=order(), **room(None, trouble="it is 'x'")),
        is_stuck(UNKNOWN),
    ),
    (
        "nor does a sum that nobody knows",
        snapshot(NEW, plan=order(), **room("9", unpriced="adopted")),
        is_stuck(UNKNOWN),
    ),
    ("what is not to run buys nothing", snapshot(NEW.wanting(PowerState.STOPPED), plan=order(), **ASKED), SILENT),
    ("what runs buys nothing", snapshot(RUNNING, machine(), plan=order(), **ASKED), SILENT),
)
def test_refuse_above_namespace_budget(given: Snapshot, answer: Answer | None) -> None:
    """A purchase that would make the namespace cost more than it may is refused before the call."""
    judge(refuse_above_namespace_budget, given, answer)


def test_the_refusal_names_the_numbers_and_the_way_out() -> None:
    """What it would make, of how much, where, and what a person can do."""
    decision = decide(snapshot(NEW, plan=order(hourly_price=Decimal("1.70")), **room("12.5", "12.50")))
    ready = decision.status.condition("Ready")
    assert ready is not None
    assert ready.message == (
        "buying it would make 14.20 of at most 12.50 USD/h in namespace default: stop something there, or raise its "
        "annotation gpuinstance.dev/max-hourly-price"
    )
    assert (decision.action, decision.rule) == (None, "refuse_above_namespace_budget")
    assert decision.requeue_after is not None, "it is looked at again by itself"


def test_small_prices_are_told_exactly() -> None:
    """A fraction of a cent is not rounded away: the sum would seem to fit."""
    decision = decide(snapshot(NEW, plan=order(hourly_price=Decimal("0.35001")), **room("0.35")))
    ready = decision.status.condition("Ready")
    assert ready is not None
    assert "0.35001 of at most 0.35 USD/h" in ready.message


def test_large_numbers_are_told_as_well() -> None:
    """Whatever somebody writes into the annotation, or a neighbour's cap."""
    for limit, others in (("1e30", "1e40"), ("0", "1e28")):
        decision = decide(snapshot(NEW, plan=order(), **room(limit, others)))
        assert decision.rule == "refuse_above_namespace_budget"


def test_the_cap_speaks_before_the_budget() -> None:
    """Both forbid it: the instance's own limit is the one to be told."""
    at = snapshot(capped(NEW, "0.1"), plan=order(), **room("0"))
    judge(refuse_above_price_limit, at, is_stuck(Reason.PRICE_ABOVE_LIMIT))


def test_what_fits_is_bought_and_counts_from_its_intent_on() -> None:
    """The price is in the saved intent, before the call."""
    decision = create_when_missing(snapshot(NEW, plan=order(), **room("1")))
    assert decision is not None
    assert isinstance(decision.action, Create)
    assert decision.status.instance is not None
    assert decision.status.instance.hourly_price == "0.35"


# ------------------------------------------------------------------------------------------------- replacing


@rows(
    (
        "the budget is asked before anything is removed",
        snapshot(RUNNING.asking_recreate("a"), machine(), plan=order(), **ASKED),
        asks(Need.BUDGET),
    ),
    (
        "what would not be allowed is not removed",
        snapshot(RUNNING.asking_recreate("a"), machine(), plan=order(), **room("0.6", "0.35")),
        is_stuck(EXCEEDED, phase=Phase.RUNNING),
    ),
    (
        "the machine itself is not among the others",
        snapshot(RUNNING.asking_recreate("a"), machine(), plan=order(), **room("0.70", "0.35")),
        does(Delete("m-1"), Reason.RECREATING),
    ),
)
def test_recreate_on_token(given: Snapshot, answer: Answer | None) -> None:
    """A machine is not removed for one that may not be bought."""
    judge(recreate_on_token, given, answer)


def test_a_replacement_counts_at_its_own_price_before_the_old_machine_goes() -> None:
    """From the saved intent on nobody else can take the room that the new machine needs, and it is kept for it while
    the old one goes, also if that takes a second call.
    """
    dearer = order(hourly_price=Decimal("0.50"))
    decision = recreate_on_token(snapshot(RUNNING.asking_recreate("a"), machine(), plan=dearer, **room("1")))
    assert decision is not None
    assert decision.status.operation is not None
    assert decision.status.operation.hourly_price == "0.5"
    assert _counts(decision.status) == Decimal("0.5")
    later = NOW + timedelta(minutes=5)
    going = RUNNING.asking_recreate("a").after(decision.status)
    again = recreate_on_token(snapshot(going, machine(), at=later))
    assert again is not None
    assert (again.action, _counts(again.status)) == (Delete("m-1"), Decimal("0.5"))


@pytest.mark.parametrize(("cap", "limit", "reason"), [("0.40", "9", Reason.PRICE_ABOVE_LIMIT), ("9", "0.40", EXCEEDED)])
@pytest.mark.parametrize("state", [MachineState.RUNNING, MachineState.STOPPED])
def test_what_would_be_refused_afterwards_is_refused_before(
    cap: str, limit: str, reason: Reason, state: MachineState
) -> None:
    """By the cap and by the budget alike, with the price of now, whatever the old machine costs: nothing is removed."""
    here = capped(RUNNING, cap).asking_recreate("a")
    dearer = order(hourly_price=Decimal("0.50"))
    decision = decide(snapshot(here, machine(state=state), plan=dearer, **room(limit)))
    assert decision.action is None
    ready = decision.status.condition("Ready")
    assert ready is not None
    assert ready.reason == reason
    assert decision.status.operation is None


def _counts(status: Any) -> Decimal | None:
    saved = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return room_of({"provider": "novita"}, saved, bill_stopped=())


LOST = RUNNING.with_spec(recovery={"policy": "Recreate"})
GONE: dict[str, Any] = {"confirmed_gone": frozenset({"m-1"}), "neighbours": Neighbours(1, 1), "plan": order()}


@rows(
    ("help asks the budget too", snapshot(LOST, **GONE, **ASKED), asks(Need.BUDGET)),
    ("and is refused in words", snapshot(LOST, **GONE, **room("0.3")), is_stuck(EXCEEDED)),
    ("or begins", snapshot(LOST, **GONE, **room("0.35")), waits(Reason.RECREATING)),
)
def test_recover_lost_machine(given: Snapshot, answer: Answer | None) -> None:
    """What `spec.recovery` buys is a purchase like any other; a refusal is no attempt."""
    judge(recover_lost_machine, given, answer)
    if answer is not None and answer.reason is EXCEEDED:
        assert recover_lost_machine(given).status.recovery_attempts == 0  # type: ignore[union-attr]  # judged above


# ------------------------------------------------------------------------------------------------- starting


@rows(
    ("nothing limits it", snapshot(STOPPED, DOWN), does(Start("m-1"), Reason.STARTING)),
    ("the budget is asked", snapshot(STOPPED, DOWN, **ASKED), asks(Need.BUDGET)),
    ("no limit, no question", snapshot(STOPPED, DOWN, **room(None)), does(Start("m-1"), Reason.STARTING)),
    ("the price of now is asked", snapshot(STOPPED, DOWN, **room("1")), asks(Need.PRICE)),
    ("also for the cap alone", snapshot(capped(STOPPED, "1"), DOWN), asks(Need.PRICE)),
    (
        "it fits",
        snapshot(STOPPED, DOWN, price=Price(Decimal("0.40")), **room("0.75", "0.35")),
        does(Start("m-1"), Reason.STARTING, status=lambda it: it.instance.hourly_price == "0.4"),
    ),
    (
        "it does not fit any more",
        snapshot(STOPPED, DOWN, price=Price(Decimal("0.41")), **room("0.75", "0.35")),
        is_stuck(EXCEEDED, phase=Phase.STOPPED),
    ),
    (
        "it has become dearer than the cap",
        snapshot(capped(STOPPED, "0.35"), DOWN, price=Price(Decimal("0.36"))),
        is_stuck(Reason.PRICE_ABOVE_LIMIT, phase=Phase.STOPPED),
    ),
    (
        "where no price is shown, that of the purchase counts",
        snapshot(capped(STOPPED, "0.35"), DOWN, price=Price(None)),
        does(Start("m-1"), Reason.STARTING),
    ),
    (
        "a price that nobody knows is above any cap",
        snapshot(capped(STOPPED.with_status(instance=PRICED | {"hourly_price": None}), "9"), DOWN, price=Price(None)),
        is_stuck(Reason.PRICE_ABOVE_LIMIT),
    ),
    (
        "an unreadable limit forbids starting as well",
        snapshot(STOPPED, DOWN, price=Price(Decimal("0.1")), **room(None, trouble="it is 'x'")),
        is_stuck(UNKNOWN),
    ),
    (
        "what is billed all the same may be started",
        snapshot(STOPPED, DOWN, limits={"asks_budget": True, "bills_stopped": True}, budget=Budget(Decimal(0))),
        does(Start("m-1"), Reason.STARTING),
    ),
    (
        "so may what is paid for the month",
        snapshot(STOPPED, machine(state=MachineState.STOPPED, billing_mode=BillingMode.MONTHLY), **ASKED),
        does(Start("m-1"), Reason.STARTING),
    ),
)
def test_start_when_wanted(given: Snapshot, answer: Answer | None) -> None:
    """A start costs what the machine costs now: the cap and the budget are asked before it."""
    judge(start_when_wanted, given, answer)


def test_a_refused_restart_token_is_not_used_up() -> None:
    """The token asks again as soon as there is room."""
    here = RUNNING.asking_restart("again")
    no = start_when_wanted(snapshot(here, DOWN, price=Price(Decimal("0.35")), **room("0")))
    yes = start_when_wanted(snapshot(here, DOWN, price=Price(Decimal("0.35")), **room("1")))
    assert no is not None
    assert yes is not None
    assert (no.action, no.status.handled_actions.restart) == (None, None)
    assert (yes.action, yes.status.handled_actions.restart) == (Start("m-1"), "again")


@rows(
    (
        "help by a start is refused, and it stays exited",
        snapshot(EXITED, DOWN, neighbours=Neighbours(1, 1), price=Price(Decimal("0.35")), **room("0.3")),
        is_stuck(EXCEEDED, outcome=Outcome.EXITED, phase=Phase.EXITED, status=lambda it: it.recovery_attempts == 0),
    ),
    (
        "or is given",
        snapshot(EXITED, DOWN, neighbours=Neighbours(1, 1), price=Price(Decimal("0.35")), **room("0.35")),
        does(Start("m-1"), Reason.STARTING, status=lambda it: it.recovery_attempts == 1),
    ),
)
def test_recover_exited_machine(given: Snapshot, answer: Answer | None) -> None:
    """A refused start is no attempt of a recovery."""
    judge(recover_exited_machine, given, answer)


def test_a_refused_start_is_retried_until_it_fits() -> None:
    """What was stopped on purpose stays so while there is no room, whatever is in flight."""
    here = STOPPED.during(operation(OperationType.STOP, began=ago(minutes=5)))
    facts: dict[str, Any] = {"price": Price(Decimal("0.35"))}
    refused = decide(snapshot(here, DOWN, **facts, **room("0")))
    assert refused.rule == "start_when_wanted"
    again = snapshot(here.build().model_copy(update={"status": refused.status}), DOWN, **facts, **room("1"))
    assert isinstance(decide(again).action, Start)


STARTING: dict[str, Any] = {"began": ago(minutes=5), "lasts": timedelta(minutes=15)}
SOLD_OUT = operation(OperationType.START, OperationPhase.FAILED, **STARTING)
UNANSWERED = operation(OperationType.START, machine_started_at=DOWN.started_at, **STARTING)


@pytest.mark.parametrize("before", [SOLD_OUT, UNANSWERED], ids=["sold out", "unanswered"])
@pytest.mark.parametrize("here", [STOPPED, RUNNING], ids=["stopped on purpose", "exited"])
def test_a_start_that_is_refused_when_it_is_sent_again_never_runs_out_of_time(
    here: InstanceBuilder, before: Operation
) -> None:
    """The provider had no capacity, or did not answer, and by now there is no room: hours later it is started."""
    facts: dict[str, Any] = {"price": Price(Decimal("0.35"))}
    refused = decide(snapshot(here.during(before), DOWN, **facts, **room("0")))
    assert (refused.rule, refused.status.phase) == ("start_when_wanted", Phase.STOPPED)
    assert refused.status.operation is None
    assert refused.status.last_operation is not None
    assert (refused.status.last_operation.id, refused.status.last_operation.phase) == (before.id, "failed")
    later = {"at": NOW + timedelta(hours=2)} | facts
    held = here.after(refused.status)
    again = decide(snapshot(held, DOWN, **later, **room("0")))
    assert again.status == refused.status, "nothing new is written"
    started = decide(snapshot(held, DOWN, **later, **room("1")))
    assert isinstance(started.action, Start)


def test_a_start_that_may_still_show_is_not_ended_by_a_refusal() -> None:
    """A new token asks again right after the call: what was sent may come up, and is waited for."""
    sent = operation(OperationType.START, began=ago(seconds=5))
    here = RUNNING.asking_restart("again").during(sent)
    refused = decide(snapshot(here, DOWN, price=Price(Decimal("0.35")), **room("0")))
    assert refused.rule == "start_when_wanted"
    assert refused.status.operation == sent


def test_a_refused_start_of_what_exits_again_ends_the_one_before() -> None:
    """It came up and went down: that start is done with, and recovery asks for another one as long as it takes."""
    came_up = operation(OperationType.START, OperationPhase.MONITORING, token="recovery/1", **STARTING)
    down = machine(state=MachineState.STOPPED, started_at=ago(minutes=4))
    facts: dict[str, Any] = {"neighbours": Neighbours(1, 1), "price": Price(Decimal("0.35"))}
    refused = decide(snapshot(EXITED.during(came_up), down, **facts, **room("0")))
    assert (refused.rule, refused.status.phase) == ("recover_exited_machine", Phase.EXITED)
    assert refused.status.operation is None
    started = decide(snapshot(EXITED.after(refused.status), down, at=NOW + timedelta(hours=2), **facts, **room("1")))
    assert (started.rule, started.action) == ("recover_exited_machine", Start("m-1"))


def test_what_runs_is_never_stopped_because_of_a_budget() -> None:
    """The limit was lowered below what is spent: the machine stays Ready, and nothing is asked."""
    decision = decide(snapshot(RUNNING, machine(), **room("0", "99")))
    assert (decision.action, decision.status.outcome) == (None, Outcome.READY)
