"""The wrappers are providers: they pass everything on, count it, and share what is read."""

# ruff: noqa: D102  the methods of the fake are those of Provider

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gpuinstance.api.words import BillingMode
from gpuinstance.core.model import (
    Listing,
    Machine,
    MachineState,
    Order,
    Port,
    Product,
    Region,
    Software,
    Template,
)
from gpuinstance.providers.base import Capabilities, OutOfCapacity, Provider, Unavailable
from gpuinstance.providers.wrappers import Metered, SharedListing

SOFTWARE = Software("nginx", env=(("TOKEN", "canary"),))
ORDER = Order(
    name="m",
    product_id="p",
    product_name="P",
    region_id=None,
    region_name=None,
    gpu_count=1,
    rootfs_gb=60,
    software=SOFTWARE,
    ports=(),
    billing_mode=BillingMode.SPOT,
    months=None,
    min_cuda_version=None,
    hourly_price=Decimal(1),
)
MACHINE = Machine("1", "m", MachineState.RUNNING, "running")
NOW = datetime(2026, 8, 22, tzinfo=UTC)


class Fake:
    """A provider that notes its calls; `fails` is raised by every one of them."""

    name = "fake"
    capabilities = Capabilities(
        billing_modes=frozenset(BillingMode),
        listing_has_addresses=True,
        can_change_ports=True,
        can_grow_disk=True,
        can_change_software=True,
        max_gpu_count=1,
        max_rootfs_gb=1,
    )

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.fails: BaseException | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def _note(self, *call: Any) -> None:
        self.calls.append(call)
        await self.gate.wait()
        if self.fails is not None:
            raise self.fails

    async def list_machines(self) -> Listing:
        await self._note("list_machines")
        return Listing((MACHINE,), NOW)

    async def get_machine(self, machine_id: str) -> Machine:
        await self._note("get_machine", machine_id)
        return MACHINE

    async def list_products(self, *, name: str, gpu_count: int, mode: BillingMode) -> Sequence[Product]:
        await self._note("list_products", name, gpu_count, mode)
        return ()

    async def list_regions(self) -> Sequence[Region]:
        await self._note("list_regions")
        return (Region("r", "R"),)

    async def list_registry_auths(self) -> Sequence[str]:
        await self._note("list_registry_auths")
        return ["auth"]

    async def get_template(self, template_id: str) -> Template:
        await self._note("get_template", template_id)
        return Template(template_id, "t", "nginx")

    async def create(self, order: Order) -> str:
        await self._note("create", order)
        return "1"

    async def start(self, machine_id: str) -> None:
        await self._note("start", machine_id)

    async def stop(self, machine_id: str) -> None:
        await self._note("stop", machine_id)

    async def restart(self, machine_id: str) -> None:
        await self._note("restart", machine_id)

    async def delete(self, machine_id: str) -> None:
        await self._note("delete", machine_id)

    async def set_ports(self, machine_id: str, ports: Sequence[Port]) -> None:
        await self._note("set_ports", machine_id, ports)

    async def grow_disk(self, machine_id: str, *, from_gb: int, to_gb: int) -> None:
        await self._note("grow_disk", machine_id, from_gb, to_gb)

    async def change_software(self, machine_id: str, software: Software, *, keep_data: bool) -> None:
        await self._note("change_software", machine_id, software, keep_data)

    async def aclose(self) -> None:
        self.calls.append(("aclose",))


async def every_call(provider: Provider) -> list[tuple[Any, ...]]:
    """Call every method once; return what the adapter behind must have seen."""
    assert await provider.list_machines() == Listing((MACHINE,), NOW)
    assert await provider.get_machine("1") is MACHINE
    assert await provider.list_products(name="n", gpu_count=2, mode=BillingMode.SPOT) == ()
    assert await provider.list_regions() == (Region("r", "R"),)
    assert (await provider.get_template("t")).id == "t"
    assert await provider.list_registry_auths() == ["auth"]
    assert await provider.create(ORDER) == "1"
    await provider.start("1")
    await provider.stop("1")
    await provider.restart("1")
    await provider.delete("1")
    await provider.set_ports("1", ())
    await provider.grow_disk("1", from_gb=1, to_gb=2)
    await provider.change_software("1", SOFTWARE, keep_data=True)
    return [
        ("list_machines",),
        ("get_machine", "1"),
        ("list_products", "n", 2, BillingMode.SPOT),
        ("list_regions",),
        ("get_template", "t"),
        ("list_registry_auths",),
        ("create", ORDER),
        ("start", "1"),
        ("stop", "1"),
        ("restart", "1"),
        ("delete", "1"),
        ("set_ports", "1", ()),
        ("grow_disk", "1", 1, 2),
        ("change_software", "1", SOFTWARE, True),
    ]


