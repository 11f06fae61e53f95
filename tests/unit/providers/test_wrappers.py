"""The wrappers are providers: they pass everything on, count it, and share what is read.

What "everything" is comes from the Protocol, and which wrappers there are from the package, so that neither a
new method nor a new wrapper is left out by oversight.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import pkgutil
import weakref
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from gpuinstance import providers
from gpuinstance.api.words import BillingMode
from gpuinstance.core.model import Listing, Machine, Order, Software
from gpuinstance.providers.base import OutOfCapacity, Provider, Unavailable
from gpuinstance.providers.fence import Fenced
from gpuinstance.providers.governing.governed import Governed
from gpuinstance.providers.governing.governor import Allowance, Governor
from gpuinstance.providers.wrappers import Metered, SharedListing, Wrapper
from tests.unit.providers.governing import Notebook
from tests.unit.providers.protocol import ATTRIBUTES, CALLS, MACHINE, METHODS, NOW, Adapter, call, given

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


class Records(list[tuple[str, str, str, float]]):
    """A recorder that keeps what it is told."""

    def __call__(self, *, provider: str, operation: str, outcome: str, seconds: float) -> None:
        """Keep it."""
        self.append((provider, operation, outcome, seconds))


def _governed(inner: Provider) -> Provider:
    return Governed(inner, Governor("fake", Allowance(), Notebook()))


WRAPPERS: dict[type, Callable[[Provider], Provider]] = {
    Wrapper: Wrapper,
    Metered: lambda inner: Metered(inner, Records()),
    SharedListing: SharedListing,
    Fenced: lambda inner: Fenced(inner, lambda: True),
    Governed: _governed,
}
"""Every wrapper, and how one is put around another provider."""


def in_a_row(inner: Provider) -> Provider:
    """Return all of them around each other, as the composition root does it."""
    return SharedListing(_governed(Metered(Fenced(inner, lambda: True), Records())))


AROUND = [
    *(pytest.param(wrap, id=kind.__name__) for kind, wrap in WRAPPERS.items()),
    pytest.param(in_a_row, id="all"),
]


def classes() -> Iterator[type]:
    """Yield every class that the package of providers defines."""
    for module in pkgutil.walk_packages(providers.__path__, f"{providers.__name__}."):
        members = vars(importlib.import_module(module.name)).values()
        yield from (it for it in members if inspect.isclass(it) and it.__module__ == module.name)


def test_no_wrapper_is_forgotten() -> None:
    """Whatever is built around an inner provider is in the table above."""
    found = {it for it in classes() if "inner" in getattr(vars(it).get("__init__"), "__annotations__", ())}
    assert found == set(WRAPPERS)


@pytest.mark.parametrize("wrap", AROUND)
@pytest.mark.parametrize("operation", METHODS)
async def test_wrappers_pass_everything_on(wrap: Callable[[Provider], Provider], operation: str) -> None:
    """Each method of the Protocol reaches the adapter, once, with its arguments, and its result comes back."""
    adapter = Adapter()
    arguments = given(operation)
    result = await call(wrap(adapter.provider()), operation, arguments)
    assert adapter.calls == [(operation, arguments)]
    assert result is adapter.results[operation]


@pytest.mark.parametrize("wrap", AROUND)
@pytest.mark.parametrize("operation", CALLS)
async def test_wrappers_pass_errors_on(wrap: Callable[[Provider], Provider], operation: str) -> None:
    """What the adapter raises is what the caller sees: nothing is retried, renamed or swallowed."""
    adapter = Adapter()
    adapter.fails = OutOfCapacity("none left")
    with pytest.raises(OutOfCapacity) as caught:
        await call(wrap(adapter.provider()), operation, given(operation))
    assert str(caught.value) == "none left"
    assert adapter.called == [operation]


@pytest.mark.parametrize("wrap", AROUND)
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_wrappers_answer_for_the_provider(wrap: Callable[[Provider], Provider], attribute: str) -> None:
    """Its name and what it can do are those of the adapter."""
    adapter = Adapter()
    assert getattr(wrap(adapter.provider()), attribute) is getattr(adapter, attribute)


@pytest.mark.parametrize("operation", CALLS)
async def test_every_call_is_counted_and_timed(operation: str) -> None:
    """Provider, operation, outcome and seconds, for each call that goes out."""
    ticks = iter(range(100))
    records = Records()
    metered = Metered(Adapter().provider(), records, monotonic=lambda: float(next(ticks)))
    await call(metered, operation, given(operation))
    assert records == [("fake", operation, "Success", 1.0)]


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
    adapter, records = Adapter(), Records()
    adapter.fails = error
    with pytest.raises(type(error)):
        await Metered(adapter.provider(), records).create(ORDER)
    assert [(r[1], r[2]) for r in records] == [("create", outcome)]


async def test_a_thousand_resources_make_one_of_each_request() -> None:
    """Listing, products, regions and template are asked for once, however many want them."""
    adapter = Adapter()
    adapter.gate.clear()
    shared = SharedListing(adapter.provider())
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
    adapter.gate.set()
    await asyncio.gather(*asking)
    assert sorted(adapter.called) == [
        "get_template",
        "list_machines",
        "list_products",
        "list_regions",
    ]


async def test_what_a_listing_shows_otherwise_is_told() -> None:
    """Machines that came, changed or went, once for each listing; the first one is news to nobody."""
    adapter, told = Adapter(), list[Collection[Machine]]()
    one, two, three = (replace(MACHINE, id=it) for it in ("1", "2", "3"))
    adapter.results["list_machines"] = Listing((one, two), NOW)
    shared = SharedListing(adapter.provider(), changed=told.append)
    await shared.list_machines()
    await shared.list_machines()
    assert told == []
    changed = replace(two, word="stopped")
    adapter.results["list_machines"] = Listing((changed, three), NOW)
    await shared.list_machines()
    await shared.list_machines()
    assert told == [(changed, three, one)]


async def test_an_old_or_failed_listing_is_not_fresh() -> None:
    """Whoever relies on being woken by changes must not rely on a provider that is silent."""
    adapter, seconds = Adapter(), [0.0]
    shared = SharedListing(adapter.provider(), monotonic=lambda: seconds[0])
    assert not shared.is_fresh(60)
    await shared.list_machines()
    seconds[0] = 59
    assert shared.is_fresh(60)
    seconds[0] = 60
    assert not shared.is_fresh(60)
    adapter.fails = Unavailable("down")
    with pytest.raises(Unavailable):
        await shared.listing(max_age=60)
    assert not shared.is_fresh(60)


async def test_the_catalogue_is_shared_for_a_moment_only() -> None:
    """Prices are asked for again after ten seconds; other questions have answers of their own."""
    adapter, seconds = Adapter(), [0.0]
    shared = SharedListing(adapter.provider(), monotonic=lambda: seconds[0])
    for at in (0.0, 9.9, 10.0):
        seconds[0] = at
        await shared.list_products(name="n", gpu_count=1, mode=BillingMode.SPOT)
    assert len(adapter.calls) == 2
    await shared.list_products(name="n", gpu_count=2, mode=BillingMode.SPOT)
    await shared.list_products(name="n", gpu_count=2, mode=BillingMode.ON_DEMAND)
    assert len(adapter.calls) == 4


async def test_changes_and_single_machines_are_never_shared() -> None:
    """Two equal changes are two requests; so are two looks at one machine."""
    adapter = Adapter()
    shared = SharedListing(adapter.provider())
    await asyncio.gather(*(shared.start("1") for _ in range(2)), *(shared.get_machine("1") for _ in range(2)))
    assert len(adapter.calls) == 4


class Secret(str):
    """A text whose disappearance can be watched."""

    __slots__ = ("__weakref__",)


async def test_nothing_is_remembered_of_a_change() -> None:
    """After a change no wrapper holds its arguments any more, whose environment may be secret."""
    adapter = Adapter()
    provider = in_a_row(adapter.provider())
    secret = Secret("canary")
    watched = weakref.ref(secret)
    software = replace(SOFTWARE, env=(("TOKEN", secret),))
    await provider.create(replace(ORDER, software=software))
    await provider.change_software("1", software, keep_data=True)
    adapter.calls.clear()
    del secret, software
    gc.collect()
    assert watched() is None


async def test_closing_lets_nobody_wait() -> None:
    """Whoever waits for a shared answer learns that there is none."""
    adapter = Adapter()
    adapter.gate.clear()
    shared = SharedListing(adapter.provider())
    waiting = [
        asyncio.create_task(c) for c in (shared.list_machines(), shared.list_regions(), shared.get_template("t"))
    ]
    for _ in range(3):
        await asyncio.sleep(0)
    await shared.aclose()
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(e) for e in errors} == {Unavailable}
    assert adapter.called[-1] == "aclose"
