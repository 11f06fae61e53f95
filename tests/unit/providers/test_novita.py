"""The adapter's own decisions, over scripted answers; the whole of it is in the contract suite."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingMode
from gpuinstance.core.model import Order, PlanChoice, Software
from gpuinstance.providers.base import (
    IncompleteListing,
    ProviderError,
    Rejected,
    Unavailable,
    UnknownOutcome,
)
from gpuinstance.providers.novita import BASE_URL, Novita

NOW = datetime(2026, 8, 22, tzinfo=UTC)
ORDER = Order(
    name="gpu-default-trainer-0f8fad5b-1",
    product_id="4090.16c62g",
    product_name="RTX 4090 24GB",
    region_id="us-ca-6",
    region_name="US-CA-06 (California)",
    gpu_count=1,
    rootfs_gb=60,
    software=Software("nginx", env=(("TOKEN", "canary-value"),)),
    ports=(),
    billing_mode=BillingMode.SPOT,
    months=None,
    min_cuda_version=None,
    hourly_price=Decimal("0.175"),
)

Handler = Callable[[httpx.Request], httpx.Response]


async def no_pause(_: float) -> None:
    """Pass at once."""


def novita(handler: Handler) -> Novita:
    return Novita("key", transport=httpx.MockTransport(handler), sleep=no_pause, now=lambda: NOW)


def always(value: object, status: int = 200) -> Handler:
    return lambda _: httpx.Response(status, json=value)


async def test_requests_go_where_the_documentation_says() -> None:
    """Method, path and parameters of every call."""
    seen: list[tuple[str, str, object]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else dict(request.url.params)
        seen.append((request.method, str(request.url.copy_with(query=None)).removeprefix(BASE_URL), body))
        return httpx.Response(
            200,
            json={
                "id": "m",
                "instances": [],
                "total": 0,
                "data": [],
                "template": {"Id": "107672", "image": "nginx"},
            },
        )

    provider = novita(handle)
    await provider.list_machines()
    await provider.get_machine("m")
    await provider.list_products(name="RTX 4090", gpu_count=2, mode=BillingMode.ON_DEMAND)
    await provider.list_products(name="", gpu_count=1, mode=BillingMode.MONTHLY)
    await provider.list_regions()
    await provider.get_template("107672")
    assert await provider.create(ORDER) == "m"
    await provider.start("m")
    await provider.stop("m")
    await provider.restart("m")
    await provider.delete("m")
    await provider.set_ports("m", ())
    await provider.grow_disk("m", from_gb=60, to_gb=80)
    await provider.change_software("m", ORDER.software, keep_data=True)
    await provider.switch_to_monthly("m", 3)
    await provider.aclose()
    assert [call[:2] for call in seen] == [
        ("GET", "/gpu/instances"),
        ("GET", "/gpu/instance"),
        ("GET", "/products"),
        ("GET", "/products"),
        ("GET", "/clusters"),
        ("GET", "/template"),
        ("POST", "/gpu/instance/create"),
        ("POST", "/gpu/instance/start"),
        ("POST", "/gpu/instance/stop"),
        ("POST", "/gpu/instance/restart"),
        ("POST", "/gpu/instance/delete"),
        ("POST", "/gpu/instance/edit"),
        ("POST", "/gpu/instance/edit"),
        ("POST", "/gpu/instance/upgrade"),
        ("POST", "/gpu/instance/transToMonthlyInstance"),
    ]
    bodies = [call[2] for call in seen]
    assert bodies[0] == {"pageSize": "100", "pageNum": "1"}
    assert bodies[2] == {"productName": "RTX 4090", "gpuNum": "2", "billingMethod": "onDemand"}
    assert bodies[3] == {"gpuNum": "1", "billingMethod": "monthly"}
    assert bodies[10] == {"instanceId": "m"}
    assert bodies[12] == {"instanceId": "m", "expandRootDisk": 20}
    assert bodies[14] == {"instanceId": "m", "month": 3}


async def test_a_disk_that_is_large_enough_is_left_alone() -> None:
    """Novita takes an increment: without growth nothing is sent."""

    def refuse(_: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing to ask for")

    await novita(refuse).grow_disk("m", from_gb=80, to_gb=80)
    await novita(refuse).grow_disk("m", from_gb=80, to_gb=60)


async def test_a_refused_purchase_is_named_in_words() -> None:
    """Not by the name of a path."""
    provider = novita(always({"reason": "BALANCE_NOT_ENOUGH", "message": "top up"}, 400))
    with pytest.raises(Rejected, match="Novita refused switch to monthly billing: top up") as caught:
        await provider.switch_to_monthly("m", 1)
    assert caught.value.reason is Reason.BALANCE_NOT_ENOUGH


LACKING: list[Callable[[Novita], Awaitable[object]]] = [
    lambda p: p.rename("m", "other"),
    lambda p: p.rebuild("m"),
    lambda p: p.reinstall("m", "107672"),
    lambda p: p.regenerate_networking("m"),
    lambda p: p.list_plans("m"),
    lambda p: p.get_upgrade_order("m"),
    lambda p: p.order_upgrade("m", PlanChoice("1")),
    lambda p: p.apply_upgrade("m", disk_gb=None),
    lambda p: p.confirm_upgrade("m"),
    lambda p: p.revert_upgrade("m"),
]


@pytest.mark.parametrize("verb", LACKING)
async def test_what_it_lacks_is_refused_in_words(verb: Callable[[Novita], Awaitable[object]]) -> None:
    """A definite no with its own reason, without a request."""

    def refuse(_: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing to ask for")

    with pytest.raises(Rejected, match="Novita has no way to") as caught:
        await verb(novita(refuse))
    assert caught.value.reason is Reason.UNSUPPORTED_BY_PROVIDER


async def test_a_listing_knows_when_it_was_begun() -> None:
    """Its time is that of the first request."""
    assert (await novita(always({"instances": None, "total": "0"})).list_machines()).started_at == NOW


@pytest.mark.parametrize("answer", [{}, {"total": 1}, {"instances": [{"name": "no id"}], "total": 1}, []])
async def test_a_page_that_cannot_be_read_is_no_listing(answer: object) -> None:
    """Incomplete, not empty."""
    with pytest.raises(IncompleteListing):
        await novita(always(answer)).list_machines()


async def test_an_answer_about_something_else_is_none() -> None:
    """Unknown parameters are ignored silently there, so an answer has to prove that it is meant."""
    with pytest.raises(Unavailable, match="another instance"):
        await novita(always({"id": "other"})).get_machine("m")
    with pytest.raises(Unavailable, match="another template"):
        await novita(always({"template": {"Id": "1", "image": "nginx"}})).get_template("2")


async def test_a_template_needs_an_image() -> None:
    """Nothing can be bought from one without."""
    with pytest.raises(Rejected) as caught:
        await novita(always({"template": {"Id": "1", "image": ""}})).get_template("1")
    assert caught.value.reason is Reason.TEMPLATE_NOT_FOUND


@pytest.mark.parametrize("answer", [{}, {"id": ""}, {"id": None}, [], "m", None])
async def test_a_create_without_an_id_is_in_doubt(answer: object) -> None:
    """200 without the new id: it may have been bought."""
    with pytest.raises(UnknownOutcome):
        await novita(always(answer)).create(ORDER)


@pytest.mark.parametrize("answer", [None, {}, {"instanceId": "m", "state": "toStop"}, {"unknown": 1}])
async def test_other_changes_need_no_particular_answer(answer: object) -> None:
    """Their answers are not documented: a success is enough."""
    await novita(always(answer)).stop("m")
    await novita(lambda _: httpx.Response(204)).stop("m")


@pytest.mark.parametrize("answer", [{"reason": "INSUFFICIENT_RESOURCE"}, {"error": {"message": "no"}}])
async def test_a_success_that_names_an_error_is_in_doubt(answer: object) -> None:
    """Neither believed nor repeated."""
    with pytest.raises(UnknownOutcome):
        await novita(always(answer)).start("m")


async def test_an_environment_that_is_echoed_stays_secret() -> None:
    """Values of the order that the provider quotes in its refusal are blotted out."""
    body = {"reason": "VALIDATOR_PARAM", "message": "envs[0].value canary-value is too long"}
    provider = novita(always(body, 400))
    for change in (
        provider.create(ORDER),
        provider.change_software("m", ORDER.software, keep_data=True),
    ):
        with pytest.raises(ProviderError, match=r"envs\[0\]\.value \[redacted\] is too long"):
            await change
