"""The audit: every few minutes the cluster's own list is held against what the watch has shown.

Runs beside the work, started by the composition root. kopf neither lists again nor notices what it missed, so
three things can go wrong without a word, and each is found here, helped, and counted:

- *missed*: the watch has not shown an object, or not its present version. It is read afresh and looked at.
  What is still missing in the next audit is `trouble`: only a restart brings a dead watch back.
- *ghost*: we still work on an object that is gone. It is read afresh, and thereby forgotten.
- *overdue*: nothing has looked at an object for several polls, so its timer or alarm is dead. It is woken.
  Objects of other shards are not looked at here, but known as well: they can be missed, or ghosts.

The list is of metadata only, in pages. Where it differs, it is read and compared once more after a moment: the
watch may be just behind it, and objects come and go.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

import structlog

from gpuinstance.kube import PLURALS, Body, Key, Kube, KubeError, version_of

_log = structlog.get_logger(__name__)

_MOMENT_SECONDS = 10.0
_POLLS = 4.0
"""Missed polls that make an object overdue, beside the time between two audits."""


class Subject(Protocol):
    """What is audited: the objects of one kind, as this process knows them."""

    def known(self) -> Iterable[Body]:
        """All that are worked on, as last seen."""

    def doubt(self, key: Key) -> None:
        """Do not believe what was last seen of this object: read it when it is looked at next."""

    def is_ours(self, key: Key) -> bool:
        """Whether it is this process that looks at the object, and no other shard."""


class Wakes(Protocol):
    """Who looks at objects."""

    def wake(self, key: Key) -> None:
        """Look at this object now."""

    def unseen_for(self, key: Key) -> float | None:
        """Seconds since it was last looked at; None if it never was."""


class Counts(Protocol):
    """Where audits are counted."""

    def audited(self, result: str) -> None:
        """An audit ended: `done` or `failed`."""

    def found(self, what: str, number: int) -> None:
        """It found so many objects that were `missed`, a `ghost` or `overdue`."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What one audit found."""

    missed: frozenset[Key] = frozenset()
    ghosts: frozenset[Key] = frozenset()
    overdue: frozenset[Key] = frozenset()


class Audit:
    """Audits the objects of one kind, in `namespaces` or, if there are none, in all."""

    def __init__(
        self,
        kube: Kube,
        kind: str,
        namespaces: Collection[str],
        subject: Subject,
        queue: Wakes,
        counts: Counts,
        *,
        pause: float,
        poll: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`pause` and `poll` are seconds: between two audits, and between two looks at an object at rest."""
        self._kube = kube
        self._kind = kind
        self._places: list[str | None] = list(namespaces) or [None]
        self._subject = subject
        self._queue = queue
        self._counts = counts
        self._pause = pause
        self._longest_unseen = _POLLS * poll + pause
        self._clock = clock
        self._shown: dict[Key, int] = {}
        self._done_at: float | None = None
        self._still_missed: frozenset[Key] = frozenset()
        self._last = Findings()

    def shown(self, body: Body) -> None:
        """The watch has shown this object, so."""
        key = Key.of(body)
        self._shown[key] = max(self._shown.get(key, 0), version_of(body))

    def gone(self, key: Key) -> None:
        """The watch has shown the end of this object."""
        self._shown.pop(key, None)

    def age(self) -> float | None:
        """Return the seconds since the API server last answered an audit; None before the first."""
        return None if self._done_at is None else self._clock() - self._done_at

    def trouble(self) -> str | None:
        """Return what two audits in succession found missing; None if nothing."""
        if not self._still_missed:
            return None
        number = len(self._still_missed)
        return f"the watch of {PLURALS[self._kind]} has not shown {number} objects that the API server lists"

    async def run(self) -> None:
        """Audit for ever. Raises nothing but cancellation."""
        while True:
            await asyncio.sleep(self._pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret
            try:
                await self.once()
            except KubeError as error:
                self._counts.audited("failed")
                _log.info("an audit could not be finished", kind=self._kind, error=str(error))
            except Exception:  # noqa: BLE001 - one bad answer must not be the last audit
                self._counts.audited("failed")
                _log.exception("an audit failed unexpectedly", kind=self._kind)

    async def once(self) -> Findings:
        """Audit now: list, compare, help. Raises KubeError."""
        before = self._keys()
        listed = await self._list()
        found = self._compare(before, listed)
        if found != Findings():
            await asyncio.sleep(_MOMENT_SECONDS)
            found = self._confirmed(found, self._compare(self._keys(), listed), (await self._list()).keys())
        self._help(found)
        self._still_missed = found.missed & self._last.missed
        self._last = found
        self._done_at = self._clock()
        self._counts.audited("done")
        return found

    async def _list(self) -> dict[Key, Body]:
        found: dict[Key, Body] = {}
        for place in self._places:
            for body in await self._kube.list_objects(self._kind, place, metadata_only=True):
                found[Key.of(body)] = body
        return found

    def _keys(self) -> frozenset[Key]:
        return frozenset(map(Key.of, self._subject.known()))

    def _compare(self, known: frozenset[Key], listed: Mapping[Key, Body]) -> Findings:
        overdue = {
            key
            for key in known & listed.keys()
            if (self._queue.unseen_for(key) or 0.0) > self._longest_unseen and self._subject.is_ours(key)
        }
        return Findings(
            missed=frozenset(key for key, body in listed.items() if self._is_missed(key, body)),
            ghosts=known - listed.keys(),
            overdue=frozenset(overdue),
        )

    def _confirmed(self, first: Findings, again: Findings, listed: AbstractSet[Key]) -> Findings:
        """Return what is still so; objects come and go meanwhile."""
        return Findings(
            missed=first.missed & again.missed & listed,
            ghosts=(first.ghosts & again.ghosts) - listed,
            overdue=first.overdue & again.overdue & listed,
        )

    def _is_missed(self, key: Key, body: Body) -> bool:
        if body["metadata"].get("deletionTimestamp"):
            # kopf holds back the events of an object while it waits for its release.
            return key not in self._shown
        return self._shown.get(key, 0) < version_of(body)

    def _help(self, found: Findings) -> None:
        for what, keys in (("missed", found.missed), ("ghost", found.ghosts), ("overdue", found.overdue)):
            if not keys:
                continue
            self._counts.found(what, len(keys))
            example = min(f"{key.namespace}/{key.name}" for key in keys)
            _log.warning("an audit found", what=what, kind=self._kind, number=len(keys), example=example)
            for key in keys:
                self._subject.doubt(key)
                self._queue.wake(key)
        for key in found.ghosts:
            self._shown.pop(key, None)
