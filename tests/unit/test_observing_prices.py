"""What a machine really costs is learned with its addresses, and kept when the listing says nothing of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import PortProtocol
from gpuinstance.core.model import Port
from tests.builders import instance
from tests.materials import machine
from tests.unit.observed_world import World, afterwards

RECORDED: dict[str, Any] = {"id": "m-1", "name": "n", "product_name": "RTX 4090", "hourly_price": "0.35"}


async def test_a_price_that_rose_before_the_purchase_comes_to_light() -> None:
    """Seen once, it is told in each status from then on."""
    world = World(machine())
    published = Port(80, PortProtocol.HTTP, "https://m-80.example")
    world.alone = machine(ports=(published,), hourly_price=Decimal("0.5"))
    capped = instance().with_ports(80).with_machine().with_status(instance=RECORDED)
    look = await world.look(capped.with_spec(billing={"max_hourly_price": Decimal("0.40")}))
    for _ in range(3):
        recorded, synced = look.decision.status.instance, look.decision.status.condition("Synced")
        assert recorded is not None
        assert recorded.hourly_price == "0.5"
        look = await world.look(afterwards(look), after=60)
    assert synced is not None
    assert synced.reason == Reason.CHARGED_ABOVE_LIMIT
