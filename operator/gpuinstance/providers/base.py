"""The contract between the operator and a cloud, and the errors that it may answer with.

Called by `reconcile` (through the wrappers, which implement the same Protocol). An adapter executes
and reports: it never compares, never retries a change, never waits for an effect.

The tree of errors, named by what the caller does next:

    ProviderError
    ├── NotFound          the machine (or product, template …) does not exist: positive knowledge
    ├── RateLimited       come back after `retry_after`
    ├── Unavailable       nothing was changed; try again later
    │   ├── IncompleteListing   not every page was read: absence from it means nothing
    │   ├── CircuitOpen         the provider is broken and is left alone until `retry_after`; nothing was sent
    │   └── NotLeading          another process may act by now, so this one must not; nothing was sent
    ├── OutOfCapacity     nothing was changed; the provider has none to sell now
    ├── Unauthorized      the credential is refused: a person or a changed Secret helps
    ├── Rejected          a definite no, with a reason: the request itself has to change
    ├── WrongState        a definite no: the machine has moved meanwhile; look again
    └── UnknownOutcome    a change may or may not have happened: look, never repeat

A change (create, start …) that fails with anything but `UnknownOutcome` has *not* happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingMode
from gpuinstance.core.access import Access
from gpuinstance.core.model import (
    Listing,
    Machine,
    Order,
    Plan,
    PlanChoice,
    Port,
    Product,
    Region,
    Software,
    Template,
    UpgradeOrder,
)


class ProviderError(Exception):
    """Base of all errors of a provider.

    `message` is written for people and safe to show: it holds no credential, no header and at most
    a short, single-line excerpt of the provider's own error text.
    """

    reason: Reason = Reason.PROVIDER_UNAVAILABLE

    def __init__(self, message: str, *, reason: Reason | None = None, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        """The provider's own name for the error, or `HTTP 502`; for metrics and status."""
        if reason is not None:
            self.reason = reason


class NotFound(ProviderError):
    """What was asked for does not exist, said by the provider itself."""

    reason = Reason.INSTANCE_LOST


class RateLimited(ProviderError):
    """Too many calls. `retry_after` is in seconds; None where the provider named no time."""

    reason = Reason.RATE_LIMITED

    def __init__(self, message: str, *, retry_after: float | None = None, code: str = "") -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class Unavailable(ProviderError):
    """The provider could not be asked, or answered that it is broken. Nothing was changed."""


class IncompleteListing(Unavailable):
    """Pages were missing, repeated or contradictory."""


class CircuitOpen(Unavailable):
    """Call after call has failed: nothing was sent, nor will be for `retry_after` seconds."""

    reason = Reason.CIRCUIT_OPEN

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotLeading(Unavailable):
    """The lease of this process is lost: nothing was sent, and nothing will be."""


class OutOfCapacity(ProviderError):
    """The provider has no such machine free now."""

    reason = Reason.INSUFFICIENT_RESOURCE


class Unauthorized(ProviderError):
    """The API key is missing, wrong, or may not do this."""

    reason = Reason.UNAUTHORIZED


class Rejected(ProviderError):
    """A definite no to this request; `reason` says which."""

    reason = Reason.REQUEST_REJECTED


class WrongState(ProviderError):
    """The machine is not in a state that allows the change: the caller's picture is old."""

    reason = Reason.REQUEST_REJECTED


class UnknownOutcome(ProviderError):
    """The request was sent and no usable answer came: it may have taken effect."""

    reason = Reason.UNKNOWN_OUTCOME


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do, so that the core refuses the rest in words."""

    billing_modes: frozenset[BillingMode]
    listing_has_addresses: bool
    """False: `get_machine` is needed once to learn where a running machine's ports are published."""
    can_change_ports: bool
    can_grow_disk: bool
    can_change_software: bool
    max_gpu_count: int
    max_rootfs_gb: int
    publishes_ports: bool = True
    """False: a machine has an address of its own, and each port is reachable there."""
    create_returns_id: bool = True
    """False: a new machine is found by its name."""
    rebuilds_in_place: bool = False
    """True: `rebuild`, `reinstall` and `regenerate_networking` exist."""
    bills_stopped: bool = False
    """True: a machine that is down costs what it costs when it is up."""
    upgrades_are_ordered: bool = False
    """True: a machine changes its plan by order, invoice, payment, resize and confirmation."""


