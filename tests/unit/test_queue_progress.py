"""Rest and standstill look the same from outside; the queue tells them apart."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from gpuinstance.kube import Key
from gpuinstance.queue import LONGEST_PASS_SECONDS, STALL_SECONDS, WakeQueue
from tests.unit.leading.cluster import in_virtual_time

A, B = (Key("default", name, f"uid-of-{name}") for name in "ab")


class Passes:
    """Passes that last as long as a test wants, each object's own time."""

    def __init__(self, *, workers: int = 2) -> None:
        self.lasting: dict[Key, float] = {}
        self.queue = WakeQueue(self._pass, workers=workers)
        self.queue.start()

    async def _pass(self, key: Key) -> timedelta | None:
        await asyncio.sleep(self.lasting.get(key, 1))
        return None


@in_virtual_time
async def test_rest_is_no_standstill() -> None:
    """Nothing to do for an hour, then a wake: the clock of the standstill begins there."""
    passes = Passes()
    await asyncio.sleep(3600)
    assert passes.queue.standstill() == 0
    passes.lasting[A] = 30
    passes.queue.wake(A)
    await asyncio.sleep(10)
    assert passes.queue.standstill() == 10
    assert passes.queue.trouble() is None
    await asyncio.sleep(30)
    assert passes.queue.standstill() == 0


@in_virtual_time
async def test_work_without_an_end_is_trouble() -> None:
    """Every worker hangs and objects wait: only a restart helps."""
    passes = Passes(workers=1)
    passes.lasting[A] = 10 * STALL_SECONDS
    passes.queue.wake(A)
    passes.queue.wake(B)
    await asyncio.sleep(STALL_SECONDS - 1)
    assert passes.queue.trouble() is None
    await asyncio.sleep(2)
    assert passes.queue.trouble() == "no pass has ended for 601 s: 1 run, 1 wait"


@in_virtual_time
async def test_a_pass_that_hangs_among_others_is_trouble_later() -> None:
    """The others go on, so it takes longer to be sure."""
    passes = Passes()
    passes.lasting[A] = 10 * LONGEST_PASS_SECONDS
    passes.queue.wake(A)
    for _ in range(int(LONGEST_PASS_SECONDS / 100)):
        passes.queue.wake(B)
        await asyncio.sleep(100)
        assert passes.queue.trouble() is None
    passes.queue.wake(B)
    await asyncio.sleep(2)
    assert passes.queue.trouble() == "a pass has not ended for 1802 s"


@in_virtual_time
async def test_each_object_has_a_last_look() -> None:
    """Counted from the end of its last pass; a forgotten object leaves no trace, also if its pass still ran."""
    passes = Passes()
    assert passes.queue.unseen_for(A) is None
    passes.queue.wake(A)
    await asyncio.sleep(0.5)
    assert passes.queue.unseen_for(A) == 0
    await asyncio.sleep(10)
    assert passes.queue.unseen_for(A) == 9.5
    passes.queue.forget(A)
    assert passes.queue.unseen_for(A) is None
    passes.queue.wake(B)
    await asyncio.sleep(0.5)
    passes.queue.forget(B)
    await asyncio.sleep(10)
    assert passes.queue.unseen_for(B) is None
    passes.queue.wake(B)
    await asyncio.sleep(5)
    assert passes.queue.unseen_for(B) == 4
