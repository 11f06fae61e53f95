"""What the rest of the process knows about its right to act: the contract, and the case without opponents.

Asked by everybody who acts or reports, through `holds_now` and `leads`; carried through by `term`.
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class Leadership(Protocol):
    """What the process knows about its right to act."""

    @property
    def leads(self) -> bool:
        """True from the election on, also when the Lease has been lost."""

    def holds_now(self) -> bool:
        """Whether this process may act at this moment. Never waits: ask it right before each act."""

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

    def holds_now(self) -> bool:
        """Nobody else could."""
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
