"""The bench of the contract suite: a simulated cloud behind a real socket, and an adapter in front.

Used by `provider_contract` and its fillings. Time stands still until a test moves it; what really
happened is read from the cloud's ledger, which the adapter never sees.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.core.model import Machine, MachineState, Order
from gpuinstance.providers.base import Capabilities, Provider, Rejected
from gpuinstance.providers.http import Limits
from gpuinstance_simulator.clock import VirtualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.effects import Effect
from gpuinstance_simulator.faults import Fault
from gpuinstance_simulator.lifecycle import Actor, Operation
from gpuinstance_simulator.simulation import Simulation

LONG = 3600.0
"""Virtual seconds after which everything that was asked for has happened."""

IMPATIENT = Limits(total=0.5)
"""For tests in which no answer comes."""


@dataclass(slots=True)
class Bench:
    """What a test of the contract works with."""

    simulation: Simulation
    clock: VirtualClock
    provider: Provider
    connect: Callable[[Limits], Provider]
    """Builds another adapter for the same account; the test closes it."""

    @property
    def cloud(self) -> Cloud:
        """The truth."""
        return self.simulation.cloud

    @property
    def can(self) -> Capabilities:
        """What the provider says that it can do."""
        return self.provider.capabilities

    def wait(self, seconds: float = LONG) -> None:
        """Let virtual time pass."""
        self.clock.advance(seconds)

    def plant(self, operation: Operation, effect: Effect, *, count: int | None = 1, page: int | None = None) -> None:
        """Spoil the next so many calls of that operation; None: all from now on."""
        self.simulation.faults.add(Fault(operation=operation, effect=effect, count=count, page=page))

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """The cloud accepts nothing in this block."""
        before = len(self.cloud.ledger.select(actor=Actor.API))
        yield
        assert len(self.cloud.ledger.select(actor=Actor.API)) == before

    async def lacks(self, call: Awaitable[object]) -> None:
        """The provider refuses the call in words, as something that it cannot do at all, and nothing happens."""
        with self.unchanged(), pytest.raises(Rejected) as caught:
            await call
        assert caught.value.reason is Reason.UNSUPPORTED_BY_PROVIDER

    def heal(self) -> None:
        """Take all faults away."""
        self.simulation.faults.remove()

    def sent(self, operation: Operation) -> int:
        """How many requests of that kind have arrived, accepted or not."""
        return self.simulation.calls.counts[operation.value]

    def accepted(self, operation: Operation) -> int:
        """How many of them have taken effect."""
        return len(self.cloud.ledger.select(operation=operation, actor=Actor.API))

    async def bought(self, order: Order) -> str:
        """Buy a machine; return its id, by the cloud's word where the provider does not tell it."""
        machine_id = await self.provider.create(order)
        newest = self.cloud.truth()[-1].id
        assert machine_id == (newest if self.can.create_returns_id else None)
        return newest

    async def running(self, order: Order) -> str:
        """Buy a machine and wait until it runs; return its id."""
        machine_id = await self.bought(order)
        self.wait()
        return machine_id

    async def stopped(self, order: Order) -> str:
        """Buy a machine, stop it when it runs, and wait until it is down; return its id."""
        machine_id = await self.running(order)
        await self.provider.stop(machine_id)
        self.wait()
        return machine_id

    async def listed(self, machine_id: str) -> Machine | None:
        """The machine as the listing shows it, None where it does not."""
        listing = await self.provider.list_machines()
        return next((it for it in listing.machines if it.id == machine_id), None)

    async def state(self, machine_id: str) -> MachineState | None:
        """Its state there."""
        machine = await self.listed(machine_id)
        return None if machine is None else machine.state
