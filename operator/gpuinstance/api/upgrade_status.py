"""What the operator writes: `status` of an InstanceUpgrade, the only store of the saga.

A restarted operator continues from the recorded milestones and the one call in flight. No field holds a
secret or an answer's body, and none changes while nothing happens.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gpuinstance.api.base import ApiModel, Time, list_map
from gpuinstance.api.notifications import Outbox, Troubles
from gpuinstance.api.status import Condition, OperationError
from gpuinstance.api.upgrade_words import CallPhase, CallType, UpgradeOutcome, UpgradePhase
from gpuinstance.api.words import BillingMode


class UpgradedInstance(ApiModel):
    """The instance and the machine that the upgrade is about, noted when it was accepted."""

    uid: str = Field(description="The GPUInstance's uid: another object of the same name is not meant.")
    machine_id: str = Field(alias="machineID", description="The provider's id of the machine.")


class UpgradeCall(ApiModel):
    """The one call in flight: its intent is saved before the provider is called."""

    id: str = Field(description="Unique for this object.")
    type: CallType = Field(description="Order, Apply, Confirm or Revert.")
    phase: CallPhase = Field(description="initiated, accepted or refused.")
    attempt: int = Field(description="How often it was sent.")
    started_at: Time = Field(description="When the intent was saved.")
    accepted_at: Time | None = Field(None, description="When it was known to have arrived.")
    seen_changing: bool = Field(False, description="Whether the machine was seen at work since.")
    failures: int = Field(0, description="Refused calls in a row.")
    retry_at: Time | None = Field(None, description="Not tried again before this moment.")
    error: OperationError | None = Field(None, description="The last thing that went wrong.")


class OrderStatus(ApiModel):
    """The upgrade order at the provider."""

    id: str = Field(description="The provider's id of the upgrade order.")
    order_id: str = Field(alias="orderID", description="The id of the order in the billing system.")
    invoice_id: str = Field(alias="invoiceID", description="The invoice to be paid.")
    total: str | None = Field(None, description="What it costs, in US dollars.")
    due_date: str | None = Field(None, description="As the provider writes it.")


class MachineShape(ApiModel):
    """What a machine is, before or after."""

    product_id: str | None = Field(None, alias="productID", description="The provider's id of the product or plan.")
    product_name: str | None = Field(None, description="Name of the product or plan.")
    ram_mb: int | None = Field(None, alias="ramMB", description="Memory in MB.")
    cpu: int | None = Field(None, description="Number of CPUs.")
    disk_gb: int | None = Field(None, alias="diskGB", description="Disk of the plan in GB.")
    image: str | None = Field(None, description="Container image, or operating system.")
    ports: str | None = Field(None, description="As `22/tcp,80/http`, sorted.")
    hourly_price: str | None = Field(
        None, description="US dollars per hour that it will cost, by the price list when the upgrade began."
    )
    rootfs_size_gb: int | None = Field(None, alias="rootfsSizeGB", description="Size of the root disk in GB.")
    billing_mode: BillingMode | None = Field(None, description="How the machine is paid for.")
    started_at: Time | None = Field(None, description="When the provider started it, by its own clock.")


class InstanceUpgradeStatus(ApiModel):
    """What is true of the upgrade."""

    observed_generation: int = Field(
        -1, description="The generation of the spec that this status was computed from; -1: not seen yet."
    )
    phase: UpgradePhase | None = Field(
        None, description="A one-word summary for people. Scripts should wait for conditions or `outcome`."
    )
    outcome: UpgradeOutcome | None = Field(
        None, description="How the upgrade has ended: Succeeded, Failed or Cancelled. Absent while it goes on."
    )
    conditions: Annotated[list[Condition], Field(json_schema_extra=list_map("type"))] = Field(
        default_factory=list,
        description=(
            "Ready (True: completed) always; Reconciling, Stalled and ActionRequired only while True; Accepted, "
            "Ordered, Paid, Applied and Confirmed from the moment that each step can be told."
        ),
    )
    instance: UpgradedInstance | None = Field(None, description="What is being upgraded.")
    target_summary: str | None = Field(None, description="What the machine is to become, in a few words for people.")
    target: MachineShape | None = Field(None, description="What the machine is to become, as the provider sells it.")
    before: MachineShape | None = Field(None, description="What the machine was.")
    after: MachineShape | None = Field(None, description="What the machine became.")
    order: OrderStatus | None = Field(None, description="The order and its invoice, once they are known.")
    call: UpgradeCall | None = Field(None, description="The one call in flight, or the last one.")
    payment_deadline: Time | None = Field(None, description="When waiting for the payment ends.")
    accepted_at: Time | None = Field(None, description="When it was validated, and its first call decided on.")
    ordered_at: Time | None = Field(None, description="When the order was first seen.")
    paid_at: Time | None = Field(None, description="When payment was positively known.")
    applied_at: Time | None = Field(None, description="When the change was known to be under way.")
    resized_at: Time | None = Field(None, description="When the machine was first seen with its new sizes.")
    confirmed_at: Time | None = Field(None, description="When the new sizes were kept for good.")
    completed_at: Time | None = Field(None, description="When the upgrade ended, well or not.")
    pending_notifications: Outbox = Field(
        default_factory=list,
        description="What is still to be told to the instance's `spec.notifications`, the oldest first; 20 at most.",
    )
    notification_troubles: Troubles = Field(
        default_factory=list, description="Destinations of notifications that do not get what they should."
    )

    def condition(self, type_: str) -> Condition | None:
        """Return the condition of that type, or None."""
        return next((c for c in self.conditions if c.type == type_), None)

    @property
    def holds_machine(self) -> bool:
        """True from the saved intent to change the machine until the end: the instance's own work yields.

        A call that was surely refused has changed nothing, so that it holds nothing either.
        """
        if self.completed_at is not None:
            return False
        call = self.call
        sent = call is not None and call.type is not CallType.ORDER and call.phase is not CallPhase.REFUSED
        return self.applied_at is not None or sent

    @property
    def has_begun(self) -> bool:
        """True from the first saved intent until the end: other upgrades of the instance wait."""
        return self.accepted_at is not None and self.completed_at is None
