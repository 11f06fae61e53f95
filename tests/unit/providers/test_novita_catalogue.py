"""What Novita sells, parsed: money in its unit, regions by name and id, templates flattened."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import ValidationError

from gpuinstance.api.words import BillingMode, PortProtocol
from gpuinstance.core.model import Port, Product, Region, Template
from gpuinstance.providers.novita.catalogue import ClustersAnswer, ProductsAnswer, TemplateAnswer

PRODUCT = {
    "id": "4090.16c62g",
    "name": "RTX 4090 24GB",
    "cpuPerGpu": 16,
    "memoryPerGpu": "62",
    "diskPerGpu": 6144,
    "availableDeploy": True,
    "minRootFS": 10,
    "maxRootFS": "6144",
    "regions": ["US-CA-06 (California)"],
    "price": "35000",
    "monthlyPrice": [{"price": "22000000", "month": 1}, {"price": "", "month": 6}],
    "billingMethods": ["onDemand", "spot", "monthly", "barter"],
    "spotPrice": "17500",
    "inventoryState": "normal",
}


def product(**changes: object) -> Product:
    (only,) = ProductsAnswer.model_validate({"data": [PRODUCT | changes]}).products()
    return only


def test_a_product() -> None:
    """Prices are 1/100000 USD on the wire and USD here; words that nobody knows are left out."""
    assert product() == Product(
        id="4090.16c62g",
        name="RTX 4090 24GB",
        available=True,
        regions=("US-CA-06 (California)",),
        modes=frozenset(BillingMode),
        hourly_price=Decimal("0.35"),
        spot_price=Decimal("0.175"),
        monthly_prices=((1, Decimal(220)),),
        cpu_per_gpu=16,
        memory_per_gpu_gb=62,
        min_rootfs_gb=10,
        max_rootfs_gb=6144,
    )


@pytest.mark.parametrize(
    ("raw", "usd"),
    [
        ("35000", Decimal("0.35")),
        (35000, Decimal("0.35")),
        (1, Decimal("0.00001")),
        ("0", None),
        ("", None),
        ("-1", None),
        (None, None),
        ("free", None),
    ],
)
def test_prices(raw: object, usd: Decimal | None) -> None:
    """No price, and a price of zero, are not an offer."""
    changed = product(price=raw, spotPrice=raw)
    assert (changed.hourly_price, changed.spot_price) == (usd, usd)


@pytest.mark.parametrize(
    ("raw", "available"),
    [(True, True), ("true", True), (1, True), (False, False), ("false", False), (None, False), ("", False)],
)
def test_available_only_where_it_is_said(raw: object, available: bool) -> None:
    """Nothing is bought on a guess."""
    assert product(availableDeploy=raw).available is available


def test_products_without_an_id_are_left_out() -> None:
    """They cannot be bought; null lists are empty."""
    answer = ProductsAnswer.model_validate({"data": [{"name": "x"}, None, {"id": 26, "regions": None}]})
    (only,) = answer.products()
    assert (only.id, only.regions, only.modes) == ("26", (), frozenset())
    assert ProductsAnswer.model_validate({"data": None}).products() == ()


@pytest.mark.parametrize("raw", [None, {}, [], "x"])
def test_an_answer_without_a_list_is_an_error(raw: object) -> None:
    """What shows no list does not say that nothing is on sale."""
    with pytest.raises(ValidationError):
        ProductsAnswer.model_validate(raw)
    with pytest.raises(ValidationError):
        ClustersAnswer.model_validate(raw)


def test_clusters_are_regions() -> None:
    """`id` is what a create takes, `name` what products list; without a name the id serves."""
    answer = ClustersAnswer.model_validate(
        {"data": [{"id": "us-ca-6", "name": "US-CA-06 (California)", "availableGpuType": {}}, {"id": "x"}]}
    )
    assert answer.regions() == (Region("us-ca-6", "US-CA-06 (California)"), Region("x", "x"))


TEMPLATE = {
    "Id": "107672",
    "name": "comfyui",
    "type": "instance",
    "image": "docker.io/library/comfyui:0.3",
    "imageAuth": "6f1f3c2e-5a0e-4c0b-9c53-0c7e1a3a2b11",
    "startCommand": "python main.py",
    "entrypoint": "",
    "rootfsSize": "80",
    "ports": [
        {"type": "http", "ports": [80, "8188"]},
        {"type": "tcp", "ports": [22]},
        {"type": "udp", "ports": [1]},
    ],
    "envs": [{"key": "MODE", "value": "server"}, {"key": "EMPTY", "value": ""}, {"value": "nameless"}],
    "minCudaVersion": "12.4",
}


def template(**changes: object) -> Template:
    return TemplateAnswer.model_validate({"template": TEMPLATE | changes}).template.to_template()


def test_a_template_is_flattened() -> None:
    """Ports grouped by protocol become one row; empty texts are none."""
    assert template() == Template(
        id="107672",
        name="comfyui",
        image="docker.io/library/comfyui:0.3",
        registry_auth_id="6f1f3c2e-5a0e-4c0b-9c53-0c7e1a3a2b11",
        command="python main.py",
        entrypoint=None,
        rootfs_gb=80,
        ports=(Port(80, PortProtocol.HTTP), Port(8188, PortProtocol.HTTP), Port(22, PortProtocol.TCP)),
        env=(("MODE", "server"), ("EMPTY", "")),
        min_cuda_version="12.4",
    )


@pytest.mark.parametrize("raw", ["", None, "robot:canary-password"])
def test_only_an_id_counts_as_registry_login(raw: object) -> None:
    """Credentials in a template's `imageAuth` are dropped."""
    assert template(imageAuth=raw).registry_auth_id is None


def test_a_bare_template() -> None:
    """Null and missing lists are empty."""
    bare = template(ports=None, envs=None, rootfsSize=0, minCudaVersion=None)
    assert (bare.ports, bare.env, bare.rootfs_gb, bare.min_cuda_version) == ((), (), None, None)
    assert template(ports=[{"type": "http", "ports": None}]).ports == ()
