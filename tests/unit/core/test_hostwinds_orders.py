"""A server of Hostwinds: what is ordered, what it costs for an hour, and what the spec may change later."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.spec import GPUInstanceSpec
from gpuinstance.api.words import BillingCycle, BillingMode, Phase
from gpuinstance.core.desired import applied_by_purchase, hardware_fingerprint, terms_fingerprint
from gpuinstance.core.model import Machine, MachineState, Order, Product, Software, Template
from gpuinstance.core.plan import make_order
from gpuinstance.core.pricing import choose_product, cycle_price, refuse_price
from gpuinstance.core.rules.change import apply_change, demand_recreate
from gpuinstance.core.snapshot import Refusal, Snapshot
from tests.builders import HOST, OF_HOSTWINDS, InstanceBuilder, instance, machine, ports, product, snapshot
from tests.unit.core.table import SILENT, Answer, is_stuck, judge, rows, waits

UBUNTU = Template("ubuntu", "ubuntu", image="", installed_by_provider=True)
PRICES = (
    (BillingCycle.MONTHLY, Decimal("7.30")),
    (BillingCycle.ANNUALLY, Decimal("43.80")),
    (BillingCycle.TRIENNIALLY, Decimal(0)),
)
SERVER = instance().of_hostwinds()


def spec(**fields: Any) -> GPUInstanceSpec:
    return SERVER.with_spec(**fields).build().spec


def block(**fields: Any) -> dict[str, Any]:
    return {"hostwinds": {"location_id": 1} | fields}


def plan(plan_id: str = "3", name: str = "VPS 1", **fields: Any) -> Product:
    settings: dict[str, Any] = {"hourly_price": None, "cycle_prices": PRICES, "min_rootfs_gb": 25, "max_rootfs_gb": 25}
    return product(plan_id, name, **settings | fields)


def ordered(*offers: Product, **fields: Any) -> Order | Refusal:
    return make_order(spec(**fields), env=(), template=UBUNTU, products=offers or (plan(),), regions=())


def test_the_order_names_template_place_cycle_and_keys() -> None:
    """Everything that the provider asks for, and nothing of what it cannot do."""
    order = ordered(**block(location_id=7, billing_cycle="Annually", ssh_keys=["ops", "ci"]), ports=[{"port": 80}])
    assert isinstance(order, Order)
    assert order.software == Software("", template_id="ubuntu")
    assert (order.product_id, order.region_id, order.region_name) == ("3", "7", "7")
    assert (order.billing_mode, order.billing_cycle) == (BillingMode.ON_DEMAND, BillingCycle.ANNUALLY)
    assert order.ssh_keys == ("ops", "ci")
    assert order.ports == ports("80/http")
    assert order.rootfs_gb == 25, "the disk is the plan's"
    assert order.hourly_price == Decimal("0.005")


def test_without_more_it_is_monthly_and_without_keys() -> None:
    """The defaults of the schema."""
    order = ordered()
    assert isinstance(order, Order)
    assert (order.billing_cycle, order.ssh_keys, order.hourly_price) == (BillingCycle.MONTHLY, (), Decimal("0.01"))


def test_an_order_elsewhere_has_none_of_it() -> None:
    """A template that the operator expands still has to name an image."""
    elsewhere = instance().build().spec
    found = make_order(elsewhere, env=(), template=None, products=[product()], regions=())
    assert isinstance(found, Order)
    assert (found.billing_cycle, found.ssh_keys, found.software.template_id) == (None, (), None)
    expanded = instance().with_spec(image=None, template_id="t-1").build().spec
    empty = make_order(expanded, env=(), template=Template("t-1", "t", image=""), products=[product()], regions=())
    assert isinstance(empty, Refusal)


CYCLES = {
    "a month has 730 hours": (BillingCycle.MONTHLY, "0.01"),
    "a year has twelve of them": (BillingCycle.ANNUALLY, "0.005"),
    "a cycle that the list lacks has an unknown price": (BillingCycle.HOURLY, None),
    "nothing costs nothing": (BillingCycle.TRIENNIALLY, None),
}


@pytest.mark.parametrize(("cycle", "price"), CYCLES.values(), ids=CYCLES)
def test_the_price_of_an_hour_is_a_share_of_the_cycles(cycle: BillingCycle, price: str | None) -> None:
    """So that `maxHourlyPrice` means the same everywhere."""
    assert cycle_price(plan(), cycle) == (Decimal(price) if price else None)


CAPS = {
    "below the cap": ("0.01", "Monthly", True),
    "above it": ("0.0099", "Monthly", False),
    "another cycle is cheaper": ("0.0099", "Annually", True),
    "an unknown price is above any cap": ("99", "Hourly", False),
    "without a cap it is paid": (None, "Hourly", True),
}


@pytest.mark.parametrize(("cap", "cycle", "allowed"), CAPS.values(), ids=CAPS)
def test_the_cap_holds_for_the_chosen_cycle(cap: str | None, cycle: str, *, allowed: bool) -> None:
    """Asked with the provider's current price, before anything is bought."""
    fields = {"billing": {"max_hourly_price": cap}} | block(billing_cycle=cycle)
    order = ordered(**fields)
    assert isinstance(order, Order)
    refusal = refuse_price(spec(**fields), order)
    assert (refusal is None) is allowed
    if refusal is not None:
        assert refusal.reason is Reason.PRICE_ABOVE_LIMIT


