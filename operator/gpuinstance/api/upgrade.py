"""The custom resource InstanceUpgrade, version v1alpha1: one paid or disruptive change, run once.

What a person writes is here, what the operator writes is in `upgrade_status`. A spec cannot change once
it is applied, but for the three fields by which a person takes part: the payment that was made, the
confirmation, the wish to cancel.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import ConfigDict, Field, WithJsonSchema

from gpuinstance.api.base import ApiModel, Duration, ObjectName, cel, list_map
from gpuinstance.api.parts import EnvVar, PortSpec
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.api.upgrade_words import Confirmation, VerifyFailurePolicy
from gpuinstance.api.v1alpha1 import ObjectMeta

UPGRADE_KIND = "InstanceUpgrade"
UPGRADE_PLURAL = "instanceupgrades"

Total = Annotated[Decimal, WithJsonSchema({"type": "number", "minimum": 0})]
"""US dollars."""

_ONCE = "an upgrade runs once, so {} cannot be changed: create another InstanceUpgrade"


class InstanceRef(ApiModel):
    """Names the instance that is changed."""

    name: ObjectName = Field(description="Name of a GPUInstance in the same namespace.")


class PlanTarget(ApiModel):
    """Another plan at Hostwinds, by its id, its sizes, or both for a custom plan."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "has(self.id) || has(self.ram) || has(self.cpu) || has(self.disk)",
                "a plan needs an id, or at least one of ram, cpu and disk",
            ),
            (
                "!has(self.bandwidth) || has(self.id)",
                "bandwidth is chosen together with the id of a custom plan: add id",
            ),
        )
    )

    id: Annotated[str, Field(min_length=1, max_length=63)] | None = Field(
        None, description="The provider's id of the plan (`rid`), as a product's id in a GPUInstance."
    )
    ram: Annotated[int, Field(ge=1, le=4194304)] | None = Field(None, description="Memory in MB.")
    cpu: Annotated[int, Field(ge=1, le=1024)] | None = Field(None, description="CPU cores.")
    disk: Annotated[int, Field(ge=1, le=1048576)] | None = Field(None, description="Disk in GB.")
    bandwidth: Annotated[int, Field(ge=1, le=1048576)] | None = Field(
        None, description="Traffic, in the provider's unit; only together with a custom plan's id."
    )


class ImageTarget(ApiModel):
    """Other software at Novita: the machine is reset to it, and all of these fields are sent anew."""

    image: Annotated[str, Field(min_length=1, max_length=500)] = Field(
        description="Container image with registry and tag."
    )
    registry_auth_id: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None, alias="registryAuthID", description="Id of registry credentials stored at the provider."
    )
    command: Annotated[str, Field(max_length=2047)] | None = Field(None, description="Start command of the container.")
    entrypoint: Annotated[str, Field(max_length=2047)] | None = Field(
        None, description="Replaces the image's entrypoint."
    )
    env: Annotated[list[EnvVar], Field(max_length=100, json_schema_extra=list_map("name"))] | None = Field(
        None, description="Environment variables; what is not repeated here is gone afterwards."
    )
    keep_data: bool = Field(True, description="Whether the root disk keeps its data.")


class MonthlyBilling(ApiModel):
    """Monthly payment at Novita, ahead and for a term."""

    mode: Annotated[str, Field(json_schema_extra={"enum": ["Monthly"]})] = Field(
        "Monthly", description="Only `Monthly`: the provider offers no way back."
    )
    months: Annotated[int, Field(ge=1, le=36)] = Field(description="Term, in months.")


