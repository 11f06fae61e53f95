"""What holds recovery back: pauses, refusals, the price, and a namespace in which most are in trouble."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import Outcome
from gpuinstance.core.budget import spend_of
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import Delete, Need, Restart, Start
from gpuinstance.core.model import MachineState
from gpuinstance.core.record import Accepted, Refused
from gpuinstance.core.snapshot import Neighbours, Snapshot
from gpuinstance.reconcile import to_json
from tests.builders import snapshot
from tests.materials import NOW, ago, machine, order, refusal
from tests.unit.core.troubles import (
    ALONE,
    TROUBLES,
    decided,
    life_of,
    said,
    seen,
    unhealthy,
)

# ------------------------------------------------------------------------------------------------- pauses

PAUSES = [(1, 30), (2, 60), (3, 120), (4, 240), (5, 480), (6, 600), (9, 600)]


@pytest.mark.parametrize(("attempts", "pause"), PAUSES)
@pytest.mark.parametrize("trouble", ["exited", "unhealthy"])
def test_the_pause_between_attempts_doubles(trouble: str, attempts: int, pause: int) -> None:
    """From 30 seconds to 10 minutes, counted from the last attempt; meanwhile it is said what is waited for."""

    def last(seconds: int) -> Snapshot:
        spent = {"recovery_attempts": attempts, "last_recovery_at": ago(seconds=seconds)}
        return seen(trouble, recovery={"policy": "Restart", "max_attempts": 10}, status=spent)

    held = decided(last(pause - 1))
    assert held.action is None
    assert said(held) == Reason.RECOVERING
    assert f"attempt {attempts + 1} of 10" in held.status.conditions[0].message
    assert held.requeue_after == timedelta(seconds=1)
    assert held.status.recovery_attempts == attempts
    freed = decided(last(pause))
    assert freed.action is not None
    assert freed.status.recovery_attempts == attempts + 1


@pytest.mark.parametrize("trouble", ["exited", "unhealthy"])
def test_a_pause_is_told_once(trouble: str) -> None:
    """However often it is looked at meanwhile, the status stands still, and nobody hears of a failure."""
    spent = {"recovery_attempts": 5, "last_recovery_at": NOW}
    life = life_of(trouble, recovery={"policy": "Restart", "max_attempts": 10}, status=spent)
    life.watch(400, every=1)
    assert (len(life.written), life.actions) == (1, [])
    assert life.said == Reason.RECOVERING


def test_a_machine_that_exits_again_and_again_is_started_a_few_times() -> None:
    """Each start counts and has its full time; after the last, a person is asked."""
    life = life_of("exited", recovery={"policy": "Restart"})
    starts = []
    for _ in range(1500):
        before = len(life.actions)
        life.look(after=1)
        if len(life.actions) > before:
            starts.append(life.now)
            assert life.status.operation is not None
            assert life.status.operation.deadline == life.now + timedelta(minutes=15)
        elif life.actions and life.now == starts[-1] + timedelta(seconds=10):
            life.machines = (machine(state=MachineState.STOPPED, started_at=life.now),)  # up, and down again
    assert life.actions == [Start("m-1")] * 3
    assert starts[1] - starts[0] >= timedelta(seconds=30)
    assert starts[2] - starts[1] >= timedelta(seconds=60)
    assert (life.said, life.status.outcome) == (Reason.INSTANCE_EXITED, Outcome.EXITED)


def test_a_restart_that_does_not_help_is_repeated_with_its_full_time() -> None:
    """Each attempt is an operation of its own: the second does not inherit what is left of the first one's time."""
    life = life_of("unhealthy", recovery={"policy": "Restart"}, health_check={"max_wait_seconds": 1800})
    life.now += timedelta(hours=1)
    for attempt in (1, 2, 3):
        while len(life.actions) < attempt:
            life.look(after=30)
            assert life.status.outcome is None
        assert life.status.operation is not None
        assert life.status.operation.deadline == life.now + timedelta(minutes=15)
        life.machines = (machine(state=MachineState.STARTING),)
        life.look(after=60)
        assert life.said == Reason.RESTARTING
        life.machines = (machine(started_at=life.now),)
    life.watch(2400, every=30)
    assert life.actions == [Restart("m-1")] * 3
    assert (life.said, life.status.outcome) == (Reason.HEALTH_CHECK_FAILED, Outcome.FAILED)


