"""What is worth an Event: operations that end and troubles that begin, each once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.api.words import ConditionStatus, ConditionType, OperationPhase, OperationType, Outcome
from gpuinstance.core.news import News, news
from gpuinstance.core.operations import RECOVERY
from tests.builders import ago, instance, operation

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN

PROGRESS = {
    Reason.PENDING,
    Reason.CREATING,
    Reason.STARTING,
    Reason.STOPPING,
    Reason.RESTARTING,
    Reason.RECREATING,
    Reason.REBUILDING,
    Reason.REINSTALLING,
    Reason.REGENERATING_NETWORKING,
    Reason.UPGRADING,
    Reason.APPLYING_CHANGE,
    Reason.HEALTH_CHECKING,
    Reason.TERMINATING,
    Reason.CONFIRMING_CREATE,
}
SETTLED_WELL = {Reason.STOPPED: Outcome.STOPPED, Reason.SUSPENDED: Outcome.SUSPENDED}
NEVER_OF_READY_FALSE = {Reason.READY, Reason.SYNCED, Reason.HEALTHY, Reason.NOT_CHECKED, Reason.DRIFT_DETECTED}
TROUBLE = set(Reason) - PROGRESS - set(SETTLED_WELL) - NEVER_OF_READY_FALSE - {Reason.ADOPTING}


def said(
    ready: ConditionStatus, reason: Reason, *, drift: bool = False, spot: Reason | None = None, **fields: Any
) -> GPUInstanceStatus:
    """Return a status whose Ready condition says this, and which may show drift or an interruption."""
    synced = (ConditionType.SYNCED, FALSE if drift else TRUE, Reason.DRIFT_DETECTED if drift else Reason.SYNCED)
    interruption = ((ConditionType.SPOT_INTERRUPTION, TRUE, spot),) if spot else ()
    told = replace(instance(), conditions=((ConditionType.READY, ready, reason), synced, *interruption))
    if drift:
        fields.setdefault("differences", [{"field": "ports", "wanted": "80/http", "found": "none"}])
    return told.with_status(observed_generation=1, **fields).build().status


MACHINE = {"id": "m-1", "name": "gpui-demo-trainer-4927d28d-1"}
UNSEEN = instance().build().status
READY = said(TRUE, Reason.READY)
STOPPED = said(FALSE, Reason.STOPPED, outcome=Outcome.STOPPED)
LOST = said(FALSE, Reason.INSTANCE_LOST)


@pytest.mark.parametrize("before", [UNSEEN, READY, STOPPED, LOST], ids=["unseen", "ready", "stopped", "lost"])
@pytest.mark.parametrize("reason", sorted(PROGRESS))
def test_progress_is_quiet(before: GPUInstanceStatus, reason: Reason) -> None:
    """The status shows it; an undisturbed creation costs no Event but its last."""
    assert news(before, said(FALSE, reason)) is None


@pytest.mark.parametrize("before", [UNSEEN, READY, STOPPED], ids=["unseen", "ready", "stopped"])
@pytest.mark.parametrize("reason", sorted(TROUBLE))
def test_trouble_is_told_when_it_begins(before: GPUInstanceStatus, reason: Reason) -> None:
    """As a warning, in the words of the condition; and once, however long it lasts."""
    after = said(FALSE, reason)
    assert news(before, after) == News(reason, str(reason), warning=True)
    assert news(after, after) is None


@pytest.mark.parametrize(("reason", "outcome"), SETTLED_WELL.items())
def test_what_has_settled_as_wanted_is_no_warning(reason: Reason, outcome: Outcome) -> None:
    """Somebody asked for it."""
    assert news(READY, said(FALSE, reason, outcome=outcome)) == News(reason, str(reason), warning=False)


def test_a_deletion_ends_with_what_became_of_the_machine() -> None:
    """Whoever pays can read from the Events of a namespace when a machine went, and which it was."""
    before = said(FALSE, Reason.TERMINATING, phase="Terminating", instance=MACHINE)
    told = news(before, said(FALSE, Reason.TERMINATING, phase="Terminated", instance=MACHINE))
    assert told is not None
    assert told.message.endswith(": m-1 (gpui-demo-trainer-4927d28d-1)")


STORIES: dict[str, tuple[GPUInstanceStatus, GPUInstanceStatus, tuple[Reason, bool] | None]] = {
    "nothing changed": (READY, READY, None),
    "a status without a Ready condition says nothing": (READY, UNSEEN, None),
    "it became ready": (said(FALSE, Reason.HEALTH_CHECKING), READY, (Reason.READY, False)),
    "it is ready from the first look on": (UNSEEN, READY, (Reason.READY, False)),
    "it healed": (said(FALSE, Reason.HEALTH_CHECK_FAILED), READY, (Reason.READY, False)),
    "it is ready again after an outage": (said(UNKNOWN, Reason.STALE_OBSERVATION), READY, (Reason.READY, False)),
    "it was not observed for too long": (
        READY,
        said(UNKNOWN, Reason.STALE_OBSERVATION),
        (Reason.STALE_OBSERVATION, True),
    ),
    "one trouble followed another": (
        said(FALSE, Reason.UNAUTHORIZED),
        said(FALSE, Reason.BALANCE_NOT_ENOUGH),
        (Reason.BALANCE_NOT_ENOUGH, True),
    ),
    "the same trouble in other words": (
        said(FALSE, Reason.RATE_LIMITED),
        said(FALSE, Reason.RATE_LIMITED, failed_at=ago()),
        None,
    ),
    "the same reason, no longer unknown but certain": (
        said(UNKNOWN, Reason.PROVIDER_UNAVAILABLE),
        said(FALSE, Reason.PROVIDER_UNAVAILABLE),
        (Reason.PROVIDER_UNAVAILABLE, True),
    ),
    "it exited by itself": (
        READY,
        said(FALSE, Reason.INSTANCE_EXITED, outcome=Outcome.EXITED),
        (Reason.INSTANCE_EXITED, True),
    ),
    "the provider has frozen it: that is not what `suspend` asks for": (
        READY,
        said(FALSE, Reason.INSTANCE_SUSPENDED, outcome=Outcome.SUSPENDED),
        (Reason.INSTANCE_SUSPENDED, True),
    ),
    "somebody changed it at the provider": (READY, said(TRUE, Reason.READY, drift=True), (Reason.DRIFT_DETECTED, True)),
    "the drift is still there": (
        said(TRUE, Reason.READY, drift=True),
        said(TRUE, Reason.READY, drift=True, ready_at=ago()),
        None,
    ),
    "the drift is gone": (said(TRUE, Reason.READY, drift=True), READY, None),
    "a machine is adopted, as asked": (UNSEEN, said(FALSE, Reason.ADOPTING), (Reason.ADOPTING, False)),
    "the drift is another one": (
        said(TRUE, Reason.READY, drift=True),
        said(TRUE, Reason.READY, drift=True, differences=[{"field": "image", "wanted": "a", "found": "b"}]),
        (Reason.DRIFT_DETECTED, True),
    ),
    "the drift was hidden by something else meanwhile": (
        said(TRUE, Reason.READY, differences=[{"field": "ports", "wanted": "80/http", "found": "none"}]),
        said(TRUE, Reason.READY, drift=True),
        None,
    ),
    "it comes to light while the application is being asked": (
        said(FALSE, Reason.ADOPTING),
        said(FALSE, Reason.HEALTH_CHECKING, drift=True),
        (Reason.DRIFT_DETECTED, True),
    ),
    "it comes to light together with trouble: one Event tells both": (
        READY,
        said(FALSE, Reason.HEALTH_CHECK_FAILED, drift=True),
        (Reason.HEALTH_CHECK_FAILED, True),
    ),
    "somebody changed it while nobody could look: the trouble is told, and not its end": (
        said(UNKNOWN, Reason.STALE_OBSERVATION),
        said(TRUE, Reason.READY, drift=True),
        (Reason.DRIFT_DETECTED, True),
    ),
    "the provider announces that it takes the machine back": (
        READY,
        said(TRUE, Reason.READY, spot=Reason.SPOT_RECLAIM_NOTIFIED),
        (Reason.SPOT_RECLAIM_NOTIFIED, True),
    ),
    "it has said so before": (
        said(TRUE, Reason.READY, spot=Reason.SPOT_RECLAIM_NOTIFIED),
        said(TRUE, Reason.READY, spot=Reason.SPOT_RECLAIM_NOTIFIED, drift=False, ready_at=ago()),
        None,
    ),
    "it takes the machine back while it comes up": (
        said(FALSE, Reason.STARTING),
        said(FALSE, Reason.HEALTH_CHECKING, spot=Reason.SPOT_RECLAIMING),
        (Reason.SPOT_RECLAIMING, True),
    ),
    "the object goes, and its machine has gone before it": (
        said(FALSE, Reason.TERMINATING, phase="Terminating", instance=MACHINE),
        said(FALSE, Reason.TERMINATING, phase="Terminated", instance=MACHINE),
        (Reason.TERMINATING, False),
    ),
    "the object goes, and never had a machine": (
        said(FALSE, Reason.TERMINATING, phase="Terminating"),
        said(FALSE, Reason.TERMINATING, phase="Terminated"),
        None,
    ),
    "it goes still": (
        said(FALSE, Reason.TERMINATING, phase="Terminated", instance=MACHINE),
        said(FALSE, Reason.TERMINATING, phase="Terminated", instance=MACHINE, terminated_at=ago()),
        None,
    ),
    "what drifted was ready, unready and is ready again": (
        said(FALSE, Reason.HEALTH_CHECK_FAILED, drift=True),
        said(TRUE, Reason.READY, drift=True),
        (Reason.READY, False),
    ),
}


@pytest.mark.parametrize(("before", "after", "expected"), STORIES.values(), ids=STORIES)
def test_each_transition_is_told_once_or_not_at_all(
    before: GPUInstanceStatus, after: GPUInstanceStatus, expected: tuple[Reason, bool] | None
) -> None:
    """The row names the reason of the Event and whether it is a warning."""
    told = news(before, after)
    assert (told and (told.reason, told.warning)) == expected


def became_ready(kind: OperationType, *, ended_ago: timedelta = timedelta(), **machine: Any) -> str:
    """Return what is told when a machine becomes ready; `ago(hours=1)` is when the condition changes."""
    ended = ago(hours=1) - ended_ago
    done = operation(kind, OperationPhase.COMPLETED, began=ended - timedelta(seconds=95))
    done = done.model_copy(update={"phases": done.phases.model_copy(update={"completed_at": ended})})
    recorded = {"id": "m-1", "name": "gpui-default-trainer-943a2f83-1", "product_name": "RTX 4090"} | machine
    told = news(said(FALSE, Reason.HEALTH_CHECKING), said(TRUE, Reason.READY, last_operation=done, instance=recorded))
    assert told is not None
    return told.message


def test_a_purchase_that_ended_well_is_told_in_one_sentence() -> None:
    """Machine, product, place, price and duration: what the bill will say."""
    assert became_ready(OperationType.CREATE, region="US-CA-06", hourly_price="0.35") == (
        "bought machine m-1: RTX 4090 in US-CA-06 at 0.35 USD/h, ready after 95 s"
    )
    assert became_ready(OperationType.CREATE) == "bought machine m-1: RTX 4090, ready after 95 s"


@pytest.mark.parametrize("kind", [OperationType.START, OperationType.RESTART, OperationType.CHANGE])
def test_another_operation_is_told_with_its_duration(kind: OperationType) -> None:
    """Which, of which machine, and how long it took."""
    assert became_ready(kind) == f"{kind} of machine m-1 completed after 95 s: Ready"


def test_an_operation_that_ended_long_ago_is_not_told_again() -> None:
    """Becoming healthy again is not the end of the purchase."""
    assert became_ready(OperationType.CREATE, ended_ago=timedelta(minutes=5)) == "Ready"


def test_each_attempt_of_a_recovery_is_told_as_it_begins() -> None:
    """Nobody asked for it, and it may cost data or money: a warning, once for each attempt."""

    def recovering(token: str, attempts: int) -> GPUInstanceStatus:
        restart = operation(OperationType.RESTART, token=token)
        return said(FALSE, Reason.RESTARTING, operation=restart, recovery_attempts=attempts)

    unhealthy = said(FALSE, Reason.HEALTH_CHECK_FAILED)
    first, second = recovering(f"{RECOVERY}1", 1), recovering(f"{RECOVERY}2", 2)
    assert news(unhealthy, first) == News(Reason.RECOVERING, "spec.recovery, attempt 1: Restarting", warning=True)
    assert news(first, said(FALSE, Reason.STARTING, operation=first.operation, recovery_attempts=1)) is None
    again = news(said(FALSE, Reason.HEALTH_CHECKING, operation=first.operation), second)
    assert again is not None
    assert again.message.startswith("spec.recovery, attempt 2: ")
    assert news(unhealthy, recovering("asked-by-a-person", 0)) is None


def test_trouble_does_not_hide_a_difference() -> None:
    """What comes to light in the same write is told in the same Event: later it would be no news any more."""
    told = news(READY, said(FALSE, Reason.HEALTH_CHECK_FAILED, drift=True))
    assert told is not None
    assert told.message == "HealthCheckFailed; ports is none, not 80/http"
