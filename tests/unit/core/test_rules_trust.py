"""Trust: what may be believed and touched at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import (
    BillingMode,
    ConditionStatus,
    OperationPhase,
    OperationType,
    Outcome,
    Phase,
    PowerState,
)
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import Stop
from gpuinstance.core.model import MachineState
from gpuinstance.core.rules.trust import (
    back_off_after_failure,
    leave_resized_machine,
    leave_suspended_machine,
    stall_on_impossible_spec,
    stay_idle_when_blind,
    stay_idle_when_suspended,
)
from gpuinstance.core.snapshot import Snapshot
from tests.builders import NOW, ago, blind_snapshot, instance, machine, operation, refused, snapshot
from tests.unit.core.table import SILENT, Answer, is_stuck, judge, rows, settles, waits

READY = instance().running()
UNKNOWN = ConditionStatus.UNKNOWN


@rows(
    ("a provider that is seen is believed", snapshot(READY, machine()), SILENT),
    ("Ready is kept for a while", blind_snapshot(READY), settles(Reason.READY, Outcome.READY)),
    (
        "until the last look is too old",
        blind_snapshot(READY, last_seen_at=ago(minutes=6)),
        Answer(Reason.STALE_OBSERVATION, UNKNOWN, "Reconciling"),
    ),
    (
        "Ready of an older generation is not kept",
        blind_snapshot(READY.edited(gpu_count=2)),
        Answer(Reason.PROVIDER_UNAVAILABLE, UNKNOWN, "Reconciling"),
    ),
    (
        "nor that of an object that is being deleted",
        blind_snapshot(READY.deleting()),
        Answer(Reason.PROVIDER_UNAVAILABLE, UNKNOWN, "Reconciling", phase=Phase.TERMINATING),
    ),
    ("a new object waits", blind_snapshot(instance()), waits(Reason.PROVIDER_UNAVAILABLE, phase=Phase.PENDING)),
    (
        "a refused key needs a person",
        blind_snapshot(instance(), reason=Reason.UNAUTHORIZED, needs_person=True),
        is_stuck(Reason.UNAUTHORIZED),
    ),
    (
        "a refused key does not take Ready back at once: the provider may be mistaken for a moment",
        blind_snapshot(READY, reason=Reason.UNAUTHORIZED, needs_person=True),
        settles(Reason.READY, Outcome.READY),
    ),
    (
        "a missing key does: somebody took it away",
        blind_snapshot(READY, reason=Reason.CREDENTIALS_UNAVAILABLE, needs_person=True),
        is_stuck(Reason.CREDENTIALS_UNAVAILABLE, phase=Phase.RUNNING),
    ),
    (
        "a Secret that cannot be read is an outage like any other",
        blind_snapshot(READY, reason=Reason.CREDENTIALS_UNAVAILABLE),
        settles(Reason.READY, Outcome.READY),
    ),
    (
        "blindness in the midst of a deletion keeps the finalizer, and notes that something may exist",
        blind_snapshot(instance().deleting()),
        waits(Reason.PROVIDER_UNAVAILABLE, status=lambda status: status.instance is not None),
    ),
)
def test_stay_idle_when_blind(given: Snapshot, answer: Answer | None) -> None:
    """Blind means idle, and says so."""
    judge(stay_idle_when_blind, given, answer)


def test_blindness_shows_in_synced() -> None:
    """Ready is kept, but Synced says at once that the provider cannot be seen."""
    decision = stay_idle_when_blind(blind_snapshot(READY))
    assert decision is not None
    synced = decision.status.condition("Synced")
    assert synced is not None
    assert (synced.status, synced.reason) == (ConditionStatus.FALSE, Reason.PROVIDER_UNAVAILABLE)


@pytest.mark.parametrize(("seconds", "words"), [(10, "10 s"), (90, "90 s"), (300, "5 min"), (420, "7 min")])
def test_how_long_nothing_was_seen_is_told_in_words(seconds: int, words: str) -> None:
    """Whatever the settings make of it, it reads like a time."""
    old = blind_snapshot(READY, last_seen_at=ago(hours=1))
    limits = replace(old.limits, stale_after=timedelta(seconds=seconds))
    decision = stay_idle_when_blind(replace(old, limits=limits))
    assert decision is not None
    ready = decision.status.condition("Ready")
    assert ready is not None
    assert f"could not be observed for {words}: " in ready.message


@rows(
    ("an object that is not suspended is worked on", snapshot(READY, machine()), SILENT),
    ("a ready one stays Ready", snapshot(READY.suspended(), machine()), settles(Reason.READY, Outcome.READY)),
    (
        "a ready one whose spec was changed is not what was asked for",
        snapshot(READY.edited(image="other:2").suspended(), machine()),
        settles(Reason.SUSPENDED, Outcome.SUSPENDED),
    ),
    (
        "a ready one that should be down is not Ready",
        snapshot(READY.edited(power_state=PowerState.STOPPED).suspended(), machine()),
        settles(Reason.SUSPENDED, Outcome.SUSPENDED),
    ),
    (
        "one whose machine went down is not Ready",
        snapshot(READY.suspended(), machine(state=MachineState.STOPPED)),
        settles(Reason.SUSPENDED, Outcome.SUSPENDED),
    ),
    ("a new one waits for its release", snapshot(instance().suspended()), settles(Reason.SUSPENDED, Outcome.SUSPENDED)),
    (
        "one in the midst of a create keeps its intent",
        snapshot(instance().creating().suspended()),
        settles(Reason.SUSPENDED, Outcome.SUSPENDED, intent=OperationType.CREATE),
    ),
)
def test_stay_idle_when_suspended(given: Snapshot, answer: Answer | None) -> None:
    """With spec.suspend the operator looks and tells, and touches nothing."""
    judge(stay_idle_when_suspended, given, answer)


def test_suspension_shows_as_paused() -> None:
    """A suspended object carries the condition Paused."""
    decision = stay_idle_when_suspended(snapshot(READY.suspended(), machine()))
    assert decision is not None
    assert decision.status.condition("Paused") is not None


@rows(
    ("what the provider can do is done", snapshot(instance()), SILENT),
    (
        "a billing mode that it does not offer",
        snapshot(instance(), limits={"billing_modes": frozenset({BillingMode.MONTHLY})}),
        is_stuck(Reason.UNSUPPORTED_BY_PROVIDER),
    ),
    (
        "more GPUs than fit into a machine",
        snapshot(instance().with_spec(gpu_count=8), limits={"max_gpu_count": 4}),
        is_stuck(Reason.UNSUPPORTED_BY_PROVIDER),
    ),
    (
        "a larger disk than there is",
        snapshot(instance().with_spec(rootfs_size_gb=1000), limits={"max_rootfs_gb": 500}),
        is_stuck(Reason.UNSUPPORTED_BY_PROVIDER),
    ),
    (
        "stopping is always possible",
        snapshot(READY.edited(gpu_count=8, power_state=PowerState.STOPPED), machine(), limits={"max_gpu_count": 4}),
        SILENT,
    ),
)
def test_stall_on_impossible_spec(given: Snapshot, answer: Answer | None) -> None:
    """What can never be is refused before anything is bought; it never keeps a machine running."""
    judge(stall_on_impossible_spec, given, answer)


@rows(
    (
        "a frozen machine is left alone",
        snapshot(READY, machine(state=MachineState.SUSPENDED)),
        is_stuck(Reason.INSTANCE_SUSPENDED),
    ),
    ("any other is not", snapshot(READY, machine()), SILENT),
    ("nor is one that does not exist", snapshot(READY), SILENT),
)
def test_leave_suspended_machine(given: Snapshot, answer: Answer | None) -> None:
    """A machine that the provider has frozen is a matter for a person."""
    judge(leave_suspended_machine, given, answer)


LATE = operation(OperationType.START, OperationPhase.MONITORING, began=ago(hours=2))


@rows(
    (
        "somebody resizes it: wait, however long it takes",
        snapshot(READY.during(LATE), machine(state=MachineState.RESIZING)),
        waits(Reason.RESIZING, phase=Phase.UPGRADING, intent=OperationType.START),
    ),
    (
        "somebody has resized it: a person has to say whether it stays so",
        snapshot(READY, machine(state=MachineState.RESIZED)),
        is_stuck(Reason.RESIZE_UNCONFIRMED, phase=Phase.UPGRADING),
    ),
    (
        "also one that should be down",
        snapshot(READY.edited(power_state=PowerState.STOPPED), machine(state=MachineState.RESIZED)),
        is_stuck(Reason.RESIZE_UNCONFIRMED),
    ),
    ("any other is not waited for", snapshot(READY, machine()), SILENT),
    ("nor is one that does not exist", snapshot(READY), SILENT),
)
def test_leave_resized_machine(given: Snapshot, answer: Answer | None) -> None:
    """What somebody does to a machine's plan at the provider is looked at, told, and never touched."""
    judge(leave_resized_machine, given, answer)


