"""Each simulated Hostwinds server has a loopback address of its own, where its applications answer while it is up."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import httpx
import pytest

from gpuinstance_simulator.apps import AppRule, Behaviour
from gpuinstance_simulator.catalogue import Port
from gpuinstance_simulator.clock import ManualClock, VirtualClock
from gpuinstance_simulator.hostwinds import HostwindsFace, new_cloud
from gpuinstance_simulator.hostwinds.addresses import ADDRESSES_IN_BLOCK, Claim, ip
from gpuinstance_simulator.hostwinds.servers import Register
from gpuinstance_simulator.machine import Machine
from gpuinstance_simulator.novita import new_cloud as new_novita_cloud
from gpuinstance_simulator.server import serve
from tests.unit.simulator.hostwinds_support import REBUILD, Site, active, bought, portal
from tests.unit.simulator.support import WARM_UP

HTTP, TCP = 8080, 2200


async def ask(site: Site, address: str, path: str = "/") -> int | None:
    """The status of the http application, once everything has settled; None if the connection is refused."""
    await site.simulation.doors.settle()
    try:
        return (await site.visitor.get(f"http://{address}{path}")).status_code
    except httpx.ConnectError:
        return None


async def knock(site: Site, address: str) -> bytes | None:
    """What the tcp application says; None if the connection is refused."""
    await site.simulation.doors.settle()
    host, port = address.split(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
    except ConnectionRefusedError:
        return None
    writer.write_eof()
    said = await reader.read()
    writer.close()
    return said


def address(site: Site, machine: Machine, port: int = HTTP) -> str:
    return site.simulation.doors.address(machine, port)


async def test_applications_answer_while_the_server_is_up(site: Site) -> None:
    """Before that, and after it, nobody listens: no proxy answers for them."""
    machine = active(site.cloud)
    http, tcp = address(site, machine), address(site, machine, TCP)
    assert http == f"{(await site.server(machine))['main_ip']}:{HTTP}"
    assert (await ask(site, http), await knock(site, tcp)) == (None, None)
    site.cloud.clock.advance(WARM_UP)
    assert (await ask(site, http, "/health?x=1"), await knock(site, tcp)) == (200, b"")
    assert site.simulation.apps.visits == {(machine.id, HTTP): 1}
    await site.call("shutdown", serviceid=machine.id)
    assert await ask(site, http) == 200, "still shutting down"
    site.cloud.clock.advance(5)
    assert (await ask(site, http), await knock(site, tcp)) == (None, None)


async def test_servers_do_not_share_an_address(site: Site) -> None:
    """Each answers at its own, as it is told to."""
    sick, well = active(site.cloud, "sick"), active(site.cloud, "well")
    site.cloud.clock.advance(WARM_UP)
    site.simulation.apps.add(AppRule(name="sick", behaviour=Behaviour(status=503, banner="busy")))
    assert await ask(site, address(site, sick)) == 503
    assert await ask(site, address(site, well)) == 200
    assert await knock(site, address(site, sick, TCP)) == b"busy"
    site.simulation.apps.add(AppRule(name="sick", behaviour=Behaviour(crashed=True)))
    assert await ask(site, address(site, sick)) is None
    assert await ask(site, address(site, well)) == 200


async def test_a_recreated_server_answers_at_its_new_address_only(site: Site) -> None:
    """The old one is dead, and not soon given to another."""
    machine = active(site.cloud)
    site.cloud.clock.advance(WARM_UP)
    old = address(site, machine)
    assert await ask(site, old) == 200
    await site.call("recreate", serviceid=machine.id)
    site.cloud.clock.advance(REBUILD + WARM_UP)
    new = address(site, machine)
    assert new != old
    assert (await ask(site, old), await ask(site, new)) == (None, 200)
    assert address(site, active(site.cloud, "next")) not in {old, new}


async def test_connections_end_with_the_server(site: Site) -> None:
    """Also those that were kept alive; and a request that comes before the door is shut."""
    machine = active(site.cloud)
    site.cloud.clock.advance(WARM_UP)
    http = address(site, machine)
    async with httpx.AsyncClient(trust_env=False) as guest:
        await site.simulation.doors.settle()
        assert (await guest.get(f"http://{http}/")).status_code == 200
        portal(site.cloud, machine, "suspend")
        with pytest.raises(httpx.TransportError):
            await guest.get(f"http://{http}/")
    assert await ask(site, http) is None


async def test_doors_open_by_themselves_as_time_passes() -> None:
    """With a running clock nobody has to ask."""
    cloud = new_cloud(VirtualClock(start=0, speed=500))
    async with serve(cloud, HostwindsFace()) as simulation, asyncio.timeout(10):
        machine = bought(cloud)
        simulation.doors.wake()
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                _, writer = await asyncio.open_connection(cloud.main_ip(machine), TCP)
                break
            await asyncio.sleep(0.005)
        writer.close()
        assert machine.up_since is not None
        assert cloud.engine.now() >= machine.up_since + WARM_UP


async def test_two_simulators_on_one_host_do_not_meet(clock: ManualClock) -> None:
    """Each claims a block of addresses for as long as it serves; the ports may be chosen."""
    first, second = (new_cloud(clock, ports=(Port(8085, "http"),)) for _ in range(2))
    async with serve(first, HostwindsFace()) as one, serve(second, HostwindsFace()) as two:
        servers = [(simulation, active(cloud)) for simulation, cloud in ((one, first), (two, second))]
        clock.advance(WARM_UP)
        addresses = []
        for simulation, machine in servers:
            await simulation.doors.settle()
            addresses.append(simulation.doors.address(machine, 8085))
            async with httpx.AsyncClient(trust_env=False) as visitor:
                assert (await visitor.get(f"http://{addresses[-1]}/")).status_code == 200
        assert len(set(addresses)) == 2


def test_a_port_that_is_in_use_is_an_error() -> None:
    """At the start, and not only when the first server is up; the block is free again."""
    free = Claim([])  # other simulators on this host may have the first ones
    free.release()
    with socket.socket() as somebody:
        somebody.bind((ip(free.block, 1).rpartition(".")[0] + ".1", 0))
        port = somebody.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port}"):
            Claim([port])
    again = Claim([port])
    assert again.block == free.block
    again.release()


def test_addresses_are_loopback_and_each_given_once() -> None:
    """Never the first of a block, which is its claim; an address that was released comes back last."""
    register = Register()
    servers = [register.of(str(number), 0) for number in range(ADDRESSES_IN_BLOCK)]
    texts = {ip(3, server.address) for server in servers}
    assert len(texts) == ADDRESSES_IN_BLOCK
    assert all(text.startswith("127.77.") and text.split(".")[3] not in {"0", "1", "255"} for text in texts)
    assert {int(text.split(".")[2]) for text in texts} == set(range(24, 32))
    with pytest.raises(RuntimeError):
        register.of("one too many", 0)
    register.release(servers[7])
    assert register.of("next", 0).address == servers[7].address


async def test_the_face_wants_its_own_cloud(clock: ManualClock) -> None:
    """Another provider's has neither addresses nor invoices."""
    with pytest.raises(TypeError):
        async with serve(new_novita_cloud(clock), HostwindsFace()):
            pass
