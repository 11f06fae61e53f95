"""Deletion: an object goes only when its machine is provably gone, or was never bought."""

from __future__ import annotations

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import DeletionPolicy, OperationPhase, OperationType
from gpuinstance.core.decision import Delete, Need, Stop
from gpuinstance.core.model import MachineState
from gpuinstance.core.rules.deletion import release_orphan, release_unseen, release_when_deleted
from gpuinstance.core.snapshot import Snapshot
from tests.builders import NOW, ago, blind_snapshot, instance, machine, operation, refused, snapshot
from tests.unit.core.table import SILENT, Answer, asks, does, judge, releases, rows, waits

GOING = instance().running().deleting()
KEEPING = GOING.with_spec(deletion_policy=DeletionPolicy.STOP)
GONE = frozenset({"m-1"})
DELETE, STOP, START = OperationType.DELETE, OperationType.STOP, OperationType.START
MONITORING = OperationPhase.MONITORING
REFUSED = refused(DELETE, Reason.DELETION_REFUSED, retryable=False)
LOCKED = refused(DELETE, Reason.INSTANCE_SUSPENDED, retryable=False)


@rows(
    ("an object that nothing was bought for goes at once", snapshot(instance().seen().deleting()), releases()),
    ("also when the provider cannot be seen", blind_snapshot(instance().seen().deleting()), releases()),
    ("an object that is kept stays", snapshot(instance().seen()), SILENT),
    ("an emptied status proves nothing", snapshot(instance().deleting()), SILENT),
    ("a saved intent to buy keeps it", snapshot(instance().creating().deleting()), SILENT),
    ("a recorded machine keeps it", snapshot(GOING), SILENT),
)
def test_release_unseen(given: Snapshot, answer: Answer | None) -> None:
    """What was never bought cannot be left behind; only the operator's own record proves that."""
    judge(release_unseen, given, answer)


@rows(
    (
        "the machine is left alone",
        snapshot(GOING.with_spec(deletion_policy=DeletionPolicy.ORPHAN), machine()),
        releases(),
    ),
    (
        "no look at the provider is needed",
        blind_snapshot(GOING.with_spec(deletion_policy=DeletionPolicy.ORPHAN)),
        releases(),
    ),
    ("the default policy is another", snapshot(GOING, machine()), SILENT),
    (
        "nothing happens before deletion",
        snapshot(instance().running().with_spec(deletion_policy=DeletionPolicy.ORPHAN), machine()),
        SILENT,
    ),
)
def test_release_orphan(given: Snapshot, answer: Answer | None) -> None:
    """Policy Orphan lets the object go and the machine run."""
    judge(release_orphan, given, answer)


