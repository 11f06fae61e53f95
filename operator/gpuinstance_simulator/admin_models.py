"""The JSON of the admin API: what it takes, and how the truth about machines is told."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from gpuinstance_simulator.catalogue import Mode, Port, Product
from gpuinstance_simulator.faults import Planted
from gpuinstance_simulator.lifecycle import Actor, Operation
from gpuinstance_simulator.machine import Machine, Order, Software

Json = dict[str, object]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClockChange(_Model):
    """Both are optional; the jump comes after the change of speed."""

    speed: float | None = Field(default=None, ge=0)
    advance: float = Field(default=0, ge=0)


class LedgerQuery(_Model):
    """Filters of the ledger."""

    operation: Operation | None = None
    machine: str | None = None
    name: str | None = None
    actor: Actor | None = None


class CallsQuery(_Model):
    """How many of the last calls to tell in full."""

    recent: int = Field(default=0, ge=0)


class MachinesQuery(_Model):
    """Whether to tell about machines that no longer exist."""

    gone: bool = False


class PortWish(_Model):
    """A port of a machine bought in the console."""

    number: int = Field(ge=1, le=65535)
    protocol: str = "http"


class Purchase(_Model):
    """A machine bought in the console, with no more than what matters to an onlooker."""

    name: str
    product_id: str = "4090.16c62g"
    cluster_id: str | None = None
    gpu_count: int = Field(default=1, ge=1, le=8)
    rootfs_gb: int = Field(default=60, ge=10)
    image: str = "docker.io/library/nginx:1.27"
    mode: Mode = Mode.ON_DEMAND
    months: int = Field(default=0, ge=0)
    ports: tuple[PortWish, ...] = ()

    def to_order(self) -> Order:
        """The order in the words of the cloud."""
        return Order(
            name=self.name,
            product_id=self.product_id,
            cluster_id=self.cluster_id,
            gpu_count=self.gpu_count,
            rootfs_gb=self.rootfs_gb,
            software=Software(image=self.image),
            mode=self.mode,
            months=self.months,
            ports=tuple(Port(it.number, it.protocol) for it in self.ports),
        )


class ProductChange(_Model):
    """New values for a product; what is absent stays. Prices are USD per GPU and hour, or for a term."""

    product: str
    name: str = ""
    price: Decimal = Field(default=Decimal(0), ge=0)
    spot_price: Decimal | None = Field(default=None, ge=0)
    monthly_prices: tuple[tuple[int, Decimal], ...] = ()
    on_demand: bool = True
    available: bool = True
    capacity: int | None = Field(default=None, ge=0)
    clusters: tuple[str, ...] = ()

    def changes(self) -> Json:
        """Only what was given; null takes a spot price or a capacity away."""
        return {key: getattr(self, key) for key in self.model_fields_set - {"product"}}


def machine_json(machine: Machine, now: float) -> Json:
    """The truth about a machine; nothing of its environment."""
    order = machine.order
    return {
        "id": machine.id,
        "name": machine.name,
        "state": machine.state,
        "word": machine.word,
        "gone": machine.is_gone,
        "product_id": machine.product.id,
        "cluster_id": machine.cluster_id,
        "gpu_count": order.gpu_count,
        "rootfs_gb": order.rootfs_gb,
        "image": order.software.image,
        "mode": order.mode.value,
        "ports": [{"number": it.number, "protocol": it.protocol} for it in order.ports],
        "created_at": machine.created_at,
        "started_at": machine.started_at,
        "stopped_at": machine.stopped_at,
        "runs": machine.runs,
        "spot_status": machine.spot_status.value,
        "error": {"state": machine.error[0], "message": machine.error[1]},
        "charge": f"{machine.charge(now):.6f}",
    }


def fault_json(planted: Planted) -> Json:
    """A fault and what has come of it."""
    return planted.fault.model_dump(mode="json") | {"seen": planted.seen, "hits": planted.hits}


def product_json(product: Product, free_gpus: int | None) -> Json:
    """A product, with what is left of it."""
    return {
        "id": product.id,
        "name": product.name,
        "price": str(product.price),
        "spot_price": None if product.spot_price is None else str(product.spot_price),
        "modes": [mode.value for mode in product.modes],
        "clusters": list(product.clusters),
        "available": product.available,
        "capacity": product.capacity,
        "free_gpus": free_gpus,
    }
