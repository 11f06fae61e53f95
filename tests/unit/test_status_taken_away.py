"""A status that somebody takes away, as a shard sees it that does not look after the object."""

from __future__ import annotations

from typing import cast

from gpuinstance.known import Known
from gpuinstance.kube import Body, Key, Kube
from gpuinstance.metrics import Metrics
from gpuinstance.reconcile import Reconciler

KEY = Key("default", "trainer", "uid-1")
OLD, NEW = {"observedGeneration": 1, "attempts": 1}, {"observedGeneration": 2, "attempts": 2}


def trainer(version: int, status: Body | None) -> Body:
    metadata = {"namespace": KEY.namespace, "name": KEY.name, "uid": KEY.uid, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {}, "status": status or {}}


def shown(*bodies: Body) -> Reconciler:
    """Return a corridor that has seen these versions, and has had no pass."""
    reconciler = Reconciler(cast("Kube", None), {}, Known(), Metrics())
    for body in bodies:
        reconciler.see(KEY, body)
    return reconciler


def test_it_is_remembered_until_it_is_back() -> None:
    """Whoever takes the object over meanwhile writes it again; later events without it change nothing."""
    assert shown(trainer(1, OLD), trainer(2, None))._taken == {KEY: OLD}
    assert shown(trainer(1, OLD), trainer(2, None), trainer(2, None), trainer(3, None))._taken == {KEY: OLD}


def test_what_the_owner_has_written_since_is_believed() -> None:
    """Or the next owner would write what is long past, and could repeat what was done since."""
    assert shown(trainer(1, OLD), trainer(2, None), trainer(3, OLD))._taken == {}
    assert shown(trainer(1, OLD), trainer(2, None), trainer(3, OLD), trainer(4, NEW))._taken == {}


def test_an_answer_from_before_it_was_taken_away_brings_nothing_back() -> None:
    """The watch may be faster than the answer to the write before: what the answer shows is not true any more."""
    assert shown(trainer(1, OLD), trainer(3, None), trainer(2, NEW))._taken == {KEY: OLD}
