"""The applications behind the endpoints, over http and tcp."""

from __future__ import annotations

import asyncio
import contextlib

import httpx
import pytest

from gpuinstance_simulator.apps import AppRule, Behaviour
from gpuinstance_simulator.catalogue import Port
from gpuinstance_simulator.clock import ManualClock, VirtualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.machine import Machine
from gpuinstance_simulator.novita import NovitaFace, new_cloud
from gpuinstance_simulator.server import serve
from gpuinstance_simulator.simulation import Simulation
from tests.unit.simulator.support import IMPATIENT, WARM_UP, client, order, running


async def visit(simulation: Simulation, machine: Machine, port: int = 80, path: str = "") -> httpx.Response:
    async with client() as visitor:
        return await visitor.get(f"{simulation.base_url}/_apps/{machine.id}/{port}{path}")


async def test_the_proxy_answers_502_until_the_application_is_up(
    simulation: Simulation, cloud: Cloud, clock: ManualClock
) -> None:
    """`running` is not `serving`: the page is HTML with the words that health checks look for."""
    machine = running(cloud)
    early = await visit(simulation, machine)
    assert early.status_code == 502
    assert "Bad Gateway" in early.text
    clock.advance(WARM_UP)
    assert (await visit(simulation, machine)).status_code == 200
    assert (await visit(simulation, machine, path="/health/live?x=1")).text == "ok\n"
    cloud.stop(machine.id)
    clock.advance(6)
    assert (await visit(simulation, machine)).status_code == 502


async def test_only_exposed_http_ports_are_served(simulation: Simulation, cloud: Cloud, clock: ManualClock) -> None:
    """Anything else is not found."""
    machine = running(cloud, tools=(("Jupyter", Port(8888, "http")),))
    clock.advance(WARM_UP)
    statuses = [(await visit(simulation, machine, port)).status_code for port in (80, 8888, 22, 81)]
    assert statuses == [200, 200, 404, 404]


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        (Behaviour(ready=False), 502),
        (Behaviour(crashed=True), 502),
        (Behaviour(warm_up=100), 502),
        (Behaviour(status=503), 503),
        (Behaviour(status=302, headers={"Location": "/elsewhere"}), 302),
        (Behaviour(body="maintenance mode", content_type="text/html"), 200),
    ],
)
async def test_applications_misbehave_as_told(
    simulation: Simulation, cloud: Cloud, clock: ManualClock, behaviour: Behaviour, status: int
) -> None:
    """By the newest rule that matches machine, name and port; clearing heals all."""
    sick, well = running(cloud, "sick-1"), running(cloud, "well-1")
    clock.advance(WARM_UP)
    simulation.apps.add(AppRule(name="*", behaviour=Behaviour(status=500)))
    simulation.apps.add(AppRule(name="well-*", behaviour=Behaviour()))
    simulation.apps.add(AppRule(machine=sick.id, port=80, behaviour=behaviour))
    answer = await visit(simulation, sick)
    assert answer.status_code == status
    for name, value in behaviour.headers.items():
        assert answer.headers[name] == value
    if status == 200:
        assert answer.text == behaviour.body
    assert (await visit(simulation, well)).status_code == 200
    simulation.apps.clear()
    assert (await visit(simulation, sick)).status_code == 200


async def test_an_application_may_want_to_know_who_asks(
    simulation: Simulation, cloud: Cloud, clock: ManualClock
) -> None:
    """Without the headers that it requires it answers 401; every request is counted, whatever its answer."""
    machine = running(cloud)
    clock.advance(WARM_UP)
    simulation.apps.add(AppRule(behaviour=Behaviour(requires={"Authorization": "Bearer a"})))
    async with client() as visitor:
        for header, status in (({}, 401), ({"Authorization": "Bearer b"}, 401), ({"Authorization": "Bearer a"}, 200)):
            answer = await visitor.get(f"{simulation.base_url}/_apps/{machine.id}/80", headers=header)
            assert answer.status_code == status
    assert simulation.apps.visits == {(machine.id, 80): 3}


