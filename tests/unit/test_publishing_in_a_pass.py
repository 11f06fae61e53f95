"""Publishing has its place in the corridor: after the status is saved, and never instead of anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from gpuinstance.api.connection import ConnectionStatus
from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.core.connection import Wish
from gpuinstance.core.decision import Decision, Stop
from gpuinstance.core.news import news
from gpuinstance.core.snapshot import Snapshot
from gpuinstance.kinds import Kind, kinds
from gpuinstance.known import Known
from gpuinstance.kube import Body, Key, Kube
from gpuinstance.metrics import Metrics
from gpuinstance.observing import Look, Observer
from gpuinstance.observing_upgrades import UpgradeObserver
from gpuinstance.publishing import Publisher
from gpuinstance.reconcile import Reconciler
from tests.builders import NOW, InstanceBuilder, blind_snapshot, instance, machine, snapshot

KEY = Key("default", "trainer", "uid-1")
BODY: Body = {
    "kind": KIND,
    "metadata": {"name": "trainer", "namespace": "default", "uid": "uid-1", "resourceVersion": "1"},
}
THERE = ConnectionStatus(secret_name="trainer-connection", service_name="trainer")


class Resource:
    """An object whose status is what was saved."""

    status = GPUInstanceStatus()


@dataclass
class Pass:
    """One pass over an object, by a kind whose looks and publishing are given; plays Kubernetes and the metrics."""

    decision: Decision
    publishes: GPUInstanceStatus | None
    done: list[str] = field(default_factory=list)

    async def look(self, _: Any) -> Any:
        """Find out what the decision says."""
        return type("Look", (), {"status": GPUInstanceStatus(), "decision": self.decision, "account": object()})()

    async def publish(self, _: Any) -> GPUInstanceStatus | None:
        """Publish, and say so."""
        self.done.append("published")
        return self.publishes

    async def patch_status(self, body: Body, patch: Body) -> Body:
        """Save, and say what."""
        self.done.append(f"saved {', '.join(sorted(patch))}")
        version = str(int(body["metadata"]["resourceVersion"]) + 1)
        return {**body, "metadata": {**body["metadata"], "resourceVersion": version}}

    async def get_object(self, _: Key) -> Body:
        """Find somebody else's version: the pass ends before it acts."""
        return {**BODY, "metadata": {**BODY["metadata"], "resourceVersion": "99"}}

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None

    async def run(self, known: Known | None = None) -> list[str]:
        """Make the pass; return what was done, in order."""
        kind = Kind(
            parse=lambda _: cast("Any", Resource()),
            look=self.look,
            intent=lambda _: None,
            record=lambda *_: cast("Any", None),
            leave=lambda _: cast("Any", None),
            news=lambda *_: None,
            count=lambda *_: None,
            forget=lambda _: None,
            publish=self.publish,
        )
        if known is None:
            known = Known()
            known.see(KEY, BODY)
        await Reconciler(cast("Kube", self), {KIND: kind}, known, cast("Metrics", self)).once(KEY)
        return self.done


async def test_it_comes_after_the_status() -> None:
    """What is decided is saved first; what was published is noted by a write of its own."""
    decided = GPUInstanceStatus(attempts=1)
    noted = decided.model_copy(update={"connection": THERE})
    assert await Pass(Decision(status=decided), noted).run() == ["saved attempts", "published", "saved connection"]


async def test_at_rest_nothing_is_saved() -> None:
    """Neither the decision nor publishing says anything new."""
    assert await Pass(Decision(status=GPUInstanceStatus()), None).run() == ["published"]


async def test_an_object_that_goes_while_it_is_written_leaves_nothing() -> None:
    """The watch may show the end of an object before the answer to the write comes: it must not come back by that."""
    known = Known()
    known.see(KEY, BODY)

    class Late(Pass):
        async def patch_status(self, body: Body, patch: Body) -> Body:
            known.forget(KEY)
            return await super().patch_status(body, patch)

    await Late(Decision(status=GPUInstanceStatus(attempts=1)), None).run(known)
    assert known.last(KEY) is None
    await Pass(Decision(status=GPUInstanceStatus(attempts=1)), None).run(known)
    assert known.last(KEY) is not None, "one that was not known is learned"


async def test_a_pass_that_acts_publishes_nothing() -> None:
    """The next one does: what is about to change need not be made known."""
    assert await Pass(Decision(status=GPUInstanceStatus(), action=Stop("m-1")), None).run() == []


class FakePublisher:
    """Takes note of what it is asked for."""

    def __init__(self) -> None:
        self.wishes: list[Wish] = []
        self.forgotten: list[str] = []

    async def publish(self, wish: Wish, before: ConnectionStatus | None, account: object) -> ConnectionStatus | None:
        """Do nothing, and say that it is there."""
        self.wishes.append(wish)
        return THERE

    def forget(self, uid: str) -> None:
        """Take note of it."""
        self.forgotten.append(uid)


def kind_with(publisher: FakePublisher) -> Kind:
    observers = cast("Observer", Pass(Decision(status=GPUInstanceStatus()), None))
    upgrades = cast("UpgradeObserver", observers)
    return kinds(observers, upgrades, cast("Metrics", observers), lambda: NOW, cast("Publisher", publisher))[KIND]


def look(of: InstanceBuilder, at: Snapshot | None = None) -> Look:
    return Look(at or snapshot(of, machine()), Decision(status=of.build().status), None)


RUNNING = instance().serving(80).with_spec(connection={})


async def test_the_status_is_returned_only_if_it_changes() -> None:
    """Otherwise nothing would be at rest."""
    kind = kind_with(FakePublisher())
    changed = await kind.publish(look(RUNNING))
    assert changed is not None
    assert changed.connection == THERE
    assert await kind.publish(look(RUNNING.with_status(connection=THERE))) is None


async def test_who_knows_nothing_publishes_nothing() -> None:
    """Blind, or about to go."""
    publisher = FakePublisher()
    kind = kind_with(publisher)
    assert await kind.publish(look(RUNNING, blind_snapshot(RUNNING))) is None
    assert await kind.publish(look(RUNNING.deleting())) is None
    assert publisher.wishes == []


def test_what_is_gone_is_forgotten() -> None:
    """Memory does not grow with objects that come and go."""
    publisher = FakePublisher()
    kind_with(publisher).forget("uid-1")
    assert publisher.forgotten == ["uid-1"]


TAKEN = THERE.model_copy(update={"reason": Reason.CONNECTION_NAME_TAKEN, "message": "Service trainer exists"})


@pytest.mark.parametrize(
    ("before", "after", "is_told"),
    [(None, THERE, False), (THERE, TAKEN, True), (None, TAKEN, True), (TAKEN, TAKEN, False), (TAKEN, THERE, False)],
)
def test_trouble_is_told_once(before: ConnectionStatus | None, after: ConnectionStatus | None, is_told: bool) -> None:
    """By a Warning Event, in the words of the status."""
    told = news(*(RUNNING.with_status(connection=it).build().status for it in (before, after)))
    assert (told is not None) is is_told
    if told is not None:
        assert (told.reason, told.message, told.warning) == (TAKEN.reason, TAKEN.message, True)