class Target(ApiModel):
    """What the machine is to become; exactly one field."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                (
                    "[has(self.plan), has(self.image), has(self.rootfsExpandGB), has(self.ports), has(self.billing)]"
                    ".filter(given, given).size() == 1"
                ),
                "exactly one of plan, image, rootfsExpandGB, ports and billing is required",
            ),
        )
    )

    plan: PlanTarget | None = Field(
        None, description="Hostwinds: another plan, which is ordered, invoiced, paid, resized and confirmed."
    )
    image: ImageTarget | None = Field(None, description="Novita: reset the machine to other software.")
    rootfs_expand_gb: Annotated[int, Field(ge=1, le=6144)] | None = Field(
        None, alias="rootfsExpandGB", description="Novita: grow the root disk by so many GB."
    )
    ports: (
        Annotated[
            list[PortSpec],
            Field(
                max_length=15,
                json_schema_extra=list_map("port")
                | cel(
                    (
                        "self.all(p, !has(p.name) || self.exists_one(q, has(q.name) && q.name == p.name))",
                        "names of ports must be unique",
                    ),
                ),
            ),
        ]
        | None
    ) = Field(None, description="Novita: publish these ports instead.")
    billing: MonthlyBilling | None = Field(None, description="Novita: pay monthly from now on.")


class Payment(ApiModel):
    """How much may be paid, how long to wait for it, and the word that it was."""

    timeout: Duration = Field(
        timedelta(hours=72), description="From the order: without payment by then the upgrade has failed. Default: 72h."
    )
    max_total: Total | None = Field(
        None,
        description=(
            "US dollars. A plan or an invoice above it ends the upgrade before anything is applied. "
            "Checked before the order as far as the price list tells, and again on the invoice."
        ),
    )
    confirmed_invoice_id: Annotated[str, Field(min_length=1, max_length=63)] | None = Field(
        None,
        alias="confirmedInvoiceID",
        description=(
            "Says that this invoice is paid: the id in `status.order.invoiceID`. Set by a person, a Git commit or a "
            "billing system. Only this, or the provider's own word, counts as payment."
        ),
    )


class InstanceUpgradeSpec(ApiModel):
    """One change to one instance."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("self.instanceRef == oldSelf.instanceRef", _ONCE.format("instanceRef")),
            ("self.target == oldSelf.target", _ONCE.format("target")),
            (
                (
                    "has(self.confirmation) == has(oldSelf.confirmation) && "
                    "(!has(self.confirmation) || self.confirmation == oldSelf.confirmation)"
                ),
                _ONCE.format("confirmation"),
            ),
            (
                (
                    "has(self.onVerifyFailure) == has(oldSelf.onVerifyFailure) && "
                    "(!has(self.onVerifyFailure) || self.onVerifyFailure == oldSelf.onVerifyFailure)"
                ),
                _ONCE.format("onVerifyFailure"),
            ),
            (
                (
                    "(has(self.payment) && has(self.payment.maxTotal)) == "
                    "(has(oldSelf.payment) && has(oldSelf.payment.maxTotal)) && "
                    "(!has(self.payment) || !has(self.payment.maxTotal) || "
                    "self.payment.maxTotal == oldSelf.payment.maxTotal)"
                ),
                _ONCE.format("payment.maxTotal"),
            ),
            (
                (
                    "(has(self.payment) && has(self.payment.timeout) ? self.payment.timeout : '72h') == "
                    "(has(oldSelf.payment) && has(oldSelf.payment.timeout) ? oldSelf.payment.timeout : '72h')"
                ),
                _ONCE.format("payment.timeout"),
            ),
            (
                (
                    "has(self.ttlAfterFinished) == has(oldSelf.ttlAfterFinished) && "
                    "(!has(self.ttlAfterFinished) || self.ttlAfterFinished == oldSelf.ttlAfterFinished)"
                ),
                _ONCE.format("ttlAfterFinished"),
            ),
            (
                "!has(oldSelf.confirm) || !oldSelf.confirm || (has(self.confirm) && self.confirm)",
                "confirm cannot be taken back",
            ),
            (
                "!has(oldSelf.cancel) || !oldSelf.cancel || (has(self.cancel) && self.cancel)",
                "cancel cannot be taken back: create another InstanceUpgrade",
            ),
        )
    )

    instance_ref: InstanceRef = Field(description="The instance. One upgrade of it runs at a time, later ones queue.")
    target: Target = Field(description="What its machine is to become.")
    payment: Payment = Field(default_factory=Payment, description="Limits and confirmation of the payment.")
    confirmation: Confirmation = Field(
        Confirmation.AUTOMATIC,
        description=(
            "Who keeps the new sizes: `Automatic` confirms once the instance's health checks pass; `Manual` waits for "
            "`confirm: true`."
        ),
    )
    on_verify_failure: VerifyFailurePolicy = Field(
        VerifyFailurePolicy.REVERT,
        description=(
            "When the health checks do not pass in the instance's `maxWaitSeconds` after the resize: `Revert` gives "
            "the machine its old sizes back; `Hold` waits for health or for `confirm: true`. Default: Revert."
        ),
    )
    confirm: bool = Field(False, description="Keep the new sizes, whatever the health checks say.")
    cancel: bool = Field(
        False, description="Do not go on. Effective until payment is known; refused in words afterwards."
    )
    ttl_after_finished: Duration | None = Field(
        None, description="Remove this object so long after it has ended, e.g. `24h`. Absent: it is kept."
    )


class InstanceUpgrade(ApiModel):
    """One paid or disruptive change to one instance, run once."""

    metadata: ObjectMeta
    spec: InstanceUpgradeSpec
    status: InstanceUpgradeStatus = Field(default_factory=InstanceUpgradeStatus)
