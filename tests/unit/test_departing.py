"""Objects that another shard's leader releases: their end is noticed, at a price that does not grow with them."""

from __future__ import annotations

from typing import cast

import pytest

from gpuinstance.departing import Departures
from gpuinstance.kube import Body, Key, Kube, KubeError, Vanished

FEW, MANY = 3, 50


class World:
    """Plays the API server, with instances that are being deleted."""

    def __init__(self, number: int, *namespaces: str) -> None:
        self.keys = [Key("team-a", f"i{it}", f"uid-{it}") for it in range(number)]
        self.there = set(self.keys)
        self.ours: set[Key] = set()
        self.forgotten: list[Key] = []
        self.reads: list[Key] = []
        self.lists: list[str | None] = []
        self.error: Exception | None = None
        self.departures = Departures(
            cast(Kube, self), namespaces, is_ours=lambda key: key in self.ours, forget=self.forgotten.append
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
async def test_what_is_gone_is_forgotten(number: int, reads: int, lists: int) -> None:
    """Few are read, of many the list is; what is still there is waited for."""
    world = World(number)
    gone = set(world.keys[:2])
    world.there -= gone
    waits = [world.departures.watched(key) for key in world.keys]
    for it in waits:
        it.__enter__()
    await world.departures.once()
    assert set(world.forgotten) == gone
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
    assert world.forgotten == []
    for it in waits:
        it.__exit__(None, None, None)


async def test_trouble_is_no_end() -> None:
    """An API server that cannot be asked has not said that anything is gone."""
    world = World(FEW)
    world.error = KubeError("API server cannot be reached")
    with world.departures.watched(world.keys[0]), pytest.raises(KubeError):
        await world.departures.once()
    assert world.forgotten == []
