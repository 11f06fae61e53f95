"""Builders that read like sentences: `instance().running().with_ports(80).deleting()`.

For tests of the core: an object as the API server would hold it, machines as a provider would show
them, and the snapshot of both that the rules decide on. Each word returns a new builder, so that a
half-built object can be shared. Nothing here decides what is right; the tests do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.spec import GPUInstanceSpec
from gpuinstance.api.status import AppliedStatus, Condition, GPUInstanceStatus, Operation, OperationTimes
from gpuinstance.api.v1alpha1 import FINALIZER, GPUInstance, ObjectMeta
from gpuinstance.api.words import (
    BillingMode,
    ConditionStatus,
    ConditionType,
    OperationPhase,
    OperationType,
    Outcome,
    Phase,
    PortProtocol,
    PowerState,
)
from gpuinstance.core.desired import format_ports, hardware_fingerprint, software_fingerprint, wanted_ports
from gpuinstance.core.model import Machine, MachineState, Order, Port, Product, Region, Software
from gpuinstance.core.naming import Identity
from gpuinstance.core.snapshot import Blind, HealthReport, Limits, Probed, Refusal, Seen, Snapshot

NOW = datetime(2027, 1, 15, 12, 0, tzinfo=UTC)
"""The present of every test that does not name another."""
UID = "943a2f83-0c5e-4d6a-9b7e-1f2a3b4c5d6e"
IDENTITY = Identity.of(ObjectMeta(name="trainer", namespace="default", uid=UID), mark="gpui")
IMAGE = "docker.io/library/nginx:1.27"

LIMITS = Limits(
    settle=timedelta(seconds=60),
    fast_poll=timedelta(seconds=3),
    stale_after=timedelta(minutes=5),
    max_gpu_count=8,
    max_rootfs_gb=1000,
    billing_modes=frozenset(BillingMode),
    listing_has_addresses=False,
    can_change_ports=True,
    can_grow_disk=True,
    can_change_software=True,
)


def ago(**span: float) -> datetime:
    """Return a moment before NOW: `ago(minutes=5)`."""
    return NOW - timedelta(**span)


def port(text: str, address: str | None = None) -> Port:
    """Return the port of a text such as `80/http`, published at `address`."""
    number, protocol = text.split("/")
    return Port(int(number), PortProtocol(protocol), address)


def ports(*texts: str, published: bool = False) -> tuple[Port, ...]:
    """Return several ports, with addresses if they are published."""
    found = [port(text) for text in texts]
    if not published:
        return tuple(found)
    return tuple(
        replace(
            p, address=f"https://m-{p.number}.example" if p.protocol == "http" else f"m.example:{30000 + p.number}"
        )
        for p in found
    )


def machine(
    machine_id: str = "m-1",
    state: MachineState = MachineState.RUNNING,
    *,
    attempt: int = 1,
    exposes: tuple[str, ...] = ("80/http",),
    **fields: Any,
) -> Machine:
    """Return one of our machines, by default the running first purchase."""
    settings: dict[str, Any] = {
        "name": IDENTITY.name(attempt),
        "word": state.lower(),
        "ports": ports(*exposes),
        "rootfs_gb": 60,
        "created_at": ago(hours=2),
        "started_at": ago(hours=1),
    }
    return Machine(id=machine_id, state=state, **settings | fields)


def product(product_id: str = "4090.a", name: str = "RTX 4090", **fields: Any) -> Product:
    """Return a product, by default one that is on sale everywhere for 0.35 USD/h on demand."""
    settings: dict[str, Any] = {
        "available": True,
        "regions": (),
        "modes": frozenset({BillingMode.ON_DEMAND}),
        "hourly_price": Decimal("0.35"),
    }
    return Product(id=product_id, name=name, **settings | fields)


def region(region_id: str, name: str | None = None) -> Region:
    """Return a region."""
    return Region(region_id, name or region_id.upper())


def order(**fields: Any) -> Order:
    """Return what would be bought for `instance()`."""
    settings: dict[str, Any] = {
        "name": "",
        "product_id": "4090.a",
        "product_name": "RTX 4090",
        "region_id": None,
        "region_name": None,
        "gpu_count": 1,
        "rootfs_gb": 60,
        "software": Software(IMAGE),
        "ports": ports("80/http"),
        "billing_mode": BillingMode.ON_DEMAND,
        "months": None,
        "min_cuda_version": None,
        "hourly_price": Decimal("0.35000"),
    }
    return Order(**settings | fields)


def refusal(reason: Reason = Reason.PRODUCT_NOT_FOUND, *, needs_person: bool = True) -> Refusal:
    """Return why nothing can be ordered."""
    return Refusal(reason, f"because of {reason}", needs_person)


def operation(
    kind: OperationType,
    phase: OperationPhase = OperationPhase.INITIATED,
    *,
    began: datetime = NOW,
    lasts: timedelta = timedelta(minutes=30),
    **fields: Any,
) -> Operation:
    """Return an operation that began at a moment and may last for a time."""
    noted = {
        OperationPhase.INITIATED: {},
        OperationPhase.MONITORING: {"monitoring_at": began},
        OperationPhase.HEALTH_CHECKING: {"monitoring_at": began, "health_checking_at": began},
        OperationPhase.COMPLETED: {"completed_at": began},
        OperationPhase.FAILED: {"failed_at": began},
    }[phase]
    settings: dict[str, Any] = {
        "id": f"{kind.lower()}-{int(began.timestamp())}-1",
        "attempt": 1,
        "generation": 1,
        "deadline": began + lasts,
        "phases": OperationTimes(initiated_at=began, **noted),
    }
    return Operation(type=kind, phase=phase, started_at=began, **settings | fields)


def report(*healthy: int, sick: Iterable[int] = (), at: datetime = NOW) -> HealthReport:
    """Return one round of checks: `report(80)`, or `report(sick=[80])`."""
    answers = [Probed(number, healthy=True) for number in healthy]
    answers += [Probed(n, healthy=False, error_type="BadStatus", status_code=502, message="HTTP 502") for n in sick]
    return HealthReport(at, tuple(answers))


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
        spec = GPUInstanceSpec(**{"provider": "novita", "product": {"name": "RTX 4090"}, "image": IMAGE} | dict(self.spec_fields))
        metadata = ObjectMeta(
            **{"name": "trainer", "namespace": "default", "uid": UID, "resource_version": "7", "finalizers": (FINALIZER,)}
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
        status = GPUInstanceStatus(conditions=conditions, **fields)
        return GPUInstance(metadata=metadata, spec=spec, status=status)

    # What the user wrote ---------------------------------------------------------------------------

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

    def during(self, current: Operation) -> InstanceBuilder:
        """This operation is in flight."""
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

    def creating(self, *, answered: bool = False, began: datetime = NOW) -> InstanceBuilder:
        """The intent of a purchase is saved; with `answered` the provider has named machine m-1."""
        phase = OperationPhase.MONITORING if answered else OperationPhase.INITIATED
        started = replace(self.seen(), bought=True).during(operation(OperationType.CREATE, phase, began=began))
        recorded = {"id": "m-1" if answered else None, "name": IDENTITY.name(1), "product_name": "RTX 4090"}
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

    def serving(self, *numbers: int) -> InstanceBuilder:
        """Machine m-1 runs, is Ready, and its http ports are published and healthy."""
        addresses = [{"port": n, "protocol": "http", "url": f"https://m-{n}.example"} for n in numbers]
        checked = {"overall": "Healthy", "started_at": ago(minutes=55), "completed_at": ago(minutes=50)}
        checked["endpoints"] = [{"port": n, "healthy": True} for n in numbers]
        return self.with_ports(*numbers).running().with_status(endpoints=addresses, health_check=checked)

    def stopped(self) -> InstanceBuilder:
        """Machine m-1 was brought down on purpose and the object is settled."""
        started = replace(self.with_machine(), conditions=((ConditionType.READY, ConditionStatus.FALSE, Reason.STOPPED),))
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
