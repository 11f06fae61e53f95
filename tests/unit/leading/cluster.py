"""A Lease in a cluster that can be slow, away or unjust, and candidates for it, in a time that takes no time."""

from __future__ import annotations

import asyncio
import copy
import functools
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ParamSpec, cast

from gpuinstance.kube import Body, Conflict, KubeError, Vanished
from gpuinstance.leading.election import Election, Times
from gpuinstance.leading.lease import LeaseStore
from tests.properties.world.virtual_time import VirtualTimeLoop

Args = ParamSpec("Args")

TIMES = Times()
"""15, 10 and 2 seconds."""


def in_virtual_time(story: Callable[Args, Coroutine[Any, Any, None]]) -> Callable[Args, None]:
    """Run an asynchronous test in a loop where sleeping lets time pass and takes none."""

    @functools.wraps(story)
    def run(*args: Args.args, **kwargs: Args.kwargs) -> None:
        loop = VirtualTimeLoop()
        try:
            loop.run_until_complete(story(*args, **kwargs))
        finally:
            loop.abandon()
            loop.close()

    return run


def now() -> float:
    return asyncio.get_running_loop().time()


NAME = "lease"


class Cluster:
    """The API server, with Leases by their names; most tests know one of them, or none."""

    def __init__(self, clock: Callable[[], float] = now) -> None:
        self._clock = clock
        self.leases: dict[str, Body] = {}
        self.writes: list[tuple[float, str]] = []
        """When who wrote."""
        self.prefix = ""
        """What versions begin with."""
        self._version = 0

    def set_version(self, version: int) -> None:
        """Go on with this version, as a store that was restored from a backup; all objects get one of that time."""
        self._version = version
        for lease in self.leases.values():
            lease["metadata"]["resourceVersion"] = str(version)

    @property
    def lease(self) -> Body | None:
        """The one Lease."""
        return self.leases.get(NAME)

    @lease.setter
    def lease(self, lease: Body | None) -> None:
        self.leases.pop(NAME, None)
        if lease is not None:
            self.leases[NAME] = lease

    @property
    def record(self) -> Body:
        """The record of the Lease that exists."""
        assert self.lease is not None
        return dict(self.lease["spec"])

    def read(self, name: str = NAME) -> Body | None:
        """Answer a GET."""
        return copy.deepcopy(self.leases.get(name))

    def read_all(self) -> list[Body]:
        """Answer a GET of the list."""
        return copy.deepcopy(list(self.leases.values()))

    def write(
        self, spec: Body, version: str | None, writer: str, name: str = NAME, notes: Mapping[str, str] | None = None
    ) -> Body:
        """Answer a POST (without a version) or a PUT. Raises Conflict, Vanished."""
        before = self.leases.get(name)
        current = None if before is None else before["metadata"]["resourceVersion"]
        if current is None and version is not None:
            raise Vanished("Not Found")
        if version != current:
            raise Conflict("Conflict")
        self._version += 1
        self.writes.append((self._clock(), writer))
        annotations = {} if before is None else before["metadata"]["annotations"]
        metadata = {
            "name": name,
            "resourceVersion": f"{self.prefix}{self._version}",
            "labels": {"a": "b"},
            "annotations": {**annotations, **(notes or {})},
        }
        self.leases[name] = {"metadata": metadata, "spec": dict(spec)}
        return copy.deepcopy(self.leases[name])


class Road:
    """How one candidate reaches the cluster: what LeaseStore does, with trouble on the way."""

    def __init__(self, cluster: Cluster, name: str, lease: str = NAME) -> None:
        self.cluster = cluster
        self.name = name
        self.lease = lease
        self.lasting = 0.01
        """Seconds that a request takes."""
        self.loses_answers = False
        self.way_back = 0.0
        """Seconds that an answer takes beside."""
        self.error: Exception | None = None
        """What every request ends with."""
        self.list_error: Exception | None = None
        """What lists end with."""
        self.requests = 0
        self.closed = False

    def __str__(self) -> str:
        return f"here/{self.lease}"

    async def _travel(self) -> None:
        self.requests += 1
        await asyncio.sleep(self.lasting)
        if self.error is not None:
            raise self.error

    async def read(self) -> Body | None:
        """See LeaseStore."""
        await self._travel()
        return self.cluster.read(self.lease)

    async def read_all(self) -> list[Body]:
        """See LeaseStore."""
        await self._travel()
        if self.list_error is not None:
            raise self.list_error
        found = self.cluster.read_all()
        await asyncio.sleep(self.way_back)
        return found

    async def create(self, spec: Body, notes: Mapping[str, str]) -> Body:
        """See LeaseStore."""
        await self._travel()
        return await self._answer(self.cluster.write(spec, None, self.name, self.lease, notes))

    async def replace(self, lease: Body, spec: Body, notes: Mapping[str, str]) -> Body:
        """See LeaseStore."""
        await self._travel()
        version = lease["metadata"]["resourceVersion"]
        return await self._answer(self.cluster.write(spec, version, self.name, self.lease, notes))

    async def _answer(self, body: Body) -> Body:
        await asyncio.sleep(self.way_back)
        if self.loses_answers:
            raise KubeError("API server cannot be reached: ServerDisconnectedError")
        return body

    async def aclose(self) -> None:
        """See LeaseStore."""
        self.closed = True


class Clock:
    """The loop's clock, seen by a process that can stand still."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return now() + self.ahead


class Candidate:
    """One process that stands for election."""

    def __init__(self, cluster: Cluster, name: str, times: Times = TIMES) -> None:
        self.name = name
        self.road = Road(cluster, name)
        self.clock = Clock()
        self.election = Election(cast(LeaseStore, self.road), name, times, clock=self.clock)
        self.leads_since: float | None = None
        self.ended: tuple[float, str] | None = None
        """When and why its leadership has ended."""
        self.task: asyncio.Task[None] | None = None

    def stand(self) -> Candidate:
        """Wait for the Lease and hold it, in the background."""
        self.task = asyncio.create_task(self._live())
        return self

    async def _live(self) -> None:
        await self.election.acquire()
        self.leads_since = now()
        why = await self.election.hold()
        self.ended = (now(), why)

    def die(self) -> None:
        """End as by SIGKILL."""
        assert self.task is not None
        self.task.cancel()

    @property
    def acts(self) -> bool:
        """Whether it would act now."""
        return self.election.holds_now()
