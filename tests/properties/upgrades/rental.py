"""A provider that rents servers and sells upgrades of them: by order, invoice, payment, resize and confirmation.

A model of its own, so that what the operator believes is not proved by its own simulator. It is as nasty as its
`Habits` say: pictures lag, each question by another span; a resize is queued while the server still looks as
before; a paid order may vanish; a repeated call may cost again. Its ledger is the judge's: every accepted call
and every charge. Nothing in it knows the operator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingCycle, BillingMode
from gpuinstance.core.model import Machine, MachineState, Plan, PlanChoice, Sizes, UpgradeOrder
from gpuinstance.providers.base import NotFound, Rejected, WrongState

CATALOGUE = (
    Plan("3", "Small", Sizes(2048, 1, 50), ((BillingCycle.MONTHLY, Decimal(10)),)),
    Plan("5", "Big", Sizes(4096, 2, 100), ((BillingCycle.MONTHLY, Decimal(14)),)),
    Plan("7", "Huge", Sizes(8192, 4, 200), ((BillingCycle.MONTHLY, Decimal(30)),)),
)
HOST = "203.0.113.10"
Shown = TypeVar("Shown")
_RUNNING, _STOPPED = MachineState.RUNNING, MachineState.STOPPED


class Actor(StrEnum):
    """Who did it."""

    API = "api"
    PORTAL = "portal"


@dataclass(frozen=True)
class Habits:
    """How this provider behaves; spans in seconds.

    A lag and a call that takes effect late are together shorter than the operator's settle window, as its
    settings promise.
    """

    listing_lag: float = 0.0
    look_lag: float = 0.0
    order_lag: float = 0.0
    queue: float = 20.0
    """How long a server looks as before after its resize was accepted."""
    work: float = 60.0
    """How long a resize, a confirmation or a revert takes."""
    asks_to_confirm: bool = True
    says_paid: bool = False
    """Whether an order tells that it is paid."""
    forgets_paid: bool = False
    """Whether an order is no longer shown once it is paid."""
    takes_many_orders: bool = False
    """Whether a second order may be placed beside an open one."""
    charges_again: bool = False
    """Whether a second apply is accepted, and costs a second time."""


@dataclass(slots=True)
class Order:
    """An upgrade that somebody has ordered."""

    number: int
    machine_id: str
    actor: Actor
    plan: Plan
    before: Plan
    total: Decimal
    made_at: float
    paid: bool = False
    applied: bool = False
    open: bool = True
    charges: int = 0
    """How often money was taken for it."""

    @property
    def id(self) -> str:
        """The order's id."""
        return f"o-{self.number}"

    @property
    def invoice_id(self) -> str:
        """Its invoice."""
        return f"i-{self.number}"


@dataclass(slots=True)
class Server:
    """A rented server, as it truly is."""

    id: str
    name: str
    plan: Plan
    state: MachineState
    trouble: str = ""
    locked: bool = False
    deleted: bool = False
    job: int = 0
    """Grows with each job, so that what was under way before is forgotten."""
    up_since: float | None = None
    pictures: list[tuple[float, Machine | None]] = field(default_factory=list)
    """What was shown since when; None: unknown."""


