"""The words in which the core thinks: what a provider shows, what it sells, what a machine should be.

Adapters translate a provider's wire format into these; the rules in `decide` read nothing else.
A *machine* is what the provider runs; the Kubernetes resource that asks for it is an *instance*.
Nothing here performs input or output, reads a clock, or knows a provider's word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from gpuinstance.api.words import BillingCycle, BillingMode, PortProtocol


class MachineState(StrEnum):
    """What a machine is doing, in words shared by all providers.

    An unknown word of a provider becomes `UNKNOWN` and is treated as a change in progress: the
    operator waits, with a deadline, and never acts on a word that it does not understand.
    """

    CREATING = "Creating"
    """Accepted by the provider; being placed, pulled or installed."""
    STARTING = "Starting"
    """Coming up: from a stop, a restart, or after its image was changed."""
    RUNNING = "Running"
    """Its container or system runs. That says nothing about the application in it."""
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    """Down and kept: it can be started again."""
    MIGRATING = "Migrating"
    REMOVING = "Removing"
    """Deletion was accepted; it still exists and may still be billed."""
    REMOVED = "Removed"
    """The provider itself says that it is gone."""
    SUSPENDED = "Suspended"
    """Blocked by the provider (unpaid, frozen) or locked by its owner: never touched."""
    RESIZING = "Resizing"
    """Being moved to another plan."""
    RESIZED = "Resized"
    """Runs with the sizes of another plan, which somebody has to confirm or revert."""
    UNKNOWN = "Unknown"

    @property
    def is_gone(self) -> bool:
        """True where the provider positively says that the machine no longer exists."""
        return self is MachineState.REMOVED

    @property
    def is_changing(self) -> bool:
        """True where the provider is at work on the machine, so that the operator only waits."""
        return self in _CHANGING


_CHANGING = frozenset(
    {
        MachineState.CREATING,
        MachineState.STARTING,
        MachineState.STOPPING,
        MachineState.MIGRATING,
        MachineState.REMOVING,
        MachineState.RESIZING,
        MachineState.RESIZED,
        MachineState.UNKNOWN,
    }
)


class SpotState(StrEnum):
    """What the provider says about the future of a spot machine."""

    STABLE = "Stable"
    NOTIFIED = "Notified"
    """A reclaim is announced; the machine still runs."""
    RECLAIMING = "Reclaiming"
    RECLAIMED = "Reclaimed"


@dataclass(frozen=True, slots=True)
class Port:
    """A port that the machine exposes, and the address where the provider publishes it."""

    number: int
    protocol: PortProtocol
    address: str | None = None
    """`https://host` for http, `host:port` for tcp; None while the provider shows none."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a plan gives a machine; 0 where the provider names none."""

    ram_mb: int
    cpu: int
    disk_gb: int

    def __str__(self) -> str:
        return f"{self.cpu} CPU, {self.ram_mb} MB RAM, {self.disk_gb} GB disk"


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine as the provider shows it, in a listing or alone."""

    id: str
    name: str
    state: MachineState
    word: str
    """The provider's own word for the state, for people."""
    product_id: str = ""
    product_name: str = ""
    region: str = ""
    """The region's id (Novita: cluster id)."""
    billing_mode: BillingMode | None = None
    spot: SpotState | None = None
    reclaimed_at: datetime | None = None
    ports: tuple[Port, ...] = ()
    """What it exposes. A listing may lack the addresses: see `Capabilities.listing_has_addresses`."""
    rootfs_gb: int | None = None
    image: str = ""
    gpu_count: int | None = None
    hourly_price: Decimal | None = None
    """USD that it costs an hour while it is up, all GPUs, by the provider's own word; None where it says nothing."""
    trouble: str = ""
    """The provider's words about a failure of this machine; empty where it names none."""
    created_at: datetime | None = None
    started_at: datetime | None = None
    """When it was last started; changes at each start and restart."""
    stopped_at: datetime | None = None
    changed_at: datetime | None = None
    """When the provider last noted any change of it, whoever asked for it; None where it does not say."""
    host: str = ""
    """Its own address, where the provider gives it one and every port is reachable there; else empty."""
    sizes: Sizes | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """All machines of one account at one moment.

    A listing is complete by construction: an adapter that could not read every page raises
    `IncompleteListing` instead, so that "not in the listing" always means something.
    """

    machines: tuple[Machine, ...]
    started_at: datetime
    """When the first request was sent: each entry is at least this fresh."""
    _by_stem: dict[str, list[Machine]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _by_id: dict[str, list[Machine]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the machines: thousands of objects look for their own in one listing."""
        for machine in self.machines:
            self._by_stem.setdefault(machine.name.rsplit("-", 2)[0], []).append(machine)
            self._by_id.setdefault(machine.id, []).append(machine)

    def with_stem(self, stem: str) -> Sequence[Machine]:
        """Return the machines whose names are `stem` and two more parts, as in `core.naming`."""
        return self._by_stem.get(stem, ())

    def unlike(self, before: Listing) -> tuple[Machine, ...]:
        """Return the machines that are new or changed, as they are, and those that are gone, as they were."""
        then = {machine.id: machine for machine in before.machines}
        changed = [machine for machine in self.machines if then.get(machine.id) != machine]
        gone = [machine for id_, machine in then.items() if id_ not in self._by_id]
        return (*changed, *gone)

    def with_id(self, machine_id: str) -> Sequence[Machine]:
        """Return the machines with this id; more than one only where a provider shows one twice."""
        return self._by_id.get(machine_id, ())


@dataclass(frozen=True, slots=True)
class Product:
    """A kind of machine on sale. Prices are USD per GPU and hour; memory and disk are GB."""

    id: str
    name: str
    available: bool
    regions: tuple[str, ...]
    """Names or ids of regions as the provider lists them; empty means everywhere."""
    modes: frozenset[BillingMode]
    hourly_price: Decimal | None
    """On-demand price per GPU and hour."""
    spot_price: Decimal | None = None
    monthly_prices: tuple[tuple[int, Decimal], ...] = ()
    """(months, total USD per GPU for that term)."""
    cpu_per_gpu: int = 0
    memory_per_gpu_gb: int = 0
    min_rootfs_gb: int = 0
    max_rootfs_gb: int = 0
    """0 where the provider names no limit."""
    cycle_prices: tuple[tuple[BillingCycle, Decimal], ...] = ()
    """(cycle, total USD for one cycle), where the provider bills by cycles."""


@dataclass(frozen=True, slots=True)
class Region:
    """A place where machines run. `id` is what a create call takes, `name` what people read."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """A preset of the provider that the operator expands into a machine's settings."""

    id: str
    name: str
    image: str
    registry_auth_id: str | None = None
    command: str | None = None
    entrypoint: str | None = None
    rootfs_gb: int | None = None
    ports: tuple[Port, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    min_cuda_version: str | None = None
    installed_by_provider: bool = False
    """True where the template is named in the order, and its content is nobody's business but the provider's."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A network volume to be mounted: its id at the provider, and the path in the machine."""

    id: str
    mount_path: str


@dataclass(frozen=True, slots=True)
class Software:
    """What runs in a machine. `env` values may be secret: never logged, never stored."""

    image: str
    registry_auth_id: str | None = None
    command: str | None = None
    entrypoint: str | None = None
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    volumes: tuple[Volume, ...] = ()
    template_id: str | None = None
    """The template that the provider installs; None where an image is named instead."""


@dataclass(frozen=True, slots=True)
class Order:
    """Everything a create call needs: the machine exactly as it is to be bought."""

    name: str
    product_id: str
    product_name: str
    region_id: str | None
    """None leaves the choice of the place to the provider."""
    region_name: str | None
    gpu_count: int
    rootfs_gb: int
    software: Software
    ports: tuple[Port, ...]
    billing_mode: BillingMode
    months: int | None
    min_cuda_version: str | None
    hourly_price: Decimal | None
    """USD per hour for the whole machine (all GPUs), for the price cap and the status."""
    billing_cycle: BillingCycle | None = None
    ssh_keys: tuple[str, ...] = ()
    """Names of keys that are stored at the provider."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes on sale to an existing machine. Prices are USD."""

    id: str
    name: str
    sizes: Sizes
    cycle_prices: tuple[tuple[BillingCycle, Decimal], ...] = ()
    """(cycle, total for one cycle) of the whole plan; what an upgrade to it costs is said by its invoice."""
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class PlanChoice:
    """What a machine is to become: a plan on sale, and for a custom plan its sizes. None: as the plan says."""

    plan_id: str
    ram_mb: int | None = None
    cpu: int | None = None
    disk_gb: int | None = None
    bandwidth: int | None = None
    """In the provider's own unit."""


@dataclass(frozen=True, slots=True)
class UpgradeOrder:
    """An upgrade that was ordered at the provider and not applied yet."""

    id: str
    order_id: str
    invoice_id: str
    total: Decimal | None
    """USD; None where the provider's text is no number."""
    due_date: str
    """As the provider writes it."""
    paid: bool = False
    """True only where the provider says so in as many words."""
    is_void: bool = False
    """True where a word says that the invoice is none yet, or no more, e.g. a draft: its total is not final."""

    @property
    def has_invoice(self) -> bool:
        """True if it names an invoice; `""` and `0` are the id of none."""
        return bool(self.invoice_id.strip("0 "))


@dataclass(frozen=True, slots=True)
class Check:
    """One endpoint to be asked whether it serves."""

    port: int
    protocol: PortProtocol
    url: str | None
    """Where the provider publishes it; None if it does not."""
    path: str = "/"
    expected_statuses: str = "200-399"
