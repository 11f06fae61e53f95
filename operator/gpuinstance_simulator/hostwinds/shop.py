"""The goods of the simulated Hostwinds: plans, locations, operating systems.

Names and the shape of the plans follow the provider's shop; ids are made up, and the prices are, too, but for
that of the plan with one processor and 2 GB. There is something for every rule of a buyer: a plan that differs
in its disk only, one that is sold out, one whose sizes are free, each at its unit price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from gpuinstance_simulator.catalogue import Catalogue, Cluster, Product, Template

MB_PER_GB = 1024

CYCLES: Mapping[str, int] = {
    "hourly": 0,
    "monthly": 1,
    "quarterly": 3,
    "semiannually": 6,
    "annually": 12,
    "biennially": 24,
    "triennially": 36,
}
"""Months of each billing cycle, by Hostwinds' word."""

_HOURS_PER_MONTH = 720


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a custom plan is measured in: MB, processors, GB, TB a month. None: as the plan in the list."""

    ram_mb: int | None = None
    cpu: int | None = None
    disk_gb: int | None = None
    bandwidth_tb: int | None = None


@dataclass(frozen=True, slots=True)
class UnitPrices:
    """What a custom plan costs a month: USD per GB of memory, processor, GB of disk, TB of traffic."""

    ram: Decimal
    cpu: Decimal
    disk: Decimal
    bandwidth: Decimal


@dataclass(frozen=True, slots=True)
class Plan(Product):
    """A product of Hostwinds. Its id is what calls take as `rid`; `memory_gb` and `disk_gb` are its sizes."""

    number: int = 0
    """The `id` of its entry in the price list, which is not its `rid`."""
    bandwidth_tb: int = 1
    unit_prices: UnitPrices | None = None
    """Of a custom plan; its own sizes and prices are those of the smallest choice."""

    @property
    def ram_mb(self) -> int:
        """Memory in the unit of the wire."""
        return self.memory_gb * MB_PER_GB

    def made_to_measure(self, sizes: Sizes) -> Plan:
        """A custom plan of these sizes, at its price. Raises ValueError for sizes that are not sold."""
        units = self.unit_prices
        if units is None:
            raise ValueError("not a custom plan")
        ram_mb = self.ram_mb if sizes.ram_mb is None else sizes.ram_mb
        cpu = self.cpu if sizes.cpu is None else sizes.cpu
        disk = self.disk_gb if sizes.disk_gb is None else sizes.disk_gb
        bandwidth = self.bandwidth_tb if sizes.bandwidth_tb is None else sizes.bandwidth_tb
        memory, rest = divmod(ram_mb, MB_PER_GB)
        if rest or min(memory, cpu, disk, bandwidth) < 1:
            raise ValueError("sizes are not sold")
        monthly = units.ram * memory + units.cpu * cpu + units.disk * disk + units.bandwidth * bandwidth
        return replace(
            self,
            cpu=cpu,
            memory_gb=memory,
            disk_gb=disk,
            bandwidth_tb=bandwidth,
            price=_hourly(monthly),
            monthly_prices=_terms(monthly),
        )


def plan(rid: str, *, cpu: int, memory_gb: int, disk_gb: int, monthly: str, bandwidth_tb: int = 2) -> Plan:
    """A fixed plan. A longer cycle costs as many single months; an hour is a 720th of one."""
    return Plan(
        id=rid,
        number=int(rid) - 370,
        name=f"VPS {cpu} CPU {memory_gb} GB {disk_gb} GB",
        cpu=cpu,
        memory_gb=memory_gb,
        disk_gb=disk_gb,
        bandwidth_tb=bandwidth_tb,
        price=_hourly(Decimal(monthly)),
        monthly_prices=_terms(Decimal(monthly)),
    )


def _hourly(monthly: Decimal) -> Decimal:
    return (monthly / _HOURS_PER_MONTH).quantize(Decimal("0.000001"))


def _terms(monthly: Decimal) -> tuple[tuple[int, Decimal], ...]:
    return tuple((months, monthly * months) for months in CYCLES.values() if months)


PLANS = (
    plan("401", cpu=1, memory_gb=1, disk_gb=30, monthly="4.99", bandwidth_tb=1),
    plan("402", cpu=1, memory_gb=2, disk_gb=50, monthly="9.99"),
    plan("403", cpu=2, memory_gb=2, disk_gb=50, monthly="13.99"),
    plan("404", cpu=2, memory_gb=4, disk_gb=75, monthly="18.99"),
    plan("405", cpu=4, memory_gb=8, disk_gb=150, monthly="38.99", bandwidth_tb=3),
    plan("406", cpu=1, memory_gb=2, disk_gb=100, monthly="12.49"),
    replace(plan("409", cpu=16, memory_gb=96, disk_gb=750, monthly="328.99", bandwidth_tb=9), available=False),
    replace(
        plan("420", cpu=1, memory_gb=1, disk_gb=10, monthly="6.00", bandwidth_tb=1),
        name="Custom VPS",
        unit_prices=UnitPrices(Decimal(2), Decimal(2), Decimal("0.1"), Decimal(1)),
    ),
)

LOCATIONS = (Cluster("1", "Seattle"), Cluster("2", "Dallas"), Cluster("5", "Amsterdam"))

TEMPLATES = (
    Template("d3b07384-d113-4ec6-a8b5-1f3e5b6c7d01", "Ubuntu 22.04", "ubuntu-22.04"),
    Template("c157a790-3f7b-4d0a-9e21-5a7c1e2f4b02", "Debian 12", "debian-12"),
)


def catalogue() -> Catalogue:
    """A fresh catalogue of these goods, free to be changed."""
    return Catalogue.of(clusters=LOCATIONS, products=PLANS, templates=TEMPLATES)
