"""What stands between `reconcile` and an adapter: each is a `Provider` itself, around another one.

Built by the composition root, for one credential, as `SharedListing(Governed(Metered(Fenced(adapter))))`:
only calls that really go out are counted. `Metered` counts and times. `SharedListing` lets thousands of
resources live on one request: one listing, one look at the catalogue. Changes pass through untouched;
neither of the two retries, delays or decides. The others have rooms of their own: `governed`, `fence`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

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
from gpuinstance.providers.base import Capabilities, Provider, ProviderError
from gpuinstance.providers.http import utc_now
from gpuinstance.providers.shelf import Shelf
from gpuinstance.providers.single_flight import Clock, SingleFlight

CATALOGUE_SECONDS = 10.0
"""How long products, regions and templates are shared: long enough for a thousand resources that are
applied at once, short enough for the price to be right when a machine is bought."""

CATALOGUE_SIZE = 256
"""Different questions about products and templates that are remembered at once."""

FAILURE_SECONDS = 5.0
"""How long a failed listing is passed on before the provider is asked again."""

Result = TypeVar("Result")


class Wrapper:
    """A provider that passes everything on."""

    def __init__(self, inner: Provider) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        """The provider's name as in `spec.provider`."""
        return self._inner.name

    @property
    def capabilities(self) -> Capabilities:
        """What the provider can do."""
        return self._inner.capabilities

    async def _pass(self, operation: str, call: Awaitable[Result]) -> Result:
        """Await the call of the inner provider; `operation` is the name of the method."""
        del operation
        return await call

    async def list_machines(self) -> Listing:
        """All machines of the account; raises IncompleteListing rather than guess."""
        return await self._pass("list_machines", self._inner.list_machines())

    async def get_machine(self, machine_id: str) -> Machine:
        """One machine with its addresses."""
        return await self._pass("get_machine", self._inner.get_machine(machine_id))

    async def get_access(self, machine_id: str) -> Access:
        """The ways into a running machine. Never shared: whoever asks wants them as they are now."""
        return await self._pass("get_access", self._inner.get_access(machine_id))

    async def list_products(self, *, name: str, gpu_count: int, mode: BillingMode) -> Sequence[Product]:
        """Products whose name may match; callers match exactly."""
        call = self._inner.list_products(name=name, gpu_count=gpu_count, mode=mode)
        return await self._pass("list_products", call)

    async def list_regions(self) -> Sequence[Region]:
        """All regions."""
        return await self._pass("list_regions", self._inner.list_regions())

    async def get_template(self, template_id: str) -> Template:
        """One template."""
        return await self._pass("get_template", self._inner.get_template(template_id))

    async def list_registry_auths(self) -> Sequence[str]:
        """Ids of stored registry credentials."""
        return await self._pass("list_registry_auths", self._inner.list_registry_auths())

    async def create(self, order: Order) -> str | None:
        """Buy a machine; returns its id where the provider tells it."""
        return await self._pass("create", self._inner.create(order))

    async def start(self, machine_id: str) -> None:
        """Start a stopped machine."""
        await self._pass("start", self._inner.start(machine_id))

    async def stop(self, machine_id: str) -> None:
        """Stop a running machine."""
        await self._pass("stop", self._inner.stop(machine_id))

    async def restart(self, machine_id: str) -> None:
        """Restart a running machine."""
        await self._pass("restart", self._inner.restart(machine_id))

    async def delete(self, machine_id: str) -> None:
        """Ask for removal."""
        await self._pass("delete", self._inner.delete(machine_id))

    async def set_ports(self, machine_id: str, ports: Sequence[Port]) -> None:
        """Replace the exposed ports."""
        await self._pass("set_ports", self._inner.set_ports(machine_id, ports))

    async def grow_disk(self, machine_id: str, *, from_gb: int, to_gb: int) -> None:
        """Grow the root disk."""
        await self._pass("grow_disk", self._inner.grow_disk(machine_id, from_gb=from_gb, to_gb=to_gb))

    async def change_software(self, machine_id: str, software: Software, *, keep_data: bool) -> None:
        """Reset the machine to another image, environment or command."""
        call = self._inner.change_software(machine_id, software, keep_data=keep_data)
        await self._pass("change_software", call)

    async def switch_to_monthly(self, machine_id: str, months: int) -> None:
        """Pay for a machine monthly from now on."""
        await self._pass("switch_to_monthly", self._inner.switch_to_monthly(machine_id, months))

    async def rename(self, machine_id: str, name: str) -> None:
        """Give a machine another name."""
        await self._pass("rename", self._inner.rename(machine_id, name))

    async def rebuild(self, machine_id: str) -> None:
        """Make the machine anew in place."""
        await self._pass("rebuild", self._inner.rebuild(machine_id))

    async def reinstall(self, machine_id: str, template_id: str) -> None:
        """Install a template on the machine."""
        await self._pass("reinstall", self._inner.reinstall(machine_id, template_id))

    async def regenerate_networking(self, machine_id: str) -> None:
        """Set the machine's network up anew."""
        await self._pass("regenerate_networking", self._inner.regenerate_networking(machine_id))

    async def list_plans(self, machine_id: str) -> Sequence[Plan]:
        """The plans that the machine may be moved to."""
        return await self._pass("list_plans", self._inner.list_plans(machine_id))

    async def get_upgrade_order(self, machine_id: str) -> UpgradeOrder | None:
        """The open upgrade order of the machine."""
        return await self._pass("get_upgrade_order", self._inner.get_upgrade_order(machine_id))

    async def order_upgrade(self, machine_id: str, choice: PlanChoice) -> None:
        """Order another plan."""
        await self._pass("order_upgrade", self._inner.order_upgrade(machine_id, choice))

    async def apply_upgrade(self, machine_id: str, *, disk_gb: int | None) -> None:
        """Begin to resize the machine as ordered and paid."""
        await self._pass("apply_upgrade", self._inner.apply_upgrade(machine_id, disk_gb=disk_gb))

    async def confirm_upgrade(self, machine_id: str) -> None:
        """Keep the new sizes of a resized machine."""
        await self._pass("confirm_upgrade", self._inner.confirm_upgrade(machine_id))

    async def revert_upgrade(self, machine_id: str) -> None:
        """Give a resized machine its old sizes back."""
        await self._pass("revert_upgrade", self._inner.revert_upgrade(machine_id))

    async def aclose(self) -> None:
        """Release connections."""
        await self._inner.aclose()


