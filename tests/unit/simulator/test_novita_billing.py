"""Switching to monthly billing through Novita's wire face: a purchase, in the ledger, with an end to the meter."""

from __future__ import annotations

from decimal import Decimal

import httpx
import pytest

from gpuinstance_simulator.catalogue import Mode
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.lifecycle import Operation
from gpuinstance_simulator.settings import Settings
from tests.unit.simulator.support import ANYWHERE, MONTHLY, running

PATH = "/gpu/instance/transToMonthlyInstance"


async def test_the_term_is_paid_and_the_hours_end(api: httpx.AsyncClient, cloud: Cloud) -> None:
    """The ledger holds the amount, the machine is monthly, and time costs nothing from now on."""
    machine = running(cloud, product_id=MONTHLY, gpu_count=2)
    before, amount = machine.charge(cloud.clock.now()), machine.product.term_price(1) * 2
    answer = await api.post(PATH, json={"instanceId": machine.id, "month": 1})
    assert answer.status_code == 200
    assert (machine.order.mode, machine.order.months) == (Mode.MONTHLY, 1)
    (entry,) = cloud.ledger.select(operation=Operation.CHANGE_CYCLE)
    assert entry.detail == {"months": 1, "amount": f"{amount:.2f}"}
    cloud.clock.advance(7200)
    assert machine.charge(cloud.clock.now()) == before + amount


@pytest.mark.parametrize(
    ("product", "mode", "month", "reason"),
    [
        (MONTHLY, Mode.MONTHLY, 1, "UNSUPPORTED_BILLING_MODE"),
        (MONTHLY, Mode.SPOT, 1, "UNSUPPORTED_BILLING_MODE"),
        (ANYWHERE, Mode.ON_DEMAND, 1, "UNSUPPORTED_BILLING_MODE"),
        (MONTHLY, Mode.ON_DEMAND, 0, "VALIDATOR_PARAM"),
    ],
)
async def test_what_cannot_be_switched(
    api: httpx.AsyncClient, cloud: Cloud, product: str, mode: Mode, month: int, reason: str
) -> None:
    """Only a machine on demand, to a term that is on sale; a refusal costs nothing."""
    machine = running(cloud, product_id=product, mode=mode, months=int(mode is Mode.MONTHLY))
    answer = await api.post(PATH, json={"instanceId": machine.id, "month": month})
    assert (answer.status_code, answer.json()["reason"]) == (400, reason)
    assert cloud.ledger.select(operation=Operation.CHANGE_CYCLE) == []


async def test_no_machine_and_no_money(api: httpx.AsyncClient, cloud: Cloud) -> None:
    """A machine that is gone, or being removed, and an account that is empty."""
    machine = running(cloud, product_id=MONTHLY)
    cloud.settings = Settings(balance=Decimal(1))
    answers = [await api.post(PATH, json={"instanceId": it, "month": 1}) for it in ("nobody", machine.id)]
    assert [it.json()["reason"] for it in answers] == ["RESOURCE_NOT_FOUND", "BALANCE_NOT_ENOUGH"]
    cloud.delete(machine.id)
    answer = await api.post(PATH, json={"instanceId": machine.id, "month": 1})
    assert answer.json()["message"] == "invalid state change"
