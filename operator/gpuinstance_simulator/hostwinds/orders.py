"""Upgrade orders and their invoices: a pure model of what Hostwinds writes down about money.

An order changes nothing but the books; its invoice is paid outside the API; only then the upgrade may be
applied. A server has at most one open order. `HostwindsCloud` calls this and keeps the ledger.

A total is prorated by days: the difference between the two prices for the billing cycle, times the share of the
cycle's days (30 a month) that had not been used up when the order was placed, rounded to cents. A change to
something cheaper costs nothing and is paid at once; nothing is given back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.hostwinds.shop import Plan

DAY = 86_400
_DAYS_PER_MONTH = 30
_DAYS_TO_PAY = 7
_CENT = Decimal("0.01")
# Three series of numbers that begin far apart, so that taking one for another is noticed.
_FIRST_ID, _FIRST_ORDER, _FIRST_INVOICE = 98, 550, 416


@dataclass(slots=True)
class Invoice:
    """A demand for money."""

    id: int
    machine_id: str
    total: Decimal
    """USD."""
    due: date
    paid_at: float | None = None
    is_cancelled: bool = False

    @property
    def is_paid(self) -> bool:
        """Whether the money has come."""
        return self.paid_at is not None

    def as_json(self) -> dict[str, object]:
        """For the admin API."""
        status = "cancelled" if self.is_cancelled else "paid" if self.is_paid else "unpaid"
        return {
            "id": self.id,
            "machine_id": self.machine_id,
            "total": f"{self.total:.2f}",
            "due": self.due.isoformat(),
            "status": status,
            "paid_at": self.paid_at,
        }


@dataclass(slots=True)
class UpgradeOrder:
    """A change from one plan to another."""

    id: int
    order_id: int
    machine_id: str
    before: Plan
    target: Plan
    invoice: Invoice
    is_applied: bool = False
    """Whether upgrade_server was accepted for it."""
    is_open: bool = True
    """Until it is fulfilled, reverted or cancelled."""

    @property
    def changes_only_the_disk(self) -> bool:
        """Whether neither memory nor processors change."""
        return (self.before.memory_gb, self.before.cpu) == (self.target.memory_gb, self.target.cpu)


@dataclass(slots=True)
class Books:
    """All orders and invoices of an account."""

    orders: list[UpgradeOrder] = field(default_factory=list)
    invoices: dict[int, Invoice] = field(default_factory=dict)

    def place(self, machine_id: str, before: Plan, target: Plan, total: Decimal, now: float) -> UpgradeOrder:
        """Write an order and its invoice. Raises CloudError ORDER_OPEN if the server has one."""
        if self.open_order(machine_id) is not None:
            raise CloudError(Refusal.ORDER_OPEN, "an upgrade order is open")
        number, invoice = len(self.orders), self.bill(machine_id, total, now)
        order = UpgradeOrder(_FIRST_ID + number, _FIRST_ORDER + number, machine_id, before, target, invoice)
        self.orders.append(order)
        return order

    def bill(self, machine_id: str, total: Decimal, now: float) -> Invoice:
        """Write an invoice."""
        due = datetime.fromtimestamp(now, UTC).date() + timedelta(days=_DAYS_TO_PAY)
        invoice = Invoice(_FIRST_INVOICE + len(self.invoices), machine_id, total, due)
        self.invoices[invoice.id] = invoice
        return invoice

    def open_order(self, machine_id: str) -> UpgradeOrder | None:
        """The server's order that is neither fulfilled nor cancelled."""
        order = self.last_order(machine_id)
        return order if order is not None and order.is_open else None

    def last_order(self, machine_id: str) -> UpgradeOrder | None:
        """The server's latest order."""
        return next((it for it in reversed(self.orders) if it.machine_id == machine_id), None)

    def pay(self, invoice_id: int, now: float) -> Invoice:
        """The money has come. Raises CloudError for an unknown, cancelled or paid invoice."""
        invoice = self.invoices.get(invoice_id)
        if invoice is None:
            raise CloudError(Refusal.NO_SUCH_INVOICE, f"unknown invoice {invoice_id}")
        if invoice.is_paid or invoice.is_cancelled:
            raise CloudError(Refusal.INVOICE_CLOSED, "the invoice is paid or cancelled")
        invoice.paid_at = now
        return invoice

    def cancel(self, order: UpgradeOrder) -> None:
        """Take an order back; money that was paid for it stays paid."""
        order.is_open = False
        order.invoice.is_cancelled = not order.invoice.is_paid


def prorated(before: Decimal, after: Decimal, *, months: int, since: float, now: float) -> Decimal:
    """What a change of plans costs in the middle of a cycle that began at `since`; USD, never negative."""
    days = max(1, months * _DAYS_PER_MONTH)
    used = int((now - since) // DAY) % days
    total = (after - before) * (days - used) / days
    return max(Decimal(0), total).quantize(_CENT, ROUND_HALF_UP)
