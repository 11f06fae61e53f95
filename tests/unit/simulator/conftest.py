"""Worlds for the tests of the simulator: a still clock, a cloud, and the same served on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from gpuinstance_simulator.clock import ManualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.hostwinds import HostwindsFace
from gpuinstance_simulator.hostwinds import new_cloud as new_hostwinds_cloud
from gpuinstance_simulator.novita import PREFIX, NovitaFace, new_cloud
from gpuinstance_simulator.server import serve
from gpuinstance_simulator.simulation import TEST_KEY, Simulation
from tests.unit.simulator.hostwinds_support import Site
from tests.unit.simulator.support import client


@pytest.fixture
def clock() -> ManualClock:
    """Time that moves only when the test says so."""
    return ManualClock()


@pytest.fixture
def cloud(clock: ManualClock) -> Cloud:
    """An empty cloud."""
    return new_cloud(clock)


@pytest.fixture
async def simulation(cloud: Cloud) -> AsyncIterator[Simulation]:
    """The cloud, served on a free port."""
    async with serve(cloud, NovitaFace()) as served:
        yield served


@pytest.fixture
async def api(simulation: Simulation) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the provider's API with a valid key."""
    async with client(simulation.base_url + PREFIX, key=TEST_KEY) as it:
        yield it


@pytest.fixture
async def admin(simulation: Simulation) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the admin API."""
    async with client(simulation.base_url + "/_simulator") as it:
        yield it


@pytest.fixture
async def site(clock: ManualClock) -> AsyncIterator[Site]:
    """An empty account at the other provider, Hostwinds, served on a free port, with a client."""
    cloud = new_hostwinds_cloud(clock)
    async with serve(cloud, HostwindsFace()) as served, client(served.base_url) as visitor:
        yield Site(cloud, served, visitor)
