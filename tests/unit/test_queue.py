"""Wakes come in, passes come out: one at a time for each object, none lost, none for nothing."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, ParamSpec

import pytest

from gpuinstance.kube import Key
from gpuinstance.queue import WakeQueue
from tests.properties.world.virtual_time import VirtualTimeLoop

A, B, C = (Key("default", name, f"uid-of-{name}") for name in "abc")


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


class Bench:
    """A queue whose passes last as long as a test wants, in a time that takes no time."""

    def __init__(self, *, workers: int = 3, lasting: float = 0, again: timedelta | None = None) -> None:
        self.queue = WakeQueue(self._pass, workers=workers)
        self.begun: list[tuple[float, Key]] = []
        self.ended: list[tuple[float, Key]] = []
        self.lasting = lasting
        self.again = again
        self.running: list[Key] = []
        self.most_at_once = 0
        self.error: BaseException | None = None
        self.queue.start()

    async def _pass(self, key: Key) -> timedelta | None:
        now = asyncio.get_running_loop().time
        assert key not in self.running, "two passes over one object at a time"
        self.begun.append((now(), key))
        self.running.append(key)
        self.most_at_once = max(self.most_at_once, len(self.running))
        try:
            await asyncio.sleep(self.lasting)
            if self.error is not None:
                raise self.error
        finally:
            self.running.remove(key)
        self.ended.append((now(), key))
        return self.again


Args = ParamSpec("Args")


def in_virtual_time(story: Callable[Args, Coroutine[Any, Any, None]]) -> Callable[Args, None]:
    """Run an asynchronous test in a loop where sleeping lets time pass and takes none."""

    @functools.wraps(story)
    def run(*args: Args.args, **kwargs: Args.kwargs) -> None:
        loop = VirtualTimeLoop()
        try:
            loop.run_until_complete(story(*args, **kwargs))
        finally:
            loop.abandon()
            loop.close()

    return run


@in_virtual_time
async def test_who_was_seen_lately() -> None:
    """A poll need not look at what something else looks at, or has looked at a moment ago."""
    bench = Bench(lasting=5)
    assert not bench.queue.has_seen(A, within=50), "never"
    bench.queue.wake(A)
    await asyncio.sleep(1)
    assert bench.queue.has_seen(A, within=0), "now"
    await asyncio.sleep(54)
    assert bench.queue.has_seen(A, within=50), "50 s ago"
    await asyncio.sleep(1)
    assert not bench.queue.has_seen(A, within=50), "51 s ago"


@in_virtual_time
async def test_a_woken_object_is_looked_at_once() -> None:
    """However often it is woken before its turn comes."""
    bench = Bench()
    for _ in range(100):
        bench.queue.wake(A)
    bench.queue.wake(B)
    assert bench.queue.depth == 2
    await asyncio.sleep(1000)
    assert [key for _, key in bench.begun] == [A, B]
    assert bench.queue.depth == 0


@in_virtual_time
async def test_a_wake_during_a_pass_is_not_lost() -> None:
    """What happened meanwhile may not have been seen: one more pass follows, and only one."""
    bench = Bench(lasting=10)
    bench.queue.wake(A)
    await asyncio.sleep(1)
    for _ in range(5):
        bench.queue.wake(A)
    await asyncio.sleep(1000)
    assert bench.begun == [(0, A), (10, A)]


@in_virtual_time
async def test_a_wake_during_a_pass_does_not_wait_for_what_the_pass_asks() -> None:
    """It is answered at once, also where the pass would look again only later."""
    bench = Bench(lasting=10, again=seconds(600))
    bench.queue.wake(A)
    await asyncio.sleep(1)
    bench.queue.wake(A)
    await asyncio.sleep(30)
    assert bench.begun == [(0, A), (10, A)]


@in_virtual_time
async def test_different_objects_are_looked_at_side_by_side() -> None:
    """As many as there are workers, the others in the order of their wakes."""
    bench = Bench(workers=2, lasting=10)
    for key in (A, B, C):
        bench.queue.wake(key)
    await asyncio.sleep(1)
    assert bench.queue.depth == 1
    await asyncio.sleep(100)
    assert bench.begun == [(0, A), (0, B), (10, C)]
    assert bench.most_at_once == 2


@in_virtual_time
async def test_a_pass_says_when_to_look_again() -> None:
    """Its answer is a pause from its end; None leaves it to the next wake."""
    bench = Bench(lasting=1, again=seconds(30))
    bench.queue.wake(A)
    await asyncio.sleep(70)
    assert bench.begun == [(0, A), (31, A), (62, A)]
    bench.again = None
    await asyncio.sleep(1000)
    assert len(bench.begun) == 4


# ------------------------------------------------------------------------------------------------------ alarms

ALARMS: dict[str, tuple[list[float], list[float]]] = {
    "one": ([30], [30]),
    "a later one is dropped for an earlier": ([30, 60], [30]),
    "an earlier one takes the place of a later": ([60, 30], [30]),
    "the earliest of many, in any order": ([50, 20, 40, 10, 30], [10]),
    "at once, and the alarm is spent": ([30, 0], [0]),
}


@pytest.mark.parametrize(("spans", "expected"), ALARMS.values(), ids=ALARMS)
@in_virtual_time
async def test_an_object_has_one_alarm_its_earliest(spans: list[float], expected: list[float]) -> None:
    """Any number of them costs one pass, and what it has replaced never rings."""
    bench = Bench()
    for span in spans:
        bench.queue.wake(A, after=seconds(span))
    await asyncio.sleep(1000)
    assert [when for when, _ in bench.begun] == expected


@in_virtual_time
async def test_a_wake_before_the_alarm_spends_it() -> None:
    """The pass that comes of it says itself when to look again."""
    bench = Bench()
    bench.queue.wake(A, after=seconds(60))
    await asyncio.sleep(20)
    bench.queue.wake(A)
    bench.again = seconds(100)
    await asyncio.sleep(1)
    bench.again = None
    await asyncio.sleep(1000)
    assert bench.begun == [(20, A), (120, A)]


@in_virtual_time
async def test_alarms_of_different_objects_do_not_touch_each_other() -> None:
    """They ring in the order of their times, also those set while another is waited for."""
    bench = Bench()
    bench.queue.wake(A, after=seconds(60))
    bench.queue.wake(B, after=seconds(20))
    await asyncio.sleep(10)
    bench.queue.wake(C, after=seconds(5))
    bench.queue.wake(A, after=seconds(40))
    await asyncio.sleep(1000)
    assert bench.begun == [(15, C), (20, B), (50, A)]


@in_virtual_time
async def test_an_alarm_set_during_a_pass_stays() -> None:
    """The pass does not know of it, so that it cannot answer it; the earlier of both rings."""
    bench = Bench(lasting=10, again=seconds(300))
    bench.queue.wake(A)
    await asyncio.sleep(5)
    bench.queue.wake(A, after=seconds(45))
    bench.again = None
    await asyncio.sleep(1000)
    assert bench.begun == [(0, A), (50, A)]


@in_virtual_time
async def test_an_alarm_that_rings_during_a_pass_is_a_wake() -> None:
    """One more pass follows at once."""
    bench = Bench(lasting=10)
    bench.queue.wake(A)
    await asyncio.sleep(1)
    bench.queue.wake(A, after=seconds(2))
    await asyncio.sleep(1000)
    assert bench.begun == [(0, A), (10, A)]


@in_virtual_time
async def test_a_forgotten_object_is_left_alone() -> None:
    """Neither its alarm nor a wake during its last pass brings it back; another's stays."""
    bench = Bench(lasting=10)
    bench.queue.wake(A)
    bench.queue.wake(B, after=seconds(60))
    await asyncio.sleep(1)
    bench.queue.wake(A)
    bench.queue.wake(A, after=seconds(60))
    bench.queue.forget(A)
    await asyncio.sleep(1000)
    assert bench.begun == [(0, A), (60, B)]


