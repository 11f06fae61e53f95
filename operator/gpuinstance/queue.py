"""Which object is to be looked at next: wakes come in, passes come out, one at a time per object.

kopf's handlers and the passes themselves wake objects. Waking is instant and free of duplicates: an
object that is already waiting is not queued twice, and one whose pass is running runs once more
afterwards. Every object has at most one alarm, its earliest. The queue knows when each object was last
looked at, so that standstill can be told from rest.
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


STALL_SECONDS = 600.0
"""Every call of a pass is bounded in time; where objects wait and no pass ends for so long, none will."""

_MOST_OUTDATED = 1000
"""Entries of the heap that may stand for nothing before they are cleared away."""

LONGEST_PASS_SECONDS = 1800.0
"""No chain of bounded calls takes so long: the pass hangs, and its object is forgotten in it."""


class WakeQueue:
    """Runs passes for woken objects with a bounded number of workers."""

    def __init__(self, run_pass: Pass, *, workers: int) -> None:
        self._run_pass = run_pass
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._running: dict[Key, float] = {}
        """When the pass has begun."""
        self._looked: dict[Key, float] = {}
        """When the last pass has ended."""
        self._gone: set[Key] = set()
        """Forgotten during a pass, which then leaves no trace."""
        self._moved_at = 0.0
        """When a pass has ended, or the queue has got something to do."""
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
        if dead or not self._tasks:
            return f"{dead} of {len(self._tasks)} workers have died"
        now = asyncio.get_running_loop().time()
        if (still := self.standstill()) > STALL_SECONDS:
            return f"no pass has ended for {still:.0f} s: {len(self._running)} run, {self.depth} wait"
        longest = now - min(self._running.values(), default=now)
        return f"a pass has not ended for {longest:.0f} s" if longest > LONGEST_PASS_SECONDS else None

    def standstill(self) -> float:
        """Return for how many seconds there has been work and no pass has ended; 0 at rest."""
        busy = self._running or self._waiting
        return asyncio.get_running_loop().time() - self._moved_at if busy else 0.0

    def unseen_for(self, key: Key) -> float | None:
        """Return the seconds since the object's last pass has ended; 0 during a pass, None before the first."""
        if key in self._running:
            return 0.0
        looked = self._looked.get(key)
        return None if looked is None else asyncio.get_running_loop().time() - looked

    def wake(self, key: Key, *, after: timedelta = timedelta()) -> None:
        """Look at the object now, or after a while if nothing wakes it before."""
        if self._closing:
            return
        if after > timedelta():
            self._set_alarm(key, asyncio.get_running_loop().time() + after.total_seconds())
        elif key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            if not self._running and not self._waiting:
                self._moved_at = asyncio.get_running_loop().time()
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def has_seen(self, key: Key, *, within: float) -> bool:
        """Whether a pass over the object goes on, or has ended within so many seconds."""
        unseen = self.unseen_for(key)
        return unseen is not None and unseen <= within

    def forget(self, key: Key) -> None:
        """Drop the object's alarm; it is gone."""
        self._alarms.pop(key, None)
        self._again.discard(key)
        self._looked.pop(key, None)
        if key in self._running:
            self._gone.add(key)

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
        now = asyncio.get_running_loop().time
        while True:
            key = await self._ready.get()
            self._waiting.discard(key)
            if self._closing:
                continue
            self._running[key] = now()
            self._idle.clear()
            self._alarms.pop(key, None)
            try:
                again = await self._run_pass(key)
            finally:
                del self._running[key]
                self._moved_at = now()
                if key in self._gone:
                    self._gone.discard(key)
                else:
                    self._looked[key] = self._moved_at
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
        if len(self._heap) > 2 * len(self._alarms) + _MOST_OUTDATED:
            # Alarms that are days away are set anew by each pass before; what they replace would stay for days.
            self._heap = [entry for entry in self._heap if self._alarms.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)
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
