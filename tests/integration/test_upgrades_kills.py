"""SIGKILL at every boundary of a paid upgrade: never a second order, never a second charge, never half a server.

Each run has three upgrades, one that is about to be ordered, one to be applied, one to be confirmed, and one kill
that meets all three at the same moment of their calls. The provider holds those calls until it has come. Where
the dead operator's request takes effect later, the next one has looked around by then: whoever does not know that
it does not know pays twice. The ledger is the judge.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from tests.integration.manifests import serving, upgrade
from tests.integration.pace import Pace, paced
from tests.integration.saga import PAID_AND_DONE, Saga, Yard
from tests.integration.world import World, until
from tests.rig.stack import Stack

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SEED = int(os.environ.get("KILL_SEED", "20260131"))
SETTLE = 9.0
"""Seconds: longer than what is late takes to arrive."""
RESIZE = 20.0
"""Seconds: longer than a resize, and than what is late. An apply without any effect is repeated only after this."""
HELD, LATE = 6.0, 4.0
"""Seconds for which a call is held, and after which a late one arrives: time to kill, and to come back."""


@pytest.fixture(scope="module", autouse=True)
def patient_operator(stack: Stack) -> Iterator[None]:
    """The settle window is longer than the calls of this module last."""
    with paced(stack, Pace(settle=SETTLE, resize=RESIZE)):
        yield


class Three(NamedTuple):
    """Upgrades, each about to make its next call."""

    ordering: Saga
    applying: Saga
    confirming: Saga


@pytest.fixture
def three(saga: Saga, yard: Yard) -> Three:
    """The first is not applied yet, the second waits for payment, the third for a confirmation."""
    sagas = Three(saga, Saga(yard, yard.take()), Saga(yard, yard.take()))
    yard.apply(sagas.applying.manifest(), sagas.confirming.manifest(confirmation="Manual"))
    for waiting in sagas[1:]:
        waiting.reason("AwaitingPayment")
    sagas.confirming.pay()
    sagas.confirming.reason("AwaitingConfirmation")
    return sagas


def go_on(three: Three) -> None:
    """Let all three make their next call, at the same time."""
    with ThreadPoolExecutor() as pool:
        steps = (three.ordering.apply, three.applying.pay, lambda: three.confirming.edit(confirm=True))
        for done in [pool.submit(step) for step in steps]:
            done.result()


def finish(three: Three) -> None:
    """All three end as if nothing had happened, each with one order, one charge, one change."""
    three.ordering.reason("AwaitingPayment")
    three.ordering.pay()
    for saga in three:
        saga.ended("Succeeded", "Completed")
        assert saga.books() == PAID_AND_DONE
        assert (saga.plan(), saga.world.machine(saga.server)["state"]) == ("403", "active")


def plant(world: World, server: str, operation: str, effect: dict[str, Any]) -> str:
    """Hold the next such call about this server; return the id of the fault."""
    name = f"{operation}-{server}"
    world.fault(effect, server, operation=operation, id=name)
    return name


def kill_when_struck(world: World, *faults: str) -> None:
    """Kill the operator when each of these calls has arrived at the provider; start the next one."""

    def arrived() -> bool:
        return all(it["hits"] for it in world.simulator.ask("faults") if it["id"] in faults)

    until(arrived, f"the provider has met {faults}", pause=0.01)
    world.stack.operator.kill()
    world.stack.start_operator()


CALLS, LOOKS = ("order", "apply", "confirm"), ("products", "check_order", "get")
MOMENTS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "looking, and nothing sent yet": (LOOKS, {"kind": "delay", "when": "after", "seconds": HELD}),
    "sent, and it never arrives": (CALLS, {"kind": "hang", "when": "before", "seconds": HELD}),
    "sent, and it arrives late": (CALLS, {"kind": "delay", "when": "before", "seconds": LATE}),
    "accepted, the answer is on its way": (CALLS, {"kind": "delay", "when": "after", "seconds": HELD}),
    "accepted, and the answer is lost": (CALLS, {"kind": "drop", "when": "after"}),
}
"""By name: the calls of the three upgrades that are held, and how."""


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_at_a_boundary(three: Three, moment: str) -> None:
    """Fifteen boundaries: what was begun is finished once, whatever was known when the process died."""
    world, (operations, effect) = three.ordering.world, MOMENTS[moment]
    held = [plant(world, it.server, operation, effect) for it, operation in zip(three, operations, strict=True)]
    go_on(three)
    kill_when_struck(world, *held)
    finish(three)


def test_a_kill_after_the_answers_were_saved(three: Three) -> None:
    """The provider's time stands still: everything was accepted, written down, and nothing has happened yet."""
    world = three.ordering.world
    world.simulator.tell("clock", {"speed": 0})
    try:
        go_on(three)
        three.ordering.reason("AwaitingPayment")
        for saga, call in ((three.applying, "Apply"), (three.confirming, "Confirm")):
            world.wait(saga.reference, f"jsonpath={{.status.call.type}}={call}")
            world.wait(saga.reference, "jsonpath={.status.call.phase}=accepted")
        world.stack.operator.kill()
        world.stack.start_operator()
    finally:
        world.simulator.tell("clock", {"speed": Pace().speed})
    finish(three)


@pytest.mark.parametrize("number", [pytest.param(number, id=f"seed-{SEED}-{number}") for number in range(2)])
def test_a_kill_at_any_moment(three: Three, number: int) -> None:
    """After so many requests to provider and API server, wherever the seed puts it; KILL_SEED sets another."""
    world, chance = three.ordering.world, random.Random(f"{SEED}-{number}")
    calls, since, count = int(world.simulator.ask("calls")["total"]), world.now(), chance.randrange(5, 60)
    go_on(three)
    until(
        lambda: int(world.simulator.ask("calls")["total"]) - calls + len(world.writes(since)) >= count,
        f"{count} requests were made",
        pause=0.01,
    )
    world.stack.operator.kill()
    world.stack.start_operator()
    finish(three)


def test_a_kill_while_novita_changes_a_machine(world: World) -> None:
    """A disk grows by what was asked for, and not by it twice; a reset happens once. There is no order to look up."""
    world.apply(serving())
    world.ready("trainer")
    targets = {"disk": {"rootfsExpandGB": 20}, "image": {"image": {"image": "docker.io/library/nginx:1.28"}}}
    for (name, target), operation in zip(targets.items(), ("edit", "upgrade"), strict=True):
        held = plant(world, "trainer", operation, {"kind": "delay", "when": "after", "seconds": HELD})
        world.apply(upgrade(name, "trainer", target=target))
        kill_when_struck(world, held)
        Saga(world, "trainer", name).ended("Succeeded", "Completed")
    assert world.machine("trainer")["rootfs_gb"] == 80
    assert world.done("trainer") == {"create": 1, "edit": 1, "upgrade": 1}
