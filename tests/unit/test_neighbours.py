"""How the instances of a namespace are, before one of them is helped."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import Outcome, PowerState
from gpuinstance.core.model import MachineState
from gpuinstance.core.snapshot import Neighbours
from gpuinstance.kube import Body
from gpuinstance.neighbours import count_neighbours
from tests.builders import instance
from tests.materials import UID, machine
from tests.unit.observed_world import World


def body(
    name: str, reason: Reason | None = Reason.READY, *, namespace: str = "default", gone: bool = False, **spec: Any
) -> Body:
    """Return an object as the watch shows it."""
    uid = UID if name == "trainer" else f"uid-of-{name}"
    metadata = {"name": name, "namespace": namespace, "uid": uid}
    conditions = [{"type": "Synced", "reason": "InstanceExited"}, {"type": "Ready", "reason": reason}]
    status = {"conditions": conditions} if reason is not None else {"observedGeneration": -1}
    return {"metadata": metadata | ({"deletionTimestamp": "now"} if gone else {}), "spec": spec, "status": status}


WELL, ILL = body("well"), body("ill", Reason.HEALTH_CHECK_FAILED)
NEIGHBOURHOODS: dict[str, tuple[list[Body], Neighbours]] = {
    "it is alone": ([], Neighbours(1, 1)),
    "one is well, one is not": ([WELL, ILL], Neighbours(3, 2)),
    "one that nobody has seen yet is not in trouble": ([body("new", None)], Neighbours(2, 1)),
    "one that comes up is not in trouble": ([body("new", Reason.HEALTH_CHECKING)], Neighbours(2, 1)),
    "one that shall be down does not count": (
        [WELL, body("down", Reason.STOPPED, powerState=PowerState.STOPPED)],
        Neighbours(2, 1),
    ),
    "one that has served does not count": (
        [WELL, {**body("old", Reason.EXPIRED), "status": {"outcome": Outcome.STOPPED}}],
        Neighbours(2, 1),
    ),
    "one that is suspended does not count": ([body("held", Reason.INSTANCE_EXITED, suspend=True)], Neighbours(1, 1)),
    "one that is being deleted does not count": ([body("going", Reason.INSTANCE_LOST, gone=True)], Neighbours(1, 1)),
    "another namespace does not count": (
        [body("far", Reason.INSTANCE_LOST, namespace="other"), body("trainer", namespace="other")],
        Neighbours(1, 1),
    ),
}


@pytest.mark.parametrize(("others", "expected"), NEIGHBOURHOODS.values(), ids=NEIGHBOURHOODS)
def test_how_the_neighbours_are(others: list[Body], expected: Neighbours) -> None:
    """The one that asks is in trouble, also if its status still says Ready, as when it has just exited."""
    asking = instance().running().build().metadata
    assert count_neighbours([body("trainer"), *others], asking) == expected


TROUBLE = {
    Reason.HEALTH_CHECK_FAILED,
    Reason.INSTANCE_EXITED,
    Reason.INSTANCE_FAILED,
    Reason.INSTANCE_LOST,
    Reason.CREATE_TIMED_OUT,
    Reason.START_TIMED_OUT,
    Reason.RECOVERING,
    Reason.RECOVERY_HELD,
    Reason.RESTARTING,
    Reason.RECREATING,
    Reason.REBUILDING,
}


@pytest.mark.parametrize("reason", Reason)
def test_which_reasons_are_trouble(reason: Reason) -> None:
    """What may have a common cause, and what is being helped; not what a person wants or the market refuses."""
    asking = instance().running().build().metadata
    assert count_neighbours([body("trainer"), body("other", reason)], asking).in_trouble == 1 + (reason in TROUBLE)


async def test_recovery_asks_how_the_neighbours_are() -> None:
    """Two of three are in trouble: what exited is not started."""
    world = World(machine(state=MachineState.STOPPED))
    world.known = [body("trainer"), WELL, ILL]
    exited = instance().serving(80).with_spec(recovery={"policy": "Restart"})
    look = await world.look(exited)
    assert look.snapshot.neighbours == Neighbours(3, 2)
    assert look.decision.status.conditions[0].reason == Reason.RECOVERY_HELD
    world.known = [body("trainer"), WELL, body("ill", Reason.READY)]
    assert (await world.look(exited)).decision.action is not None
