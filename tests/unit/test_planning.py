"""What is looked up before a purchase: side by side, references resolved, refusals in words."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingMode
from gpuinstance.core.model import Machine, MachineState, Order, Product, Region, Software, Template
from gpuinstance.core.snapshot import Refusal
from gpuinstance.kube import Kube, KubeError
from gpuinstance.planning import plan_order, plan_software, price_of_machine
from gpuinstance.providers.base import NotFound, Unavailable
from gpuinstance.providers.wrappers import SharedListing
from tests.builders import IMAGE, instance, machine, ports, product, snapshot

SECRET = "sk-0123456789abcdef"
TEMPLATE = Template("t-1", "Jupyter", "jupyter:1", ports=ports("8888/http"), env=(("LANG", "C"),))
CALIFORNIA = Region("us-ca-6", "US-CA-06 (California)")
FROM_TEMPLATE: dict[str, Any] = {"image": None, "template_id": "t-1"}


class World:
    """The API server and the provider, with what they are asked for; `together` makes all wait for each other."""

    def __init__(self) -> None:
        self.secrets: dict[str, Mapping[str, bytes]] = {"hub": {"token": SECRET.encode()}}
        self.config_maps: dict[str, Mapping[str, str]] = {"settings": {"mode": "fast"}}
        self.template: Template | Exception = TEMPLATE
        self.products: Sequence[Product] | Exception = [product()]
        self.asked: list[str] = []
        self.together: asyncio.Barrier | None = None
        self.trouble: KubeError | None = None

    async def _asked(self, what: str) -> None:
        self.asked.append(what)
        if self.together is not None:
            async with asyncio.timeout(10):
                await self.together.wait()

    async def get_secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """Play the API server."""
        await self._asked(f"secret {namespace}/{name}")
        if self.trouble is not None:
            raise self.trouble
        return self.secrets.get(name)

    async def get_config_map(self, namespace: str, name: str) -> Mapping[str, str] | None:
        """Play the API server."""
        await self._asked(f"config map {namespace}/{name}")
        return self.config_maps.get(name)

    async def list_products(self, *, name: str, gpu_count: int, mode: BillingMode) -> Sequence[Product]:
        """Play the provider."""
        await self._asked(f"products {name!r} {gpu_count} {mode}")
        if isinstance(self.products, Exception):
            raise self.products
        return self.products

    async def list_regions(self) -> Sequence[Region]:
        """Play the provider."""
        await self._asked("regions")
        return [CALIFORNIA]

    async def get_template(self, template_id: str) -> Template:
        """Play the provider."""
        await self._asked(f"template {template_id}")
        if isinstance(self.template, Exception):
            raise self.template
        return self.template

    async def order(self, **fields: Any) -> Order | Refusal:
        """Plan a purchase for a spec with these fields, in the namespace team-a."""
        spec = instance().with_spec(**fields).build().spec
        return await plan_order(cast("Kube", self), cast("SharedListing", self), spec, "team-a")

    async def software(self, **fields: Any) -> Software | Refusal:
        """Plan a change of software for such a spec."""
        spec = instance().with_spec(**fields).build().spec
        return await plan_software(cast("Kube", self), cast("SharedListing", self), spec, "team-a")


@pytest.fixture
def world() -> World:
    return World()


def secret(key: str = "token", *, of: str = "hub", name: str = "TOKEN", **others: Any) -> dict[str, Any]:
    return {"name": name, "value_from": {"secret_key_ref": {"name": of, "key": key} | others}}


def setting(key: str = "mode", *, of: str = "settings", **others: Any) -> dict[str, Any]:
    return {"name": "MODE", "value_from": {"config_map_key_ref": {"name": of, "key": key} | others}}


async def test_everything_is_looked_up_side_by_side(world: World) -> None:
    """No lookup waits for another: all five meet, or the barrier breaks."""
    world.together = asyncio.Barrier(5)
    found = await world.order(**FROM_TEMPLATE, regions=["us-ca-6"], env=[secret(), setting()])
    assert isinstance(found, Order)
    assert (found.region_id, found.software.image, found.ports) == ("us-ca-6", "jupyter:1", ports("8888/http"))
    assert dict(found.software.env) == {"LANG": "C", "TOKEN": SECRET, "MODE": "fast"}


QUESTIONS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "the least": ({}, ["products 'RTX 4090' 1 OnDemand"]),
    "a product by its id: the provider cannot search for it": (
        {"product": {"id": "4090.a"}, "gpu_count": 2, "billing": {"mode": "Spot"}},
        ["products '' 2 Spot"],
    ),
    "a template": (FROM_TEMPLATE, ["products 'RTX 4090' 1 OnDemand", "template t-1"]),
    "regions": ({"regions": ["us-ca-6"]}, ["products 'RTX 4090' 1 OnDemand", "regions"]),
    "an empty list of regions is no wish": ({"regions": []}, ["products 'RTX 4090' 1 OnDemand"]),
    "references, in the object's own namespace": (
        {"env": [secret(), setting(), {"name": "A", "value": "1"}]},
        ["config map team-a/settings", "products 'RTX 4090' 1 OnDemand", "secret team-a/hub"],
    ),
}


@pytest.mark.parametrize(("fields", "asked"), QUESTIONS.values(), ids=QUESTIONS)
async def test_only_what_the_spec_needs_is_looked_up(world: World, fields: dict[str, Any], asked: list[str]) -> None:
    """Each call to a provider counts against its limits."""
    await world.order(**fields)
    assert sorted(world.asked) == asked


async def test_a_change_of_software_asks_for_no_prices(world: World) -> None:
    """Nothing is bought."""
    found = await world.software(**FROM_TEMPLATE, regions=["us-ca-6"], env=[secret()])
    assert found == Software("jupyter:1", env=(("LANG", "C"), ("TOKEN", SECRET)))
    assert sorted(world.asked) == ["secret team-a/hub", "template t-1"]


VALUES: dict[str, tuple[list[dict[str, Any]], dict[str, str]]] = {
    "a value as it is written": ([{"name": "A", "value": "1"}], {"A": "1"}),
    "an empty value": ([{"name": "A", "value": ""}], {"A": ""}),
    "a key of a Secret": ([secret()], {"TOKEN": SECRET}),
    "two keys of the same": ([secret(), secret(name="AGAIN")], {"TOKEN": SECRET, "AGAIN": SECRET}),
    "a key of a ConfigMap": ([setting()], {"MODE": "fast"}),
    "an optional key that is there": ([secret(optional=True)], {"TOKEN": SECRET}),
    "an optional key that is not there": ([secret("x", optional=True), setting()], {"MODE": "fast"}),
    "an optional Secret that is not there": ([secret(of="x", optional=True)], {}),
    "an optional ConfigMap that is not there": ([setting(of="x", optional=True)], {}),
    "a source of a kind that this version does not know": ([{"name": "A", "value_from": {}}], {}),
}


@pytest.mark.parametrize(("env", "expected"), VALUES.values(), ids=VALUES)
async def test_references_become_values(world: World, env: list[dict[str, Any]], expected: dict[str, str]) -> None:
    """An optional one that leads nowhere leaves its variable out."""
    found = await world.order(env=env)
    assert isinstance(found, Order)
    assert dict(found.software.env) == expected
    assert found.software.image == IMAGE


MISSING: dict[str, tuple[list[dict[str, Any]], str]] = {
    "no such key": ([secret("x")], "env TOKEN: Secret team-a/hub has no key x, or does not exist"),
    "no such Secret": ([secret(of="x")], "env TOKEN: Secret team-a/x has no key token, or does not exist"),
    "no such key of a ConfigMap": (
        [setting("x")],
        "env MODE: ConfigMap team-a/settings has no key x, or does not exist",
    ),
    "no such ConfigMap": ([setting(of="x")], "env MODE: ConfigMap team-a/x has no key mode, or does not exist"),
    "one of several": ([secret(), setting("x")], "env MODE: ConfigMap team-a/settings has no key x"),
}


@pytest.mark.parametrize(("env", "words"), MISSING.values(), ids=MISSING)
async def test_a_reference_that_leads_nowhere_is_named(world: World, env: list[dict[str, Any]], words: str) -> None:
    """Variable, kind, name and key, and no value of any other; for a purchase and for a change alike."""
    for found in (await world.order(env=env), await world.software(env=env)):
        assert isinstance(found, Refusal)
        assert (found.reason, found.needs_person) == (Reason.REFERENCE_NOT_FOUND, True)
        assert words in found.message
        assert SECRET not in found.message


async def test_a_template_that_does_not_exist_is_named(world: World) -> None:
    """It may be private to another account, which the provider does not tell apart."""
    world.template = NotFound("template not found", reason=Reason.TEMPLATE_NOT_FOUND)
    for found in (await world.order(**FROM_TEMPLATE), await world.software(**FROM_TEMPLATE)):
        assert isinstance(found, Refusal)
        assert (found.reason, found.needs_person) == (Reason.TEMPLATE_NOT_FOUND, True)
        assert "template 't-1' does not exist, or belongs to another account: template not found" in found.message


async def test_trouble_is_no_refusal(world: World) -> None:
    """What could not be asked is raised: it must not read like an answer about the spec."""
    world.products = Unavailable("HTTP 503")
    with pytest.raises(Unavailable):
        await world.order()
    world.template = Unavailable("HTTP 503")
    with pytest.raises(Unavailable):
        await world.software(**FROM_TEMPLATE)
    world.trouble = KubeError("API server: 403 Forbidden")
    with pytest.raises(KubeError):
        await world.software(env=[secret()])


# ------------------------------------------------------------------------------------------------- prices

DOWN = machine(state=MachineState.STOPPED, product_id="4090.a", gpu_count=2)
OTHER = product("4090.b", hourly_price=Decimal("0.10"))
PRICES: dict[str, tuple[Machine, dict[str, Any], str | None]] = {
    "its own product, all GPUs": (DOWN, {}, "0.70000"),
    "the mode in which it is paid": (replace(DOWN, billing_mode=BillingMode.SPOT), {}, "0.20000"),
    "what is recorded, where the machine does not say": (
        replace(DOWN, product_id="", gpu_count=None),
        {"gpu_count": 1},
        "0.35000",
    ),
    "a product that is not sold any more": (replace(DOWN, product_id="3090"), {}, None),
}


@pytest.mark.parametrize(("at", "spec", "price"), PRICES.values(), ids=PRICES)
async def test_what_a_machine_costs_now(world: World, at: Machine, spec: dict[str, Any], price: str | None) -> None:
    """By the price list of this moment; nothing is guessed."""
    modes = frozenset({BillingMode.ON_DEMAND, BillingMode.SPOT})
    world.products = [OTHER, product(modes=modes, spot_price=Decimal("0.10"))]
    recorded = {"id": "m-1", "name": "n", "product_id": "4090.a"}
    here = snapshot(instance().with_machine().with_status(instance=recorded).with_spec(**spec), at)
    expected = Decimal(price) if price is not None else None
    assert await price_of_machine(cast("SharedListing", world), here) == expected


async def test_without_a_machine_there_is_no_price(world: World) -> None:
    """And nobody is asked."""
    assert await price_of_machine(cast("SharedListing", world), snapshot(instance())) is None
    assert world.asked == []
