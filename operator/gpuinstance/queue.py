"""Which object is to be looked at next: wakes come in, passes come out, one at a time per object.

kopf's handlers and the passes themselves wake objects. Waking is instant and free of duplicates: an
object that is already waiting is not queued twice, and one whose pass is running runs once more
afterwards. Every object has at most one alarm, its earliest.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta

from gpuinstance.kube import Key

Pass = Callable[[Key], Awaitable[timedelta | None]]
"""Looks at one object; returns when to look again, or None to leave it to the next wake."""


class WakeQueue:
    """Runs passes for woken objects with a bounded number of workers."""

    def __init__(self, run_pass: Pass, *, workers: int) -> None:
        self._run_pass = run_pass
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._running: set[Key] = set()
        self._again: set[Key] = set()
        self._alarms: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._order = itertools.count()
        self._alarm_changed = asyncio.Event()
        self._worker_count = workers
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def depth(self) -> int:
        """How many objects wait for a worker."""
        return len(self._waiting)

    def trouble(self) -> str | None:
        """Return what is wrong with the workers, for the liveness probe; None if nothing is."""
        if self._closing:
            return "shutting down"
        dead = sum(task.done() for task in self._tasks)
        return f"{dead} of {len(self._tasks)} workers have died" if dead or not self._tasks else None

    def wake(self, key: Key, *, after: timedelta = timedelta()) -> None:
        """Look at the object now, or after a while if nothing wakes it before."""
        if self._closing:
            return
        if after > timedelta():
            self._set_alarm(key, asyncio.get_running_loop().time() + after.total_seconds())
        elif key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def forget(self, key: Key) -> None:
        """Drop the object's alarm; it is gone."""
        self._alarms.pop(key, None)
        self._again.discard(key)

    def start(self) -> None:
        """Start the workers."""
        workers = [self._work() for _ in range(self._worker_count)]
        self._tasks = [asyncio.create_task(job) for job in (self._ring(), *workers)]

    async def stop(self, *, grace: float) -> None:
        """Take no more work, let running passes finish within `grace` seconds, then cancel."""
        self._closing = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            key = await self._ready.get()
            self._waiting.discard(key)
            if self._closing:
                continue
            self._running.add(key)
            self._idle.clear()
            self._alarms.pop(key, None)
            try:
                again = await self._run_pass(key)
            finally:
                self._running.discard(key)
                if not self._running:
                    self._idle.set()
            if key in self._again:
                self._again.discard(key)
                self.wake(key)
            elif again is not None:
                self.wake(key, after=again)

    def _set_alarm(self, key: Key, when: float) -> None:
        if when >= self._alarms.get(key, float("inf")):
            return
        self._alarms[key] = when
        heapq.heappush(self._heap, (when, next(self._order), key))
        self._alarm_changed.set()

    async def _ring(self) -> None:
        """Wake objects whose alarm is due; outdated entries of the heap are skipped."""
        loop = asyncio.get_running_loop()
        while True:
            self._alarm_changed.clear()
            while self._heap and self._heap[0][0] <= loop.time():
                when, _, key = heapq.heappop(self._heap)
                if self._alarms.get(key) == when:
                    del self._alarms[key]
                    self.wake(key)
            pause = self._heap[0][0] - loop.time() if self._heap else None
            # Not `wait_for`, which starts a task: kopf's shutdown waits 5 s for tasks that it does not know.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._alarm_changed.wait()
