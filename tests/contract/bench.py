"""The bench of the contract suite: a simulated cloud behind a real socket, and an adapter in front.

Used by `provider_contract` and its fillings. Time stands still until a test moves it; what really
happened is read from the cloud's ledger, which the adapter never sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gpuinstance.core.model import Machine, MachineState, Order
from gpuinstance.providers.base import Provider
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

    def wait(self, seconds: float = LONG) -> None:
        """Let virtual time pass."""
        self.clock.advance(seconds)

    def plant(self, operation: Operation, effect: Effect, *, count: int | None = 1, page: int | None = None) -> None:
        """Spoil the next so many calls of that operation; None: all from now on."""
        self.simulation.faults.add(Fault(operation=operation, effect=effect, count=count, page=page))

    def heal(self) -> None:
        """Take all faults away."""
        self.simulation.faults.remove()

    def sent(self, operation: Operation) -> int:
        """How many requests of that kind have arrived, accepted or not."""
        return self.simulation.calls.counts[operation.value]

    def accepted(self, operation: Operation) -> int:
        """How many of them have taken effect."""
        return len(self.cloud.ledger.select(operation=operation, actor=Actor.API))

    async def running(self, order: Order) -> str:
        """Buy a machine and wait until it runs; return its id."""
        machine_id = await self.provider.create(order)
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
