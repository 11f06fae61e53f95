"""What a person writes: `spec` of a GPUInstance.

Field descriptions are what `kubectl explain` prints. Rules that the schema can know are refused by
the API server (limits and CEL, below); what only the provider knows becomes a condition.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from gpuinstance.api.base import ApiModel, cel, list_map
from gpuinstance.api.connection import CONNECTION_RULES, Connection
from gpuinstance.api.expiry import Expiry
from gpuinstance.api.health import HealthCheck
from gpuinstance.api.hostwinds import ELSEWHERE, HOSTWINDS_RULES, Hostwinds
from gpuinstance.api.notifications import Destinations
from gpuinstance.api.parts import (
    Actions,
    Adopt,
    Billing,
    CredentialsRef,
    EnvVar,
    NetworkVolume,
    PortSpec,
    Product,
    Recovery,
    Timeouts,
)
from gpuinstance.api.words import DeletionPolicy, DriftPolicy, Management, PowerState, ProviderName

DEFAULT_ROOTFS_GB = 60
"""Novita bills a root disk only above this size (its pricing page)."""


_TEMPLATE_PORTS = f"(!has(self.ports) && has(self.templateID) && {ELSEWHERE})"
"""In CEL: the ports are those of a template, which only the provider knows. Hostwinds' templates have none."""