class Rental:
    """The provider."""

    def __init__(
        self, now: Callable[[], float], later: Callable[[float, Callable[[], None]], object], habits: Habits
    ) -> None:
        """`later` lets something happen after so many seconds."""
        self.now = now
        self._later = later
        self.habits = habits
        self.servers: dict[str, Server] = {}
        self.orders: list[Order] = []
        self._shown_orders: list[tuple[float, UpgradeOrder | None]] = [(0.0, None)]
        self.ledger: list[tuple[str, Actor, str]] = []
        """(what, who, which order or server), of each accepted call and each charge."""

    # What anybody may do ------------------------------------------------------------------------------------

    def create(self, name: str, plan_id: str) -> None:
        """Rent a server; it is found by its name."""
        server = Server(f"s-{len(self.servers) + 1}", name, _plan(plan_id), MachineState.CREATING)
        self.servers[server.id] = server
        self._note("create", Actor.API, server.id)
        self._show(server)
        self._move(server, (5.0, _RUNNING))

    def stop(self, machine_id: str, actor: Actor) -> None:
        """Shut a running server down."""
        self._switch(machine_id, actor, "stop", _RUNNING, MachineState.STOPPING, _STOPPED)

    def start(self, machine_id: str, actor: Actor) -> None:
        """Boot a server that is down."""
        self._switch(machine_id, actor, "start", _STOPPED, MachineState.STARTING, _RUNNING)

    def restart(self, machine_id: str, actor: Actor) -> None:
        """Reboot a running server."""
        self._switch(machine_id, actor, "restart", _RUNNING, MachineState.STARTING, _RUNNING)

    def delete(self, machine_id: str, actor: Actor) -> None:
        """Terminate a server; its orders go with it."""
        server = self._free(machine_id, actor)
        self._note("delete", actor, machine_id)
        for order in self.orders:
            order.open = order.open and order.machine_id != machine_id
        self._enter(server, MachineState.REMOVING)
        self._begin(server, (10.0, lambda: self._remove(server)))

    def order(self, machine_id: str, choice: PlanChoice, actor: Actor) -> Order:
        """Order another plan: an order and an invoice are written, the server stays as it is."""
        server = self._free(machine_id, actor)
        if self.open_order(machine_id) is not None and not self.habits.takes_many_orders:
            raise Rejected("an upgrade order is open", reason=Reason.REQUEST_REJECTED)
        plan = _plan(choice.plan_id)
        step = dict(plan.cycle_prices)[BillingCycle.MONTHLY] - dict(server.plan.cycle_prices)[BillingCycle.MONTHLY]
        order = Order(len(self.orders) + 1, machine_id, actor, plan, server.plan, max(step, Decimal(0)), self.now())
        self.orders.append(order)
        self._note("order", actor, order.id)
        self._show_order(machine_id)
        return order

    def apply(self, machine_id: str, actor: Actor) -> None:
        """Carry out what was ordered and paid."""
        server, order = self._free(machine_id, actor), self.open_order(machine_id)
        last = next((it for it in reversed(self.orders) if it.machine_id == machine_id), None)
        if last is not None and last.applied and self.habits.charges_again:
            self._note("apply", actor, last.id)
            self._charge(last)
            return
        if order is None or order.applied or not order.paid:
            raise Rejected("nothing is paid that could be applied", reason=Reason.REQUEST_REJECTED)
        if server.state not in (_RUNNING, _STOPPED):
            raise WrongState(f"the server is {server.state}")
        order.applied = True
        self._note("apply", actor, order.id)
        self._begin(server, (self.habits.queue, lambda: self._resize(server, order)))

    def confirm(self, machine_id: str, actor: Actor) -> None:
        """Keep the new sizes of a resized server."""
        server, order = self._resized(machine_id, actor)
        self._note("confirm", actor, order.id)
        self._move(server, (self.habits.work / 4, _RUNNING), then=lambda: self._fulfil(order))

    def revert(self, machine_id: str, actor: Actor) -> None:
        """Give a resized server its old sizes back; nothing is paid back."""
        server, order = self._resized(machine_id, actor)
        self._note("revert", actor, order.id)

        def back() -> None:
            server.plan = order.before
            self._fulfil(order)

        def begin() -> None:
            self._enter(server, MachineState.RESIZING)
            self._move(server, (self.habits.work, _RUNNING), then=back)

        self._begin(server, (self.habits.queue / 4, begin))

    # What is done in the portal only ------------------------------------------------------------------------

    def pay(self, invoice_id: str) -> bool:
        """Somebody pays an invoice; False if it is not open."""
        order = next((it for it in self.orders if it.invoice_id == invoice_id), None)
        if order is None or order.paid or not order.open:
            return False
        order.paid = True
        self._charge(order)
        self._show_order(order.machine_id)
        return True

    def cancel_order(self, order: Order) -> None:
        """Somebody takes an order back that is not applied."""
        if not order.applied:
            self.close_order(order)

    def close_order(self, order: Order) -> None:
        """The provider's support sorts an order out."""
        order.open = False
        self._show_order(order.machine_id)

    def set_locked(self, machine_id: str, *, locked: bool) -> None:
        """The provider, or the owner, freezes a server, or frees it."""
        server = self.servers[machine_id]
        server.locked = locked
        self._show(server)

    def fail(self, machine_id: str) -> None:
        """A server breaks."""
        server = self.servers[machine_id]
        server.trouble = "No valid host was found"
        self._begin(server)
        self._enter(server, _STOPPED)

    # What is seen -------------------------------------------------------------------------------------------

    def listing(self) -> tuple[Machine, ...]:
        """Return all servers as they were a while ago."""
        seen = (self._past(server.pictures, self.habits.listing_lag) for server in self.servers.values())
        return tuple(machine for machine in seen if machine is not None)

    def look(self, machine_id: str) -> Machine:
        """Return one server as it was a while ago; raises NotFound."""
        server = self.servers.get(machine_id)
        machine = self._past(server.pictures, self.habits.look_lag) if server is not None else None
        if machine is None:
            raise NotFound(f"no server {machine_id}")
        return machine

    def shown_order(self, machine_id: str) -> UpgradeOrder | None:
        """Return the open order as it was a while ago."""
        del machine_id  # one server at a time has orders in this world
        return self._past(self._shown_orders, self.habits.order_lag)

    def plans(self, machine_id: str) -> tuple[Plan, ...]:
        """Return what a server may be moved to."""
        current = self.servers[machine_id].plan.id
        return tuple(replace(plan, is_current=plan.id == current) for plan in CATALOGUE)

    def open_order(self, machine_id: str) -> Order | None:
        """Return the latest order that is neither fulfilled nor cancelled, as it truly is."""
        return next((it for it in reversed(self.orders) if it.machine_id == machine_id and it.open), None)

    def living(self) -> list[Server]:
        """Return the servers that truly exist."""
        return [it for it in self.servers.values() if not it.deleted and it.state is not MachineState.REMOVING]

    # The works ----------------------------------------------------------------------------------------------

    def _free(self, machine_id: str, actor: Actor) -> Server:
        server = self.servers.get(machine_id)
        if server is None or server.deleted:
            raise NotFound(f"no server {machine_id}")
        if server.locked and actor is Actor.API:
            raise Rejected(f"server {machine_id} is locked", reason=Reason.INSTANCE_SUSPENDED)
        if server.state is MachineState.REMOVING:
            raise WrongState("it is being removed")
        return server

    def _switch(
        self,
        machine_id: str,
        actor: Actor,
        what: str,
        at: MachineState,
        on_the_way: MachineState,
        to: MachineState,
    ) -> None:
        server = self._free(machine_id, actor)
        if server.state is not at:
            raise WrongState(f"the server is {server.state}")
        self._note(what, actor, machine_id)
        server.trouble = ""
        self._enter(server, on_the_way)
        self._move(server, (8.0, to))

    def _resized(self, machine_id: str, actor: Actor) -> tuple[Server, Order]:
        server, order = self._free(machine_id, actor), self.open_order(machine_id)
        if server.state is not MachineState.RESIZED or order is None:
            raise WrongState(f"the server is {server.state}")
        return server, order

    def _resize(self, server: Server, order: Order) -> None:
        def arrive() -> None:
            server.plan = order.plan
            if not self.habits.asks_to_confirm:
                self._fulfil(order)

        end = MachineState.RESIZED if self.habits.asks_to_confirm else _RUNNING
        self._enter(server, MachineState.RESIZING)
        self._move(server, (self.habits.work, end), then=arrive)

    def _fulfil(self, order: Order) -> None:
        order.open = False
        self._show_order(order.machine_id)

    def _remove(self, server: Server) -> None:
        server.deleted = True
        server.pictures.append((self.now(), None))
        self._show_order(server.id)

    def _move(
        self, server: Server, step: tuple[float, MachineState], *, then: Callable[[], None] = lambda: None
    ) -> None:
        seconds, state = step

        def arrive() -> None:
            then()
            self._enter(server, state)

        self._begin(server, (seconds, arrive))

    def _begin(self, server: Server, step: tuple[float, Callable[[], None]] | None = None) -> None:
        """Begin a job; the one before it is forgotten."""
        server.job += 1
        job = server.job
        if step is None:
            return
        seconds, arrive = step

        def work() -> None:
            if server.job == job:
                arrive()

        self._later(seconds, work)

    def _enter(self, server: Server, state: MachineState) -> None:
        server.up_since = self.now() if state in (_RUNNING, MachineState.RESIZED) else None
        server.state = state
        server.trouble = "" if state is _RUNNING else server.trouble
        self._show(server)

    def _charge(self, order: Order) -> None:
        order.charges += 1
        self._note("charge", Actor.PORTAL, order.id)

    def _note(self, what: str, actor: Actor, which: str) -> None:
        self.ledger.append((what, actor, which))

    def _show(self, server: Server) -> None:
        state = MachineState.SUSPENDED if server.locked else server.state
        picture = Machine(
            id=server.id,
            name=server.name,
            state=state,
            word=f"{server.state.lower()}{', locked' if server.locked else ''}",
            product_id=server.plan.id,
            product_name=server.plan.name,
            billing_mode=BillingMode.ON_DEMAND,
            trouble=server.trouble,
            host=HOST,
            sizes=server.plan.sizes,
        )
        server.pictures.append((self.now(), picture))

    def _show_order(self, machine_id: str) -> None:
        order, shown = self.open_order(machine_id), None
        if order is not None and not (order.paid and self.habits.forgets_paid):
            paid = order.paid and self.habits.says_paid
            shown = UpgradeOrder(order.id, f"n-{order.number}", order.invoice_id, order.total, "2027-03-01", paid=paid)
        self._shown_orders.append((self.now(), shown))

    def _past(self, pictures: list[tuple[float, Shown]], lag: float) -> Shown | None:
        at = self.now() - lag
        return next((shown for since, shown in reversed(pictures) if since <= at), None)


def _plan(plan_id: str) -> Plan:
    plan = next((it for it in CATALOGUE if it.id == plan_id), None)
    if plan is None:
        raise Rejected(f"unknown plan {plan_id}", reason=Reason.PRODUCT_NOT_FOUND)
    return plan
