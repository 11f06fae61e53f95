"""The hooks that a provider fills in, and the bench that every test of the contract stands on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
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
    page_size: int | None = 100
    """Machines on a page of the listing; None where the listing is one answer."""
    secrets: tuple[str, ...] = ()
    """What the wire shows and nobody must see, beside passwords and environments."""
    failed_state: str | None = None
    """The state in which a machine lands that failed; None: where it is down."""
    start_is_shown: bool = True
    """Whether `started_at` moves with each restart."""
    keeps_place_when_stopped: bool = False
    """Whether a stopped machine can be started however much was sold meanwhile."""
    bad_orders: tuple[tuple[Mapping[str, Any], Reason], ...] = (
        ({"product_id": "no-such-product"}, Reason.PRODUCT_NOT_FOUND),
        ({"region_id": "no-such-region"}, Reason.REGION_NOT_FOUND),
    )
    """Changes of the order that only the provider can find bad, and why."""
    renames: bool = False
    """Whether the API can rename a machine."""
    bigger_plan: str = ""
    """Where upgrades are ordered: the id of a plan with more of everything."""
    other_template: str = ""
    """Where machines are rebuilt in place: a template that is not that of the order."""

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
        """An order that the cloud accepts; where ports are published, 80/http and 22/tcp, with 60 GB."""

    def shown_image(self, order: Order) -> str:
        """What a machine of that order shows as its image."""
        return order.software.image

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
