"""From two saved statuses to what is counted: operations that ended, calls that got no answer, upgrades that are over.

Called by `reconcile`, through `kinds`, after a status was saved. What has happened is said by `core.endings`.
"""

from __future__ import annotations

from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.core import endings
from gpuinstance.metrics import Metrics


def count_instance(metrics: Metrics, old: GPUInstanceStatus, new: GPUInstanceStatus) -> None:
    """Count what has become of an instance."""
    if new.ready_at is not None and new.ready_at != old.ready_at and new.last_operation is not None:
        metrics.became_ready((new.ready_at - new.last_operation.started_at).total_seconds())
    if (ended := endings.ending(old, new)) is not None:
        metrics.operation_ended(operation=ended.operation, result=ended.result, seconds=ended.seconds)
    _count_call(metrics, endings.became_unknown(old, new), endings.resolution(old, new))


def count_upgrade(metrics: Metrics, old: InstanceUpgradeStatus, new: InstanceUpgradeStatus) -> None:
    """Count what has become of an upgrade."""
    if new.outcome is not None and old.outcome is None:
        metrics.upgrade_finished(new.outcome)
    _count_call(metrics, endings.upgrade_became_unknown(old, new), endings.upgrade_resolution(old, new))


def _count_call(metrics: Metrics, unknown: str | None, resolved: tuple[str, str] | None) -> None:
    if resolved is not None:
        metrics.unknown_outcome_resolved(operation=resolved[0], resolution=resolved[1])
    if unknown is not None:
        metrics.unknown_outcome(unknown)