class Records(list[tuple[str, str, str, float]]):
    """A recorder that keeps what it is told."""

    def __call__(self, *, provider: str, operation: str, outcome: str, seconds: float) -> None:
        self.append((provider, operation, outcome, seconds))


async def test_wrappers_pass_everything_on() -> None:
    """Each call reaches the adapter with its arguments, and its result comes back."""
    fake = Fake()
    provider: Provider = SharedListing(Metered(fake, Records()))
    assert (provider.name, provider.capabilities) == ("fake", Fake.capabilities)
    expected = await every_call(provider)
    await provider.aclose()
    assert fake.calls == [*expected, ("aclose",)]


async def test_every_call_is_counted_and_timed() -> None:
    """Provider, operation, outcome and seconds, for each call that goes out."""
    ticks = iter(range(100))
    records = Records()
    expected = await every_call(Metered(Fake(), records, monotonic=lambda: float(next(ticks))))
    assert records == [("fake", call[0], "Success", 1.0) for call in expected]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (OutOfCapacity("none left"), "OutOfCapacity"),
        (Unavailable("HTTP 502"), "Unavailable"),
        (asyncio.CancelledError(), "Cancelled"),
        (ZeroDivisionError(), "Crashed"),
    ],
)
async def test_failures_are_counted_by_name(error: BaseException, outcome: str) -> None:
    """The label is the consequence, never the message."""
    fake, records = Fake(), Records()
    fake.fails = error
    with pytest.raises(type(error)):
        await Metered(fake, records).create(ORDER)
    assert [(r[1], r[2]) for r in records] == [("create", outcome)]


async def test_a_thousand_resources_make_one_of_each_request() -> None:
    """Listing, products, regions and template are asked for once, however many want them."""
    fake = Fake()
    fake.gate.clear()
    shared = SharedListing(fake)
    asking = [
        asyncio.create_task(coroutine)
        for _ in range(250)
        for coroutine in (
            shared.listing(max_age=30),
            shared.list_products(name="n", gpu_count=1, mode=BillingMode.SPOT),
            shared.list_regions(),
            shared.get_template("t"),
        )
    ]
    await asyncio.sleep(0)
    fake.gate.set()
    await asyncio.gather(*asking)
    assert sorted(call[0] for call in fake.calls) == [
        "get_template",
        "list_machines",
        "list_products",
        "list_regions",
    ]


async def test_the_catalogue_is_shared_for_a_moment_only() -> None:
    """Prices are asked for again after ten seconds; other questions have answers of their own."""
    fake, seconds = Fake(), [0.0]
    shared = SharedListing(fake, monotonic=lambda: seconds[0])
    for at in (0.0, 9.9, 10.0):
        seconds[0] = at
        await shared.list_products(name="n", gpu_count=1, mode=BillingMode.SPOT)
    assert len(fake.calls) == 2
    await shared.list_products(name="n", gpu_count=2, mode=BillingMode.SPOT)
    await shared.list_products(name="n", gpu_count=2, mode=BillingMode.ON_DEMAND)
    assert len(fake.calls) == 4


async def test_changes_and_single_machines_are_never_shared() -> None:
    """Two equal changes are two requests; so are two looks at one machine."""
    fake = Fake()
    shared = SharedListing(fake)
    await asyncio.gather(*(shared.start("1") for _ in range(2)), *(shared.get_machine("1") for _ in range(2)))
    assert len(fake.calls) == 4


class Secret(str):
    """A text whose disappearance can be watched."""

    __slots__ = ("__weakref__",)


async def test_nothing_is_remembered_of_a_change() -> None:
    """After a change no wrapper holds its arguments any more, whose environment may be secret."""
    fake = Fake()
    shared = SharedListing(Metered(fake, Records()))
    secret = Secret("canary")
    watched = weakref.ref(secret)
    software = replace(SOFTWARE, env=(("TOKEN", secret),))
    await shared.create(replace(ORDER, software=software))
    await shared.change_software("1", software, keep_data=True)
    fake.calls.clear()
    del secret, software
    gc.collect()
    assert watched() is None


async def test_closing_lets_nobody_wait() -> None:
    """Whoever waits for a shared answer learns that there is none."""
    fake = Fake()
    fake.gate.clear()
    shared = SharedListing(fake)
    waiting = [
        asyncio.create_task(c) for c in (shared.list_machines(), shared.list_regions(), shared.get_template("t"))
    ]
    for _ in range(3):
        await asyncio.sleep(0)
    await shared.aclose()
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(e) for e in errors} == {Unavailable}
    assert fake.calls[-1] == ("aclose",)
