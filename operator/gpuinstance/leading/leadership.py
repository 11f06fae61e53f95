"""What the rest of the process knows about its right to act: the contract, and the case without opponents.

Asked by everybody who acts or reports, through `holds_now` and `leads`; carried through by `term`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from gpuinstance.core.division import Division


class Leadership(Protocol):
    """What the process knows about its right to act."""

    division: Division
    """The part of all instances that is this process's once it leads, and nobody else has an earlier right to it."""
    changed: Callable[[], None]
    """Called when `owns` may have become true for further names, and when `shares` has changed."""

    @property
    def leads(self) -> bool:
        """True from the election on, also when the Lease has been lost."""

    @property
    def shares(self) -> int:
        """Among how many leaders what there is only once, such as a provider's budget, is divided at this moment."""

    def holds_now(self) -> bool:
        """Whether this process may act at this moment. Never waits: ask it right before each act."""

    def owns(self, namespace: str, name: str) -> bool:
        """Return whether the instance of this name is this process's, as long as `holds_now` says yes.

        Once true, it stays so. The same question about a name that no object has elects one leader for a job of its
        own.
        """

    def trouble(self) -> str | None:
        """Return why this process could not become the leader; None if it leads, or would if others ended."""

    async def acquire(self) -> None:
        """Wait until this process leads. Raises nothing but cancellation."""

    async def hold(self) -> str:
        """Keep it so; return in words why it has ended. Raises nothing but cancellation."""

    async def release(self) -> None:
        """Act no more, and let the next one begin at once. Raises nothing."""


class Alone:
    """The only process, by the word of whoever started it so."""

    leads = True
    shares = 1

    def __init__(self) -> None:
        self.division = Division()
        self.changed: Callable[[], None] = lambda: None

    def holds_now(self) -> bool:
        """Nobody else could."""
        return True

    def owns(self, namespace: str, name: str) -> bool:
        """Everything."""
        return True

    def trouble(self) -> str | None:
        """There is none."""
        return None

    async def acquire(self) -> None:
        """At once."""

    async def hold(self) -> str:
        """For ever."""
        await asyncio.Event().wait()
        return "never"

    async def release(self) -> None:
        """There is nobody to release it to."""
