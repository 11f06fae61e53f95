"""When an object of another shard is gone: its release is somebody else's, and its end must be noticed all the same.

Called by `handlers` for the deletion of each object. kopf holds back the events of an object, also that of its end,
while its deletion is handled: so whoever waits for a release that another process will give has to look. One at a
time is read while they are few; of many the list is read once. Whoever owns the object does not look: its own pass
says when it may go.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Collection, Iterator

import structlog

from gpuinstance.kube import Key, Kube, KubeError, Vanished

_log = structlog.get_logger(__name__)

_PAUSE_SECONDS = 20.0
_FEW = 20
"""Up to so many objects are read one by one; the list of metadata of ten thousand is twenty requests."""


class Departures:
    """The objects that are being deleted by other shards' leaders. `namespaces` is what is served; none for all.

    `gone` is to end the waiting for good, not to forget: kopf then hands out what it has held back, one by one. Each
    event before the last would make the object known once more and wait anew; the last one has it forgotten.
    """

    def __init__(
        self, kube: Kube, namespaces: Collection[str], *, is_ours: Callable[[Key], bool], gone: Callable[[Key], None]
    ) -> None:
        self._kube = kube
        self._places: list[str | None] = list(namespaces) or [None]
        self._is_ours = is_ours
        self._gone = gone
        self._leaving: set[Key] = set()

    @contextlib.contextmanager
    def watched(self, key: Key) -> Iterator[None]:
        """Look after the end of this object for as long as somebody waits for it."""
        self._leaving.add(key)
        try:
            yield
        finally:
            self._leaving.discard(key)

    async def run(self) -> None:
        """Look for ever. Raises nothing but cancellation."""
        while True:
            await asyncio.sleep(_PAUSE_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret
            try:
                await self.once()
            except KubeError as error:
                _log.info("whether objects of other shards are gone is not known", error=str(error))
            except Exception:  # noqa: BLE001 - one bad answer must not be the last look
                _log.exception("a look at objects of other shards failed unexpectedly")

    async def once(self) -> None:
        """Tell what is gone, of what is still waited for. Raises KubeError."""
        foreign = {key for key in self._leaving if not self._is_ours(key)}
        gone = await self._gone_of_few(foreign) if len(foreign) <= _FEW else await self._gone_of_many(foreign)
        for key in self._leaving.intersection(gone):
            self._gone(key)

    async def _gone_of_few(self, keys: Collection[Key]) -> list[Key]:
        gone = []
        for key in keys:
            try:
                await self._kube.get_object(key)
            except Vanished:
                gone.append(key)
        return gone

    async def _gone_of_many(self, keys: Collection[Key]) -> list[Key]:
        there: set[Key] = set()
        for kind in {key.kind for key in keys}:
            for place in self._places:
                there.update(map(Key.of, await self._kube.list_objects(kind, place, metadata_only=True)))
        return [key for key in keys if key not in there]
