"""Looks at objects that a screen mentions, where a missing right or object costs a line and not the screen.

Of a single object only the metadata is asked for: what is in a Secret does not leave the API server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from gpuinstance.cli.cluster import Cluster, Resource
from gpuinstance.cli.endings import ClusterTrouble
from gpuinstance.cli.fields import Object

SERVICES = Resource("Service", "services", "/api/v1")
SLICES = Resource("EndpointSlice", "endpointslices", "/apis/discovery.k8s.io/v1")

_EXPLAINED: Mapping[int, str] = {HTTPStatus.NOT_FOUND: "does not exist", HTTPStatus.FORBIDDEN: "you may not read it"}


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of one object."""

    resource: Resource
    name: str
    found: Object | None
    words: str = ""
    """Why nothing was found."""


def look(cluster: Cluster, resource: Resource, namespace: str, name: str) -> Sight:
    """Look at one object, of which only the metadata is kept. Raises ClusterTrouble where the cluster is not there."""
    try:
        found = cluster.get(resource, namespace, name, only_metadata=True)
    except ClusterTrouble as trouble:
        return Sight(resource, name, None, _explained(trouble))
    return Sight(resource, name, {"metadata": found["metadata"]})


def look_all(cluster: Cluster, resource: Resource, namespace: str | None, labels: str | None = None) -> list[Object]:
    """Return all objects of a kind, none where they may not be seen. Raises ClusterTrouble as above."""
    try:
        return cluster.list(resource, namespace, labels=labels).items
    except ClusterTrouble as trouble:
        _explained(trouble)
        return []


def _explained(trouble: ClusterTrouble) -> str:
    if trouble.status is None or trouble.status == HTTPStatus.UNAUTHORIZED:
        raise trouble
    return _EXPLAINED.get(trouble.status, f"could not be read: {trouble}")
