"""An API server in memory for an instance and its upgrades: versions, merge patches, finalizers, a watch.

It stands in for `gpuinstance.kube.Kube` and keeps the promises that the operator builds on: a write with an old
resourceVersion is refused, one that changes nothing makes no version, a deleted object stays as long as a
finalizer holds it. Every status that is written passes the laws, and is compared with the one before.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

from gpuinstance.api.upgrade import UPGRADE_KIND, InstanceUpgrade
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.api.v1alpha1 import FINALIZER, GROUP, KIND, VERSION, GPUInstance
from gpuinstance.kube import Body, Conflict, Key, Kube, KubeError, Vanished
from tests import laws, laws_of_upgrades
from tests.properties.world.fate import Crash, Fate, Kind, Trouble

Watcher = Callable[[Body, bool], None]
"""Told of a version of an object, and whether it is the last."""


class Cluster(Kube):
    """The cluster, as the operator and its users see it."""

    def __init__(self, fate: Fate, now: Callable[[], str], watch: Watcher) -> None:
        """`now` is the wall clock in Kubernetes' form."""
        self._fate = fate
        self._now = now
        self._watch = watch
        self._version = 100
        self._uids = 0
        self.objects: dict[tuple[str, str], Body] = {}
        """By kind and name."""
        self.status_writes = 0
        self.events: list[tuple[str, str]] = []
        self.is_dead: Callable[[], bool] = lambda: False
        self.written: Callable[[], None] = lambda: None
        """Called after each status write, for the judge."""
        self.complaints: list[str] = []

    # What users do ------------------------------------------------------------------------------------------

    def create(self, kind: str, name: str, spec: Mapping[str, Any]) -> None:
        """`kubectl apply` of a new object; the schema fills in its default status."""
        self._uids += 1
        body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": "default",
                "uid": f"943a2f{self._uids:02d}-0c5e-4d6a-9b7e-1f2a3b4c5d6e",
                "generation": 1,
                "creationTimestamp": self._now(),
            },
            "spec": dict(spec),
            "status": {"observedGeneration": -1},
        }
        self.objects[kind, name] = body
        self._bump(body)

    def edit(self, kind: str, name: str, spec: Mapping[str, Any]) -> None:
        """`kubectl patch` of the spec; what changes nothing makes no new generation."""
        body = self.objects[kind, name]
        edited = _merged(body["spec"], spec)
        if edited != body["spec"]:
            body["spec"] = edited
            body["metadata"]["generation"] += 1
            self._bump(body)

    def label(self, kind: str, name: str) -> None:
        """Somebody labels the object: a new version, the same generation."""
        body = self.objects[kind, name]
        body["metadata"].setdefault("labels", {})["touched"] = str(self._version)
        self._bump(body)

    def delete(self, kind: str, name: str) -> None:
        """`kubectl delete`: the object goes at once, or is marked where a finalizer holds it."""
        body = self.objects[kind, name]
        if not body["metadata"].get("finalizers"):
            self._remove(body)
        elif "deletionTimestamp" not in body["metadata"]:
            body["metadata"]["deletionTimestamp"] = self._now()
            body["metadata"]["generation"] += 1
            self._bump(body)

    def instance(self, name: str) -> GPUInstance | None:
        """Return an instance in the operator's words; None if there is none."""
        body = self.objects.get((KIND, name))
        return GPUInstance.model_validate(body) if body is not None else None

    def upgrades(self) -> list[InstanceUpgrade]:
        """Return all upgrades, oldest first."""
        bodies = [body for (kind, _), body in self.objects.items() if kind == UPGRADE_KIND]
        return [InstanceUpgrade.model_validate(body) for body in bodies]

    # What kopf does -----------------------------------------------------------------------------------------

    def hold(self, key: Key) -> None:
        """Put the finalizer on."""
        body = self._found(key)
        if body is not None and "deletionTimestamp" not in body["metadata"]:
            finalizers = body["metadata"].setdefault("finalizers", [])
            if FINALIZER not in finalizers:
                finalizers.append(FINALIZER)
                self._bump(body)

    def let_go(self, key: Key) -> None:
        """Take the finalizer away; a deleted object goes with it."""
        body = self._found(key)
        if body is not None:
            self._fate.meet(Kind.RELEASE)
            assert "deletionTimestamp" in body["metadata"], "only what is being deleted is released"
            self._remove(body)

    def shown(self) -> list[Body]:
        """Return all objects, for the listing before a watch."""
        return [copy.deepcopy(body) for body in self.objects.values()]

    # What the operator does -----------------------------------------------------------------------------------

    async def get_object(self, key: Key) -> Body:
        """Return the object as it is now."""
        await self._read()
        body = self._found(key)
        if body is None:
            raise Vanished("not found")
        return copy.deepcopy(body)

    async def find_instance(self, namespace: str, name: str) -> Body | None:
        """Return the instance of that name."""
        await self._read()
        return copy.deepcopy(self.objects.get((KIND, name)))

    async def list_objects(self, kind: str, namespace: str | None, *, metadata_only: bool = False) -> list[Body]:
        """Return all objects of a kind."""
        return [body for body in self.shown() if body["kind"] == kind]

    async def patch_status(self, body: Body, patch: Body) -> Body:
        """Merge the patch into the status, if the object is still the one that the caller saw."""
        await self._live()
        key, trouble = Key.of(body), self._fate.meet(Kind.WRITE)
        await asyncio.sleep(0.01)
        if trouble is Trouble.UNAVAILABLE:
            raise KubeError("the API server is away")
        if trouble is Trouble.CONFLICT and self._found(key) is not None:
            self.label(key.kind, key.name)
        current = self._found(key)
        if current is None:
            raise Vanished("not found")
        if current["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflict("the object has been modified")
        self._merge_status(current, json.loads(json.dumps(patch)))
        if trouble is Trouble.CRASH_AFTER:
            raise Crash("after a write to Kubernetes")
        saved = copy.deepcopy(current)
        await asyncio.sleep(0.01)
        if trouble is Trouble.LOST_ANSWER:
            raise KubeError("the API server did not answer")
        return saved

    async def delete_object(self, body: Body) -> None:
        """Delete the object if it is still as it was seen."""
        await self._live()
        key = Key.of(body)
        current = self._found(key)
        if current is None:
            raise Vanished("not found")
        if current["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflict("the object has been modified")
        self.delete(key.kind, key.name)

    async def get_secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """Return the data of a Secret."""
        return {"apiKey": b"key-of-a-test"}

    async def get_config_map(self, namespace: str, name: str) -> Mapping[str, str] | None:
        """There are none in this world."""
        return None

    async def post_event(self, body: Body, *, reason: str, message: str, warning: bool) -> None:
        """Keep the Event."""
        self.events.append((reason, message))

    # The works ------------------------------------------------------------------------------------------------

    def _found(self, key: Key) -> Body | None:
        body = self.objects.get((key.kind, key.name))
        return body if body is not None and body["metadata"]["uid"] == key.uid else None

    async def _read(self) -> None:
        await self._live()
        trouble = self._fate.meet(Kind.READ)
        await asyncio.sleep(0.01)
        if trouble is not None:
            raise KubeError("the API server is away")

    async def _live(self) -> None:
        """Nothing arrives from a process that is dead."""
        if self.is_dead():
            await asyncio.get_running_loop().create_future()

    def _merge_status(self, body: Body, patch: Body) -> None:
        merged = _merged(body["status"], patch)
        if merged == body["status"]:
            return
        before, body["status"] = body["status"], merged
        self.status_writes += 1
        self._bump(body)
        try:
            _check(body, before)
        except laws.LawBroken as broken:
            self.complaints.append(str(broken))
        self.written()

    def _bump(self, body: Body) -> None:
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        self._watch(copy.deepcopy(body), False)

    def _remove(self, body: Body) -> None:
        del self.objects[body["kind"], body["metadata"]["name"]]
        self._watch(copy.deepcopy(body), True)


def _check(body: Body, before: Body) -> None:
    """Raise LawBroken where a status breaks the laws, or takes back what the one before it said."""
    if body["kind"] == KIND:
        laws.check(GPUInstance.model_validate(body).status)
        return
    status = laws_of_upgrades.check(InstanceUpgrade.model_validate(body).status)
    laws_of_upgrades.check_step(InstanceUpgradeStatus.model_validate(before), status)


def _merged(old: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged
