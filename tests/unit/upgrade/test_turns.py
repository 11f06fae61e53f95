"""An instance and its upgrades take turns: none of them decides while another one acts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.core.upgrade.decision import UpgradeDecision
from gpuinstance.kinds import AnyDecision, AnyResource, Kind
from gpuinstance.known import Known
from gpuinstance.kube import Body, Key, Kube, Vanished
from gpuinstance.metrics import Metrics
from gpuinstance.reconcile import Reconciler

INSTANCE = Key("default", "trainer", "uid-of-trainer")
UPGRADE = Key("default", "bigger", "uid-of-bigger", UPGRADE_KIND)
ELSEWHERE = Key("default", "other", "uid-of-other", UPGRADE_KIND)


def body(key: Key, *, of: str = "trainer", version: int = 1) -> Body:
    """Return an object as the API server shows it."""
    metadata: dict[str, Any] = {"name": key.name, "namespace": key.namespace, "uid": key.uid}
    metadata["resourceVersion"] = str(version)
    spec: dict[str, Any] = {"instanceRef": {"name": of}} if key.kind == UPGRADE_KIND else {}
    return {"kind": key.kind, "metadata": metadata, "spec": spec}


@dataclass
class Passes:
    """Plays the API server, the observers and the metrics; a pass lasts until it is let go on."""

    objects: dict[Key, Body] = field(default_factory=dict)
    running: list[str] = field(default_factory=list)
    together: set[frozenset[str]] = field(default_factory=set)
    """Which passes ran at the same time."""

    def __post_init__(self) -> None:
        self.known = Known()
        kind = Kind(
            parse=lambda it: cast("AnyResource", it),
            look=self.look,
            intent=lambda _: None,
            record=lambda *_: cast("AnyDecision", None),
            leave=lambda _: cast("AnyDecision", None),
            news=lambda *_: None,
            count=lambda *_: None,
            forget=lambda _: None,
        )
        kinds: Mapping[str, Kind] = {KIND: kind, UPGRADE_KIND: kind}
        self.reconciler = Reconciler(cast("Kube", self), kinds, self.known, cast("Metrics", self))

    async def look(self, it: Any) -> Any:
        """Be at work for a while."""
        name = it["metadata"]["name"]
        self.running.append(name)
        self.together.add(frozenset(self.running))
        for _ in range(5):
            await asyncio.sleep(0)
        self.running.remove(name)
        status = InstanceUpgradeStatus()
        decision = UpgradeDecision(status=status)
        return type("Look", (), {"status": status, "decision": decision, "account": None})()

    async def get_object(self, key: Key) -> Body:
        """Return the object as it is."""
        await asyncio.sleep(0)
        if key not in self.objects:
            raise Vanished("not found")
        return self.objects[key]

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


@pytest.fixture
def passes() -> Passes:
    """A reconciler that knows an instance and its upgrade."""
    found = Passes({key: body(key) for key in (INSTANCE, UPGRADE)})
    for key, it in found.objects.items():
        found.known.see(key, it)
    return found


def were_together(passes: Passes, *names: str) -> bool:
    """Return whether these passes overlapped."""
    return any(set(names) <= seen for seen in passes.together)


async def test_an_instance_and_its_upgrade_take_turns(passes: Passes) -> None:
    """Both are woken at once; their passes follow each other."""
    await asyncio.gather(passes.reconciler.once(INSTANCE), passes.reconciler.once(UPGRADE))
    assert not were_together(passes, "trainer", "bigger")


async def test_an_upgrade_of_another_instance_waits_for_nobody(passes: Passes) -> None:
    """Only relatives take turns."""
    other = body(ELSEWHERE, of="elsewhere")
    passes.objects[ELSEWHERE] = other
    passes.known.see(ELSEWHERE, other)
    await asyncio.gather(passes.reconciler.once(INSTANCE), passes.reconciler.once(ELSEWHERE))
    assert were_together(passes, "trainer", "other")


async def test_a_doubted_upgrade_still_belongs_to_its_instance(passes: Passes) -> None:
    """After a conflict the object is read anew; whose turn it is does not depend on that."""
    passes.known.doubt(UPGRADE)
    await asyncio.gather(passes.reconciler.once(INSTANCE), passes.reconciler.once(UPGRADE))
    assert not were_together(passes, "trainer", "bigger")


async def test_an_upgrade_that_was_never_shown_is_read_before_its_turn(passes: Passes) -> None:
    """An audit wakes what the watch has missed: whose it is has to be known first."""
    passes.known.forget(UPGRADE)
    await asyncio.gather(passes.reconciler.once(INSTANCE), passes.reconciler.once(UPGRADE))
    assert {"trainer"} in passes.together
    assert {"bigger"} in passes.together
    assert not were_together(passes, "trainer", "bigger")


async def test_an_upgrade_that_is_gone_has_no_turn(passes: Passes) -> None:
    """Woken once more after its end it is forgotten, and nothing fails."""
    passes.known.forget(UPGRADE)
    del passes.objects[UPGRADE]
    assert await passes.reconciler.once(UPGRADE) is None
    assert passes.together == set()


async def test_a_doubted_instance_still_wakes_its_upgrades_when_it_goes(passes: Passes) -> None:
    """Its deletion is news to them, however old the picture of it was."""
    woken: list[Key] = []
    passes.reconciler.wake = woken.append
    passes.known.doubt(INSTANCE)
    passes.reconciler.forget(INSTANCE)
    assert woken == [UPGRADE]


def test_what_is_known_by_name(passes: Passes) -> None:
    """Upgrades are found by the instance that they name, and an instance by its name, until they are gone."""
    assert passes.known.upgrades_of("default", "trainer") == [body(UPGRADE)]
    assert passes.known.instance_named("default", "trainer") == body(INSTANCE)
    passes.known.see(UPGRADE, body(UPGRADE, version=0))
    assert passes.known.get(UPGRADE) == body(UPGRADE), "an older picture is no news"
    again = Key("default", "trainer", "another-uid")
    passes.known.see(again, body(again, version=5))
    passes.known.forget(INSTANCE)
    assert passes.known.instance_named("default", "trainer") == body(again, version=5)
    passes.known.forget(UPGRADE)
    assert passes.known.upgrades_of("default", "trainer") == []
    passes.known.forget(UPGRADE)
