"""An API server in memory: resource versions, merge patches of status, finalizers, uids, a watch.

It stands in for `gpuinstance.kube.Kube` and keeps the promises of a real one that the operator builds on:
a write with an old resourceVersion is refused, one that changes nothing creates no version, a deleted
object stays as long as a finalizer holds it. Every status that is written passes the laws of conditions.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

from gpuinstance.api.v1alpha1 import FINALIZER, GROUP, KIND, VERSION, GPUInstance
from gpuinstance.kube import Body, Conflict, Key, Kube, KubeError, Vanished
from tests import laws
from tests.properties.world.fate import Crash, Fate, Kind, Trouble


class ApiServer(Kube):
    """One object's API server, as the operator and its users see it."""

    def __init__(self, fate: Fate, now: Callable[[], str], changed: Callable[[], None]) -> None:
        """`now` is the wall clock in Kubernetes' form; `changed` is told of each new version."""
        self._fate = fate
        self._now = now
        self._changed = changed
        self._version = 100
        self.body: Body | None = None
        """The object as it is; None once it is gone."""
        self.status_writes = 0
        self.events: list[tuple[str, str]] = []
        """(reason, message) of each Event."""
        self.secrets: dict[str, Mapping[str, bytes]] = {"novita-credentials": {"apiKey": b"key-of-a-test"}}

    # What users and kopf do ---------------------------------------------------------------------------

    def create(self, key: Key, spec: Mapping[str, Any]) -> None:
        """`kubectl apply` of a new object; the schema fills in its default status."""
        self.body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "metadata": {
                "name": key.name,
                "namespace": key.namespace,
                "uid": key.uid,
                "generation": 1,
                "creationTimestamp": self._now(),
            },
            "spec": dict(spec),
            "status": {"observedGeneration": -1},
        }
        self._bump()

    def edit(self, **spec: Any) -> None:
        """`kubectl patch` of the spec; what changes nothing makes no new generation. None removes a field."""
        body = self._current()
        edited = {name: value for name, value in (body["spec"] | spec).items() if value is not None}
        if edited != body["spec"]:
            body["spec"] = edited
            body["metadata"]["generation"] += 1
            self._bump()

    def label(self) -> None:
        """Somebody labels the object: a new version, the same generation."""
        labels = self._current()["metadata"].setdefault("labels", {})
        labels["touched"] = str(self._version)
        self._bump()

    def wipe_status(self) -> None:
        """Somebody replaces the status by an empty one; the schema fills in its default."""
        self._current()["status"] = {"observedGeneration": -1}
        self._bump()

    def delete(self) -> None:
        """`kubectl delete`: the object goes at once, or is marked where a finalizer holds it."""
        body = self._current()
        if not body["metadata"].get("finalizers"):
            self.body = None
        elif "deletionTimestamp" not in body["metadata"]:
            body["metadata"]["deletionTimestamp"] = self._now()
            body["metadata"]["generation"] += 1
            self._bump()

    def hold(self) -> None:
        """kopf puts its finalizer on the object."""
        metadata = self._current()["metadata"]
        if FINALIZER not in metadata.get("finalizers", []) and "deletionTimestamp" not in metadata:
            metadata["finalizers"] = [*metadata.get("finalizers", []), FINALIZER]
            self._bump()

    def let_go(self) -> None:
        """kopf takes its finalizer away; a deleted object goes with it."""
        self._fate.meet(Kind.RELEASE)
        metadata = self._current()["metadata"]
        assert "deletionTimestamp" in metadata, "the finalizer is taken away only from an object that is being deleted"
        self.body = None

    @property
    def is_deleting(self) -> bool:
        """Whether the object is on its way out."""
        return self.body is not None and "deletionTimestamp" in self.body["metadata"]

    def instance(self) -> GPUInstance:
        """The object in the operator's words."""
        return GPUInstance.model_validate(self._current())

    # What the operator does -----------------------------------------------------------------------------

    async def get_object(self, key: Key) -> Body:
        """Return the object as it is now."""
        if self._fate.meet(Kind.READ) is not None:
            raise KubeError("the API server is away")
        if self.body is None or self.body["metadata"]["uid"] != key.uid:
            raise Vanished("not found")
        return copy.deepcopy(self.body)

    async def patch_status(self, body: Body, patch: Body) -> Body:
        """Merge the patch into the status, if the object is still the one that the caller saw."""
        trouble = self._fate.meet(Kind.WRITE)
        if trouble is Trouble.UNAVAILABLE:
            raise KubeError("the API server is away")
        if trouble is Trouble.CONFLICT and self.body is not None:
            self.label()
        if self.body is None or self.body["metadata"]["uid"] != body["metadata"]["uid"]:
            raise Vanished("not found")
        if self.body["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflict("the object has been modified")
        self._merge_status(json.loads(json.dumps(patch)))
        if trouble is Trouble.CRASH_AFTER:
            raise Crash("after a write to Kubernetes")
        if trouble is Trouble.LOST_ANSWER:
            raise KubeError("the API server did not answer")
        return copy.deepcopy(self._current())

    async def delete_object(self, body: Body) -> None:
        """The operator deletes the object, if it is still the one that it saw."""
        trouble = self._fate.meet(Kind.WRITE)
        if trouble is Trouble.UNAVAILABLE:
            raise KubeError("the API server is away")
        if trouble is Trouble.CONFLICT:
            self.label()
        if self.body is None:
            raise Vanished("not found")
        if self.body["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflict("the object has been modified")
        self.delete()
        if trouble is Trouble.CRASH_AFTER:
            raise Crash("after a write to Kubernetes")
        if trouble is Trouble.LOST_ANSWER:
            raise KubeError("the API server did not answer")

    async def get_secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """Return the data of a Secret."""
        return self.secrets.get(name)

    async def get_config_map(self, namespace: str, name: str) -> Mapping[str, str] | None:
        """There are none in this world."""
        return None

    async def post_event(self, body: Body, *, reason: str, message: str, warning: bool) -> None:
        """Keep the Event."""
        self.events.append((reason, message))

    def _merge_status(self, patch: Body) -> None:
        body = self._current()
        merged = _merged(body.get("status", {}), patch)
        if merged == body.get("status"):
            return
        body["status"] = merged
        self.status_writes += 1
        self._bump()
        laws.check(self.instance().status)

    def _current(self) -> Body:
        if self.body is None:
            raise Vanished("not found")
        return self.body

    def _bump(self) -> None:
        self._version += 1
        self._current()["metadata"]["resourceVersion"] = str(self._version)
        self._changed()


def _merged(old: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged
