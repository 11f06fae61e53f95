"""What a rule answers: facts that it needs, or a status to save and at most one thing to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto

from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.core.model import Order, PlanChoice, Port, Software


class Need(Enum):
    """A fact to gather before the rules are asked again, in the same pass."""

    PLAN = auto()
    """What would be bought now, at which price."""
    SOFTWARE = auto()
    """What would run in the machine: template, environment and references resolved."""
    ADDRESSES = auto()
    """Where the machine's ports are published."""
    CONFIRMATION = auto()
    """The provider's own word on whether the recorded machine is gone."""
    BUDGET = auto()
    """What the namespace may cost, and what its other instances cost."""
    PRICE = auto()
    """What the recorded machine costs now while it is up."""
    NEIGHBOURS = auto()
    """How many instances of the namespace are in trouble."""
    HEALTH = auto()
    """A round of health checks."""


@dataclass(frozen=True, slots=True)
class Create:
    """Buy a machine."""

    order: Order


@dataclass(frozen=True, slots=True)
class Start:
    """Bring a stopped machine up."""

    machine_id: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Bring a running machine down; it is kept."""

    machine_id: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart a running machine."""

    machine_id: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a machine for good."""

    machine_id: str


@dataclass(frozen=True, slots=True)
class SetPorts:
    """Replace the ports that a machine publishes."""

    machine_id: str
    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class GrowDisk:
    """Grow a machine's root disk; sizes are GB."""

    machine_id: str
    from_gb: int
    to_gb: int


@dataclass(frozen=True, slots=True)
class ChangeSoftware:
    """Reset a machine to other software."""

    machine_id: str
    software: Software
    keep_data: bool = True


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Make a machine anew in place, as it was bought."""

    machine_id: str


@dataclass(frozen=True, slots=True)
class Reinstall:
    """Install a template on a machine."""

    machine_id: str
    template_id: str


@dataclass(frozen=True, slots=True)
class RegenerateNetworking:
    """Set a machine's network up anew."""

    machine_id: str


@dataclass(frozen=True, slots=True)
class SwitchToMonthly:
    """Pay for a machine monthly from now on."""

    machine_id: str
    months: int


@dataclass(frozen=True, slots=True)
class OrderUpgrade:
    """Order another plan for a machine."""

    machine_id: str
    choice: PlanChoice


@dataclass(frozen=True, slots=True)
class ApplyUpgrade:
    """Begin to resize a machine as ordered and paid."""

    machine_id: str
    disk_gb: int | None
    """The new disk of a custom plan; None: as the plan says."""


@dataclass(frozen=True, slots=True)
class ConfirmUpgrade:
    """Keep the new sizes of a resized machine."""

    machine_id: str


@dataclass(frozen=True, slots=True)
class RevertUpgrade:
    """Give a resized machine its old sizes back."""

    machine_id: str


Action = (
    Create
    | Start
    | Stop
    | Restart
    | Delete
    | SetPorts
    | GrowDisk
    | ChangeSoftware
    | Rebuild
    | Reinstall
    | RegenerateNetworking
    | SwitchToMonthly
    | OrderUpgrade
    | ApplyUpgrade
    | ConfirmUpgrade
    | RevertUpgrade
)
"""One change at the provider; a pass performs at most one."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of the rules to one snapshot."""

    status: GPUInstanceStatus
    """To be saved, if it differs, before anything is done."""
    action: Action | None = None
    need: Need | None = None
    """If set, nothing else counts: gather this fact and ask again."""
    release: bool = False
    """True when the object may go: its machine is shown as gone, or was never bought."""
    remove: bool = False
    """True when the object is to be deleted, as `spec.expiry` asks."""
    requeue_after: timedelta | None = None
    """When to look again; None leaves it to the steady poll."""
    rule: str = ""
    """The rule that answered."""
