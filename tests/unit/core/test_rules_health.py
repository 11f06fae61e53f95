"""Health: running is not serving, and status never says so too early or too late."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import (
    ConditionStatus,
    DriftPolicy,
    OperationPhase,
    OperationType,
    Outcome,
    Phase,
    PortProtocol,
    PowerState,
    Requirement,
)
from gpuinstance.core.decision import Need
from gpuinstance.core.model import MachineState
from gpuinstance.core.rules.addresses import learn_addresses
from gpuinstance.core.rules.health import (
    endpoints_to_check,
    is_healthy,
    settled,
    wait_until_healthy,
)
from gpuinstance.core.snapshot import HealthReport, Snapshot
from tests.builders import NOW, InstanceBuilder, ago, instance, machine, operation, ports, report, snapshot
from tests.unit.core.table import SILENT, Answer, asks, is_stuck, judge, rows, settles, waits

UP, DOWN = machine(), machine(state=MachineState.STOPPED)
HEALTH_CHECKING, MONITORING = OperationPhase.HEALTH_CHECKING, OperationPhase.MONITORING
READY = instance().serving(80)
BARE = instance().with_ports(80).with_machine()
PUBLISHED = ports("80/http", published=True)
ENDPOINT = {"port": 80, "protocol": "http", "url": "https://m-80.example"}


def checking(seconds: float, **spec: object) -> InstanceBuilder:
    """Return an object whose machine was started and has been checked for so many seconds."""
    started = {"overall": "Unhealthy", "started_at": ago(seconds=seconds)}
    begun = operation(OperationType.CREATE, HEALTH_CHECKING, began=ago(seconds=seconds + 60))
    return BARE.with_spec(**spec).with_status(endpoints=[ENDPOINT], health_check=started).during(begun)


@rows(
    ("they are known", snapshot(READY, UP), SILENT),
    ("it is down", snapshot(BARE, DOWN), SILENT),
    ("it is to be down", snapshot(BARE.wanting(PowerState.STOPPED), UP), SILENT),
    ("it publishes nothing", snapshot(instance().with_machine(), UP), SILENT),
    ("they are asked for", snapshot(BARE, UP), asks(Need.ADDRESSES)),
    (
        "they are learned, and checking begins",
        snapshot(BARE.during(operation(OperationType.CREATE, MONITORING)), UP, addresses=PUBLISHED),
        waits(
            Reason.HEALTH_CHECKING,
            phase=Phase.HEALTH_CHECKING,
            status=lambda it: (
                it.endpoints[0].url == "https://m-80.example"
                and it.operation.phase is HEALTH_CHECKING
                and it.health_check.started_at == NOW
            ),
        ),
    ),
    (
        "they are not there yet",
        snapshot(BARE, UP, addresses=ports("80/http")),
        waits(Reason.STARTING, phase=Phase.RUNNING),
    ),
    (
        "they never come",
        snapshot(
            BARE.with_status(health_check={"overall": "Unhealthy", "started_at": ago(minutes=5)}), UP, addresses=()
        ),
        is_stuck(Reason.HEALTH_CHECK_FAILED),
    ),
    (
        "it was started again meanwhile: they may be others",
        snapshot(READY.with_status(instance={"id": "m-1", "name": "x", "started_at": ago(hours=2)}), UP),
        waits(Reason.STARTING, status=lambda it: it.endpoints is None and it.health_check is None),
    ),
    (
        "it runs as it did",
        snapshot(READY.with_status(instance={"id": "m-1", "name": "x", "started_at": ago(hours=1)}), UP),
        SILENT,
    ),
    (
        "the provider shows no start time",
        snapshot(
            READY.with_status(instance={"id": "m-1", "name": "x", "started_at": ago(hours=1)}), machine(started_at=None)
        ),
        SILENT,
    ),
)
def test_learn_addresses(given: Snapshot, answer: Answer | None) -> None:
    """Where a machine's ports are published is learned once for each of its runs."""
    judge(learn_addresses, given, answer)


def test_tcp_addresses_are_written_as_urls() -> None:
    """A host and port become `tcp://host:port`; https addresses stay as they are."""
    both = instance().with_ports(80, "22/tcp").with_machine()
    decision = learn_addresses(snapshot(both, UP, addresses=ports("80/http", "22/tcp", published=True)))
    assert decision is not None
    assert [e.url for e in decision.status.endpoints or ()] == ["https://m-80.example", "tcp://m.example:30022"]


SICK, WELL = report(sick=[80]), report(80)
RECENT: dict[str, Any] = {"health": report(80, at=ago(seconds=1)), "health_is_new": False}


