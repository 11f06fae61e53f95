"""Switching a machine from on-demand to monthly billing: the term is paid at once, then nothing by the hour.

Called by `verbs`. That a spot machine cannot be switched, and a monthly one not again, is an assumption.
"""

from __future__ import annotations

from dataclasses import replace

from gpuinstance_simulator.catalogue import Mode
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.lifecycle import Actor, Operation
from gpuinstance_simulator.machine import Machine


def switch_to_monthly(cloud: Cloud, machine_id: str, months: int) -> Machine:
    """Pay for so many months. In the ledger it is `change_cycle`, with the amount."""
    machine = cloud.machine(machine_id)
    if machine.removal is not None:
        raise CloudError(Refusal.WRONG_STATE, "the instance is being removed")
    if machine.order.mode is not Mode.ON_DEMAND or Mode.MONTHLY not in machine.product.modes:
        raise CloudError(Refusal.MODE_NOT_OFFERED, "the instance cannot be switched to monthly billing")
    amount = machine.product.term_price(months) * machine.order.gpu_count
    cloud.sales.check_balance(amount)
    now = cloud.engine.now()
    machine.order = replace(machine.order, mode=Mode.MONTHLY, months=months)
    machine.meter.reprice(now, machine.product.hourly_price(Mode.MONTHLY))
    machine.meter.pay(amount)
    detail: dict[str, object] = {"months": months, "amount": f"{amount:.2f}"}
    cloud.engine.record(Operation.CHANGE_CYCLE, Actor.API, machine, now, detail)
    return machine
