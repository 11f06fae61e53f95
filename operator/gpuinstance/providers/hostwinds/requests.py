"""The forms of Hostwinds' paid changes, and what no form of it can say.

Called by `adapter` only. Fields that are not asked for are left out.
"""

from __future__ import annotations

from gpuinstance.api.words import BillingCycle, BillingMode
from gpuinstance.core.model import Order, PlanChoice
from gpuinstance.providers.base import Rejected
from gpuinstance.providers.http_form import Fields
from gpuinstance.providers.lacking import unsupported


def create(order: Order) -> Fields:
    """Return the form of `add_instance`, for exactly one server: several could not be told apart."""
    cycle = order.billing_cycle or BillingCycle.MONTHLY
    wanted: dict[str, str | tuple[str, ...]] = {
        "template": order.software.template_id or "",
        "rid": order.product_id,
        "location_id": order.region_id or "",
        "qty": "1",
        "srvrname": order.name,
        "billingcycle": cycle.value.lower(),
        "keys[]": order.ssh_keys,
    }
    return {field: value for field, value in wanted.items() if value}


def refuse_order(order: Order) -> Rejected | None:
    """Return why an order cannot be placed as it is; None if it can. What is left out would be bought without."""
    software = order.software
    impossible = {
        "sell machines that are not billed on demand": order.billing_mode is not BillingMode.ON_DEMAND,
        "give a machine GPUs": order.gpu_count > 1,
        "run an image: name a template": not software.template_id,
        "set environment, command or entrypoint of a machine": bool(
            software.env or software.command or software.entrypoint
        ),
        "mount network volumes": bool(software.volumes),
        "choose the place: name a location": not order.region_id,
    }
    return next((unsupported("Hostwinds", verb) for verb, applies in impossible.items() if applies), None)


def upgrade(choice: PlanChoice) -> Fields:
    """Return the form of `upgrade_instance`. Sizes are for custom plans, memory in MB as servers show it."""
    sizes = {
        "ram": choice.ram_mb,
        "cpu": choice.cpu,
        "disk": choice.disk_gb,
        "bandwidth": choice.bandwidth,
    }
    return {"rid": choice.plan_id, **{field: str(size) for field, size in sizes.items() if size is not None}}
