"""Made anew in place: rebuilt, reinstalled, with another network; once for each token, whatever is lost."""

from __future__ import annotations

from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import OperationTimes
from gpuinstance.api.words import OperationPhase, OperationType, Phase, PowerState
from gpuinstance.core.decision import Rebuild, RegenerateNetworking, Reinstall, Start
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.rules.rebuild import rebuild_on_token
from gpuinstance.core.snapshot import Snapshot
from tests.builders import OF_HOSTWINDS, InstanceBuilder, ago, instance, machine, operation, refused, snapshot
from tests.unit.core.table import SILENT, Answer, does, judge, rows, waits

REBUILD, REINSTALL = OperationType.REBUILD, OperationType.REINSTALL
NETWORK = OperationType.REGENERATE_NETWORKING
INITIATED, MONITORING = OperationPhase.INITIATED, OperationPhase.MONITORING
UP, DOWN = machine(exposes=()), machine(state=MachineState.STOPPED, exposes=())
FAILED = machine(state=MachineState.STOPPED, trouble="no space", exposes=())
AT_WORK = machine(state=MachineState.STARTING, exposes=())
READY = instance().of_hostwinds().running()
RECREATE = READY.asking(recreate="a")
BEFORE: dict[str, Any] = {"token": "a", "machine_started_at": ago(hours=1)}
"""What operations remember of the machines above: none has come up since."""
SEEN: dict[str, Any] = {
    "phases": OperationTimes(initiated_at=ago(seconds=9), monitoring_at=ago(seconds=8), changing_at=ago(seconds=5))
}
"""The provider was seen at work."""


def given(of: InstanceBuilder, *machines: Machine, **facts: Any) -> Snapshot:
    return snapshot(of, *machines, limits=OF_HOSTWINDS, **facts)


def during(
    kind: OperationType, phase: OperationPhase, seconds: float, of: InstanceBuilder = RECREATE, **fields: Any
) -> InstanceBuilder:
    """Return the object in the midst of it."""
    return of.during(operation(kind, phase, began=ago(seconds=seconds), **BEFORE | fields))


def handled(it: Any) -> bool:
    return bool(it.handled_actions.recreate == "a")


@rows(
    ("nobody asks", given(READY, UP), SILENT),
    ("there is no machine", given(RECREATE), SILENT),
    ("the provider cannot do it", snapshot(instance().running().asking(recreate="a"), machine()), SILENT),
    (
        "a token that was carried out asks for nothing",
        given(RECREATE.with_status(handled_actions={"recreate": "a"}), UP),
        SILENT,
    ),
    ("what is to be down is not made anew now", given(RECREATE.wanting(PowerState.STOPPED), UP), SILENT),
    (
        "recreate: it is rebuilt",
        given(RECREATE, UP),
        does(
            Rebuild("m-1"),
            Reason.REBUILDING,
            intent=REBUILD,
            status=lambda it: it.endpoints is None and it.health_check is None and not handled(it),
        ),
    ),
    (
        "reinstall: the spec's template is installed",
        given(READY.asking(reinstall="a"), UP),
        does(Reinstall("m-1", "ubuntu"), Reason.REINSTALLING, intent=REINSTALL),
    ),
    (
        "networking",
        given(READY.asking(regenerate_networking="a"), UP),
        does(RegenerateNetworking("m-1"), Reason.REGENERATING_NETWORKING, intent=NETWORK),
    ),
    (
        "all at once: one after the other",
        given(READY.asking(recreate="a", reinstall="a", regenerate_networking="a"), UP),
        does(Rebuild("m-1"), Reason.REBUILDING),
    ),
    (
        "the next one when the first is done",
        given(
            READY.asking(recreate="a", reinstall="b")
            .with_status(handled_actions={"recreate": "a"})
            .during(operation(REBUILD, OperationPhase.HEALTH_CHECKING, began=ago(seconds=60), token="a")),
            UP,
        ),
        does(Reinstall("m-1", "ubuntu"), Reason.REINSTALLING),
    ),
    ("a machine that exited is rebuilt", given(RECREATE, DOWN), does(Rebuild("m-1"), Reason.REBUILDING)),
    ("so is one that failed", given(RECREATE, FAILED), does(Rebuild("m-1"), Reason.REBUILDING)),
    (
        "also where its state says nothing",
        given(RECREATE, machine(state=MachineState.UNKNOWN, trouble="error")),
        does(Rebuild("m-1"), Reason.REBUILDING),
    ),
    (
        "one that never came up is not: the provider is still at work on it",
        given(
            RECREATE.during(operation(OperationType.CREATE, MONITORING, began=ago(hours=1))),
            machine(state=MachineState.CREATING),
        ),
        SILENT,
    ),
    ("the network of one that is down waits", given(READY.asking(regenerate_networking="a"), DOWN), SILENT),
    ("a moving machine is not pushed", given(RECREATE, AT_WORK), SILENT),
    *[
        (f"{state.lower()}: never", given(RECREATE, machine(state=state, trouble="error")), SILENT)
        for state in (
            MachineState.SUSPENDED,
            MachineState.RESIZING,
            MachineState.RESIZED,
            MachineState.REMOVING,
        )
    ],
    (
        "a stop that was taken back has to end first",
        given(RECREATE.during(operation(OperationType.STOP, MONITORING, began=ago(seconds=5), **BEFORE)), UP),
        SILENT,
    ),
    (
        "so has a start",
        given(RECREATE.during(operation(OperationType.START, MONITORING, began=ago(seconds=5), **BEFORE)), DOWN),
        SILENT,
    ),
)
def test_what_begins(given: Snapshot, answer: Answer | None) -> None:
    """A new token, a machine that may be touched, and nothing else under way."""
    judge(rebuild_on_token, given, answer)


