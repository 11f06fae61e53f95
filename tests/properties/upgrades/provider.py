"""The rental as a `Provider`: what an adapter makes of it, and what can go wrong on the way.

The account of one life of the operator. Like the adapter it looks before it touches a server, through the same
lagging glass; a call may be lost on its way, or its answer, or it takes effect only after it was given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NoReturn, TypeVar

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingMode
from gpuinstance.core.model import (
    Listing,
    Machine,
    MachineState,
    Order,
    Plan,
    PlanChoice,
    Product,
    Region,
    Template,
    UpgradeOrder,
)
from gpuinstance.providers import base
from gpuinstance.providers.hostwinds import CAPABILITIES
from tests.properties.upgrades.rental import CATALOGUE, Actor, Rental
from tests.properties.world.fate import Crash, Fate, Kind, Trouble

PATIENCE = 20.0
"""Virtual seconds until a call without an answer is given up."""
_TROUBLES: dict[Trouble, base.ProviderError] = {
    Trouble.UNAVAILABLE: base.Unavailable("the provider is away"),
    Trouble.RATE_LIMITED: base.RateLimited("too many calls", retry_after=40),
    Trouble.NO_CAPACITY: base.OutOfCapacity("none free"),
    Trouble.UNAUTHORIZED: base.Unauthorized("the key is not accepted"),
    Trouble.REJECTED: base.Rejected("not like this", reason=Reason.REQUEST_REJECTED),
}

Seen = TypeVar("Seen")
Counter = Callable[[str, str], None]
"""Told of each change that arrives from the operator, before it takes effect: what, and to which server."""


class RentalAccount:
    """One account at the rental."""

    name = "hostwinds"
    capabilities = CAPABILITIES

    def __init__(self, rental: Rental, fate: Fate, arrives: Counter, is_dead: Callable[[], bool]) -> None:
        self._rental = rental
        self._fate = fate
        self._arrives = arrives
        self._is_dead = is_dead

    async def list_machines(self) -> Listing:
        """All servers, behind by the listing's lag."""
        started_at = datetime.fromtimestamp(self._rental.now(), UTC)
        return Listing(await self._look(self._rental.listing), started_at)

    async def get_machine(self, machine_id: str) -> Machine:
        """One server, behind by its own lag."""
        return await self._look(lambda: self._rental.look(machine_id))

    async def list_plans(self, machine_id: str) -> Sequence[Plan]:
        """What it may be moved to."""
        return await self._look(lambda: self._rental.plans(machine_id))

    async def get_upgrade_order(self, machine_id: str) -> UpgradeOrder | None:
        """The open order, behind by its own lag."""
        return await self._look(lambda: self._rental.shown_order(machine_id))

    async def list_products(self, *, name: str, gpu_count: int, mode: BillingMode) -> Sequence[Product]:
        """The whole catalogue."""
        modes = CAPABILITIES.billing_modes
        return [
            Product(it.id, it.name, True, (), modes, None, cycle_prices=it.cycle_prices, max_rootfs_gb=1000)
            for it in CATALOGUE
        ]

    async def list_regions(self) -> Sequence[Region]:
        """None."""
        return ()

    async def list_registry_auths(self) -> Sequence[str]:
        """None."""
        return ()

    async def get_template(self, template_id: str) -> Template:
        """Any: the provider installs it."""
        return Template(template_id, template_id, image="", installed_by_provider=True)

    async def create(self, order: Order) -> str | None:
        """Rent a server."""
        await self._change("create", "", lambda: self._rental.create(order.name, order.product_id))
        return None

    async def start(self, machine_id: str) -> None:
        """Boot a server."""
        await self._touch("start", machine_id, lambda: self._rental.start(machine_id, Actor.API))

    async def stop(self, machine_id: str) -> None:
        """Shut a server down."""
        await self._touch("stop", machine_id, lambda: self._rental.stop(machine_id, Actor.API))

    async def restart(self, machine_id: str) -> None:
        """Reboot a server."""
        await self._touch("restart", machine_id, lambda: self._rental.restart(machine_id, Actor.API))

    async def delete(self, machine_id: str) -> None:
        """Terminate a server."""
        await self._touch("delete", machine_id, lambda: self._rental.delete(machine_id, Actor.API))

    async def order_upgrade(self, machine_id: str, choice: PlanChoice) -> None:
        """Order another plan."""
        await self._touch("order", machine_id, lambda: self._rental.order(machine_id, choice, Actor.API))

    async def apply_upgrade(self, machine_id: str, *, disk_gb: int | None) -> None:
        """Carry out what was paid."""
        await self._touch("apply", machine_id, lambda: self._rental.apply(machine_id, Actor.API))

    async def confirm_upgrade(self, machine_id: str) -> None:
        """Keep the new sizes."""
        await self._touch("confirm", machine_id, lambda: self._rental.confirm(machine_id, Actor.API), resized=True)

    async def revert_upgrade(self, machine_id: str) -> None:
        """Take the old sizes back."""
        await self._touch("revert", machine_id, lambda: self._rental.revert(machine_id, Actor.API), resized=True)

    async def aclose(self) -> None:
        """Nothing to release."""

    async def _look(self, look: Callable[[], Seen]) -> Seen:
        await self._live()
        trouble = self._fate.meet(Kind.LOOK)
        await asyncio.sleep(0.05)
        if trouble is not None:
            raise _TROUBLES[trouble]
        seen = look()
        await asyncio.sleep(0.05)
        return seen

    async def _touch(self, what: str, machine_id: str, effect: Callable[[], object], *, resized: bool = False) -> None:
        """Change a server that may be touched, as far as a look at it tells."""
        await self._live()
        machine = self._rental.look(machine_id)
        if machine.state is MachineState.SUSPENDED:
            raise base.Rejected(f"server {machine_id} is locked", reason=Reason.INSTANCE_SUSPENDED)
        if resized is not (machine.state is MachineState.RESIZED) and what != "delete":
            raise base.WrongState(f"server {machine_id} is {machine.word}")
        await self._change(what, machine_id, effect)

    async def _change(self, what: str, machine_id: str, effect: Callable[[], object]) -> None:
        """Let a change take effect, or meet its trouble."""
        await self._live()
        trouble = self._fate.meet(Kind.CHANGE)
        if trouble in _TROUBLES:
            raise _TROUBLES[trouble]

        def arrive() -> None:
            self._arrives(what, machine_id)
            effect()

        await asyncio.sleep(0.1)
        if trouble is Trouble.LOST_REQUEST:
            await _no_answer()
        if trouble is Trouble.LATE:
            asyncio.get_running_loop().call_later(PATIENCE + 5, _quietly, arrive)
            await _no_answer()
        arrive()
        if trouble is Trouble.CRASH_AFTER:
            raise Crash("after a change at the provider")
        if trouble is Trouble.LOST_ANSWER:
            await _no_answer()
        await asyncio.sleep(0.1)

    async def _live(self) -> None:
        """Nothing arrives from a process that is dead."""
        if self._is_dead():
            await asyncio.get_running_loop().create_future()


async def _no_answer() -> NoReturn:
    await asyncio.sleep(PATIENCE)
    raise base.UnknownOutcome("no answer came")


def _quietly(effect: Callable[[], object]) -> None:
    """A late request is refused to nobody's knowledge."""
    try:
        effect()
    except base.ProviderError:
        return
