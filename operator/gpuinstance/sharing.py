"""Which objects this process looks after: all of them, or those of its shard.

Between those who wake objects and the queue, and between the queue and the corridor. All shards watch everything,
since budgets, neighbours and adoption are about all; but only the owner of an object starts passes over it, so
nothing else has to ask. What is owned stays owned until the Lease is lost, and then the fences close: so it is enough
to ask where a pass begins.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

import structlog

from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.known import Known, instance_of
from gpuinstance.kube import Body, Key, Kube, KubeError, Vanished
from gpuinstance.leading import Leadership

_log = structlog.get_logger(__name__)

_SOON = timedelta(seconds=5)


class Wake(Protocol):
    """What has an object looked at; see `WakeQueue`."""

    def __call__(self, key: Key, *, after: timedelta = ...) -> None:
        """Look at the object now, or after a while."""


class Watched(Protocol):
    """Who takes note of objects; see `Reconciler`."""

    def see(self, key: Key, body: Body) -> None:
        """The object is so."""

    def forget(self, key: Key) -> None:
        """It is gone."""

    async def once(self, key: Key) -> timedelta | None:
        """One pass over the object."""


class Share:
    """The part of all objects that is this process's. `corridor` and `queue` are set by the composition root."""

    corridor: Watched
    queue: Wake

    def __init__(self, leadership: Leadership, known: Known, kube: Kube) -> None:
        self.passed_by: Callable[[Key], None] = lambda _: None
        """Called when an object of another shard has changed."""
        self._leadership = leadership
        self._known = known
        self._kube = kube
        self._woken: set[Key] = set()
        """What was owned when the share has last grown."""

    def has(self, key: Key) -> bool:
        """Return whether the object is this process's; not so an upgrade of which nothing is known yet."""
        if key.kind != UPGRADE_KIND:
            return self._leadership.owns(key.namespace, key.name)
        body = self._known.last(key)
        return body is not None and self._leadership.owns(*instance_of(key, body))

    def has_job(self, name: str) -> bool:
        """Return whether this process does what only one of all may do, such as `orphans`."""
        return self._leadership.owns("", name)  # no object is in a namespace without a name

    def of_kind(self, kind: str) -> Sequence[Body]:
        """Return the own objects of a kind."""
        bodies, owns = self._known.of_kind(kind), self._leadership.owns
        if kind == UPGRADE_KIND:
            return [body for body in bodies if self.has(Key.of(body))]
        return [body for body in bodies if owns(body["metadata"]["namespace"], body["metadata"]["name"])]

    def wake(self, key: Key, *, after: timedelta = timedelta()) -> None:
        """Have the object looked at, if it is ours."""
        if self.has(key):
            self.queue(key, after=after)
        else:
            self.passed_by(key)

    def grown(self) -> None:
        """Another shard's leader has left us objects: those that were not ours before are looked at now."""
        ours = set(filter(self.has, self._known.keys()))
        for key in ours - self._woken:
            self.queue(key)
        if ours != self._woken:
            _log.info("objects of this shard", owned=len(ours), known=len(self._known.keys()))
        self._woken = ours

    async def once(self, key: Key) -> timedelta | None:
        """One pass over an own object; another shard's is only read, where the audit found it lost to the watch."""
        if not self.has(key) and not await self._learned(key):
            return _SOON * random.uniform(1, 2)  # noqa: S311 - jitter, not a secret
        return await self.corridor.once(key) if self.has(key) else None

    async def _learned(self, key: Key) -> bool:
        """Know an object of another shard, or that it is gone; False if that could not be found out."""
        if self._known.get(key) is not None:
            return True
        try:
            self.corridor.see(key, await self._kube.get_object(key))
        except Vanished:
            self.corridor.forget(key)
        except KubeError as error:
            _log.warning("the API server cannot be used", object=f"{key.namespace}/{key.name}", error=str(error))
            return False
        return True
