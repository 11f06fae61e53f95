"""Change: a running machine follows the spec, one change at a time, each told from drift."""

from __future__ import annotations

from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import DriftPolicy, OperationPhase, OperationType, Phase, PowerState
from gpuinstance.core.decision import ChangeSoftware, GrowDisk, Need, SetPorts
from gpuinstance.core.desired import software_fingerprint
from gpuinstance.core.model import MachineState, Software
from gpuinstance.core.rules.change import apply_change, demand_recreate
from gpuinstance.core.snapshot import Snapshot
from tests.builders import InstanceBuilder, ago, instance, machine, operation, ports, refusal, snapshot
from tests.unit.core.table import SILENT, Answer, asks, does, is_stuck, judge, rows, waits

CHANGE, MONITORING = OperationType.CHANGE, OperationPhase.MONITORING
READY = instance().serving(80)
UP, DOWN = machine(), machine(state=MachineState.STOPPED)
BEFORE: dict[str, Any] = {"machine_started_at": ago(hours=1)}
OTHER = READY.edited(image="other:2")
SOFTWARE = f"software:{software_fingerprint(OTHER.build().spec)}"
MORE = READY.edited(ports=[{"port": 80}, {"port": 22, "protocol": "tcp"}])
LESS = instance().serving(80, 8080).edited(ports=[{"port": 80}])
LARGER = READY.edited(rootfs_size_gb=100)


def changing(
    builder: InstanceBuilder, target: str, phase: OperationPhase, seconds: float, **fields: Any
) -> InstanceBuilder:
    """Return the object with a change in flight that began so many seconds ago."""
    settings = BEFORE | fields
    return builder.during(operation(CHANGE, phase, began=ago(seconds=seconds), token=target, **settings))


@rows(
    ("nothing was changed", snapshot(READY, UP), SILENT),
    (
        "another GPU count",
        snapshot(READY.edited(gpu_count=2), UP),
        is_stuck(Reason.RECREATE_REQUIRED, phase=Phase.RUNNING),
    ),
    ("another product", snapshot(READY.edited(product={"name": "H100"}), UP), is_stuck(Reason.RECREATE_REQUIRED)),
    (
        "another term",
        snapshot(READY.edited(billing={"mode": "Monthly", "months": 1}), UP),
        is_stuck(Reason.RECREATE_REQUIRED),
    ),
    ("a price cap is no hardware", snapshot(READY.edited(billing={"max_hourly_price": "9"}), UP), SILENT),
    (
        "also of a machine that is down",
        snapshot(READY.edited(gpu_count=2), DOWN),
        is_stuck(Reason.RECREATE_REQUIRED, phase=Phase.STOPPED),
    ),
    ("there is no machine", snapshot(READY.edited(gpu_count=2)), SILENT),
    ("nobody knows what was bought", snapshot(instance().with_status(instance={"id": "m-1", "name": "x"}), UP), SILENT),
)
def test_demand_recreate(given: Snapshot, answer: Answer | None) -> None:
    """What is chosen at the purchase stays: the machine is left running, and a person is told."""
    judge(demand_recreate, given, answer)


@rows(
    ("nothing was changed", snapshot(READY, UP), SILENT),
    ("it is down", snapshot(OTHER, DOWN), SILENT),
    ("it is to be down", snapshot(OTHER.wanting(PowerState.STOPPED), UP), SILENT),
    ("what would run is asked for", snapshot(OTHER, UP), asks(Need.SOFTWARE)),
    (
        "the software is changed",
        snapshot(OTHER, UP, software=Software("other:2")),
        does(
            ChangeSoftware("m-1", Software("other:2")),
            Reason.APPLYING_CHANGE,
            intent=CHANGE,
            status=lambda it: it.endpoints is None and it.health_check is None,
        ),
    ),
    (
        "a reference is missing: the old software runs on",
        snapshot(OTHER, UP, software=refusal(Reason.REFERENCE_NOT_FOUND)),
        is_stuck(Reason.REFERENCE_NOT_FOUND, phase=Phase.RUNNING),
    ),
    (
        "the provider cannot do it",
        snapshot(OTHER, UP, limits={"can_change_software": False}),
        is_stuck(Reason.RECREATE_REQUIRED),
    ),
    (
        "what is applied only when the provider has accepted",
        snapshot(OTHER, UP, software=Software("other:2")),
        does(ChangeSoftware, Reason.APPLYING_CHANGE, status=lambda it: it.applied == OTHER.build().status.applied),
    ),
    (
        "the call got no answer: look",
        snapshot(changing(OTHER, SOFTWARE, OperationPhase.INITIATED, 10), UP),
        waits(Reason.APPLYING_CHANGE),
    ),
    (
        "it never arrived: again",
        snapshot(changing(OTHER, SOFTWARE, OperationPhase.INITIATED, 61), UP, software=Software("other:2")),
        does(ChangeSoftware, Reason.APPLYING_CHANGE),
    ),
    (
        "it restarted with the new image: it has arrived",
        snapshot(
            changing(OTHER, SOFTWARE, OperationPhase.INITIATED, 61, machine_started_at=ago(hours=2)),
            machine(image="other:2"),
        ),
        waits(Reason.APPLYING_CHANGE, status=lambda it: f"software:{it.applied.software}" == SOFTWARE),
    ),
    (
        "it restarted with the old image: that was somebody else",
        snapshot(
            changing(OTHER, SOFTWARE, OperationPhase.INITIATED, 61, machine_started_at=ago(hours=2)),
            machine(image="docker.io/library/nginx:1.27"),
            software=Software("other:2"),
        ),
        does(ChangeSoftware, Reason.APPLYING_CHANGE),
    ),
    (
        "accepted, and not yet shown",
        snapshot(changing(READY, SOFTWARE, MONITORING, 10), UP),
        waits(Reason.APPLYING_CHANGE),
    ),
    (
        "accepted, and it has come up since",
        snapshot(changing(READY, SOFTWARE, MONITORING, 10, machine_started_at=ago(hours=2)), UP),
        SILENT,
    ),
    ("accepted long ago", snapshot(changing(READY, SOFTWARE, MONITORING, 61), UP), SILENT),
)
def test_change_of_software(given: Snapshot, answer: Answer | None) -> None:
    """Image, command, environment and volumes follow the spec by a reset that keeps the data."""
    judge(apply_change, given, answer)


