"""An event loop whose time jumps: waiting takes no time, and nothing ever waits for real.

Where a usual loop would sleep until the next timer, this one sets its clock to that timer. Everything
that takes its time from the loop (sleeps, timeouts, retries) runs unchanged, in order, at once.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any


class _JumpingSelector(selectors.SelectSelector):
    """Never blocks: it moves the time forward by as much as it was told to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits for something that nobody will do")
        self.now += max(timeout, 0.0)
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop that starts at time 0 and jumps from timer to timer."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.now

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass, and whatever is due in it happen."""
        self.run_until_complete(asyncio.sleep(seconds))

    def abandon(self) -> None:
        """End all tasks, as the death of a process would."""
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()

        async def gather() -> list[Any]:
            return await asyncio.gather(*tasks, return_exceptions=True)

        self.run_until_complete(gather())
