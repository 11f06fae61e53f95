"""An API server in memory for several objects of both kinds: versions, merge patches, finalizers, a watch.

It stands in for `gpuinstance.kube.Kube` and keeps the promises that the operator builds on: a write with an
old resourceVersion is refused, one that changes nothing makes no version, a deleted object stays as long as a
finalizer holds it. Every call is shown to fate first; every status that is written passes the laws.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from gpuinstance.api.v1alpha1 import FINALIZER, GROUP, KIND, VERSION, GPUInstance
from gpuinstance.core.budget import LIMIT
from gpuinstance.kube import Body, Conflict, Key, Kube, KubeError, Vanished
from tests import laws
from tests.faults.fate import Fate
from tests.faults.troubles import Api, Kill, Point, Trouble

_LATENCY = 0.01
"""Seconds that a request is on its way, in each direction."""

Watcher = Callable[[Body, bool], None]
"""Told of a version of an object, and whether it is the last."""


class ApiServer(Kube):
    """The cluster, as the operator and its users see it."""

    def __init__(self, fate: Fate, now: Callable[[], str]) -> None:
        """`now` is the wall clock in Kubernetes' form."""
        self._fate = fate
        self._now = now
        self._version = 100
        self._uids = 0
        self._stored: dict[tuple[str, str, str], Body] = {}
        self.watch: Watcher = lambda _body, _gone: None
        self.watch_lag = 0.05
        """Seconds from a change to the operator seeing it."""
        self._has_old_schema = False
        """Whether the CRD is older than the operator: a field that it does not know is dropped without a word."""
        self.writes = 0
        """Accepted from the operator."""
        self.complaints: list[str] = []
        self.secrets: dict[str, Mapping[str, bytes]] = {
            f"{provider}-credentials": {"apiKey": b"simulated-key"} for provider in ("novita", "hostwinds")
        }
        self.dead: Callable[[], bool] = lambda: False
        """Whether the process that calls is dead, so that nothing of it arrives any more."""

    # What users do ------------------------------------------------------------------------------------------

    def find(self, kind: str, name: str) -> Body | None:
        """Return the object of that name as it is; None if there is none."""
        return self._stored.get((kind, "default", name))

    def create(self, kind: str, name: str, spec: Mapping[str, Any]) -> Body:
        """`kubectl apply` of a new object; the schema fills in its default status."""
        self._uids += 1
        body: Body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": "default",
                "uid": f"943a2f8{self._uids}-0c5e-4d6a-9b7e-1f2a3b4c5d6e",
                "generation": 1,
                "creationTimestamp": self._now(),
            },
            "spec": dict(spec),
            "status": {"observedGeneration": -1},
        }
        self._stored[kind, "default", name] = body
        self._bump(body)
        return body

    def edit(self, kind: str, name: str, spec: Mapping[str, Any]) -> None:
        """`kubectl patch` of the spec; what changes nothing makes no new generation."""
        body = self._stored[kind, "default", name]
        edited = _merged(body["spec"], spec)
        if edited != body["spec"]:
            body["spec"] = edited
            body["metadata"]["generation"] += 1
            self._bump(body)

    def touch(self, body: Body) -> None:
        """Somebody labels the object: a new version, the same generation."""
        body["metadata"].setdefault("labels", {})["touched"] = str(self._version)
        self._bump(body)

    def wipe_status(self, body: Body) -> None:
        """Somebody replaces the status by an empty one; the schema fills in its default."""
        body["status"] = {"observedGeneration": -1}
        self._bump(body)

    def delete(self, kind: str, name: str) -> None:
        """`kubectl delete`: the object goes at once, or is marked where a finalizer holds it."""
        body = self._stored[kind, "default", name]
        if not body["metadata"].get("finalizers"):
            self._remove(body)
        elif "deletionTimestamp" not in body["metadata"]:
            body["metadata"]["deletionTimestamp"] = self._now()
            body["metadata"]["generation"] += 1
            self._bump(body)

    # What kopf does -----------------------------------------------------------------------------------------

    async def hold(self, key: Key) -> None:
        """Put the finalizer on."""
        body = self._stored.get((key.kind, key.namespace, key.name))
        if body is None or FINALIZER in body["metadata"].get("finalizers", ()) or _is_deleting(body):
            return

        def put_on() -> None:
            body["metadata"]["finalizers"] = [*body["metadata"].get("finalizers", ()), FINALIZER]
            self._bump(body)

        await self._write("finalizer" if key.kind == KIND else "upgrade-finalizer", body, put_on)

    async def let_go(self, key: Key) -> None:
        """Take the finalizer away; a deleted object goes with it."""
        body = self._stored.get((key.kind, key.namespace, key.name))
        if body is not None and body["metadata"]["uid"] == key.uid and _is_deleting(body):
            call = "release" if key.kind == KIND else "upgrade-release"
            await self._write(call, body, lambda: self._remove(body))

    def objects(self) -> list[Body]:
        """Return all objects, for the listing before a watch."""
        return [copy.deepcopy(body) for body in self._stored.values()]

    # What the operator does -----------------------------------------------------------------------------------

    async def get_object(self, key: Key) -> Body:
        """Return the object as it is now."""
        await self._meet_read()
        body = self._stored.get((key.kind, key.namespace, key.name))
        if body is None or body["metadata"]["uid"] != key.uid:
            raise Vanished("not found")
        return copy.deepcopy(body)

    async def find_instance(self, namespace: str, name: str) -> Body | None:
        """Return the instance of that name."""
        await self._meet_read()
        return copy.deepcopy(self._stored.get((KIND, namespace, name)))

    async def list_objects(self, kind: str, namespace: str | None, *, metadata_only: bool = False) -> list[Body]:
        """Return all objects of a kind."""
        return [body for body in self.objects() if body["kind"] == kind]

    async def patch_status(self, body: Body, patch: Body) -> Body:
        """Merge the patch into the status, if the object is still the one that the caller saw."""
        key, seen = Key.of(body), body["metadata"]
        saved: list[Body] = []
        current = self._stored.get((key.kind, key.namespace, key.name))

        def merge() -> None:
            if current is None or current is not self._stored.get((key.kind, key.namespace, key.name)):
                raise Vanished("not found")
            if current["metadata"]["uid"] != key.uid:
                raise Vanished("another object")
            if current["metadata"]["resourceVersion"] != seen["resourceVersion"]:
                raise Conflict("the object has been modified")
            self._merge_status(current, json.loads(json.dumps(patch)))
            saved.append(copy.deepcopy(current))

        call = "status" if key.kind == KIND else "upgrade-status"
        await self._write(call, current, merge)
        return saved[0]

    async def delete_object(self, body: Body) -> None:
        """Delete it."""
        self.delete(Key.of(body).kind, body["metadata"]["name"])

    async def get_secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """Return the data of a Secret."""
        return self.secrets.get(name)

    async def get_config_map(self, namespace: str, name: str) -> Mapping[str, str] | None:
        """There are none."""
        return None

    async def get_namespace_annotations(self, name: str) -> Mapping[str, str] | None:
        """Return a budget in which everything fits: what it asks before each call is met by every trouble."""
        return {LIMIT: "100"}

    async def post_event(self, body: Body, *, reason: str, message: str, warning: bool) -> None:
        """Take an Event."""
        await self._write("event", None, lambda: None)

    # The works --------------------------------------------------------------------------------------------------

    async def _meet_read(self) -> None:
        trouble = await self._arrive("read")
        if trouble is not None and isinstance(trouble.does, Kill) and trouble.does.point is Point.AFTER_SEND:
            self._fate.die()
            await _never()

    async def _write(self, call: str, body: Body | None, effect: Callable[[], None]) -> None:
        """Let a write take effect, or meet its trouble."""
        trouble = await self._arrive(call)
        what = trouble.does.what if trouble is not None and isinstance(trouble.does, Api) else None
        if what == "conflict" and body is not None:
            self.touch(body)
        self._has_old_schema |= what == "old schema"
        if what in {"event lost", "stale watch"}:
            self.watch_lag = 30.0 if what == "stale watch" else float("inf")
        effect()
        self.writes += 1
        if what == "event lost":
            self.watch_lag = 0.05
        if what == "status wiped" and body is not None:
            self.wipe_status(body)
        if trouble is not None and isinstance(trouble.does, Kill) and trouble.does.point is Point.AFTER_SEND:
            self._fate.die()
            await _never()
        await asyncio.sleep(_LATENCY)
        if what == "answer lost":
            raise KubeError("the API server did not answer")

    async def _arrive(self, call: str) -> Trouble | None:
        if self.dead():
            await _never()
        trouble = self._fate.meet(call)
        if self.dead():
            await _never()
        await asyncio.sleep(_LATENCY)
        if trouble is not None and isinstance(trouble.does, Api) and trouble.does.what == "unavailable":
            raise KubeError("the API server is away")
        return trouble

    def _merge_status(self, body: Body, patch: Body) -> None:
        merged = _merged(body.get("status", {}), patch)
        if self._has_old_schema and merged.get("instance"):
            merged["instance"].pop("image", None)
        if merged == body.get("status"):
            return
        body["status"] = merged
        self._bump(body)
        if body["kind"] == KIND:
            try:
                laws.check(GPUInstance.model_validate(body).status)
            except laws.LawBroken as broken:
                self.complaints.append(f"I12: {broken}")

    def _bump(self, body: Body) -> None:
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        self.watch(copy.deepcopy(body), False)

    def _remove(self, body: Body) -> None:
        del self._stored[body["kind"], "default", body["metadata"]["name"]]
        self.watch(copy.deepcopy(body), True)


def _is_deleting(body: Body) -> bool:
    return "deletionTimestamp" in body["metadata"]


async def _never() -> NoReturn:
    """What a dead process waits for."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError


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
