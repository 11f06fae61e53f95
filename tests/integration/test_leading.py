"""Two replicas, one that acts: whoever dies, leaves, freezes or is cut off, one machine is bought, and by one."""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.controlplane import audit
from tests.controlplane.kubectl import KubectlError
from tests.integration.link import Link
from tests.integration.manifests import serving
from tests.integration.pace import Pace
from tests.integration.world import World, until
from tests.rig.operator import Operator
from tests.rig.stack import SERVICE_ACCOUNT, Stack, await_true

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

NAME = "trainer"
LEASE, DEADLINE, RETRY = 5, 3.5, 0.4
SLACK = 3.0
"""Seconds that a busy machine may take for what is instant."""
SETTINGS = {
    **Pace().settings(),
    "GPUINSTANCE_LEASE_NAMESPACE": SERVICE_ACCOUNT,
    "GPUINSTANCE_LEASE_SECONDS": str(LEASE),
    "GPUINSTANCE_LEASE_DEADLINE_SECONDS": str(DEADLINE),
    "GPUINSTANCE_LEASE_RETRY_SECONDS": str(RETRY),
    "GPUINSTANCE_AUDIT_SECONDS": "1",
}
LOST = 70

_rooms = itertools.count(1)


class Replicas:
    """The pods of a Deployment, each over a link of its own to the API server."""

    def __init__(self, stack: Stack, directory: Path) -> None:
        self._stack = stack
        self._directory = directory
        self._numbers = itertools.count(1)
        self._running: list[tuple[Operator, Link]] = []

    def pair(self) -> tuple[Operator, Operator]:
        """Have two of them running; return the leader, and the one that stands by."""
        self._running = [(it, link) for it, link in self._running if it.child.running]
        while len(self._running) < 2:
            self._start()
        operators = [operator for operator, _ in self._running]
        await_true(lambda: all(it.ready for it in operators))
        until(lambda: any(it.leads for it in operators), "one leads")
        one, two = operators
        return (one, two) if one.leads else (two, one)

    def link(self, operator: Operator) -> Link:
        """Return the link of a replica."""
        return next(link for it, link in self._running if it is operator)

    def stop(self) -> None:
        """End them all."""
        for operator, link in self._running:
            operator.kill()
            link.cut()

    def _start(self) -> None:
        name = f"replica-{next(self._numbers)}"
        kubeconfig = json.loads(self._stack.operator_kubeconfig().read_text())
        cluster = kubeconfig["clusters"][0]["cluster"]
        server = urlsplit(cluster["server"])
        link = Link((str(server.hostname), int(server.port or 443)))
        cluster["server"] = f"https://127.0.0.1:{link.port}"
        file = self._directory / f"{name}.kubeconfig"
        file.write_text(json.dumps(kubeconfig))
        env = {**self._stack.operator.child.env, **SETTINGS, "KUBECONFIG": str(file)}
        operator = Operator(sys.executable, self._directory, env, name)
        operator.start()
        self._running.append((operator, link))


