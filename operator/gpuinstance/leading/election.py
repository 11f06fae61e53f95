"""The election: who holds the Lease, for how long, and when somebody else may take it.

Called by `term`; `holds_now` by whoever is about to act. Clocks of different machines are never compared. A
candidate counts on its own clock how long it has seen the same record, and takes over when the record's own
duration has passed; the holder counts from *before* it sent its last successful renewal, and stops earlier
than that. So two processes hold the Lease at once only if one of their clocks runs half as fast again.

A Lease that is not there is waited for as long as one that is held: its deletion has not stopped its holder, who
puts it back with the next renewal. Only the first start of all pays for this.

A term ends with the first moment at which the holder may not act, and never goes on after it, even where nobody has
taken the Lease meanwhile: the holder of another shard's Lease may have taken over its objects (see `rivals`).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from gpuinstance.kube import Body, Conflict, KubeError, Vanished, version_of
from gpuinstance.leading.lease import LeaseStore, moment
from gpuinstance.leading.rivals import ACQUIRED_BY, ACQUIRED_VERSION

_log = structlog.get_logger(__name__)

_JITTER = 1.2
"""Candidates wait up to this much longer than the pause between tries, so that they do not try all at once."""
_RELEASE_SECONDS = 2.0


def boot_time() -> float:
    """Return seconds of a clock that never jumps, and goes on while the process or its machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds; the defaults are those of Kubernetes' own components."""

    lease: int = 15
    """How long others wait after the last renewal that they have seen."""
    deadline: float = 10.0
    """How long after its last renewal the holder may act; less than `lease`."""
    retry: float = 2.0
    """Pause between renewals, and between tries to get the Lease."""

    @property
    def gap(self) -> float:
        """Seconds without a look at the other Leases that are forgiven: one look may fail, an outage is no watching."""
        return max(self.lease - self.deadline, 2.5 * self.retry)