class GPUInstanceSpec(ApiModel):
    """The machine that you want."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("has(self.image) != has(self.templateID)", "exactly one of image and templateID is required"),
            (
                "!has(oldSelf.rootfsSizeGB) || (has(self.rootfsSizeGB) && self.rootfsSizeGB >= oldSelf.rootfsSizeGB)",
                "rootfsSizeGB can grow but never shrink or be removed: the provider cannot shrink a disk",
            ),
            (
                (
                    f"!has(self.healthCheck) || !has(self.healthCheck.endpoints) || {_TEMPLATE_PORTS} || "
                    "self.healthCheck.endpoints.all(e, has(self.ports) && self.ports.exists(p, p.port == e.port))"
                ),
                "every port in healthCheck.endpoints must be listed in ports",
            ),
            (
                (
                    "!has(self.healthCheck) || !has(self.healthCheck.targetPort) || has(self.healthCheck.endpoints) || "
                    f"{_TEMPLATE_PORTS} || "
                    "(has(self.ports) && self.ports.exists(p, p.port == self.healthCheck.targetPort))"
                ),
                "healthCheck.targetPort must be listed in ports",
            ),
            (
                "!has(self.adopt) || (has(oldSelf.adopt) && self.adopt == oldSelf.adopt)",
                "adopt is for new objects and cannot be changed: create another GPUInstance to adopt a machine",
            ),
            (
                "has(self.adopt) || !has(oldSelf.adopt) || has(self.management)",
                "without adopt management is Full: set management, so that control is not taken by accident",
            ),
            *HOSTWINDS_RULES,
            *CONNECTION_RULES,
        )
    )

    provider: ProviderName = Field(
        description="The cloud that runs the machine. Cannot be changed.",
        json_schema_extra=cel(
            ("self == oldSelf", "provider cannot be changed: delete the instance and create another")
        ),
    )
    credentials_ref: CredentialsRef | None = Field(
        None,
        description=(
            "The Secret with the API key. Default: `<provider>-credentials` in the same "
            "namespace, else the operator's shared credentials if they allow this namespace."
        ),
    )
    power_state: PowerState = Field(
        PowerState.RUNNING,
        description=(
            "Whether the machine should be up. `Stopped` ends GPU billing; the disk is still "
            "billed, and the provider may sell the GPU meanwhile. At Hostwinds all of it is billed as before."
        ),
    )
    suspend: bool = Field(
        False,
        description=(
            "If true the operator looks but changes nothing at the provider, except for deletion."
            " Shown as condition Paused."
        ),
    )
    product: Product = Field(description="Which kind of machine to buy.")
    regions: Annotated[list[Annotated[str, Field(min_length=1, max_length=255)]], Field(max_length=20)] | None = Field(
        None,
        description=(
            "Names or ids of regions in order of preference; the first that has the product is taken. Empty: anywhere."
        ),
    )
    gpu_count: Annotated[int, Field(ge=1, le=8)] = Field(1, description="Number of GPUs.")
    rootfs_size_gb: Annotated[int, Field(ge=10, le=1000)] | None = Field(
        None,
        alias="rootfsSizeGB",
        description=(
            "Size of the root disk in GB, 10-1000; may grow later, never shrink. Default: the template's, else 60."
        ),
    )
    image: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        None, description=("Container image with registry and tag. Exactly one of `image` and `templateID`.")
    )
    template_id: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None,
        alias="templateID",
        description=(
            "A template of the provider. At Novita the operator expands it: image, command, ports, environment and "
            "disk come from it, and what the spec gives itself wins. Hostwinds installs it on the machine's disk; a "
            "change there takes effect with a new token in `actions.reinstall`."
        ),
    )
    registry_auth_id: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None,
        alias="registryAuthID",
        description=("Id of registry credentials stored at the provider, for a private image."),
    )
    command: Annotated[str, Field(max_length=2047)] | None = Field(None, description="Start command of the container.")
    entrypoint: Annotated[str, Field(max_length=2047)] | None = Field(
        None, description="Replaces the image's entrypoint."
    )
    min_cuda_version: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None, description=("Lowest CUDA version that the machine's driver must support, e.g. `12.4`.")
    )
    env: Annotated[list[EnvVar], Field(max_length=100, json_schema_extra=list_map("name"))] | None = Field(
        None, description="Environment variables."
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
    ) = Field(None, description=("Ports to publish, 15 at most. With a template: replaces the template's ports."))
    network_volumes: (
        Annotated[list[NetworkVolume], Field(max_length=30, json_schema_extra=list_map("mountPath"))] | None
    ) = Field(None, description="Network volumes to mount, 30 at most.")
    billing: Billing = Field(
        default_factory=Billing, description=("How the machine is paid for. Default: OnDemand, without a price cap.")
    )
    health_check: HealthCheck = Field(
        default_factory=HealthCheck,
        description=(
            "When the application counts as serving. Default: every exposed http port answers and"
            " every tcp port accepts a connection."
        ),
    )
    timeouts: Timeouts = Field(default_factory=Timeouts, description="How long each step may take.")
    recovery: Recovery = Field(
        default_factory=Recovery,
        description="What the operator does by itself about a machine in trouble. Default: it only reports.",
    )
    deletion_policy: DeletionPolicy = Field(
        DeletionPolicy.DELETE,
        description=(
            "What happens to the machine when this object is deleted: `Delete` removes it and "
            "waits until the provider shows it gone; `Stop` stops and keeps it; `Orphan` leaves "
            "it as it is, running and billed."
        ),
    )
    deletion_protection: bool = Field(False, description=("While true, the API server refuses to delete this object."))
    expiry: Expiry | None = Field(
        None,
        description=(
            "When the machine has served, and is stopped or deleted. Only with management Full. Default: never."
        ),
    )
    drift: DriftPolicy = Field(
        DriftPolicy.WARN,
        description=(
            "When somebody changes image or ports at the provider: `Observe` ignores it, `Warn` shows it in "
            "`status.differences` and condition Synced, `Correct` changes it back, the same at most every ten minutes."
        ),
    )
    adopt: Adopt | None = Field(
        None,
        description=(
            "Take over a machine that exists instead of buying one. It is only observed at first, and what differs "
            "from the spec is shown in `status.differences`; `management: Full` takes control."
        ),
    )
    management: Management | None = Field(
        None,
        description=(
            "`Full` keeps the machine as the spec says; `Observe` shows it and changes nothing, also when this object "
            "is deleted. Default: Full, with `adopt` Observe."
        ),
    )
    hostwinds: Hostwinds | None = Field(
        None, description="What only Hostwinds has; required for provider `hostwinds`, and only there."
    )
    connection: Connection | None = Field(
        None,
        description=(
            "Publishes a Secret with all that is needed to reach the machine, and a Service by whose name pods of the "
            "cluster reach its ports. Absent: nothing is published; `{}` takes the names from this object's."
        ),
    )
    notifications: Destinations | None = Field(
        None,
        description=(
            "Who is told what happens to this instance and its upgrades, by webhooks that are signed as Standard "
            "Webhooks specifies; 5 at most."
        ),
    )
    actions: Actions = Field(default_factory=Actions, description="Operations that run once for each new token.")

    @property
    def managed(self) -> Management:
        """How much of the machine is the operator's business, defaults included."""
        return self.management or (Management.OBSERVE if self.adopt is not None else Management.FULL)