@pytest.fixture(scope="module")
def replicas(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """Replicas in place of the one operator of the stack, which comes back afterwards."""
    directory = tmp_path_factory.mktemp("replicas")
    stack.operator.stop()
    replicas = Replicas(stack, directory)
    try:
        yield replicas
    finally:
        replicas.stop()
        stack.start_operator()
    for log in directory.glob("*.log"):
        text = log.read_text()
        assert "Traceback" not in text, log.name
        assert "an audit found" not in text, "the watch shows everything, and shows it in time"


@pytest.fixture
def room(stack: Stack, replicas: Replicas) -> Iterator[World]:
    """A namespace for one test."""
    namespace = f"leading-{next(_rooms)}"
    stack.create_namespace(namespace)
    room = World(stack, namespace)
    yield room
    stack.simulator.forget("faults")
    room.kubectl("delete", "gpui", "--all", "--wait=false")


def ended(operator: Operator, seconds: float) -> int | None:
    """Wait until the process has ended by itself; return its exit code."""
    until(lambda: not operator.child.running, f"{operator.child.name} ends", seconds, pause=0.01)
    return operator.child.stop()


def assert_bought_once(room: World) -> None:
    room.ready(NAME)
    assert room.done(NAME) == Counter(create=1)
    assert [machine["state"] for machine in room.machines(NAME)] == ["running"]


def test_one_acts_and_the_other_is_well(replicas: Replicas, room: World) -> None:
    """The one that stands by asks no provider and watches nothing, and is alive and ready all the same."""
    leader, other = replicas.pair()
    room.apply(serving(NAME))
    assert_bought_once(room)
    assert leader.alive
    assert (other.leads, other.alive, other.ready) == (False, True, True)
    led, stood_by = leader.metrics(), other.metrics()
    assert 'gpuinstance_instances{phase="Ready"} 1.0' in led
    assert "gpuinstance_provider_requests_total{" in led
    assert 'gpuinstance_instances{phase="Ready"} 0.0' in stood_by
    assert "gpuinstance_provider_requests_total{" not in stood_by
    assert "gpuinstance_watch_age_seconds 0.0" in stood_by
    until(lambda: 'gpuinstance_audits_total{result="done"}' in leader.metrics(), "the API server's list was audited")
    lease = room.stack.kubectl.json("get", "lease", "gpu-instance-operator", f"--namespace={SERVICE_ACCOUNT}")
    assert lease["spec"]["leaseDurationSeconds"] == LEASE


def test_a_killed_leader_is_followed_within_the_lease(replicas: Replicas, room: World) -> None:
    """It dies while the answer to its purchase is on the way; the other one finds the machine and goes on."""
    leader, other = replicas.pair()
    room.fault({"kind": "delay", "when": "after", "seconds": 1}, operation="create")
    room.apply(serving(NAME))
    until(lambda: room.done(NAME)["create"], "the purchase was accepted", pause=0.01)
    leader.kill()
    killed = time.monotonic()
    until(lambda: other.leads, "the other one leads")
    assert time.monotonic() - killed < LEASE + 2.2 * RETRY + SLACK
    assert_bought_once(room)


def test_a_leader_that_leaves_is_followed_at_once(replicas: Replicas, room: World) -> None:
    """A rolling update: it gives the Lease back, and nobody waits for it to run out."""
    leader, other = replicas.pair()
    room.apply(serving(NAME))
    until(lambda: room.done(NAME)["create"], "the purchase was accepted")
    assert leader.stop() == 0
    stopped = time.monotonic()
    until(lambda: other.leads, "the other one leads", pause=0.01)
    assert time.monotonic() - stopped < LEASE - RETRY
    assert_bought_once(room)
    assert other.stop() == 0, "and so it does when nobody is left"


def test_a_frozen_leader_changes_nothing_when_it_thaws(replicas: Replicas, room: World) -> None:
    """It stood still between the save of its intent and its purchase, until another had bought: it buys no second
    machine, writes no status, and ends.
    """
    leader, other = replicas.pair()
    began = room.now()
    replicas.link(leader).delay = 0.5
    room.apply(serving(NAME))
    until(lambda: saved(room, began), "the intent is saved", pause=0.005)
    leader.freeze()
    assert room.done(NAME) == Counter()
    old = room.get(NAME)
    until(lambda: other.leads, "the other one leads")
    assert_bought_once(room)
    version, writes = room.get(NAME)["metadata"]["resourceVersion"], len(room.writes_about(NAME, began))
    leader.thaw()
    assert ended(leader, SLACK) == LOST
    assert_bought_once(room)
    assert room.get(NAME)["metadata"]["resourceVersion"] == version
    assert len(room.writes_about(NAME, began)) == writes
    # Had it not ended: what it would have written was computed from an old version, and is refused for that.
    stale = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}, "status": {"phase": "Pending"}}
    with pytest.raises(KubectlError, match="Conflict"):
        room.kubectl("patch", f"gpui/{NAME}", "--subresource=status", "--type=merge", "-p", json.dumps(stale))


def test_a_leader_without_an_api_server_ends(replicas: Replicas, room: World) -> None:
    """Cut off, it ends at its deadline, and the other one leads when the Lease has run out; nothing is bought twice."""
    leader, other = replicas.pair()
    room.apply(serving(NAME))
    assert_bought_once(room)
    replicas.link(leader).cut()
    cut = time.monotonic()
    assert not other.leads
    assert ended(leader, DEADLINE + SLACK) == LOST
    assert not other.leads, "the old one ends before the new one begins"
    until(lambda: other.leads, "the other one leads")
    assert time.monotonic() - cut < LEASE + 2.2 * RETRY + SLACK
    room.patch(NAME, powerState="Stopped")
    room.outcome(NAME, "Stopped")
    assert room.done(NAME) == Counter(create=1, stop=1)


def saved(room: World, since: int) -> list[audit.Request]:
    """Return the status writes about the instance."""
    return [it for it in room.writes_about(NAME, since) if it.resource == "gpuinstances/status"]
