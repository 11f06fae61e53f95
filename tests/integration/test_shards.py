"""Shards are added, removed and killed while people create and delete instances: the provider's ledger tells nothing
of it. Each machine is bought once, by one of them, and each is removed once.
"""

from __future__ import annotations

import itertools
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpuinstance.core.division import Division
from tests.integration.manifests import instance
from tests.integration.pace import Pace
from tests.integration.world import SECONDS, World, until
from tests.rig.operator import Operator
from tests.rig.stack import SERVICE_ACCOUNT, Stack, await_true

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

LEASE, DEADLINE, RETRY = 4, 2.5, 0.4
SLACK = 10.0
"""Seconds that a busy machine may take for what is instant, the start of a process among it."""
SETTINGS = {
    **Pace().settings(),
    "GPUINSTANCE_LEASE_NAMESPACE": SERVICE_ACCOUNT,
    "GPUINSTANCE_LEASE_SECONDS": str(LEASE),
    "GPUINSTANCE_LEASE_DEADLINE_SECONDS": str(DEADLINE),
    "GPUINSTANCE_LEASE_RETRY_SECONDS": str(RETRY),
}
_rooms = itertools.count(1)
_COUNTED = re.compile(r"^gpuinstance_instances\{.*\} (\d+)\.0$", re.MULTILINE)


class Shards:
    """One process for each shard, as the Deployments of the chart run them."""

    def __init__(self, stack: Stack, directory: Path) -> None:
        self._stack = stack
        self._directory = directory
        self._started = 0
        self.running: dict[Division, Operator] = {}

    def start(self, *divisions: Division) -> None:
        """Start a process for each, without waiting for anything."""
        for division in divisions:
            self._started += 1
            env = {
                **self._stack.operator.child.env,
                **SETTINGS,
                "KUBECONFIG": str(self._stack.operator_kubeconfig()),
                "GPUINSTANCE_SHARD": str(division.index),
                "GPUINSTANCE_SHARDS": str(division.count),
            }
            operator = Operator(sys.executable, self._directory, env, f"shard-{division}-{self._started}")
            operator.start()
            self.running[division] = operator

    def leading(self, *divisions: Division) -> None:
        """Wait until all of these hold their Leases."""
        for division in divisions:
            operator = self.running[division]
            await_true(lambda it=operator: it.leads, operator.child, SECONDS)  # type: ignore[misc]

    def leave(self, division: Division) -> None:
        """End it as a Deployment does that is scaled down."""
        assert self.running.pop(division).stop() == 0

    def kill(self, division: Division) -> None:
        """End it as a node does that is lost."""
        self.running.pop(division).kill()

    def counted(self) -> list[int]:
        """Return how many instances each shows as its own."""
        return [sum(map(int, _COUNTED.findall(it.metrics()))) for it in self.running.values()]

    def stop(self) -> None:
        """End them all."""
        for operator in self.running.values():
            operator.kill()


@pytest.fixture
def shards(stack: Stack, tmp_path: Path) -> Iterator[Shards]:
    """Shards in place of the one operator of the stack, with its rights; it comes back afterwards."""
    stack.operator.stop()
    shards = Shards(stack, tmp_path)
    try:
        yield shards
    finally:
        shards.stop()
        stack.start_operator()
    for log in tmp_path.glob("*.log"):
        assert "Traceback" not in log.read_text(), log.name


@pytest.fixture
def room(stack: Stack, shards: Shards) -> Iterator[World]:
    """A namespace for one test, with shards at work."""
    assert shards.running == {}
    namespace = f"shards-{next(_rooms)}"
    stack.create_namespace(namespace)
    room = World(stack, namespace)
    yield room
    room.kubectl("delete", "gpui", "--all", "--wait=false")


def all_of(count: int) -> list[Division]:
    return [Division(index, count) for index in range(count)]


class Users:
    """People who create and delete instances all the while."""

    def __init__(self, room: World) -> None:
        self.room = room
        self.living: list[str] = []
        self.gone: list[str] = []

    def create(self, step: str) -> None:
        """Apply five instances."""
        names = [f"{step}-{number}" for number in range(5)]
        self.room.apply(*(instance(name) for name in names))
        self.living.extend(names)

    def remove(self, *names: str) -> None:
        """Delete instances, without waiting for it."""
        self.room.kubectl("delete", "gpui", *names, "--wait=false")
        self.living = [it for it in self.living if it not in names]
        self.gone.extend(names)

    def assert_served(self) -> None:
        """Whatever they wanted has come true, once."""
        self.room.ready(*self.living)
        for name in self.gone:
            self.room.kubectl("wait", "gpui", name, "--for=delete", "--timeout=60s")
        for name in self.living:
            assert self.room.done(name) == Counter(create=1), name
        for name in self.gone:
            done = self.room.done(name)
            # It may have been deleted before a machine was bought.
            assert done in (Counter(create=1, delete=1), Counter()), f"{name}: {done}"


def test_machines_are_bought_once_while_shards_come_and_go(shards: Shards, room: World) -> None:
    """From one leader to three, one of which is killed, to two; instances are created and deleted all the while."""
    one, three, two, users = all_of(1), all_of(3), all_of(2), Users(room)
    shards.start(*one)
    users.create("alone")
    shards.leading(*one)
    room.ready(*users.living)
    assert shards.counted() == [5]

    shards.start(*three)
    users.create("added")
    shards.leading(*three)
    users.remove("alone-0", "added-0")
    shards.leave(*one)
    users.create("divided")
    room.ready(*users.living)
    until(lambda: sum(shards.counted()) == len(users.living), "each instance is one shard's")
    assert all(shards.counted()), "the objects are divided, not given to one"

    users.create("killing")
    shards.kill(three[1])
    killed = time.monotonic()
    users.remove("alone-1", "alone-2", "divided-0")
    shards.start(three[1])
    users.create("killed")
    shards.leading(three[1])
    assert time.monotonic() - killed < LEASE + 2.2 * RETRY + SLACK, "it waits for a lease, and the others do not"
    room.ready(*users.living)

    shards.start(*two)
    users.create("fewer")
    shards.leading(*two)
    shards.kill(three[0])
    shards.leave(three[2])
    users.remove("fewer-0", "killing-0")
    shards.kill(three[1])
    users.create("last")
    users.assert_served()
    until(lambda: sum(shards.counted()) == len(users.living), "each instance is one shard's")
    assert all(it.alive and it.ready for it in shards.running.values())


def test_a_shard_forgets_what_another_one_has_released(shards: Shards, room: World) -> None:
    """kopf holds back the end of an object from whoever waits for its release; it is noticed all the same."""
    shards.start(*all_of(2))
    shards.leading(*all_of(2))
    names = [f"passing-{number}" for number in range(4)]
    room.apply(*(instance(name) for name in names))
    room.ready(*names)
    room.kubectl("delete", "gpui", *names, "--timeout=60s")
    for name in names:
        assert room.done(name) == Counter(create=1, delete=1)
    # The same names again, as other objects: nobody believes that they are the ones that went.
    room.apply(*(instance(name) for name in names))
    room.ready(*names)
    for name in names:
        assert room.done(name) == Counter(create=2, delete=1)
