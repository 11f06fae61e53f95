"""The order: what the spec says itself, then the template, then the defaults."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingMode, PortProtocol
from gpuinstance.core.model import Order, Port, Product, Region, Template, Volume
from gpuinstance.core.plan import make_order, make_software
from gpuinstance.core.snapshot import Refusal
from tests.builders import IMAGE, instance, ports, product

TEMPLATE = Template(
    id="t-1",
    name="Jupyter",
    image="jupyter:1",
    registry_auth_id="auth-of-template",
    command="start-notebook.sh",
    entrypoint="/tini",
    rootfs_gb=80,
    ports=ports("8888/http", "22/tcp"),
    env=(("MODE", "template"), ("LANG", "C")),
    min_cuda_version="12.1",
)
BARE = Template(id="t-2", name="Bare", image="bare:1")
FROM_TEMPLATE: dict[str, Any] = {"image": None, "template_id": "t-1"}


def planned(
    fields: dict[str, Any],
    template: Template | None = None,
    *,
    env: tuple[tuple[str, str], ...] = (),
    offer: Product | None = None,
    regions: tuple[Region, ...] = (),
) -> Order | Refusal:
    spec = instance().with_spec(**fields).build().spec
    return make_order(spec, env=env, template=template, products=[offer or product()], regions=regions)


def bought(*args: Any, **kwargs: Any) -> Order:
    found = planned(*args, **kwargs)
    assert isinstance(found, Order), found
    return found


def picked(found: Order, what: str) -> object:
    """Return a field of the order, or of its software."""
    return getattr(found, what) if hasattr(found, what) else getattr(found.software, what)


ORIGINS: dict[str, tuple[dict[str, Any], Template | None, str, object]] = {
    "the image is the spec's": ({}, None, "image", IMAGE),
    "or the template's": (FROM_TEMPLATE, TEMPLATE, "image", "jupyter:1"),
    "no command means the image's own": ({}, None, "command", None),
    "a command of the template": (FROM_TEMPLATE, TEMPLATE, "command", "start-notebook.sh"),
    "a command of the spec wins": (FROM_TEMPLATE | {"command": "serve"}, TEMPLATE, "command", "serve"),
    "an empty command of the spec wins too: it takes the template's away": (
        FROM_TEMPLATE | {"command": ""},
        TEMPLATE,
        "command",
        "",
    ),
    "an entrypoint of the template": (FROM_TEMPLATE, TEMPLATE, "entrypoint", "/tini"),
    "an entrypoint of the spec wins": (FROM_TEMPLATE | {"entrypoint": "/x"}, TEMPLATE, "entrypoint", "/x"),
    "an empty entrypoint of the spec wins too": (FROM_TEMPLATE | {"entrypoint": ""}, TEMPLATE, "entrypoint", ""),
    "registry credentials of the template": (FROM_TEMPLATE, TEMPLATE, "registry_auth_id", "auth-of-template"),
    "registry credentials of the spec win": (
        FROM_TEMPLATE | {"registry_auth_id": "mine"},
        TEMPLATE,
        "registry_auth_id",
        "mine",
    ),
    "no disk size means 60 GB": ({}, None, "rootfs_gb", 60),
    "a disk size of the spec": ({"rootfs_size_gb": 100}, None, "rootfs_gb", 100),
    "a disk size of the template": (FROM_TEMPLATE, TEMPLATE, "rootfs_gb", 80),
    "a disk size of the spec wins": (FROM_TEMPLATE | {"rootfs_size_gb": 10}, TEMPLATE, "rootfs_gb", 10),
    "a template without a disk size": (FROM_TEMPLATE, BARE, "rootfs_gb", 60),
    "no ports means none": ({}, None, "ports", ()),
    "ports of the template": (FROM_TEMPLATE, TEMPLATE, "ports", ports("8888/http", "22/tcp")),
    "ports of the spec replace the template's": (
        FROM_TEMPLATE | {"ports": [{"port": 80}]},
        TEMPLATE,
        "ports",
        ports("80/http"),
    ),
    "an empty list of ports takes the template's away": (FROM_TEMPLATE | {"ports": []}, TEMPLATE, "ports", ()),
    "a CUDA version of the template": (FROM_TEMPLATE, TEMPLATE, "min_cuda_version", "12.1"),
    "a CUDA version of the spec wins": (
        FROM_TEMPLATE | {"min_cuda_version": "12.4"},
        TEMPLATE,
        "min_cuda_version",
        "12.4",
    ),
    "volumes are the spec's": (
        {"network_volumes": [{"id": "v-1", "mount_path": "/data"}]},
        None,
        "volumes",
        (Volume("v-1", "/data"),),
    ),
    "the GPU count is the spec's": ({"gpu_count": 4}, None, "gpu_count", 4),
    "so is the billing mode, with its term": ({"billing": {}}, None, "billing_mode", BillingMode.ON_DEMAND),
    "without a wish the provider chooses the place": ({}, None, "region_id", None),
    "the name is given when the machine is bought, one for each attempt": ({}, None, "name", ""),
}


@pytest.mark.parametrize(("fields", "template", "what", "expected"), ORIGINS.values(), ids=ORIGINS)
def test_the_spec_wins_over_the_template_over_the_default(
    fields: dict[str, Any], template: Template | None, what: str, expected: object
) -> None:
    """Each part of the order comes from where the row says."""
    assert picked(bought(fields, template), what) == expected


def test_the_environment_is_merged_by_name() -> None:
    """Variables of the template stay unless the spec has one of the same name."""
    order = bought(FROM_TEMPLATE, TEMPLATE, env=(("MODE", "spec"), ("TOKEN", "s3cret")))
    assert dict(order.software.env) == {"MODE": "spec", "LANG": "C", "TOKEN": "s3cret"}
    assert len(order.software.env) == 3


def test_values_of_the_environment_are_not_shown() -> None:
    """An order that is logged by accident gives no secret away."""
    assert "s3cret" not in repr(bought({}, env=(("TOKEN", "s3cret"),)))


def test_the_order_names_product_place_and_price() -> None:
    """What was chosen is bought, and the price is that of all GPUs together."""
    offer = product("4090.x", modes=frozenset(BillingMode), monthly_prices=((2, Decimal(2 * 730)),))
    fields = {"gpu_count": 2, "regions": ["US-CA-06"], "billing": {"mode": "Monthly", "months": 2}}
    order = bought(fields, offer=offer, regions=(Region("us-ca-6", "US-CA-06 (California)"),))
    assert (order.product_id, order.product_name) == ("4090.x", "RTX 4090")
    assert (order.region_id, order.region_name) == ("us-ca-6", "US-CA-06 (California)")
    assert (order.billing_mode, order.months) == (BillingMode.MONTHLY, 2)
    assert order.hourly_price == 2


def test_a_product_with_a_large_smallest_disk_gets_it() -> None:
    """The provider would refuse less; more than asked for is what a disk may be."""
    assert bought({"rootfs_size_gb": 50}, offer=product(min_rootfs_gb=100)).rootfs_gb == 100


MANY_PORTS = tuple(Port(8000 + n, PortProtocol.HTTP) for n in range(16))
MANY_VARIABLES = tuple((f"V{n}", "x") for n in range(60))

LIMITS: dict[str, tuple[dict[str, Any], Template | None, dict[str, Any], str | None]] = {
    "a disk as large as the product's largest": (
        {"rootfs_size_gb": 200},
        None,
        {"offer": product(max_rootfs_gb=200)},
        None,
    ),
    "a larger disk": (
        {"rootfs_size_gb": 201},
        None,
        {"offer": product(max_rootfs_gb=200)},
        "at most 200 GB of root disk, not 201",
    ),
    "a template's disk that is larger": (
        FROM_TEMPLATE,
        TEMPLATE,
        {"offer": product(max_rootfs_gb=70)},
        "at most 70 GB of root disk, not 80",
    ),
    "a product that names no limit": ({"rootfs_size_gb": 1000}, None, {"offer": product(max_rootfs_gb=0)}, None),
    "15 ports": (FROM_TEMPLATE, replace(TEMPLATE, ports=MANY_PORTS[:15]), {}, None),
    "a template with 16 ports": (
        FROM_TEMPLATE,
        replace(TEMPLATE, ports=MANY_PORTS),
        {},
        "16 ports are more than the 15",
    ),
    "too many ports of the template, replaced by the spec's": (
        FROM_TEMPLATE | {"ports": [{"port": 80}]},
        replace(TEMPLATE, ports=MANY_PORTS),
        {},
        None,
    ),
    "100 variables, some of them in both": (
        FROM_TEMPLATE,
        replace(TEMPLATE, env=MANY_VARIABLES),
        {"env": tuple((f"V{n}", "y") for n in range(100))},
        None,
    ),
    "101 variables, put together": (
        FROM_TEMPLATE,
        replace(TEMPLATE, env=MANY_VARIABLES),
        {"env": tuple((f"W{n}", "y") for n in range(41))},
        "101 environment variables are more than the 100",
    ),
    "a template without an image": (FROM_TEMPLATE, replace(TEMPLATE, image=""), {}, "the template names no image"),
}


@pytest.mark.parametrize(("fields", "template", "others", "words"), LIMITS.values(), ids=LIMITS)
def test_limits_hold_for_spec_and_template_together(
    fields: dict[str, Any], template: Template | None, others: dict[str, Any], words: str | None
) -> None:
    """What neither breaks alone is refused before anything is paid; None in a row means allowed."""
    found = planned(fields, template, **others)
    if words is None:
        assert isinstance(found, Order)
    else:
        assert isinstance(found, Refusal)
        assert (found.reason, found.needs_person) == (Reason.UNSUPPORTED_BY_PROVIDER, True)
        assert words in found.message


def test_without_a_product_there_is_no_order() -> None:
    """The refusal of the choice is the refusal of the order."""
    found = planned({"product": {"name": "H100"}})
    assert isinstance(found, Refusal)
    assert found.reason is Reason.PRODUCT_NOT_FOUND


def test_software_is_the_same_for_a_purchase_and_for_a_change() -> None:
    """A machine that is changed to a spec runs what one bought by it would run."""
    spec = instance().with_spec(**FROM_TEMPLATE, command="serve").build().spec
    env = [("A", "1")]
    found = make_order(spec, env=env, template=TEMPLATE, products=[product()], regions=())
    assert isinstance(found, Order)
    assert make_software(spec, env=env, template=TEMPLATE) == found.software
