"""The closed sets of words of an InstanceUpgrade."""

from __future__ import annotations

from enum import StrEnum


class Confirmation(StrEnum):
    """Who decides that the new sizes are kept."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class VerifyFailurePolicy(StrEnum):
    """What to do when the machine does not become healthy with its new sizes."""

    REVERT = "Revert"
    HOLD = "Hold"


class UpgradePhase(StrEnum):
    """A one-word summary for people; the operator never reads it back."""

    PENDING = "Pending"
    VALIDATING = "Validating"
    ORDERING = "Ordering"
    AWAITING_PAYMENT = "AwaitingPayment"
    APPLYING = "Applying"
    RESIZING = "Resizing"
    AWAITING_CONFIRMATION = "AwaitingConfirmation"
    CONFIRMING = "Confirming"
    REVERTING = "Reverting"
    VERIFYING = "Verifying"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    REVERTED = "Reverted"


class UpgradeOutcome(StrEnum):
    """How the upgrade has ended; absent while it goes on."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


class CallType(StrEnum):
    """The calls of the saga that change something at the provider."""

    ORDER = "Order"
    """Makes an order and an invoice."""
    APPLY = "Apply"
    """Begins the change itself."""
    CONFIRM = "Confirm"
    REVERT = "Revert"


class CallPhase(StrEnum):
    """What is known about the call in flight."""

    INITIATED = "initiated"
    """The intent is saved; whether the provider has taken it on is found out by looking."""
    ACCEPTED = "accepted"
    """The provider has said so, or its effect was seen."""
    REFUSED = "refused"
    """A definite no, or provably never sent: nothing happened."""


class UpgradeCondition(StrEnum):
    """The conditions of an InstanceUpgrade, in the order in which they are shown."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    ACTION_REQUIRED = "ActionRequired"
    ACCEPTED = "Accepted"
    ORDERED = "Ordered"
    PAID = "Paid"
    APPLIED = "Applied"
    CONFIRMED = "Confirmed"