async def test_a_slow_application_takes_real_time(simulation: Simulation, cloud: Cloud, clock: ManualClock) -> None:
    """So that a probe's time-out strikes."""
    machine = running(cloud)
    clock.advance(WARM_UP)
    simulation.apps.add(AppRule(behaviour=Behaviour(delay=5)))
    async with client(timeout=IMPATIENT) as visitor:
        with pytest.raises(httpx.ReadTimeout):
            await visitor.get(f"{simulation.base_url}/_apps/{machine.id}/80")


async def test_a_tcp_port_refuses_until_the_application_is_up_and_after_it_crashed(
    simulation: Simulation, cloud: Cloud, clock: ManualClock
) -> None:
    """A real socket: refused, open, refused, open again on the same number."""
    machine = running(cloud)
    address = simulation.address(cloud.look(machine.id), 22, "tcp")
    assert address == simulation.address(cloud.look(machine.id), 22, "tcp"), "stable during the run"
    assert await knock(simulation, address) is None
    clock.advance(WARM_UP)
    simulation.apps.add(AppRule(port=22, behaviour=Behaviour(banner="SSH-2.0-simulated\r\n")))
    assert await knock(simulation, address) == b"SSH-2.0-simulated\r\n"
    simulation.apps.add(AppRule(behaviour=Behaviour(crashed=True)))
    assert await knock(simulation, address) is None
    simulation.apps.clear()
    assert await knock(simulation, address) == b""


async def test_a_restarted_machine_has_another_tcp_address(
    simulation: Simulation, cloud: Cloud, clock: ManualClock
) -> None:
    """And the old one is dead."""
    machine = running(cloud)
    clock.advance(WARM_UP)
    old = simulation.address(cloud.look(machine.id), 22, "tcp")
    assert await knock(simulation, old) == b""
    cloud.restart(machine.id)
    clock.advance(11 + WARM_UP)
    new = simulation.address(cloud.look(machine.id), 22, "tcp")
    assert new != old
    assert await knock(simulation, new) == b""
    assert await knock(simulation, old) is None


async def test_guests_are_shown_out_when_the_machine_goes(
    simulation: Simulation, cloud: Cloud, clock: ManualClock
) -> None:
    """An open connection ends; the address of a machine that is down is empty."""
    machine = running(cloud)
    simulation.apps.add(AppRule(behaviour=Behaviour(banner="hello")))
    clock.advance(WARM_UP)
    host, port = simulation.address(cloud.look(machine.id), 22, "tcp").split(":")
    await simulation.doors.settle()
    reader, writer = await asyncio.open_connection(host, int(port))
    assert await reader.readexactly(5) == b"hello"
    cloud.delete(machine.id)
    await simulation.doors.settle()
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    assert simulation.address(cloud.look(machine.id), 22, "tcp") == ""


async def test_doors_open_by_themselves_as_time_passes() -> None:
    """With a running clock nobody has to ask: the keeper knows when the application comes up."""
    cloud = new_cloud(VirtualClock(start=0, speed=500))
    async with serve(cloud, NovitaFace()) as simulation, asyncio.timeout(10):
        machine = cloud.create(order())
        while machine.up_since is None:
            await asyncio.sleep(0.005)
            cloud.engine.now()
        host, port = simulation.address(cloud.look(machine.id), 22, "tcp").split(":")
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                _, writer = await asyncio.open_connection(host, int(port))
                break
            await asyncio.sleep(0.005)
        writer.close()
        assert cloud.engine.now() >= machine.up_since + WARM_UP


async def knock(simulation: Simulation, address: str) -> bytes | None:
    """Connect once everything has settled: what is said, or None if the connection is refused."""
    await simulation.doors.settle()
    host, port = address.split(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
    except ConnectionRefusedError:
        return None
    writer.write_eof()
    said = await reader.read()
    writer.close()
    return said
