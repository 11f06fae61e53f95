"""The simulated cloud as a `Provider`, without a wire between: what an adapter would make of it.

It adds what can go wrong between a client and a cloud, and it is the judge at the counter: a purchase
while an earlier machine of the same account's object still exists is the mistake that costs money.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NoReturn, TypeVar

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingMode, PortProtocol
from gpuinstance.core.model import Listing, Machine, Order, Port, Product, Region, Software, Template
from gpuinstance.providers import base
from gpuinstance.providers.novita import CAPABILITIES
from gpuinstance.providers.novita.words import BILLING_MODES, STATES
from gpuinstance_simulator import catalogue as shop
from gpuinstance_simulator import machine as simulated
from gpuinstance_simulator.cloud import Cloud, Sight
from gpuinstance_simulator.errors import CloudError, Refusal
from tests.properties.world.fate import Crash, Fate, Kind, Trouble

IN_PLACE = replace(CAPABILITIES, can_change_software=False, create_returns_id=False, rebuilds_in_place=True)
"""A cloud that names no machine when it sells one, installs templates, and makes machines anew in place."""

PATIENCE = 20.0
"""Virtual seconds until a call without an answer is given up."""

Result = TypeVar("Result")

_REFUSALS = {
    Refusal.NO_SUCH_MACHINE: base.NotFound,
    Refusal.WRONG_STATE: base.WrongState,
    Refusal.OUT_OF_STOCK: base.OutOfCapacity,
}

_TROUBLES: dict[Trouble, base.ProviderError] = {
    Trouble.UNAVAILABLE: base.Unavailable("the provider is away"),
    Trouble.RATE_LIMITED: base.RateLimited("too many calls", retry_after=40),
    Trouble.NO_CAPACITY: base.OutOfCapacity("none free"),
    Trouble.UNAUTHORIZED: base.Unauthorized("the key is not accepted"),
    Trouble.REJECTED: base.Rejected("not like this", reason=Reason.REQUEST_REJECTED),
}


class ModelledProvider:
    """One account at the simulated cloud."""

    name = "novita"

    def __init__(
        self,
        cloud: Cloud,
        fate: Fate,
        bought: Callable[[simulated.Machine], None],
        capabilities: base.Capabilities = CAPABILITIES,
    ) -> None:
        """`bought` is told of each machine at the moment of its purchase."""
        self.capabilities = capabilities
        self._cloud = cloud
        self._fate = fate
        self._bought = bought

    async def list_machines(self) -> Listing:
        """All machines, behind by the cloud's lags."""
        started_at = _moment(self._cloud.clock.now())
        self._look()
        await asyncio.sleep(0.05)
        return Listing(tuple(_translated(sight, addresses=False) for sight in self._cloud.listing()), started_at)

    async def get_machine(self, machine_id: str) -> Machine:
        """One machine with its addresses."""
        self._look()
        return _translated(self._asked(lambda: self._cloud.look(machine_id)), addresses=True)

    async def list_products(self, *, name: str, gpu_count: int, mode: BillingMode) -> Sequence[Product]:
        """The whole catalogue."""
        self._look()
        return [_product(it) for it in self._cloud.catalogue.products.values()]

    async def list_regions(self) -> Sequence[Region]:
        """All clusters."""
        self._look()
        return [Region(it.id, it.name) for it in self._cloud.catalogue.clusters.values()]

    async def list_registry_auths(self) -> Sequence[str]:
        """None are stored."""
        return ()

    async def get_template(self, template_id: str) -> Template:
        """Any, where the provider installs them; else there is none in this world."""
        if self.capabilities.rebuilds_in_place:
            return Template(template_id, template_id, image="", installed_by_provider=True)
        raise base.NotFound("no such template", reason=Reason.TEMPLATE_NOT_FOUND)

    async def create(self, order: Order) -> str | None:
        """Buy a machine, and tell its id where this cloud does."""

        def buy() -> str | None:
            machine = self._cloud.create(
                simulated.Order(
                    name=order.name,
                    product_id=order.product_id,
                    gpu_count=order.gpu_count,
                    rootfs_gb=order.rootfs_gb,
                    software=simulated.Software(image=order.software.template_id or order.software.image),
                    ports=_shop_ports(order.ports),
                )
            )
            self._bought(machine)
            return machine.id if self.capabilities.create_returns_id else None

        return await self._change(buy)

    async def start(self, machine_id: str) -> None:
        """Start a stopped machine."""
        await self._change(lambda: self._cloud.start(machine_id))

    async def stop(self, machine_id: str) -> None:
        """Stop a running machine."""
        await self._change(lambda: self._cloud.stop(machine_id))

    async def restart(self, machine_id: str) -> None:
        """Restart a running machine."""
        await self._change(lambda: self._cloud.restart(machine_id))

    async def delete(self, machine_id: str) -> None:
        """Ask for removal; a second time finds the machine in the wrong state."""
        await self._change(lambda: self._cloud.delete(machine_id))

    async def set_ports(self, machine_id: str, ports: Sequence[Port]) -> None:
        """Replace the exposed ports."""
        await self._change(lambda: self._cloud.edit(machine_id, ports=_shop_ports(ports)))

    async def grow_disk(self, machine_id: str, *, from_gb: int, to_gb: int) -> None:
        """Grow the root disk by the difference."""
        await self._change(lambda: self._cloud.edit(machine_id, grow_gb=to_gb - from_gb))

    async def change_software(self, machine_id: str, software: Software, *, keep_data: bool) -> None:
        """Reset the machine to another image."""
        wanted = simulated.Software(image=software.image)
        await self._change(lambda: self._cloud.upgrade(machine_id, wanted, keep_data=keep_data))

    async def rebuild(self, machine_id: str) -> None:
        """Make a machine anew, with what was on it when it was bought."""
        await self._change(lambda: self._cloud.upgrade(machine_id, self._software_of(machine_id), keep_data=False))

    async def reinstall(self, machine_id: str, template_id: str) -> None:
        """Install a template."""
        wanted = simulated.Software(image=template_id)
        await self._change(lambda: self._cloud.upgrade(machine_id, wanted, keep_data=False))

    async def regenerate_networking(self, machine_id: str) -> None:
        """Set the network up anew, which restarts the machine."""
        await self._change(lambda: self._cloud.restart(machine_id))

    def _software_of(self, machine_id: str) -> simulated.Software:
        return self._cloud.machine(machine_id).order.software

    async def aclose(self) -> None:
        """Nothing to release."""

    def _look(self) -> None:
        trouble = self._fate.meet(Kind.LOOK)
        if trouble is not None:
            raise _TROUBLES[trouble]

    async def _change(self, effect: Callable[[], Result]) -> Result:
        """Let a change take effect, or meet its trouble."""
        trouble = self._fate.meet(Kind.CHANGE)
        if trouble in _TROUBLES:
            raise _TROUBLES[trouble]
        await asyncio.sleep(0.1)
        if trouble is Trouble.LOST_REQUEST:
            await _no_answer()
        if trouble is Trouble.LATE:
            asyncio.get_running_loop().call_later(PATIENCE + 5, _quietly, effect)
            await _no_answer()
        result = self._asked(effect)
        if trouble is Trouble.CRASH_AFTER:
            raise Crash("after a change at the provider")
        if trouble is Trouble.LOST_ANSWER:
            await _no_answer()
        await asyncio.sleep(0.1)
        return result

    def _asked(self, ask: Callable[[], Result]) -> Result:
        try:
            return ask()
        except CloudError as refused:
            kind = _REFUSALS.get(refused.reason, base.Rejected)
            raise kind(refused.message) from None


