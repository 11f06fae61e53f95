"""Paid changes of a server: order, invoice, payment, then upgrade, then confirm or revert.

Functions over `HostwindsCloud`, called by the face for API clients and by the portal for people. A refused step
raises CloudError, has changed nothing and is not in the ledger.

In the ledger an upgrade is `order`, `pay`, `apply`, `confirm` or `revert`, each with the number of the invoice.
Each `pay` is money: more than one for one `order`, or an `apply` before it, is what a client must never cause.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gpuinstance_simulator.catalogue import Mode
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.hostwinds.cloud import HostwindsCloud
from gpuinstance_simulator.hostwinds.lifecycle import ACTIVE
from gpuinstance_simulator.hostwinds.orders import Invoice, UpgradeOrder, prorated
from gpuinstance_simulator.hostwinds.shop import Plan, Sizes
from gpuinstance_simulator.lifecycle import Actor, Operation
from gpuinstance_simulator.machine import Machine

_AS_LISTED = Sizes()


def plan_of(cloud: HostwindsCloud, rid: str, sizes: Sizes = _AS_LISTED) -> Plan:
    """The plan that a call means, a custom one made to measure. Raises CloudError if it is not on sale."""
    found = cloud.catalogue.products.get(rid)
    if not isinstance(found, Plan) or not found.available:
        raise CloudError(Refusal.NO_SUCH_PRODUCT, f"unknown plan {rid}")
    if found.unit_prices is None:
        return found
    try:
        return found.made_to_measure(sizes)
    except ValueError as error:
        raise CloudError(Refusal.BAD_REQUEST, str(error)) from error


def plan_now(machine: Machine) -> Plan:
    """The plan that a server has."""
    if not isinstance(machine.product, Plan):
        raise TypeError("not a server of Hostwinds")
    return machine.product


def order(cloud: HostwindsCloud, machine_id: str, target: Plan, *, actor: Actor = Actor.API) -> UpgradeOrder:
    """Order a change of plan: an order and an invoice are written, the server stays as it is."""
    machine = cloud.machine(machine_id)
    cloud.check_free(machine, actor)
    _check_cycle(cloud, machine)
    now, months = cloud.engine.now(), machine.order.months
    before = plan_now(machine)
    prices = (before.term_price(months), target.term_price(months)) if months else (before.price, before.price)
    total = prorated(*prices, months=months, since=machine.created_at, now=now)
    placed = cloud.books.place(machine.id, before, target, total, now)
    _record(cloud, Operation.ORDER, actor, machine, placed, {"rid": target.id, "total": f"{total:.2f}"})
    if not total:
        _receive(cloud, placed.invoice, Actor.PROVIDER)
    return placed


def pay(cloud: HostwindsCloud, invoice_id: int) -> Invoice:
    """Somebody pays an invoice in the portal."""
    cloud.engine.now()
    invoice = cloud.books.invoices.get(invoice_id)
    if invoice is None:
        raise CloudError(Refusal.NO_SUCH_INVOICE, f"unknown invoice {invoice_id}")
    return _receive(cloud, invoice, Actor.CONSOLE)


def cancel(cloud: HostwindsCloud, machine_id: str) -> UpgradeOrder:
    """Take an order back that has not been applied. No call does this: it is done in the portal."""
    machine, placed = _with_order(cloud, machine_id)
    if placed.is_applied:
        raise CloudError(Refusal.ALREADY_APPLIED, "the upgrade is applied")
    cloud.books.cancel(placed)
    _record(cloud, Operation.CANCEL_ORDER, Actor.CONSOLE, machine, placed)
    return placed


def apply(cloud: HostwindsCloud, machine_id: str, *, actor: Actor = Actor.API) -> Machine:
    """Carry out the upgrade that was paid for."""
    machine = cloud.machine(machine_id)
    cloud.check_free(machine, actor)
    last = cloud.books.last_order(machine.id)
    if last is not None and last.is_applied and cloud.quirks.repeated_upgrade == "charged":
        return _apply_again(cloud, machine, last, actor)
    machine, placed = _with_order(cloud, machine_id)
    if placed.is_applied:
        raise CloudError(Refusal.ALREADY_APPLIED, "the upgrade is applied")
    if not placed.invoice.is_paid:
        raise CloudError(Refusal.UNPAID, f"invoice {placed.invoice.id} is not paid")
    detail: dict[str, object] = {"order": placed.id, "invoice": placed.invoice.id}
    cloud.transit(Operation.APPLY, machine_id, actor=actor, detail=detail)
    placed.is_applied = True
    if machine.path[-1] == ACTIVE:
        cloud.server(machine).coming = _fulfilment(machine, placed)
    return machine


def confirm(cloud: HostwindsCloud, machine_id: str, *, actor: Actor = Actor.API) -> Machine:
    """Keep the new sizes of a resized server."""
    machine, placed = _resized(cloud, machine_id, Operation.CONFIRM, actor)
    cloud.server(machine).coming = _fulfilment(machine, placed)
    return machine


def revert(cloud: HostwindsCloud, machine_id: str, *, actor: Actor = Actor.API) -> Machine:
    """Go back to the old sizes of a resized server. The order is closed, and nothing is paid back."""
    machine, placed = _resized(cloud, machine_id, Operation.REVERT, actor)

    def arrive(_: float) -> None:
        placed.is_open = False

    cloud.server(machine).coming = arrive
    return machine


def change_cycle(cloud: HostwindsCloud, machine_id: str, months: int) -> Machine:
    """Pay the server in another rhythm: the first term at once, each time this is called."""
    machine = cloud.machine(machine_id)
    cloud.check_free(machine, Actor.API)
    if not months:
        _check_hourly(cloud)
    now = cloud.engine.now()
    mode = Mode.MONTHLY if months else Mode.ON_DEMAND
    machine.order = replace(machine.order, mode=mode, months=months)
    machine.meter.reprice(now, machine.product.hourly_price(mode))
    charge = machine.product.term_price(months) if months else machine.product.price * 0
    machine.meter.pay(charge)
    detail: dict[str, object] = {"months": months, "amount": f"{charge:.2f}"}
    cloud.engine.record(Operation.CHANGE_CYCLE, Actor.API, machine, now, detail)
    return machine


def _resized(
    cloud: HostwindsCloud, machine_id: str, operation: Operation, actor: Actor
) -> tuple[Machine, UpgradeOrder]:
    cloud.check_free(cloud.machine(machine_id), actor)
    machine, placed = _with_order(cloud, machine_id, Refusal.NOT_RESIZED)
    try:
        cloud.transit(operation, machine_id, actor=actor, detail={"order": placed.id, "invoice": placed.invoice.id})
    except CloudError as error:
        if error.reason is Refusal.WRONG_STATE:
            raise CloudError(Refusal.NOT_RESIZED, error.message) from error
        raise
    return machine, placed


def _fulfilment(machine: Machine, placed: UpgradeOrder) -> Callable[[float], None]:
    def arrive(at: float) -> None:
        placed.is_open = False
        machine.product = placed.target
        machine.order = replace(machine.order, product_id=placed.target.id)
        machine.meter.reprice(at, placed.target.hourly_price(machine.order.mode))

    return arrive


def _apply_again(cloud: HostwindsCloud, machine: Machine, placed: UpgradeOrder, actor: Actor) -> Machine:
    """The trap: nothing moves that is not moving already, but the money goes once more."""
    _record(cloud, Operation.APPLY, actor, machine, placed, {"repeated": True})
    invoice = cloud.books.bill(machine.id, placed.invoice.total, cloud.engine.now())
    _receive(cloud, invoice, Actor.PROVIDER)
    return machine


def _receive(cloud: HostwindsCloud, invoice: Invoice, actor: Actor) -> Invoice:
    now = cloud.engine.now()
    cloud.books.pay(invoice.id, now)
    machine = cloud.engine.machines[invoice.machine_id]
    machine.meter.pay(invoice.total)
    detail: dict[str, object] = {"invoice": invoice.id, "amount": f"{invoice.total:.2f}"}
    cloud.engine.record(Operation.PAY, actor, machine, now, detail)
    return invoice


def _with_order(
    cloud: HostwindsCloud, machine_id: str, refusal: Refusal = Refusal.NO_ORDER
) -> tuple[Machine, UpgradeOrder]:
    machine = cloud.machine(machine_id)
    placed = cloud.books.open_order(machine.id)
    if placed is None:
        raise CloudError(refusal, "no upgrade order is open")
    return machine, placed


def _check_cycle(cloud: HostwindsCloud, machine: Machine) -> None:
    if not machine.order.months:
        _check_hourly(cloud)


def _check_hourly(cloud: HostwindsCloud) -> None:
    if not cloud.quirks.hourly_enabled:
        raise CloudError(Refusal.MODE_NOT_OFFERED, "hourly products are disabled")


def _record(
    cloud: HostwindsCloud,
    operation: Operation,
    actor: Actor,
    machine: Machine,
    placed: UpgradeOrder,
    detail: dict[str, object] | None = None,
) -> None:
    """An entry of the ledger that names order and invoice."""
    known: dict[str, object] = {"order": placed.id, "invoice": placed.invoice.id}
    cloud.engine.record(operation, actor, machine, cloud.engine.now(), known | (detail or {}))