@rows(
    ("no answer yet: look", given(during(REBUILD, INITIATED, 5), UP), waits(Reason.REBUILDING, intent=REBUILD)),
    (
        "no answer, and at work: it has arrived",
        given(during(REBUILD, INITIATED, 5), AT_WORK),
        waits(
            Reason.REBUILDING,
            status=lambda it: it.operation.phase is MONITORING and it.operation.phases.changing_at and handled(it),
        ),
    ),
    (
        "no answer, and it came up since: it has arrived",
        given(during(REBUILD, INITIATED, 5, machine_started_at=ago(hours=2)), UP),
        waits(Reason.REBUILDING, status=lambda it: it.operation.phase is MONITORING and handled(it)),
    ),
    (
        "no answer, and no trace after the settle window: again",
        given(during(REBUILD, INITIATED, 61), UP),
        does(Rebuild("m-1"), Reason.REBUILDING, intent=REBUILD),
    ),
    (
        "no answer, and the provider has noted a change since: it was over before anybody looked",
        given(during(REBUILD, INITIATED, 61, machine_changed_at=ago(hours=2)), machine(changed_at=ago(seconds=40))),
        waits(Reason.REBUILDING, status=lambda it: it.operation.phase is MONITORING and handled(it)),
    ),
    (
        "no answer, and the last change noted is the one before: again",
        given(during(REBUILD, INITIATED, 61, machine_changed_at=ago(hours=2)), machine(changed_at=ago(hours=2))),
        does(Rebuild("m-1"), Reason.REBUILDING, status=lambda it: it.operation.machine_changed_at == ago(hours=2)),
    ),
    (
        "but an old picture is no proof of that",
        given(during(REBUILD, INITIATED, 300), UP, listed_at=ago(seconds=250)),
        waits(Reason.REBUILDING),
    ),
    (
        "nor does a failed machine fail again before that",
        given(during(REBUILD, INITIATED, 5), FAILED),
        waits(Reason.REBUILDING),
    ),
    (
        "withdrawn meanwhile: not again",
        given(during(REBUILD, INITIATED, 61, of=READY), UP),
        waits(Reason.PENDING, status=lambda it: it.operation is None and it.last_operation.type is REBUILD),
    ),
    (
        "replaced by another token: that one begins on its own",
        given(during(REBUILD, INITIATED, 61, of=READY.asking(recreate="b")), UP),
        waits(Reason.PENDING, status=lambda it: it.operation is None),
    ),
    (
        "to be down meanwhile: not now",
        given(during(REBUILD, INITIATED, 61, of=RECREATE.wanting(PowerState.STOPPED)), UP),
        waits(Reason.PENDING, status=lambda it: it.operation is None),
    ),
    (
        "down meanwhile: the network has to wait",
        given(during(NETWORK, INITIATED, 61, of=READY.asking(regenerate_networking="a")), DOWN),
        waits(Reason.PENDING, status=lambda it: it.operation is None),
    ),
    (
        "accepted, and still shown as it was: not believed",
        given(during(REBUILD, MONITORING, 5), UP),
        waits(Reason.REBUILDING),
    ),
    (
        "accepted, and at work",
        given(during(REBUILD, MONITORING, 5), AT_WORK),
        waits(Reason.REBUILDING, status=lambda it: it.operation.phases.changing_at is not None),
    ),
    (
        "seen at work, and up: done, and reached anew",
        given(during(REBUILD, MONITORING, 9, **SEEN), UP),
        waits(
            Reason.REBUILDING,
            phase=Phase.RUNNING,
            status=lambda it: it.operation.phases.running_at is not None and it.endpoints is None,
        ),
    ),
    (
        "up since the call: done",
        given(during(REBUILD, MONITORING, 9, machine_started_at=ago(hours=2)), UP),
        waits(Reason.REBUILDING, phase=Phase.RUNNING),
    ),
    (
        "nothing seen, and the settle window is over: done",
        given(during(REBUILD, MONITORING, 61), UP),
        waits(Reason.REBUILDING, phase=Phase.RUNNING),
    ),
    (
        "done, and down: it is started",
        given(during(REBUILD, MONITORING, 9, **SEEN), DOWN),
        does(Start("m-1"), Reason.STARTING, intent=OperationType.START),
    ),
    (
        "done, and down as it should be",
        given(during(REBUILD, MONITORING, 9, of=RECREATE.wanting(PowerState.STOPPED), **SEEN), DOWN),
        SILENT,
    ),
    ("done, and failed: that is for another rule", given(during(REBUILD, MONITORING, 9, **SEEN), FAILED), SILENT),
    ("not listed for a while", given(during(REBUILD, MONITORING, 9)), waits(Reason.REBUILDING)),
    ("not listed for too long", given(during(REBUILD, MONITORING, 2000)), SILENT),
    ("at work for too long", given(during(REBUILD, MONITORING, 2000), AT_WORK), SILENT),
    (
        "at work for too long, and without an answer: it has arrived all the same",
        given(during(REBUILD, INITIATED, 2000), AT_WORK),
        waits(Reason.REBUILDING, status=handled),
    ),
    (
        "in an unknown state: wait",
        given(during(REBUILD, INITIATED, 61), machine(state=MachineState.UNKNOWN)),
        SILENT,
    ),
    (
        "in an unknown state for too long: the token must not ask again by itself",
        given(during(REBUILD, INITIATED, 2000), machine(state=MachineState.UNKNOWN)),
        waits(Reason.REBUILDING, status=lambda it: it.operation.phase is MONITORING and handled(it)),
    ),
    (
        "another token waits until the first is done",
        given(during(REBUILD, MONITORING, 5, of=READY.asking(recreate="b")), UP),
        waits(Reason.REBUILDING),
    ),
    (
        "refused, and over: again",
        given(RECREATE.during(refused(REBUILD, token="a", retry_in=0)), UP),
        does(Rebuild("m-1"), Reason.REBUILDING),
    ),
    (
        "refused, and withdrawn",
        given(READY.during(refused(REBUILD, token="a")), UP),
        waits(Reason.PENDING, status=lambda it: it.operation is None),
    ),
    (
        "what spec.recovery asked for is sent again while it asks",
        given(
            during(REBUILD, INITIATED, 61, of=READY.with_spec(recovery={"policy": "Recreate"}), token="recovery/1"), UP
        ),
        does(Rebuild("m-1"), Reason.REBUILDING),
    ),
    (
        "and not when it no longer does",
        given(during(REBUILD, INITIATED, 61, of=READY, token="recovery/1"), UP),
        waits(Reason.PENDING, status=lambda it: it.operation is None),
    ),
)
def test_what_is_under_way(given: Snapshot, answer: Answer | None) -> None:
    """Looked at, never repeated; old pictures are not believed."""
    judge(rebuild_on_token, given, answer)
