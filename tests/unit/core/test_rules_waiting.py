"""Waiting: a machine that moves is not pushed, one that fails or takes too long is reported."""

from __future__ import annotations

from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import OperationPhase, OperationType, Phase, PowerState
from gpuinstance.core.model import MachineState
from gpuinstance.core.rules.power import give_up_after_deadline, report_failed_machine, wait_while_changing
from gpuinstance.core.snapshot import Snapshot
from tests.builders import NOW, ago, instance, machine, operation, snapshot
from tests.unit.core.table import SILENT, Answer, is_stuck, judge, rows, waits

START, STOP, RESTART, CHANGE = OperationType.START, OperationType.STOP, OperationType.RESTART, OperationType.CHANGE
INITIATED, MONITORING = OperationPhase.INITIATED, OperationPhase.MONITORING
UP, DOWN = machine(), machine(state=MachineState.STOPPED)
READY = instance().running()
UNWANTED = READY.edited(power_state=PowerState.STOPPED)
WANTED = instance().stopped().edited(power_state=PowerState.RUNNING)
TOKEN = instance().with_machine().asking_restart("now")


@rows(
    ("all is well", snapshot(READY, UP), SILENT),
    (
        "the provider names a failure",
        snapshot(READY, machine(state=MachineState.STOPPED, trouble="no space")),
        is_stuck(Reason.INSTANCE_FAILED),
    ),
    ("a machine that runs has overcome it", snapshot(READY, machine(trouble="no space")), SILENT),
    (
        "what is to be down may have failed",
        snapshot(UNWANTED, machine(state=MachineState.STOPPED, trouble="no space")),
        SILENT,
    ),
    ("there is no machine", snapshot(READY), SILENT),
)
def test_report_failed_machine(given: Snapshot, answer: Answer | None) -> None:
    """What the provider itself calls a failure is one."""
    judge(report_failed_machine, given, answer)


def test_a_failure_ends_the_operation() -> None:
    """The operation in flight fails with the machine, and keeps the reason."""
    failed = machine(state=MachineState.STOPPED, trouble="no space")
    decision = report_failed_machine(snapshot(instance().creating(answered=True), failed))
    assert decision is not None
    assert decision.status.operation is not None
    assert decision.status.operation.phase is OperationPhase.FAILED
    assert decision.status.operation.error is not None


@rows(
    ("it is at rest", snapshot(READY, UP), SILENT),
    ("there is none", snapshot(READY), SILENT),
    (
        "it is being placed",
        snapshot(instance().creating(answered=True), machine(state=MachineState.CREATING)),
        waits(Reason.CREATING, phase=Phase.CREATED),
    ),
    (
        "it comes up",
        snapshot(WANTED, machine(state=MachineState.STARTING)),
        waits(Reason.STARTING, phase=Phase.STARTING),
    ),
    (
        "it goes down",
        snapshot(UNWANTED, machine(state=MachineState.STOPPING)),
        waits(Reason.STOPPING, phase=Phase.STOPPING),
    ),
    ("it moves", snapshot(READY, machine(state=MachineState.MIGRATING)), waits(Reason.STARTING)),
    ("somebody deletes it", snapshot(READY, machine(state=MachineState.REMOVING)), waits(Reason.INSTANCE_LOST)),
    ("nobody knows what it does", snapshot(READY, machine(state=MachineState.UNKNOWN)), waits(Reason.PENDING)),
    (
        "a restart has arrived, whatever became of its answer",
        snapshot(
            TOKEN.during(operation(RESTART, began=ago(seconds=5), token="now")), machine(state=MachineState.STARTING)
        ),
        waits(Reason.RESTARTING, status=lambda it: it.operation.phase is MONITORING),
    ),
    (
        "a stop has not: the machine moves elsewhere",
        snapshot(UNWANTED.during(operation(STOP, began=ago(seconds=5))), machine(state=MachineState.STARTING)),
        waits(Reason.STARTING, status=lambda it: it.operation.phase is INITIATED),
    ),
    (
        "nor does a start prove that the software was changed",
        snapshot(
            instance().with_machine().during(operation(CHANGE, began=ago(seconds=5), token="software:abc")),
            machine(state=MachineState.STARTING),
        ),
        waits(Reason.APPLYING_CHANGE, status=lambda it: it.operation.phase is INITIATED),
    ),
    (
        "addresses and health are forgotten: it comes up anew",
        snapshot(instance().serving(80), machine(state=MachineState.STARTING)),
        waits(Reason.STARTING, status=lambda it: it.endpoints is None and it.health_check is None),
    ),
    (
        "its time is over",
        snapshot(instance().creating(answered=True, began=ago(hours=1)), machine(state=MachineState.CREATING)),
        SILENT,
    ),
)
def test_wait_while_changing(given: Snapshot, answer: Answer | None) -> None:
    """The provider is at work: wait, and say at what."""
    judge(wait_while_changing, given, answer)


LATE: dict[str, Any] = {"began": ago(hours=1)}


@rows(
    ("nothing is under way", snapshot(READY, UP), SILENT),
    ("there is time left", snapshot(instance().creating(answered=True), machine(state=MachineState.CREATING)), SILENT),
    (
        "it took too long to be created",
        snapshot(instance().creating(answered=True, **LATE), machine(state=MachineState.CREATING)),
        is_stuck(Reason.CREATE_TIMED_OUT),
    ),
    (
        "it took too long to start",
        snapshot(
            instance().with_machine().during(operation(START, MONITORING, **LATE)), machine(state=MachineState.STARTING)
        ),
        is_stuck(Reason.START_TIMED_OUT),
    ),
    (
        "it took too long to stop",
        snapshot(
            UNWANTED.during(operation(STOP, MONITORING, generation=2, **LATE)), machine(state=MachineState.STOPPING)
        ),
        is_stuck(Reason.STOP_TIMED_OUT),
    ),
    ("it runs: late, but there", snapshot(instance().creating(answered=True, **LATE), UP), SILENT),
    ("it is down, as is wanted by now", snapshot(UNWANTED.during(operation(START, MONITORING, **LATE)), DOWN), SILENT),
    (
        "a stop that timed out is worth another call after its pause",
        snapshot(UNWANTED.during(operation(STOP, OperationPhase.FAILED, retry_at=NOW, generation=2, **LATE)), UP),
        SILENT,
    ),
    (
        "the spec was changed: what failed may be tried anew",
        snapshot(UNWANTED.during(operation(START, MONITORING, **LATE)), machine(state=MachineState.SUSPENDED)),
        SILENT,
    ),
)
def test_give_up_after_deadline(given: Snapshot, answer: Answer | None) -> None:
    """What takes longer than allowed is reported, because it may be billed."""
    judge(give_up_after_deadline, given, answer)