@rows(
    (
        "a port is added",
        snapshot(MORE, UP),
        does(
            SetPorts("m-1", ports("22/tcp", "80/http")),
            Reason.APPLYING_CHANGE,
            status=lambda it: it.endpoints is None and it.health_check is None,
        ),
    ),
    (
        "a port is taken away",
        snapshot(LESS, machine(exposes=("80/http", "8080/http"))),
        does(SetPorts("m-1", ports("80/http")), Reason.APPLYING_CHANGE),
    ),
    (
        "the provider cannot do it",
        snapshot(MORE, UP, limits={"can_change_ports": False}),
        is_stuck(Reason.RECREATE_REQUIRED),
    ),
    (
        "added without an answer, and shown",
        snapshot(
            changing(MORE, "ports:22/tcp,80/http", OperationPhase.INITIATED, 61), machine(exposes=("22/tcp", "80/http"))
        ),
        waits(Reason.APPLYING_CHANGE, status=lambda it: it.applied.ports == "22/tcp,80/http"),
    ),
    (
        "added without an answer, and not shown",
        snapshot(changing(MORE, "ports:22/tcp,80/http", OperationPhase.INITIATED, 61), UP),
        does(SetPorts, Reason.APPLYING_CHANGE),
    ),
    (
        "taken away without an answer, and still shown",
        snapshot(
            changing(LESS, "ports:80/http", OperationPhase.INITIATED, 61), machine(exposes=("80/http", "8080/http"))
        ),
        does(SetPorts, Reason.APPLYING_CHANGE),
    ),
    (
        "taken away without an answer, beside a port of the provider's own",
        snapshot(
            changing(LESS, "ports:80/http", OperationPhase.INITIATED, 61), machine(exposes=("80/http", "2222/tcp"))
        ),
        waits(Reason.APPLYING_CHANGE, status=lambda it: it.applied.ports == "80/http"),
    ),
    ("somebody took a port away: that is drift, and only shown", snapshot(READY, machine(exposes=())), SILENT),
    (
        "with policy Correct it is put back",
        snapshot(READY.with_spec(drift=DriftPolicy.CORRECT), machine(exposes=())),
        does(SetPorts("m-1", ports("80/http")), Reason.APPLYING_CHANGE),
    ),
    (
        "a template's ports are left alone",
        snapshot(instance().with_spec(image=None, template_id="t-1").running(), UP),
        SILENT,
    ),
)
def test_change_of_ports(given: Snapshot, answer: Answer | None) -> None:
    """The published ports follow the spec, in both directions."""
    judge(apply_change, given, answer)


@rows(
    (
        "the disk grows",
        snapshot(LARGER, UP),
        does(GrowDisk("m-1", 60, 100), Reason.APPLYING_CHANGE, status=lambda it: it.endpoints is not None),
    ),
    (
        "it has grown already",
        snapshot(LARGER, machine(rootfs_gb=100)),
        waits(Reason.APPLYING_CHANGE, status=lambda it: it.applied.rootfs_size_gb == 100),
    ),
    (
        "the provider does not show the size",
        snapshot(LARGER, machine(rootfs_gb=None)),
        does(GrowDisk("m-1", 60, 100), Reason.APPLYING_CHANGE),
    ),
    (
        "the provider cannot do it",
        snapshot(LARGER, UP, limits={"can_grow_disk": False}),
        is_stuck(Reason.RECREATE_REQUIRED),
    ),
    (
        "without an answer, and grown",
        snapshot(changing(LARGER, "disk:100", OperationPhase.INITIATED, 61), machine(rootfs_gb=100)),
        waits(Reason.APPLYING_CHANGE, status=lambda it: it.applied.rootfs_size_gb == 100),
    ),
    (
        "without an answer, and as before: the size is read again, never added twice",
        snapshot(changing(LARGER, "disk:100", OperationPhase.INITIATED, 61), machine(rootfs_gb=80)),
        does(GrowDisk("m-1", 80, 100), Reason.APPLYING_CHANGE),
    ),
    ("a smaller wish changes nothing", snapshot(READY.with_spec(rootfs_size_gb=60), UP), SILENT),
)
def test_change_of_disk(given: Snapshot, answer: Answer | None) -> None:
    """The root disk grows to what the spec says, and never by more."""
    judge(apply_change, given, answer)


def test_several_changes_are_made_one_after_the_other() -> None:
    """Software first, then ports, then the disk: at most one change a pass."""
    builder = READY.edited(image="other:2", ports=[{"port": 8080}], rootfs_size_gb=100)
    decision = apply_change(snapshot(builder, UP, software=Software("other:2")))
    assert decision is not None
    assert isinstance(decision.action, ChangeSoftware)
