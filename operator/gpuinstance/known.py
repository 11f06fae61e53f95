"""All objects as last seen, by the watch or by our own writes, and which upgrades belong to which instance.

Used by `reconcile` and its observers. It is a picture, never a store: it is filled anew by each start, and
whatever is done on its word is first saved with the resourceVersion that it showed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.kube import Body, Key, version_of

_Name = tuple[str, str]
"""Namespace and name of an instance."""


class Known:
    """The newest picture of every object."""

    def __init__(self) -> None:
        self._bodies: dict[Key, Body] = {}
        self._doubted: set[Key] = set()
        self._instances: dict[_Name, Key] = {}
        self._namespaces: dict[str, set[Key]] = {}
        """The instances of each namespace."""
        self._upgrades: dict[_Name, set[Key]] = {}

    def see(self, key: Key, body: Body) -> None:
        """Take note of an object, unless something newer is known."""
        before = self._bodies.get(key)
        if is_older(body, before):
            return
        self._bodies[key] = body
        self._doubted.discard(key)
        if key.kind == KIND:
            self._instances[key.namespace, key.name] = key
            self._namespaces.setdefault(key.namespace, set()).add(key)
        elif key.kind == UPGRADE_KIND:
            self._upgrades.setdefault(instance_of(key, body), set()).add(key)

    def get(self, key: Key) -> Body | None:
        """Return the object as last seen; None if it is not known, or doubted."""
        return None if key in self._doubted else self._bodies.get(key)

    def last(self, key: Key) -> Body | None:
        """Return the object as last seen, doubted or not."""
        return self._bodies.get(key)

    def doubt(self, key: Key) -> None:
        """What is known may be old: whoever acts on this object reads it first."""
        if key in self._bodies:
            self._doubted.add(key)

    def forget(self, key: Key) -> None:
        """The object is gone from the cluster."""
        self._doubted.discard(key)
        body = self._bodies.pop(key, None)
        if body is None:
            return
        if self._instances.get((key.namespace, key.name)) == key:
            del self._instances[key.namespace, key.name]
        if key.kind == KIND:
            self._namespaces[key.namespace].discard(key)
            if not self._namespaces[key.namespace]:
                del self._namespaces[key.namespace]
        if key.kind == UPGRADE_KIND:
            name = instance_of(key, body)
            self._upgrades[name].discard(key)
            if not self._upgrades[name]:
                del self._upgrades[name]

    def keys(self) -> Collection[Key]:
        """Return the keys of all objects."""
        return self._bodies.keys()

    def of_kind(self, kind: str) -> list[Body]:
        """Return all objects of a kind."""
        return [body for key, body in self._bodies.items() if key.kind == kind]

    def instances_in(self, namespace: str) -> list[Body]:
        """Return the GPUInstances of a namespace."""
        return [self._bodies[key] for key in self._namespaces.get(namespace, ())]

    def instance_named(self, namespace: str, name: str) -> Body | None:
        """Return the GPUInstance of that name."""
        key = self._instances.get((namespace, name))
        return self._bodies.get(key) if key is not None else None

    def upgrades_of(self, namespace: str, name: str) -> list[Body]:
        """Return the InstanceUpgrades that name this instance."""
        return [self._bodies[key] for key in self._upgrades.get((namespace, name), ())]


class KnownKind:
    """One kind of what is known, for who audits or shows it."""

    def __init__(self, everything: Known, kind: str, *, is_ours: Callable[[Key], bool] = lambda _: True) -> None:
        self._everything = everything
        self._kind = kind
        self.is_ours = is_ours
        """Whether this process looks at the object, and no other shard."""

    def known(self) -> list[Body]:
        """Return all objects of the kind, as last seen."""
        return self._everything.of_kind(self._kind)

    def doubt(self, key: Key) -> None:
        """What was last seen may be old."""
        self._everything.doubt(key)


def instance_of(key: Key, body: Body) -> _Name:
    """Return namespace and name of the instance that an object is, or belongs to."""
    if key.kind == UPGRADE_KIND:
        return key.namespace, str(body["spec"]["instanceRef"]["name"])
    return key.namespace, key.name


def is_older(body: Body, known: Body | None) -> bool:
    """True if more is known of the object than this: answers and the watch overtake each other."""
    return known is not None and version_of(body) < version_of(known)


def went_back(before: Body, now: Body) -> bool:
    """True if a later version of an object has a status of an earlier time, or none."""
    return is_behind(before.get("status"), now) and version_of(now) > version_of(before)


def is_behind(then: Body | None, now: Body) -> bool:
    """True if an object has a status of an earlier time than this one, or none."""
    shown = now.get("status") or {}
    return any(shown.get(name, least) < (then or {}).get(name, least) for name, least in _ONLY_GROW)


_ONLY_GROW = (("observedGeneration", -1), ("attempts", 0))
"""Numbers of a status, with their defaults."""
