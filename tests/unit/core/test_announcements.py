"""What is told outside: each step of a life once, in order, and nothing of what is merely tried again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gpuinstance.api.notifications import NotificationEvent as It
from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import GPUInstanceStatus, InstanceStatus, OperationError
from gpuinstance.api.words import (
    ConditionStatus,
    ConditionType,
    ErrorCategory,
    OperationPhase,
    OperationType,
    Outcome,
    Phase,
)
from gpuinstance.core.announcements import announcements, farewell
from gpuinstance.core.operations import RECOVERY
from tests.builders import instance, operation

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
MACHINE = InstanceStatus(id="m-1", name="gpui-default-trainer-943a2f83-1", hourly_price="0.35")
INTENDED = InstanceStatus(name=MACHINE.name)
CREATE = operation(OperationType.CREATE, OperationPhase.INITIATED)
START = operation(OperationType.START, OperationPhase.INITIATED)
STOP = operation(OperationType.STOP, OperationPhase.INITIATED)


def said(
    ready: ConditionStatus, reason: Reason, phase: Phase, *, spot: Reason | None = None, **fields: Any
) -> GPUInstanceStatus:
    interruption = ((ConditionType.SPOT_INTERRUPTION, TRUE, spot),) if spot else ()
    told = replace(instance(), conditions=((ConditionType.READY, ready, reason), *interruption))
    return told.with_status(observed_generation=1, phase=phase, **fields).build().status


def failing(kind: OperationType, code: Reason, failures: int = 1) -> Any:
    error = OperationError(code=code, category=ErrorCategory.RETRYABLE, retryable=True, message="a provider's words")
    return operation(kind, OperationPhase.FAILED).model_copy(update={"error": error, "failures": failures})


NEW = instance().build().status
PENDING = said(FALSE, Reason.PENDING, Phase.PENDING)
INTENT = said(FALSE, Reason.CREATING, Phase.CREATING, operation=CREATE, instance=INTENDED)
BOUGHT = said(
    FALSE,
    Reason.CREATING,
    Phase.CREATED,
    operation=operation(OperationType.CREATE, OperationPhase.MONITORING),
    instance=MACHINE,
)
CHECKING = said(
    FALSE,
    Reason.HEALTH_CHECKING,
    Phase.HEALTH_CHECKING,
    operation=operation(OperationType.CREATE, OperationPhase.HEALTH_CHECKING),
    instance=MACHINE,
)
READY = said(TRUE, Reason.READY, Phase.READY, outcome=Outcome.READY, instance=MACHINE)
STOPPING = said(FALSE, Reason.STOPPING, Phase.STOPPING, operation=STOP, instance=MACHINE)
STOPPED = said(FALSE, Reason.STOPPED, Phase.STOPPED, outcome=Outcome.STOPPED, instance=MACHINE)
STARTING = said(FALSE, Reason.STARTING, Phase.STARTING, operation=START, instance=MACHINE)
CHANGING = said(
    FALSE,
    Reason.APPLYING_CHANGE,
    Phase.RUNNING,
    operation=operation(OperationType.CHANGE, OperationPhase.INITIATED),
    instance=MACHINE,
)
SICK = said(FALSE, Reason.HEALTH_CHECK_FAILED, Phase.HEALTH_CHECKING, instance=MACHINE)
STALE = said(UNKNOWN, Reason.STALE_OBSERVATION, Phase.RUNNING, instance=MACHINE)
LOST = said(FALSE, Reason.INSTANCE_LOST, Phase.TERMINATED, outcome=Outcome.FAILED, instance=MACHINE)
EXITED = said(FALSE, Reason.INSTANCE_EXITED, Phase.EXITED, outcome=Outcome.EXITED, instance=MACHINE)
NO_STOCK = said(
    FALSE,
    Reason.INSUFFICIENT_RESOURCE,
    Phase.PENDING,
    operation=failing(OperationType.CREATE, Reason.INSUFFICIENT_RESOURCE),
)
AGAIN = said(
    FALSE, Reason.CREATING, Phase.CREATING, operation=CREATE.model_copy(update={"id": "create-2", "failures": 1})
)
NO_STOCK_AGAIN = said(
    FALSE,
    Reason.INSUFFICIENT_RESOURCE,
    Phase.PENDING,
    operation=failing(OperationType.CREATE, Reason.INSUFFICIENT_RESOURCE, 2),
)
TOO_LATE = said(
    FALSE,
    Reason.START_TIMED_OUT,
    Phase.FAILED,
    outcome=Outcome.FAILED,
    operation=failing(OperationType.START, Reason.START_TIMED_OUT),
    instance=MACHINE,
)
NEVER_HEALTHY = said(
    FALSE,
    Reason.HEALTH_CHECK_FAILED,
    Phase.FAILED,
    outcome=Outcome.FAILED,
    operation=operation(OperationType.CREATE, OperationPhase.HEALTH_CHECKING),
    instance=MACHINE,
)
NO_PRODUCT = said(FALSE, Reason.PRODUCT_NOT_FOUND, Phase.FAILED, outcome=Outcome.FAILED)
RECOVERING = said(
    FALSE,
    Reason.RECOVERING,
    Phase.STARTING,
    operation=operation(OperationType.RESTART, OperationPhase.INITIATED).model_copy(update={"token": f"{RECOVERY}1"}),
    instance=MACHINE,
)
NOTIFIED = said(
    TRUE,
    Reason.READY,
    Phase.READY,
    outcome=Outcome.READY,
    instance=MACHINE,
    spot=Reason.SPOT_RECLAIM_NOTIFIED,
)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(NEW, PENDING, [], id="seen for the first time"),
        pytest.param(PENDING, INTENT, [It.INSTANCE_STARTUP_INITIATED], id="the intent to buy"),
        pytest.param(INTENT, BOUGHT, [It.INSTANCE_CREATED], id="bought"),
        pytest.param(BOUGHT, CHECKING, [It.INSTANCE_HEALTH_CHECKING], id="it runs"),
        pytest.param(CHECKING, READY, [It.INSTANCE_READY], id="it serves"),
        pytest.param(READY, STOPPING, [], id="a stop begins"),
        pytest.param(STOPPING, STOPPED, [It.INSTANCE_STOPPED], id="it is down"),
        pytest.param(STOPPED, STARTING, [It.INSTANCE_STARTUP_INITIATED], id="a start begins"),
        pytest.param(STARTING, READY, [It.INSTANCE_READY], id="it is up again"),
        pytest.param(STARTING, TOO_LATE, [It.INSTANCE_STARTUP_TIMEOUT], id="it did not come up"),
        pytest.param(CHECKING, NEVER_HEALTHY, [It.INSTANCE_STARTUP_TIMEOUT], id="it never served"),
        pytest.param(NEVER_HEALTHY, READY, [It.INSTANCE_READY], id="it healed"),
        pytest.param(INTENT, NO_STOCK, [It.INSTANCE_STARTUP_FAILED], id="refused"),
        pytest.param(NO_STOCK, AGAIN, [], id="tried again"),
        pytest.param(AGAIN, NO_STOCK_AGAIN, [], id="refused again"),
        pytest.param(AGAIN, BOUGHT, [It.INSTANCE_CREATED], id="bought after all"),
        pytest.param(PENDING, NO_PRODUCT, [It.INSTANCE_FAILED], id="impossible"),
        pytest.param(NO_PRODUCT, NO_PRODUCT, [], id="still impossible"),
        pytest.param(READY, CHANGING, [], id="a change of a running machine"),
        pytest.param(CHANGING, READY, [It.INSTANCE_READY], id="changed"),
        pytest.param(READY, SICK, [It.INSTANCE_UNHEALTHY], id="sick"),
        pytest.param(SICK, READY, [It.INSTANCE_READY], id="healed"),
        pytest.param(READY, STALE, [It.INSTANCE_UNOBSERVED], id="out of sight"),
        pytest.param(READY, LOST, [It.INSTANCE_LOST], id="lost"),
        pytest.param(READY, EXITED, [It.INSTANCE_EXITED], id="down by itself"),
        pytest.param(
            SICK, RECOVERING, [It.INSTANCE_RECOVERING, It.INSTANCE_STARTUP_INITIATED], id="helped by the operator"
        ),
        pytest.param(READY, NOTIFIED, [It.INSTANCE_SPOT_NOTICE], id="a spot notice"),
        pytest.param(NOTIFIED, NOTIFIED, [], id="the same notice"),
        pytest.param(PENDING, BOUGHT, [It.INSTANCE_CREATED], id="found after its intent was lost"),
        pytest.param(
            PENDING,
            said(TRUE, Reason.READY, Phase.READY, outcome=Outcome.READY, instance=MACHINE),
            [It.INSTANCE_ADOPTED, It.INSTANCE_READY],
            id="adopted, and ready",
        ),
        pytest.param(INTENT, CHECKING, [It.INSTANCE_CREATED, It.INSTANCE_HEALTH_CHECKING], id="two steps at once"),
    ],
)
def test_each_step_is_told_once(before: GPUInstanceStatus, after: GPUInstanceStatus, told: list[It]) -> None:
    """In the order in which one follows from the other; and nothing while nothing happens."""
    assert [it.event for it in announcements(before, after)] == told
    assert announcements(after, after) == ()


def test_facts_are_those_of_the_moment() -> None:
    """Phases, reason, operation, machine and price; no words of a provider, and no addresses."""
    (bought,) = announcements(INTENT, BOUGHT)
    assert bought.facts.model_dump(exclude_none=True) == {
        "generation": 1,
        "phase": "Created",
        "previous_phase": "Creating",
        "reason": "Creating",
        "operation": {"id": CREATE.id, "type": "Create", "attempt": 1},
        "machine_id": "m-1",
        "hourly_price": "0.35",
    }
    (refused,) = announcements(INTENT, NO_STOCK)
    assert "a provider's words" not in refused.facts.model_dump_json()


def test_a_spot_notice_says_which() -> None:
    """Its reason is that of the interruption, and not that of Ready."""
    (notice,) = announcements(READY, NOTIFIED)
    assert notice.facts.reason == "SpotReclaimNotified"


def test_the_last_word_is_that_it_is_gone() -> None:
    """Whatever the status says."""
    gone = said(FALSE, Reason.TERMINATING, Phase.TERMINATED, instance=MACHINE)
    last = farewell(READY, gone)
    assert (last.event, last.facts.phase, last.facts.machine_id) == (It.INSTANCE_DELETED, "Terminated", "m-1")
