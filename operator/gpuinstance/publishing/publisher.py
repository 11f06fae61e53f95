"""When an instance's Secret and Service are looked after, and what its status says of them.

Called by the corridor at the end of passes, for one instance at a time. A round is made when something that is
published may have changed, and at a slow pace to notice edits and names that resolve to other addresses; between
rounds nothing is read. A round is bounded in time, and no trouble of it reaches the pass.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from gpuinstance.api.connection import ConnectionStatus
from gpuinstance.api.reasons import Reason
from gpuinstance.core.connection import Wish
from gpuinstance.guard import Guard
from gpuinstance.metrics import Metrics
from gpuinstance.providers.base import Provider
from gpuinstance.publishing.objects import Objects
from gpuinstance.publishing.round import Made, Round, Trouble

_log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 10.0
"""A round that takes longer is given up: a user's change waits for the pass that makes it."""

_FIRST_PAUSE = 15.0
"""Seconds until the first new try; each further one comes after twice as long, up to the slow pace."""


@dataclass(slots=True)
class _Memory:
    """What is known of one instance between passes. A restart may lose it."""

    occasion: str
    told: ConnectionStatus | None
    due: float = 0.0
    """When the next round is made; as `clock` counts."""
    failures: int = 0
    """Rounds in a row with a trouble, or that have not brought all."""
    made: Made = field(default_factory=Made)


class Publisher:
    """Looks after what instances publish. Use one, and close it.

    `pace` is the slow one, in seconds; `guard` judges where a Service may lead, and is closed with this; `clock` counts
    seconds.
    """

    def __init__(
        self,
        objects: Objects,
        metrics: Metrics,
        *,
        pace: float,
        guard: Guard,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._objects = objects
        self._guard = guard
        self._metrics = metrics
        self._pace = pace
        self._clock = clock
        self._memory: dict[str, _Memory] = {}

    def forget(self, uid: str) -> None:
        """The instance is gone; the garbage collector removes what it owned."""
        self._memory.pop(uid, None)

    async def aclose(self) -> None:
        """Give the guard's threads back."""
        await self._guard.aclose()

    async def publish(
        self, wish: Wish, before: ConnectionStatus | None, account: Provider | None
    ) -> ConnectionStatus | None:
        """Make it so, if it is time; return what the status should say. Raises nothing but cancellation.

        `before` is what the status says, `account` where the machine is.
        """
        if wish.secret_name is None and before is None:
            self.forget(wish.uid)
            return None
        memory = self._memory.get(wish.uid)
        if memory is None or memory.occasion != wish.occasion:
            memory = self._memory[wish.uid] = _Memory(wish.occasion, before)
        if self._clock() < memory.due:
            return memory.told
        turn = Round(
            self._objects, self._guard, self._metrics, wish, before or ConnectionStatus(), account, memory.made
        )
        await self._make(turn)
        told = _told(turn, memory)
        if told != memory.told:
            words = {"secret": turn.secret_name, "service": turn.service_name, "reason": told.reason if told else None}
            _log.info("the connection has changed", object=f"{wish.namespace}/{wish.name}", **words)
        memory.told = told
        self._set_pace(memory, turn)
        return told

    async def _make(self, turn: Round) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await turn.run()
        except TimeoutError:
            turn.break_off(_LATE)
        except Exception:  # noqa: BLE001 - a bug here must not keep the pass from its work
            _log.exception("publishing failed unexpectedly", object=f"{turn.wish.namespace}/{turn.wish.name}")
            turn.break_off(_UNEXPECTED)

    def _set_pace(self, memory: _Memory, turn: Round) -> None:
        is_done = not turn.troubles and turn.is_complete
        memory.failures = 0 if is_done else memory.failures + 1
        pause = self._pace if is_done else min(self._pace, _FIRST_PAUSE * 2 ** (memory.failures - 1))
        # Not all at once, even if all were begun at once.
        memory.due = self._clock() + pause * random.uniform(0.8, 1.0)  # noqa: S311 - no secret depends on it


def _told(turn: Round, memory: _Memory) -> ConnectionStatus | None:
    """Return what the status should say after a round."""
    told = ConnectionStatus(secret_name=turn.secret_name, service_name=turn.service_name)
    if turn.troubles:
        reason = min((trouble.reason for trouble in turn.troubles), key=_ORDER.index)
        message = "; ".join(dict.fromkeys(trouble.message for trouble in turn.troubles))
        # What passes by itself within seconds is nobody's business.
        if reason is Reason.CONNECTION_NOT_PUBLISHED and not memory.failures:
            previous = turn.before
            told = told.model_copy(update={"reason": previous.reason, "message": previous.message})
        else:
            told = told.model_copy(update={"reason": reason, "message": message})
    return told if told != ConnectionStatus() else None


_LATE = Trouble(Reason.CONNECTION_NOT_PUBLISHED, f"not done after {PATIENCE_SECONDS:.0f} s; it is tried again")
_UNEXPECTED = Trouble(Reason.CONNECTION_NOT_PUBLISHED, "an unexpected error; see the operator's log")

_ORDER = (Reason.CONNECTION_NAME_TAKEN, Reason.CONNECTION_ADDRESS_REFUSED, Reason.CONNECTION_NOT_PUBLISHED)
"""Of several troubles the first is told: it needs a person most."""
