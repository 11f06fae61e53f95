"""`kubectl gpu wait` on a real API server: whatever happens while it waits, it returns in time and with the truth.

No operator is at work here. The tests write what one would write, at the moments that are hard to meet otherwise.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gpuinstance.cli.cluster import INSTANCES, Cluster
from gpuinstance.cli.endings import ClusterTrouble, Exit
from gpuinstance.cli.following import Clock
from gpuinstance.cli.goals import parse
from gpuinstance.cli.waiting import Wait, wait
from tests.controlplane.cluster import Cluster as ControlPlane
from tests.controlplane.cluster import LocalCluster
from tests.controlplane.credentials import write_kubeconfig
from tests.controlplane.kubectl import Kubectl
from tests.integration.keyboard import Keyboard
from tests.integration.link import Link
from tests.integration.manifests import instance, text
from tests.integration.world import until

pytestmark = pytest.mark.cluster

AT_ONCE = 5.0
"""Seconds within which a wait returns that has nothing left to wait for, on a busy machine."""
NAMESPACE = "test-cli-wait"


class Author:
    """Writes objects and their statuses, as an operator and a person would."""

    def __init__(self, api: Kubectl) -> None:
        self.api = api

    def create(self, *names: str, **labels: str) -> None:
        """Apply instances that no operator has looked at."""
        self.api("apply", "-f", "-", stdin=text(*(self._labelled(name, labels) for name in names)))

    def says(self, name: str, phase: str, *, generation: int = 1, stalled: bool = False) -> None:
        """Write a status about a generation of the spec."""
        ready = "True" if phase == "Ready" else "False"
        outcome = phase if phase in {"Ready", "Stopped", "Exited", "Failed"} else None
        kinds = {"Ready": ready} | ({"Stalled": "True"} if stalled else {})
        conditions = [self._condition(kind, word, phase, generation) for kind, word in kinds.items()]
        status = {"observedGeneration": generation, "phase": phase, "outcome": outcome, "conditions": conditions}
        self._patch(name, {"status": status}, "--subresource=status")

    def edits(self, name: str, **spec: Any) -> None:
        """Change the spec."""
        self._patch(name, {"spec": spec})

    def deletes(self, name: str) -> None:
        """Delete the object, which has no finalizer."""
        self.api("delete", "gpui", name)

    def _patch(self, name: str, patch: dict[str, Any], *options: str) -> None:
        self.api("patch", "gpui", name, "--type=merge", "-p", json.dumps(patch), *options)

    @staticmethod
    def _labelled(name: str, labels: dict[str, str]) -> dict[str, Any]:
        manifest = instance(name)
        manifest["metadata"]["labels"] = labels
        return manifest

    @staticmethod
    def _condition(kind: str, status: str, reason: str, generation: int) -> dict[str, Any]:
        moment = "2026-01-01T12:00:00Z"
        told = {"type": kind, "status": status, "reason": reason, "message": f"it is {reason}"}
        return {**told, "observedGeneration": generation, "lastTransitionTime": moment}


@pytest.fixture
def author(api: Kubectl) -> Iterator[Author]:
    """Somebody who writes; what was written is gone afterwards."""
    yield Author(api)
    api("delete", "gpui", "--all")


@pytest.fixture
def gpu(cluster: ControlPlane) -> Keyboard:
    return Keyboard(cluster.admin, NAMESPACE)


@pytest.fixture
def link(cluster: ControlPlane) -> Iterator[Link]:
    """A road to the API server that can be broken."""
    url = urlsplit(_entry(cluster)["server"])
    link = Link((str(url.hostname), int(url.port or 443)))
    yield link
    link.cut()


@pytest.fixture
def gpu_over_link(cluster: ControlPlane, link: Link, tmp_path: Path) -> Keyboard:
    """Somebody who reaches the API server over that road."""
    config = cluster.kubectl().json("config", "view", "--raw", "--minify", "--flatten")
    entry = config["clusters"][0]["cluster"] | {"server": f"https://127.0.0.1:{link.port}"}
    return Keyboard(write_kubeconfig(tmp_path / "kubeconfig", entry, config["users"][0]["user"]), NAMESPACE)


def _entry(cluster: ControlPlane) -> dict[str, Any]:
    entry: dict[str, Any] = cluster.kubectl().json("config", "view", "--raw", "--minify")["clusters"][0]["cluster"]
    return entry


Change = Callable[[Author], None]
RACES: dict[str, tuple[str, Change, Exit, str]] = {
    "reached": ("Ready", lambda it: it.says("trainer", "Ready"), Exit.OK, ""),
    "reached and left behind": ("Created", lambda it: it.says("trainer", "Running"), Exit.OK, ""),
    "stopped": ("Ready", lambda it: it.says("trainer", "Stopped"), Exit.IMPOSSIBLE, "Stopped: it is Stopped"),
    "exited": (
        "Running,Stopped",
        lambda it: it.says("trainer", "Exited", stalled=True),
        Exit.IMPOSSIBLE,
        "it is Exited",
    ),
    "failed": ("Ready", lambda it: it.says("trainer", "Failed", stalled=True), Exit.IMPOSSIBLE, "it is Failed"),
    "stalled on the way": (
        "Ready",
        lambda it: it.says("trainer", "Creating", stalled=True),
        Exit.IMPOSSIBLE,
        "it is Creating",
    ),
    "told to stop": ("Ready", lambda it: it.edits("trainer", powerState="Stopped"), Exit.IMPOSSIBLE, "powerState"),
    "deleted": ("Ready", lambda it: it.deletes("trainer"), Exit.GONE, "it was deleted"),
    "deleted, as awaited": ("Deleted", lambda it: it.deletes("trainer"), Exit.OK, ""),
}


@pytest.mark.parametrize(("goal", "change", "code", "words"), RACES.values(), ids=RACES)
def test_each_transition_ends_the_wait_at_once(
    author: Author, gpu: Keyboard, goal: str, change: Change, code: Exit, words: str
) -> None:
    """The watch tells it; nobody waits for the timeout."""
    author.create("trainer")
    author.says("trainer", "Pending")
    with gpu.beside(f"wait trainer --for {goal} --timeout 60s") as waiting:
        until(waiting.said("trainer Pending"), "it waits")
        assert waiting.goes_on
        before = time.monotonic()
        change(author)
        ended = waiting.ended()
    assert ended.code == code, ended.err
    assert words in ended.err
    assert time.monotonic() - before < AT_ONCE


def test_what_is_impossible_from_the_start(author: Author, gpu: Keyboard) -> None:
    """It is not waited for, whatever the timeout."""
    author.create("trainer")
    author.says("trainer", "Failed", stalled=True)
    before = time.monotonic()
    assert gpu("wait trainer --for Ready --timeout 24h").code == Exit.IMPOSSIBLE
    assert gpu("wait nobody --for Ready --timeout 24h").code == Exit.NOT_FOUND
    assert time.monotonic() - before < AT_ONCE


def test_a_status_about_an_older_spec_is_not_believed(author: Author, gpu: Keyboard) -> None:
    """Neither what it says is reached, nor what it says is impossible."""
    author.create("trainer")
    author.says("trainer", "Ready")
    assert gpu("wait trainer --for Ready --timeout 0").code == Exit.OK
    author.edits("trainer", gpuCount=2)
    assert gpu("wait trainer --for Ready --timeout 0").code == Exit.TIMED_OUT
    author.says("trainer", "Failed", stalled=True)
    with gpu.beside("wait trainer --for Ready --timeout 60s") as waiting:
        until(waiting.said("has not looked at generation 2"), "it waits")
        author.says("trainer", "Ready", generation=2)
        assert waiting.ended().code == Exit.OK


def test_another_of_the_same_name_is_not_meant(author: Author, gpu: Keyboard) -> None:
    """Deleted and applied anew: what was waited for is gone."""
    author.create("trainer")
    with gpu.beside("wait trainer --for Ready --timeout 60s") as waiting:
        until(waiting.said("generation 1"), "it waits")
        author.api("replace", "--force", "-f", "-", stdin=text(instance()))
        assert waiting.ended().code == Exit.GONE


def test_several_have_to_be_there_together(author: Author, gpu: Keyboard) -> None:
    """By label, over one watch; one that does not match is nobody's business."""
    author.create("one", "two", app="train")
    author.create("other")
    author.says("one", "Ready")
    author.says("two", "Creating")
    with gpu.beside("wait -l app=train --for Ready --timeout 60s") as waiting:
        until(waiting.said("two Creating"), "it waits")
        author.says("other", "Failed", stalled=True)
        author.says("one", "HealthChecking")
        author.says("two", "Ready")
        until(waiting.said("two Ready"), "it has seen the second")
        assert waiting.goes_on
        author.says("one", "Ready")
        ended = waiting.ended()
    assert ended.code == Exit.OK
    assert len(ended.out.splitlines()) == 2


