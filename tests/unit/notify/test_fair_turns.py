"""Namespaces do not wait for each other: what one of them has to tell, and to whom, is its own affair."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gpuinstance.notify import Subject
from tests.unit.notify.desk import Desk, destination

TIMEOUT = 20.0
"""Seconds that each delivery to a receiver takes that never answers."""


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk(seconds=TIMEOUT)
    yield desk
    desk.close()


def flood(desk: Desk, namespace: str, objects: int, *, hosts: int) -> None:
    """So many objects of a namespace have something to tell, to so many hosts that never answer."""
    for number in range(objects):
        to = destination(url=f"https://{namespace}-{number % hosts}.example/x")
        desk.carry(namespace, subject=Subject("GPUInstance", namespace, f"i-{number}", f"{namespace}-{number}"), to=to)


def told_at(desk: Desk, letter: str) -> float:
    return next(it.at for it in desk.tries if it.letter == letter)


def test_a_namespace_with_many_dead_receivers_delays_nobody(desk: Desk) -> None:
    """It may use half of what can be under way; the other half is there at once for somebody else."""
    flood(desk, "loud", 500, hosts=500)
    desk.wait(5)
    assert desk.at_once == 16
    desk.carry("quiet", subject=Subject("GPUInstance", "calm", "i", "u"), to=destination(url="https://calm.example"))
    began = desk.loop.time()
    desk.wait(TIMEOUT)
    assert told_at(desk, "quiet") - began < 1


def test_several_such_namespaces_delay_another_by_one_delivery_at_most(desk: Desk) -> None:
    """All places are taken then: whoever comes gets the next one that is free, however many wait before."""
    for name in ("a", "b", "c"):
        flood(desk, name, 300, hosts=300)
    desk.wait(5)
    assert desk.at_once == 32
    desk.carry("quiet", subject=Subject("GPUInstance", "calm", "i", "u"), to=destination(url="https://calm.example"))
    began = desk.loop.time()
    desk.wait(60)
    assert told_at(desk, "quiet") - began <= TIMEOUT + 1


def test_a_namespace_that_crowds_at_a_host_lets_others_in(desk: Desk) -> None:
    """Two teams tell the same chat server something, and one of them has a thousand notifications for it."""
    flood(desk, "loud", 1000, hosts=1)
    desk.wait(5)
    shared = destination(url="https://loud-0.example/other")
    desk.carry("quiet", subject=Subject("GPUInstance", "calm", "i", "u"), to=shared)
    began = desk.loop.time()
    desk.wait(60)
    assert told_at(desk, "quiet") - began <= TIMEOUT + 1


def test_a_place_at_a_host_is_not_held_while_its_namespace_waits_for_others(desk: Desk) -> None:
    """The namespace crowds at a host that others use, and at many that are its own: the former must not stand still."""
    flood(desk, "loud", 40, hosts=1)
    desk.wait(5)
    for number in range(500):
        to = destination(url=f"https://own-{number}.example/x")
        desk.carry("own", subject=Subject("GPUInstance", "loud", f"o-{number}", f"o-{number}"), to=to)
    for number in range(10):
        subject = Subject("GPUInstance", "calm", f"i-{number}", f"c-{number}")
        desk.carry(f"quiet-{number}", subject=subject, to=destination(url="https://loud-0.example/other"))
    began = desk.loop.time()
    desk.wait(300)
    assert told_at(desk, "quiet-0") - began <= 2 * TIMEOUT + 1
    assert told_at(desk, "quiet-9") - began <= 6 * TIMEOUT + 1


def test_all_that_waits_is_told_in_the_end(desk: Desk) -> None:
    """Turns are taken among namespaces; within one of them the first to come is the first to go."""
    desk.seconds = 1
    flood(desk, "loud", 100, hosts=100)
    flood(desk, "other", 50, hosts=3)
    desk.wait(120)
    assert desk.postman.waiting == 0
    assert desk.most_at_once <= 32
    order = [it.url for it in desk.tries if it.letter == "loud"]
    assert order == [f"https://loud-{number}.example/x" for number in range(100)]
