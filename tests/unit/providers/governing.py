"""What the tests of the governed calls share: virtual time, a note-taker, and a story-teller."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.properties.world.virtual_time import VirtualTimeLoop

Result = TypeVar("Result")


def play(story: Coroutine[Any, Any, Result]) -> Result:
    """Run a story in virtual time; one in which everybody waits for nothing fails."""
    loop = VirtualTimeLoop()
    try:
        return loop.run_until_complete(story)
    finally:
        loop.abandon()
        loop.close()


def now() -> float:
    """Return the virtual time of the running story."""
    return asyncio.get_running_loop().time()


async def settle() -> None:
    """Let everybody come as far as they can without time passing."""
    for _ in range(10):
        await asyncio.sleep(0)


class Notebook:
    """Takes note of waits and refusals."""

    def __init__(self) -> None:
        self.waits: list[tuple[str, str, float]] = []
        self.refusals: Counter[str] = Counter()

    def provider_waited(self, *, provider: str, lane: str, seconds: float) -> None:
        """A call got its turn."""
        self.waits.append((provider, lane, seconds))

    def provider_refused(self, *, provider: str, reason: str) -> None:
        """A call was not sent."""
        self.refusals[reason] += 1
