"""One paid upgrade of one server, told in sentences; and a yard of servers that are Ready, one for each test.

Beside `world`: a `Saga` says what a person does about an upgrade, and reads from the provider's books what was
done with money. It asserts nothing about the product beyond "it ended so".
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from tests.integration.manifests import server, upgrade
from tests.integration.world import World
from tests.rig.simulator import Simulator
from tests.rig.stack import Stack

PAID_AND_DONE = ["order", "pay", "apply", "confirm"]
"""What is in the books after an upgrade that went well: each step once, in this order."""
_AT_ONCE = 4


class Yard(World):
    """A namespace with a supply of servers: they are bought a few at a time, because waiting for one takes as long."""

    def __init__(self, stack: Stack, namespace: str, simulator: Simulator | None = None) -> None:
        super().__init__(stack, namespace, simulator)
        self._numbers = itertools.count(1)
        self._ready: list[str] = []

    def take(self) -> str:
        """Return the name of a server that is Ready and has not been touched."""
        if not self._ready:
            self._ready = [f"web-{number}" for number in itertools.islice(self._numbers, _AT_ONCE)]
            self.apply(*(server(name) for name in self._ready))
            self.ready(*self._ready)
        return self._ready.pop(0)


class Saga:
    """An InstanceUpgrade, `name`, of the server `server`."""

    def __init__(self, world: World, server: str, name: str | None = None) -> None:
        self.world = world
        self.server = server
        self.name = name or f"bigger-{server}"

    @property
    def reference(self) -> str:
        """As kubectl takes it."""
        return f"iup/{self.name}"

    def another(self, name: str) -> Saga:
        """Return a further upgrade of the same server, not applied yet."""
        return Saga(self.world, self.server, f"{name}-{self.server}")

    # What a person does.

    def apply(self, **spec: Any) -> None:
        """Run kubectl apply; `spec` is what is not usual about it."""
        self.world.apply(self.manifest(**spec))

    def manifest(self, **spec: Any) -> dict[str, Any]:
        """Return what `apply` applies."""
        return upgrade(self.name, self.server, **spec)

    def order(self, **spec: Any) -> None:
        """Apply it, and wait until somebody is asked to pay."""
        self.apply(**spec)
        self.world.wait(self.reference, "condition=ActionRequired")

    def pay(self) -> None:
        """Pay in the provider's portal, which its documented API does not show, and say so in the spec."""
        self.world.pay(self.reference)
        self.edit(payment={"confirmedInvoiceID": self.status()["order"]["invoiceID"]})

    def edit(self, **spec: Any) -> None:
        """Change fields of the spec."""
        self.world.patch(self.reference, **spec)

    # What becomes of it.

    def reason(self, reason: str) -> str:
        """Wait until Ready gives this reason; return its message."""
        return self.world.reason(self.reference, reason)

    def phase(self, phase: str) -> None:
        """Wait until it is there."""
        self.world.wait(self.reference, f"jsonpath={{.status.phase}}={phase}")

    def ended(self, outcome: str, reason: str) -> str:
        """Wait until it has ended, and so; return the message."""
        self.world.wait(self.reference, "jsonpath={.status.outcome}")
        status = self.status()
        ready = status["conditions"][0]
        assert (status["outcome"], ready["reason"]) == (outcome, reason), self.world.describe(self.reference)
        return str(ready["message"])

    def gone(self) -> None:
        """Wait until the object is gone."""
        self.world.wait(self.reference, "delete")

    def status(self) -> dict[str, Any]:
        """Return the status."""
        return self.world.status(self.reference)

    def condition(self, kind: str) -> dict[str, Any]:
        """Return one condition; empty where there is none of that kind."""
        return self.world.condition(self.reference, kind)

    # What is true at the provider.

    def books(self) -> Sequence[str]:
        """Return what was done with orders and invoices of the server, in order, by whomever."""
        money = {"order", "cancel_order", "pay", "apply", "confirm", "revert"}
        return [it["operation"] for it in self.world.ledger(self.server) if it["operation"] in money]

    def plan(self) -> str:
        """Return the id of the plan that the server has."""
        return str(self.world.machine(self.server)["product_id"])
