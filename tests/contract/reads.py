"""The contract of reads in trouble: repeated, or unavailable, never mistaken for knowledge."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.core.model import MachineState
from gpuinstance.providers.base import (
    IncompleteListing,
    NotFound,
    ProviderError,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from gpuinstance.providers.http import DEFAULT_LIMITS
from gpuinstance_simulator.effects import Answer, Drop, Effect, Page, Truncate
from gpuinstance_simulator.lifecycle import Operation
from gpuinstance_simulator.machine import Order as CloudOrder
from gpuinstance_simulator.simulation import TEST_KEY
from tests.contract.bench import Bench
from tests.contract.hooks import NO_SUCH_ID, Hooks

READ_TROUBLE: dict[str, tuple[Effect, type[ProviderError]]] = {
    "dropped": (Drop(when="before"), Unavailable),
    "a server error": (Answer(status=500), Unavailable),
    "a gateway error": (Answer(status=502), Unavailable),
    "overload": (Answer(status=503), Unavailable),
    "a page of HTML": (Answer(status=200, html=True), Unavailable),
    "half a JSON": (Truncate(), Unavailable),
    "half an answer": (Truncate(abort=True), Unavailable),
    "a limit": (Answer(status=429), RateLimited),
    "a refused key": (Answer(status=401), Unauthorized),
    "a page of 404": (Answer(status=404, html=True), Unavailable),
}

PASSING = {name: READ_TROUBLE[name] for name in ("dropped", "a server error", "a gateway error", "overload")}


class Reads(Hooks):
    """Reads and listings whose answers are lost, broken or false."""

    @pytest.mark.parametrize(("effect", "error"), READ_TROUBLE.values(), ids=READ_TROUBLE.keys())
    async def test_a_read_in_trouble_says_so(self, bench: Bench, effect: Effect, error: type[ProviderError]) -> None:
        """Trouble that stays is never an empty listing, and never a machine that is not found."""
        machine_id = await bench.running(self.order())
        for operation in (Operation.LIST, Operation.GET):
            bench.plant(operation, effect, count=None)
        provider = bench.provider
        for call in (provider.list_machines(), provider.get_machine(machine_id), provider.get_access(machine_id)):
            with pytest.raises(error) as caught:
                await call
            assert not isinstance(caught.value, NotFound)
        bench.heal()
        assert await bench.state(machine_id) is MachineState.RUNNING

    @pytest.mark.parametrize("effect", [it[0] for it in PASSING.values()], ids=PASSING.keys())
    async def test_a_read_survives_passing_trouble(self, bench: Bench, effect: Effect) -> None:
        """Reads are repeated by themselves."""
        machine_id = await bench.running(self.order())
        for operation in (Operation.LIST, Operation.GET):
            bench.plant(operation, effect, count=2)
        assert await bench.state(machine_id) is MachineState.RUNNING
        assert (await bench.provider.get_machine(machine_id)).id == machine_id

    async def test_a_cloud_that_is_gone_is_unavailable(self, bench: Bench) -> None:
        """Where nothing listens nothing was sent, also for a change."""
        bench.simulation.base_url = "http://127.0.0.1:1"
        orphan = self.connect(bench.simulation, TEST_KEY, DEFAULT_LIMITS)
        for call in (orphan.list_machines(), orphan.create(self.order()), orphan.delete(NO_SUCH_ID)):
            with pytest.raises(Unavailable):
                await call
        await orphan.aclose()

    def fill(self, bench: Bench, count: int) -> set[str]:
        """Put so many machines into the cloud without the adapter; return their ids."""
        order = self.order()
        names = (f"machine-{number}" for number in range(count))
        return {bench.cloud.create(CloudOrder(name, order.product_id)).id for name in names}

    @pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
    async def test_all_pages_are_read(self, bench: Bench, count: int) -> None:
        """Every machine, each once, at the price of its pages: one request for each."""
        ids = self.fill(bench, count)
        listing = await bench.provider.list_machines()
        assert len(listing.machines) == count
        assert {it.id for it in listing.machines} == ids
        assert bench.sent(Operation.LIST) == max(1, -(-count // (self.page_size or count or 1)))

    @pytest.mark.parametrize("shape", ["empty", "short", "repeated", "overlap"])
    async def test_a_page_that_lies_is_noticed(self, bench: Bench, shape: Any) -> None:
        """Once: read again, complete. Always: refused, because absence from it would mean nothing."""
        if self.page_size is None:
            pytest.skip("the listing has no pages")
        ids = self.fill(bench, 250)
        bench.plant(Operation.LIST, Page(shape=shape), page=2)
        assert {it.id for it in (await bench.provider.list_machines()).machines} == ids
        bench.plant(Operation.LIST, Page(shape=shape), page=2, count=None)
        with pytest.raises(IncompleteListing):
            await bench.provider.list_machines()

    async def test_a_page_that_fails_leaves_no_listing(self, bench: Bench) -> None:
        """One page of three cannot be read: incomplete, not shorter."""
        if self.page_size is None:
            pytest.skip("the listing has no pages")
        self.fill(bench, 250)
        bench.plant(Operation.LIST, Answer(status=502), page=3, count=None)
        with pytest.raises(IncompleteListing):
            await bench.provider.list_machines()

    async def test_a_page_that_is_limited_is_a_limit(self, bench: Bench) -> None:
        """Also in the middle of a listing."""
        self.fill(bench, 250)
        bench.plant(Operation.LIST, Answer(status=429, retry_after=9), page=1 if self.page_size is None else 2)
        with pytest.raises(RateLimited) as caught:
            await bench.provider.list_machines()
        assert caught.value.retry_after == 9
