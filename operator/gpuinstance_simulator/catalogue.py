"""What the simulated cloud sells and keeps: products, clusters, templates, registry logins, storages.

The types are neutral: money is Decimal USD, clusters are referred to by id; a face renders units
and names. The goods themselves come from a face (`novita.shop`) or from a test. A catalogue can be
changed while clients look at it, which is how prices rise between a quote and an order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum


class Mode(StrEnum):
    """How a machine is paid for."""

    ON_DEMAND = "onDemand"
    SPOT = "spot"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A place where machines run. Its id cannot be computed from its name."""

    id: str
    name: str
    network_storage: bool = True
    private_network: bool = True


@dataclass(frozen=True, slots=True)
class Product:
    """A kind of machine. All sizes and prices are per GPU; memory and disk are GB."""

    id: str
    name: str
    cpu: int
    memory_gb: int
    price: Decimal
    """On-demand, USD per hour."""
    spot_price: Decimal | None = None
    """USD per hour; None: not offered as spot."""
    monthly_prices: tuple[tuple[int, Decimal], ...] = ()
    """(months, USD for that term); empty: not offered by the month."""
    on_demand: bool = True
    clusters: tuple[str, ...] = ()
    """Ids of the clusters that have it; empty: all."""
    available: bool = True
    """Whether the shop window shows it as available."""
    capacity: int | None = None
    """GPUs in the world, all clusters together; None: no end."""
    disk_gb: int = 6144
    min_rootfs_gb: int = 10
    max_rootfs_gb: int = 6144

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The ways in which it can be paid for."""
        offered = (
            (Mode.ON_DEMAND, self.on_demand),
            (Mode.SPOT, self.spot_price is not None),
            (Mode.MONTHLY, bool(self.monthly_prices)),
        )
        return tuple(mode for mode, is_offered in offered if is_offered)

    def is_in(self, cluster_id: str) -> bool:
        """Whether that cluster has it."""
        return not self.clusters or cluster_id in self.clusters

    def hourly_price(self, mode: Mode) -> Decimal:
        """USD per GPU and hour; 0 for a term that was paid for at the start."""
        if mode is Mode.SPOT and self.spot_price is not None:
            return self.spot_price
        return Decimal(0) if mode is Mode.MONTHLY else self.price

    def term_price(self, months: int) -> Decimal:
        """USD per GPU for a term: the listed one, or as many single months."""
        listed = dict(self.monthly_prices)
        return listed.get(months, listed.get(1, Decimal(0)) * months)


@dataclass(frozen=True, slots=True)
class Port:
    """A port exposed by a machine; `protocol` is `http` or `tcp`."""

    number: int
    protocol: str


@dataclass(frozen=True, slots=True)
class Template:
    """A preset of image, ports and environment."""

    id: str
    name: str
    image: str
    registry_auth_id: str = ""
    start_command: str = ""
    entrypoint: str = ""
    rootfs_gb: int = 60
    ports: tuple[Port, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    min_cuda_version: str = ""
    channel: str = "private"
    """`private`, `official` or `community`."""
    readme: str = ""


@dataclass(frozen=True, slots=True)
class RegistryAuth:
    """A login to a container registry."""

    id: str
    name: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NetworkStorage:
    """A volume that lives in one cluster."""

    id: str
    name: str
    size_gb: int
    cluster_id: str


@dataclass(slots=True)
class Catalogue:
    """Everything on offer, by id. Replace entries freely: machines keep what they were sold."""

    clusters: dict[str, Cluster] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    registry_auths: dict[str, RegistryAuth] = field(default_factory=dict)
    network_storages: dict[str, NetworkStorage] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *,
        clusters: Iterable[Cluster],
        products: Iterable[Product],
        templates: Iterable[Template] = (),
        registry_auths: Iterable[RegistryAuth] = (),
        network_storages: Iterable[NetworkStorage] = (),
    ) -> Catalogue:
        """A catalogue of these things."""
        return cls(
            clusters={it.id: it for it in clusters},
            products={it.id: it for it in products},
            templates={it.id: it for it in templates},
            registry_auths={it.id: it for it in registry_auths},
            network_storages={it.id: it for it in network_storages},
        )

    def raise_prices(self, factor: Decimal, product_id: str | None = None) -> None:
        """Multiply all prices of one product, or of all products. Raises KeyError if unknown."""
        for it in [self.products[product_id]] if product_id else list(self.products.values()):
            spot = None if it.spot_price is None else it.spot_price * factor
            terms = tuple((months, price * factor) for months, price in it.monthly_prices)
            self.products[it.id] = replace(it, price=it.price * factor, spot_price=spot, monthly_prices=terms)

    def change(self, product_id: str, changes: Mapping[str, object]) -> Product:
        """Replace fields of a product (all but `id`). Raises KeyError if it is unknown."""
        changed = replace(self.products[product_id], **changes)  # type: ignore[arg-type]  # checked by the admin model
        self.products[product_id] = changed
        return changed
