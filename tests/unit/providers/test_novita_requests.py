"""The bodies of Novita's changes, field by field."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gpuinstance.api.words import BillingMode, PortProtocol
from gpuinstance.core.model import Order, Port, Software, Volume
from gpuinstance.providers.novita import requests

PORTS = (Port(80, PortProtocol.HTTP), Port(22, PortProtocol.TCP))
SOFTWARE = Software(
    image="docker.io/library/nginx:1.27",
    registry_auth_id="auth-1",
    command="serve",
    entrypoint="/run",
    env=(("RUN_ID", "r-42"),),
    volumes=(Volume("ns-1001", "/data"),),
)
BARE = Software(image="nginx")


def order(**changes: Any) -> Order:
    values: dict[str, Any] = {
        "name": "gpu-default-trainer-0f8fad5b-1",
        "product_id": "4090.16c62g",
        "product_name": "RTX 4090 24GB",
        "region_id": "us-ca-6",
        "region_name": "US-CA-06 (California)",
        "gpu_count": 2,
        "rootfs_gb": 60,
        "software": SOFTWARE,
        "ports": PORTS,
        "billing_mode": BillingMode.SPOT,
        "months": None,
        "min_cuda_version": "12.4",
        "hourly_price": Decimal("0.7"),
    }
    return Order(**(values | changes))


def test_create_in_full() -> None:
    """Ports are one text, volumes have a capital `Id` and a mount point, and `month` is not sent."""
    assert requests.create(order()) == {
        "name": "gpu-default-trainer-0f8fad5b-1",
        "productId": "4090.16c62g",
        "gpuNum": 2,
        "rootfsSize": 60,
        "imageUrl": "docker.io/library/nginx:1.27",
        "kind": "gpu",
        "billingMode": "spot",
        "clusterId": "us-ca-6",
        "ports": "80/http,22/tcp",
        "envs": [{"key": "RUN_ID", "value": "r-42"}],
        "imageAuthId": "auth-1",
        "command": "serve",
        "entrypoint": "/run",
        "networkStorages": [{"Id": "ns-1001", "mountPoint": "/data"}],
        "minCudaVersion": "12.4",
    }


def test_create_leaves_out_what_is_not_asked_for() -> None:
    """Optional fields without a value are not sent."""
    body = requests.create(
        order(software=BARE, ports=(), region_id=None, min_cuda_version=None, billing_mode=BillingMode.ON_DEMAND)
    )
    assert body == {
        "name": "gpu-default-trainer-0f8fad5b-1",
        "productId": "4090.16c62g",
        "gpuNum": 2,
        "rootfsSize": 60,
        "imageUrl": "nginx",
        "kind": "gpu",
        "billingMode": "onDemand",
    }


@pytest.mark.parametrize(
    ("mode", "months", "month"),
    [
        (BillingMode.MONTHLY, 6, 6),
        (BillingMode.MONTHLY, None, 1),
        (BillingMode.ON_DEMAND, 6, None),
        (BillingMode.SPOT, 6, None),
    ],
)
def test_a_term_is_sent_with_monthly_billing_only(mode: BillingMode, months: int | None, month: int | None) -> None:
    """Any other machine would silently become a monthly one, which cannot be deleted."""
    assert requests.create(order(billing_mode=mode, months=months)).get("month") == month


def test_edits_change_one_thing() -> None:
    """Ports are objects here; a growth of the disk does not touch them."""
    assert requests.set_ports("m", PORTS) == {
        "instanceId": "m",
        "ports": [{"port": 80, "type": "http"}, {"port": 22, "type": "tcp"}],
    }
    assert requests.set_ports("m", ()) == {"instanceId": "m", "ports": []}
    assert requests.grow_disk("m", 20) == {"instanceId": "m", "expandRootDisk": 20}


def test_an_upgrade_is_complete() -> None:
    """Every field is sent, empty where nothing is wanted: what is missing would be an error or wiped."""
    assert requests.change_software("m", SOFTWARE, keep_data=True) == {
        "instanceId": "m",
        "imageUrl": "docker.io/library/nginx:1.27",
        "imageAuthId": "auth-1",
        "envs": [{"key": "RUN_ID", "value": "r-42"}],
        "command": "serve",
        "entrypoint": "/run",
        "save": True,
        "networkVolume": {"volumeMounts": [{"type": "network", "id": "ns-1001", "mountPath": "/data"}]},
    }
    assert requests.change_software("m", BARE, keep_data=False) == {
        "instanceId": "m",
        "imageUrl": "nginx",
        "imageAuthId": "",
        "envs": [],
        "command": "",
        "entrypoint": "",
        "save": False,
        "networkVolume": {"volumeMounts": []},
    }