class Election:
    """One candidate. `identity` must be that of no other process, ever: a restart is another candidate."""

    def __init__(
        self, store: LeaseStore, identity: str, times: Times, *, clock: Callable[[], float] = boot_time
    ) -> None:
        self._store = store
        self._identity = identity
        self._times = times
        self._clock = clock
        self._lease: Body | None = None
        """As last read or written; None if it must be read before it is written."""
        self._seen: Body | None = None
        """The record that was seen last; None if there was none."""
        self._free_at: float | None = None
        """When that record has expired, on our clock; None before the first look."""
        self._renewed_at: float | None = None
        self._version: int | None = None
        self._leads = False
        self._answered_at = clock()
        self._trouble: str | None = None

    @property
    def leads(self) -> bool:
        """True from the election on, also when the Lease has been lost."""
        return self._leads

    @property
    def version(self) -> int:
        """The resourceVersion of the write by which this process was elected; 0 before that."""
        return self._version or 0

    def holds_now(self) -> bool:
        """Whether the last renewal is young enough. A process that was frozen meanwhile finds that it is not."""
        return self._left() > 0

    def trouble(self) -> str | None:
        """Return why the Lease has not been readable or writable for as long as it lasts."""
        if self._trouble is None or self._clock() - self._answered_at < self._times.lease:
            return None
        return f"the Lease {self._store} cannot be used: {self._trouble}"

    async def acquire(self) -> None:
        """Wait until the Lease is ours."""
        while not await self._attempt(self._times.deadline / 2):  # noqa: ASYNC110 - what is awaited is far away
            await asyncio.sleep(self._times.retry * random.uniform(1, 1 + _JITTER))  # noqa: S311 - no secret
        self._leads = True
        _log.info("leading", lease=str(self._store), identity=self._identity)

    async def hold(self, hopeless: Callable[[], str | None] = lambda: None) -> str:
        """Renew, until others have it or might, or `hopeless` says in words that somebody else should."""
        while True:
            if (why := hopeless()) is not None:
                return f"the Lease {self._store} is of no use: {why}"
            # No later than the deadline: what it ends must not go on until the next renewal is due.
            await asyncio.sleep(max(0.0, min(self._times.retry, self._left())))
            if not self.holds_now():
                why = self._trouble or "the process stood still"
                return f"the Lease {self._store} could not be renewed in time: {why}"
            await self._attempt(min(self._left(), self._times.deadline / 2))
            if self._renewed_at is None:
                return f"the Lease {self._store} is held by {_holder(self._seen)} now"

    async def release(self) -> None:
        """Empty the Lease and close its connection; with the answer lost or late, others wait until it expires."""
        held, self._renewed_at = self.holds_now(), None
        try:
            if held:
                async with asyncio.timeout(_RELEASE_SECONDS):
                    await self._empty()
                _log.info("released the Lease", lease=str(self._store))
        except (KubeError, TimeoutError) as error:
            _log.warning("the Lease could not be released", lease=str(self._store), error=str(error))
        finally:
            await self._store.aclose()

    async def _empty(self) -> None:
        # The renewal that the end has cut short may have arrived, so the version that is known may be old.
        with contextlib.suppress(Conflict):
            return await self._empty_as_it_is()
        return await self._empty_as_it_is()

    async def _empty_as_it_is(self) -> None:
        lease = await self._store.read()
        record = None if lease is None else lease.get("spec")
        if lease is not None and record is not None and _holder(record) == self._identity:
            # As client-go does it: no holder, and a duration that nobody waits for.
            emptied = {**record, "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": moment()}
            await self._store.replace(lease, emptied, {})

    def _left(self) -> float:
        """Seconds for which this process may act without a further renewal."""
        return 0.0 if self._renewed_at is None else self._until() - self._clock()

    def _until(self) -> float:
        """When the term is over unless it is renewed before; never for who has none yet."""
        return float("inf") if self._renewed_at is None else self._renewed_at + self._times.deadline

    async def _attempt(self, seconds: float) -> bool:
        """Get or renew the Lease within this time; False where that failed or somebody else has it."""
        asked_at, until = self._clock(), self._until()
        try:
            if asked_at >= until:
                return False  # it stood still since it was last known to hold the Lease
            async with asyncio.timeout(seconds):
                if not await self._try():
                    return False
            if self._clock() >= until:
                return False  # the answer came when the term was over
        except (Conflict, Vanished):
            self._lease = None  # somebody was faster; the next look shows who
            return False
        except Exception as error:  # noqa: BLE001 - whatever went wrong: the Lease was not renewed, and the next try may
            self._lease = None  # what was written may have been accepted
            self._note("no answer in time" if isinstance(error, TimeoutError) else str(error))
            return False
        # From before the request: nobody can have seen the renewal earlier than it was sent.
        self._renewed_at = asked_at
        if self._version is None and self._lease is not None:
            self._version = version_of(self._lease)
        return True

    async def _try(self) -> bool:
        if self._renewed_at is not None and self._lease is not None:
            with contextlib.suppress(Conflict, Vanished):  # somebody has touched it: look
                return await self._save(self._lease)
        self._lease = await self._store.read()
        self._observe(self._lease)
        if self._may_write():
            return await self._save(self._lease)
        self._note(None)
        return False

    async def _save(self, old: Body | None) -> bool:
        record = self._record({} if old is None else old.get("spec") or {})
        notes = self._annotations()
        self._lease = await (
            self._store.create(record, notes) if old is None else self._store.replace(old, record, notes)
        )
        self._observe(self._lease)
        self._note(None)
        return True

    def _may_write(self) -> bool:
        """Whether the record that was just read is ours, or nobody's."""
        holder = _holder(self._seen)
        if holder == self._identity:
            return True
        if self._renewed_at is None:
            return self._free_at is not None and self._clock() >= self._free_at
        if holder is None:
            return True  # it has been deleted or emptied under us
        self._renewed_at = None
        return False

    def _observe(self, lease: Body | None) -> None:
        """Take note of the record; one that has changed is a sign of life of its holder."""
        record = None if lease is None else lease.get("spec") or {}
        if self._free_at is not None and record == self._seen:
            return
        now = self._clock()
        holder, before = _holder(record), _holder(self._seen)
        if record is None:
            self._free_at = max(self._free_at or 0.0, now + self._times.lease)
        else:
            duration = float(record.get("leaseDurationSeconds") or self._times.lease)
            self._free_at = now if holder is None else now + duration
        if holder not in (None, before, self._identity):
            _log.info("standing by", lease=str(self._store), holder=holder)
        self._seen = record

    def _record(self, old: Body) -> Body:
        now = moment()
        spec = {**old, "holderIdentity": self._identity, "leaseDurationSeconds": self._times.lease, "renewTime": now}
        if _holder(old) != self._identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = int(old.get("leaseTransitions") or 0) + 1 if old else 0
        return spec

    def _annotations(self) -> dict[str, str]:
        """Return what elections are ordered by; the electing write cannot say it, its version comes with the answer."""
        return {} if not self._version else {ACQUIRED_BY: self._identity, ACQUIRED_VERSION: str(self._version)}

    def _note(self, trouble: str | None) -> None:
        """An outage is told once, and its end once."""
        if trouble is None:
            self._answered_at = self._clock()
            if self._trouble is not None:
                _log.info("the Lease can be used again", lease=str(self._store))
        elif self._trouble is None:
            _log.warning("the Lease cannot be used", lease=str(self._store), error=trouble)
        self._trouble = trouble


def _holder(record: Body | None) -> str | None:
    return (record or {}).get("holderIdentity") or None
