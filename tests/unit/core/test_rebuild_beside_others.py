"""A machine made anew in place, beside the other rules: what is applied, what is never touched, who else may ask."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Operation
from gpuinstance.api.words import OperationPhase, OperationType, Outcome
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import Create, Rebuild, Reinstall
from gpuinstance.core.desired import software_fingerprint
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.rules.rebuild import rebuild_on_token
from gpuinstance.core.snapshot import Snapshot
from tests.builders import HOST, OF_HOSTWINDS, InstanceBuilder, ago, instance, machine, operation, snapshot
from tests.unit.core.life import Life
from tests.unit.core.troubles import REPORTED, TROUBLES, decided, said, seen

UP = machine(exposes=(), host=HOST)
AT_WORK = machine(state=MachineState.STARTING, exposes=(), host=HOST)
SERVER = instance().of_hostwinds()
READY = SERVER.running()
RECREATE = READY.asking(recreate="a")
MONITORING = OperationPhase.MONITORING


def given(of: InstanceBuilder, *machines: Machine, **facts: Any) -> Snapshot:
    return snapshot(of, *machines, limits=OF_HOSTWINDS, **facts)


def test_a_reinstall_that_has_arrived_is_applied() -> None:
    """By the fingerprint of the spec that asked for it, not of one that was edited meanwhile."""
    asked = READY.edited(template_id="debian").asking(reinstall="a")
    fingerprint = software_fingerprint(asked.build().spec)
    begun = rebuild_on_token(given(asked, UP))
    assert begun is not None
    assert begun.action == Reinstall("m-1", "debian")
    intent = begun.status.operation
    assert isinstance(intent, Operation)
    assert intent.target == f"software:{fingerprint}"
    seen = rebuild_on_token(given(asked.with_spec(template_id="arch").during(intent), AT_WORK))
    assert seen is not None
    assert seen.status.applied.software == fingerprint
    assert seen.status.handled_actions.reinstall == "a"


@pytest.mark.parametrize("state", [MachineState.SUSPENDED, MachineState.RESIZING, MachineState.RESIZED])
def test_what_must_not_be_touched_is_not_made_anew(state: MachineState) -> None:
    """Neither by a token nor by spec.recovery, however long it has been so."""
    wanted = RECREATE.with_spec(recovery={"policy": "Recreate"}).during(
        operation(OperationType.START, MONITORING, began=ago(hours=2))
    )
    decision = decide(given(wanted, machine(state=state, trouble="error")))
    assert decision.action is None
    assert decision.rule in {"leave_suspended_machine", "leave_resized_machine"}


def test_a_machine_that_is_gone_can_only_be_bought() -> None:
    """The token is the same; what stands is rebuilt, what is gone is replaced."""
    assert decide(given(RECREATE, UP)).rule == "rebuild_on_token"
    assert decide(given(RECREATE, machine(state=MachineState.REMOVING))).rule == "recreate_on_token"
    assert decide(given(RECREATE)).rule == "recreate_on_token"


# ------------------------------------------------------------------------------------------------- by spec.recovery


@pytest.mark.parametrize("trouble", ["unhealthy", "exited", "failed"])
def test_recovery_rebuilds_what_stands(trouble: str) -> None:
    """Instead of a deletion and a second purchase, and without asking for a price."""
    decision = decided(seen(trouble, recovery={"policy": "Recreate"}, limits=OF_HOSTWINDS, plan=None))
    assert decision.action == Rebuild("m-1")
    assert decision.status.operation is not None
    assert (decision.status.operation.type, decision.status.operation.token) == (OperationType.REBUILD, "recovery/1")
    assert decision.status.recovery_attempts == 1
    assert decision.status.handled_actions.recreate is None


def test_recovery_leaves_a_machine_alone_that_the_provider_is_at_work_on() -> None:
    """It would refuse: the trouble is reported, and what helps is named."""
    decision = decided(seen("late", recovery={"policy": "Recreate"}, limits=OF_HOSTWINDS))
    assert decision.action is None
    assert said(decision) == REPORTED["late"]
    assert "see the provider's console" in decision.status.conditions[0].message


def test_recovery_buys_another_for_one_that_is_lost() -> None:
    """There is nothing left that could be rebuilt."""
    of, machines, _ = TROUBLES["lost"]
    life = Life(of.with_spec(recovery={"policy": "Recreate"}).build(), machines, limits=OF_HOSTWINDS)
    life.watch(6, every=3)
    assert [type(it) for it in life.actions] == [Create]


def test_recovery_rebuilds_as_often_as_it_may() -> None:
    """An application that stays dead: three rebuilds with pauses, then a person is asked, in silence."""
    of = SERVER.with_spec(recovery={"policy": "Recreate"}, health_check={"max_wait_seconds": 60})
    life = Life(of.serving_at(HOST, 80).build(), (UP,), limits=OF_HOSTWINDS)
    life.sick = frozenset({80})
    for _ in range(400):
        life.look(after=15)
        if life.actions and life.machines[0].started_at != life.status.last_recovery_at:
            life.machines = (machine(exposes=(), host=HOST, started_at=life.status.last_recovery_at),)
    assert life.actions == [Rebuild("m-1")] * 3
    assert (life.said, life.status.outcome) == (Reason.HEALTH_CHECK_FAILED, Outcome.FAILED)
