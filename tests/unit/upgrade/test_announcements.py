"""What is told of an upgrade: where it waits for somebody, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.api.notifications import NotificationEvent as It
from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Condition
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus, OrderStatus
from gpuinstance.api.upgrade_words import UpgradeOutcome, UpgradePhase
from gpuinstance.api.words import ConditionStatus
from gpuinstance.core.upgrade.announcements import upgrade_announcements
from tests.materials import NOW

ORDER = OrderStatus(id="98", order_id="550", invoice_id="416", total="4.00", due_date="2027-02-01")


def said(reason: Reason, phase: UpgradePhase, **fields: Any) -> InstanceUpgradeStatus:
    ready = Condition(
        type="Ready",
        status=ConditionStatus.FALSE,
        reason=reason,
        message="a provider's words",
        observed_generation=1,
        last_transition_time=NOW,
    )
    return InstanceUpgradeStatus(observed_generation=1, phase=phase, conditions=[ready], **fields)


NEW = InstanceUpgradeStatus()
ORDERING = said(Reason.ORDERING, UpgradePhase.ORDERING)
UNPAID = said(Reason.AWAITING_PAYMENT, UpgradePhase.AWAITING_PAYMENT, order=ORDER)
APPLYING = said(Reason.APPLYING, UpgradePhase.APPLYING, order=ORDER)
UNCONFIRMED = said(Reason.AWAITING_CONFIRMATION, UpgradePhase.AWAITING_CONFIRMATION, order=ORDER)
DONE = said(Reason.COMPLETED, UpgradePhase.COMPLETED, outcome=UpgradeOutcome.SUCCEEDED, order=ORDER)
UNDONE = said(Reason.REVERTED, UpgradePhase.REVERTED, outcome=UpgradeOutcome.FAILED, order=ORDER)
CANCELLED = said(Reason.CANCELLED, UpgradePhase.CANCELLED, outcome=UpgradeOutcome.CANCELLED)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(NEW, ORDERING, [], id="it begins"),
        pytest.param(ORDERING, UNPAID, [It.UPGRADE_AWAITING_PAYMENT], id="somebody has to pay"),
        pytest.param(UNPAID, UNPAID, [], id="still"),
        pytest.param(UNPAID, APPLYING, [], id="paid"),
        pytest.param(APPLYING, UNCONFIRMED, [It.UPGRADE_AWAITING_CONFIRMATION], id="somebody has to confirm"),
        pytest.param(UNCONFIRMED, DONE, [It.UPGRADE_COMPLETED], id="done"),
        pytest.param(UNCONFIRMED, UNDONE, [It.UPGRADE_FAILED], id="undone"),
        pytest.param(UNPAID, CANCELLED, [It.UPGRADE_CANCELLED], id="cancelled"),
        pytest.param(DONE, DONE.model_copy(update={"observed_generation": 2}), [], id="its end is told once"),
    ],
)
def test_each_step_that_concerns_somebody_is_told(
    before: InstanceUpgradeStatus, after: InstanceUpgradeStatus, told: list[It]
) -> None:
    """Once, when it comes."""
    assert [it.event for it in upgrade_announcements("web", before, after)] == told


def test_facts_name_instance_and_invoice() -> None:
    """Enough to pay it, and no words of a provider."""
    (unpaid,) = upgrade_announcements("web", ORDERING, UNPAID)
    assert unpaid.facts.model_dump(exclude_none=True) == {
        "generation": 1,
        "phase": "AwaitingPayment",
        "previous_phase": "Ordering",
        "reason": "AwaitingPayment",
        "instance": "web",
        "order": {"invoice_id": "416", "total": "4.00"},
    }
