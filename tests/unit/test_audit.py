"""The audit: what the watch has kept from us is found, helped and counted, and nothing else is."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.audit import Audit, Findings
from gpuinstance.kube import Body, Key, Kube, KubeError
from tests.unit.leading.cluster import in_virtual_time, now

PAUSE, POLL = 300.0, 60.0


def thing(name: str, version: int = 1, *, deleting: bool = False, namespace: str = "a") -> Body:
    metadata: dict[str, Any] = {
        "namespace": namespace,
        "name": name,
        "uid": f"uid-of-{name}",
        "resourceVersion": str(version),
    }
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-31T00:00:00Z"
    return {"kind": KIND, "metadata": metadata}


class Bench:
    """A cluster, a watch that may lie, and everybody whom the audit talks to."""

    def __init__(self, *namespaces: str) -> None:
        self.cluster: dict[Key, Body] = {}
        self.bodies: dict[Key, Body] = {}
        self.doubted: list[Key] = []
        self.woken: list[Key] = []
        self.unseen: dict[Key, float] = {}
        self.foreign: set[Key] = set()
        self.counted: list[tuple[str, int]] = []
        self.asked: list[str | None] = []
        self.error: Exception | None = None
        self.audit = Audit(cast(Kube, self), KIND, namespaces, self, self, self, pause=PAUSE, poll=POLL, clock=now)

    # What a test does.

    def put(self, body: Body, *, shown: bool = True) -> Key:
        """Write an object; with `shown`, the watch shows it."""
        key = Key.of(body)
        self.cluster[key] = body
        if shown:
            self.show(body)
        return key

    def show(self, body: Body) -> None:
        """The watch shows it, as handlers pass it on."""
        self.audit.shown(body)
        self.bodies[Key.of(body)] = body

    def remove(self, key: Key, *, shown: bool = True) -> None:
        """Delete an object."""
        del self.cluster[key]
        if shown:
            self.audit.gone(key)
            del self.bodies[key]

    # Whom the audit asks.

    async def list_objects(self, kind: str, namespace: str | None, *, metadata_only: bool) -> list[Body]:
        """See Kube."""
        assert (kind, metadata_only) == (KIND, True)
        self.asked.append(namespace)
        await asyncio.sleep(0.1)
        if self.error is not None:
            raise self.error
        return [body for key, body in self.cluster.items() if namespace in (None, key.namespace)]

    def known(self) -> list[Body]:
        """See Subject."""
        return list(self.bodies.values())

    def doubt(self, key: Key) -> None:
        """See Subject."""
        self.doubted.append(key)

    def is_ours(self, key: Key) -> bool:
        """See Subject."""
        return key not in self.foreign

    def wake(self, key: Key) -> None:
        """See Wakes."""
        self.woken.append(key)

    def unseen_for(self, key: Key) -> float | None:
        """See Wakes."""
        return self.unseen.get(key)

    def audited(self, result: str) -> None:
        """See Counts."""
        self.counted.append((result, 1))

    def found(self, what: str, number: int) -> None:
        """See Counts."""
        self.counted.append((what, number))


@in_virtual_time
async def test_where_all_is_well_nothing_is_done() -> None:
    """One list and no more, and no pause."""
    bench = Bench()
    for number in range(5):
        bench.put(thing(f"t{number}", number))
    bench.put(thing("going", 3), shown=True)
    began = now()
    assert await bench.audit.once() == Findings()
    assert now() - began < 1
    assert (bench.asked, bench.woken, bench.doubted) == ([None], [], [])
    assert bench.counted == [("done", 1)]
    assert bench.audit.trouble() is None
    assert bench.audit.age() == 0


@in_virtual_time
async def test_an_object_that_the_watch_has_not_shown_is_looked_at() -> None:
    """Read afresh, and counted; if it is missing a second time, the watch is dead and says so."""
    bench = Bench()
    bench.put(thing("seen"))
    unseen = bench.put(thing("unseen"), shown=False)
    assert (await bench.audit.once()).missed == {unseen}
    assert (bench.woken, bench.doubted) == ([unseen], [unseen])
    assert ("missed", 1) in bench.counted
    assert bench.audit.trouble() is None
    bench.bodies[unseen] = bench.cluster[unseen]  # the pass has read it; the watch has shown nothing
    await bench.audit.once()
    assert bench.audit.trouble() == "the watch of gpuinstances has not shown 1 objects that the API server lists"
    bench.show(bench.cluster[unseen])
    await bench.audit.once()
    assert bench.audit.trouble() is None


@in_virtual_time
async def test_a_version_that_the_watch_has_not_shown_is_missed() -> None:
    """Also where our own write or reading has brought a newer picture."""
    bench = Bench()
    key = bench.put(thing("it", 5))
    bench.put(thing("it", 6), shown=False)
    bench.bodies[key] = thing("it", 6)
    assert (await bench.audit.once()).missed == {key}


@in_virtual_time
async def test_what_is_just_on_its_way_is_not_missed() -> None:
    """The list may be ahead of the watch by a moment."""
    bench = Bench()
    bench.put(thing("it", 5))
    bench.put(thing("it", 6), shown=False)
    new = bench.put(thing("new"), shown=False)
    asyncio.get_running_loop().call_later(3, bench.show, thing("it", 6))
    asyncio.get_running_loop().call_later(4, bench.show, bench.cluster[new])
    assert await bench.audit.once() == Findings()
    assert bench.woken == []


@in_virtual_time
async def test_what_goes_meanwhile_is_not_missed() -> None:
    """Deleted between list and comparison: neither missed nor a ghost."""
    bench = Bench()
    unseen, seen = bench.put(thing("unseen"), shown=False), bench.put(thing("seen"))
    asyncio.get_running_loop().call_later(3, bench.remove, seen)
    asyncio.get_running_loop().call_later(3, bench.cluster.pop, unseen)
    assert await bench.audit.once() == Findings()


@in_virtual_time
async def test_a_deleting_object_need_only_have_been_shown() -> None:
    """kopf holds its events back while it waits for the machine to go."""
    bench = Bench()
    bench.put(thing("it", 5))
    bench.put(thing("it", 9, deleting=True), shown=False)
    unseen = bench.put(thing("unseen", deleting=True), shown=False)
    assert (await bench.audit.once()).missed == {unseen}


@in_virtual_time
async def test_a_ghost_is_doubted_and_woken() -> None:
    """Its next pass reads it, and forgets it; one that appears during the audit is none."""
    bench = Bench()
    ghost = bench.put(thing("ghost"))
    bench.remove(ghost, shown=False)
    asyncio.get_running_loop().call_later(0.05, bench.put, thing("young"))
    found = await bench.audit.once()
    assert found == Findings(ghosts=frozenset({ghost}))
    assert (bench.woken, bench.doubted) == ([ghost], [ghost])
    assert ("ghost", 1) in bench.counted
    assert bench.audit.trouble() is None


@in_virtual_time
async def test_an_object_that_nobody_looks_at_is_woken() -> None:
    """Several polls and a whole pause between audits have passed; one that is never due is left alone."""
    bench = Bench()
    late, fresh, new = (bench.put(thing(name)) for name in ("late", "fresh", "new"))
    bench.unseen = {late: PAUSE + 4 * POLL + 1, fresh: PAUSE + 4 * POLL - 20}
    assert (await bench.audit.once()).overdue == {late}
    assert bench.woken == [late]
    assert new not in bench.woken


@in_virtual_time
async def test_objects_of_other_shards_are_known_and_not_looked_at() -> None:
    """One that nobody looks at here is as it should be; one that is missed or gone is helped like any other."""
    bench = Bench()
    idle, ghost = bench.put(thing("idle")), bench.put(thing("ghost"))
    missed = bench.put(thing("missed"), shown=False)
    bench.foreign = {idle, ghost, missed}
    bench.unseen = {idle: PAUSE + 4 * POLL + 1}
    bench.remove(ghost, shown=False)
    assert await bench.audit.once() == Findings(missed=frozenset({missed}), ghosts=frozenset({ghost}))


@in_virtual_time
async def test_each_namespace_is_listed() -> None:
    """Where the operator serves some, it may list no others."""
    bench = Bench("a", "b")
    bench.put(thing("one", namespace="a"))
    bench.put(thing("two", namespace="b"))
    assert await bench.audit.once() == Findings()
    assert bench.asked == ["a", "b"]


@in_virtual_time
async def test_audits_go_on_whatever_happens() -> None:
    """An API server that is away, or a bug, costs one audit; the age says when the last one was answered."""
    bench = Bench()
    task = asyncio.create_task(bench.audit.run())
    assert bench.audit.age() is None
    await asyncio.sleep(1.3 * PAUSE)
    assert bench.counted == [("done", 1)]
    for error in (KubeError("away"), RuntimeError("a bug")):
        bench.error = error
        await asyncio.sleep(1.3 * PAUSE)
        assert bench.counted[-1] == ("failed", 1)
    age = bench.audit.age()
    assert age is not None
    assert age > 2 * PAUSE
    bench.error = None
    await asyncio.sleep(1.3 * PAUSE)
    assert bench.counted[-1] == ("done", 1)
    task.cancel()
