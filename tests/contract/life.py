"""The contract of a machine's life: every verb does what it says, and only that."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_address

import pytest

from gpuinstance.core.model import MachineState, Port
from gpuinstance.providers.base import (
    NotFound,
)
from tests.contract.bench import Bench
from tests.contract.hooks import HTTP, TCP, Hooks


class Life(Hooks):
    """A life, verb by verb."""

    async def test_a_machine_lives_its_life(self, bench: Bench) -> None:
        """Bought, listed, running, stopped, started, restarted, deleted, gone: as asked, one by one."""
        provider, order = bench.provider, self.order()
        machine_id = await bench.bought(order)
        assert await bench.state(machine_id) is MachineState.CREATING
        bench.wait()
        assert await bench.state(machine_id) is MachineState.RUNNING

        await provider.stop(machine_id)
        assert await bench.state(machine_id) is MachineState.STOPPING
        bench.wait()
        assert await bench.state(machine_id) is MachineState.STOPPED

        await provider.start(machine_id)
        assert await bench.state(machine_id) is MachineState.STARTING
        bench.wait()
        before = await provider.get_machine(machine_id)
        assert before.state is MachineState.RUNNING

        await provider.restart(machine_id)
        assert await bench.state(machine_id) is MachineState.STARTING
        bench.wait()
        after = await provider.get_machine(machine_id)
        assert after.state is MachineState.RUNNING
        assert after.started_at is not None
        assert before.started_at is not None
        if self.start_is_shown:
            assert after.started_at > before.started_at

        await provider.delete(machine_id)
        assert await bench.state(machine_id) is MachineState.REMOVING
        bench.wait()
        assert await bench.listed(machine_id) is None
        with pytest.raises(NotFound):
            await provider.get_machine(machine_id)

    async def test_a_machine_is_shown_as_it_was_ordered(self, bench: Bench) -> None:
        """Name, product, place, size, ports and price mode come back in listing and lookup alike."""
        order = self.order()
        machine_id = await bench.running(order)
        listed = await bench.listed(machine_id)
        alone = await bench.provider.get_machine(machine_id)
        for machine in (listed, alone):
            assert machine is not None
            assert machine.name == order.name
            assert machine.product_id == order.product_id
            assert machine.region == order.region_id
            # Where there is one way to pay only, no word is made of it.
            assert machine.billing_mode is (order.billing_mode if len(bench.can.billing_modes) > 1 else None)
            assert machine.gpu_count in (None, order.gpu_count)
            assert order.rootfs_gb in (machine.rootfs_gb, machine.sizes.disk_gb if machine.sizes else None)
            assert machine.image == self.shown_image(order)
            expected = {(80, HTTP), (22, TCP)} if bench.can.publishes_ports else set()
            assert {(p.number, p.protocol) for p in machine.ports} == expected
            assert machine.created_at is not None
            assert machine.trouble == ""

    async def test_a_running_machine_has_addresses(self, bench: Bench) -> None:
        """A URL for http and host:port for tcp, or an address of its own; in the listing, too, if the provider can."""
        machine_id = await bench.running(self.order())
        machines = [await bench.provider.get_machine(machine_id)]
        if bench.can.listing_has_addresses:
            machines += (await bench.provider.list_machines()).machines
        for machine in machines:
            assert bool(machine.host) is not bench.can.publishes_ports
            if not bench.can.publishes_ports:
                assert not ip_address(machine.host).is_unspecified
                continue
            by_protocol = {port.protocol: port.address or "" for port in machine.ports}
            assert by_protocol[HTTP].startswith(("http://", "https://"))
            host, _, number = by_protocol[TCP].rpartition(":")
            assert host
            assert number.isdecimal()

    async def test_a_machine_that_is_down_has_no_address(self, bench: Bench) -> None:
        """Nothing is published before it runs."""
        machine_id = await bench.bought(self.order())
        machine = await bench.provider.get_machine(machine_id)
        assert [port.address for port in machine.ports] == [None] * len(self.order().ports)

    async def test_names_are_not_unique(self, bench: Bench) -> None:
        """Two orders of one name are two machines, and both are listed: it is for the caller to look."""
        ids = {await bench.bought(self.order()) for _ in range(2)}
        listing = await bench.provider.list_machines()
        assert {it.id for it in listing.machines if it.name == self.order().name} == ids

    async def test_ports_are_replaced(self, bench: Bench) -> None:
        """The new ports are there, the old ones are not; the disk is as it was."""
        machine_id = await bench.running(self.order())
        if not bench.can.can_change_ports:
            await bench.lacks(bench.provider.set_ports(machine_id, [Port(8080, HTTP)]))
            return
        await bench.provider.set_ports(machine_id, [Port(8080, HTTP)])
        bench.wait()
        machine = await bench.provider.get_machine(machine_id)
        assert [(p.number, p.protocol) for p in machine.ports] == [(8080, HTTP)]
        assert machine.rootfs_gb == 60
        await bench.provider.set_ports(machine_id, [])
        bench.wait()
        assert (await bench.provider.get_machine(machine_id)).ports == ()

    async def test_the_disk_grows_to_its_new_size(self, bench: Bench) -> None:
        """To the size that is asked for, not by it; the ports are as they were."""
        machine_id = await bench.running(self.order())
        if not bench.can.can_grow_disk:
            await bench.lacks(bench.provider.grow_disk(machine_id, from_gb=60, to_gb=100))
            return
        await bench.provider.grow_disk(machine_id, from_gb=60, to_gb=100)
        bench.wait()
        machine = await bench.provider.get_machine(machine_id)
        assert machine.rootfs_gb == 100
        assert len(machine.ports) == 2

    async def test_the_software_is_changed(self, bench: Bench) -> None:
        """The machine comes up again, the same one, with the other image and environment."""
        machine_id = await bench.running(self.order())
        software = dataclasses.replace(
            self.order().software, image="docker.io/library/nginx:1.28", env=(("RUN_ID", "r-43"),)
        )
        if not bench.can.can_change_software:
            await bench.lacks(bench.provider.change_software(machine_id, software, keep_data=True))
            return
        await bench.provider.change_software(machine_id, software, keep_data=True)
        assert await bench.state(machine_id) is MachineState.STARTING
        bench.wait()
        machine = await bench.listed(machine_id)
        assert machine is not None
        assert (machine.state, machine.image) == (MachineState.RUNNING, software.image)
        assert bench.cloud.machine(machine_id).order.software.env == software.env
