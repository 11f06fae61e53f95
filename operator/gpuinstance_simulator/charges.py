"""What a machine costs, to the second.

GPUs are charged while the state of the machine says so; disk beyond the free part is charged from
the first charged second until deletion, also while the machine is stopped (pricing guide: 60 GB
free, then 0.005 USD per GB and day). A monthly term is paid at once, when the machine is bought.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

FREE_DISK_GB = 60
DISK_USD_PER_GB_HOUR = Decimal("0.005") / 24


def disk_rate(rootfs_gb: int) -> Decimal:
    """USD per hour for a root disk of this size."""
    return max(0, rootfs_gb - FREE_DISK_GB) * DISK_USD_PER_GB_HOUR


@dataclass(slots=True)
class Meter:
    """The running bill of one machine. Rates are USD per hour for the whole machine."""

    gpu_rate: Decimal
    disk_rate: Decimal
    since: float
    """Virtual time up to which `settled` holds everything."""
    settled: Decimal = Decimal(0)
    gpu_on: bool = False
    disk_on: bool = False

    def total(self, now: float) -> Decimal:
        """USD accrued until `now`."""
        rate = self.gpu_rate * self.gpu_on + self.disk_rate * self.disk_on
        return self.settled + rate * Decimal(f"{now - self.since:.6f}") / 3600

    def switch(self, at: float, *, billed: bool, removed: bool) -> None:
        """The machine entered another state."""
        self._settle(at)
        self.gpu_on = billed
        self.disk_on = not removed and (billed or self.disk_on)

    def resize(self, at: float, rootfs_gb: int) -> None:
        """The root disk has another size from now on."""
        self._settle(at)
        self.disk_rate = disk_rate(rootfs_gb)

    def reprice(self, at: float, gpu_rate: Decimal) -> None:
        """The machine has another price per hour from now on."""
        self._settle(at)
        self.gpu_rate = gpu_rate

    def pay(self, amount: Decimal) -> None:
        """Add a one-off payment, in USD."""
        self.settled += amount

    def _settle(self, at: float) -> None:
        self.settled = self.total(at)
        self.since = at
