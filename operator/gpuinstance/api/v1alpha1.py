"""The custom resource GPUInstance, version v1alpha1, as one object, and its names in Kubernetes."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from gpuinstance.api.base import ApiModel
from gpuinstance.api.spec import GPUInstanceSpec
from gpuinstance.api.status import GPUInstanceStatus

GROUP = "gpuinstance.dev"
VERSION = "v1alpha1"
KIND = "GPUInstance"
PLURAL = "gpuinstances"
FINALIZER = "gpuinstance.dev/machine"


class ObjectMeta(ApiModel):
    """The part of Kubernetes' metadata that the operator reads."""

    name: str
    namespace: str
    uid: str
    resource_version: str = ""
    generation: int = 1
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    finalizers: tuple[str, ...] = ()
    annotations: dict[str, str] = Field(default_factory=dict)


class GPUInstance(ApiModel):
    """A GPU machine at a cloud provider, kept as its spec says."""

    metadata: ObjectMeta
    spec: GPUInstanceSpec
    status: GPUInstanceStatus = Field(default_factory=GPUInstanceStatus)
