"""Builders that read like sentences: `instance().running().with_ports(80).deleting()`.

For tests of the core: an object as the API server would hold it, machines as a provider would show
them, and the snapshot of both that the rules decide on. Each word returns a new builder, so that a
half-built object can be shared. Nothing here decides what is right; the tests do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.spec import GPUInstanceSpec
from gpuinstance.api.status import AppliedStatus, Condition, GPUInstanceStatus, Operation
from gpuinstance.api.v1alpha1 import FINALIZER, GPUInstance, ObjectMeta
from gpuinstance.api.words import (
    ConditionStatus,
    ConditionType,
    OperationPhase,
    OperationType,
    Outcome,
    Phase,
    PowerState,
)
from gpuinstance.core.desired import (
    format_ports,
    hardware_fingerprint,
    software_fingerprint,
    terms_fingerprint,
    wanted_ports,
)
from gpuinstance.core.model import Machine
from gpuinstance.core.snapshot import Blind, Seen, Snapshot
from tests.materials import (
    HOST,
    IDENTITY,
    IMAGE,
    LIMITS,
    NOW,
    OF_HOSTWINDS,
    UID,
    ago,
    machine,
    operation,
    order,
    port,
    ports,
    product,
    refusal,
    refused,
    region,
    report,
)

__all__ = [
    "HOST",
    "IDENTITY",
    "IMAGE",
    "LIMITS",
    "NOW",
    "OF_HOSTWINDS",
    "UID",
    "InstanceBuilder",
    "ago",
    "blind_snapshot",
    "instance",
    "machine",
    "operation",
    "order",
    "port",
    "ports",
    "product",
    "refusal",
    "refused",
    "region",
    "report",
    "shown_ports_of",
    "snapshot",
]


@dataclass(frozen=True)
class InstanceBuilder:
    """An object in the making."""

    spec_fields: Mapping[str, Any] = field(default_factory=dict)
    status_fields: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    conditions: tuple[tuple[ConditionType, ConditionStatus, Reason], ...] = ()
    bought: bool = False
    """Whether `applied` says that everything in the spec was brought about by a purchase."""

    def build(self) -> GPUInstance:
        """Return the object."""
        spec = GPUInstanceSpec(
            **{"provider": "novita", "product": {"name": "RTX 4090"}, "image": IMAGE} | dict(self.spec_fields)
        )
        metadata = ObjectMeta(
            **{
                "name": "trainer",
                "namespace": "default",
                "uid": UID,
                "resource_version": "7",
                "finalizers": (FINALIZER,),
            }
            | dict(self.metadata)
        )
        fields = dict(self.status_fields)
        if self.bought and "applied" not in fields:
            fields["applied"] = AppliedStatus(
                power_state=PowerState.RUNNING,
                ports=wanted_ports(spec),
                rootfs_size_gb=spec.rootfs_size_gb or 60,
                software=software_fingerprint(spec),
                hardware=hardware_fingerprint(spec),
                terms=terms_fingerprint(spec),
            )
        generation = fields.get("observed_generation", -1)
        conditions = [
            Condition(
                type=kind,
                status=status,
                reason=reason,
                message=str(reason),
                observed_generation=generation,
                last_transition_time=ago(hours=1),
            )
            for kind, status, reason in self.conditions
        ]
        status = GPUInstanceStatus(**{"conditions": conditions} | fields)
        return GPUInstance(metadata=metadata, spec=spec, status=status)

    # What the user wrote ---------------------------------------------------------------------------

    def of_hostwinds(self, **block: Any) -> InstanceBuilder:
        """The spec asks for a server of Hostwinds, in location 1 unless said otherwise."""
        server = {"provider": "hostwinds", "product": {"id": "3"}, "image": None, "template_id": "ubuntu"}
        return self.with_spec(**server, hostwinds={"location_id": 1} | block)

    def with_spec(self, **fields: Any) -> InstanceBuilder:
        """The spec says this, and always did: what was applied agrees."""
        return replace(self, spec_fields={**self.spec_fields, **fields})

    def with_ports(self, *numbers: int | str) -> InstanceBuilder:
        """The spec names these ports: `with_ports(80, "22/tcp")`."""
        named = [str(number) if "/" in str(number) else f"{number}/http" for number in numbers]
        pairs = [text.split("/") for text in named]
        return self.with_spec(ports=[{"port": int(number), "protocol": protocol} for number, protocol in pairs])

    def wanting(self, power_state: PowerState) -> InstanceBuilder:
        """The spec wants this power state."""
        return self.with_spec(power_state=power_state)

    def asking_restart(self, token: str) -> InstanceBuilder:
        """The spec holds a restart token."""
        return self._asking(restart=token)

    def asking_recreate(self, token: str) -> InstanceBuilder:
        """The spec holds a recreate token."""
        return self._asking(recreate=token)

    def asking(self, **tokens: str) -> InstanceBuilder:
        """The spec holds these action tokens."""
        return self._asking(**tokens)

    def _asking(self, **tokens: str) -> InstanceBuilder:
        return self.with_spec(actions={**self.spec_fields.get("actions", {}), **tokens})

    def suspended(self) -> InstanceBuilder:
        """The operator is told to keep its hands off."""
        return self.with_spec(suspend=True)

    def edited(self, **fields: Any) -> InstanceBuilder:
        """The spec was changed after the last pass: what was applied is as before."""
        before = self.build()
        return replace(
            self.with_status(applied=before.status.applied).with_spec(**fields),
            metadata={**self.metadata, "generation": before.metadata.generation + 1},
        )

    # What Kubernetes added ---------------------------------------------------------------------------

    def deleting(self) -> InstanceBuilder:
        """A user has deleted the object; the finalizer holds it."""
        return replace(self, metadata={**self.metadata, "deletion_timestamp": ago(seconds=1)})

    def without_finalizer(self) -> InstanceBuilder:
        """kopf has not reached the object yet."""
        return replace(self, metadata={**self.metadata, "finalizers": ()})

    # What the operator wrote -------------------------------------------------------------------------

    def with_status(self, **fields: Any) -> InstanceBuilder:
        """The status says this."""
        return replace(self, status_fields={**self.status_fields, **fields})

    def after(self, status: GPUInstanceStatus) -> InstanceBuilder:
        """The operator has saved this status."""
        return self.with_status(**dict(status))

    def during(self, current: Operation) -> InstanceBuilder:
        """An operation is in flight."""
        return self.with_status(operation=current)

    def seen(self) -> InstanceBuilder:
        """A pass has written a status; nothing was bought."""
        started = replace(
            self,
            conditions=(
                (ConditionType.READY, ConditionStatus.FALSE, Reason.PENDING),
                (ConditionType.RECONCILING, ConditionStatus.TRUE, Reason.PENDING),
            ),
        )
        return started.with_status(observed_generation=1, phase=Phase.PENDING)

    def creating(self, *, answered: bool = False, named: bool = True, began: datetime = NOW) -> InstanceBuilder:
        """The intent of a purchase is saved; `answered` by the provider, which has `named` machine m-1."""
        phase = OperationPhase.MONITORING if answered else OperationPhase.INITIATED
        started = replace(self.seen(), bought=True).during(operation(OperationType.CREATE, phase, began=began))
        recorded = {"id": "m-1" if answered and named else None, "name": IDENTITY.name(1), "product_name": "RTX 4090"}
        return started.with_status(phase=Phase.CREATING, attempts=1, instance=recorded)

    def with_machine(self) -> InstanceBuilder:
        """Machine m-1 is recorded and no operation is in flight; Ready is False."""
        recorded = {"id": "m-1", "name": IDENTITY.name(1), "product_name": "RTX 4090", "state": "running"}
        started = replace(self.seen(), bought=True)
        return started.with_status(attempts=1, instance=recorded, phase=Phase.RUNNING, started_at=ago(hours=1))

    def running(self) -> InstanceBuilder:
        """Machine m-1 runs and the object is Ready."""
        started = replace(
            self.with_machine(),
            conditions=(
                (ConditionType.READY, ConditionStatus.TRUE, Reason.READY),
                (ConditionType.SYNCED, ConditionStatus.TRUE, Reason.SYNCED),
                (ConditionType.HEALTHY, ConditionStatus.TRUE, Reason.HEALTHY),
            ),
        )
        return started.with_status(phase=Phase.READY, outcome=Outcome.READY, ready_at=ago(minutes=50))

    def serving_at(self, host: str, *numbers: int) -> InstanceBuilder:
        """Machine m-1 runs, is Ready, and its http ports are reached at its own address."""
        served = self.serving(*numbers)
        addresses = [{"port": n, "protocol": "http", "url": f"http://{host}:{n}"} for n in numbers]
        return served.with_status(endpoints=addresses)

    def serving(self, *numbers: int) -> InstanceBuilder:
        """Machine m-1 runs, is Ready, and its http ports are published and healthy."""
        addresses = [{"port": n, "protocol": "http", "url": f"https://m-{n}.example"} for n in numbers]
        checked = {"overall": "Healthy", "started_at": ago(minutes=55), "completed_at": ago(minutes=50)}
        checked["endpoints"] = [{"port": n, "healthy": True} for n in numbers]
        return self.with_ports(*numbers).running().with_status(endpoints=addresses, health_check=checked)

    def stopped(self) -> InstanceBuilder:
        """Machine m-1 was brought down on purpose and the object is settled."""
        started = replace(
            self.with_machine(), conditions=((ConditionType.READY, ConditionStatus.FALSE, Reason.STOPPED),)
        )
        before = started.wanting(PowerState.STOPPED)
        applied = before.build().status.applied.model_copy(update={"power_state": PowerState.STOPPED})
        return before.with_status(phase=Phase.STOPPED, outcome=Outcome.STOPPED, applied=applied)


def instance() -> InstanceBuilder:
    """Return an object that was just created, with the finalizer on it."""
    return InstanceBuilder()


def snapshot(
    of: InstanceBuilder | GPUInstance,
    *machines: Machine,
    at: datetime = NOW,
    listed_at: datetime | None = None,
    namesakes: tuple[Machine, ...] = (),
    limits: Mapping[str, Any] | None = None,
    **facts: Any,
) -> Snapshot:
    """Return the object, the machines that the listing shows of it, and the moment."""
    seen = Seen(machines, namesakes, listed_at or at)
    return Snapshot(
        now=at,
        instance=of.build() if isinstance(of, InstanceBuilder) else of,
        identity=IDENTITY,
        limits=replace(LIMITS, **limits or {}),
        view=seen,
        **facts,
    )


def blind_snapshot(
    of: InstanceBuilder | GPUInstance,
    *,
    reason: Reason = Reason.PROVIDER_UNAVAILABLE,
    needs_person: bool = False,
    last_seen_at: datetime = NOW - timedelta(seconds=30),
    at: datetime = NOW,
) -> Snapshot:
    """Return the object at a moment when the provider cannot be observed."""
    view = Blind(reason, f"because of {reason}", needs_person, last_seen_at)
    return replace(snapshot(of, at=at), view=view)


def shown_ports_of(*texts: str) -> str:
    """Return ports in the form of `status.applied.ports`."""
    return format_ports((p.number, p.protocol) for p in ports(*texts))
