"""Which objects get passes in a shard, and what becomes of those of the others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.known import Known
from gpuinstance.kube import Body, Key, Kube, KubeError, Vanished
from gpuinstance.leading.leadership import Alone
from gpuinstance.sharing import Share

OURS, THEIRS = "ours", "theirs"


class Shard(Alone):
    """A leader that owns some names."""

    def __init__(self) -> None:
        super().__init__()
        self.owned = {OURS}

    def owns(self, namespace: str, name: str) -> bool:
        """See Leadership."""
        return name in self.owned


class World:
    """Plays corridor, queue and API server."""

    def __init__(self) -> None:
        self.shard = Shard()
        self.known = Known()
        self.share = Share(self.shard, self.known, cast(Kube, self))
        self.share.corridor, self.share.queue = self, self.wake
        self.passes: list[Key] = []
        self.woken: list[tuple[Key, float]] = []
        self.cluster: dict[Key, Body] = {}
        self.error: Exception | None = None
        self.forgotten: list[Key] = []

    def add(self, name: str, *, of: str | None = None, watched: bool = True) -> Key:
        """Create an instance, or an upgrade of one."""
        metadata = {"namespace": "default", "name": name, "uid": f"uid-of-{name}", "resourceVersion": "1"}
        spec: dict[str, Any] = {} if of is None else {"instanceRef": {"name": of}}
        body = {"kind": KIND if of is None else UPGRADE_KIND, "metadata": metadata, "spec": spec}
        key = Key.of(body)
        self.cluster[key] = body
        if watched:
            self.known.see(key, body)
        return key

    def wake(self, key: Key, *, after: timedelta = timedelta()) -> None:
        """Play the queue."""
        self.woken.append((key, after.total_seconds()))

    def see(self, key: Key, body: Body) -> None:
        """Play the corridor."""
        self.known.see(key, body)

    def forget(self, key: Key) -> None:
        """Play the corridor."""
        self.forgotten.append(key)
        self.known.forget(key)

    async def once(self, key: Key) -> timedelta | None:
        """Play the corridor."""
        self.passes.append(key)
        return timedelta(seconds=7)

    async def get_object(self, key: Key) -> Body:
        """Play the API server."""
        if self.error is not None:
            raise self.error
        if key not in self.cluster:
            raise Vanished("gone")
        return self.cluster[key]


def test_only_own_objects_come_into_the_queue() -> None:
    """An upgrade goes with its instance; what is foreign is passed by, for whoever counts it."""
    world, passed_by = World(), list[Key]()
    world.share.passed_by = passed_by.append
    ours, theirs = world.add(OURS), world.add(THEIRS)
    bigger, smaller = world.add("bigger", of=OURS), world.add("smaller", of=THEIRS)
    for key in (ours, theirs, bigger, smaller):
        world.share.wake(key, after=timedelta(seconds=3))
    assert world.woken == [(ours, 3), (bigger, 3)]
    assert passed_by == [theirs, smaller]
    assert [it["metadata"]["name"] for it in world.share.of_kind(KIND)] == [OURS]
    assert [it["metadata"]["name"] for it in world.share.of_kind(UPGRADE_KIND)] == ["bigger"]


async def test_only_own_objects_get_passes() -> None:
    """What a pass asks for is what the queue gets; a foreign object in the queue is dropped without a request."""
    world = World()
    ours, theirs = world.add(OURS), world.add(THEIRS)
    world.error = KubeError("nothing is asked")
    assert await world.share.once(ours) == timedelta(seconds=7)
    assert await world.share.once(theirs) is None
    assert world.passes == [ours]


async def test_what_the_audit_found_is_learned() -> None:
    """A foreign object that the watch has missed is read, one that is gone is forgotten; neither gets a pass."""
    world = World()
    missed, doubted, ghost = world.add(THEIRS, watched=False), world.add("doubted"), world.add("ghost")
    for key in (doubted, ghost):
        world.known.doubt(key)
    del world.cluster[ghost]
    for key in (missed, doubted, ghost):
        assert await world.share.once(key) is None
    assert world.known.get(missed) is not None
    assert world.known.get(doubted) is not None
    assert world.forgotten == [ghost]
    assert world.passes == []


async def test_an_upgrade_that_nobody_has_seen_is_looked_up_first() -> None:
    """Whose it is says its instance: it may turn out to be ours."""
    world = World()
    bigger = world.add("bigger", of=OURS, watched=False)
    assert not world.share.has(bigger)
    assert await world.share.once(bigger) == timedelta(seconds=7)
    assert world.passes == [bigger]


async def test_a_server_that_does_not_answer_is_asked_again() -> None:
    """Soon, and not at once."""
    world = World()
    missed = world.add(THEIRS, watched=False)
    world.error = KubeError("API server cannot be reached")
    again = await world.share.once(missed)
    assert again is not None
    assert again >= timedelta(seconds=5)


def test_what_others_leave_to_us_is_woken_once() -> None:
    """When an earlier leader has ended: all that is new, and nothing that was ours before."""
    world = World()
    ours, theirs, bigger = world.add(OURS), world.add(THEIRS), world.add("bigger", of=THEIRS)
    world.share.grown()
    assert world.woken == [(ours, 0)]
    world.share.grown()
    assert world.woken == [(ours, 0)]
    world.shard.owned |= {THEIRS}
    world.share.grown()
    assert sorted(world.woken[1:], key=str) == sorted([(theirs, 0.0), (bigger, 0.0)], key=str)


def test_a_job_of_all_is_somebody_s() -> None:
    """By a name that no object can have."""
    world = World()
    assert not world.share.has_job("orphans")
    world.shard.owned |= {"orphans"}
    assert world.share.has_job("orphans")
