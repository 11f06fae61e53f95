"""How operations end and how calls without an answer are resolved, read off two statuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import GPUInstanceStatus, InstanceStatus, Operation, OperationError, OperationTimes
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus, UpgradeCall
from gpuinstance.api.upgrade_words import CallPhase, CallType, UpgradeOutcome
from gpuinstance.api.words import ErrorCategory, OperationPhase, OperationType
from gpuinstance.core.endings import (
    Ending,
    Resolution,
    Result,
    became_unknown,
    ending,
    resolution,
    upgrade_became_unknown,
    upgrade_resolution,
)

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
UNKNOWN = OperationError(
    code=Reason.UNKNOWN_OUTCOME, category=ErrorCategory.UNKNOWN_OUTCOME, retryable=False, message="no answer"
)
REFUSED = OperationError(code=Reason.RATE_LIMITED, category=ErrorCategory.RETRYABLE, retryable=True, message="later")
LATE = OperationError(
    code=Reason.START_TIMED_OUT, category=ErrorCategory.NEEDS_PERSON, retryable=False, message="too late"
)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def operation(
    kind: OperationType = OperationType.CREATE,
    phase: OperationPhase = OperationPhase.INITIATED,
    *,
    number: int = 1,
    ended: float | None = None,
    deadline: float = 900,
    **more: Any,
) -> Operation:
    end = {"completed": "completed_at", "failed": "failed_at"}.get(phase)
    times = {end: after(ended)} if end and ended is not None else {}
    return Operation(
        id=f"{kind}-{number}",
        type=kind,
        attempt=number,
        phase=phase,
        generation=1,
        started_at=after(60 * (number - 1)),
        deadline=after(deadline),
        phases=OperationTimes(**times),
        **more,
    )


def status(running: Operation | None = None, last: Operation | None = None, machine: str | None = None) -> Any:
    instance = InstanceStatus(name="gpui-a-x-1", id=machine)
    return GPUInstanceStatus(operation=running, last_operation=last, instance=instance)


CREATE, START_IT, DELETE = OperationType.CREATE, OperationType.START, OperationType.DELETE
MONITORING, COMPLETED, FAILED = OperationPhase.MONITORING, OperationPhase.COMPLETED, OperationPhase.FAILED

ENDINGS: dict[str, tuple[Any, Any, Ending | None]] = {
    "nothing was going on": (status(), status(), None),
    "it goes on": (status(operation()), status(operation(phase=MONITORING)), None),
    "it was completed": (
        status(operation(phase=MONITORING)),
        status(last=operation(phase=COMPLETED, ended=42)),
        Ending("Create", Result.COMPLETED, 42),
    ),
    "it was completed, and the next began at once": (
        status(operation(phase=MONITORING)),
        status(operation(START_IT, number=2), last=operation(phase=COMPLETED, ended=42)),
        Ending("Create", Result.COMPLETED, 42),
    ),
    "it was refused": (
        status(operation()),
        status(operation(phase=FAILED, ended=3, error=REFUSED)),
        Ending("Create", Result.FAILED, 3),
    ),
    "it ran out of time": (
        status(operation(START_IT, MONITORING)),
        status(operation(START_IT, FAILED, ended=900, error=LATE)),
        Ending("Start", Result.FAILED, 900),
    ),
    "it had failed before": (status(operation(phase=FAILED, ended=3)), status(operation(number=2)), None),
    "it was put away as failed": (
        status(operation(OperationType.REINSTALL, MONITORING)),
        status(last=operation(OperationType.REINSTALL, FAILED, ended=70)),
        Ending("Reinstall", Result.FAILED, 70),
    ),
    "somebody deleted the object": (
        status(operation(phase=MONITORING)),
        status(operation(DELETE, number=2), last=operation(phase=MONITORING)),
        Ending("Create", Result.SUPERSEDED, 60),
    ),
    "the old machine is gone, and a new one is bought": (
        status(operation(OperationType.RECREATE, MONITORING)),
        status(operation(number=2), last=operation(OperationType.RECREATE, MONITORING)),
        Ending("Recreate", Result.COMPLETED, 60),
    ),
    "a purchase had no effect and is made again": (status(operation()), status(operation(number=2)), None),
    "a call had no effect and is made again": (
        status(operation(START_IT)),
        status(operation(START_IT, number=2)),
        None,
    ),
    "a further token asks for another restart": (
        status(operation(OperationType.RESTART, MONITORING)),
        status(operation(OperationType.RESTART, number=2, deadline=1800)),
        Ending("Restart", Result.SUPERSEDED, 60),
    ),
}


@pytest.mark.parametrize("what", ENDINGS)
def test_how_an_operation_ends(what: str) -> None:
    """Each end is counted once, with the time since the intent."""
    old, new, expected = ENDINGS[what]
    assert ending(old, new) == expected


LOST = operation(error=UNKNOWN)
LOST_START = operation(START_IT, error=UNKNOWN)
RESOLUTIONS: dict[str, tuple[Any, Any, tuple[str, Resolution] | None]] = {
    "it had an answer": (status(operation()), status(operation(phase=MONITORING)), None),
    "it is still looked for": (status(LOST), status(LOST), None),
    "its machine was found": (
        status(LOST),
        status(operation(phase=MONITORING), machine="m-1"),
        ("Create", Resolution.FOUND),
    ),
    "it is up, and Ready, at once": (
        status(LOST),
        status(last=operation(phase=COMPLETED, ended=60), machine="m-1"),
        ("Create", Resolution.FOUND),
    ),
    "it surely had no effect": (status(LOST), status(operation(number=2)), ("Create", Resolution.REPEATED)),
    "it surely had none, and the object may go": (
        status(LOST),
        status(last=operation(phase=COMPLETED, ended=60)),
        ("Create", Resolution.NOT_FOUND),
    ),
    "its machine was found, and is removed": (
        status(LOST),
        status(operation(DELETE, number=2), last=LOST),
        ("Create", Resolution.FOUND),
    ),
    "a start that no longer matters": (
        status(LOST_START),
        status(operation(OperationType.STOP, number=2), last=LOST_START),
        ("Start", Resolution.SUPERSEDED),
    ),
    "a start of what is deleted now": (
        status(LOST_START),
        status(operation(DELETE, number=2), last=LOST_START),
        ("Start", Resolution.SUPERSEDED),
    ),
    "nobody found out in time": (
        status(LOST_START),
        status(operation(START_IT, FAILED, ended=900, error=LATE)),
        ("Start", Resolution.GIVEN_UP),
    ),
}


@pytest.mark.parametrize("what", RESOLUTIONS)
def test_what_became_of_a_call_without_an_answer(what: str) -> None:
    """It is told once, when it is known."""
    old, new, expected = RESOLUTIONS[what]
    assert resolution(old, new) == expected
    assert resolution(new, new) is None


def test_a_call_becomes_unknown_once() -> None:
    """When that is noted first, and not again while it stays so."""
    assert became_unknown(status(operation()), status(LOST)) == "Create"
    assert became_unknown(status(LOST), status(LOST)) is None
    assert became_unknown(status(LOST), status(operation(number=2, error=UNKNOWN))) == "Create"
    assert became_unknown(status(operation()), status(operation(phase=MONITORING))) is None


def call(kind: CallType = CallType.ORDER, phase: CallPhase = CallPhase.INITIATED, number: int = 1, **more: Any) -> Any:
    return UpgradeCall(id=f"{kind}-{number}", type=kind, phase=phase, attempt=number, started_at=START, **more)


def upgrade(running: Any = None, outcome: UpgradeOutcome | None = None) -> InstanceUpgradeStatus:
    return InstanceUpgradeStatus(call=running, outcome=outcome, completed_at=after(60) if outcome else None)


LOST_ORDER = call(error=UNKNOWN)
OF_UPGRADES: dict[str, tuple[Any, Any, tuple[str, Resolution] | None]] = {
    "it had an answer": (upgrade(call()), upgrade(call(phase=CallPhase.ACCEPTED)), None),
    "it is still looked for": (upgrade(LOST_ORDER), upgrade(LOST_ORDER), None),
    "the order is shown": (
        upgrade(LOST_ORDER),
        upgrade(call(phase=CallPhase.ACCEPTED)),
        ("Order", Resolution.FOUND),
    ),
    "it surely had no effect": (upgrade(LOST_ORDER), upgrade(call(number=2)), ("Order", Resolution.REPEATED)),
    "another step came first": (
        upgrade(call(CallType.CONFIRM, error=UNKNOWN)),
        upgrade(call(CallType.REVERT)),
        ("Confirm", Resolution.SUPERSEDED),
    ),
    "it ended well": (
        upgrade(call(CallType.CONFIRM, error=UNKNOWN)),
        upgrade(call(CallType.CONFIRM, error=UNKNOWN), UpgradeOutcome.SUCCEEDED),
        ("Confirm", Resolution.FOUND),
    ),
    "it ended without being found out": (
        upgrade(LOST_ORDER),
        upgrade(LOST_ORDER, UpgradeOutcome.FAILED),
        ("Order", Resolution.GIVEN_UP),
    ),
}


@pytest.mark.parametrize("what", OF_UPGRADES)
def test_what_became_of_a_step_without_an_answer(what: str) -> None:
    """The same holds for the steps of an upgrade."""
    old, new, expected = OF_UPGRADES[what]
    assert upgrade_resolution(old, new) == expected
    assert upgrade_resolution(new, new) is None


def test_a_step_becomes_unknown_once() -> None:
    """When that is noted first."""
    assert upgrade_became_unknown(upgrade(call()), upgrade(LOST_ORDER)) == "Order"
    assert upgrade_became_unknown(upgrade(LOST_ORDER), upgrade(LOST_ORDER)) is None
    assert upgrade_became_unknown(upgrade(), upgrade()) is None
