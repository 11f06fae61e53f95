"""One of several leaders: it holds the Lease of its division, and watches those of the others.

Built by `candidacy`, used through the contract `Leadership`. An installation of one leader is the case of one
division, and goes the same way: turning one leader into three is a change of shards, too. The watching has a task of
its own, so that a list that hangs delays no renewal.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

import structlog

from gpuinstance.core.division import Division
from gpuinstance.kube import KubeError
from gpuinstance.leading.election import Election, Times
from gpuinstance.leading.lease import LeaseStore
from gpuinstance.leading.rivals import Rivals

_log = structlog.get_logger(__name__)

_JITTER = 1.2
"""The pause between two looks varies by as much, so that many processes do not look in step."""
_PATIENCE = 4
"""So many leases after its election a leader that still cannot know what is its own lets a standby try."""


class Shard:
    """The leadership over the objects of one division. `store` is the one that `election` uses."""

    def __init__(
        self,
        election: Election,
        store: LeaseStore,
        rivals: Rivals,
        division: Division,
        times: Times,
        *,
        clock: Callable[[], float],
    ) -> None:
        self.division = division
        self.changed: Callable[[], None] = lambda: None
        self._election = election
        self._store = store
        self._rivals = rivals
        self._times = times
        self._clock = clock
        self._due = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._looked_at: float | None = None
        """When what the Leases say was last known, and told; None before the first time."""
        self._elected_at = 0.0
        self._told = self._view()
        """What `changed` was last called for."""
        self._trouble: str | None = None

    def __str__(self) -> str:
        return str(self._store)

    @property
    def leads(self) -> bool:
        """True from the election on, also when the Lease has been lost."""
        return self._election.leads

    @property
    def shares(self) -> int:
        """Among how many leaders a provider's budget is divided at this moment."""
        return self._rivals.shares

    def holds_now(self) -> bool:
        """Whether this process may act at this moment, on what it owns."""
        return self._election.holds_now()

    def owns(self, namespace: str, name: str) -> bool:
        """Return whether the instance of this name, and its upgrades, are this process's to look after."""
        return self._rivals.owns(namespace, name)

    def trouble(self) -> str | None:
        """Return why the Leases cannot be used: if they never could at once, else after as long as one lasts.

        At once, because a new version whose rights are too few must not count as available while an old leader ends.
        """
        looking = self._looking
        if looking is not None and (looking.done() or self._blind_for() >= self._times.lease):
            why = self._trouble or "nobody looks at them any more"
            return f"the Leases beside {self._store} cannot be followed: {why}"
        return self._election.trouble()

    def _blind_for(self) -> float:
        """Seconds since the last look; before the first one it is none, or for ever where that has failed."""
        if self._looked_at is None:
            return 0.0 if self._trouble is None else float("inf")
        return self._clock() - self._looked_at

    async def acquire(self) -> None:
        """Wait until the Lease is ours. Nothing is owned before the list after that."""
        self._looking = asyncio.create_task(self._look_for_ever())
        await self._election.acquire()
        self._elected_at = self._clock()
        self._rivals.elected(self._election.version, self._elected_at)
        self._due.set()

    async def hold(self) -> str:
        """Renew, until others have it or might; return in words why it has ended."""
        return await self._election.hold(self._hopeless)

    def _hopeless(self) -> str | None:
        """Return why a standby should try: this process keeps it from that, and owns nothing itself."""
        seconds = self._clock() - self._elected_at
        if self._rivals.is_settled or self._trouble is None or seconds < _PATIENCE * self._times.lease:
            return None
        return f"what it gives is not known {seconds:.0f} s after the election: {self._trouble}"

    async def release(self) -> None:
        """Act no more, and give the Lease back."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._election.release()

    async def _look_for_ever(self) -> None:
        while True:
            self._due.clear()
            await self._look()
            pause = self._times.retry * random.uniform(1, _JITTER)  # noqa: S311 - no secret
            # Not `wait_for`, which starts a task: kopf's shutdown waits for tasks that it does not know.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._due.wait()

    async def _look(self) -> None:
        asked_at = self._clock()
        try:
            async with asyncio.timeout(self._times.deadline / 2):
                leases = await self._store.read_all()
            self._rivals.saw(leases, asked_at=asked_at, answered_at=self._clock())
            self._tell()
        except (KubeError, TimeoutError) as error:  # nothing has been learned, and nothing is forgotten
            self._note(str(error) or "no answer in time")
        except Exception as error:  # noqa: BLE001 - a bug of one look, or of who is told of it, must not be the last look
            _log.exception("a look at the Leases failed unexpectedly", lease=str(self._store))
            self._note(repr(error))
        else:
            self._looked_at = self._clock()
            self._note(None)

    def _tell(self) -> None:
        """Tell what is new; again with the next look if it has not arrived."""
        if (now := self._view()) == self._told:
            return
        if self._rivals.is_settled:
            first = [str(it) for it in sorted(self._rivals.first)]
            _log.info("divided", division=str(self.division), first=first, shares=self._rivals.shares)
        self.changed()
        self._told = now

    def _view(self) -> tuple[bool, frozenset[Division], int]:
        return self._rivals.is_settled, self._rivals.first, self._rivals.shares

    def _note(self, trouble: str | None) -> None:
        """An outage is told once, and its end once."""
        if trouble is None and self._trouble is not None:
            _log.info("the Leases can be followed again", lease=str(self._store))
        elif trouble is not None and self._trouble is None:
            _log.warning("the Leases of other shards cannot be followed", lease=str(self._store), error=trouble)
        self._trouble = trouble