async def _no_answer() -> NoReturn:
    await asyncio.sleep(PATIENCE)
    raise base.UnknownOutcome("no answer came")


def _quietly(effect: Callable[[], object]) -> None:
    """A late request is refused to nobody's knowledge."""
    try:
        effect()
    except CloudError:
        return


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _translated(sight: Sight, *, addresses: bool) -> Machine:
    machine = sight.machine
    return Machine(
        id=machine.id,
        name=machine.name,
        state=STATES[sight.word.lower()],
        word=sight.word,
        product_id=machine.product.id,
        product_name=machine.product.name,
        region=machine.cluster_id,
        billing_mode=BILLING_MODES[machine.order.mode.lower()],
        ports=tuple(_port(machine, it, published=addresses and sight.is_up) for it in machine.order.ports),
        rootfs_gb=machine.order.rootfs_gb,
        image=machine.order.software.image,
        gpu_count=machine.order.gpu_count,
        trouble="" if sight.is_up else machine.error[1],
        created_at=_moment(machine.created_at),
        started_at=None if machine.started_at is None else _moment(machine.started_at),
        stopped_at=None if machine.stopped_at is None else _moment(machine.stopped_at),
    )


def address(machine: simulated.Machine, number: int) -> str:
    """Where a port of this run of a machine is published."""
    return f"https://{machine.id}-{number}-{machine.runs}.example"


def _port(machine: simulated.Machine, port: shop.Port, *, published: bool) -> Port:
    return Port(port.number, PortProtocol(port.protocol), address(machine, port.number) if published else None)


def _shop_ports(ports: Sequence[Port]) -> tuple[shop.Port, ...]:
    return tuple(shop.Port(it.number, it.protocol.value) for it in ports)


def _product(product: shop.Product) -> Product:
    return Product(
        id=product.id,
        name=product.name,
        available=product.available,
        regions=product.clusters,
        modes=frozenset(BILLING_MODES[mode.lower()] for mode in product.modes),
        hourly_price=product.price,
    )
