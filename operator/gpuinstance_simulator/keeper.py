"""Keeps the listening sockets of simulated applications in step with the world, as virtual time passes.

What a door is differs: a number on one host, or an address of the machine's own. The faces choose; `server`
runs `keep` beside the HTTP server, and whoever changes the world calls `wake`.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable

from gpuinstance_simulator.apps import App, Apps
from gpuinstance_simulator.cloud import Cloud
from gpuinstance_simulator.machine import Machine

_SHORTEST_PAUSE = 0.02
"""Real seconds: however fast virtual time runs, the keeper leaves the processor to others."""


class DoorKeeper(ABC):
    """Opens a door when its application answers, closes it when it does not."""

    def __init__(self, cloud: Cloud, apps: Apps) -> None:
        self._cloud = cloud
        self._apps = apps
        self._changed = asyncio.Event()

    @abstractmethod
    def address(self, machine: Machine, port: int) -> str:
        """`host:port` where this port of a running machine is published."""

    @abstractmethod
    async def settle(self) -> None:
        """Open and close doors until they match the world of this moment."""

    @abstractmethod
    async def close(self) -> None:
        """Close everything."""

    @abstractmethod
    def watched(self) -> Iterable[App]:
        """The applications on which a door may depend; empty while nothing can change by itself."""

    def wake(self) -> None:
        """Something may have changed; the keeper looks soon."""
        self._changed.set()

    async def keep(self) -> None:
        """Keep the doors matching the world, for ever."""
        forget = self._cloud.clock.subscribe(self.wake)
        try:
            while True:
                self._changed.clear()
                await self.settle()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause()):
                        await self._changed.wait()
        finally:
            forget()

    def _pause(self) -> float | None:
        """Real seconds until the world may differ by itself; None: not before somebody wakes us."""
        speed, apps = self._cloud.clock.speed, list(self.watched())
        if not apps or not speed:
            return None
        times = [it.answers_from for it in apps if it.answers_from is not None]
        due = self._cloud.engine.agenda.next()
        if due is not None:
            times.append(due)
        if not times:
            return None
        return max(_SHORTEST_PAUSE, (min(times) - self._cloud.clock.now()) / speed)