@rows(
    ("it is down", snapshot(READY, DOWN), SILENT),
    ("nothing is to be checked", snapshot(READY.with_spec(health_check={"enabled": False}), UP), SILENT),
    ("nothing is published", snapshot(instance().running(), UP), SILENT),
    ("there was no round yet", snapshot(READY, UP), asks(Need.HEALTH)),
    ("the last round is too old", snapshot(READY, UP, health=report(80, at=ago(seconds=40))), asks(Need.HEALTH)),
    ("the last round is young enough", snapshot(READY, UP, **RECENT), SILENT),
    ("it answers", snapshot(READY, UP, health=WELL, health_is_new=True), SILENT),
    (
        "one miss takes nothing back",
        snapshot(READY, UP, health=SICK, health_is_new=True),
        settles(Reason.READY, Outcome.READY, status=lambda it: it.health_check.consecutive_failures == 1),
    ),
    (
        "the same round is not counted twice",
        snapshot(READY, UP, health=SICK, health_is_new=False),
        settles(Reason.READY, Outcome.READY, status=lambda it: it.health_check.consecutive_failures == 0),
    ),
    (
        "the third in a row does",
        snapshot(
            READY.with_status(health_check={"overall": "Unhealthy", "consecutive_failures": 2}),
            UP,
            health=SICK,
            health_is_new=True,
        ),
        waits(
            Reason.HEALTH_CHECK_FAILED, phase=Phase.HEALTH_CHECKING, status=lambda it: it.health_check.started_at == NOW
        ),
    ),
    (
        "with a threshold of one, the first does",
        snapshot(READY.with_spec(health_check={"failure_threshold": 1}), UP, health=SICK, health_is_new=True),
        waits(Reason.HEALTH_CHECK_FAILED),
    ),
    (
        "what has just come up is given time, in silence",
        snapshot(checking(10), UP, health=SICK, health_is_new=True),
        waits(Reason.HEALTH_CHECKING, status=lambda it: it.health_check.endpoints == []),
    ),
    (
        "then it is said what is wrong",
        snapshot(checking(40), UP, health=SICK, health_is_new=True),
        waits(Reason.HEALTH_CHECKING, status=lambda it: it.health_check.endpoints[0].status_code == 502),
    ),
    (
        "then it has failed",
        snapshot(checking(300), UP, health=SICK, health_is_new=True),
        is_stuck(Reason.HEALTH_CHECK_FAILED, phase=Phase.FAILED),
    ),
    (
        "how long is for the spec to say",
        snapshot(checking(300, health_check={"max_wait_seconds": 600}), UP, health=SICK, health_is_new=True),
        waits(Reason.HEALTH_CHECKING),
    ),
    ("what has failed may heal", snapshot(checking(900), UP, health=WELL, health_is_new=True), SILENT),
)
def test_wait_until_healthy(given: Snapshot, answer: Answer | None) -> None:
    """Ready only after the application answers, and no longer than it does."""
    judge(wait_until_healthy, given, answer)


@pytest.mark.parametrize(
    ("builder", "spec", "wanted"),
    [
        (READY, {}, [(80, "https://m-80.example", "/")]),
        (READY, {"target_port": 80}, [(80, "https://m-80.example", "/")]),
        (READY, {"target_port": 9999}, [(9999, None, "/")]),
        (READY, {"endpoints": [{"port": 80, "path": "/healthz"}]}, [(80, "https://m-80.example", "/healthz")]),
        (READY, {"endpoints": [{"port": 9999}]}, [(9999, None, "/")]),
        (instance().serving(80, 8080), {"target_port": 8080}, [(8080, "https://m-8080.example", "/")]),
        (instance().running(), {}, []),
    ],
    ids=[
        "every published port",
        "one of them",
        "one that is not published",
        "as the spec says",
        "listed, not published",
        "only the target",
        "none",
    ],
)
def test_what_is_checked(
    builder: InstanceBuilder, spec: dict[str, object], wanted: list[tuple[int, str | None, str]]
) -> None:
    """The spec's endpoints, else every published port; what is not published is checked, and fails."""
    checks = endpoints_to_check(snapshot(builder.with_spec(health_check=spec), UP).instance)
    assert [(check.port, check.url, check.path) for check in checks] == wanted
    assert all(check.protocol is PortProtocol.HTTP for check in checks)


@pytest.mark.parametrize(
    ("require", "found", "healthy"),
    [
        (Requirement.ALL, report(80, 8080), True),
        (Requirement.ALL, report(80, sick=[8080]), False),
        (Requirement.ANY, report(80, sick=[8080]), True),
        (Requirement.ANY, report(sick=[80, 8080]), False),
    ],
)
def test_how_many_have_to_answer(require: Requirement, found: HealthReport, *, healthy: bool) -> None:
    """`All` wants every endpoint, `Any` one."""
    spec = instance().with_spec(health_check={"require": require}).build().spec
    assert is_healthy(spec, found) is healthy


@rows(
    ("it runs and answers", snapshot(READY, UP, **RECENT), settles(Reason.READY, Outcome.READY, phase=Phase.READY)),
    (
        "its operation has ended well",
        snapshot(checking(20), UP, health=WELL),
        settles(
            Reason.READY,
            Outcome.READY,
            status=lambda it: (
                it.operation is None and it.last_operation.phase is OperationPhase.COMPLETED and it.ready_at == NOW
            ),
        ),
    ),
    ("nothing is to be checked", snapshot(instance().with_machine(), UP), settles(Reason.READY, Outcome.READY)),
    ("the provider does not show it", snapshot(READY), waits(Reason.PENDING)),
    (
        "drift does not take Ready back",
        snapshot(READY, machine(exposes=()), **RECENT),
        settles(Reason.READY, Outcome.READY, status=lambda it: it.condition("Synced").reason == Reason.DRIFT_DETECTED),
    ),
    (
        "with policy Observe it is not even shown",
        snapshot(READY.with_spec(drift=DriftPolicy.OBSERVE), machine(exposes=()), **RECENT),
        settles(Reason.READY, Outcome.READY, status=lambda it: it.condition("Synced").status is ConditionStatus.TRUE),
    ),
)
def test_settled(given: Snapshot, answer: Answer | None) -> None:
    """The last rule answers always; mostly with Ready."""
    judge(settled, given, answer)


@pytest.mark.parametrize("builder", [READY, instance().running()], ids=["with checks", "without checks"])
def test_a_ready_object_has_no_heartbeat(builder: InstanceBuilder) -> None:
    """Looked at again a minute and an hour later, nothing is written."""
    first = settled(snapshot(builder, UP, **RECENT)).status
    body = builder.build().model_copy(update={"status": first})
    for later in (timedelta(minutes=1), timedelta(hours=1)):
        fresh = report(80, at=NOW + later)
        given = snapshot(body, UP, at=NOW + later, health=fresh, health_is_new=True)
        assert settled(given).status == first
