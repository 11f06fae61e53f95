"""A provider whose calls go out one after the other, within a budget, and not at all while that is in vain.

Built by the composition root, for one account, as `SharedListing(Governed(Metered(Fenced(adapter))))`. Under
`SharedListing`, so that a listing that a thousand objects share is one call, and what is read from memory
none. Over `Metered`, so that only what really goes out is counted, and its time does not hold the wait. Over
`Fenced`, which has to have its say after the wait, not before it.

Nothing is decided here but the lane of each call: see `governor`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

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
from gpuinstance.providers.base import Capabilities, Provider
from gpuinstance.providers.governing.governor import Governor
from gpuinstance.providers.governing.lanes import Lane
from gpuinstance.providers.governing.lessons import Errand

Result = TypeVar("Result")


class Governed:
    """A `Provider` around another one. Each has a governor of its own, and so has each account."""

    def __init__(self, inner: Provider, governor: Governor) -> None:
        self._inner = inner
        self._governor = governor

    @property
    def name(self) -> str:
        """The provider's name as in `spec.provider`."""
        return self._inner.name

    @property
    def capabilities(self) -> Capabilities:
        """What the provider can do."""
        return self._inner.capabilities

    # What comes again by itself ---------------------------------------------------------------------

    async def list_machines(self) -> Listing:
        """All machines of the account."""
        return await self._ask(Lane.POLLS, "list_machines", "", self._inner.list_machines)

    async def list_products(self, *, name: str, gpu_count: int, mode: BillingMode) -> Sequence[Product]:
        """Products whose name may match."""
        about = f"{gpu_count} {mode} {name}"
        return await self._ask(
            Lane.POLLS,
            "list_products",
            about,
            lambda: self._inner.list_products(name=name, gpu_count=gpu_count, mode=mode),
        )

    async def list_regions(self) -> Sequence[Region]:
        """All regions."""
        return await self._ask(Lane.POLLS, "list_regions", "", self._inner.list_regions)

    async def get_template(self, template_id: str) -> Template:
        """One template."""
        return await self._ask(Lane.POLLS, "get_template", template_id, lambda: self._inner.get_template(template_id))

    async def list_registry_auths(self) -> Sequence[str]:
        """Ids of stored registry credentials."""
        return await self._ask(Lane.POLLS, "list_registry_auths", "", self._inner.list_registry_auths)

    # Single reads that a change, or the end of one, waits for -----------------------------------------

    async def get_machine(self, machine_id: str) -> Machine:
        """One machine with its addresses."""
        return await self._ask(Lane.CHANGES, "get_machine", machine_id, lambda: self._inner.get_machine(machine_id))

    async def get_access(self, machine_id: str) -> Access:
        """The ways into a running machine."""
        return await self._ask(Lane.CHANGES, "get_access", machine_id, lambda: self._inner.get_access(machine_id))

    async def list_plans(self, machine_id: str) -> Sequence[Plan]:
        """The plans that the machine may be moved to."""
        return await self._ask(Lane.CHANGES, "list_plans", machine_id, lambda: self._inner.list_plans(machine_id))

    async def get_upgrade_order(self, machine_id: str) -> UpgradeOrder | None:
        """The open upgrade order of the machine."""
        return await self._ask(
            Lane.CHANGES, "get_upgrade_order", machine_id, lambda: self._inner.get_upgrade_order(machine_id)
        )

    # What ends a cost ---------------------------------------------------------------------------------

    async def stop(self, machine_id: str) -> None:
        """Stop a running machine."""
        await self._do(Lane.URGENT, "stop", machine_id, lambda: self._inner.stop(machine_id))

    async def delete(self, machine_id: str) -> None:
        """Ask for removal."""
        await self._do(Lane.URGENT, "delete", machine_id, lambda: self._inner.delete(machine_id))

    # All other changes --------------------------------------------------------------------------------

    async def create(self, order: Order) -> str | None:
        """Buy a machine; returns its id where the provider tells it."""
        return await self._do(Lane.CHANGES, "create", order.name, lambda: self._inner.create(order))

    async def start(self, machine_id: str) -> None:
        """Start a stopped machine."""
        await self._do(Lane.CHANGES, "start", machine_id, lambda: self._inner.start(machine_id))

    async def restart(self, machine_id: str) -> None:
        """Restart a running machine."""
        await self._do(Lane.CHANGES, "restart", machine_id, lambda: self._inner.restart(machine_id))

    async def set_ports(self, machine_id: str, ports: Sequence[Port]) -> None:
        """Replace the exposed ports."""
        await self._do(Lane.CHANGES, "set_ports", machine_id, lambda: self._inner.set_ports(machine_id, ports))

    async def grow_disk(self, machine_id: str, *, from_gb: int, to_gb: int) -> None:
        """Grow the root disk."""
        await self._do(
            Lane.CHANGES,
            "grow_disk",
            machine_id,
            lambda: self._inner.grow_disk(machine_id, from_gb=from_gb, to_gb=to_gb),
        )

    async def change_software(self, machine_id: str, software: Software, *, keep_data: bool) -> None:
        """Reset the machine to another image, environment or command."""
        await self._do(
            Lane.CHANGES,
            "change_software",
            machine_id,
            lambda: self._inner.change_software(machine_id, software, keep_data=keep_data),
        )

    async def switch_to_monthly(self, machine_id: str, months: int) -> None:
        """Pay for a machine monthly from now on."""
        await self._do(
            Lane.CHANGES, "switch_to_monthly", machine_id, lambda: self._inner.switch_to_monthly(machine_id, months)
        )

    async def rename(self, machine_id: str, name: str) -> None:
        """Give a machine another name."""
        await self._do(Lane.CHANGES, "rename", machine_id, lambda: self._inner.rename(machine_id, name))

    async def rebuild(self, machine_id: str) -> None:
        """Make the machine anew in place."""
        await self._do(Lane.CHANGES, "rebuild", machine_id, lambda: self._inner.rebuild(machine_id))

    async def reinstall(self, machine_id: str, template_id: str) -> None:
        """Install a template on the machine."""
        await self._do(Lane.CHANGES, "reinstall", machine_id, lambda: self._inner.reinstall(machine_id, template_id))

    async def regenerate_networking(self, machine_id: str) -> None:
        """Set the machine's network up anew."""
        await self._do(
            Lane.CHANGES, "regenerate_networking", machine_id, lambda: self._inner.regenerate_networking(machine_id)
        )

    async def order_upgrade(self, machine_id: str, choice: PlanChoice) -> None:
        """Order another plan."""
        await self._do(Lane.CHANGES, "order_upgrade", machine_id, lambda: self._inner.order_upgrade(machine_id, choice))

    async def apply_upgrade(self, machine_id: str, *, disk_gb: int | None) -> None:
        """Begin to resize the machine as ordered and paid."""
        await self._do(
            Lane.CHANGES, "apply_upgrade", machine_id, lambda: self._inner.apply_upgrade(machine_id, disk_gb=disk_gb)
        )

    async def confirm_upgrade(self, machine_id: str) -> None:
        """Keep the new sizes of a resized machine."""
        await self._do(Lane.CHANGES, "confirm_upgrade", machine_id, lambda: self._inner.confirm_upgrade(machine_id))

    async def revert_upgrade(self, machine_id: str) -> None:
        """Give a resized machine its old sizes back."""
        await self._do(Lane.CHANGES, "revert_upgrade", machine_id, lambda: self._inner.revert_upgrade(machine_id))

    async def aclose(self) -> None:
        """Let nobody wait any more, and release connections."""
        self._governor.close()
        await self._inner.aclose()

    # The call is a function, not a coroutine: one that is never sent is never made.

    async def _ask(self, lane: Lane, operation: str, about: str, send: Callable[[], Awaitable[Result]]) -> Result:
        return await self._governor.call(Errand(lane, operation, about, is_question=True), send)

    async def _do(self, lane: Lane, operation: str, about: str, send: Callable[[], Awaitable[Result]]) -> Result:
        return await self._governor.call(Errand(lane, operation, about), send)
