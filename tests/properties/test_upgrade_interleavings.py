"""Upgrades and everything that may happen to them, interleaved: paid once, applied once, and ended.

Hypothesis writes the stories: upgrades (several at once), payments by word of the provider or of a person or
never, cancelling, deleting, stopping and deleting the instance, meddling in the portal, lost requests, lost
answers, late ones, refusals, conflicts, and deaths of the operator at any boundary. The operator in them is the
real one over a modelled provider; time is virtual.

What must hold is in `upgrades.judge` (at each call and each write) and `upgrades.world` (at the end). A failing
story is printed as a list of calls and replays by itself; `HYPOTHESIS_PROFILE=explore` looks for new ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.api.v1alpha1 import KIND
from tests.properties.upgrades.rental import Actor, Habits, Rental, Server
from tests.properties.upgrades.world import INSTANCE, World
from tests.properties.world.fate import PLANS, Kind, Trouble

LAGS = st.sampled_from([0.0, 0.0, 5.0, 25.0])
HABITS = st.builds(
    Habits,
    listing_lag=LAGS,
    look_lag=LAGS,
    order_lag=LAGS,
    queue=st.sampled_from([0.0, 20.0, 90.0]),
    work=st.sampled_from([4.0, 60.0, 200.0]),
    asks_to_confirm=st.sampled_from([True, True, False]),
    says_paid=st.booleans(),
    forgets_paid=st.booleans(),
    takes_many_orders=st.booleans(),
    charges_again=st.booleans(),
)
SPECS: list[dict[str, Any]] = [
    {},
    {},
    {"confirmation": "Manual"},
    {"onVerifyFailure": "Hold"},
    {"payment": {"timeout": "2h", "maxTotal": 10}},
    {"payment": {"timeout": "1m"}},
    {"ttlAfterFinished": "10m"},
]


def _cancel_orders(rental: Rental, server: Server) -> None:
    for order in [it for it in rental.orders if it.machine_id == server.id]:
        rental.cancel_order(order)


MEDDLING: dict[str, Callable[[Rental, Server], object]] = {
    "stop": lambda rental, server: rental.stop(server.id, Actor.PORTAL),
    "start": lambda rental, server: rental.start(server.id, Actor.PORTAL),
    "restart": lambda rental, server: rental.restart(server.id, Actor.PORTAL),
    "lock": lambda rental, server: rental.set_locked(server.id, locked=True),
    "unlock": lambda rental, server: rental.set_locked(server.id, locked=False),
    "fail": lambda rental, server: rental.fail(server.id),
    "delete": lambda rental, server: rental.delete(server.id, Actor.PORTAL),
    "confirm": lambda rental, server: rental.confirm(server.id, Actor.PORTAL),
    "revert": lambda rental, server: rental.revert(server.id, Actor.PORTAL),
    "cancel order": _cancel_orders,
}
_NAMES = ("first", "second", "third")


class Story(RuleBasedStateMachine):
    """One instance, its upgrades, and everything that may happen."""

    @initialize(habits=HABITS, watch_lag=st.sampled_from([0.05, 1.5, 10.0]))
    def begin(self, habits: Habits, watch_lag: float) -> None:
        """A server has been rented and is Ready, at a provider with these habits."""
        self.world = World(habits, watch_lag=watch_lag)
        self.world.pass_time(150)
        assert self.world.cluster.instance(INSTANCE) is not None
        self.applied = 0

    @precondition(lambda self: self.applied < len(_NAMES))
    @rule(plan_id=st.sampled_from(["5", "7"]), spec=st.sampled_from(SPECS))
    def upgrade(self, plan_id: str, spec: dict[str, Any]) -> None:
        """Somebody applies an upgrade, while others may be under way."""
        self.world.order_upgrade(_NAMES[self.applied], plan_id, **spec)
        self.applied += 1

    @rule(seconds=st.sampled_from([1, 4, 12, 30, 70, 70, 200, 200, 1500]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.world.pass_time(seconds)

    @rule(plan=st.sampled_from(PLANS), after=st.integers(0, 3))
    def trouble(self, plan: tuple[Kind, Trouble], after: int) -> None:
        """One of the next calls of a kind will go wrong."""
        self.world.fate.plan(*plan, after=after)

    @rule(trouble=st.sampled_from([it for kind, it in PLANS if kind is Kind.CHANGE]))
    def trouble_with_the_next_change(self, trouble: Trouble) -> None:
        """The very next change at the provider will go wrong."""
        self.world.fate.plan(Kind.CHANGE, trouble, after=0)

    @rule()
    def kill(self) -> None:
        """The operator's pod is deleted."""
        self.world.kill()

    # Money --------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.applied)
    @rule(also_says_so=st.booleans())
    def pay(self, *, also_says_so: bool) -> None:
        """Somebody pays the invoices that are asked for, and may tell."""
        for upgrade in self.world.cluster.upgrades():
            self.world.pay(upgrade)
            if also_says_so:
                self.world.say_paid(upgrade)

    @precondition(lambda self: self.applied)
    @rule(name=st.sampled_from(_NAMES))
    def name_another_invoice(self, name: str) -> None:
        """Somebody confirms an invoice that is not this upgrade's."""
        if self.is_there(name):
            self.world.edit_upgrade(name, payment={"confirmedInvoiceID": "999"})

    # Taking part --------------------------------------------------------------------------------------------

    @precondition(lambda self: self.applied)
    @rule(name=st.sampled_from(_NAMES), field=st.sampled_from(["cancel", "confirm"]))
    def decide(self, name: str, field: str) -> None:
        """Somebody cancels, or confirms."""
        self.world.edit_upgrade(name, **{field: True})

    @precondition(lambda self: self.applied)
    @rule(name=st.sampled_from(_NAMES))
    def delete_upgrade(self, name: str) -> None:
        """Somebody deletes an upgrade."""
        self.world.delete(UPGRADE_KIND, name)

    @precondition(lambda self: self.applied)
    @rule(name=st.sampled_from(_NAMES))
    def label_upgrade(self, name: str) -> None:
        """Somebody labels an upgrade."""
        if self.is_there(name):
            self.world.cluster.label(UPGRADE_KIND, name)

    @rule(
        spec=st.sampled_from(
            [{"powerState": "Stopped"}, {"powerState": "Running"}, {"suspend": True}, {"suspend": False}]
        )
    )
    def edit_instance(self, spec: dict[str, Any]) -> None:
        """Somebody stops, starts, suspends or resumes the instance."""
        self.world.edit_instance(**spec)

    @rule(token=st.sampled_from(["a", "b"]))
    def restart_instance(self, token: str) -> None:
        """Somebody asks for a restart of the instance."""
        self.world.edit_instance(actions={"restart": token})

    @precondition(lambda self: self.applied)
    @rule(policy=st.sampled_from(["Delete", "Stop", "Orphan"]))
    def delete_instance(self, policy: str) -> None:
        """Somebody deletes the instance."""
        self.world.edit_instance(deletionPolicy=policy)
        self.world.delete(KIND, INSTANCE)

    @rule(is_sick=st.booleans())
    def infect(self, *, is_sick: bool) -> None:
        """The application stops answering, or answers again."""
        self.world.is_sick = is_sick

    # The portal ---------------------------------------------------------------------------------------------

    @rule(how=st.sampled_from(list(MEDDLING)))
    def meddle(self, how: str) -> None:
        """Somebody uses the portal behind the operator's back."""
        self.world.meddle(MEDDLING[how])

    @rule()
    def order_elsewhere(self) -> None:
        """Somebody orders an upgrade in the portal."""
        self.world.order_elsewhere()

    @rule()
    def apply_elsewhere(self) -> None:
        """Somebody pays and applies in the portal whatever is open there."""
        # Where a second apply costs again, two people who apply at the same time pay twice: that is their affair.
        if not self.world.rental.habits.charges_again:
            self.world.meddle(_apply_what_is_open)

    # The judge ----------------------------------------------------------------------------------------------

    @invariant()
    def nothing_to_complain(self) -> None:
        """The judge has seen nothing that must not be."""
        if hasattr(self, "world"):
            assert self.world.complaints == []

    def teardown(self) -> None:
        """The end of every story: trouble ends, somebody does what is asked for, and every upgrade ends."""
        if not hasattr(self, "world"):
            return
        try:
            self.world.come_to_an_end()
            assert self.world.complaints == []
        finally:
            self.world.close()

    def is_there(self, name: str) -> bool:
        """Return whether an upgrade of this name exists."""
        return any(it.metadata.name == name for it in self.world.cluster.upgrades())


def _apply_what_is_open(rental: Rental, server: Server) -> None:
    order = rental.open_order(server.id)
    if order is not None:
        rental.pay(order.invoice_id)
        rental.apply(server.id, Actor.PORTAL)


TestStory = Story.TestCase
TestStory.settings = settings(stateful_step_count=16)
