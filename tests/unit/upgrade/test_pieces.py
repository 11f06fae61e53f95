"""The small parts of the saga: what a machine is, calls, their answers, conditions, news."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus, MachineShape
from gpuinstance.api.upgrade_words import CallPhase, CallType, UpgradeCondition, UpgradeOutcome
from gpuinstance.api.words import BillingCycle, BillingMode, ConditionStatus, ErrorCategory
from gpuinstance.core.model import MachineState, Plan, Sizes
from gpuinstance.core.record import Accepted, Answer, Outdated, Refused, Unclear
from gpuinstance.core.upgrade import calls
from gpuinstance.core.upgrade.decide import decide_upgrade
from gpuinstance.core.upgrade.news import upgrade_news
from gpuinstance.core.upgrade.record import record_upgrade
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from gpuinstance.core.upgrade.target import (
    has_changed_to,
    is_as_before,
    is_on_plan,
    is_resized_to,
    price_step,
    runs_as,
    shape_of,
)
from tests import laws_of_upgrades as laws
from tests.laws import LawBroken
from tests.materials import IMAGE, NOW, ago, ports
from tests.upgrade_builders import (
    BIG,
    BIG_PLAN,
    OURS,
    PAID,
    PLANS,
    SMALL_PLAN,
    UpgradeBuilder,
    call,
    look,
    rented,
    server,
    upgrade,
)

BEFORE, AFTER = shape_of(server()), shape_of(server(sizes=BIG))

# ------------------------------------------------------------------------------------------------- what a machine is


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (Sizes(4096, 2, 100), True),
        (Sizes(2048, 1, 50), False),
        (Sizes(4096, 2, 50), False),
        (Sizes(0, 2, 100), False),
        (Sizes(0, 0, 0), False),
        (None, False),
    ],
)
def test_new_sizes_count_only_if_all_that_was_known_is_shown(shown: Sizes | None, expected: bool) -> None:
    """A size that has vanished from an answer proves nothing, neither does its plan."""
    assert is_resized_to(server(sizes=shown, product_id="5"), AFTER, BEFORE) is expected


def test_a_size_that_was_never_shown_is_not_waited_for() -> None:
    """The provider shows no disk: memory and processors tell."""
    before = shape_of(server(sizes=Sizes(2048, 1, 0)))
    assert is_resized_to(server(sizes=Sizes(4096, 2, 0)), AFTER, before)
    assert not is_resized_to(server(sizes=Sizes(2048, 2, 0)), AFTER, before)


def test_where_no_sizes_tell_the_plan_does() -> None:
    """A provider that shows no sizes at all is taken by its word for the plan."""
    before = shape_of(server(sizes=None))
    assert is_resized_to(server(sizes=None, product_id="5"), AFTER, before)
    assert not is_resized_to(server(sizes=None, product_id="3"), AFTER, before)
    assert not is_resized_to(server(sizes=None), None, before)
    assert not is_resized_to(server(sizes=BIG), AFTER, None)


def test_only_a_running_machine_runs_with_its_sizes() -> None:
    """New sizes that somebody has to confirm are not kept yet."""
    assert runs_as(server(sizes=BIG), AFTER, BEFORE)
    assert not runs_as(server(MachineState.RESIZED, BIG), AFTER, BEFORE)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [(Sizes(2048, 1, 50), True), (Sizes(2048, 1, 51), False), (Sizes(0, 1, 50), True), (None, True)],
)
def test_only_what_is_seen_is_a_change(shown: Sizes | None, expected: bool) -> None:
    """What an answer lacks has not changed."""
    assert is_as_before(server(sizes=shown), BEFORE) is expected


def test_the_current_plan_is_the_one_that_the_price_list_marks() -> None:
    """Where it marks none, the server's own word counts."""
    target = upgrade().to_plan(id="3").build().spec.target.plan
    assert target is not None
    assert is_on_plan(server(product_id="811"), target, "3", PLANS)
    assert not is_on_plan(server(product_id="3"), target, "5", PLANS)
    unmarked = (replace(SMALL_PLAN, is_current=False), BIG_PLAN)
    assert is_on_plan(server(product_id="3"), target, "3", unmarked)
    assert not is_on_plan(server(product_id="811"), target, "3", unmarked)


