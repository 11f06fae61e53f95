"""The real `kubectl wait` while things happen: it ends with the write that it waits for, and not before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from subprocess import CompletedProcess
from typing import TypeVar

import pytest

from gpuinstance.core.model import Software
from tests.builders import NOW, machine, ports, report
from tests.controlplane.cluster import Cluster
from tests.controlplane.kubectl import Kubectl
from tests.judges.conftest import live_objects
from tests.judges.live import Live
from tests.judges.situations import TABLE
from tests.judges.stories import INSTANCE, Body, Delete, Edit, Kind, Look, Story, look
from tests.judges.upgrade_situations import UPGRADES
from tests.judges.upgrade_stories import UPGRADE

pytestmark = pytest.mark.cluster

STORIES: dict[str, Story] = {row.slug: row.story for row in (*TABLE, *UPGRADES)}
OUTCOMES = {row.slug: row.expected.outcome for row in (*TABLE, *UPGRADES)}
IMAGE = "docker.io/library/nginx:1.28"
T = TypeVar("T")


def in_cluster(cluster: Cluster, scene: Callable[[Live], Awaitable[T]], kind: Kind = INSTANCE) -> T:
    """Return what comes of a scene, played on the real API server."""

    async def play() -> T:
        async with live_objects(cluster, kind) as live:
            return await scene(live)

    return asyncio.run(play())


def begun(kubectl: Kubectl, name: str, *fors: str, seconds: int = 30) -> asyncio.Task[CompletedProcess[str]]:
    """Start to wait; the test goes on meanwhile."""
    reference = name if "/" in name else f"gpui/{name}"
    command = ("wait", reference, *(f"--for={it}" for it in fors), f"--timeout={seconds}s")
    return asyncio.create_task(asyncio.to_thread(kubectl.attempt, *command))


async def in_vain(kubectl: Kubectl, name: str, *fors: str) -> bool:
    """Whether a wait of a second is in vain."""
    done = await begun(kubectl, name, *fors, seconds=1)
    assert done.returncode == 0 or "timed out" in done.stderr, done
    return done.returncode != 0


def restarted(minute: float) -> Look:
    """The machine came up anew and serves."""
    moment = NOW + timedelta(minutes=minute)
    return look(
        machine(started_at=moment),
        minute=minute,
        addresses=ports("80/http", published=True),
        health=report(80, at=moment),
    )


def test_waiting_may_begin_before_the_object_exists(cluster: Cluster, kubectl: Kubectl) -> None:
    """`--for=create --for=condition=Ready` follows an object from nothing to serving."""

    async def scene(live: Live) -> CompletedProcess[str]:
        waiting = begun(kubectl, "early", "create", "condition=Ready")
        await live.play("early", STORIES["ready"])
        return await waiting

    assert in_cluster(cluster, scene).returncode == 0


@pytest.mark.parametrize(
    "end", ["ready", "not-healthy-in-time", "api-key-refused", "down-by-itself", "stopped-as-asked"]
)
def test_one_wait_returns_however_it_ends(cluster: Cluster, kubectl: Kubectl, end: str) -> None:
    """Waiting for the outcome returns on success and on failure alike, without a timeout."""

    async def scene(live: Live) -> tuple[CompletedProcess[str], Body]:
        story = STORIES[end]
        edits = sum(isinstance(step, Edit) for step in story)
        latest = f"jsonpath={{.status.observedGeneration}}={1 + edits}"
        waiting = begun(kubectl, f"ends-{end}", "create", latest, "jsonpath={.status.outcome}")
        body = await live.play(f"ends-{end}", story)
        return await waiting, body

    done, body = in_cluster(cluster, scene)
    assert done.returncode == 0, done
    assert body["status"]["outcome"] == OUTCOMES[end]


@pytest.mark.parametrize("end", ["completed", "cancelled", "nobody-paid-in-time", "reverted"])
def test_one_wait_for_an_upgrade_returns_however_it_ends(cluster: Cluster, kubectl: Kubectl, end: str) -> None:
    """The same command as for an instance, for the changes that a person makes by the way as well."""

    async def scene(live: Live) -> tuple[CompletedProcess[str], Body]:
        waiting = begun(kubectl, f"iup/ends-{end}", "create", "jsonpath={.status.outcome}")
        body = await live.play(f"ends-{end}", STORIES[end])
        return await waiting, body

    done, body = in_cluster(cluster, scene, UPGRADE)
    assert done.returncode == 0, done
    assert body["status"]["outcome"] == OUTCOMES[end]


def test_a_person_is_called_when_there_is_something_to_do(cluster: Cluster, kubectl: Kubectl) -> None:
    """`--for=condition=ActionRequired` ends with the write that names the invoice, and not before."""

    async def scene(live: Live) -> CompletedProcess[str]:
        ordering, asking = STORIES["awaiting-payment"]
        await live.play("calling", (ordering,))
        waiting = begun(kubectl, "iup/calling", "condition=ActionRequired")
        assert await in_vain(kubectl, "iup/calling", "condition=ActionRequired")
        assert not waiting.done()
        await live.take("calling", asking)
        return await waiting

    assert in_cluster(cluster, scene, UPGRADE).returncode == 0


def test_a_change_takes_ready_away_until_it_is_applied(cluster: Cluster, kubectl: Kubectl) -> None:
    """From the edit on, nobody is told Ready before the new spec serves."""

    async def scene(live: Live) -> CompletedProcess[str]:
        await live.play("changed", STORIES["ready"])
        await live.take("changed", Edit({"image": IMAGE}))
        assert await in_vain(kubectl, "changed", "condition=Ready")
        await live.take("changed", look(machine(), minute=3, software=Software(IMAGE)))
        waiting = begun(kubectl, "changed", "condition=Ready")
        assert await in_vain(kubectl, "changed", "condition=Ready")
        assert not waiting.done()
        await live.take("changed", restarted(5))
        return await waiting

    assert in_cluster(cluster, scene).returncode == 0


def test_a_change_without_effect_is_acknowledged(cluster: Cluster, kubectl: Kubectl) -> None:
    """A generation that changes nothing is waited for as well, and one write ends the waiting."""

    async def scene(live: Live) -> tuple[CompletedProcess[str], Body, Body]:
        await live.play("idle", STORIES["ready"])
        body = await live.take("idle", Edit({"healthCheck": {"intervalSeconds": 45}}))
        assert await in_vain(kubectl, "idle", "condition=Ready")
        waiting = begun(kubectl, "idle", "condition=Ready")
        moment = NOW + timedelta(minutes=3)
        visit = look(machine(), minute=3, health=report(80, at=moment))
        assert len(visit.statuses(body)) == 1
        after = await live.take("idle", visit)
        assert visit.statuses(after) == []
        return await waiting, body, after

    done, before, after = in_cluster(cluster, scene)
    assert done.returncode == 0, done
    times = [[it["lastTransitionTime"] for it in body["status"]["conditions"]] for body in (before, after)]
    assert times[0] == times[1], "nothing has turned"
    assert {it["observedGeneration"] for it in after["status"]["conditions"]} == {2}


def test_the_end_is_waited_for(cluster: Cluster, kubectl: Kubectl) -> None:
    """`--for=delete` returns when the finalizer goes, which is when the machine is gone, and not before."""

    async def scene(live: Live) -> CompletedProcess[str]:
        await live.play("leaving", STORIES["ready"])
        await live.take("leaving", Delete())
        waiting = begun(kubectl, "leaving", "delete")
        assert await in_vain(kubectl, "leaving", "delete")
        assert not waiting.done()
        await live.release("leaving")
        return await waiting

    assert in_cluster(cluster, scene).returncode == 0
