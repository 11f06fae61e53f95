"""Which product to buy, and whether its price is allowed. Prices are US dollars."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from gpuinstance.api.reasons import Reason
from gpuinstance.api.spec import GPUInstanceSpec
from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.api.words import BillingCycle, BillingMode
from gpuinstance.core.model import MachineState, Order, Product, Region
from gpuinstance.core.snapshot import Refusal, Snapshot

HOURS_PER_MONTH = 730
"""A year's hours by twelve: how a monthly price is compared with an hourly cap."""

HOURS = {
    BillingCycle.HOURLY: 1,
    BillingCycle.MONTHLY: HOURS_PER_MONTH,
    BillingCycle.QUARTERLY: 3 * HOURS_PER_MONTH,
    BillingCycle.SEMIANNUALLY: 6 * HOURS_PER_MONTH,
    BillingCycle.ANNUALLY: 12 * HOURS_PER_MONTH,
    BillingCycle.BIENNIALLY: 24 * HOURS_PER_MONTH,
    BillingCycle.TRIENNIALLY: 36 * HOURS_PER_MONTH,
}
"""How long each cycle is."""


def money(amount: Decimal | None) -> str:
    """Return e.g. `0.35 USD`; `unknown price` for None."""
    return "unknown price" if amount is None else f"{format(amount.normalize(), 'f')} USD"


def hourly_figure(amount: Decimal) -> str:
    """Return an hourly price as statuses keep it, e.g. `0.35`."""
    return format(amount.normalize(), "f")


def hourly_price(product: Product, mode: BillingMode, months: int | None, gpu_count: int) -> Decimal | None:
    """Return the price per hour of a whole machine, or None where the product does not offer the mode."""
    if mode not in product.modes:
        return None
    if mode is BillingMode.SPOT:
        unit = product.spot_price
    elif mode is BillingMode.MONTHLY:
        term = months or 1
        total = next((price for length, price in product.monthly_prices if length == term), None)
        if total is None:
            single = next((price for length, price in product.monthly_prices if length == 1), None)
            total = single * term if single is not None else None
        unit = total / (HOURS_PER_MONTH * term) if total is not None else None
    else:
        unit = product.hourly_price
    return _per_hour(unit * gpu_count) if unit is not None else None


def cycle_price(product: Product, cycle: BillingCycle) -> Decimal | None:
    """Return the price per hour of a machine that is billed by a cycle, or None where the provider names none."""
    total = next((price for length, price in product.cycle_prices if length is cycle), None)
    return _per_hour(total / HOURS[cycle]) if total is not None else None


def price_of(spec: GPUInstanceSpec, product: Product) -> Decimal | None:
    """Return the price per hour of the machine that the spec asks for; None where it is unknown or not offered."""
    if spec.hostwinds is not None:
        return cycle_price(product, spec.hostwinds.billing_cycle)
    return hourly_price(product, spec.billing.mode, spec.billing.months, spec.gpu_count)


def _per_hour(price: Decimal) -> Decimal | None:
    return price.quantize(Decimal("0.00001")) if price > 0 else None


def refuse_price(spec: GPUInstanceSpec, order: Order) -> Refusal | None:
    """Return why the order is too expensive; None if it is not. An unknown price is above any cap."""
    cap = spec.billing.max_hourly_price
    if cap is None or (order.hourly_price is not None and order.hourly_price <= cap):
        return None
    message = (
        f"{order.gpu_count} x {order.product_name} costs {money(order.hourly_price)}/h, above "
        f"spec.billing.maxHourlyPrice of {money(cap)}: nothing was bought; raise the limit or choose another product"
    )
    return Refusal(Reason.PRICE_ABOVE_LIMIT, message, needs_person=True)


def charged_above_limit(snapshot: Snapshot, status: GPUInstanceStatus) -> str | None:
    """Return in words that a machine that runs costs more than the spec allows, by what the status says; else None.

    The cap is asked before each purchase, and the price may rise in between; or somebody has lowered the cap.
    """
    machine, cap, recorded = snapshot.machine, snapshot.spec.billing.max_hourly_price, status.instance
    if machine is None or cap is None or recorded is None or not recorded.hourly_price:
        return None
    price = Decimal(recorded.hourly_price)
    if price <= cap or machine.state is not MachineState.RUNNING or recorded.id != machine.id:
        return None
    return (
        f"machine {machine.id} costs {money(price)}/h, above spec.billing.maxHourlyPrice of {money(cap)}: it is left "
        "running; raise the limit, or set powerState to Stopped, or delete this object"
    )


