"""One Lease object at the API server, read and written as plain JSON.

Called by the election, and by `shard` for the Leases of the other shards. Every write is the creation of an absent
Lease or the replacement of one exact version, so that of two who write at once one gets `Conflict`. Nothing is
decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from gpuinstance.apiserver import ask, path_to
from gpuinstance.kube import Body, Kube, Vanished, translated

_GROUP, _PLURAL = "/apis/coordination.k8s.io/v1", "leases"
FAMILY_LABEL = "gpuinstance.dev/lease"
"""The Leases of all shards of an installation carry it, for people who want to see them together."""
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class LeaseStore:
    """The Lease of this name. `kube` should serve nobody else: renewals must not queue behind other requests.

    `family` is the name by which the Leases of all shards are labelled; the Lease's own if it has no others.
    """

    def __init__(self, kube: Kube, namespace: str, name: str, family: str | None = None) -> None:
        self._kube = kube
        self._namespace = namespace
        self._name = name
        self._labels = {FAMILY_LABEL: family or name}

    def __str__(self) -> str:
        return f"{self._namespace}/{self._name}"

    async def read(self) -> Body | None:
        """Return the Lease, None if there is none. Raises KubeError."""
        try:
            return await self._ask("GET", self._name)
        except Vanished:
            return None

    async def read_all(self) -> list[Body]:
        """Return all Leases of the namespace as they are now, whatever their labels. Raises KubeError.

        Without a resourceVersion in the request the answer is no older than the request.
        """
        found = await self._ask("GET")
        return [dict(item) for item in found["items"] or ()]

    async def create(self, spec: Body, notes: Mapping[str, str]) -> Body:
        """Create the Lease, with these annotations. Raises Conflict if somebody else has done so, KubeError."""
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self._name,
                "namespace": self._namespace,
                "labels": self._labels,
                "annotations": dict(notes),
            },
            "spec": spec,
        }
        return await self._ask("POST", body=body)

    async def replace(self, lease: Body, spec: Body, notes: Mapping[str, str]) -> Body:
        """Give the Lease as it was read another spec, and these annotations beside those that it has.

        Raises Conflict if it has changed since, KubeError.
        """
        metadata = lease["metadata"]
        metadata = {
            **metadata,
            "labels": {**(metadata.get("labels") or {}), **self._labels},
            "annotations": {**(metadata.get("annotations") or {}), **notes},
        }
        return await self._ask("PUT", self._name, body={**lease, "metadata": metadata, "spec": spec})

    async def _ask(self, method: str, *rest: str, body: Body | None = None) -> Body:
        async with translated():
            return await ask(self._kube.api, method, path_to(_GROUP, _PLURAL, self._namespace, *rest), body=body)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._kube.aclose()


def own_namespace(file: Path = _OWN_NAMESPACE) -> str | None:
    """Return the namespace of the pod in which this process runs; None outside of a pod."""
    try:
        return file.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def moment() -> str:
    """Return this moment as Leases write it. For people and other programs: no decision depends on it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