def test_of_several_plans_the_cheapest_in_the_cycle_is_taken() -> None:
    """One whose price is unknown comes last, and one that is not on sale not at all."""
    cheap = plan("4", cycle_prices=((BillingCycle.MONTHLY, Decimal(5)), (BillingCycle.ANNUALLY, Decimal(99))))
    hidden, gone = (
        plan("1", cycle_prices=()),
        plan("2", cycle_prices=((BillingCycle.MONTHLY, Decimal(1)),), available=False),
    )
    wanted = {"product": {"name": "vps 1"}}

    def choice(*offers: Product, cycle: str = "Monthly") -> str:
        found = choose_product(spec(**wanted, **block(billing_cycle=cycle)), offers, ())
        assert not isinstance(found, Refusal)
        assert found[1] is None
        return found[0].id

    assert choice(hidden, gone, plan(), cheap) == "4"
    assert choice(hidden, gone, plan(), cheap, cycle="Annually") == "3"
    assert choice(hidden) == "1"


# --------------------------------------------------------------------------------------------------- fingerprints


def test_place_and_cycle_are_bought() -> None:
    """A change of them is another machine; keys count when one is bought, and never later."""
    before = hardware_fingerprint(spec())
    assert hardware_fingerprint(spec(**block(location_id=2))) != before
    assert hardware_fingerprint(spec(**block(billing_cycle="Annually"))) != before
    assert hardware_fingerprint(spec(**block(ssh_keys=["ops"]))) == before
    assert terms_fingerprint(spec(product={"id": "4"})) == terms_fingerprint(spec())
    assert terms_fingerprint(spec(**block(location_id=2))) != terms_fingerprint(spec())


def test_fingerprints_of_other_providers_are_what_they_were() -> None:
    """A status that was written by an earlier version still says what it said."""
    monthly = instance().with_spec(billing={"mode": "Monthly", "months": 3}).build().spec
    assert hardware_fingerprint(monthly) == "eba86c66e5ff"
    assert terms_fingerprint(monthly) is None
    assert applied_by_purchase(monthly, ports="", rootfs_gb=60).terms is None


# ------------------------------------------------------------------------------------------------ later changes

READY = SERVER.serving_at(HOST, 80)
UP = machine(exposes=(), host=HOST, product_id="3", product_name="VPS 1")
BIGGER = machine(exposes=(), host=HOST, product_id="4", product_name="VPS 2")


def given(of: InstanceBuilder, *machines: Machine) -> Snapshot:
    return snapshot(of, *machines, limits=OF_HOSTWINDS)


def follows(it: Any) -> bool:
    return bool(it.applied.hardware == hardware_fingerprint(spec(product={"id": "4"}, ports=[{"port": 80}])))


@rows(
    ("nothing was changed", given(READY, UP), SILENT),
    ("nor by an upgrade of which the spec says nothing", given(READY, BIGGER), SILENT),
    (
        "another plan is ordered and paid",
        given(READY.edited(product={"id": "4"}), UP),
        is_stuck(Reason.UPGRADE_REQUIRED, phase=Phase.RUNNING),
    ),
    (
        "also while it is down",
        given(READY.edited(product={"id": "4"}), machine(state=MachineState.STOPPED, product_id="3")),
        is_stuck(Reason.UPGRADE_REQUIRED, phase=Phase.STOPPED),
    ),
    (
        "it has been upgraded: the spec says what is",
        given(READY.edited(product={"id": "4"}), BIGGER),
        waits(Reason.APPLYING_CHANGE, status=follows),
    ),
    ("the same by name", given(READY.edited(product={"name": "vps 2"}), BIGGER), waits(Reason.APPLYING_CHANGE)),
    (
        "as an upgrade has recorded it, however the provider shows it",
        given(
            READY.edited(product={"id": "4"}).with_status(instance={"id": "m-1", "name": "x", "product_id": "4"}), UP
        ),
        waits(Reason.APPLYING_CHANGE, status=follows),
    ),
    (
        "another place",
        given(READY.edited(**block(location_id=2)), UP),
        is_stuck(Reason.UNSUPPORTED_BY_PROVIDER),
    ),
    (
        "another cycle, and another plan",
        given(READY.edited(product={"id": "4"}, **block(billing_cycle="Annually")), BIGGER),
        is_stuck(Reason.UNSUPPORTED_BY_PROVIDER),
    ),
    ("another key counts with the next machine", given(READY.edited(**block(ssh_keys=["ops"])), UP), SILENT),
)
def test_demand_recreate(given: Snapshot, answer: Answer | None) -> None:
    """What was bought stays; the words say which way there is to change it, if any."""
    judge(demand_recreate, given, answer)


@rows(
    ("nothing was changed", given(READY, UP), SILENT),
    (
        "another template needs a word about the disk",
        given(READY.edited(template_id="debian"), UP),
        is_stuck(Reason.REINSTALL_REQUIRED, phase=Phase.RUNNING),
    ),
)
def test_apply_change(given: Snapshot, answer: Answer | None) -> None:
    """No edit of the spec alone loses a disk."""
    judge(apply_change, given, answer)


def test_the_words_name_the_way() -> None:
    """Each of the three says what to do."""
    told = {
        "InstanceUpgrade": demand_recreate(given(READY.edited(product={"id": "4"}), UP)),
        "delete this object": demand_recreate(given(READY.edited(**block(location_id=2)), UP)),
        "spec.actions.reinstall": apply_change(given(READY.edited(template_id="debian"), UP)),
    }
    for words, decision in told.items():
        assert decision is not None
        stalled = decision.status.condition("Stalled")
        assert stalled is not None
        assert words in stalled.message
        assert "revert" in stalled.message