BUYING = instance().creating()
EXPIRED = READY.with_spec(expiry={"ttl": "8h"}).with_status(created_at=ago(hours=9))
NO_KEY = BUYING.during(refused(OperationType.CREATE, Reason.UNAUTHORIZED, retryable=False, retry_in=600))


@rows(
    ("nothing has failed", snapshot(BUYING), SILENT),
    (
        "a refusal pauses",
        snapshot(BUYING.during(refused(OperationType.CREATE))),
        waits(Reason.RATE_LIMITED),
    ),
    (
        "a refusal that needs a person stalls",
        snapshot(BUYING.during(refused(OperationType.CREATE, retryable=False))),
        is_stuck(Reason.RATE_LIMITED),
    ),
    ("its time has come", snapshot(BUYING.during(refused(OperationType.CREATE, retry_in=0))), SILENT),
    (
        "the spec was changed: it is tried at once",
        snapshot(BUYING.edited(image="other:2").during(refused(OperationType.CREATE))),
        SILENT,
    ),
    (
        "an unanswered create has not failed",
        snapshot(BUYING.during(refused(OperationType.CREATE).model_copy(update={"phase": OperationPhase.INITIATED}))),
        SILENT,
    ),
    (
        "a refused key pauses",
        snapshot(NO_KEY, key_changed_at=ago(hours=1)),
        is_stuck(Reason.UNAUTHORIZED),
    ),
    ("until there is another one", snapshot(NO_KEY, key_changed_at=NOW), SILENT),
    (
        "another key helps nothing that was refused for another reason",
        snapshot(BUYING.during(refused(OperationType.CREATE, retryable=False)), key_changed_at=NOW),
        is_stuck(Reason.RATE_LIMITED),
    ),
    (
        "a refused create that bought a machine all the same is over",
        snapshot(BUYING.during(refused(OperationType.CREATE)), machine()),
        SILENT,
    ),
    (
        "a refused start of a machine that runs by now is over",
        snapshot(instance().with_machine().during(refused(OperationType.START)), machine()),
        SILENT,
    ),
    (
        "a refused start that nobody wants any more is over",
        snapshot(
            instance().with_machine().wanting(PowerState.STOPPED).during(refused(OperationType.START)),
            machine(state=MachineState.STOPPED),
        ),
        SILENT,
    ),
    (
        "a refused start of a machine that is down pauses",
        snapshot(instance().with_machine().during(refused(OperationType.START)), machine(state=MachineState.STOPPED)),
        waits(Reason.RATE_LIMITED, phase=Phase.STOPPED),
    ),
    (
        "a refused stop of a machine that is down by now is over",
        snapshot(
            instance().with_machine().wanting(PowerState.STOPPED).during(refused(OperationType.STOP)),
            machine(state=MachineState.STOPPED),
        ),
        SILENT,
    ),
    (
        "a refused rebuild of a running machine pauses",
        snapshot(instance().with_machine().during(refused(OperationType.REBUILD)), machine()),
        waits(Reason.RATE_LIMITED),
    ),
    (
        "one that took too long, and came up all the same, is over",
        snapshot(
            instance()
            .with_machine()
            .during(refused(OperationType.REBUILD, retryable=False, phases={"monitoring_at": ago(hours=1)})),
            machine(),
        ),
        SILENT,
    ),
    *(
        (
            f"a refused {kind} of a machine that has served is over: it is stopped at once",
            snapshot(EXPIRED.during(refused(kind)), machine()),
            SILENT,
        )
        for kind in (OperationType.CHANGE, OperationType.RESTART, OperationType.RECREATE, OperationType.REBUILD)
    ),
    (
        "a refused stop of one pauses",
        snapshot(EXPIRED.during(refused(OperationType.STOP)), machine()),
        waits(Reason.RATE_LIMITED, phase=Phase.STOPPING),
    ),
    (
        "a refused change of a machine that is gone is over",
        snapshot(instance().with_machine().during(refused(OperationType.CHANGE))),
        SILENT,
    ),
)
def test_back_off_after_failure(given: Snapshot, answer: Answer | None) -> None:
    """A refusal is respected for its pause, and no longer than it matters."""
    judge(back_off_after_failure, given, answer)


@pytest.mark.parametrize("kind", [OperationType.CHANGE, OperationType.RESTART, OperationType.RECREATE])
def test_a_refusal_does_not_keep_what_has_served_running(kind: OperationType) -> None:
    """Ten minutes of pause would be billed: it is stopped at once, whatever was refused."""
    paused = refused(kind, retryable=False, retry_in=600)
    assert decide(snapshot(EXPIRED.during(paused), machine())).action == Stop("m-1")


@pytest.mark.parametrize("retry_in", [5, 45, 600])
def test_a_refused_call_is_looked_at_again_in_time(retry_in: float) -> None:
    """The next look comes when the pause is over, or after a minute where a person may act before."""
    retryable = back_off_after_failure(snapshot(BUYING.during(refused(OperationType.CREATE, retry_in=retry_in))))
    personal = back_off_after_failure(
        snapshot(BUYING.during(refused(OperationType.CREATE, retryable=False, retry_in=retry_in)))
    )
    assert retryable is not None
    assert retryable.requeue_after == timedelta(seconds=retry_in)
    assert personal is not None
    assert personal.requeue_after == timedelta(seconds=min(retry_in, 60))
