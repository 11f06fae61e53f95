"""Several processes in one virtual time, each with an event loop of its own: so one of them can really stand still.

A frozen process runs nothing, and its clock goes on. Its requests that are under way arrive all the same, and their
answers are there when it thaws, together with all the timers that are overdue. The API server is `Cluster`.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import selectors
from collections.abc import Callable, Mapping
from typing import Any, cast

from gpuinstance.core.division import Division
from gpuinstance.kube import Body, KubeError
from gpuinstance.leading.election import Election, Times
from gpuinstance.leading.lease import LeaseStore
from gpuinstance.leading.rivals import Rivals
from gpuinstance.leading.shard import Shard
from tests.unit.leading.cluster import NAME, TIMES, Cluster

_TICK = 1e-6
"""No moment lasts for ever: a pause that is too short for a float would not end in it."""
_ROUNDS = 100


class World:
    """The time, the API server, and what is on its way."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.cluster = Cluster(lambda: self.now)
        self.processes: list[Process] = []
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something after so many seconds, whoever stands still."""
        heapq.heappush(self._due, (self.now + seconds, next(self._order), do))

    def start(self, name: str, division: Division, times: Times = TIMES) -> Process:
        """Start a process."""
        process = Process(self, name, division, times)
        self.processes.append(process)
        return process

    def run(self, seconds: float, check: Callable[[], None] = lambda: None) -> None:
        """Let so much time pass; `check` is called whenever anything has happened."""
        end = self.now + seconds
        while True:
            for process in self.processes:
                process.step()
            check()
            moments = [process.next_timer() for process in self.processes] + [it[0] for it in self._due[:1]]
            moment = min((it for it in moments if it is not None), default=math.inf)
            if moment > end:
                self.now = end
                return
            self.now = max(self.now + _TICK, moment)
            while self._due and self._due[0][0] <= self.now:
                heapq.heappop(self._due)[2]()

    def close(self) -> None:
        """Kill everybody."""
        for process in self.processes:
            process.kill()


class Process:
    """One replica of one shard, from its start to its end."""

    def __init__(self, world: World, name: str, division: Division, times: Times) -> None:
        self.name = name
        self.division = division
        self.frozen = False
        self.alive = True
        self.ended: str | None = None
        self.lasting = 0.01
        """Seconds that a request takes to the server, and the answer back."""
        self.error: Exception | None = None
        """What every request ends with."""
        self.list_error: Exception | None = None
        self.loses_answers = False
        self._world = world
        self._loop = _Loop(lambda: world.now)
        self._leaving = asyncio.Event()
        self._lease = division.lease_name(NAME)
        store = cast(LeaseStore, self)
        election = Election(store, name, times, clock=lambda: world.now)
        rivals = Rivals(NAME, division, lease=times.lease, gap=times.gap)
        self.shard = Shard(election, store, rivals, division, times, clock=lambda: world.now)
        self._life = self._loop.create_task(self._live())

    def __str__(self) -> str:
        return f"here/{self._lease}"

    def acts_on(self, name: str) -> bool:
        """Whether it would act on this object now."""
        return self.alive and self.shard.holds_now() and self.shard.owns("default", name)

    def kill(self) -> None:
        """End it as SIGKILL does: nothing of it goes on, and nothing is given back."""
        if self.alive:
            self.alive = False
            self._loop.abandon()

    def leave(self) -> None:
        """End it as SIGTERM does."""
        if self.alive:
            self._loop.call_soon(self._leaving.set)

    def step(self) -> None:
        """Do all that can be done at this moment."""
        if self.alive and not self.frozen:
            self._loop.exhaust()
            if self._life.done():
                self._life.result()
                self.kill()

    def next_timer(self) -> float | None:
        """Return when there is something to do again, if it does not stand still."""
        return self._loop.next_timer() if self.alive and not self.frozen else None

    async def _live(self) -> None:
        electing = asyncio.ensure_future(self.shard.acquire())
        leaving = asyncio.ensure_future(self._leaving.wait())
        holding = None
        await asyncio.wait({electing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if electing.done():
            holding = asyncio.ensure_future(self.shard.hold())
            await asyncio.wait({holding, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if holding.done():  # the real one ends on the spot, without a release
                self.ended = holding.result()
                return
        for task in (electing, holding):
            if task is not None:
                task.cancel()
        await self.shard.release()
        self.ended = "left"

    # What LeaseStore does.

    async def _ask(self, what: Callable[[], Any]) -> Any:
        answer: asyncio.Future[Any] = self._loop.create_future()
        loses = self.loses_answers

        def deliver(result: Any, error: Exception | None) -> None:
            if not self.alive or answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)

        def arrive() -> None:
            result, error = None, None
            try:
                result = what()
            except KubeError as raised:
                error = raised
            if loses:
                error = KubeError("API server cannot be reached: ServerDisconnectedError")
            self._world.later(self.lasting, lambda: deliver(result, error))

        if self.error is not None:
            raise self.error
        self._world.later(self.lasting, arrive)
        return await answer

    async def read(self) -> Body | None:
        """See LeaseStore."""
        return cast("Body | None", await self._ask(lambda: self._world.cluster.read(self._lease)))

    async def read_all(self) -> list[Body]:
        """See LeaseStore."""
        if self.list_error is not None:
            raise self.list_error
        return cast("list[Body]", await self._ask(self._world.cluster.read_all))

    async def create(self, spec: Body, notes: Mapping[str, str]) -> Body:
        """See LeaseStore."""
        write = self._world.cluster.write
        return cast("Body", await self._ask(lambda: write(spec, None, self.name, self._lease, notes)))

    async def replace(self, lease: Body, spec: Body, notes: Mapping[str, str]) -> Body:
        """See LeaseStore."""
        version, write = lease["metadata"]["resourceVersion"], self._world.cluster.write
        return cast("Body", await self._ask(lambda: write(spec, version, self.name, self._lease, notes)))

    async def aclose(self) -> None:
        """See LeaseStore."""


class _NeverWaiting(selectors.SelectSelector):
    """Says at once that nothing has come."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    """A loop that runs when it is told to, in a time that others make."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(_NeverWaiting())
        self._tell_time = clock

    def time(self) -> float:
        """Return the time of the world."""
        return self._tell_time()

    def exhaust(self) -> None:
        """Run until there is nothing left to do at this moment, or what there is goes round in circles in it."""
        for _ in range(_ROUNDS):
            timer = self.next_timer()
            if not self._ready and (timer is None or timer > self.time()):  # type: ignore[attr-defined]
                return
            self.call_soon(self.stop)
            self.run_forever()

    def next_timer(self) -> float | None:
        """Return when the next timer is due."""
        scheduled = [it.when() for it in self._scheduled if not it.cancelled()]  # type: ignore[attr-defined]
        return min(scheduled, default=None)

    def abandon(self) -> None:
        """End without another step of what runs in it."""
        for task in asyncio.all_tasks(self):
            task.cancel()
        self.exhaust()
        self.close()
