"""What tests are made of: machines, products, orders, operations, rounds of checks, each with a usual default.

`tests.builders` passes them on, together with the objects and snapshots that are built from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Operation, OperationError, OperationTimes
from gpuinstance.api.v1alpha1 import ObjectMeta
from gpuinstance.api.words import BillingMode, ErrorCategory, OperationPhase, OperationType, PortProtocol
from gpuinstance.core.model import Machine, MachineState, Order, Port, Product, Region, Software
from gpuinstance.core.naming import Identity
from gpuinstance.core.snapshot import HealthReport, Limits, Probed, Refusal

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
    publishes_ports=True,
    rebuilds_in_place=False,
    upgrades_are_ordered=False,
)
OF_HOSTWINDS: dict[str, Any] = {
    "billing_modes": frozenset({BillingMode.ON_DEMAND}),
    "max_gpu_count": 1,
    "listing_has_addresses": True,
    "can_change_ports": False,
    "can_grow_disk": False,
    "can_change_software": False,
    "publishes_ports": False,
    "rebuilds_in_place": True,
    "upgrades_are_ordered": True,
}
"""What is different where servers are rented: addresses of their own, made anew in place, upgraded by order."""
HOST = "203.0.113.10"
"""The address of such a server."""


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
        replace(p, address=f"https://m-{p.number}.example" if p.protocol == "http" else f"m.example:{30000 + p.number}")
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


def refused(
    kind: OperationType,
    reason: Reason = Reason.RATE_LIMITED,
    *,
    retryable: bool = True,
    retry_in: float = 30,
    **fields: Any,
) -> Operation:
    """Return an operation that was refused five seconds ago and is tried again in so many seconds."""
    category = ErrorCategory.RETRYABLE if retryable else ErrorCategory.NEEDS_PERSON
    error = OperationError(code=reason, category=category, retryable=retryable, message=f"because of {reason}")
    retry_at = NOW + timedelta(seconds=retry_in)
    return operation(kind, OperationPhase.FAILED, began=ago(seconds=5), error=error, retry_at=retry_at, **fields)


def report(*healthy: int, sick: Iterable[int] = (), at: datetime = NOW) -> HealthReport:
    """Return one round of checks: `report(80)`, or `report(sick=[80])`."""
    answers = [Probed(number, healthy=True) for number in healthy]
    answers += [Probed(n, healthy=False, error_type="BadStatus", status_code=502, message="HTTP 502") for n in sick]
    return HealthReport(at, tuple(answers))