def test_a_connection_that_breaks_again_and_again(author: Author, gpu_over_link: Keyboard, link: Link) -> None:
    """What happened meanwhile is told by the next watch, deletion included."""
    author.create("trainer")
    author.says("trainer", "Pending")
    with gpu_over_link.beside("wait trainer --for Deleted --timeout 60s") as waiting:
        until(waiting.said("trainer Pending"), "it waits")
        for phase in ("Creating", "Starting", "Running"):
            link.interrupt()
            author.says("trainer", phase)
            until(waiting.said(f"trainer {phase}"), f"it has seen {phase}")
        link.interrupt()
        author.deletes("trainer")
        ended = waiting.ended()
    assert ended.code == Exit.OK, ended.err
    assert "trying again" in ended.err


def test_an_api_server_that_restarts(author: Author, gpu: Keyboard, cluster: ControlPlane) -> None:
    """It is waited for, and what it says afterwards counts."""
    if not isinstance(cluster, LocalCluster):
        pytest.skip("an existing cluster is not ours to restart")
    author.create("trainer")
    author.says("trainer", "Pending")
    with gpu.beside("wait trainer --for Ready --timeout 120s") as waiting:
        until(waiting.said("trainer Pending"), "it waits")
        cluster.stop_apiserver()
        try:
            until(waiting.said("cannot reach the cluster"), "it has noticed")
            assert waiting.goes_on
        finally:
            cluster.start_apiserver()
        author.says("trainer", "Ready")
        assert waiting.ended().code == Exit.OK


