"""The Leases of other divisions, and what they leave to this process: who was first goes first.

Fed by `shard` with lists of all Leases; asked before each pass. No input or output, and no clock of its own. While
the number of shards changes, divisions overlap: old holders go on until they end, and new ones take what is left to
them. Three rules, and why nobody can own what another one owns:

- The list after the own election decides. It is consistent and younger than the election, so whoever was elected
  earlier and still lives is in it: he goes first. Whoever appears later has been elected later, and waits for us.
- Two who are elected at the same time find each other in their lists. The order of their elections, which is that of
  the API server's versions, tells who waits. A holder writes his down with his first renewal, and until then he is
  taken for the earlier one; so for a moment both may wait, and never neither.
- What has been left to us stays ours until the own Lease is lost: the list of who goes first only shrinks.

A rival lives as `election` judges it: until his record has not changed for its own duration, on our clock. A Lease
that is not there is waited for as long as one that is held, since its deletion has not stopped its holder: so whoever
has not watched for that long, without a gap, owns nothing yet. One thing stays unseen: a Lease that is made and deleted
between two looks, and our election in the same moment. To wait for that as well would cost each take-over seconds.
Expiry is judged at the time when a list was *asked* for: an answer that was long on its way proves nothing about the
time in which it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gpuinstance.core.division import Division, division_of
from gpuinstance.kube import Body, version_of

ACQUIRED_BY = "gpuinstance.dev/acquired-by"
"""Annotation of a Lease: who was elected …"""
ACQUIRED_VERSION = "gpuinstance.dev/acquired-version"
"""… by which write; its resourceVersion orders the elections of all divisions."""


_FIRST_OF_ALL = 0
"""No write makes this version."""


@dataclass(frozen=True, slots=True)
class _Sight:
    """One Lease of another division, as last seen."""

    record: Body | None
    """None: it was there, and is not any more."""
    lasts: float
    """Seconds for which its holder may act without a change of the record."""
    since: float
    """When this record was first seen, on our clock."""
    elected: int | None
    """The version of the holder's election; None if he has not said it yet, or never does."""

    @property
    def holder(self) -> str | None:
        return (self.record or {}).get("holderIdentity") or None

    def lives(self, at: float) -> bool:
        """Return whether somebody may act under this Lease at that moment."""
        free = self.record is not None and self.holder is None
        return not free and at < self.since + self.lasts


class Rivals:
    """What one candidate knows of the other divisions.

    `lease` is the duration of the own Lease in seconds; after `gap` seconds without a list the watch begins anew.
    """

    def __init__(self, family: str, own: Division, *, lease: float, gap: float) -> None:
        self._family = family
        self._own = own
        self._lease = lease
        self._gap = gap
        self._sights: dict[Division, _Sight] = {}
        self._watched_since = self._answered_at = float("-inf")
        self._elected: int | None = None
        self._elected_at = 0.0
        self._first: dict[Division, str | None] | None = None
        """Who goes first, by division; None as a name is whoever turns up. None: that is not decided yet."""
        self._others = 0

    @property
    def is_settled(self) -> bool:
        """Whether it is known who goes first; before that nothing is owned."""
        return self._first is not None

    @property
    def first(self) -> frozenset[Division]:
        """The divisions that go first."""
        return frozenset(self._first or ())

    @property
    def shares(self) -> int:
        """Among how many leaders what there is only once is to be divided: all that live, and all that should."""
        return max(self._own.count, 1 + self._others)

    def owns(self, namespace: str, name: str) -> bool:
        """Return whether the instance of this name is left to us. Once true, it stays so for as long as we lead."""
        if self._first is None or not self._own.holds(namespace, name):
            return False
        return not any(it.holds(namespace, name) for it in self._first)

    def elected(self, version: int, at: float) -> None:
        """We have been elected by the write that made this version of our Lease."""
        self._elected, self._elected_at = version, at

    def saw(self, leases: Iterable[Body], *, asked_at: float, answered_at: float) -> None:
        """Take note of all Leases, as a consistent list shows them that was asked for and answered at these times."""
        found = {division_of(it["metadata"]["name"], self._family): it for it in leases}
        for division in (self._sights.keys() | found.keys()) - {None, self._own}:
            assert division is not None
            self._sights[division] = self._sight(self._sights.get(division), found.get(division), answered_at)
        self._others = sum(sight.lives(asked_at) for sight in self._sights.values())
        if asked_at > self._answered_at + self._gap:
            self._watched_since = answered_at  # meanwhile somebody may have been elected, and his Lease been deleted
        self._answered_at = answered_at
        if self._first is not None:
            self._first = self._still_first(self._first, asked_at)
        elif self._elected is not None and asked_at >= max(self._elected_at, self._watched_since + self._lease):
            self._first = {it: sight.holder for it, sight in self._sights.items() if self._goes_first(it, asked_at)}

    def _sight(self, before: _Sight | None, lease: Body | None, now: float) -> _Sight:
        if lease is None:
            assert before is not None
            if before.record is None:
                return before
            return _Sight(None, max(before.lasts, self._lease), now, None)
        record = lease.get("spec") or {}
        lasts = float(record.get("leaseDurationSeconds") or self._lease)
        sight = _Sight(record, lasts, now, _election_of(lease))
        if before is None:
            return sight
        if before.elected == _FIRST_OF_ALL and before.holder == sight.holder:
            sight = replace(sight, elected=_FIRST_OF_ALL)  # also when time has caught up with what he says
        return replace(sight, since=before.since) if before.record == record else sight

    def _goes_first(self, division: Division, at: float) -> bool:
        sight = self._sights[division]
        if not self._own.overlaps(division) or not sight.lives(at):
            return False
        assert self._elected is not None
        return sight.elected is None or sight.elected <= self._elected

    def _still_first(self, before: dict[Division, str | None], at: float) -> dict[Division, str | None]:
        """Return those who still go first: nobody joins them, and a successor of one of them came after us."""
        after = {}
        for division, name in before.items():
            holder = self._sights[division].holder
            if self._goes_first(division, at) and (holder is None or name in (None, holder)):
                after[division] = name or holder
        return after


def _election_of(lease: Body) -> int | None:
    """Return by which version the present holder was elected, as he says; None if he does not."""
    notes = lease["metadata"].get("annotations") or {}
    version = str(notes.get(ACQUIRED_VERSION, ""))
    if notes.get(ACQUIRED_BY) != (lease.get("spec") or {}).get("holderIdentity") or not version.isdecimal():
        return None
    # One from the future is from a store that has been set back since: he may have been there before everybody. Two
    # who were both elected before that, and have not decided yet, wait for each other until one of them is restarted:
    # better nobody than two.
    return int(version) if int(version) <= version_of(lease) else _FIRST_OF_ALL