def test_a_step_in_price_is_known_or_not() -> None:
    """Negative for less; unknown where the list lacks the cycle; in full where the current plan is not marked."""
    monthly = BillingCycle.MONTHLY
    assert price_step(PLANS, "5", monthly) == Decimal("4.00")
    assert price_step(PLANS, "3", monthly) == 0
    assert price_step((BIG_PLAN,), "5", monthly) == Decimal("14.00")
    cheaper = Plan("1", "Tiny", Sizes(1024, 1, 30), ((monthly, Decimal(5)),))
    assert price_step((*PLANS, cheaper), "1", monthly) == Decimal("-5.00")
    assert price_step(PLANS, "5", BillingCycle.ANNUALLY) is None
    assert price_step(PLANS, "9", monthly) is None


@pytest.mark.parametrize(
    ("target", "fields", "restarted", "expected"),
    [
        (MachineShape(image="other:2"), {"image": "other:2"}, True, True),
        (MachineShape(image="other:2"), {"image": ""}, True, True),
        (MachineShape(image="other:2"), {"image": IMAGE}, True, False),
        (MachineShape(image="other:2"), {"image": "other:2"}, False, False),
        (MachineShape(rootfs_size_gb=100), {"rootfs_gb": None}, False, False),
        (MachineShape(billing_mode=BillingMode.MONTHLY), {"billing_mode": None}, False, False),
        (MachineShape(ports="80/http,81/http"), {}, False, False),
        (MachineShape(ports="81/http"), {"ports": ports("80/http", "81/http")}, False, False),
        (MachineShape(ports="81/http"), {"ports": ports("81/http", "2223/tcp")}, False, True),
    ],
)
def test_a_direct_change_shows(target: MachineShape, fields: dict[str, Any], restarted: bool, expected: bool) -> None:
    """Each kind by what the provider shows of it; never on a machine that does not run."""
    machine = replace(rented(), **fields)
    assert has_changed_to(machine, target, shape_of(rented()), restarted=restarted) is expected
    assert not has_changed_to(replace(machine, state=MachineState.STARTING), target, BEFORE, restarted=restarted)


# ------------------------------------------------------------------------------------------------- calls, answers


def test_sends_of_one_kind_are_counted() -> None:
    """A call that is made again counts on; another kind begins anew; every call has an id of its own."""
    second = calls.begin(look(upgrade().applying(began=ago(seconds=90))), CallType.APPLY)
    first = calls.begin(look(upgrade().resized()), CallType.CONFIRM)
    assert (second.attempt, first.attempt) == (2, 1)
    assert len({second.id, first.id, call(CallType.APPLY, began=ago(seconds=90)).id}) == 3


def test_pauses_after_refusals_grow() -> None:
    """15 seconds, doubling, ten minutes at most; longer where the provider says so; a person needs time."""
    s = look(upgrade())
    sent = call(CallType.ORDER)
    pauses = []
    for _ in range(12):
        sent = calls.refuse(sent, s, reason=Reason.RATE_LIMITED, message="no", needs_person=False)
        assert sent.retry_at is not None
        pauses.append((sent.retry_at - NOW).total_seconds())
        sent = sent.model_copy(update={"attempt": 1})
    assert pauses == [15, 30, 60, 120, 240, 480, *[600] * 6]
    told = calls.refuse(
        call(CallType.ORDER),
        s,
        reason=Reason.RATE_LIMITED,
        message="no",
        needs_person=False,
        retry_after=timedelta(seconds=40),
    )
    assert told.retry_at == NOW + timedelta(seconds=40)
    asked = calls.refuse(call(CallType.ORDER), s, reason=Reason.UNAUTHORIZED, message="no", needs_person=True)
    assert asked.retry_at == NOW + timedelta(minutes=10)


