"""The simulated provider of one life, without a server: how it is set up, and what a judge asks it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from gpuinstance_simulator import hostwinds, novita
from gpuinstance_simulator.catalogue import Port
from gpuinstance_simulator.clock import TEST_EPOCH, VirtualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.effects import Answer
from gpuinstance_simulator.hostwinds.cloud import HostwindsCloud
from gpuinstance_simulator.lifecycle import Actor
from gpuinstance_simulator.machine import Order, Software
from gpuinstance_simulator.settings import Settings
from gpuinstance_simulator.simulation import Face, Simulation
from tests.faults.scenarios import NOVITA
from tests.properties.world.virtual_time import VirtualTimeLoop

_ON_THE_WAY = 0.5
"""Seconds for which an answer, and what was sent before it came, are on their way."""


def open_provider(name: str, loop: VirtualTimeLoop) -> tuple[Cloud, Face]:
    """A provider whose listings lag a little, both ways; a second upgrade of a paid one is charged again."""
    clock = VirtualClock(start=TEST_EPOCH, speed=1.0, source=loop.time)
    habits = Settings(listing_lag=5, deletion_lag=5)
    if name == "hostwinds":
        quirks = hostwinds.Quirks(repeated_upgrade="charged")
        return hostwinds.new_cloud(clock, settings=habits), hostwinds.HostwindsFace(quirks)
    return novita.new_cloud(clock, settings=habits), novita.NovitaFace()


def is_serving(simulation: Simulation, url: str) -> bool:
    """Whether an application answers at this address now."""
    parts, cloud, apps = urlsplit(url), simulation.cloud, simulation.apps
    if isinstance(cloud, HostwindsCloud):
        hosts = [it for it in cloud.truth() if cloud.main_ip(it) == parts.hostname]
        return any(apps.at(it, parts.port or 80).answers for it in hosts)
    _, _, machine_id, port = parts.path.split("/")[:4]
    machine = cloud.engine.machines.get(machine_id)
    return machine is not None and apps.at(machine, int(port)).answers


def buy_twin(cloud: Cloud, name: str, product_id: str) -> None:
    """Somebody buys a machine in the console, under a name that is about to be bought."""
    software = Software(image="docker.io/library/nginx:1.27")
    order = Order(name=name, product_id=product_id, software=software, ports=(Port(80, "http"),))
    cloud.create(order, actor=Actor.CONSOLE)


def buy_by_hand(cloud: Cloud, name: str) -> str:
    """Somebody buys a machine in the console, as the scenarios' instances describe it; returns its id."""
    product = next(it for it in cloud.catalogue.products.values() if it.name == NOVITA["product"]["name"])
    software = Software(image=NOVITA["image"])
    order = Order(name=name, product_id=product.id, software=software, ports=(Port(80, "http"),))
    return cloud.create(order, actor=Actor.CONSOLE).id


def impatience(simulation: Simulation, births: Sequence[float]) -> list[str]:
    """I11: what a process has sent although the provider had asked it to wait; the next one knows nothing of that."""
    pauses = {
        it.fault.id: it.fault.effect.retry_after
        for it in simulation.faults.planted()
        if isinstance(it.fault.effect, Answer) and it.fault.effect.retry_after is not None
    }
    calls = simulation.calls.last(simulation.calls.counts.total())
    refused = [(it, pause) for it in calls for name, pause in pauses.items() if name in it.faults and it.status == 429]
    return [
        f"I11: {later.operation} was sent {later.time - it.time:.0f} s after a 429 that asked for {pause} s"
        for it, pause in refused
        for later in calls
        if it.time + _ON_THE_WAY < later.time < it.time + pause
        and not any(it.time < birth <= later.time for birth in births)
    ]
