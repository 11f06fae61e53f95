"""The world of one object: time passes in it, users and providers meddle with it, and a judge watches.

A story (a test) acts through the verbs here and finally calls `come_to_rest` and `judge`. The operator
dies and is born again inside `pass_time`, wherever fate says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.api.words import DeletionPolicy
from gpuinstance.core.naming import Identity
from gpuinstance.kube import Key
from gpuinstance.providers.novita import CAPABILITIES
from gpuinstance_simulator import machine as simulated
from gpuinstance_simulator.clock import TEST_EPOCH, VirtualClock
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.console import ConsoleAction, act
from gpuinstance_simulator.errors import CloudError
from gpuinstance_simulator.lifecycle import Actor
from gpuinstance_simulator.novita.lifecycle import LIFECYCLE
from gpuinstance_simulator.novita.shop import catalogue
from gpuinstance_simulator.settings import Settings as Habits
from tests.properties.world.api_server import ApiServer
from tests.properties.world.fate import Crash, Fate
from tests.properties.world.modelled_provider import IN_PLACE, ModelledProvider, address
from tests.properties.world.operator import SETTINGS, OperatorProcess
from tests.properties.world.virtual_time import VirtualTimeLoop

KEY = Key("default", "trainer", "943a2f83-0c5e-4d6a-9b7e-1f2a3b4c5d6e")
SPEC: dict[str, Any] = {
    "provider": "novita",
    "product": {"name": "RTX 3090 24GB"},
    "image": "docker.io/library/nginx:1.27",
    "ports": [{"port": 80, "protocol": "http"}],
    "powerState": "Running",
    # Few checks at rest: rest is long in these stories, and each pass of it costs a millisecond.
    "healthCheck": {"intervalSeconds": 600},
}
IN_PLACE_SPEC = {**SPEC, "image": None, "templateID": "ubuntu"}
"""The same, of a template that the provider installs."""
FOREIGN = "somebody-elses-trainer"
_QUIET = timedelta(minutes=12)
"""No news for this long is rest: longer than the slowest retry."""
_QUIET_AFTER_AN_ORDER = timedelta(minutes=35)
"""Longer also than the time that a purchase has that was accepted, and whose machine is not listed."""
_LONGEST = timedelta(hours=12)


@dataclass(frozen=True)
class Lags:
    """How far the provider's answers are behind, in seconds.

    Together with a call that is given up and takes effect late, shorter than the operator's settle
    window, as its settings promise.
    """

    listing: float = 0.0
    deletion: float = 0.0
    lookups: bool = False
    watch: float = 0.05
    """From a change of the object to the operator seeing it."""


class World:
    """One object, one cloud account, one operator that may die at any boundary."""

    def __init__(self, lags: Lags | None = None, *, in_place: bool = False) -> None:
        """`in_place`: a cloud that sells nameless machines and makes them anew where they stand."""
        self._lags = lags or Lags()
        self._capabilities = IN_PLACE if in_place else CAPABILITIES
        self._loop = VirtualTimeLoop()
        self.fate = Fate()
        clock = VirtualClock(start=TEST_EPOCH, speed=1.0, source=self._loop.time)
        habits = Habits(
            listing_lag=self._lags.listing, deletion_lag=self._lags.deletion, lookups_lag=self._lags.lookups
        )
        self.cloud = Cloud(clock, LIFECYCLE, catalogue(), settings=habits)
        self.server = ApiServer(self.fate, lambda: self.now().strftime("%Y-%m-%dT%H:%M:%SZ"), self._object_changed)
        self._due = 0.0
        self._seen_at: float | None = None
        self._last_news = 0.0
        self.deaths = 0
        self.is_sick = False
        """True while the application in the machine does not answer, however long it has been up."""
        self.complaints: list[str] = []
        """What the judge has seen so far."""
        self.server.create(KEY, {name: it for name, it in (IN_PLACE_SPEC if in_place else SPEC).items() if it})
        self._identity = Identity.of(self.server.instance().metadata, mark=SETTINGS.mark)
        self._foreigner = self.cloud.create(
            simulated.Order(name=FOREIGN, product_id="3090.16c92g"), actor=Actor.CONSOLE
        )
        self._operator = self._birth()

    # What happens to the world -------------------------------------------------------------------------

    def pass_time(self, span: timedelta) -> None:
        """Let the operator work for so long."""
        until = self._loop.time() + span.total_seconds()
        while (due := self._next_due()) <= until:
            self._loop.pass_time(max(0.0, due - self._loop.time()))
            self._step()
        self._loop.pass_time(max(0.0, until - self._loop.time()))

    def meddle(self, verb: ConsoleAction) -> bool:
        """Somebody acts on our newest machine in the provider's console; False where that is impossible."""
        machines = self.machines()
        self._last_news = self._loop.time()
        try:
            if machines:
                act(self.cloud, machines[-1].id, verb)
        except CloudError:
            return False
        return bool(machines)

    def infect(self, *, is_sick: bool) -> None:
        """The application stops answering, or answers again."""
        self.is_sick = is_sick
        self._last_news = self._loop.time()

    def kill(self) -> None:
        """The operator's process dies between two passes."""
        self._die()

    def come_to_rest(self, *, relent: bool = True) -> None:
        """Let the operator work until nothing changes for a while; by default nothing goes wrong any more."""
        if relent:
            self.fate.relent()
        start = self._loop.time()
        while self._loop.time() - self._last_news < self._quiet().total_seconds():
            self.pass_time(timedelta(minutes=1))
            if self._loop.time() - start > _LONGEST.total_seconds():
                self.complaints.append("the operator never comes to rest")
                return

    def _quiet(self) -> timedelta:
        waits = self.server.body is not None and self.status.instance is not None and self.status.instance.id is None
        return _QUIET_AFTER_AN_ORDER if waits else _QUIET

    def close(self) -> None:
        """End everything."""
        self._loop.abandon()
        self._loop.close()

    # What can be seen ------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The wall clock of this world."""
        return datetime.fromtimestamp(self.cloud.clock.now(), UTC)

    @property
    def status(self) -> GPUInstanceStatus:
        """What the operator has written."""
        return self.server.instance().status

    @property
    def stem(self) -> str:
        """What the names of all our machines begin with."""
        return self._identity.name(0).removesuffix("-0")

    def machines(self) -> list[simulated.Machine]:
        """Our machines that truly exist and were not deleted, oldest first."""
        return [it for it in self.cloud.truth() if self._is_ours(it) and it.removal is None]

    def changes(self) -> list[str]:
        """What the provider accepted from the operator, in order: `create`, `stop`, …"""
        return [entry.operation.value for entry in self.cloud.ledger.select(actor=Actor.API)]

    def judge_rest(self) -> None:
        """At rest nothing is written to Kubernetes and nothing is changed at the provider."""
        writes, changes = self.server.status_writes, len(self.changes())
        self.pass_time(timedelta(minutes=30))
        if self.server.status_writes != writes:
            self.complaints.append(f"{self.server.status_writes - writes} status writes at rest")
        if len(self.changes()) != changes:
            self.complaints.append(f"changes at rest: {self.changes()[changes:]}")

    def _is_ours(self, machine: simulated.Machine) -> bool:
        """Whether a machine was bought for our object, and is not shown as removed."""
        return machine is not self._foreigner and machine.word != "removed"

    # The works ---------------------------------------------------------------------------------------------

    def _birth(self) -> OperatorProcess:
        provider = ModelledProvider(self.cloud, self.fate, self._judge_purchase, self._capabilities)
        self._seen_at = self._due = self._loop.time() + self._lags.watch
        return OperatorProcess(self.server, provider, self._is_serving, self.now, self._loop.time)

    def _die(self) -> None:
        self.deaths += 1
        self._last_news = self._loop.time()
        self._loop.abandon()
        self._loop.pass_time(2.0)
        self._operator = self._birth()

    def _object_changed(self) -> None:
        self._last_news = self._loop.time()
        if self._seen_at is None:
            self._seen_at = self._loop.time() + self._lags.watch

    def _next_due(self) -> float:
        return self._due if self._seen_at is None else min(self._due, self._seen_at)

    def _step(self) -> None:
        if self._seen_at is not None and self._seen_at <= self._loop.time():
            self._seen_at = None
            self._operator.see(KEY)
        if self.server.body is None:
            self._due = self._loop.time() + SETTINGS.poll_seconds
            return
        before = len(self.cloud.ledger)
        try:
            again = self._loop.run_until_complete(self._operator.look(KEY))
            self._due = self._loop.time() + min(again or SETTINGS.poll, SETTINGS.poll).total_seconds()
            if self.server.is_deleting and self._operator.may_release(KEY):
                self._release()
        except Crash:
            self._die()
        if len(self.cloud.ledger) != before:
            self._last_news = self._loop.time()

    def _release(self) -> None:
        policy = self.server.instance().spec.deletion_policy
        self.server.let_go()
        self._last_news = self._loop.time()
        self._judge_release(policy)
        self._operator.see(KEY)

    def _is_serving(self, url: str) -> bool:
        now = self.cloud.clock.now()
        return not self.is_sick and any(
            it.up_since is not None
            and it.up_since + self.cloud.settings.warm_up <= now
            and url == address(it, port.number)
            for it in self.machines()
            for port in it.order.ports
        )

    # The judge ------------------------------------------------------------------------------------------------

    def _judge_purchase(self, bought: simulated.Machine) -> None:
        others = [it for it in self.cloud.truth() if self._is_ours(it) and it is not bought]
        if others:
            seen = ", ".join(f"{it.name} ({it.word})" for it in others)
            self.complaints.append(f"bought {bought.name} at {self.now():%H:%M:%S} while there was {seen}")
        if self._identity.attempt_of(bought.name) is None:
            self.complaints.append(f"{bought.name} is not a name of ours")

    def _judge_release(self, policy: DeletionPolicy) -> None:
        kept = {DeletionPolicy.DELETE: (), DeletionPolicy.STOP: ("exited",)}.get(policy)
        there = (
            self.machines() if policy is DeletionPolicy.STOP else [it for it in self.cloud.truth() if self._is_ours(it)]
        )
        left = [] if kept is None else [it for it in there if it.word not in kept]
        if left:
            self.complaints.append(f"released at {self.now():%H:%M:%S} with {[it.word for it in left]} left behind")
