"""What a saved status adds to the counters, and what it does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import GPUInstanceStatus, Operation, OperationError, OperationTimes
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.api.upgrade_words import UpgradeOutcome
from gpuinstance.api.words import ErrorCategory, OperationPhase, OperationType
from gpuinstance.counting import count_instance, count_upgrade
from gpuinstance.metrics import Metrics

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
END = START + timedelta(seconds=45)


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"gpuinstance_{name}", labels) or 0.0


def starting(phase: OperationPhase = OperationPhase.INITIATED, error: OperationError | None = None) -> Operation:
    return Operation(
        id="start-1",
        type=OperationType.START,
        attempt=1,
        phase=phase,
        generation=1,
        started_at=START,
        deadline=START + timedelta(minutes=15),
        phases=OperationTimes(completed_at=END if phase is OperationPhase.COMPLETED else None),
        error=error,
    )


def test_a_start_that_ends_in_ready() -> None:
    """Its duration is counted by type, and as a time to Ready; seen again, it is not counted again."""
    metrics = Metrics()
    before = GPUInstanceStatus(operation=starting(OperationPhase.MONITORING))
    after = GPUInstanceStatus(last_operation=starting(OperationPhase.COMPLETED), ready_at=END)
    count_instance(metrics, before, after)
    count_instance(metrics, after, after)
    assert value(metrics, "time_to_ready_seconds_sum") == 45
    assert value(metrics, "operation_duration_seconds_sum", type="Start", result="completed") == 45
    assert value(metrics, "operation_duration_seconds_count", type="Start", result="completed") == 1


def test_an_answer_that_is_lost_and_found() -> None:
    """Every call without an answer is counted twice: when it was lost, and when it is known what became of it."""
    metrics = Metrics()
    lost = OperationError(
        code=Reason.UNKNOWN_OUTCOME, category=ErrorCategory.UNKNOWN_OUTCOME, retryable=False, message="no answer"
    )
    sent, unknown = GPUInstanceStatus(operation=starting()), GPUInstanceStatus(operation=starting(error=lost))
    seen = GPUInstanceStatus(operation=starting(OperationPhase.MONITORING))
    for old, new in ((sent, unknown), (unknown, unknown), (unknown, seen), (seen, seen)):
        count_instance(metrics, old, new)
    assert value(metrics, "unknown_outcomes_total", operation="Start") == 1
    assert value(metrics, "unknown_outcomes_resolved_total", operation="Start", resolution="found") == 1


def test_an_upgrade_ends_once() -> None:
    """By its outcome."""
    metrics = Metrics()
    ended = InstanceUpgradeStatus(outcome=UpgradeOutcome.CANCELLED, completed_at=END)
    count_upgrade(metrics, InstanceUpgradeStatus(), ended)
    count_upgrade(metrics, ended, ended)
    assert value(metrics, "upgrades_finished_total", outcome="Cancelled") == 1
