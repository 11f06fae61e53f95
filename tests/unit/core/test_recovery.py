"""Helping a machine in trouble: what is done by which policy, and the brakes that hold it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import OperationType, Outcome
from gpuinstance.core.decision import Create, Delete, Restart, Start
from gpuinstance.core.model import MachineState
from gpuinstance.core.record import Accepted
from tests.builders import instance
from tests.materials import NOW, ago, machine
from tests.unit.core.life import Life
from tests.unit.core.troubles import (
    REPORTED,
    TROUBLES,
    decided,
    life_of,
    said,
    seen,
)

# ------------------------------------------------------------------------------------------------- what is done

DONE: dict[tuple[str, str], type | None] = {
    ("unhealthy", "Never"): None,
    ("unhealthy", "Restart"): Restart,
    ("unhealthy", "Recreate"): Delete,
    ("exited", "Never"): None,
    ("exited", "Restart"): Start,
    ("exited", "Recreate"): Delete,
    ("reclaimed", "Never"): None,
    ("reclaimed", "Restart"): None,  # onSpotReclaim decides, which is Never here
    ("reclaimed", "Recreate"): None,
    ("failed", "Never"): None,
    ("failed", "Restart"): None,  # a start would end as the last one did
    ("failed", "Recreate"): Delete,
    ("late", "Never"): None,
    ("late", "Restart"): None,
    ("late", "Recreate"): Delete,
    ("lost", "Never"): None,
    ("lost", "Restart"): None,
}
"""By trouble and policy; None: it is only reported."""


@pytest.mark.parametrize(("trouble", "policy"), DONE)
def test_each_policy_does_what_it_says(trouble: str, policy: str) -> None:
    """One action, by an operation whose token says who asked for it; or the report, as if there were no policy."""
    decision = decided(seen(trouble, recovery={"policy": policy}))
    expected = DONE[trouble, policy]
    if expected is None:
        assert decision.action is None
        assert said(decision) == REPORTED[trouble]
        assert decision.status.recovery_attempts == 0
        return
    assert decision.action == expected("m-1")
    operation, status = decision.status.operation, decision.status
    assert operation is not None
    assert operation.token == "recovery/1"
    assert (status.recovery_attempts, status.last_recovery_at) == (1, NOW)
    assert (status.endpoints, status.health_check) == (None, None)
    assert (status.outcome, said(decision)) != (Outcome.FAILED, REPORTED[trouble])


def test_a_lost_machine_is_replaced_without_removing_anything() -> None:
    """There is nothing to delete: the intent is saved, and the next pass buys."""
    life = life_of("lost", recovery={"policy": "Recreate"})
    life.look()
    assert life.actions == []
    assert life.status.operation is not None
    assert life.status.operation.type is OperationType.RECREATE
    life.look(after=3)
    assert [type(action) for action in life.actions] == [Create]
    assert life.status.recovery_attempts == 1


@pytest.mark.parametrize("policy", ["Never", "Restart", "Recreate"])
@pytest.mark.parametrize(("on_reclaim", "expected"), [("Never", None), ("Start", Start), ("Recreate", Delete)])
def test_a_reclaimed_machine_has_a_policy_of_its_own(policy: str, on_reclaim: str, expected: type | None) -> None:
    """`onSpotReclaim` alone says what follows, whatever the policy for other troubles is."""
    decision = decided(seen("reclaimed", recovery={"policy": policy, "on_spot_reclaim": on_reclaim}))
    assert type(decision.action) is (expected or type(None))
    if expected is None:
        assert said(decision) == Reason.INSTANCE_EXITED
        assert "taken back by the provider" in (decision.status.conditions[0].message)


def test_patience_comes_first() -> None:
    """An unhealthy application is given `maxWaitSeconds` before anybody restarts it."""
    just_begun = {"overall": "Unhealthy", "started_at": NOW, "consecutive_failures": 3}
    life = life_of("unhealthy", recovery={"policy": "Restart"}, status={"health_check": just_begun})
    life.watch(297, every=3)
    assert (life.actions, life.said) == ([], Reason.HEALTH_CHECK_FAILED)
    life.watch(6, every=3)
    assert life.actions == [Restart("m-1")]


def test_one_restart_is_one_call() -> None:
    """While it restarts, comes up and answers, nothing more is asked; then it is Ready, and the attempt counted."""
    life = life_of("unhealthy", recovery={"policy": "Restart"})
    life.look()
    life.watch(9, every=3)
    life.machines = (machine(state=MachineState.STARTING),)
    life.watch(30, every=3)
    life.machines, life.sick = (machine(started_at=life.now),), frozenset()
    life.watch(12, every=3)
    assert life.is_ready
    assert life.actions == [Restart("m-1")]
    assert life.status.recovery_attempts == 1


@pytest.mark.parametrize("trouble", ["exited", "unhealthy", "late", "failed"])
def test_a_replacement_is_one_deletion_and_one_purchase(trouble: str) -> None:
    """The old machine is gone before the new one is bought, under the next name."""
    life = life_of(trouble, recovery={"policy": "Recreate"})
    life.look()
    life.machines = (replace(life.machines[0], state=MachineState.REMOVING),)
    life.watch(30, every=3)
    assert life.actions == [Delete("m-1")]
    life.machines, life.answer = (), Accepted("m-2")
    life.watch(9, every=3)
    assert [type(action) for action in life.actions] == [Delete, Create]
    assert life.status.attempts == 2
    life.machines, life.sick = (machine("m-2", attempt=2),), frozenset()
    life.watch(120, every=3)
    assert life.is_ready
    assert len(life.actions) == 2
    assert life.status.recovery_attempts == 1


# ------------------------------------------------------------------------------------------------- attempts


@pytest.mark.parametrize("trouble", [it for it in TROUBLES if it != "reclaimed"])
def test_used_up_attempts_leave_it_to_a_person(trouble: str) -> None:
    """After `maxAttempts` the trouble is reported as it would be without a policy."""
    spent = {"recovery_attempts": 2, "last_recovery_at": ago(hours=1)}
    decision = decided(seen(trouble, recovery={"policy": "Recreate", "max_attempts": 2}, status=spent))
    assert decision.action is None
    assert said(decision) == REPORTED[trouble]
    assert decision.status.condition("Stalled") is not None
    assert decision.status.recovery_attempts == 2


def test_attempts_are_forgotten_after_a_while_of_being_ready() -> None:
    """Ten minutes of Ready give them back, in one write."""
    spent = {"recovery_attempts": 3, "last_recovery_at": ago(minutes=1), "ready_at": NOW}
    life = Life(instance().serving(80).with_status(**spent).build(), (machine(),))
    life.look()
    life.watch(597, every=3)
    assert life.status.recovery_attempts == 3
    writes = len(life.written)
    life.watch(600, every=3)
    assert life.status.recovery_attempts == 0
    assert len(life.written) == writes + 1


def test_an_instance_that_never_needed_help_is_not_written_to() -> None:
    """Ten minutes of Ready are no news."""
    life = Life(instance().serving(80).build(), (machine(),))
    life.look()
    writes = len(life.written)
    life.watch(3600, every=30)
    assert len(life.written) == writes
