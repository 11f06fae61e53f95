"""What Novita's v1 calls answer: the JSON of machines, products and the rest, oddities included.

Numbers that the real API sends as strings are strings here (CPU, memory, GPU count, prices, times),
money is in 1/100000 USD per GPU and hour, "nothing" is sometimes an empty string, sometimes "0" and
sometimes "-1". Source: the documentation pages "get instance", "list instances", "list products", "list
templates"; fields that they lack but public clients read are included.
"""

from __future__ import annotations

from decimal import Decimal

from gpuinstance_simulator.catalogue import (
    Cluster,
    Mode,
    NetworkStorage,
    Port,
    Product,
    RegistryAuth,
    Template,
)
from gpuinstance_simulator.cloud import Cloud, Sight
from gpuinstance_simulator.machine import Machine
from gpuinstance_simulator.simulation import Simulation

Json = dict[str, object]

PRICE_UNITS = 100_000
"""Per USD."""
KEPT_DATA_DAYS = 7
_MONTH_SECONDS = 30 * 86400
_STORAGE_USD_PER_GB_DAY = Decimal("0.002")
_LOW_STOCK = 4
_FIRST_SSH_PORT, _SSH_PORTS = 30_000, 2_000


def summary(cloud: Cloud, sight: Sight, *, empty_billing_mode: bool = False) -> Json:
    """An entry of the instance list: ports without endpoints, nothing secret but the environment."""
    machine = sight.machine
    order = machine.order
    known_product = machine.product.id in cloud.catalogue.products
    return {
        "id": machine.id,
        "name": machine.name,
        "clusterId": machine.cluster_id,
        "clusterName": _cluster_name(cloud, machine.cluster_id),
        "status": sight.word,
        "imageUrl": order.software.image,
        "imageAuthId": order.software.registry_auth_id,
        "command": order.software.command,
        "entrypoint": order.software.entrypoint,
        "cpuNum": str(machine.product.cpu * order.gpu_count),
        "memory": str(machine.product.memory_gb * order.gpu_count),
        "gpuNum": str(order.gpu_count),
        "portMappings": [{"port": it.number, "type": it.protocol} for it in order.ports],
        "productId": machine.product.id,
        "productName": machine.product.name if known_product else "",
        "rootfsSize": order.rootfs_gb,
        "volumeMounts": _mounts(cloud, machine, size_as_text=True),
        "statusError": {"state": machine.error[0], "message": machine.error[1]},
        "envs": [{"key": key, "value": value} for key, value in order.software.env],
        "kind": order.kind,
        "billingMode": "" if empty_billing_mode else order.mode.value,
        "endTime": _end_time(machine),
        "spotStatus": machine.spot_status.value,
        "spotReclaimTime": _seconds(machine.reclaimed_at),
        "createdAt": _seconds(machine.created_at),
        "lastStartedAt": _seconds(machine.started_at),
        "lastStoppedAt": _seconds(machine.stopped_at),
    }


def detail(simulation: Simulation, sight: Sight) -> Json:
    """One instance: with endpoints, and with secrets, while it is up."""
    cloud, machine = simulation.cloud, sight.machine
    order = machine.order
    return summary(cloud, sight) | {
        "portMappings": [_published(simulation, sight, it) for it in order.ports],
        "volumeMounts": _mounts(cloud, machine, size_as_text=False),
        "network": {"id": "", "ip": ""},
        "node": [{"maxRootfsSize": machine.product.max_rootfs_gb}],
        "jobs": [],
        "connectComponentSSH": _ssh(simulation, sight),
        "connectComponentWebTerminal": {
            "address": f"https://{machine.id}.terminal.invalid" if sight.is_up else "",
            "username": "root" if sight.is_up else "",
            "password": cloud.secret(machine, "terminal") if sight.is_up else "",
            "isRunning": sight.is_up,
        },
        "connectComponentJupyter": _jupyter(simulation, sight),
        "connectComponentLog": {"systemLogAddress": "", "instanceLogAddress": "", "isRunning": False},
        "instancePrice": _price(machine.meter.gpu_rate / order.gpu_count),
        "freeStorageSize": order.rootfs_gb,
        "keepDataDay": KEPT_DATA_DAYS,
    }


def product(cloud: Cloud, it: Product, *, gpu_count: int) -> Json:
    """An entry of the product list; available means: so many GPUs can be had now."""
    payload: Json = {
        "id": it.id,
        "name": it.name,
        "cpuPerGpu": it.cpu,
        "memoryPerGpu": it.memory_gb,
        "diskPerGpu": it.disk_gb,
        "availableDeploy": it.available and cloud.sales.has_free(it, max(gpu_count, 1)),
        "minRootFS": it.min_rootfs_gb,
        "maxRootFS": it.max_rootfs_gb,
        "minLocalStorage": 0,
        "maxLocalStorage": 0,
        "regions": [_cluster_name(cloud, cluster_id) for cluster_id in it.clusters],
        "price": _price(it.price),
        "monthlyPrice": [{"price": _price(price), "month": months} for months, price in it.monthly_prices],
        "billingMethods": [mode.value for mode in it.modes],
        "inventoryState": _inventory(it, cloud.sales.free_gpus(it)),
    }
    if it.spot_price is not None:
        payload["spotPrice"] = _price(it.spot_price)
    return payload