REFUSED = Refused(Reason.RATE_LIMITED, "slowly", needs_person=False, retry_after=timedelta(seconds=40))
REJECTED = Refused(Reason.REQUEST_REJECTED, "no", needs_person=True)
SENT: dict[str, Any] = {
    "order": upgrade().ordering(),
    "apply": upgrade().applying(),
    "confirm": upgrade().confirming(),
    "revert": upgrade().reverting(),
}


@pytest.mark.parametrize("sent", SENT.values(), ids=SENT)
@pytest.mark.parametrize(
    ("answer", "phase", "category"),
    [
        (Accepted(), CallPhase.ACCEPTED, None),
        (Unclear("no answer came"), CallPhase.INITIATED, ErrorCategory.UNKNOWN_OUTCOME),
        (REFUSED, CallPhase.REFUSED, ErrorCategory.RETRYABLE),
        (REJECTED, CallPhase.REFUSED, ErrorCategory.NEEDS_PERSON),
        (Outdated("it has moved on"), CallPhase.REFUSED, ErrorCategory.RETRYABLE),
    ],
)
def test_what_an_answer_means(
    sent: UpgradeBuilder, answer: Answer, phase: CallPhase, category: ErrorCategory | None
) -> None:
    """Only a definite no says that nothing happened; no answer says nothing; nothing but the call changes."""
    before = sent.build().status
    recorded = record_upgrade(look(sent), answer)
    noted = recorded.status.call
    assert noted is not None
    assert before.call is not None
    assert noted.phase is phase
    assert (noted.error.category if noted.error else None) is category
    assert noted.id == before.call.id
    assert noted.attempt == (0 if phase is CallPhase.REFUSED else 1)
    assert recorded.status.model_copy(update={"call": before.call}) == before
    assert recorded.action is None


def test_an_answer_to_nothing_changes_nothing() -> None:
    """Somebody has wiped the status in the meantime: the next look decides."""
    recorded = record_upgrade(look(upgrade()), Accepted())
    assert recorded.status == InstanceUpgradeStatus()


@pytest.mark.parametrize(
    ("of", "holds", "begun"),
    [
        (upgrade(), False, False),
        (upgrade().seen(), False, False),
        (upgrade().ordering(), False, True),
        (upgrade().awaiting_payment(), False, True),
        (upgrade().paid(), False, True),
        (upgrade().applying(CallPhase.REFUSED, reason=Reason.RATE_LIMITED), False, True),
        (upgrade().applying(), True, True),
        (upgrade().resizing(), True, True),
        (upgrade().resized(), True, True),
        (upgrade().confirming(CallPhase.REFUSED, reason=Reason.RATE_LIMITED), True, True),
        (upgrade().kept(), True, True),
        (upgrade().kept().with_status(completed_at=NOW), False, False),
    ],
)
def test_from_when_to_when_a_machine_is_held(of: UpgradeBuilder, holds: bool, begun: bool) -> None:
    """From the saved intent to change it to the end; what was surely refused holds nothing."""
    status = of.build().status
    assert (status.holds_machine, status.has_begun) == (holds, begun)


# ------------------------------------------------------------------------------------------------- pictures


def test_a_picture_is_as_old_as_its_question() -> None:
    """An answer that took long says nothing about the time in which it was on its way."""
    s = look(upgrade().paid(), server(), fresh=True, asked_at=ago(seconds=29), listed_at=ago(seconds=50))
    assert s.looked_at == ago(seconds=29)
    assert look(upgrade().paid(), server(), listed_at=ago(seconds=50)).looked_at == ago(seconds=50)


def test_a_removed_machine_is_no_machine() -> None:
    """Whether it is listed so, or shown so when asked for."""
    assert look(upgrade().paid(), server(MachineState.REMOVED)).machine is None
    assert look(upgrade().paid(), server(), fresh=server(MachineState.REMOVED)).machine is None


def test_a_moment_needs_a_time_zone() -> None:
    """Two clocks are never compared by accident."""
    with pytest.raises(ValueError, match="time zone"):
        replace(look(upgrade()), now=NOW.replace(tzinfo=None))


# ------------------------------------------------------------------------------------------------- what is said


def conditions_of(s: UpgradeSnapshot) -> dict[str, ConditionStatus]:
    """Return what the next status says."""
    return {c.type: c.status for c in laws.check_decision(s, decide_upgrade(s)).status.conditions}


