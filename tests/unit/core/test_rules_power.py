"""Power: up and down as the spec says, never twice, and never by mistake."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import OperationPhase, OperationType, Outcome, Phase, PowerState
from gpuinstance.core.decision import Restart, Start, Stop
from gpuinstance.core.model import MachineState
from gpuinstance.core.rules.power import (
    restart_on_token,
    start_when_wanted,
    stop_when_unwanted,
)
from gpuinstance.core.snapshot import Snapshot
from tests.builders import ago, instance, machine, operation, refused, snapshot
from tests.unit.core.table import SILENT, Answer, does, is_stuck, judge, rows, settles, waits

START, STOP, RESTART = OperationType.START, OperationType.STOP, OperationType.RESTART
INITIATED, MONITORING = OperationPhase.INITIATED, OperationPhase.MONITORING
UP, DOWN = machine(), machine(state=MachineState.STOPPED)
READY = instance().running()
STOPPED = instance().stopped()
UNWANTED = READY.edited(power_state=PowerState.STOPPED)
WANTED = STOPPED.edited(power_state=PowerState.RUNNING)
BEFORE: dict[str, Any] = {"machine_started_at": ago(hours=1)}
"""What operations remember of `UP` and `DOWN`: neither has come up since."""
TOKEN = instance().with_machine().asking_restart("now")


@rows(
    ("it should be up", snapshot(READY, UP), SILENT),
    ("there is none", snapshot(UNWANTED), SILENT),
    ("it is stopped", snapshot(UNWANTED, UP), does(Stop("m-1"), Reason.STOPPING, intent=STOP)),
    (
        "it was just asked to stop",
        snapshot(UNWANTED.during(operation(STOP, began=ago(seconds=5), **BEFORE)), UP),
        waits(Reason.STOPPING),
    ),
    (
        "and has accepted it",
        snapshot(UNWANTED.during(operation(STOP, MONITORING, began=ago(seconds=5), **BEFORE)), UP),
        waits(Reason.STOPPING),
    ),
    (
        "the stop had no effect: it is billed, so it is asked again",
        snapshot(UNWANTED.during(operation(STOP, MONITORING, began=ago(seconds=61), **BEFORE)), UP),
        does(Stop("m-1"), Reason.STOPPING),
    ),
    (
        "it is down",
        snapshot(UNWANTED.during(operation(STOP, MONITORING, began=ago(seconds=20))), DOWN),
        settles(
            Reason.STOPPED,
            Outcome.STOPPED,
            status=lambda it: it.operation is None and it.applied.power_state is PowerState.STOPPED,
        ),
    ),
    (
        "it was just started: an old picture shows it down",
        snapshot(UNWANTED.during(operation(START, MONITORING, began=ago(seconds=2), **BEFORE)), DOWN),
        waits(Reason.STOPPING),
    ),
    (
        "it was started, came up, and is down again",
        snapshot(
            UNWANTED.during(operation(START, MONITORING, began=ago(seconds=50), machine_started_at=ago(hours=2))), DOWN
        ),
        settles(Reason.STOPPED, Outcome.STOPPED),
    ),
    (
        "a restart token asks for nothing while it is to be down",
        snapshot(UNWANTED.asking_restart("now"), DOWN),
        settles(Reason.STOPPED, Outcome.STOPPED, status=lambda it: it.handled_actions.restart == "now"),
    ),
)
def test_stop_when_unwanted(given: Snapshot, answer: Answer | None) -> None:
    """`powerState: Stopped` ends the bill, and says so only when it has."""
    judge(stop_when_unwanted, given, answer)


@rows(
    ("it should be down", snapshot(STOPPED, DOWN), SILENT),
    ("it is up", snapshot(READY, UP), SILENT),
    ("there is none", snapshot(WANTED), SILENT),
    (
        "it was stopped on purpose: it is started",
        snapshot(WANTED, DOWN),
        does(Start("m-1"), Reason.STARTING, intent=START),
    ),
    (
        "it was just asked to start",
        snapshot(WANTED.during(operation(START, began=ago(seconds=5), **BEFORE)), DOWN),
        waits(Reason.STARTING),
    ),
    (
        "the start never arrived",
        snapshot(WANTED.during(operation(START, began=ago(seconds=61), **BEFORE)), DOWN),
        does(Start("m-1"), Reason.STARTING),
    ),
    (
        "the start was refused, and its pause is over",
        snapshot(WANTED.during(refused(START, retry_in=0, **BEFORE)), DOWN),
        does(Start("m-1"), Reason.STARTING),
    ),
    (
        "it came up and went down by itself",
        snapshot(
            WANTED.during(operation(START, MONITORING, began=ago(minutes=3), machine_started_at=ago(hours=2))), DOWN
        ),
        is_stuck(Reason.INSTANCE_EXITED, Outcome.EXITED),
    ),
    (
        "it went down by itself",
        snapshot(READY, DOWN),
        is_stuck(Reason.INSTANCE_EXITED, Outcome.EXITED, phase=Phase.EXITED),
    ),
    (
        "it was taken back",
        snapshot(READY, machine(state=MachineState.STOPPED, reclaimed_at=ago(minutes=1))),
        is_stuck(Reason.INSTANCE_EXITED, Outcome.EXITED),
    ),
    (
        "a new token starts it",
        snapshot(READY.asking_restart("now"), DOWN),
        does(Start("m-1"), Reason.STARTING, status=lambda it: it.handled_actions.restart == "now"),
    ),
    (
        "a token that was carried out does not",
        snapshot(READY.asking_restart("now").with_status(handled_actions={"restart": "now"}), DOWN),
        is_stuck(Reason.INSTANCE_EXITED, Outcome.EXITED),
    ),
    (
        "the start that a token asked for is not forgotten",
        snapshot(
            READY.asking_restart("now")
            .with_status(handled_actions={"restart": "now"})
            .during(operation(START, began=ago(seconds=61), token="now", **BEFORE)),
            DOWN,
        ),
        does(Start("m-1"), Reason.STARTING),
    ),
    (
        "a stop was taken back before it was seen to end",
        snapshot(READY.during(operation(STOP, MONITORING, began=ago(seconds=20))), DOWN),
        does(Start("m-1"), Reason.STARTING),
    ),
    (
        "a stop was taken back, and the machine is still on its way down",
        snapshot(READY.during(operation(STOP, MONITORING, began=ago(seconds=2), **BEFORE)), UP),
        waits(Reason.STARTING, phase=Phase.STOPPING),
    ),
    (
        "a stop was taken back, and had no effect",
        snapshot(READY.during(operation(STOP, INITIATED, began=ago(seconds=61), **BEFORE)), UP),
        SILENT,
    ),
)
def test_start_when_wanted(given: Snapshot, answer: Answer | None) -> None:
    """What was stopped on purpose is started; what went down by itself is reported."""
    judge(start_when_wanted, given, answer)


@rows(
    ("nobody asks", snapshot(READY, UP), SILENT),
    ("it is down: that is for another rule", snapshot(TOKEN, DOWN), SILENT),
    ("it is to be down", snapshot(TOKEN.wanting(PowerState.STOPPED), UP), SILENT),
    ("the token was carried out", snapshot(TOKEN.with_status(handled_actions={"restart": "now"}), UP), SILENT),
    ("it is restarted", snapshot(TOKEN, UP), does(Restart("m-1"), Reason.RESTARTING, intent=RESTART)),
    (
        "it was just asked to",
        snapshot(TOKEN.during(operation(RESTART, began=ago(seconds=5), token="now", **BEFORE)), UP),
        waits(Reason.RESTARTING),
    ),
    (
        "the call never arrived",
        snapshot(TOKEN.during(operation(RESTART, began=ago(seconds=61), token="now", **BEFORE)), UP),
        does(Restart("m-1"), Reason.RESTARTING),
    ),
    (
        "it has arrived without an answer: the provider has noted a change since",
        snapshot(
            TOKEN.during(
                operation(RESTART, began=ago(seconds=61), token="now", machine_changed_at=ago(hours=2), **BEFORE)
            ),
            machine(changed_at=ago(seconds=50)),
        ),
        waits(Reason.RESTARTING, status=lambda it: it.handled_actions.restart == "now"),
    ),
    (
        "it has come up since: done",
        snapshot(
            TOKEN.during(operation(RESTART, began=ago(seconds=20), token="now", machine_started_at=ago(hours=2))), UP
        ),
        waits(Reason.RESTARTING, status=lambda it: it.handled_actions.restart == "now"),
    ),
    (
        "accepted, and the provider shows no start time: done",
        snapshot(TOKEN.during(operation(RESTART, MONITORING, began=ago(seconds=61), token="now", **BEFORE)), UP),
        waits(Reason.RESTARTING, status=lambda it: it.handled_actions.restart == "now"),
    ),
    (
        "another token asks again",
        snapshot(TOKEN.during(operation(RESTART, MONITORING, began=ago(seconds=5), token="before", **BEFORE)), UP),
        does(Restart("m-1"), Reason.RESTARTING),
    ),
)
def test_restart_on_token(given: Snapshot, answer: Answer | None) -> None:
    """Each token restarts once."""
    judge(restart_on_token, given, answer)


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [(START, timedelta(minutes=15)), (STOP, timedelta(minutes=10)), (RESTART, timedelta(minutes=15))],
)
def test_a_call_that_is_sent_again_gets_no_time_of_its_own(kind: OperationType, allowed: timedelta) -> None:
    """The deadline counts from the first call, so that an endless repetition is reported in the end."""
    first = operation(kind, began=ago(seconds=61), lasts=allowed, token="now" if kind is RESTART else None, **BEFORE)
    given = {
        START: snapshot(WANTED.during(first.model_copy(update={"generation": 2})), DOWN),
        STOP: snapshot(UNWANTED.during(first.model_copy(update={"generation": 2})), UP),
        RESTART: snapshot(TOKEN.during(first), UP),
    }[kind]
    rule = {START: start_when_wanted, STOP: stop_when_unwanted, RESTART: restart_on_token}[kind]
    decision = rule(given)
    assert decision is not None
    assert decision.action is not None
    assert decision.status.operation is not None
    assert decision.status.operation.id != first.id
    assert decision.status.operation.deadline == first.deadline
