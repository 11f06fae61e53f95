"""The hooks that a provider fills in, and the bench that every test of the contract stands on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from gpuinstance.api.words import PortProtocol
from gpuinstance.core.model import Order
from gpuinstance.providers.base import Provider
from gpuinstance.providers.http import DEFAULT_LIMITS, Limits
from gpuinstance_simulator.clock import ManualClock, VirtualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.effects import Effect
from gpuinstance_simulator.server import serve
from gpuinstance_simulator.simulation import TEST_KEY, Face, Simulation
from tests.contract.bench import Bench

NO_SUCH_ID = "0000000000000000"
HTTP, TCP = PortProtocol.HTTP, PortProtocol.TCP


class Hooks(ABC):
    """What the suite needs to know of a provider."""

    refusals: Mapping[str, Effect]
    """False answers in the provider's words: `no capacity`, `no balance`, `rejected`."""

    @abstractmethod
    def cloud(self, clock: VirtualClock) -> Cloud:
        """A cloud as this provider runs it, with something on sale in every billing mode."""

    @abstractmethod
    def face(self) -> Face:
        """The provider's wire format over that cloud."""

    @abstractmethod
    def connect(self, simulation: Simulation, key: str, limits: Limits) -> Provider:
        """The adapter, for an account at that simulation; its retries do not pause."""

    @abstractmethod
    def order(self, **changes: Any) -> Order:
        """An order that the cloud accepts, for one GPU, with ports 80/http and 22/tcp and 60 GB."""

    @pytest.fixture
    async def bench(self) -> AsyncIterator[Bench]:
        """A fresh cloud, served, with an adapter in front."""
        clock = ManualClock()
        async with serve(self.cloud(clock), self.face()) as simulation:
            provider = self.connect(simulation, TEST_KEY, DEFAULT_LIMITS)
            try:
                yield Bench(simulation, clock, provider, lambda limits: self.connect(simulation, TEST_KEY, limits))
            finally:
                await provider.aclose()
