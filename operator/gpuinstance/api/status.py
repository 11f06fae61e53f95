"""What the operator writes: `status` of a GPUInstance, its only store.

A restarted operator continues from here and from what the provider shows. No field holds a secret,
a password or an answer's body, and none changes while nothing happens.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gpuinstance.api.base import ApiModel, Time, list_map
from gpuinstance.api.connection import ConnectionStatus
from gpuinstance.api.expiry import ExpiryStatus
from gpuinstance.api.notifications import Outbox, Troubles
from gpuinstance.api.words import (
    BillingMode,
    ConditionStatus,
    ErrorCategory,
    OperationPhase,
    OperationType,
    Outcome,
    OverallHealth,
    Phase,
    PortProtocol,
    PowerState,
)


class Condition(ApiModel):
    """One standard Kubernetes condition."""

    type: Annotated[str, Field(max_length=316)] = Field(
        description="Ready, Reconciling, Stalled, Synced, Healthy or Paused."
    )
    status: ConditionStatus = Field(description="True, False or Unknown.")
    reason: Annotated[str, Field(max_length=1024)] = Field(description="One word out of a closed, documented list.")
    message: Annotated[str, Field(max_length=32768)] = Field(description="What is the matter, and what to do about it.")
    observed_generation: int = Field(description="The generation of the spec that this was computed from.")
    last_transition_time: Time = Field(description="When `status` last changed.")


class OperationError(ApiModel):
    """What went wrong in an operation."""

    code: str = Field(description="A reason from the closed list.")
    category: ErrorCategory = Field(description="Retryable, NeedsPerson or UnknownOutcome.")
    retryable: bool = Field(description="Whether the operator tries again by itself.")
    message: str = Field(description="In words.")


class OperationTimes(ApiModel):
    """When an operation reached each phase."""

    initiated_at: Time | None = Field(None, description="When the intent was saved.")
    monitoring_at: Time | None = Field(None, description="When the provider had accepted the call.")
    changing_at: Time | None = Field(
        None, description="When the provider was first seen at work on a machine that is restarted or made anew."
    )
    running_at: Time | None = Field(None, description="When the machine was first seen running.")
    health_checking_at: Time | None = Field(None, description="When the health checks began.")
    completed_at: Time | None = Field(None, description="When it had ended well.")
    failed_at: Time | None = Field(None, description="When it had failed.")


class Operation(ApiModel):
    """The one piece of work in flight: the intent, saved before the provider is called."""

    id: str = Field(description="Unique for this object.")
    type: OperationType = Field(description="What is being done.")
    attempt: int = Field(
        description=("For a create: the number in the machine's name. Otherwise how often the call was sent.")
    )
    phase: OperationPhase = Field(description=("initiated, monitoring, healthChecking, completed or failed."))
    generation: int = Field(description="The generation of the spec that asked for it.")
    token: str | None = Field(None, description="The action token that asked for it.")
    target: str | None = Field(None, description="What a reinstall brings about, as in `applied`.")
    started_at: Time = Field(description="When the intent was saved.")
    deadline: Time = Field(description="When the operation counts as timed out.")
    machine_started_at: Time | None = Field(
        None, description="The machine's own start time when the operation began; a later one proves a restart."
    )
    machine_changed_at: Time | None = Field(
        None,
        description=(
            "When the provider had last noted a change of the machine as it was about to be made anew; a later one "
            "shows that a call without an answer has arrived."
        ),
    )
    hourly_price: str | None = Field(
        None,
        description=(
            "Of a replacement: US dollars per hour that the machine will cost that is bought afterwards. It counts in "
            "the namespace's budget from now on."
        ),
    )
    phases: OperationTimes = Field(default_factory=OperationTimes, description="When each phase was reached.")
    failures: int = Field(0, description="Refused calls in a row.")
    retry_at: Time | None = Field(None, description=("Not tried again before this moment, unless the spec changes."))
    error: OperationError | None = Field(None, description="The last thing that went wrong.")


class InstanceStatus(ApiModel):
    """The machine at the provider."""

    id: str | None = Field(None, description="The provider's id.")
    name: str = Field(description=("The machine's name at the provider, derived from this object's uid."))
    product_id: str | None = Field(None, alias="productID", description="The product that was bought.")
    product_name: str | None = Field(None, description="The product's name.")
    region: str | None = Field(None, description="Where it runs.")
    hourly_price: str | None = Field(
        None,
        description="US dollars per hour, all GPUs together, when it was bought, or when its price was last asked.",
    )
    billing_mode: BillingMode | None = Field(
        None, description="How it is paid for. Absent at Hostwinds: there `spec.hostwinds.billingCycle` says it."
    )
    image: str | None = Field(
        None, description="What the provider showed as its image when it last became ready; another one is drift."
    )
    upgraded_by: str | None = Field(
        None, description="Uid of the InstanceUpgrade that last changed it away from the spec; see condition Synced."
    )
    priced_by: str | None = Field(
        None, description="Uid of the InstanceUpgrade after whose failure its price was last found out anew."
    )
    last_upgrade_ended_at: Time | None = Field(
        None,
        description="When the last InstanceUpgrade ended of the two above; one that ended before tells nothing more.",
    )
    state: str | None = Field(None, description="The provider's own word for its state.")
    started_at: Time | None = Field(
        None, description="When the provider started it, by its own clock, before its addresses were learned."
    )


class Difference(ApiModel):
    """One point in which the machine is not as it should be."""

    field: str = Field(description="The field of the spec.")
    wanted: str = Field(description="What should be.")
    found: str = Field(description="What the provider shows.")


class Endpoint(ApiModel):
    """Where one port is published."""

    port: int = Field(description="The port of the spec.")
    protocol: PortProtocol = Field(description="Its protocol, as in the spec.")
    url: str = Field(description="`https://host` for http, `tcp://host:port` for tcp.")


class EndpointHealth(ApiModel):
    """The last word about one endpoint."""

    port: int = Field(description="The port that was asked.")
    healthy: bool = Field(description="Whether the answer was as it should be.")
    error_type: str | None = Field(None, description="Category of the failure.")
    status_code: int | None = Field(None, description="HTTP status that came back.")
    message: str | None = Field(None, description="In words; never a body.")


class HealthStatus(ApiModel):
    """What the health checks found; written only when that changes."""

    overall: OverallHealth = Field(description="Healthy, Partial or Unhealthy.")
    endpoints: Annotated[list[EndpointHealth], Field(json_schema_extra=list_map("port"))] = Field(
        default_factory=list, description="The last word about each endpoint."
    )
    started_at: Time | None = Field(None, description="When checking began after the machine came up.")
    completed_at: Time | None = Field(None, description="When it first became healthy after that.")
    consecutive_successes: int = Field(0, description="Good rounds in a row while not ready, up to successThreshold.")
    consecutive_failures: int = Field(0, description="Failed rounds in a row since it was last healthy.")


class AppliedStatus(ApiModel):
    """What of the spec the operator last brought about; tells a change of the spec from drift."""

    power_state: PowerState | None = None
    ports: str | None = Field(None, description="As `80/http,22/tcp`, sorted.")
    upgraded_ports: str | None = Field(None, description="Ports that an InstanceUpgrade published instead.")
    rootfs_size_gb: int | None = Field(None, alias="rootfsSizeGB", description="Size of the root disk in GB.")
    software: str | None = Field(
        None, description=("Fingerprint of image, command, environment and mounts as written in the spec.")
    )
    hardware: str | None = Field(
        None, description=("Fingerprint of product, GPU count, billing, CUDA version and place as written in the spec.")
    )
    terms: str | None = Field(
        None, description="Fingerprint of place and billing cycle, where an upgrade cannot change them either."
    )


class HandledActions(ApiModel):
    """The tokens of `spec.actions` that have been carried out."""

    restart: str | None = Field(None, description="Token of the last restart.")
    recreate: str | None = Field(None, description="Token of the last replacement.")
    reinstall: str | None = Field(None, description="Token of the last reinstallation.")
    regenerate_networking: str | None = Field(None, description="Token of the last new setup of the network.")


class GPUInstanceStatus(ApiModel):
    """What is true of the instance."""

    observed_generation: int = Field(
        -1, description=("The generation of the spec that this status was computed from; -1: not seen yet.")
    )
    phase: Phase | None = Field(
        None, description=("A one-word summary for people. Scripts should wait for conditions or `outcome`.")
    )
    outcome: Outcome | None = Field(
        None,
        description=(
            "How the object has settled: Ready, Stopped, Exited, Failed or Suspended. Absent "
            "while work goes on, so that one `kubectl wait` returns on success and on failure."
        ),
    )
    conditions: Annotated[list[Condition], Field(json_schema_extra=list_map("type"))] = Field(
        default_factory=list, description=("Ready always; Reconciling and Stalled only while True, never both.")
    )
    operation: Operation | None = Field(None, description="The one operation in flight.")
    last_operation: Operation | None = Field(None, description="The operation that ended last.")
    attempts: int = Field(0, description="The highest number used in a machine's name.")
    instance: InstanceStatus | None = Field(None, description="The machine at the provider.")
    applied: AppliedStatus = Field(
        default_factory=AppliedStatus, description="What of the spec was last brought about."
    )
    differences: Annotated[list[Difference], Field(json_schema_extra=list_map("field"))] | None = Field(
        None,
        description="Where the machine was changed by somebody else, or is not as the spec asks and only observed.",
    )
    endpoints: Annotated[list[Endpoint], Field(json_schema_extra=list_map("port"))] | None = Field(
        None, description="Where the ports are published."
    )
    connection: ConnectionStatus | None = Field(None, description="What `spec.connection` has published.")
    health_check: HealthStatus | None = Field(None, description="What the health checks found.")
    handled_actions: HandledActions = Field(
        default_factory=HandledActions, description="Action tokens that have been carried out."
    )
    recovery_attempts: int = Field(0, description="Recovery attempts since the instance was last Ready for a while.")
    last_recovery_at: Time | None = Field(None, description="When the last recovery attempt began.")
    expiry: ExpiryStatus | None = Field(None, description="When the machine has served, as spec.expiry asks.")
    estimated_ready_at: Time | None = Field(None, description="When the running operation is expected to end in Ready.")
    created_at: Time | None = Field(None, description="When the current machine was bought.")
    started_at: Time | None = Field(None, description="When the machine was last seen to come up.")
    ready_at: Time | None = Field(None, description="When Ready last became True.")
    stopped_at: Time | None = Field(None, description="When the machine was last seen down.")
    failed_at: Time | None = Field(None, description="When the object last settled as failed.")
    terminated_at: Time | None = Field(None, description="When the machine was seen to be gone.")
    pending_notifications: Outbox = Field(
        default_factory=list,
        description="What is still to be told to `spec.notifications`, the oldest first; 20 at most.",
    )
    notification_troubles: Troubles = Field(
        default_factory=list, description="Destinations of notifications that do not get what they should."
    )

    def condition(self, type_: str) -> Condition | None:
        """Return the condition of that type, or None."""
        return next((c for c in self.conditions if c.type == type_), None)
