"""From a new listing to the objects that it is news for: those whose machines look different than before.

Called for each listing that a provider has given, however many objects share it. So a change at the provider is
seen by the pass of the one object that it concerns, within one poll, and the thousand others need not look. Nothing
is decided here: a pass that was woken for nothing finds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.core.model import Machine
from gpuinstance.core.naming import uid8_in, uid8_of
from gpuinstance.known import Known
from gpuinstance.kube import Body, Key


class Noticing:
    """Wakes instances, and their upgrades that go on, for one process."""

    def __init__(self, known: Known, wake: Callable[[Key], None]) -> None:
        self._known = known
        self._wake = wake

    def changed(self, machines: Collection[Machine]) -> None:
        """Take note of machines that came, went or changed."""
        ids = {it.id for it in machines}
        uids = {uid8_in(it.name) for it in machines}
        for body in self._known.of_kind(KIND):
            if uid8_of(body["metadata"]["uid"]) in uids or not ids.isdisjoint(_named(body)):
                self._wake_both(body)

    def _wake_both(self, instance: Body) -> None:
        key = Key.of(instance)
        self._wake(key)
        for upgrade in self._known.upgrades_of(key.namespace, key.name):
            if not (upgrade.get("status") or {}).get("completedAt"):
                self._wake(Key.of(upgrade))


def _named(body: Body) -> list[str]:
    """Return the ids of machines that an object has, or wants to adopt."""
    recorded = ((body.get("status") or {}).get("instance") or {}).get("id")
    wanted = ((body.get("spec") or {}).get("adopt") or {}).get("instanceID")
    return [it for it in (recorded, wanted) if it]
