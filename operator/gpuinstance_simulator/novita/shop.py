"""The goods of the simulated Novita: made up, but shaped like the real shop window.

Ids, names and the mismatch between cluster names and cluster ids follow answers of the live API;
the prices are of the right order. There is something for every rule of a buyer: one GPU kind in
several sizes and at several prices, products of all clusters, of one, sold out, without spot, and
with little stock.
"""

from __future__ import annotations

from decimal import Decimal

from gpuinstance_simulator.catalogue import (
    Catalogue,
    Cluster,
    NetworkStorage,
    Port,
    Product,
    RegistryAuth,
    Template,
)

CLUSTERS = (
    Cluster("us-ca-6", "US-CA-06 (California)"),
    Cluster("cn-hongkong-1", "CN-HK-01 (Hong Kong)"),
    Cluster("as-sgp-2", "AS-SGP-02 (Singapore)"),
    Cluster("oc-au-1", "OC-AU-01 (Australia)"),
    Cluster("eu-de-1", "EU-DE-01 (Frankfurt)"),
    Cluster("us-west-1", "US-WEST-01 (Oregon)", network_storage=False),
)

PRODUCTS = (
    Product(
        id="4090.16c62g",
        name="RTX 4090 24GB",
        cpu=16,
        memory_gb=62,
        price=Decimal("0.35"),
        spot_price=Decimal("0.175"),
        monthly_prices=((1, Decimal(220)), (6, Decimal(1200))),
        clusters=("us-ca-6", "as-sgp-2"),
    ),
    Product(
        id="4090.16c96g.v2",
        name="RTX 4090 24GB",
        cpu=16,
        memory_gb=96,
        price=Decimal("0.35"),
        spot_price=Decimal("0.175"),
        monthly_prices=((1, Decimal(230)),),
        clusters=("as-sgp-2", "cn-hongkong-1"),
    ),
    Product(
        id="4090.12c46g.hk",
        name="RTX 4090 24GB",
        cpu=12,
        memory_gb=46,
        price=Decimal("0.39"),
        spot_price=Decimal("0.2"),
        clusters=("cn-hongkong-1",),
    ),
    Product(
        id="3090.16c92g",
        name="RTX 3090 24GB",
        cpu=16,
        memory_gb=92,
        price=Decimal("0.22"),
        spot_price=Decimal("0.11"),
    ),
    Product(
        id="6000ada.16c125g",
        name="RTX 6000 Ada 48GB",
        cpu=16,
        memory_gb=125,
        price=Decimal("0.7"),
        monthly_prices=((1, Decimal(450)),),
        clusters=("eu-de-1", "us-west-1"),
    ),
    Product(
        id="a100.16c120g",
        name="A100 SXM 80GB",
        cpu=16,
        memory_gb=120,
        price=Decimal("1.6"),
        spot_price=Decimal("0.8"),
        clusters=("us-ca-6", "eu-de-1"),
        capacity=8,
    ),
    Product(
        id="h100.24c240g",
        name="H100 SXM 80GB",
        cpu=24,
        memory_gb=240,
        price=Decimal("2.56"),
        spot_price=Decimal("1.28"),
        clusters=("oc-au-1",),
        available=False,
    ),
    Product(
        id="h200.24c240g",
        name="H200 SXM 141GB",
        cpu=24,
        memory_gb=240,
        price=Decimal("3.8"),
        clusters=("us-west-1",),
        capacity=1,
    ),
    Product(
        id="l40s.12c64g",
        name="L40S 48GB",
        cpu=12,
        memory_gb=64,
        price=Decimal("0.55"),
        spot_price=Decimal("0.3"),
        on_demand=False,
        clusters=("us-ca-6",),
        max_rootfs_gb=500,
    ),
)

REGISTRY_AUTHS = (
    RegistryAuth("6f1f3c2e-5a0e-4c0b-9c53-0c7e1a3a2b11", "private-registry", "robot", "simulated-registry-password"),
)

TEMPLATES = (
    Template(
        id="107672",
        name="comfyui",
        image="docker.io/library/comfyui:0.3",
        rootfs_gb=80,
        ports=(Port(80, "http"), Port(8188, "http"), Port(22, "tcp")),
        env=(("MODE", "server"), ("LOG_LEVEL", "info")),
        min_cuda_version="12.4",
        readme="A node editor for image models.",
    ),
    Template(
        id="107700",
        name="private-trainer",
        image="registry.example.com/team/trainer:1.4",
        registry_auth_id=REGISTRY_AUTHS[0].id,
        start_command="python -m trainer",
        ports=(Port(8000, "http"),),
    ),
    Template(
        id="104",
        name="ubuntu-ssh",
        image="docker.io/library/ubuntu:24.04",
        channel="official",
        ports=(Port(22, "tcp"),),
    ),
)

NETWORK_STORAGES = (
    NetworkStorage("ns-1001", "datasets", 500, "us-ca-6"),
    NetworkStorage("ns-1002", "checkpoints", 200, "as-sgp-2"),
)


def catalogue() -> Catalogue:
    """A fresh catalogue of these goods, free to be changed."""
    return Catalogue.of(
        clusters=CLUSTERS,
        products=PRODUCTS,
        templates=TEMPLATES,
        registry_auths=REGISTRY_AUTHS,
        network_storages=NETWORK_STORAGES,
    )
