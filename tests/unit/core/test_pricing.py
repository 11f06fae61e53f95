"""Which product is bought, where, and whether its price is allowed."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuinstance.api.reasons import Reason
from gpuinstance.api.spec import GPUInstanceSpec
from gpuinstance.api.words import BillingMode
from gpuinstance.core.model import Product, Region
from gpuinstance.core.pricing import choose_product, hourly_price, money, refuse_price
from gpuinstance.core.snapshot import Refusal
from tests.builders import instance, order, product

ON_DEMAND = frozenset({BillingMode.ON_DEMAND})
SPOT = {"billing": {"mode": "Spot"}}
QUARTER = {"billing": {"mode": "Monthly", "months": 3}}

CALIFORNIA = Region("us-ca-6", "US-CA-06 (California)")
HONG_KONG = Region("cn-hongkong-1", "CN-HK-01 (Hong Kong)")
SINGAPORE = Region("as-sgp-2", "AS-SGP-02")
REGIONS = (CALIFORNIA, HONG_KONG, SINGAPORE)


def spec(**fields: Any) -> GPUInstanceSpec:
    return instance().with_spec(**fields).build().spec


def shop(text: str) -> list[Product]:
    """Read offers such as `a 0.35 cpu=8, b 0.30 sold-out`: an id, the price on demand, and what is special."""
    return [_offer(*part.split()) for part in text.split(",") if part]


def _offer(product_id: str, price: str, *specials: str) -> Product:
    words = dict(special.partition("=")[::2] for special in specials)
    return product(
        product_id,
        words.get("name", "RTX_4090").replace("_", " "),
        available="sold-out" not in words,
        modes=frozenset({BillingMode(words["only"])} if "only" in words else BillingMode),
        hourly_price=None if price == "?" else Decimal(price),
        spot_price=Decimal(words["spot"]) if "spot" in words else None,
        monthly_prices=((1, Decimal(words["month"])),) if "month" in words else (),
        memory_per_gpu_gb=int(words.get("memory", 0)),
        cpu_per_gpu=int(words.get("cpu", 0)),
        regions=tuple(words["in"].replace("_", " ").split("+")) if "in" in words else (),
    )


def choice(fields: dict[str, Any], products: list[Product]) -> tuple[str, str | None]:
    found = choose_product(spec(**fields), products, REGIONS)
    assert not isinstance(found, Refusal), found
    return found[0].id, found[1].id if found[1] else None


# ------------------------------------------------------------------------------------------ the optimal product

BEST: dict[str, tuple[dict[str, Any], str, str]] = {
    "the cheapest": ({}, "a 0.40, b 0.35", "b"),
    "price comes before memory": ({}, "a 0.35 memory=64, b 0.34", "b"),
    "at the same price the one with more memory per GPU": ({}, "a 0.35 memory=62, b 0.350 memory=64", "b"),
    "memory comes before CPU": ({}, "a 0.35 memory=62 cpu=32, b 0.35 memory=64 cpu=8", "b"),
    "at the same price and memory the one with more CPU": ({}, "a 0.35 cpu=8, b 0.35 cpu=16", "b"),
    "of equals the one with the lower id": ({}, "b 0.35, a 0.35", "a"),
    "not one that is sold out": ({}, "a 0.1 sold-out, b 0.35", "b"),
    "not one whose price of 0 means that it is not on sale": ({}, "a 0, b 0.35", "b"),
    "not one whose price is unknown": ({}, "a ?, b 0.35", "b"),
    "not one that is never sold like this": ({}, "a 0.1 only=Spot, b 0.35", "b"),
    "not one whose name only contains the wanted one: the provider's search is fuzzy": (
        {},
        "a 0.1 name=RTX_4090_D, b 0.2 name=2x_RTX_4090, c 0.35",
        "c",
    ),
    "case and outer spaces make no difference": ({"product": {"name": " rtx 4090 "}}, "a 0.35", "a"),
    "an id means exactly that product, however dear": (
        {"product": {"id": "4090.b"}},
        "4090.a 0.1, 4090.b 0.35, 4090.bb 0.1",
        "4090.b",
    ),
    "for Spot the spot price counts": (SPOT, "a 0.1 spot=0.30, b 0.9 spot=0.20", "b"),
    "without a spot price: the price on demand says nothing": (SPOT, "a 0.1, b 0.9 spot=0.3", "b"),
    "a spot price of 0 means that there is none": (SPOT, "a 0.35 spot=0, b 0.35 spot=0.3", "b"),
    "not one that does not offer Spot": (SPOT, "a 0.35 only=OnDemand spot=0.1, b 0.35 spot=0.3", "b"),
    "for Monthly the price of the term counts": (QUARTER, "a 0.1 month=220, b 0.9 month=200", "b"),
}


@pytest.mark.parametrize(("fields", "products", "best"), BEST.values(), ids=BEST)
def test_the_optimal_product_is_bought(fields: dict[str, Any], products: str, best: str) -> None:
    """Of all that match exactly: the one that the row names, in whatever order they are listed."""
    assert choice(fields, shop(products))[0] == best
    assert choice(fields, shop(products)[::-1])[0] == best


offers = st.builds(
    product,
    product_id=st.sampled_from(["a", "b", "c", "d"]),
    available=st.booleans(),
    modes=st.sampled_from([ON_DEMAND, frozenset(BillingMode), frozenset({BillingMode.SPOT})]),
    hourly_price=st.sampled_from([None, Decimal(0), Decimal("0.2"), Decimal("0.3")]),
    memory_per_gpu_gb=st.sampled_from([0, 62]),
    cpu_per_gpu=st.sampled_from([0, 16]),
)


@settings(derandomize=True, database=None, deadline=None)
@given(st.lists(offers, max_size=6, unique_by=lambda offer: offer.id), st.randoms(use_true_random=False))
def test_the_choice_depends_on_the_offers_alone(products: list[Product], chance: Random) -> None:
    """Any order of the list gives the same product, and nothing that could be bought is cheaper."""
    found = choose_product(spec(), products, ())
    assert choose_product(spec(), chance.sample(products, len(products)), ()) == found
    prices = [
        price
        for it in products
        if it.available and (price := hourly_price(it, BillingMode.ON_DEMAND, None, 1)) is not None
    ]
    if isinstance(found, Refusal):
        assert prices == []
    else:
        assert hourly_price(found[0], BillingMode.ON_DEMAND, None, 1) == min(prices)


# --------------------------------------------------------------------------------------------------- the place

HERE = "dear 0.9 in=US-CA-06_(California)"
THERE = "cheap 0.1 in=CN-HK-01_(Hong_Kong)+AS-SGP-02"
BOTH = f"{HERE}, {THERE}"

PLACES: dict[str, tuple[list[str], str, tuple[str, str | None]]] = {
    "without a wish the provider chooses the place": ([], BOTH, ("cheap", None)),
    "the first wish wins, also over a lower price elsewhere": (["us-ca-6", "as-sgp-2"], BOTH, ("dear", "us-ca-6")),
    "where the first has none, the next is taken": (["us-ca-6", "as-sgp-2"], THERE, ("cheap", "as-sgp-2")),
    "where the first is sold out, the next is taken": (
        ["us-ca-6", "cn-hongkong-1"],
        f"{HERE} sold-out, {THERE}",
        ("cheap", "cn-hongkong-1"),
    ),
    "a region that does not exist is passed over while another is known": (
        ["moon-1", "us-ca-6"],
        HERE,
        ("dear", "us-ca-6"),
    ),
    "a product that lists no regions is sold in each": (["as-sgp-2"], "a 0.35", ("a", "as-sgp-2")),
    "a product list that names a region by its code only is understood": (
        ["us-ca-6"],
        f"{HERE}, a 0.8 in=US-CA-06",
        ("a", "us-ca-6"),
    ),
}


@pytest.mark.parametrize(("regions", "products", "expected"), PLACES.values(), ids=PLACES)
def test_regions_are_an_order_of_preference(
    regions: list[str], products: str, expected: tuple[str, str | None]
) -> None:
    """The first region that has the product is taken; price decides only within it."""
    assert choice({"regions": regions}, shop(products)) == expected


@pytest.mark.parametrize(
    "text", ["us-ca-6", "US-CA-6", "US-CA-06", "us-ca-06", "US-CA-06 (California)", " us-ca-06 (california) "]
)
def test_a_region_may_be_spelled_as_people_read_it(text: str) -> None:
    """Its id, its full name and its code mean the same, in any case."""
    assert choice({"regions": [text]}, shop(HERE)) == ("dear", "us-ca-6")


@pytest.mark.parametrize("text", ["US-CA", "California", "us-ca-61", "CA-06"])
def test_a_part_of_a_region_is_no_region(text: str) -> None:
    """A machine in a place that nobody meant is worse than none."""
    found = choose_product(spec(regions=[text]), shop(HERE), REGIONS)
    assert isinstance(found, Refusal)
    assert found.reason is Reason.REGION_NOT_FOUND


def test_regions_that_begin_alike_are_not_taken_for_each_other() -> None:
    """`US West` is not `US East`: the brackets behind a name are all that may be left out."""
    places = [Region("us-1", "US East (Virginia)"), Region("us-2", "US West (Oregon)")]
    found = choose_product(spec(regions=["US West"]), shop("a 0.35"), places)
    assert not isinstance(found, Refusal)
    assert found[1] == places[1]


# ------------------------------------------------------------------------------------------------- refusals

ELSEWHERE = {"regions": ["as-sgp-2", "us-ca-6"]}
ABSENT, NOT_NOW = Reason.PRODUCT_NOT_FOUND, Reason.NO_PRODUCT_AVAILABLE

REFUSALS: dict[str, tuple[dict[str, Any], str, Reason, bool, list[str]]] = {
    "no product of that name": ({}, "a 0.35 name=RTX_5090", ABSENT, True, ["named 'RTX 4090'", "OnDemand"]),
    "no product of that id": ({"product": {"id": "4090.z"}}, "4090.a 0.35", ABSENT, True, ["id '4090.z'"]),
    "nothing is listed at all": ({}, "", ABSENT, True, ["novita offers no product"]),
    "none of the regions exists: those that do are named": (
        {"regions": ["moon-1", "mars-1"]},
        HERE,
        Reason.REGION_NOT_FOUND,
        True,
        ["us-ca-6, cn-hongkong-1, as-sgp-2"],
    ),
    "never sold in that mode: a person has to choose one of those that are named": (
        SPOT,
        "a 0.35 only=OnDemand, b 0.35 only=Monthly",
        NOT_NOW,
        True,
        ["not sold with billing mode Spot", "Monthly, OnDemand"],
    ),
    "sold out: the operator looks again by itself": (
        {},
        "a 1 sold-out",
        NOT_NOW,
        False,
        ["looking again every minute"],
    ),
    "in none of the wanted regions now: they are named": (
        ELSEWHERE,
        f"{HERE} sold-out",
        NOT_NOW,
        False,
        ["in as-sgp-2, us-ca-6"],
    ),
    "sold as Spot, but without a price now": (SPOT, "a 0.35", NOT_NOW, False, ["(Spot) is not available now"]),
}


@pytest.mark.parametrize(("fields", "products", "reason", "needs_person", "words"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_bought_is_refused_in_words(
    fields: dict[str, Any], products: str, reason: Reason, words: list[str], *, needs_person: bool
) -> None:
    """The reason tells whether waiting helps, the message what is missing."""
    found = choose_product(spec(**fields), shop(products), REGIONS)
    assert isinstance(found, Refusal)
    assert (found.reason, found.needs_person) == (reason, needs_person)
    assert [word for word in words if word not in found.message] == []


# --------------------------------------------------------------------------------------------------- prices

TERMS = ((1, Decimal(219)), (6, Decimal(1095)))

PRICES: dict[str, tuple[Any, ...]] = {
    "on demand: the price of one GPU": ({}, BillingMode.ON_DEMAND, None, 1, "0.35"),
    "eight GPUs cost eight times as much": ({}, BillingMode.ON_DEMAND, None, 8, "2.80"),
    "spot has a price of its own": ({"spot_price": Decimal("0.2")}, BillingMode.SPOT, None, 2, "0.40"),
    "spot without a spot price is not for sale": ({}, BillingMode.SPOT, None, 1, None),
    "a month has 730 hours": ({"monthly_prices": TERMS}, BillingMode.MONTHLY, 1, 1, "0.3"),
    "a longer term has its own price": ({"monthly_prices": TERMS}, BillingMode.MONTHLY, 6, 1, "0.25"),
    "else it is so many single months": ({"monthly_prices": TERMS}, BillingMode.MONTHLY, 3, 2, "0.6"),
    "no term means one month": ({"monthly_prices": TERMS}, BillingMode.MONTHLY, None, 1, "0.3"),
    "a term that nobody sells": ({"monthly_prices": TERMS[1:]}, BillingMode.MONTHLY, 3, 1, None),
    "a price that the provider hides": ({"hourly_price": None}, BillingMode.ON_DEMAND, None, 1, None),
    "nothing costs less than 0": ({"hourly_price": Decimal(-1)}, BillingMode.ON_DEMAND, None, 1, None),
    "a mode that is not offered": ({"modes": frozenset()}, BillingMode.ON_DEMAND, None, 1, None),
}


@pytest.mark.parametrize(("fields", "mode", "months", "gpus", "expected"), PRICES.values(), ids=PRICES)
def test_the_price_is_that_of_the_whole_machine_for_an_hour(
    fields: dict[str, Any], mode: BillingMode, months: int | None, gpus: int, expected: str | None
) -> None:
    """All GPUs together, in the billing mode of the spec; None where it is not sold like that."""
    offer = product(**({"modes": frozenset(BillingMode)} | fields))
    assert hourly_price(offer, mode, months, gpus) == (Decimal(expected) if expected else None)


CAPS: dict[str, tuple[Any, ...]] = {
    "without a cap any price is allowed": (None, "99", True),
    "without a cap also an unknown one": (None, None, True),
    "a price equal to the cap is allowed": ("0.35", "0.35", True),
    "a price just above the cap is not": ("0.35", "0.35001", False),
    "an unknown price is above any cap": ("0.35", None, False),
}


@pytest.mark.parametrize(("cap", "price", "allowed"), CAPS.values(), ids=CAPS)
def test_the_cap_is_for_the_whole_machine(cap: str | None, price: str | None, *, allowed: bool) -> None:
    """A refusal names both amounts and the field, and that nothing was bought."""
    wanted = spec(gpu_count=2, billing={"max_hourly_price": cap})
    answer = refuse_price(wanted, order(gpu_count=2, hourly_price=Decimal(price) if price else None))
    assert (answer is None) is allowed
    if answer is not None:
        assert (answer.reason, answer.needs_person) == (Reason.PRICE_ABOVE_LIMIT, True)
        shown = ("2 x RTX 4090", price or "unknown price", "maxHourlyPrice of 0.35 USD", "nothing was bought")
        assert [words for words in shown if words not in answer.message] == []


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0.35000", "0.35 USD"), ("100", "100 USD"), ("0.00001", "0.00001 USD"), (None, "unknown price")],
)
def test_money_is_written_for_people(amount: str | None, text: str) -> None:
    """No padding with zeros, and no exponents."""
    assert money(Decimal(amount) if amount else None) == text