# ------------------------------------------------------------------------------------------------- refusals

OUT_OF_STOCK = Refused(Reason.INSUFFICIENT_RESOURCE, "none free", needs_person=False)


def test_a_refused_start_does_not_count_again() -> None:
    """Without capacity the same attempt is repeated, ever more slowly, also when it was the last."""
    life = life_of("reclaimed", recovery={"on_spot_reclaim": "Start", "max_attempts": 1})
    life.answer = OUT_OF_STOCK
    life.watch(600, every=3)
    assert 4 <= len(life.actions) <= 8
    assert set(life.actions) == {Start("m-1")}
    assert life.status.recovery_attempts == 1
    assert life.said == Reason.INSUFFICIENT_RESOURCE
    assert life.status.outcome is None
    life.answer = Accepted()
    life.watch(600, every=3)
    life.machines, life.sick = (machine(),), frozenset()
    life.watch(12, every=3)
    assert life.is_ready
    assert life.status.recovery_attempts == 1


@pytest.mark.parametrize(("policy", "action"), [("Restart", Restart("m-1")), ("Recreate", Delete("m-1"))])
def test_refused_help_for_a_running_machine_does_not_count_again(policy: str, action: Restart | Delete) -> None:
    """The provider was busy: the same attempt is made again after its pause, not after another long wait."""
    life = life_of("unhealthy", recovery={"policy": policy, "max_attempts": 1})
    life.answer = Refused(Reason.RATE_LIMITED, "too many calls", needs_person=False)
    life.watch(9, every=3)
    assert (life.said, life.actions) == (Reason.RATE_LIMITED, [action])
    life.answer = Accepted()
    life.watch(48, every=3)
    assert life.actions == [action] * 2
    assert life.status.recovery_attempts == 1


@pytest.mark.parametrize(
    ("neighbours", "recovery"),
    [(Neighbours(3, 3), {"policy": "Restart"}), (ALONE, {"policy": "Never"})],
    ids=["most of the namespace is in trouble by now", "the policy has changed"],
)
def test_a_refused_attempt_is_held_by_the_brakes(neighbours: Neighbours, recovery: dict[str, Any]) -> None:
    """It is not repeated blindly: whoever allowed it may have changed their mind."""
    life = life_of("unhealthy", recovery={"policy": "Restart"})
    life.answer = Refused(Reason.RATE_LIMITED, "too many calls", needs_person=False)
    life.look()
    life.neighbours = neighbours
    life.edit(unhealthy().with_spec(recovery=recovery))
    life.watch(120, every=3)
    assert life.actions == [Restart("m-1")]


def test_what_the_provider_refuses_for_good_is_said() -> None:
    """Only a person can fill the account: Stalled, with the provider's words."""
    life = life_of("exited", recovery={"policy": "Restart"})
    life.answer = Refused(Reason.BALANCE_NOT_ENOUGH, "no money left", needs_person=True)
    life.watch(60, every=3)
    assert life.actions == [Start("m-1")]
    assert (life.said, life.status.outcome) == (Reason.BALANCE_NOT_ENOUGH, Outcome.FAILED)


@pytest.mark.parametrize("trouble", ["unhealthy", "exited", "failed", "late", "lost"])
def test_the_price_is_asked_before_a_machine_is_given_up(trouble: str) -> None:
    """Above the cap, or with none on sale, the old machine stays, the attempt does not count, and it is said."""
    capped = {"max_hourly_price": "0.10"}
    builder, machines, facts = TROUBLES[trouble]
    builder = builder.with_spec(recovery={"policy": "Recreate"}, billing=capped)
    unpriced = snapshot(builder, *machines, neighbours=ALONE, **facts)
    if trouble != "unhealthy":
        assert decide(unpriced).need is Need.PLAN
    for plan, reason in (
        (order(), Reason.PRICE_ABOVE_LIMIT),
        (refusal(Reason.NO_PRODUCT_AVAILABLE, needs_person=False), Reason.NO_PRODUCT_AVAILABLE),
    ):
        decision = decided(replace(unpriced, plan=plan))
        assert decision.action is None
        assert said(decision) == reason
        assert decision.status.recovery_attempts == 0


