"""kopf's part: it watches, holds the finalizer, and wakes. Nothing is decided here.

Three handlers, and why no others (see docs/adr/0001-kopf-as-a-shell.md):

- `on.event` sees every change of an object and wakes a pass;
- a timer wakes every object at rest once per poll, so that nothing depends on an event arriving;
- `on.delete` returns only when the provider has shown the machine gone, and kopf then takes the
  finalizer away.

No handler returns a value or touches `patch`, so kopf writes nothing but the finalizer.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import kopf

from gpuinstance.api.v1alpha1 import FINALIZER, GROUP, VERSION
from gpuinstance.audit import Audit
from gpuinstance.config import Settings
from gpuinstance.departing import Departures
from gpuinstance.kube import PLURALS, Body, Key
from gpuinstance.queue import WakeQueue
from gpuinstance.reconcile import Reconciler
from gpuinstance.sharing import Share
from gpuinstance.watching import WATCH_SECONDS, Watches, log_in

LATELY = 0.5
"""The part of a poll within which an object that was looked at need not be looked at again.

So two passes are at most one and a half polls apart. With the age of a shared listing that stays below the two polls
after which a look is too old at the earliest (`stale_polls`); and checks of health twice in a poll still replace it.
"""


def register(
    registry: kopf.OperatorRegistry,
    reconciler: Reconciler,
    queue: WakeQueue,
    settings: Settings,
    watches: Watches,
    audits: Mapping[str, Audit],
    share: Share,
    departures: Departures,
) -> None:
    """Attach the handlers of all kinds to the registry; `audits` are by kind.

    They are the same in all shards: with conditions on them kopf would take the finalizer away where they do not hold.
    """

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return await log_in(watches)

    for kind, audit in audits.items():
        _register_kind(kind, registry, reconciler, queue, settings, audit, share, departures)


def _register_kind(
    kind: str,
    registry: kopf.OperatorRegistry,
    reconciler: Reconciler,
    queue: WakeQueue,
    settings: Settings,
    audit: Audit,
    share: Share,
    departures: Departures,
) -> None:
    resource = (GROUP, VERSION, PLURALS[kind])

    def key_of(metadata: Any) -> Key:
        return Key(metadata["namespace"], metadata["name"], metadata["uid"], kind)

    @kopf.on.event(*resource, registry=registry, id="wake")
    async def wake(event: kopf.RawEvent, **_: Any) -> None:
        body: Body = {**event["object"], "kind": kind}
        # Who wrote which field: half of the object, asked for by nobody, and kept here and by kopf while it lives.
        body["metadata"].pop("managedFields", None)
        key = key_of(body["metadata"])
        if event["type"] == "DELETED":
            audit.gone(key)
            queue.forget(key)
            reconciler.forget(key)
        else:
            audit.shown(body)
            reconciler.see(key, body)
            share.wake(key)

    @kopf.timer(
        *resource,
        registry=registry,
        id="poll",
        interval=settings.poll_seconds,
        initial_delay=lambda **_: random.uniform(0, settings.poll_seconds),  # noqa: S311 - jitter, not a secret
    )
    async def poll(body: kopf.Body, **_: Any) -> None:
        key = key_of(body["metadata"])
        # By the listing that others have asked for it would have been woken.
        if not (reconciler.is_watched(key) and queue.has_seen(key, within=LATELY * settings.poll_seconds)):
            share.wake(key)

    @kopf.on.delete(*resource, registry=registry, id="release")
    async def release(body: kopf.Body, **_: Any) -> None:
        key = key_of(body["metadata"])
        released = reconciler.released(key)
        share.wake(key)
        with departures.watched(key):
            await released.wait()


class _Forever:
    """Delays without an end: kopf gives up, and exits, when its list of delays is used up."""

    def __iter__(self) -> Any:
        yield from (0.2, 0.5, 1, 2)
        while True:
            yield 3 + random.random() * 2  # noqa: S311 - jitter, not a secret


class _NoProgress(kopf.ProgressStorage):
    """kopf keeps no progress of handlers: each of them may run again at any time."""

    def fetch(self, *, key: Any, body: kopf.Body) -> None:
        return None

    def store(self, *, key: Any, record: Any, body: kopf.Body, patch: kopf.Patch) -> None: ...

    def purge(self, *, key: Any, body: kopf.Body, patch: kopf.Patch) -> None: ...

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: Any) -> None: ...

    def clear(self, *, essence: Any) -> Any:
        return essence


class _NoDiffBase(kopf.DiffBaseStorage):
    """kopf compares nothing: passes are level-triggered, so what changed does not matter."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> Any:
        return {}

    def fetch(self, *, body: kopf.Body) -> None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: Any) -> None: ...


def configure(kopf_settings: kopf.OperatorSettings) -> None:
    """Set kopf up for many objects and for an API server that may go away."""
    s = kopf_settings
    s.peering.standalone = True
    s.scanning.disabled = True  # no watching of CRDs and namespaces, and no rights for it
    s.posting.enabled = False  # Events are written by the reconciler, after the status
    s.networking.error_backoffs = _Forever()  # any iterable that starts anew
    s.networking.request_timeout = 30
    s.networking.connect_timeout = 5
    s.watching.connect_timeout = 5
    s.watching.server_timeout = WATCH_SECONDS
    s.watching.reconnect_backoff = 1
    s.queueing.idle_timeout = 2
    s.queueing.exit_timeout = 2  # handlers only wait; passes are finished by the queue
    s.background.cancellation_polling = 1
    s.process.ultimate_exiting_timeout = 60
    s.persistence.finalizer = FINALIZER
    s.persistence.progress_storage = _NoProgress()
    s.persistence.diffbase_storage = _NoDiffBase()
    s.persistence.consistency_timeout = 1
