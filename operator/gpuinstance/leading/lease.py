"""One Lease object at the API server, read and written as plain JSON.

Called by the election. Every write is the creation of an absent Lease or the replacement of one exact version,
so that of two who write at once one gets `Conflict`. Nothing is decided here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kubernetes.aio import client

from gpuinstance.kube import Body, Kube, Vanished, translated

_GROUP, _VERSION, _PLURAL = "coordination.k8s.io", "v1", "leases"
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class LeaseStore:
    """The Lease of this name. `kube` should serve nobody else: renewals must not queue behind other requests."""

    def __init__(self, kube: Kube, namespace: str, name: str) -> None:
        self._kube = kube
        # Not the typed client: it writes a moment of a whole second without the fraction that Leases require.
        self._objects = client.CustomObjectsApi(kube.api)
        self._namespace = namespace
        self._name = name

    def __str__(self) -> str:
        return f"{self._namespace}/{self._name}"

    async def read(self) -> Body | None:
        """Return the Lease, None if there is none. Raises KubeError."""
        try:
            async with translated():
                found: Any = await self._objects.get_namespaced_custom_object(
                    _GROUP, _VERSION, self._namespace, _PLURAL, self._name
                )
        except Vanished:
            return None
        return dict(found)

    async def create(self, spec: Body) -> Body:
        """Create the Lease. Raises Conflict if somebody else has done so, KubeError."""
        body = {
            "apiVersion": f"{_GROUP}/{_VERSION}",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": spec,
        }
        async with translated():
            saved: Any = await self._objects.create_namespaced_custom_object(
                _GROUP, _VERSION, self._namespace, _PLURAL, body
            )
        return dict(saved)

    async def replace(self, lease: Body, spec: Body) -> Body:
        """Give the Lease as it was read another spec. Raises Conflict if it has changed since, KubeError."""
        async with translated():
            saved: Any = await self._objects.replace_namespaced_custom_object(
                _GROUP, _VERSION, self._namespace, _PLURAL, self._name, {**lease, "spec": spec}
            )
        return dict(saved)

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