class Provider(Protocol):
    """One account at one cloud.

    Every method may be called again with the same arguments at any time. None blocks until an
    effect is visible: a change returns when the provider has accepted it.
    """

    @property
    def name(self) -> str:
        """The provider's name as in `spec.provider`."""

    @property
    def capabilities(self) -> Capabilities:
        """What this cloud can do."""

    async def list_machines(self) -> Listing:
        """All machines of the account. Raises IncompleteListing rather than guess."""

    async def get_machine(self, machine_id: str) -> Machine:
        """One machine with its addresses. Raises NotFound only on the provider's own word."""

    async def get_access(self, machine_id: str) -> Access:
        """The ways into a running machine, with their secrets; empty parts where the provider names none."""

    async def list_products(self, *, name: str, gpu_count: int, mode: BillingMode) -> Sequence[Product]:
        """Products whose name may match; `name` empty lists all. Callers match exactly."""

    async def list_regions(self) -> Sequence[Region]:
        """All places where machines can run."""

    async def get_template(self, template_id: str) -> Template:
        """Raises NotFound with reason TemplateNotFound."""

    async def list_registry_auths(self) -> Sequence[str]:
        """Ids of the registry credentials that are stored at the provider."""

    async def create(self, order: Order) -> str | None:
        """Buy a machine; returns its id where the provider tells it. Not idempotent: look before and after."""

    async def start(self, machine_id: str) -> None:
        """Bring a stopped machine up; WrongState if it is not stopped."""

    async def stop(self, machine_id: str) -> None:
        """Bring a running machine down; WrongState if it does not run."""

    async def restart(self, machine_id: str) -> None:
        """Restart a running machine; WrongState if it does not run."""

    async def delete(self, machine_id: str) -> None:
        """Ask for removal. Returning says accepted, not gone; an unknown id raises NotFound."""

    async def set_ports(self, machine_id: str, ports: Sequence[Port]) -> None:
        """Replace the exposed ports."""

    async def grow_disk(self, machine_id: str, *, from_gb: int, to_gb: int) -> None:
        """Grow the root disk; `from_gb` is its size now."""

    async def change_software(self, machine_id: str, software: Software, *, keep_data: bool) -> None:
        """Reset the machine to another image, environment or command."""

    async def switch_to_monthly(self, machine_id: str, months: int) -> None:
        """Pay for a machine monthly from now on: a purchase."""

    async def rename(self, machine_id: str, name: str) -> None:
        """Give a machine another name."""

    async def rebuild(self, machine_id: str) -> None:
        """Make the machine anew in place, as it was bought: its disk is lost, its address may change."""

    async def reinstall(self, machine_id: str, template_id: str) -> None:
        """Install a template on the machine: its disk is lost."""

    async def regenerate_networking(self, machine_id: str) -> None:
        """Set the machine's network up anew; restarts it."""

    async def list_plans(self, machine_id: str) -> Sequence[Plan]:
        """The plans that the machine may be moved to, its own one included."""

    async def get_upgrade_order(self, machine_id: str) -> UpgradeOrder | None:
        """The open upgrade order of the machine. None says that the provider shows none, nothing more."""

    async def order_upgrade(self, machine_id: str, choice: PlanChoice) -> None:
        """Order another plan. It makes an invoice; a second call may make a second one."""

    async def apply_upgrade(self, machine_id: str, *, disk_gb: int | None) -> None:
        """Begin to resize the machine as ordered and paid; `disk_gb` names the new disk of a custom plan."""

    async def confirm_upgrade(self, machine_id: str) -> None:
        """Keep the new sizes of a resized machine; WrongState if it is not resized."""

    async def revert_upgrade(self, machine_id: str) -> None:
        """Give a resized machine its old sizes back; WrongState if it is not resized."""

    async def aclose(self) -> None:
        """Release connections."""