class Recorder(Protocol):
    """Where `Metered` reports; implemented by the room of metrics."""

    def __call__(self, *, provider: str, operation: str, outcome: str, seconds: float) -> None:
        """Take note of one call.

        `operation` is the name of a method of `Provider`; `outcome` is `Success`, the class name of a
        `ProviderError`, `Cancelled` or `Crashed`. Both are closed sets, fit for labels.
        """


class Metered(Wrapper):
    """Counts and times every call that goes out."""

    def __init__(self, inner: Provider, record: Recorder, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(inner)
        self._record = record
        self._monotonic = monotonic

    async def _pass(self, operation: str, call: Awaitable[Result]) -> Result:
        started = self._monotonic()
        outcome = "Crashed"
        try:
            result = await call
            outcome = "Success"
        except ProviderError as error:
            outcome = type(error).__name__
            raise
        except asyncio.CancelledError:
            outcome = "Cancelled"
            raise
        finally:
            seconds = self._monotonic() - started
            self._record(provider=self.name, operation=operation, outcome=outcome, seconds=seconds)
        return result


class SharedListing(Wrapper):
    """Lets everybody who uses one credential share what is read with it.

    Use one per credential: what one account shows must not be given to another.
    """

    def __init__(
        self,
        inner: Provider,
        *,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        failure_seconds: float = FAILURE_SECONDS,
        catalogue_seconds: float = CATALOGUE_SECONDS,
        changed: Callable[[Collection[Machine]], None] = lambda _: None,
    ) -> None:
        """`changed` hears of the machines that a listing shows otherwise than the one before."""
        super().__init__(inner)
        self._changed = changed
        self._last: Listing | None = None
        clock = Clock(now, monotonic)
        self._machines = SingleFlight(self._read_listing, clock=clock, failure_age=failure_seconds)
        self._products: Shelf[tuple[str, int, BillingMode], Sequence[Product]] = Shelf(
            age=catalogue_seconds, size=CATALOGUE_SIZE, clock=clock
        )
        self._regions: Shelf[None, Sequence[Region]] = Shelf(age=catalogue_seconds, size=1, clock=clock)
        self._registry_auths: Shelf[None, Sequence[str]] = Shelf(age=catalogue_seconds, size=1, clock=clock)
        self._templates: Shelf[str, Template] = Shelf(age=catalogue_seconds, size=CATALOGUE_SIZE, clock=clock)

    async def listing(self, *, max_age: float, not_before: datetime | None = None) -> Listing:
        """Return a listing whose reading began less than `max_age` seconds ago.

        `not_before` asks for one that was begun at that moment or later, for whoever has just changed
        something. A request under way that is young enough is joined; a failure is passed on for a
        moment, and after a RateLimited nobody asks before its time.

        Raises what `list_machines` raises.
        """
        return await self._machines.get(max_age=max_age, not_before=not_before)

    def is_fresh(self, max_age: float) -> bool:
        """Whether the last listing was begun less than `max_age` seconds ago, and came."""
        return self._machines.holds(max_age)

    async def _read_listing(self) -> Listing:
        listing = await self._inner.list_machines()
        before, self._last = self._last, listing
        if before is not None and (unlike := listing.unlike(before)):
            self._changed(unlike)
        return listing

    async def list_machines(self) -> Listing:
        """Return the listing that is being read now, or read one."""
        return await self.listing(max_age=0)

    async def list_products(self, *, name: str, gpu_count: int, mode: BillingMode) -> Sequence[Product]:
        """Products whose name may match, at most `catalogue_seconds` old."""
        return await self._products.get(
            (name, gpu_count, mode),
            lambda: self._inner.list_products(name=name, gpu_count=gpu_count, mode=mode),
        )

    async def list_regions(self) -> Sequence[Region]:
        """All regions, at most `catalogue_seconds` old."""
        return await self._regions.get(None, self._inner.list_regions)

    async def get_template(self, template_id: str) -> Template:
        """One template, at most `catalogue_seconds` old."""
        return await self._templates.get(template_id, lambda: self._inner.get_template(template_id))

    async def list_registry_auths(self) -> Sequence[str]:
        """Ids of stored registry credentials, at most `catalogue_seconds` old."""
        return await self._registry_auths.get(None, self._inner.list_registry_auths)

    async def aclose(self) -> None:
        """End what is under way, whose waiters get Unavailable, and release connections."""
        self._machines.cancel()
        for shelf in (self._products, self._regions, self._registry_auths, self._templates):
            shelf.cancel()
        await self._inner.aclose()
