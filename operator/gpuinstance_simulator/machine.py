"""One machine of the simulated cloud, and the order that it was bought with.

These are the records that `engine` moves through time and `cloud` shows. They hold no rules beyond
questions about themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from gpuinstance_simulator.catalogue import Mode, Port, Product
from gpuinstance_simulator.charges import Meter
from gpuinstance_simulator.lifecycle import GONE


@dataclass(frozen=True, slots=True)
class Mount:
    """A network storage mounted into a machine."""

    storage_id: str
    path: str


@dataclass(frozen=True, slots=True)
class Software:
    """What runs in a machine. Values of `env` may be secret."""

    image: str
    registry_auth_id: str = ""
    command: str = ""
    entrypoint: str = ""
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    mounts: tuple[Mount, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that is needed to buy a machine; later, what the machine is."""

    name: str
    product_id: str
    gpu_count: int = 1
    rootfs_gb: int = 60
    software: Software = Software(image="docker.io/library/nginx:1.27")
    ports: tuple[Port, ...] = ()
    tools: tuple[tuple[str, Port], ...] = ()
    """(tool, its port): programs that the provider adds, such as Jupyter."""
    cluster_id: str | None = None
    """None leaves the choice to the cloud."""
    mode: Mode = Mode.ON_DEMAND
    months: int = 0
    min_cuda_version: str = ""
    kind: str = "gpu"
    made_to_measure: Product | None = None
    """What is bought instead of the product as it is in the catalogue."""


class SpotStatus(StrEnum):
    """What the provider says about the future of a spot machine."""

    NONE = ""
    """Not a spot machine, or stopped by its owner."""
    RUNNING = "running"
    NOTIFIED = "notified"
    RECLAIMING = "reclaiming"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class Failure:
    """A creation, start … that ends badly, said in the provider's error fields."""

    at: str
    """The state in which it happens, once that state's time is over."""
    ends: str
    """Where the machine lands."""
    state: str
    message: str


@dataclass(frozen=True, slots=True)
class Removal:
    """The deletion of a machine, and how it looked before."""

    shown_from: float
    """Until then, listings do not know about the deletion."""
    state_before: str


@dataclass(frozen=True, slots=True)
class Edit:
    """An accepted change of ports or disk that has not taken effect yet."""

    ports: tuple[Port, ...] | None
    grow_gb: int


@dataclass(slots=True, eq=False)
class Machine:
    """A machine, as it truly is. Times are virtual seconds since the Unix epoch."""

    id: str
    name: str
    """May be the same as another machine's: nothing at the provider forbids that."""
    order: Order
    product: Product
    """As it was when the machine was bought."""
    cluster_id: str
    created_at: float
    shown_from: float
    """Until then, listings do not know it."""
    meter: Meter
    state: str = ""
    path: tuple[str, ...] = ()
    """The states still ahead of it."""
    leg: int = 0
    """Counts entered states: tells a current appointment from an outdated one."""
    runs: int = 0
    """Counts arrivals at the running state: addresses and passwords change with it."""
    up_since: float | None = None
    """When it came up; None while it is down."""
    started_at: float | None = None
    stopped_at: float | None = None
    spot_status: SpotStatus = SpotStatus.NONE
    reclaimed_at: float | None = None
    removal: Removal | None = None
    edits: list[Edit] = field(default_factory=list)
    error: tuple[str, str] = ("", "")
    """(state, message) of the provider's error fields."""

    stuck: dict[str, float] = field(default_factory=dict)
    """Extra seconds in a state; infinity for ever."""
    failure: Failure | None = None
    alias: tuple[str | None, str] | None = None
    """(while in this state, or always, show this word instead)."""
    spot_plan: tuple[float, float] | None = None
    """(run time until the announcement, notice): overrides the settings for the next run."""

    @property
    def is_gone(self) -> bool:
        """Whether the provider has forgotten it."""
        return self.state == GONE

    @property
    def word(self) -> str:
        """The word that the provider shows for its state."""
        if self.alias and self.alias[0] in (None, self.state):
            return self.alias[1]
        return self.state

    def charge(self, now: float) -> Decimal:
        """USD accrued so far."""
        return self.meter.total(now)