# ------------------------------------------------------------------------------------------------- the short-circuit

NEIGHBOURHOODS = [
    pytest.param(Neighbours(1, 1), False, id="it is alone"),
    pytest.param(Neighbours(2, 1), False, id="one of two"),
    pytest.param(Neighbours(2, 2), True, id="both of two"),
    pytest.param(Neighbours(3, 1), False, id="one of three"),
    pytest.param(Neighbours(3, 2), True, id="two of three"),
    pytest.param(Neighbours(4, 2), False, id="half of four"),
    pytest.param(Neighbours(4, 3), True, id="three of four"),
    pytest.param(Neighbours(100, 50), False, id="half of a hundred"),
    pytest.param(Neighbours(100, 51), True, id="more than half of a hundred"),
]


@pytest.mark.parametrize(("neighbours", "held"), NEIGHBOURHOODS)
@pytest.mark.parametrize("trouble", [it for it in TROUBLES if it != "reclaimed"])
def test_nothing_is_done_while_most_of_the_namespace_is_in_trouble(
    trouble: str, neighbours: Neighbours, *, held: bool
) -> None:
    """More than half of its instances: the cause is likely elsewhere. It is said, and no attempt is used up."""
    decision = decided(seen(trouble, recovery={"policy": "Recreate"}, neighbours=neighbours))
    assert (said(decision) == Reason.RECOVERY_HELD) is held
    if held:
        assert decision.action is None
        assert "more than half of the namespace" in decision.status.conditions[0].message
        assert (decision.status.recovery_attempts, decision.status.outcome) == (0, None)
        assert decision.requeue_after is not None


BILLED = {"unhealthy": "0.35", "failed": "0", "late": "0.35", "exited": "0", "lost": "0"}
"""By trouble, what the namespace's budget has to reckon with; the failed machine of the tests is down."""


@pytest.mark.parametrize("trouble", BILLED)
@pytest.mark.parametrize("brake", [{"neighbours": Neighbours(3, 3)}, {}], ids=["held", "pausing"])
def test_what_is_billed_counts_while_help_waits(trouble: str, brake: dict[str, Any]) -> None:
    """A machine that never came up is billed all the same: only one that is down or gone makes room for others."""
    priced = {"id": "m-1", "name": "n", "product_name": "RTX 4090", "hourly_price": "0.35"}
    spent = {"instance": priced, "recovery_attempts": 1, "last_recovery_at": NOW}
    held = decided(seen(trouble, recovery={"policy": "Recreate"}, status=spent, **brake))
    assert said(held) in (Reason.RECOVERING, Reason.RECOVERY_HELD)
    assert spend_of({"provider": "novita"}, to_json(held.status), bill_stopped=()) == Decimal(BILLED[trouble])


@pytest.mark.parametrize("trouble", ["exited", "unhealthy"])
def test_a_held_recovery_is_told_once_and_goes_on_when_the_others_are_well(trouble: str) -> None:
    """The status stands still while it is held; afterwards help comes within a minute."""
    life = life_of(trouble, recovery={"policy": "Restart"})
    life.neighbours = Neighbours(3, 3)
    life.watch(600, every=1)
    assert (len(life.written), life.actions) == (1, [])
    assert life.said == Reason.RECOVERY_HELD
    life.neighbours = Neighbours(3, 1)
    life.watch(60, every=1)
    assert len(life.actions) == 1


def test_what_heals_by_itself_while_it_is_held_is_ready() -> None:
    """The network is back: the checks that went on find it, and nothing was restarted."""
    life = life_of("unhealthy", recovery={"policy": "Restart"})
    life.neighbours = Neighbours(3, 3)
    life.watch(120, every=3)
    life.sick = frozenset()
    life.watch(6, every=3)
    assert (life.is_ready, life.actions) == (True, [])


def test_nothing_is_restarted_on_old_evidence() -> None:
    """A policy that is switched on long after the last round asks once more before it acts."""
    tired = {"interval_seconds": 3600}
    life = life_of("unhealthy", health_check=tired)
    life.look()
    assert life.status.outcome is Outcome.FAILED
    life.sick = frozenset()
    life.edit(unhealthy().with_spec(health_check=tired, recovery={"policy": "Restart"}))
    life.look(after=1800)
    assert (life.is_ready, life.actions) == (True, [])
