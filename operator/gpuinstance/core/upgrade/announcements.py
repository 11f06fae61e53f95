"""What there is to tell somebody outside about an upgrade: where it waits for a person, and how it ends."""

from __future__ import annotations

from gpuinstance.api.notices import NoticeFacts, NoticeOperation, NoticeOrder
from gpuinstance.api.notifications import NotificationEvent
from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.api.upgrade_words import UpgradeCondition, UpgradeOutcome
from gpuinstance.core.announcements import Announcement

_ASKS = {
    Reason.AWAITING_PAYMENT: NotificationEvent.UPGRADE_AWAITING_PAYMENT,
    Reason.AWAITING_CONFIRMATION: NotificationEvent.UPGRADE_AWAITING_CONFIRMATION,
}
_ENDS = {
    UpgradeOutcome.SUCCEEDED: NotificationEvent.UPGRADE_COMPLETED,
    UpgradeOutcome.FAILED: NotificationEvent.UPGRADE_FAILED,
    UpgradeOutcome.CANCELLED: NotificationEvent.UPGRADE_CANCELLED,
}


def upgrade_announcements(
    instance: str, old: InstanceUpgradeStatus, new: InstanceUpgradeStatus
) -> tuple[Announcement, ...]:
    """Return what is to be told of the step from one status of an upgrade of this instance to the next."""
    if new.outcome is not None:
        events = () if new.outcome is old.outcome else (_ENDS[new.outcome],)
    else:
        reason = _reason(new)
        asks = _ASKS.get(Reason(reason)) if reason is not None and reason != _reason(old) else None
        events = () if asks is None else (asks,)
    return tuple(Announcement(event, _facts(instance, old, new)) for event in events)


def _reason(status: InstanceUpgradeStatus) -> str | None:
    ready = status.condition(UpgradeCondition.READY)
    return ready.reason if ready is not None else None


def _facts(instance: str, old: InstanceUpgradeStatus, new: InstanceUpgradeStatus) -> NoticeFacts:
    call, order = new.call, new.order
    return NoticeFacts(
        generation=new.observed_generation,
        phase=new.phase,
        previous_phase=old.phase if old.phase is not new.phase else None,
        reason=_reason(new),
        operation=NoticeOperation(id=call.id, type=call.type, attempt=call.attempt) if call is not None else None,
        instance=instance,
        machine_id=new.instance.machine_id if new.instance is not None else None,
        order=NoticeOrder(invoice_id=order.invoice_id, total=order.total) if order is not None else None,
    )
