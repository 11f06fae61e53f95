"""The JSON objects in Hostwinds' answers: servers, ids, prices, orders.

Every documented field is there; where only its name is known, its value is an assumption: sizes in MB,
processors and GB, times in UTC. The root password is in every server object, as it is at the real provider:
a client has to drop it.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal

from gpuinstance_simulator.cloud import Sight
from gpuinstance_simulator.hostwinds.cloud import HostwindsCloud
from gpuinstance_simulator.hostwinds.lifecycle import SUSPENDED, Look, look_of
from gpuinstance_simulator.hostwinds.orders import UpgradeOrder
from gpuinstance_simulator.hostwinds.quirks import Quirks
from gpuinstance_simulator.hostwinds.shop import CYCLES, Plan
from gpuinstance_simulator.hostwinds.upgrades import plan_now
from gpuinstance_simulator.machine import Machine

Json = dict[str, object]

PASSWORD_CANARY = "canary-root-password"  # noqa: S105 - made up: tests look for it where it must not be
"""The root password of every simulated server."""

_USER_ID = 7
_RESIZED, _VERIFY_RESIZE = "RESIZED", "VERIFY_RESIZE"
_CYCLE_NAMES = {months: name for name, months in CYCLES.items()}


def server(cloud: HostwindsCloud, sight: Sight) -> Json:
    """A `Server_Instance_Object`."""
    machine = sight.machine
    known, plan, look = cloud.server(machine), plan_now(machine), _shown(cloud, sight)
    template = cloud.catalogue.templates.get(machine.order.software.image)
    address = cloud.main_ip(machine)
    return {
        "serviceid": int(machine.id),
        "userid": _USER_ID,
        "location_id": int(machine.cluster_id),
        "server_uuid": _uuid(machine, "server"),
        "volume_uuid": None,
        "password": PASSWORD_CANARY,
        "port_uuid": _uuid(machine, f"port-{known.address}"),
        "main_ip": address,
        "private_ip": "10.0.0.5",
        "ips": None,
        "upgrade_available": 0,
        "is_suspended": int(machine.state == SUSPENDED and cloud.quirks.suspension != "status"),
        "configkey": "",
        "ssh_keys": list(known.ssh_keys),
        "hourly": int(machine.order.months == 0),
        "bandwidth": plan.bandwidth_tb,
        "pswd_changed": None,
        "srvrname": machine.name,
        "template_uuid": machine.order.software.image,
        "app_id": None,
        "locked": int(known.is_locked),
        "hostname": hostname(machine),
        "product_id": int(plan.id),
        "billingcycle": _CYCLE_NAMES.get(machine.order.months, "monthly"),
        "product_name": plan.name,
        "disk_type": "ssd",
        "upgrade_ram": None,
        "upgrade_cpu": None,
        "upgrade_disk": None,
        "bandwidth_used": 0,
        "mac_address": "fa:16:3e:00:00:01",
        "status": _status(look, cloud.quirks),
        "disp_status": machine.error[1] or look.status.replace("_", " ").capitalize(),
        "image": {"name": template.name if template else machine.order.software.image},
        "ip_v6": "",
        "flavor": {},
        "vm_state": look.vm_state,
        "task_state": look.task_state,
        "image_ref": template.image if template else "",
        "ram": plan.ram_mb,
        "cpu": plan.cpu,
        "disk": plan.disk_gb,
        "created_at": _time(machine.created_at),
        "launched_at": _time(known.launched_at),
        "updated_at": _time(known.updated_at),
        "name": hostname(machine),
        "power_state": look.power_state,
        "host": "node-1",
    }


def server_id(cloud: HostwindsCloud, machine: Machine) -> Json:
    """An instance id object."""
    address = cloud.main_ip(machine)
    return {
        "id": int(machine.id),
        "hostname": hostname(machine),
        "srvrname": machine.name,
        "ips": address,
        "dedicatedip": address,
        "ip_v6": "",
    }


def price(plan: Plan, position: int, current: Plan | None) -> Json:
    """A resource price object. What a custom plan costs by the unit is in `prices`, which is an assumption."""
    terms = {name: plan.term_price(months) for name, months in CYCLES.items() if months}
    entry: Json = {
        "id": plan.number,
        "name": plan.name,
        "ram": str(plan.ram_mb),
        "cpu": str(plan.cpu),
        "disk": str(plan.disk_gb),
        "bandwidth": str(plan.bandwidth_tb),
        **{name: _money(amount) for name, amount in terms.items()},
        "mysort": position,
        "current": int(current is not None and current.id == plan.id),
        "promo": {},
        "percent": 0,
        "rid": int(plan.id),
        "mtotal": _money(plan.term_price(1)),
        "cycles": {name: _money(amount) for name, amount in terms.items()},
        "firsts": [],
        "resource": None,
    }
    units = plan.unit_prices
    if units is not None:
        named = (("ram", units.ram), ("cpu", units.cpu), ("disk", units.disk), ("bandwidth", units.bandwidth))
        entry |= {"resource": "custom", "prices": {name: _money(amount) for name, amount in named}}
    return entry


def upgrade_order(order: UpgradeOrder, *, with_status: bool) -> Json:
    """An upgrade order; `status` is not documented, and there only if wanted."""
    entry: Json = {
        "id": order.id,
        "orderid": order.order_id,
        "invoiceid": order.invoice.id,
        "duedate": order.invoice.due.isoformat(),
        "total": _money(order.invoice.total),
    }
    return entry | {"status": "Paid" if order.invoice.is_paid else "Unpaid"} if with_status else entry


def hostname(machine: Machine) -> str:
    """The provider's own name for a server."""
    return f"hwsrv-{machine.id}.example"


def with_numbers_as_text(payload: object) -> object:
    """The same with strings in place of integers."""
    if isinstance(payload, dict):
        return {key: with_numbers_as_text(value) for key, value in payload.items()}
    if isinstance(payload, list):
        return [with_numbers_as_text(it) for it in payload]
    return str(payload) if isinstance(payload, int) and not isinstance(payload, bool) else payload


def _shown(cloud: HostwindsCloud, sight: Sight) -> Look:
    before = cloud.server(sight.machine).before
    hidden = sight.word == SUSPENDED and cloud.quirks.suspension == "flag"
    return look_of(before if hidden else sight.word, before)


def _status(look: Look, quirks: Quirks) -> str:
    status = _VERIFY_RESIZE if look.status == _RESIZED and quirks.verify_resize else look.status
    return status.upper() if quirks.upper_statuses else status


def _uuid(machine: Machine, purpose: str) -> str:
    text = hashlib.blake2b(f"{machine.id}/{purpose}".encode(), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _time(time: float | None) -> str | None:
    return None if time is None else datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"