@rows(
    ("an object that is kept is of no interest", snapshot(instance().running(), machine()), SILENT),
    (
        "a running machine is removed",
        snapshot(GOING, machine()),
        does(Delete("m-1"), Reason.TERMINATING, intent=DELETE),
    ),
    (
        "so is one that is being created",
        snapshot(GOING, machine(state=MachineState.CREATING)),
        does(Delete("m-1"), Reason.TERMINATING),
    ),
    (
        "and one that the provider has frozen",
        snapshot(GOING, machine(state=MachineState.SUSPENDED)),
        does(Delete("m-1"), Reason.TERMINATING),
    ),
    (
        "a machine that is found only by its name is removed and recorded",
        snapshot(instance().deleting(), machine()),
        does(Delete("m-1"), Reason.TERMINATING, status=lambda status: status.instance.id == "m-1"),
    ),
    (
        "one that goes already is watched",
        snapshot(GOING, machine(state=MachineState.REMOVING)),
        waits(Reason.TERMINATING),
    ),
    (
        "watching it is written down, so that nothing takes it for never bought",
        snapshot(instance().deleting(), machine(state=MachineState.REMOVING)),
        waits(Reason.TERMINATING, status=lambda status: status.instance.id == "m-1"),
    ),
    (
        "a removal that was just sent is not sent again",
        snapshot(GOING.during(operation(DELETE, MONITORING, began=ago(seconds=10))), machine()),
        waits(Reason.TERMINATING),
    ),
    (
        "one without any effect is sent again after the settle window",
        snapshot(GOING.during(operation(DELETE, MONITORING, began=ago(seconds=61))), machine()),
        does(Delete("m-1"), Reason.TERMINATING),
    ),
    (
        "a refusal is shown until it is tried again",
        snapshot(GOING.during(REFUSED), machine()),
        waits(Reason.DELETION_REFUSED),
    ),
    (
        "a locked server keeps its object, and says what helps",
        snapshot(GOING.during(LOCKED), machine(state=MachineState.SUSPENDED)),
        waits(
            Reason.INSTANCE_SUSPENDED,
            status=lambda it: "release it in the provider's console" in it.condition("Ready").message,
        ),
    ),
    (
        "a refusal whose pause is over is tried again",
        snapshot(GOING.during(REFUSED.model_copy(update={"retry_at": NOW})), machine()),
        does(Delete("m-1"), Reason.TERMINATING),
    ),
    (
        "what takes too long is reported, and goes on",
        snapshot(GOING.during(operation(DELETE, MONITORING, began=ago(hours=1))), machine(state=MachineState.REMOVING)),
        waits(Reason.DELETE_TIMED_OUT),
    ),
    (
        "a create without an answer may still show its machine",
        snapshot(instance().creating(began=ago(seconds=10)).deleting()),
        waits(Reason.CONFIRMING_CREATE),
    ),
    (
        "so may an accepted one, whatever a lookup says",
        snapshot(instance().creating(answered=True, began=ago(seconds=10)).deleting(), confirmed_gone=GONE),
        waits(Reason.CONFIRMING_CREATE),
    ),
    (
        "also if the removal of another machine came in between",
        snapshot(
            instance()
            .creating()
            .with_status(last_operation=operation(OperationType.CREATE, began=ago(seconds=10)))
            .during(operation(DELETE, MONITORING, began=ago(seconds=5)))
            .deleting()
        ),
        waits(Reason.CONFIRMING_CREATE),
    ),
    (
        "a create that has settled without a machine bought none",
        snapshot(instance().creating(began=ago(minutes=2)).deleting()),
        releases(),
    ),
    ("absence from the listing is asked about", snapshot(GOING), asks(Need.CONFIRMATION)),
    ("a confirmed absence lets the object go", snapshot(GOING, confirmed_gone=GONE), releases()),
    (
        "the provider's own word in the listing is asked about as well",
        snapshot(GOING, machine(state=MachineState.REMOVED)),
        asks(Need.CONFIRMATION),
    ),
    (
        "a second machine keeps it, although the recorded one is gone",
        snapshot(GOING, machine("m-2", attempt=2), confirmed_gone=GONE),
        does(Delete("m-2"), Reason.TERMINATING),
    ),
)
def test_release_when_deleted(given: Snapshot, answer: Answer | None) -> None:
    """Policy Delete: removed, watched, confirmed, and only then let go."""
    judge(release_when_deleted, given, answer)


@rows(
    (
        "a running machine is stopped first",
        snapshot(KEEPING, machine()),
        does(Stop("m-1"), Reason.STOPPING, intent=STOP),
    ),
    (
        "a stop that was just sent is waited for",
        snapshot(KEEPING.during(operation(STOP, began=ago(seconds=10))), machine()),
        waits(Reason.STOPPING),
    ),
    (
        "a stop without any effect is sent again",
        snapshot(KEEPING.during(operation(STOP, began=ago(seconds=61))), machine()),
        does(Stop("m-1"), Reason.STOPPING),
    ),
    (
        "one that goes down is waited for",
        snapshot(KEEPING, machine(state=MachineState.STOPPING)),
        waits(Reason.STOPPING),
    ),
    (
        "one that is down is kept, and the object goes",
        snapshot(KEEPING, machine(state=MachineState.STOPPED)),
        releases(),
    ),
    (
        "one that was just started is not taken for down",
        snapshot(
            KEEPING.during(operation(START, MONITORING, began=ago(seconds=1), machine_started_at=ago(hours=1))),
            machine(state=MachineState.STOPPED),
        ),
        waits(Reason.STOPPING),
    ),
    (
        "a frozen one cannot be stopped: a person decides",
        snapshot(KEEPING, machine(state=MachineState.SUSPENDED)),
        waits(Reason.INSTANCE_SUSPENDED),
    ),
    ("one that is gone is confirmed", snapshot(KEEPING), asks(Need.CONFIRMATION)),
)
def test_release_with_policy_stop(given: Snapshot, answer: Answer | None) -> None:
    """Policy Stop: the object goes once the machine is down, and never while it runs."""
    judge(release_when_deleted, given, answer)
