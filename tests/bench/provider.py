"""What the simulated provider knows: its time in seconds of the wall, what it took for itself, and who called it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from tests.rig.simulator import Simulator


@dataclass(frozen=True, slots=True)
class ProviderClock:
    """From the provider's seconds, of which `speed` pass in a real one, to those of the wall."""

    speed: float
    virtual: float
    """The provider's time at the moment `wall`."""
    wall: float
    """Seconds since the Unix epoch."""

    @classmethod
    def of(cls, simulator: Simulator) -> Self:
        """Compare the two clocks."""
        before = time.time()
        clock = simulator.ask("clock")
        return cls(clock["speed"], clock["now"], (before + time.time()) / 2)

    def at(self, virtual: float) -> float:
        """Return when on the wall it is or was that late for the provider."""
        return self.wall + (virtual - self.virtual) / self.speed


@dataclass(frozen=True, slots=True)
class Birth:
    """How a machine came to serve; seconds since the Unix epoch, on the wall."""

    bought: float
    serving: float
    """When its application first answered."""

    @property
    def took(self) -> float:
        """The provider's own time and the application's, in seconds."""
        return self.serving - self.bought


def births(simulator: Simulator) -> Mapping[str, Birth]:
    """Return how the machines of now came to serve, by id. Those that never came up are not in it."""
    clock, warm_up = ProviderClock.of(simulator), simulator.ask("settings")["warm_up"]
    return {
        machine["id"]: Birth(clock.at(machine["created_at"]), clock.at(machine["started_at"] + warm_up))
        for machine in simulator.ask("machines")
        if machine["started_at"] is not None
    }


def calls(simulator: Simulator) -> Mapping[str, int]:
    """Return how many HTTP requests the provider has got by now, by operation. Each page of a listing is one."""
    operations: dict[str, Any] = simulator.ask("calls")["operations"]
    return {operation: int(number) for operation, number in operations.items()}