class Deaf(Cluster):
    """A cluster whose watch tells nothing; `then` is done while it is silent, and the time is over."""

    def __init__(self, kubeconfig: Path, then: Callable[[], None]) -> None:
        super().__init__(kubeconfig=str(kubeconfig))
        self._then = then
        self.time = 0.0

    def watch(self, *_: Any, seconds: float, **__: Any) -> Iterator[Any]:
        """Be silent until the last moment."""
        self._then()
        self.time += seconds
        raise ClusterTrouble("silence")
        yield


@pytest.mark.parametrize(
    ("phase", "code"), [("Ready", Exit.OK), ("Stopped", Exit.IMPOSSIBLE), ("Running", Exit.TIMED_OUT)]
)
def test_the_truth_at_the_deadline(author: Author, cluster: ControlPlane, phase: str, code: Exit) -> None:
    """What became true in the last moment is seen by a last look."""
    author.create("trainer")
    deaf = Deaf(cluster.admin, lambda: author.says("trainer", phase))
    aims = {(NAMESPACE, "trainer"): parse("Ready", INSTANCES)}
    try:
        result = wait(deaf, Wait(INSTANCES, aims, 20), clock=Clock(lambda: deaf.time, lambda _: None))
    finally:
        deaf.close()
    assert result.code is code


def test_no_more_rights_than_the_user_has(author: Author, cluster: ControlPlane) -> None:
    """The right to one name is enough for it; without any the cluster's refusal is passed on, at once."""
    author.create("trainer", "other")
    author.says("trainer", "Ready")
    author.api("create", "serviceaccount", "watcher")
    gpu = Keyboard(cluster.service_account_kubeconfig(NAMESPACE, "watcher"), NAMESPACE)
    refused = gpu("wait trainer --for Ready")
    assert (refused.code, refused.out) == (Exit.FAILED, "")
    assert "is forbidden" in refused.err
    role = ("--verb=get,list,watch", "--resource=gpuinstances.gpuinstance.dev", "--resource-name=trainer")
    author.api("create", "role", "watcher", *role)
    author.api("create", "rolebinding", "watcher", "--role=watcher", f"--serviceaccount={NAMESPACE}:watcher")
    until(lambda: gpu("wait trainer --for Ready").code == Exit.OK, "the role is in force")
    assert gpu("wait other --for Ready").code == Exit.FAILED
