"""Hostwinds' answers about what is for sale: the price list, and an upgrade that was ordered.

Called by `adapter` only; as lenient as `wire`. A plan is bought by its `rid`; an entry without
one cannot be bought and is left out. Prices are USD for one cycle of the whole plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated

from pydantic import Field, ValidationError

from gpuinstance.api.words import BillingCycle, BillingMode
from gpuinstance.core.model import Plan, Product, Sizes, UpgradeOrder
from gpuinstance.core.pricing import HOURS
from gpuinstance.providers.answers import excerpt
from gpuinstance.providers.hostwinds.units import AsText, Count, Gigabytes, Megabytes
from gpuinstance.providers.lenient import Flag, Number, Text, Wire


class PriceAnswer(Wire):
    """One plan of `get_price_list`."""

    rid: Text = ""
    name: Text = ""
    ram: Megabytes = 0
    cpu: Count = 0
    disk: Gigabytes = 0
    current: Flag = False
    hourly: Number = None
    monthly: Number = None
    quarterly: Number = None
    semiannually: Number = None
    annually: Number = None
    biennially: Number = None
    triennially: Number = None

    @property
    def cycle_prices(self) -> tuple[tuple[BillingCycle, Decimal], ...]:
        """The cycles in which the plan is offered, shortest first; a price of zero is no offer."""
        prices = ((cycle, getattr(self, cycle.value.lower())) for cycle in BillingCycle)
        return tuple((cycle, price) for cycle, price in prices if price)

    @property
    def hourly_price(self) -> Decimal | None:
        """USD per hour: as the provider says, or else the shortest cycle's share of an hour."""
        return next((price / HOURS[cycle] for cycle, price in self.cycle_prices), None)

    def to_product(self) -> Product:
        """Return the plan as something to buy a machine from."""
        return Product(
            id=self.rid,
            name=excerpt(self.name) or self.rid,
            available=True,  # the list says nothing about stock
            regions=(),
            modes=frozenset({BillingMode.ON_DEMAND}),
            hourly_price=self.hourly_price,
            cpu_per_gpu=self.cpu,
            memory_per_gpu_gb=self.ram // 1024,
            min_rootfs_gb=self.disk,
            max_rootfs_gb=self.disk,
            cycle_prices=self.cycle_prices,
        )

    def to_plan(self) -> Plan:
        """Return the plan as something to move a machine to."""
        sizes = Sizes(self.ram, self.cpu, self.disk)
        return Plan(self.rid, excerpt(self.name) or self.rid, sizes, self.cycle_prices, is_current=self.current)


def prices(content: object) -> list[PriceAnswer] | None:
    """Return the plans of a price list, None if it is none.

    The list is documented as an object of objects without names: a list and a map by id are both read.
    """
    if isinstance(content, dict):
        content = [content] if "rid" in content else list(content.values())
    if not isinstance(content, list):
        return None
    found = (_price(entry) for entry in _flat(content))
    by_id = {price.rid: price for price in found if price.rid not in {"", "0"}}
    return list(by_id.values())


def _flat(entries: list[object]) -> Iterator[object]:
    """Yield what is in a list, and in the lists of a list that is grouped."""
    for entry in entries:
        yield from entry if isinstance(entry, list) else (entry,)


def _price(entry: object) -> PriceAnswer:
    try:
        return PriceAnswer.model_validate(entry)
    except ValidationError:
        return PriceAnswer()


class OrderAnswer(Wire):
    """The content of `check_upgrade_order`. Any of the last three may say that it is paid; none is documented."""

    id: Text = ""
    orderid: Text = ""
    invoiceid: Text = ""
    duedate: Text = ""
    total: Number = None
    status: Text = ""
    invoice_status: Text = Field("", alias="invoicestatus")
    paid: Annotated[Text, AsText] = ""

    @property
    def exists(self) -> bool:
        """True if it names an order or an invoice."""
        return any(number.strip("0 ") for number in (self.id, self.orderid, self.invoiceid))

    @property
    def is_paid(self) -> bool:
        """True only where a field says so in as many words and no other contradicts."""
        mark, statuses = self.paid.strip().lower(), self._statuses
        return ("paid" in statuses or mark in _YES) and not (statuses & (_UNPAID | _VOID) or mark in _NO)

    @property
    def _statuses(self) -> frozenset[str]:
        return frozenset({self.status.strip().lower(), self.invoice_status.strip().lower()})

    def to_order(self) -> UpgradeOrder:
        """Return the order in the operator's words."""
        return UpgradeOrder(
            id=self.id or self.orderid,
            order_id=self.orderid,
            invoice_id=self.invoiceid,
            total=self.total,
            due_date=excerpt(self.duedate),
            paid=self.is_paid,
            is_void=bool(self._statuses & _VOID),
        )


_YES = frozenset({"1", "true", "yes", "paid"})
_NO = frozenset({"0", "false", "no", "unpaid"})
_UNPAID = frozenset({"unpaid", "not paid", "overdue"})
_VOID = frozenset({"cancelled", "canceled", "refunded", "draft"})
"""An invoice of these is none that is to be paid as it stands, so that its total says nothing."""
