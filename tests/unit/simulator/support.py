"""Builders that the tests of the simulator share."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Any

import httpx

from gpuinstance_simulator.catalogue import Mode, Port
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.faults import Fault
from gpuinstance_simulator.machine import Machine, Order
from gpuinstance_simulator.simulation import Simulation

ANYWHERE = "3090.16c92g"
"""A product of all clusters, with no end of stock, at 0.22 USD an hour, 0.11 as spot."""
MONTHLY = "4090.16c62g"
SCARCE = "h200.24c240g"
"""One GPU in the whole world."""

WAY_UP = 37
"""Seconds from the order to running: toCreate 2, creating 5, pulling 30."""
WARM_UP = 20

CREATE_PATH = "/gpu/instance/create"


_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nothing here is encrypted; loading the system's certificates for each client would take most of the time."""


IMPATIENT = httpx.Timeout(5, read=0.05)
"""Waits for hardly any time for an answer, but long enough for everything else."""


def client(base_url: str = "", *, key: str | None = None, timeout: httpx.Timeout | float = 5) -> httpx.AsyncClient:
    """An HTTP client, with a Bearer key if one is given."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=base_url, headers=headers, timeout=timeout, verify=_NO_TLS, trust_env=False)


def order(name: str = "trainer", **changes: object) -> Order:
    """An order for one GPU with one http and one tcp port."""
    fields: dict[str, object] = {
        "product_id": ANYWHERE,
        "ports": (Port(80, "http"), Port(22, "tcp")),
        "mode": Mode.ON_DEMAND,
    }
    return Order(name=name, **(fields | changes))  # type: ignore[arg-type]  # a builder


def running(cloud: Cloud, name: str = "trainer", **changes: object) -> Machine:
    """A machine that was bought and has just come up."""
    machine = cloud.create(order(name, **changes))
    cloud.clock.advance(WAY_UP)
    assert cloud.look(machine.id).word == "running"
    return machine


def create_body(**changes: object) -> dict[str, object]:
    """The body of a create call; None takes a field away."""
    body: dict[str, object] = {
        "name": "trainer",
        "productId": ANYWHERE,
        "gpuNum": 1,
        "rootfsSize": 60,
        "imageUrl": "docker.io/library/nginx:1.27",
        "kind": "gpu",
        "ports": "80/http,22/tcp",
    }
    return {key: value for key, value in (body | changes).items() if value is not None}


def plant(simulation: Simulation, effect: dict[str, object], **conditions: object) -> None:
    """Plant a fault, on create calls unless the conditions say otherwise."""
    fault = Fault.model_validate({"operation": "create"} | conditions | {"effect": effect})
    simulation.faults.add(fault, simulation.cloud.clock.now())


async def create(api: httpx.AsyncClient, **changes: object) -> httpx.Response:
    """Buy a machine through the provider's API."""
    return await api.post(CREATE_PATH, json=create_body(**changes))


async def listing(api: httpx.AsyncClient, **params: str | int) -> Any:
    """The answer to a list call."""
    answer = await api.get("/gpu/instances", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def eventually(condition: Callable[[], bool]) -> None:
    """Let the loop run until the condition holds; fails after five seconds."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "it never became true"
        await asyncio.sleep(0.005)
