"""The provider contract, filled in for Hostwinds, in every reading of what is not documented about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingCycle, BillingMode
from gpuinstance.core.model import MachineState, Order, PlanChoice, Sizes, Software
from gpuinstance.providers.base import IncompleteListing, Provider, Rejected
from gpuinstance.providers.hostwinds import Hostwinds
from gpuinstance.providers.http import Limits
from gpuinstance.providers.wrappers import Metered, SharedListing
from gpuinstance_simulator.clock import VirtualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.console import ConsoleAction, act
from gpuinstance_simulator.effects import Answer, Effect, Page, Strip
from gpuinstance_simulator.hostwinds import PASSWORD_CANARY, PATH, HostwindsCloud, HostwindsFace, Quirks, new_cloud
from gpuinstance_simulator.lifecycle import Operation
from gpuinstance_simulator.simulation import Simulation
from tests.contract.bench import Bench
from tests.contract.provider_contract import ProviderContract

UBUNTU, DEBIAN = "d3b07384-d113-4ec6-a8b5-1f3e5b6c7d01", "c157a790-3f7b-4d0a-9e21-5a7c1e2f4b02"
ORDER = Order(
    name="gpui-default-trainer-0f8fad5b-1",
    product_id="402",
    product_name="VPS 1 CPU 2 GB 50 GB",
    region_id="1",
    region_name="1",
    gpu_count=1,
    rootfs_gb=50,
    software=Software("", template_id=UBUNTU),
    ports=(),
    billing_mode=BillingMode.ON_DEMAND,
    months=None,
    min_cuda_version=None,
    hourly_price=Decimal("0.01368"),
)


async def no_pause(_: float) -> None:
    """Repeat at once."""


class TestHostwinds(ProviderContract):
    """The bare adapter."""

    quirks = Quirks()
    refusals: Mapping[str, Effect] = {
        "no capacity": Answer(status=200, message="This product is out of stock."),
        "no balance": Answer(status=200, message="Insufficient account credit."),
        "rejected": Answer(status=200, message="Invalid parameter."),
    }
    page_size = None
    secrets = (PASSWORD_CANARY,)
    failed_state = "error"
    start_is_shown = False
    keeps_place_when_stopped = True
    renames = True
    bigger_plan = "404"
    other_template = DEBIAN

    def cloud(self, clock: VirtualClock) -> Cloud:
        """Hostwinds' states and goods."""
        return new_cloud(clock)

    def face(self) -> HostwindsFace:
        """The cloud API, in one reading."""
        return HostwindsFace(self.quirks)

    def connect(self, simulation: Simulation, key: str, limits: Limits) -> Provider:
        """The adapter as it is."""
        return Hostwinds(key, url=simulation.base_url + PATH, limits=limits, sleep=no_pause)

    def order(self, **changes: Any) -> Order:
        """The smallest plan but one, in Seattle."""
        return dataclasses.replace(ORDER, **changes)

    def shown_image(self, order: Order) -> str:
        """The name of what the template installs."""
        return "Ubuntu 22.04"

    async def test_everything_in_an_order_arrives(self, bench: Bench) -> None:
        """One server, with its keys, billed by its cycle."""
        assert isinstance(bench.cloud, HostwindsCloud)
        order = self.order(billing_cycle=BillingCycle.QUARTERLY, ssh_keys=("laptop", "ci"))
        machine = bench.cloud.machine(await bench.bought(order))
        assert len(bench.cloud.truth()) == 1
        assert (machine.name, machine.order.months) == (order.name, 3)
        assert bench.cloud.server(machine).ssh_keys == ("laptop", "ci")

    async def test_a_custom_plan_has_the_sizes_that_were_ordered(self, bench: Bench) -> None:
        """Memory is ordered in the unit in which it is shown."""
        machine_id = await bench.running(self.order())
        choice = PlanChoice("420", ram_mb=4096, cpu=3, disk_gb=120, bandwidth=2)
        await bench.provider.order_upgrade(machine_id, choice)
        act(bench.cloud, machine_id, ConsoleAction(action="pay"))
        await bench.provider.apply_upgrade(machine_id, disk_gb=120)
        bench.wait()
        await bench.provider.confirm_upgrade(machine_id)
        bench.wait()
        assert (await bench.provider.get_machine(machine_id)).sizes == Sizes(4096, 3, 120)

    @pytest.mark.parametrize(("deed", "undo"), [("lock", "unlock"), ("suspend", "unsuspend")])
    async def test_a_locked_or_suspended_server_is_never_touched(self, bench: Bench, deed: Any, undo: Any) -> None:
        """No verb sends anything, and the refusal says which it is; afterwards all is as before."""
        provider, machine_id = bench.provider, await bench.running(self.order())
        act(bench.cloud, machine_id, ConsoleAction(action=deed))
        machine = await bench.listed(machine_id)
        assert machine is not None
        assert machine.state is MachineState.SUSPENDED
        assert deed in machine.word.lower()
        changes = (
            provider.start(machine_id),
            provider.stop(machine_id),
            provider.restart(machine_id),
            provider.delete(machine_id),
            provider.rename(machine_id, "x"),
            provider.rebuild(machine_id),
            provider.reinstall(machine_id, DEBIAN),
            provider.regenerate_networking(machine_id),
            provider.order_upgrade(machine_id, PlanChoice("404")),
            provider.apply_upgrade(machine_id, disk_gb=None),
            provider.confirm_upgrade(machine_id),
            provider.revert_upgrade(machine_id),
        )
        reads = {Operation.LIST.value, Operation.GET.value, Operation.CHECK.value, Operation.CREATE.value}
        for change in changes:
            with bench.unchanged(), pytest.raises(Rejected, match=machine.word) as caught:
                await change
            assert caught.value.reason is Reason.INSTANCE_SUSPENDED
        assert set(bench.simulation.calls.counts) <= reads
        act(bench.cloud, machine_id, ConsoleAction(action=undo))
        assert await bench.state(machine_id) is MachineState.RUNNING

    async def test_a_server_twice_in_the_listing_makes_it_incomplete(self, bench: Bench) -> None:
        """Another one may be missing in its place."""
        self.fill(bench, 3)
        bench.plant(Operation.LIST, Page(shape="overlap"))
        with pytest.raises(IncompleteListing):
            await bench.provider.list_machines()
        assert len((await bench.provider.list_machines()).machines) == 3

    async def test_names_that_the_listing_lacks_are_looked_up(self, bench: Bench) -> None:
        """A server is found by its name also where only the list of ids shows it."""
        machine_id = await bench.running(self.order())
        assert bench.sent(Operation.IDS) == 0
        bench.plant(Operation.LIST, Strip(fields=("srvrname",)))
        machine = await bench.listed(machine_id)
        assert machine is not None
        assert machine.name == self.order().name


class TestHostwindsWrapped(TestHostwinds):
    """The same, behind the wrappers: they are providers and keep every promise."""

    def connect(self, simulation: Simulation, key: str, limits: Limits) -> Provider:
        """Shared and metered; nothing is kept, because the tests disturb the cloud between reads."""

        def forget(**_: object) -> None:
            """No metrics here."""

        inner = Metered(super().connect(simulation, key, limits), forget)
        return SharedListing(inner, failure_seconds=0, catalogue_seconds=0)


class TestHostwindsReadOtherwise(TestHostwinds):
    """The whole suite once more, with every question that nobody can answer answered the other way."""

    quirks = Quirks(
        bare_reads=True,
        single_item=True,
        numbers_as_text=True,
        upper_statuses=True,
        verify_resize=True,
        auth_status=401,
        unknown_action="empty",
        no_order="empty",
        unknown_service="item",
        price_list="map",
        order_status=True,
        stale_seconds=0,
        suspension="flag",
        recreate_keeps_address=True,
        regenerate_changes_address=True,
        hourly_enabled=True,
        first_page=0,
    )
