"""What is worth an Event about an upgrade: each step that costs, ends, or asks somebody for something."""

from __future__ import annotations

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.api.upgrade_words import UpgradeCondition, UpgradeOutcome
from gpuinstance.core.news import News

_QUIET = frozenset(
    {
        Reason.PENDING,
        Reason.QUEUED,
        Reason.INSTANCE_BUSY,
        Reason.INSTANCE_NOT_FOUND,
        Reason.ORDERING,
        Reason.RESIZING,
        Reason.RESIZED,
        Reason.HEALTH_CHECKING,
        Reason.CONFIRMING,
        Reason.VERIFYING,
    }
)
"""Progress, shown by the status alone."""

_FINE = frozenset(
    {
        Reason.AWAITING_PAYMENT,
        Reason.AWAITING_CONFIRMATION,
        Reason.PAID,
        Reason.APPLYING,
        Reason.SUSPENDED,
        Reason.CANCELLED,
        Reason.COMPLETED,
    }
)
"""Told, and no trouble."""


def upgrade_news(old: InstanceUpgradeStatus, new: InstanceUpgradeStatus) -> News | None:
    """Return the transition between two saved statuses, if it is worth an Event."""
    before, after = old.condition(UpgradeCondition.READY), new.condition(UpgradeCondition.READY)
    if after is None or (before is not None and before.reason == after.reason and old.outcome == new.outcome):
        return None
    reason = Reason(after.reason)
    if reason in _QUIET:
        return None
    return News(reason, _story(new, after.message), warning=reason not in _FINE)


def _story(new: InstanceUpgradeStatus, message: str) -> str:
    if new.outcome is UpgradeOutcome.SUCCEEDED and new.order is not None and new.order.total is not None:
        return f"{message}; invoice {new.order.invoice_id} of {new.order.total} USD was paid"
    return message
