"""Builders that the tests of the simulated Hostwinds share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from gpuinstance_simulator.console import ConsoleAction, act
from gpuinstance_simulator.faults import Fault
from gpuinstance_simulator.hostwinds import PATH, HostwindsCloud
from gpuinstance_simulator.lifecycle import Actor, Operation
from gpuinstance_simulator.machine import Machine, Order, Software
from gpuinstance_simulator.simulation import TEST_KEY, Simulation

UBUNTU = "d3b07384-d113-4ec6-a8b5-1f3e5b6c7d01"
DEBIAN = "c157a790-3f7b-4d0a-9e21-5a7c1e2f4b02"
SMALL = "402"
"""1 processor, 2 GB, 50 GB at 9.99 USD a month."""
BIGGER = "403"
"""2 processors, else the same, at 13.99."""
MORE_DISK = "406"
"""1 processor, 2 GB, 100 GB at 12.49."""
CUSTOM = "420"

WAY_UP = 30
"""Seconds from the order to active: scheduling 2, networking 3, spawning 25."""
STALE = 3
"""Seconds for which an asynchronous call does not show."""
REBUILD = STALE + 10 + 15
RESIZE = STALE + 5 + 20 + 5

ADD = {"action": "add_instance", "template": UBUNTU, "rid": SMALL, "location_id": "1", "srvrname": "web"}
"""The form of a create call."""


def bought(cloud: HostwindsCloud, name: str = "web", plan: str = SMALL) -> Machine:
    """A server that was ordered at this moment."""
    return cloud.create(Order(name=name, product_id=plan, cluster_id="1", software=Software(image=UBUNTU)))


def active(cloud: HostwindsCloud, name: str = "web", plan: str = SMALL) -> Machine:
    """A server that has just become active."""
    machine = bought(cloud, name, plan)
    cloud.clock.advance(WAY_UP)
    assert cloud.look(machine.id).word == "active"
    return machine


def portal(cloud: HostwindsCloud, machine: Machine, action: str, **fields: Any) -> None:
    """Somebody does something in the client portal."""
    act(cloud, machine.id, ConsoleAction(action=action, **fields))  # type: ignore[arg-type]  # a builder


def history(cloud: HostwindsCloud, *, actor: Actor | None = None) -> list[str]:
    """What the ledger holds, by operation."""
    return [entry.operation.value for entry in cloud.ledger.select(actor=actor)]


def payments(cloud: HostwindsCloud) -> list[str]:
    """The amounts that were paid for invoices."""
    return [str(entry.detail["amount"]) for entry in cloud.ledger.select(operation=Operation.PAY)]


@dataclass(slots=True)
class Site:
    """A served account, and a client."""

    cloud: HostwindsCloud
    simulation: Simulation
    visitor: httpx.AsyncClient

    async def post(self, action: str, **fields: object) -> httpx.Response:
        """Send a form with a valid key."""
        form = {"action": action, "API": TEST_KEY, **{name: str(value) for name, value in fields.items()}}
        return await self.visitor.post(PATH, data=form)

    async def call(self, action: str, **fields: object) -> Any:
        """The JSON that an action is answered with."""
        answer = await self.post(action, **fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def server(self, machine: Machine) -> Any:
        """The server as `get_instance` shows it."""
        return (await self.call("get_instance", serviceid=machine.id))["success"]

    async def admin(self, method: str, path: str, **content: Any) -> Any:
        """The JSON of an admin call."""
        return (await self.visitor.request(method, f"/_simulator{path}", **content)).json()

    def switch(self, **quirks: object) -> None:
        """Change quirks."""
        self.simulation.switches.change(quirks)

    def plant(self, operation: str, effect: dict[str, object], **conditions: object) -> None:
        """Plant a fault."""
        fault = Fault.model_validate({"operation": operation, "effect": effect} | conditions)
        self.simulation.faults.add(fault, self.cloud.clock.now())