def choose_product(
    spec: GPUInstanceSpec, products: Sequence[Product], regions: Sequence[Region]
) -> tuple[Product, Region | None] | Refusal:
    """Return the optimal product and its region; None as region leaves the place to the provider.

    Optimal: available, offers the billing mode, in the most preferred region that has any, then
    cheapest; ties go to more memory per GPU, more CPU, the lower id.
    """
    wanted = _matching(spec, products)
    if not wanted:
        what = f"named {spec.product.name!r}" if spec.product.name else f"with id {spec.product.id!r}"
        # The provider lists only what is sold in the wanted way, so "has no such product" would be too much.
        message = f"{spec.provider} offers no product {what} with billing mode {spec.billing.mode}"
        return Refusal(Reason.PRODUCT_NOT_FOUND, message, needs_person=True)
    places: list[Region | None] = [None]
    if spec.regions:
        known = [_find_region(name, regions) for name in spec.regions]
        places = [region for region in known if region is not None]
        if not places:
            names = ", ".join(region.id for region in regions)
            message = f"none of spec.regions is a region of {spec.provider}; it has: {names}"
            return Refusal(Reason.REGION_NOT_FOUND, message, needs_person=True)
    for place in places:
        offers = [p for p in wanted if p.available and _sold_in(p, place) and _is_offered(spec, p)]
        if offers:
            return min(offers, key=lambda p: _rank(spec, p)), place
    return _nothing_on_sale(spec, wanted)


def _is_offered(spec: GPUInstanceSpec, product: Product) -> bool:
    """Without a price a product is not sold in a mode; of a cycle, the price may just not be listed."""
    if spec.hostwinds is not None:
        return spec.billing.mode in product.modes
    return price_of(spec, product) is not None


def _rank(spec: GPUInstanceSpec, product: Product) -> tuple[Decimal, int, int, str]:
    price = price_of(spec, product)
    dearest = Decimal("Infinity")
    return (dearest if price is None else price, -product.memory_per_gpu_gb, -product.cpu_per_gpu, product.id)


def _matching(spec: GPUInstanceSpec, products: Sequence[Product]) -> list[Product]:
    """The provider's search is fuzzy: match exactly here, ignoring only case and outer spaces."""
    if spec.product.id is not None:
        return [p for p in products if p.id == spec.product.id]
    name = (spec.product.name or "").strip().lower()
    return [p for p in products if p.name.strip().lower() == name]


def _nothing_on_sale(spec: GPUInstanceSpec, wanted: Sequence[Product]) -> Refusal:
    mode = spec.billing.mode
    if not any(mode in p.modes for p in wanted):
        modes = ", ".join(sorted({m.value for p in wanted for m in p.modes}))
        message = f"{wanted[0].name} is not sold with billing mode {mode}; it offers: {modes or 'none'}"
        return Refusal(Reason.NO_PRODUCT_AVAILABLE, message, needs_person=True)
    where = f" in {', '.join(spec.regions)}" if spec.regions else ""
    message = f"{wanted[0].name} ({mode}) is not available now{where}: looking again every minute"
    return Refusal(Reason.NO_PRODUCT_AVAILABLE, message, needs_person=False)


def _sold_in(product: Product, place: Region | None) -> bool:
    if place is None or not product.regions:
        return True
    return any(_same_region(text, place) for text in product.regions)


def _find_region(text: str, regions: Sequence[Region]) -> Region | None:
    return next((region for region in regions if _same_region(text, region)), None)


def _same_region(text: str, region: Region) -> bool:
    """True if a person or a product list means this region.

    Accepted: the id (`us-ca-6`), the full name (`US-CA-06 (California)`) and its code (`US-CA-06`):
    the provider's own lists have changed between the last two.
    """
    meant = text.strip().lower()
    return meant == region.id.lower() or _code(meant) == _code(region.name.strip().lower())


def _code(name: str) -> str:
    """Return a region's name without what is added in brackets: `US East` and `US West` stay two places."""
    return name.partition(" (")[0]
