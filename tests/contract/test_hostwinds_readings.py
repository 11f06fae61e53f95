"""Hostwinds, read in each of the ways that its documentation leaves open, one at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gpuinstance.core.model import MachineState, PlanChoice, UpgradeOrder
from gpuinstance.providers.base import NotFound, Unauthorized, UnknownOutcome, WrongState
from gpuinstance.providers.hostwinds import Hostwinds
from gpuinstance.providers.http import DEFAULT_LIMITS, Limits
from gpuinstance_simulator.clock import ManualClock
from gpuinstance_simulator.console import ConsoleAction, act
from gpuinstance_simulator.hostwinds import PATH, HostwindsFace, Quirks, new_cloud
from gpuinstance_simulator.lifecycle import Operation
from gpuinstance_simulator.server import serve
from gpuinstance_simulator.simulation import TEST_KEY, Simulation
from tests.contract.bench import Bench
from tests.contract.hooks import NO_SUCH_ID
from tests.contract.test_hostwinds import DEBIAN, ORDER, no_pause

READINGS: list[dict[str, Any]] = [
    {},
    {"bare_reads": True},
    {"single_item": True},
    {"numbers_as_text": True},
    {"upper_statuses": True},
    {"verify_resize": True},
    {"no_order": "list"},
    {"no_order": "item"},
    {"no_order": "empty"},
    {"unknown_service": "item"},
    {"price_list": "map"},
    {"order_status": True},
    {"paid_order_vanishes": True},
    {"stale_seconds": 0},
    {"recreate_keeps_address": True},
    {"regenerate_changes_address": True},
    {"hourly_enabled": True},
]
EACH_READING = pytest.mark.parametrize("reading", READINGS, ids=[str(it) for it in READINGS])


def adapter(simulation: Simulation, key: str = TEST_KEY, limits: Limits = DEFAULT_LIMITS) -> Hostwinds:
    return Hostwinds(key, url=simulation.base_url + PATH, limits=limits, sleep=no_pause)


@asynccontextmanager
async def read_as(**reading: Any) -> AsyncIterator[Bench]:
    """A bench at a Hostwinds that behaves so."""
    clock = ManualClock()
    async with serve(new_cloud(clock), HostwindsFace(Quirks(**reading))) as simulation:
        provider = adapter(simulation)
        yield Bench(simulation, clock, provider, lambda limits: adapter(simulation, limits=limits))
        await provider.aclose()


@EACH_READING
async def test_a_server_lives_its_life(reading: dict[str, Any]) -> None:
    """Bought, found by its name, stopped, started, made anew, removed, and then unknown."""
    async with read_as(**reading) as bench:
        provider, machine_id = bench.provider, await bench.running(ORDER)
        (machine,) = (await provider.list_machines()).machines
        assert (machine.id, machine.name, machine.state) == (machine_id, ORDER.name, MachineState.RUNNING)
        steps = (
            (provider.stop(machine_id), MachineState.STOPPED),
            (provider.start(machine_id), MachineState.RUNNING),
            (provider.rebuild(machine_id), MachineState.RUNNING),
            (provider.reinstall(machine_id, DEBIAN), MachineState.RUNNING),
            (provider.regenerate_networking(machine_id), MachineState.RUNNING),
            (provider.delete(machine_id), None),
        )
        for step, state in steps:
            await step
            bench.wait()
            assert await bench.state(machine_id) is state
        for gone in (machine_id, NO_SUCH_ID):
            for call in (provider.get_machine(gone), provider.delete(gone), provider.get_upgrade_order(gone)):
                with pytest.raises(NotFound):
                    await call


@EACH_READING
async def test_a_server_is_upgraded(reading: dict[str, Any]) -> None:
    """Ordered, paid in the portal, applied, confirmed; an order is called paid only where it says so."""
    async with read_as(**reading) as bench:
        provider, machine_id = bench.provider, await bench.running(ORDER)
        plans = {plan.id: plan for plan in await provider.list_plans(machine_id)}
        assert await provider.get_upgrade_order(machine_id) is None
        await provider.order_upgrade(machine_id, PlanChoice("404"))
        order = await provider.get_upgrade_order(machine_id)
        assert order is not None
        assert not order.paid
        act(bench.cloud, machine_id, ConsoleAction(action="pay"))
        shown = await provider.get_upgrade_order(machine_id)
        assert shown == _after_payment(order, reading)
        await provider.apply_upgrade(machine_id, disk_gb=None)
        bench.wait()
        assert await bench.state(machine_id) is MachineState.RESIZED
        await provider.confirm_upgrade(machine_id)
        bench.wait()
        machine = await provider.get_machine(machine_id)
        assert (machine.state, machine.sizes) == (MachineState.RUNNING, plans["404"].sizes)
        assert machine.product_id == "404"
        assert await provider.get_upgrade_order(machine_id) is None


def _after_payment(order: UpgradeOrder, reading: dict[str, Any]) -> UpgradeOrder | None:
    if "paid_order_vanishes" in reading:
        return None
    return dataclasses.replace(order, paid="order_status" in reading)


async def test_an_upgrade_of_the_disk_alone_may_need_no_confirmation() -> None:
    """It ends running with its new sizes, and there is nothing to confirm."""
    async with read_as(disk_only_skips_resized=True) as bench:
        provider, machine_id = bench.provider, await bench.running(ORDER)
        await provider.order_upgrade(machine_id, PlanChoice("406"))
        act(bench.cloud, machine_id, ConsoleAction(action="pay"))
        await provider.apply_upgrade(machine_id, disk_gb=100)
        bench.wait()
        machine = await provider.get_machine(machine_id)
        assert machine.state is MachineState.RUNNING
        assert machine.sizes is not None
        assert machine.sizes.disk_gb == 100
        with pytest.raises(WrongState):
            await provider.confirm_upgrade(machine_id)


async def test_a_second_application_would_be_charged() -> None:
    """As soon as the server is seen resizing or resized, the adapter does not put it to the test."""
    async with read_as(repeated_upgrade="charged") as bench:
        provider, machine_id = bench.provider, await bench.running(ORDER)
        await provider.order_upgrade(machine_id, PlanChoice("404"))
        act(bench.cloud, machine_id, ConsoleAction(action="pay"))
        await provider.apply_upgrade(machine_id, disk_gb=None)
        for _ in range(60):
            bench.wait(10)
            with pytest.raises(WrongState):
                await provider.apply_upgrade(machine_id, disk_gb=None)
        assert len(bench.cloud.ledger.select(operation=Operation.PAY)) == 1


async def test_a_success_beside_an_error_is_in_doubt() -> None:
    """Whatever has happened: a purchase that was accepted is found by its name, one that was not is not."""
    async with read_as(mixed_items="accepted") as bench:
        with pytest.raises(UnknownOutcome):
            await bench.provider.create(ORDER)
        assert [it.name for it in (await bench.provider.list_machines()).machines] == [ORDER.name]
    async with read_as(mixed_items="refused") as bench:
        with bench.unchanged(), pytest.raises(UnknownOutcome):
            await bench.provider.create(dataclasses.replace(ORDER, region_id="999"))
        assert (await bench.provider.list_machines()).machines == ()


@pytest.mark.parametrize("status", [200, 401, 403])
async def test_a_refused_key_is_configuration(status: int) -> None:
    """With any status; the message names both causes, and not the key."""
    async with read_as(auth_status=status) as bench:
        stranger = adapter(bench.simulation, "canary-of-a-wrong-key")
        calls = (
            stranger.list_machines(),
            stranger.get_machine("1"),
            stranger.create(ORDER),
            stranger.delete("1"),
            stranger.get_upgrade_order("1"),
        )
        for call in calls:
            with pytest.raises(Unauthorized, match=r"API key is wrong.*IPv4 address") as caught:
                await call
            assert "canary" not in caught.value.message
        await stranger.aclose()


@pytest.mark.parametrize("suspension", ["status", "flag", "both"])
async def test_a_suspension_is_seen_wherever_it_shows(suspension: str) -> None:
    """In the status, in a mark, or in both; the word says it once."""
    async with read_as(suspension=suspension) as bench:
        machine_id = await bench.running(ORDER)
        act(bench.cloud, machine_id, ConsoleAction(action="suspend"))
        machine = await bench.listed(machine_id)
        assert machine is not None
        assert machine.state is MachineState.SUSPENDED
        assert machine.word.lower().count("suspended") == 1
