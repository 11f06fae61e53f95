"""The world of one life: a cluster, a provider, an operator that may die at any call, and time that jumps.

`live` lives one scenario through one trouble and returns what is left for the judge. Nothing is random.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.api.words import DeletionPolicy
from gpuinstance.kube import Body
from gpuinstance_simulator.apps import Apps
from gpuinstance_simulator.console import ConsoleAction, act
from gpuinstance_simulator.effects import Answer
from gpuinstance_simulator.faults import Fault
from gpuinstance_simulator.hostwinds import upgrades
from gpuinstance_simulator.hostwinds.cloud import HostwindsCloud
from gpuinstance_simulator.lifecycle import Actor, Operation
from gpuinstance_simulator.machine import Machine, Order
from gpuinstance_simulator.simulation import Simulation
from tests.faults.fate import Fate
from tests.faults.judge import End
from tests.faults.scenarios import Scenario
from tests.faults.steps import (
    FOUND,
    INSTANCE,
    UPGRADE,
    Apply,
    Await,
    Delete,
    Edit,
    Find,
    Forget,
    Gone,
    Pay,
    Reclaim,
    Step,
    Upgrade,
)
from tests.faults.troubles import Meanwhile
from tests.faults.virtual import provider
from tests.faults.virtual.api_server import ApiServer
from tests.faults.virtual.process import OperatorProcess
from tests.faults.virtual.wire import Road, handlers_of
from tests.properties.world.virtual_time import VirtualTimeLoop

_QUIET = 11 * 60.0
"""Seconds without news that are rest: longer than the slowest retry."""
_LONGEST = 24 * 3600.0
_REST = 4 * 60.0
"""Seconds of rest in which writes are counted."""
_ON_THE_WAY = 0.5
"""Seconds for which an answer, and what was sent before it came, are on their way."""
_BLIND_CALLS = 12
"""Of four looks, with their repetitions."""
_STRANGER = "somebody-elses-trainer"


class World:
    """Everything that one life needs."""

    def __init__(self, scenario: Scenario, fate: Fate, loop: VirtualTimeLoop) -> None:
        self._scenario = scenario
        self._fate = fate
        self._loop = loop
        self._skew = timedelta()
        """How far the operator's clock is from the world's."""
        self._cloud, self._face = provider.open_provider(scenario.provider, loop)
        apps = Apps(self._cloud)
        doors = self._face.doors(self._cloud, apps, "127.0.0.1")
        self._simulation = Simulation(self._cloud, apps, doors, self._face.switches, base_url="http://apps.test")
        self._handlers = handlers_of(self._face, self._simulation)
        self._server = ApiServer(fate, lambda: self._now().strftime("%Y-%m-%dT%H:%M:%SZ"))
        self._server.watch = self._changed
        self._fate.die = self._die
        self._news_at = 0.0
        self._prefix = f"gpui-default-{INSTANCE}-"
        """What the names of the instance's machines begin with."""
        self._adoption: dict[str, Any] = {}
        self._complaints: list[str] = []
        self._lost = 0
        self._deaths = 0
        self._births: list[float] = []
        self._immortal: set[asyncio.Task[Any]] = set()
        self._process: OperatorProcess | None = None
        order = Order(name=_STRANGER, product_id=next(iter(self._cloud.catalogue.products)))
        self._cloud.create(order, actor=Actor.CONSOLE)

    # The story --------------------------------------------------------------------------------------------

    async def live(self) -> End:
        """Live the scenario; trouble comes in its last part."""
        story = asyncio.current_task()
        assert story is not None
        self._immortal.add(story)
        await self._birth()
        for step in self._scenario.before:
            await self._take(step)
        await self._come_to_rest()
        self._fate.armed = True
        for step in self._scenario.steps:
            await self._take(step)
        self._fate.close_book()
        await self._come_to_rest()
        self._fate.armed = False
        end = await self._end()
        await self._simulation.doors.close()
        return end

    async def _take(self, step: Step) -> None:
        server = self._server
        match step:
            case Apply():
                spec = {name: value for name, value in self._scenario.spec.items() if value is not None}
                server.create(KIND, INSTANCE, spec | self._adoption)
            case Find():
                machine_id = provider.buy_by_hand(self._cloud, FOUND)
                self._adoption, self._prefix = {"adopt": {"instanceID": machine_id}}, FOUND
                await self._until(lambda: self._cloud.machine(machine_id).word == self._cloud.engine.lifecycle.up)
            case Reclaim():
                [mine] = self._machines_of_mine()
                act(self._cloud, mine.id, ConsoleAction(action="reclaim", notice=0))
            case Edit(spec):
                server.edit(KIND, INSTANCE, spec)
            case Delete():
                server.delete(KIND, INSTANCE)
            case Upgrade(spec):
                server.create(UPGRADE_KIND, UPGRADE, {"instanceRef": {"name": INSTANCE}, **spec})
            case Pay():
                self._pay()
            case Forget(blind):
                await self._forget(blind=blind)
            case Await() | Gone():
                await self._until(lambda: step.holds(self._body_of(step)) or self._is_over())

    async def _forget(self, *, blind: bool) -> None:
        if blind:
            self._simulation.faults.add(Fault(operation=Operation.LIST, effect=Answer(status=500), count=_BLIND_CALLS))
        self._die()
        instance = self._server.find(KIND, INSTANCE)
        assert instance is not None
        self._server.wipe_status(instance)
        await self._until(lambda: instance["status"]["observedGeneration"] > 0)

    async def _until(self, condition: Callable[[], bool]) -> None:
        deadline = self._loop.time() + _LONGEST
        while not condition() and self._loop.time() < deadline and not self._is_quiet():  # noqa: ASYNC110 - looking is free
            await asyncio.sleep(1)

    def _is_over(self) -> bool:
        """Whether the upgrade has ended otherwise than awaited, so that waiting is in vain."""
        upgrade = self._server.find(UPGRADE_KIND, UPGRADE)
        return upgrade is not None and "completedAt" in upgrade["status"]

    def _body_of(self, step: Await | Gone) -> Body | None:
        if isinstance(step, Await) and step.of_upgrade:
            return self._server.find(UPGRADE_KIND, UPGRADE)
        return self._server.find(KIND, INSTANCE)

    def _pay(self) -> None:
        upgrade = self._server.find(UPGRADE_KIND, UPGRADE)
        invoice = ((upgrade or {}).get("status") or {}).get("order", {}).get("invoiceID")
        if upgrade is None or invoice is None or "completedAt" in upgrade["status"]:
            return
        assert isinstance(self._cloud, HostwindsCloud)
        upgrades.pay(self._cloud, int(invoice))
        self._server.edit(UPGRADE_KIND, UPGRADE, {"payment": {"confirmedInvoiceID": invoice}})

    async def _come_to_rest(self) -> None:
        deadline = self._loop.time() + _LONGEST
        while not self._is_quiet():
            await asyncio.sleep(30)
            if self._loop.time() > deadline:
                self._complaints.append("the operator never comes to rest")
                return

    def _is_quiet(self) -> bool:
        entries = len(self._cloud.ledger)
        if entries != self._entries:
            self._entries, self._news_at = entries, self._loop.time()
        return self._loop.time() - self._news_at > _QUIET and not self._is_trouble_left()

    def _is_trouble_left(self) -> bool:
        """Whether a fault that has begun to strike is not over, and somebody is there whom it can strike."""
        if self._server.find(KIND, INSTANCE) is None:
            return False
        planted = self._simulation.faults.planted()
        return any(it.fault.count is not None and it.hits < it.fault.count for it in planted)

    _entries = 0

    async def _end(self) -> End:
        # A clock that has gone back makes what is under way take that much longer.
        await asyncio.sleep(max(0.0, -self._skew.total_seconds()))
        writes, changes = self._server.writes, self._changes()
        calls = self._simulation.calls.counts.total()
        await asyncio.sleep(_REST)
        calls = self._simulation.calls.counts.total() - calls
        if calls > 4 * _REST / 60:
            self._complaints.append(f"I8: {calls} calls to the provider in {_REST / 60:.0f} minutes of rest")
        self._complaints += provider.impatience(self._simulation, self._births)
        last = self._scenario.end
        return End(
            ledger=[entry.as_json() for entry in self._cloud.ledger],
            machines=[{"name": it.name, "state": it.word} for it in self._cloud.truth() if it.removal is None],
            prefix=self._prefix,
            instance=self._server.find(KIND, INSTANCE),
            upgrade=self._server.find(UPGRADE_KIND, UPGRADE),
            writes_at_rest=self._server.writes - writes,
            changes_at_rest=self._changes() - changes,
            complaints=tuple(self._complaints + self._server.complaints),
            lost=self._lost,
            came_true=last.holds(self._body_of(last)),
        )

    def _changes(self) -> int:
        return len(self._cloud.ledger.select(actor=Actor.API))

    # Births and deaths --------------------------------------------------------------------------------------

    async def _birth(self) -> None:
        life = self._deaths
        self._births.append(self._cloud.clock.now())
        is_dead = lambda: self._deaths > life  # noqa: E731 - it is asked in three places, and belongs to this life
        self._server.dead = is_dead
        road = Road(
            self._simulation,
            self._handlers,
            self._fate,
            dead=is_dead,
            spawn=self._spawn,
            meanwhile=self._meanwhile,
        )
        self._process = OperatorProcess(
            self._server,
            road,
            lambda url: provider.is_serving(self._simulation, url),
            self._operators_now,
            self._complaints.append,
        )
        await self._process.start()

    def _die(self) -> None:
        """The process is dead from this moment on; its tasks are cleared away, and another one is born."""
        self._deaths += 1
        self._process = None
        self._news_at = self._loop.time()
        _ = self._spawn(self._succeed())

    async def _succeed(self) -> None:
        mourners = {*self._immortal, asyncio.current_task()}
        corpses = [task for task in asyncio.all_tasks() if task not in mourners]
        for task in corpses:
            task.cancel()
        await asyncio.gather(*corpses, return_exceptions=True)
        await asyncio.sleep(2.0)
        await self._birth()

    def _spawn(self, work: Awaitable[Any]) -> asyncio.Task[Any]:
        """Start what does not die with the operator."""
        task = asyncio.ensure_future(work)
        self._immortal.add(task)
        task.add_done_callback(self._immortal.discard)
        return task

    # What happens in it ---------------------------------------------------------------------------------------

    def _changed(self, body: Body, is_gone: bool) -> None:
        self._news_at = self._loop.time()
        if is_gone and body["kind"] == KIND:
            self._lost += self._left_by(body)
        lag = self._server.watch_lag
        if lag != float("inf"):
            self._loop.call_later(lag, self._show, body, is_gone)

    def _show(self, body: Body, is_gone: bool) -> None:
        if self._process is not None:
            self._process.show(body, is_gone=is_gone)

    def _left_by(self, body: Body) -> int:
        """How many machines are there that should not be when this object's finalizer goes."""
        policy = body["spec"].get("deletionPolicy", DeletionPolicy.DELETE)
        if policy == DeletionPolicy.ORPHAN:
            return 0
        ours = self._machines_of_mine()
        down = self._cloud.engine.lifecycle.down
        return sum(policy == DeletionPolicy.DELETE or it.word != down for it in ours)

    def _machines_of_mine(self) -> list[Machine]:
        """The machines of the instance that exist and are not on their way out."""
        return [it for it in self._cloud.truth() if it.name.startswith(self._prefix) and it.removal is None]

    def _meanwhile(self, what: Meanwhile, body: bytes) -> None:
        match what.what:
            case "clock forward":
                self._skew += timedelta(hours=1)
            case "clock backward":
                self._skew -= timedelta(hours=1)
            case "twin bought":
                self._buy_twin()
            case "secret away":
                self._server.secrets.clear()

    def _buy_twin(self) -> None:
        instance = self._server.find(KIND, INSTANCE)
        assert instance is not None
        recorded = GPUInstanceStatus.model_validate(instance["status"]).instance
        assert recorded is not None
        provider.buy_twin(self._cloud, str(recorded.name), str(recorded.product_id))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._cloud.clock.now(), UTC)

    def _operators_now(self) -> datetime:
        return self._now() + self._skew


def live(scenario: Scenario, fate: Fate) -> End:
    """Live one life in virtual time, and return what is left of it."""
    loop = VirtualTimeLoop()
    try:
        return loop.run_until_complete(World(scenario, fate, loop).live())
    finally:
        loop.abandon()
        loop.close()
