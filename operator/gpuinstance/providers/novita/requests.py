"""The bodies of Novita's changes, API v1.

Called by `adapter` only. One concept has several shapes there: ports are one text when a machine is
bought and a list when it is edited; a network volume is `Id` + `mountPoint` in the one, `id` +
`mountPath` in the other. Fields that are not asked for are left out, except where Novita wants all.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpuinstance.api.words import BillingMode
from gpuinstance.core.model import Order, Port, Software
from gpuinstance.providers.novita.words import BILLING_WORDS


def create(order: Order) -> dict[str, object]:
    """Return the body of `/gpu/instance/create`.

    `month` is sent with monthly billing only: any number above zero would silently make a machine of
    another billing mode a monthly one, which nobody can delete.
    """
    software = order.software
    wanted: dict[str, object] = {
        "name": order.name,
        "productId": order.product_id,
        "gpuNum": order.gpu_count,
        "rootfsSize": order.rootfs_gb,
        "imageUrl": software.image,
        "kind": "gpu",
        "billingMode": BILLING_WORDS[order.billing_mode],
        "month": (order.months or 1) if order.billing_mode is BillingMode.MONTHLY else None,
        "clusterId": order.region_id,
        "ports": ",".join(f"{port.number}/{port.protocol.value}" for port in order.ports),
        "envs": _envs(software),
        "imageAuthId": software.registry_auth_id,
        "command": software.command,
        "entrypoint": software.entrypoint,
        "networkStorages": [{"Id": v.id, "mountPoint": v.mount_path} for v in software.volumes],
        "minCudaVersion": order.min_cuda_version,
    }
    return {key: value for key, value in wanted.items() if value not in (None, "", [])}


def set_ports(machine_id: str, ports: Sequence[Port]) -> dict[str, object]:
    """Return the body of `/gpu/instance/edit` that replaces the ports."""
    return {
        "instanceId": machine_id,
        "ports": [{"port": port.number, "type": port.protocol.value} for port in ports],
    }


def grow_disk(machine_id: str, by_gb: int) -> dict[str, object]:
    """Return the body of `/gpu/instance/edit` that grows the root disk by so many GB."""
    return {"instanceId": machine_id, "expandRootDisk": by_gb}


def change_software(machine_id: str, software: Software, *, keep_data: bool) -> dict[str, object]:
    """Return the body of `/gpu/instance/upgrade`, complete: what is left out there is an error or wiped."""
    mounts = [{"type": "network", "id": v.id, "mountPath": v.mount_path} for v in software.volumes]
    return {
        "instanceId": machine_id,
        "imageUrl": software.image,
        "imageAuthId": software.registry_auth_id or "",
        "envs": _envs(software),
        "command": software.command or "",
        "entrypoint": software.entrypoint or "",
        "save": keep_data,
        "networkVolume": {"volumeMounts": mounts},
    }


def _envs(software: Software) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in software.env]
