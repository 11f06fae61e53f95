"""Objects that another shard's leader releases: their end is noticed, at a price that does not grow with them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import cast

import pytest
from structlog.testing import CapturingLogger

from gpuinstance import departing
from gpuinstance.departing import Departures
from gpuinstance.known import Known
from gpuinstance.kube import Body, Key, Kube, KubeError, Vanished
from gpuinstance.metrics import Metrics
from gpuinstance.reconcile import Reconciler
from tests.unit.leading.cluster import in_virtual_time

FEW, MANY = 3, 50


class World:
    """Plays the API server, with instances that are being deleted."""

    def __init__(self, number: int, *namespaces: str) -> None:
        self.keys = [Key("team-a", f"i{it}", f"uid-{it}") for it in range(number)]
        self.there = set(self.keys)
        self.ours: set[Key] = set()
        self.told: list[Key] = []
        self.reads: list[Key] = []
        self.lists: list[str | None] = []
        self.error: Exception | None = None
        self.departures = Departures(
            cast(Kube, self), namespaces, is_ours=lambda key: key in self.ours, gone=self.told.append
        )

    async def get_object(self, key: Key) -> Body:
        """See Kube."""
        self.reads.append(key)
        if self.error is not None:
            raise self.error
        if key not in self.there:
            raise Vanished("gone")
        return {}

    async def list_objects(self, kind: str, namespace: str | None, *, metadata_only: bool) -> list[Body]:
        """See Kube."""
        assert metadata_only
        self.lists.append(namespace)
        return [
            {"kind": kind, "metadata": {"namespace": key.namespace, "name": key.name, "uid": key.uid}}
            for key in self.there
            if key.kind == kind and namespace in (None, key.namespace)
        ]


@pytest.mark.parametrize(("number", "reads", "lists"), [(FEW, FEW, 0), (MANY, 0, 1)])
async def test_what_is_gone_is_told(number: int, reads: int, lists: int) -> None:
    """Few are read, of many the list is; what is still there is waited for."""
    world = World(number)
    gone = set(world.keys[:2])
    world.there -= gone
    waits = [world.departures.watched(key) for key in world.keys]
    for it in waits:
        it.__enter__()
    await world.departures.once()
    assert set(world.told) == gone
    assert (len(world.reads), len(world.lists)) == (reads, lists)
    for it in waits:
        it.__exit__(None, None, None)
    await world.departures.once()
    assert (len(world.reads), len(world.lists)) == (reads, lists), "nobody waits, so nothing is asked"


async def test_own_objects_are_not_looked_at() -> None:
    """Their own pass reads them, and says when they may go."""
    world = World(FEW)
    world.ours = set(world.keys)
    with world.departures.watched(world.keys[0]):
        await world.departures.once()
    assert world.reads == []


async def test_served_namespaces_are_listed_one_by_one() -> None:
    """A namespaced operator may not list the cluster."""
    world = World(MANY, "team-a", "team-b")
    waits = [world.departures.watched(key) for key in world.keys]
    for it in waits:
        it.__enter__()
    await world.departures.once()
    assert world.lists == ["team-a", "team-b"]
    assert world.told == []
    for it in waits:
        it.__exit__(None, None, None)


async def test_trouble_is_no_end() -> None:
    """An API server that cannot be asked has not said that anything is gone."""
    world = World(FEW)
    world.error = KubeError("API server cannot be reached")
    with world.departures.watched(world.keys[0]), pytest.raises(KubeError):
        await world.departures.once()
    assert world.told == []


@in_virtual_time
async def test_one_look_ends_all_that_was_held_back() -> None:
    """kopf hands out the events of a deletion one by one, and waits for the release at each: none costs a pause."""
    world, loop = World(1), asyncio.get_running_loop()
    (key,) = world.keys
    reconciler = Reconciler(cast("Kube", None), {}, Known(), Metrics())
    departures = Departures(
        cast(Kube, world), (), is_ours=lambda _: False, gone=lambda it: reconciler.released(it).set()
    )
    looking = asyncio.create_task(departures.run())
    metadata = {"namespace": key.namespace, "name": key.name, "uid": key.uid}
    world.there.clear()
    for version in range(4):
        reconciler.see(key, {"metadata": {**metadata, "resourceVersion": str(version)}})
        with departures.watched(key):
            await reconciler.released(key).wait()
    assert loop.time() < 30, "one pause"
    assert len(world.reads) == 1
    looking.cancel()


@in_virtual_time
async def test_a_bug_is_not_the_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever one look ends with is told, and the next one is made."""
    log = CapturingLogger()
    monkeypatch.setattr(departing, "_log", log)
    world = World(1)
    world.there.clear()
    world.error = RuntimeError("a bug")
    with world.departures.watched(world.keys[0]):
        looking = asyncio.create_task(world.departures.run())
        await asyncio.sleep(30)
        world.error = None
        await asyncio.sleep(30)
    assert set(world.told) == set(world.keys)
    assert [it.method_name for it in log.calls] == ["exception"]
    looking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await looking


async def test_whoever_waits_no_more_is_not_told() -> None:
    """kopf has shown the end while we asked: what was forgotten stays forgotten."""
    world = World(1)
    world.there.clear()
    waiting = world.departures.watched(world.keys[0])
    waiting.__enter__()

    async def end_meanwhile(key: Key) -> Body:
        waiting.__exit__(None, None, None)
        raise Vanished("gone")

    world.get_object = end_meanwhile  # type: ignore[method-assign] # once, in this moment
    await world.departures.once()
    assert world.told == []