# -------------------------------------------------------------------------------------------------- end and trouble


@in_virtual_time
async def test_stopping_waits_for_running_passes() -> None:
    """A call in flight gets its record; what only waits for its turn is left to the next process."""
    bench = Bench(workers=1, lasting=10)
    bench.queue.wake(A)
    bench.queue.wake(B)
    bench.queue.wake(C, after=seconds(5))
    await asyncio.sleep(1)
    await bench.queue.stop(grace=30)
    assert asyncio.get_running_loop().time() == 10
    assert bench.ended == [(10, A)]
    await asyncio.sleep(1000)
    assert bench.begun == [(0, A)]


@in_virtual_time
async def test_stopping_waits_no_longer_than_its_grace() -> None:
    """Then the pass is cancelled, as a crash would end it."""
    bench = Bench(lasting=1000)
    bench.queue.wake(A)
    await asyncio.sleep(1)
    await bench.queue.stop(grace=30)
    assert asyncio.get_running_loop().time() == 31
    assert (bench.ended, bench.running) == ([], [])


@in_virtual_time
async def test_at_rest_stopping_takes_no_time() -> None:
    """Nothing runs, so nothing is waited for; wakes that come too late are ignored."""
    bench = Bench(again=seconds(60))
    bench.queue.wake(A)
    await asyncio.sleep(1)
    await bench.queue.stop(grace=30)
    assert asyncio.get_running_loop().time() == 1
    bench.queue.wake(B)
    bench.queue.wake(B, after=seconds(1))
    assert bench.queue.depth == 0
    await asyncio.sleep(1000)
    assert bench.begun == [(0, A)]
    assert bench.queue.trouble() == "shutting down"


@in_virtual_time
async def test_a_dead_worker_is_trouble() -> None:
    """A pass never raises; if one does, liveness fails rather than objects wait for ever."""
    bench = Bench(workers=2, lasting=1)
    assert bench.queue.trouble() is None
    bench.error = RuntimeError("a bug")
    bench.queue.wake(A)
    await asyncio.sleep(2)
    assert bench.queue.trouble() == "1 of 3 workers have died"
    bench.error = None
    bench.queue.wake(A)
    await asyncio.sleep(2)
    assert bench.ended == [(3, A)], "the others go on, also with that object"
    await bench.queue.stop(grace=1)


def test_a_queue_that_was_never_started_is_trouble() -> None:
    """Nobody would work on anything."""

    async def never(key: Key) -> None:
        raise AssertionError(key)

    assert WakeQueue(never, workers=2).trouble() == "0 of 0 workers have died"


@in_virtual_time
async def test_ten_thousand_objects_are_each_looked_at() -> None:
    """Woken all at once and again by their alarms, with more of them than workers."""
    bench = Bench(workers=50, lasting=0.01, again=seconds(60))
    keys = [Key("default", str(number), str(number)) for number in range(10_000)]
    for key in keys:
        bench.queue.wake(key)
    await asyncio.sleep(30)
    assert [key for _, key in bench.begun] == keys
    await asyncio.sleep(60)
    assert len(bench.begun) == 20_000
    assert bench.most_at_once == 50


@in_virtual_time
async def test_alarms_that_are_days_away_do_not_pile_up() -> None:
    """Each pass sets the alarm anew, as for an instance that expires in a week and is polled each minute."""
    bench = Bench(workers=1, again=seconds(7 * 86_400))
    for _ in range(5_000):
        bench.queue.wake(A)
        await asyncio.sleep(60)
    assert len(bench.begun) == 5_000
    assert len(bench.queue._heap) < 2_000