def test_milestones_appear_when_they_can_be_told() -> None:
    """Before the upgrade is accepted none; afterwards each, False until it is reached."""
    assert set(conditions_of(look(upgrade(), server(), ahead="first"))) == {"Ready", "Reconciling"}
    waiting = conditions_of(look(upgrade().awaiting_payment(), server(), order=OURS))
    false, true = ConditionStatus.FALSE, ConditionStatus.TRUE
    assert waiting == {
        "Ready": false,
        "Reconciling": true,
        "ActionRequired": true,
        "Accepted": true,
        "Ordered": true,
        "Paid": false,
        "Applied": false,
        "Confirmed": false,
    }
    done = conditions_of(look(upgrade().kept(), server(sizes=BIG)))
    assert done == dict.fromkeys(["Ready", "Accepted", "Ordered", "Paid", "Applied", "Confirmed"], true)


def test_a_transition_has_its_own_time() -> None:
    """A condition that stays as it is keeps its moment, whatever is said about it."""
    first = decide_upgrade(look(upgrade().awaiting_payment(), server(), order=OURS)).status
    waiting = upgrade().awaiting_payment().with_status(**dict(first))
    later = decide_upgrade(look(waiting, server(), order=PAID, at=NOW + timedelta(hours=1))).status
    ready, paid = later.condition(UpgradeCondition.READY), later.condition(UpgradeCondition.PAID)
    assert ready is not None
    assert paid is not None
    assert ready.last_transition_time == ago(minutes=50)
    assert paid.last_transition_time == NOW + timedelta(hours=1)


def told(of: UpgradeBuilder, s: UpgradeSnapshot) -> str | None:
    """Return the reason of the Event that a decision becomes."""
    item = upgrade_news(of.build().status, decide_upgrade(s).status)
    return item.reason if item is not None else None


def test_what_is_worth_an_event() -> None:
    """Each step that costs, ends, or asks somebody for something; never the same twice."""
    ordering = upgrade().ordering(began=ago(seconds=5))
    assert told(ordering, look(ordering, server(), order=OURS)) == Reason.AWAITING_PAYMENT
    assert told(ordering, look(ordering, server(), order=False)) is None
    waiting = upgrade().awaiting_payment()
    assert told(waiting, look(waiting, server(), order=PAID)) == Reason.PAID
    shown = waiting.with_status(**dict(decide_upgrade(look(waiting, server(), order=OURS)).status))
    assert told(shown, look(shown, server(), order=OURS, at=NOW + timedelta(hours=1))) is None
    assert told(shown, look(shown.cancelled(), server(), order=OURS)) == Reason.CANCELLED
    kept = upgrade().kept()
    item = upgrade_news(kept.build().status, decide_upgrade(look(kept, server(sizes=BIG))).status)
    assert item is not None
    assert (item.reason, item.warning) == (Reason.COMPLETED, False)
    assert "invoice 416 of 4.00 USD was paid" in item.message


# ------------------------------------------------------------------------------------------------- the laws themselves


def broken(status: InstanceUpgradeStatus) -> str:
    """Return what a status breaks."""
    with pytest.raises(LawBroken) as caught:
        laws.check(status)
    return str(caught.value)


def test_the_laws_bite() -> None:
    """A status that breaks a law is found out."""
    good = laws.check(decide_upgrade(look(upgrade().awaiting_payment(), server(), order=OURS)).status)
    assert "come together" in broken(good.model_copy(update={"outcome": UpgradeOutcome.FAILED}))
    assert "Ready is always present" in broken(good.model_copy(update={"conditions": []}))
    assert "condition Paid is not True" in broken(good.model_copy(update={"paid_at": NOW}))
    assert "carries generation" in broken(good.model_copy(update={"observed_generation": 7}))
    assert "sent 9 times" in broken(good.model_copy(update={"call": call(CallType.ORDER, attempt=9)}))
    with pytest.raises(LawBroken, match="ordered_at was"):
        laws.check_step(good, good.model_copy(update={"ordered_at": None}))
