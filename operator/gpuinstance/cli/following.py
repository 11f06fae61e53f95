"""Follows objects of one kind from now to a deadline: a list, then a watch from that list's version, without a gap.

The engine under everything that waits. What comes out is always the whole picture, first as it was listed, then
after each change, and at last as it is at the deadline; so nothing depends on seeing each single change. A watch that
ends, breaks or falls silent is taken up where it was; one that the API server cannot continue begins with a new list.
Only what no patience helps against ends it early: no right, no login, no such kind, and that for seconds on end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from gpuinstance.cli.cluster import Cluster, Patience, Resource
from gpuinstance.cli.connection import Object
from gpuinstance.cli.endings import ClusterTrouble, Exit

Key = tuple[str, str]
"""Namespace and name."""
Picture = Mapping[Key, Object]

_ROUND = 30.0
"""Seconds for one watch, or a page of the first list: a connection that is dead without a word is noticed then."""
_PATIENCE = 10.0
"""Seconds for a page of a list in between, and for the whole last look."""
_FIRST_LOOK = 1.0
"""Seconds that the first look has at least, where there is no time to wait."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_DOUBT = 5.0
"""Seconds for which a refusal is not taken for the last word: an API server that has just started does not know all
rights, tokens and kinds yet."""
_HOPELESS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST})


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds that only go forward, and a way to let some pass."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Scope:
    """Which objects are followed."""

    resource: Resource
    namespace: str | None
    """None: the whole cluster."""
    name: str | None = None
    """If only one is followed, the right to read that one is enough."""

    @property
    def fields(self) -> str | None:
        """The field selector."""
        return f"metadata.name={self.name}" if self.name else None


@dataclass(slots=True)
class Follower:
    """Follows a scope until `deadline`, a moment of `clock`; `on_trouble` hears about connections that are lost."""

    cluster: Cluster
    scope: Scope
    deadline: float
    clock: Clock = field(default_factory=Clock)
    on_trouble: Callable[[ClusterTrouble], None] = lambda _: None
    _objects: dict[Key, Object] = field(default_factory=dict)
    _version: str | None = None
    _pause: float = _FIRST_PAUSE
    _refused_since: float | None = None

    def pictures(self) -> Iterator[Picture]:
        """Yield the picture, again and again, the last one being that of the deadline.

        Between changes it comes at least once in half a minute. Raises ClusterTrouble if the first look fails, or if
        what was allowed is allowed no longer; with the code TIMED_OUT if the time was over before the first look.
        """
        self._first_look()
        yield self._objects
        while (left := self._left()) > 0:
            try:
                if self._version is None:
                    self._list(min(left, _PATIENCE))
                    yield self._objects
                yield from self._watch(min(self._left(), _ROUND))
            except ClusterTrouble as trouble:
                self._endure(trouble)
            yield self._objects
        yield self._last_look()

    def _left(self) -> float:
        return self.deadline - self.clock.now()

    def _first_look(self) -> None:
        """List within the time; once more if the API server has forgotten the list's moment between two pages."""
        end = max(self.deadline, self.clock.now() + _FIRST_LOOK)
        try:
            try:
                self._list(self._until(end))
            except ClusterTrouble as trouble:
                if trouble.status != HTTPStatus.GONE:
                    raise
                self._list(self._until(end))
        except ClusterTrouble as trouble:
            if trouble.status is None and self.clock.now() >= end:
                raise ClusterTrouble(str(trouble), Exit.TIMED_OUT) from trouble
            raise

    def _until(self, end: float) -> Callable[[], float]:
        """Return the patience for pages that have to be there at `end`, which raises ClusterTrouble from then on."""

        def patience() -> float:
            left = end - self.clock.now()
            if left <= 0:
                raise ClusterTrouble("the cluster did not answer in time")
            return min(left, _ROUND)

        return patience

    def _list(self, patience: Patience) -> None:
        scope = self.scope
        listing = self.cluster.list(scope.resource, scope.namespace, fields=scope.fields, patience=patience)
        self._objects = {_key(it): it for it in listing.items}
        self._version = listing.version

    def _watch(self, seconds: float) -> Iterator[Picture]:
        """Yield the picture after each change of one round."""
        scope, version = self.scope, self._version
        if version is None or seconds <= 0:
            return
        begun = self.clock.now()
        try:
            for event in self.cluster.watch(
                scope.resource, scope.namespace, version, fields=scope.fields, seconds=seconds
            ):
                self._calm_down()
                if self._take(event):
                    yield self._objects
                if self._left() <= 0:
                    return
        except ClusterTrouble as trouble:
            was_silent = trouble.status is None and self.clock.now() - begun >= seconds
            if not was_silent:  # the usual end of a round in which nothing happened is no trouble
                raise
        if self.clock.now() - begun >= _FIRST_PAUSE:
            self._calm_down()
        else:
            self._rest()  # whoever ends each watch at once shall not be asked without pause

    def _calm_down(self) -> None:
        """Take note that the watch works."""
        self._pause, self._refused_since = _FIRST_PAUSE, None

    def _rest(self) -> None:
        """Wait a moment before the next try, longer each time."""
        self.clock.sleep(max(min(self._pause, self._left()), 0))
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    def _take(self, event: Object) -> bool:
        """Take one watch event in; True if it changed the picture."""
        kind, it = event.get("type"), event.get("object") or {}
        if kind == "ERROR":
            status = it.get("code") if isinstance(it.get("code"), int) else None
            raise ClusterTrouble(f"the watch ended: {it.get('message') or it.get('reason')}", status=status)
        self._version = str(it["metadata"]["resourceVersion"])
        if kind == "BOOKMARK":
            return False
        if kind == "DELETED":
            self._objects.pop(_key(it), None)
        else:
            self._objects[_key(it)] = it
        return True

    def _endure(self, trouble: ClusterTrouble) -> None:
        """Wait a moment before the next try. Raises the trouble if it is of the lasting kind."""
        if trouble.status in _HOPELESS:
            now = self.clock.now()
            self._refused_since = now if self._refused_since is None else self._refused_since
            if now - self._refused_since >= _DOUBT:
                raise trouble
        if trouble.status is not None:
            # The version is too old, or the API server could not say: what happened meanwhile is in a new list.
            self._version = None
        if trouble.status != HTTPStatus.GONE:
            self.on_trouble(trouble)
        self._rest()

    def _last_look(self) -> Picture:
        """Return the picture at the deadline; if the cluster does not show it, the last that was known."""
        try:
            self._list(self._until(self.clock.now() + _PATIENCE))
        except ClusterTrouble as trouble:
            if trouble.status in _HOPELESS:
                raise
            self.on_trouble(trouble)
        return self._objects


def _key(it: Object) -> Key:
    metadata = it["metadata"]
    return str(metadata.get("namespace") or ""), str(metadata["name"])