def cluster(cloud: Cloud, it: Cluster) -> Json:
    """An entry of the cluster list."""
    kinds = {product.name for product in cloud.catalogue.products.values() if product.is_in(it.id)}
    return {
        "id": it.id,
        "name": it.name,
        "availableGpuType": sorted(kinds),
        "supportNetworkStorage": it.network_storage,
        "supportInstanceNetwork": it.private_network,
    }


def template(it: Template) -> Json:
    """A template. Ports are grouped by type, `imageAuth` is the id of a registry login."""
    groups = {protocol: [p.number for p in it.ports if p.protocol == protocol] for protocol in ("http", "tcp")}
    return {
        "Id": it.id,
        "name": it.name,
        "readme": it.readme,
        "type": "instance",
        "channel": it.channel,
        "image": it.image,
        "imageAuth": it.registry_auth_id,
        "startCommand": it.start_command,
        "entrypoint": it.entrypoint,
        "rootfsSize": it.rootfs_gb,
        "volumes": [],
        "ports": [{"type": protocol, "ports": numbers} for protocol, numbers in groups.items() if numbers],
        "envs": [{"key": key, "value": value} for key, value in it.env],
        "tools": [],
        "minCudaVersion": it.min_cuda_version,
    }


def registry_auth(it: RegistryAuth) -> Json:
    """A registry login: the real API answers with the password, too."""
    return {"id": it.id, "name": it.name, "username": it.username, "password": it.password}


def network_storage(cloud: Cloud, it: NetworkStorage) -> Json:
    """An entry of the network storage list."""
    return {
        "storageId": it.id,
        "storageName": it.name,
        "storageSize": it.size_gb,
        "clusterId": it.cluster_id,
        "clusterName": _cluster_name(cloud, it.cluster_id),
        "price": _price(_STORAGE_USD_PER_GB_DAY * it.size_gb),
    }


def _published(simulation: Simulation, sight: Sight, port: Port) -> Json:
    address = simulation.address(sight, port.number, port.protocol)
    return {"port": port.number, "endpoint": address, "type": port.protocol}


def _ssh(simulation: Simulation, sight: Sight) -> Json:
    """The way in, made up: it changes with each run, as the real one does, and nothing listens there."""
    if not sight.is_up:
        return {"sshCommand": "", "password": "", "isRunning": False}
    secret = simulation.cloud.secret(sight.machine, "ssh")
    number = _FIRST_SSH_PORT + int(secret, 16) % _SSH_PORTS
    return {"sshCommand": f"ssh -p {number} root@127.0.0.1", "password": secret, "isRunning": True}


def _jupyter(simulation: Simulation, sight: Sight) -> Json:
    port = next((port for name, port in sight.machine.order.tools if name == "Jupyter"), None)
    if port is None:
        return {"port": 0, "address": "", "isRunning": False}
    address = simulation.address(sight, port.number, port.protocol)
    return {"port": port.number, "address": address, "isRunning": sight.is_up}


def _mounts(cloud: Cloud, machine: Machine, *, size_as_text: bool) -> list[Json]:
    """Sizes are text in the list and numbers in the detail, as in the documentation."""
    storages = cloud.catalogue.network_storages
    sizes = {it.id: it.size_gb for it in storages.values()}
    return [
        {
            "type": "network",
            "size": str(sizes.get(it.storage_id, 0)) if size_as_text else sizes.get(it.storage_id, 0),
            "id": it.storage_id,
            "mountPath": it.path,
        }
        for it in machine.order.software.mounts
    ]


def _cluster_name(cloud: Cloud, cluster_id: str) -> str:
    known = cloud.catalogue.clusters.get(cluster_id)
    return known.name if known else ""


def _end_time(machine: Machine) -> str:
    if machine.order.mode is not Mode.MONTHLY:
        return "-1"
    return str(int(machine.created_at + machine.order.months * _MONTH_SECONDS))


def _seconds(time: float | None) -> str:
    return "0" if time is None else str(int(time))


def _price(usd: Decimal) -> str:
    return str(round(usd * PRICE_UNITS))


def _inventory(it: Product, free: int | None) -> str:
    if not it.available or free == 0:
        return "none"
    return "low" if free is not None and free <= _LOW_STOCK else "normal"
