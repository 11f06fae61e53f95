"""Secrets, Services and EndpointSlices that belong to an instance, as plain JSON.

Called by `publisher` only. Whatever is not owned by the instance is never written and never deleted. Written by
create, and by a merge patch of what differs that names uid and version of what was read: server-side apply cannot
say "only if nobody has this name yet", and would take over an object that somebody creates at the same moment.
What the API server answers to a Secret is never quoted: it may repeat what it was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from kubernetes.aio import client

from gpuinstance.apiserver import ask, path_to
from gpuinstance.core.connection import MANAGER, Wanted, Wish
from gpuinstance.kube import Body, Kube, NotLeading, Vanished, merge_patch, translated

_TIMEOUT_SECONDS = 10.0
_NOT_SHOWN = "(its words may repeat a secret, and are not shown)"


class Kind(Enum):
    """(apiVersion, kind, path of the group, plural)."""

    SECRET = ("v1", "Secret", "/api/v1", "secrets")
    SERVICE = ("v1", "Service", "/api/v1", "services")
    SLICE = ("discovery.k8s.io/v1", "EndpointSlice", "/apis/discovery.k8s.io/v1", "endpointslices")

    @property
    def label(self) -> str:
        """For people and metrics."""
        return self.value[1]


class Foreign(Exception):
    """An object of that name exists and is not the instance's. The text says whose it is."""


class Objects:
    """The API server, for what instances own."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    async def get(self, kind: Kind, namespace: str, name: str) -> Body | None:
        """Return the object as it is now, None if there is none. Raises KubeError."""
        try:
            return await self._ask("GET", kind, namespace, name)
        except Vanished:
            return None

    async def list(self, kind: Kind, namespace: str, selector: str) -> list[Body]:
        """Return the objects with these labels as they are now. Raises KubeError."""
        found = await self._ask("GET", kind, namespace, "", {"labelSelector": selector})
        return [dict(item) for item in found["items"]]

    async def create(self, kind: Kind, wish: Wish, wanted: Wanted) -> Body:
        """Create the object as wanted. Raises Conflict if there is one of that name, KubeError."""
        content = {key: value for key, value in wanted.content.items() if value is not None}
        if isinstance(content.get("spec"), Mapping):
            content["spec"] = {key: value for key, value in content["spec"].items() if value is not None}
        body = {
            "apiVersion": kind.value[0],
            "kind": kind.label,
            "metadata": {
                "name": wanted.name,
                "namespace": wish.namespace,
                "labels": dict(wanted.labels),
                "annotations": dict(wanted.annotations),
                "ownerReferences": [wish.owner],
            },
            **content,
        }
        return await self._ask("POST", kind, wish.namespace, "", {"fieldManager": MANAGER}, body)

    async def patch(self, kind: Kind, found: Body, patch: Body) -> Body:
        """Change the object as it was read. Raises Conflict if it has changed since, Vanished, KubeError."""
        metadata = found["metadata"]
        guard = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        body = {**patch, "metadata": {**patch.get("metadata", {}), **guard}}
        query = {"fieldManager": MANAGER}
        return await self._ask("PATCH", kind, metadata["namespace"], metadata["name"], query, body)

    async def delete(self, kind: Kind, found: Body) -> None:
        """Delete the object if it is still as it was read. Raises Conflict, KubeError; one that is gone is fine."""
        metadata = found["metadata"]
        guard = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": guard}
        try:
            await self._ask("DELETE", kind, metadata["namespace"], metadata["name"], {}, body)
        except Vanished:
            return

    async def _ask(
        self,
        method: str,
        kind: Kind,
        namespace: str,
        name: str,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Body:
        if body is not None and not self._kube.may_write():
            raise NotLeading("nothing was written: this process does not hold the lease any more")
        path = path_to(kind.value[2], kind.value[3], namespace, *filter(None, [name]))
        async with translated():
            try:
                return await ask(self._kube.api, method, path, query=query, body=body, seconds=_TIMEOUT_SECONDS)
            except client.ApiException as error:
                if kind is Kind.SECRET:
                    error.body = _NOT_SHOWN
                raise


def require_ours(kind: Kind, found: Body | None, wish: Wish) -> None:
    """Raise Foreign unless the object, if there is one, belongs to the instance."""
    if found is None or is_ours(found, wish):
        return
    owners = [f"{it.get('kind')}/{it.get('name')}" for it in found["metadata"].get("ownerReferences") or ()]
    whose = f"belongs to {', '.join(owners)}" if owners else "was made by somebody else"
    raise Foreign(f"{kind.label} {found['metadata']['name']} exists and {whose}")


def is_ours(found: Body, wish: Wish) -> bool:
    """True if the instance, in this life of it, owns the object."""
    return any(it.get("uid") == wish.uid for it in found["metadata"].get("ownerReferences") or ())


def difference(found: Body, wanted: Wanted) -> Body:
    """Return the merge patch that makes the object as wanted, empty where it is; what is not ours to say stays."""
    patch: Body = {}
    for field, value in wanted.content.items():
        before = found.get(field)
        if field == "data":
            part: Any = merge_patch(before or {}, value)
        elif isinstance(value, Mapping):
            part = {key: it for key, it in value.items() if (before or {}).get(key) != it}
        else:
            part = value if value != before else None
        if part:
            patch[field] = part
    metadata: Body = {}
    for field, ours in (("labels", wanted.labels), ("annotations", wanted.annotations)):
        shown = found["metadata"].get(field) or {}
        if missing := {key: value for key, value in ours.items() if shown.get(key) != value}:
            metadata[field] = missing
    return patch | ({"metadata": metadata} if metadata else {})
