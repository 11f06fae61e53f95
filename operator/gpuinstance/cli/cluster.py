"""What the commands ask the API server for: objects by name, lists of them, changes, and news.

Each call is one the user could make with kubectl, with the user's own rights; what stands in the way is raised as
Trouble, in words. How the requests travel is `connection`'s affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from gpuinstance.api.upgrade import UPGRADE_KIND, UPGRADE_PLURAL
from gpuinstance.api.v1alpha1 import GROUP, KIND, PLURAL, VERSION, ObjectMeta
from gpuinstance.cli.connection import Connection, Object, Query

_PAGE = 500
FIELD_MANAGER = "kubectl-gpu"
"""By this name `metadata.managedFields` tells what was set from here."""
_MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object, as the API server names it."""

    kind: str
    plural: str
    base: str
    namespaced: bool = True

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Return the path of one object or of all; `namespace` None for the whole cluster."""
        place = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{self.base}{place}/{self.plural}" + (f"/{name}" if name else "")


INSTANCES = Resource(KIND, PLURAL, f"/apis/{GROUP}/{VERSION}")
UPGRADES = Resource(UPGRADE_KIND, UPGRADE_PLURAL, f"/apis/{GROUP}/{VERSION}")
EVENTS = Resource("Event", "events", "/api/v1")
SECRETS = Resource("Secret", "secrets", "/api/v1")
NAMESPACES = Resource("Namespace", "namespaces", "/api/v1", namespaced=False)


Patience = float | Callable[[], float]
"""Seconds for a page of a list: the same for each, or asked before each."""


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of one moment."""

    items: list[Object]
    version: str
    """The resourceVersion from which a watch tells everything that follows."""


class Cluster:
    """One context of a kubeconfig, which is read when it is first needed.

    `kubeconfig` None means $KUBECONFIG or the default place, `context` None the current one. Everything here raises
    Trouble.
    """

    def __init__(self, *, kubeconfig: str | None = None, context: str | None = None) -> None:
        self._connection = Connection(kubeconfig=kubeconfig, context=context)

    @property
    def namespace(self) -> str:
        """The namespace of the context."""
        return self._connection.namespace

    def contexts(self) -> list[str]:
        """Return the names of the kubeconfig's contexts."""
        return self._connection.contexts()

    def instance(self, namespace: str, name: str) -> Object:
        """Return one GPUInstance."""
        return self.get(INSTANCES, namespace, name)

    def upgrade(self, namespace: str, name: str) -> Object:
        """Return one InstanceUpgrade."""
        return self.get(UPGRADES, namespace, name)

    def instances(self, namespace: str | None) -> list[Object]:
        """Return all GPUInstances of a namespace, or of the whole cluster."""
        return self.list(INSTANCES, namespace).items

    def upgrades(self, namespace: str | None) -> list[Object]:
        """Return all InstanceUpgrades of a namespace, or of the whole cluster."""
        return self.list(UPGRADES, namespace).items

    def events(self, namespace: str | None, reason: str) -> list[Object]:
        """Return all Events with that reason, of a namespace or of the whole cluster."""
        return self.list(EVENTS, namespace, fields=f"reason={reason}").items

    def get(self, resource: Resource, namespace: str | None, name: str, *, only_metadata: bool = False) -> Object:
        """Return one object, or what its metadata says of it."""
        path, missing = resource.path(namespace, name), _missing(resource, namespace, name)
        return self._connection.ask("GET", path, missing=missing, only_metadata=only_metadata)

    def list(
        self,
        resource: Resource,
        namespace: str | None,
        *,
        labels: str | None = None,
        fields: str | None = None,
        patience: Patience | None = None,
    ) -> Listing:
        """Return all objects of a kind, of a namespace or of the whole cluster, read in pages.

        `labels` and `fields` are selectors, which the API server applies.
        """
        ask = partial(self._connection.ask, "GET", resource.path(namespace))
        query: dict[str, str | int] = {"limit": _PAGE, **_selectors(labels, fields)}
        items: list[Object] = []
        while True:
            seconds = patience() if callable(patience) else patience
            page = ask(query) if seconds is None else ask(query, patience=seconds)
            items += page["items"]
            following = page["metadata"].get("continue")
            if not following:
                return Listing(items, str(page["metadata"].get("resourceVersion") or ""))
            query["continue"] = following

    def watch(
        self, resource: Resource, namespace: str | None, version: str, *, fields: str | None = None, seconds: float
    ) -> Iterator[Object]:
        """Yield what happens after `version`, as the API server's watch events, for at most so many seconds."""
        query: Query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            # A little less than the patience for silence: the usual end is the API server's, with a bookmark.
            "timeoutSeconds": max(int(seconds) - 1, 1),
            **_selectors(None, fields),
        }
        return self._connection.stream(resource.path(namespace), query, patience=seconds)

    def create(self, resource: Resource, namespace: str, body: Object, *, rehearse: bool = False) -> Object:
        """Create an object and return it; `rehearse` lets the API server say whether it would, and changes nothing."""
        return self._connection.ask("POST", resource.path(namespace), _writing(rehearse=rehearse), body)

    def patch_spec(
        self,
        of: ObjectMeta,
        changes: Object,
        *,
        rehearse: bool = False,
        unchanged: bool = False,
        resource: Resource = INSTANCES,
    ) -> Object:
        """Change fields of an object's spec, in this life of it only; returns the object. `rehearse` as above.

        `unchanged`: only if nobody, not even the operator, has written it since `of` was read; else a conflict (409).
        """
        version = {"resourceVersion": of.resource_version} if unchanged else {}
        return self._connection.ask(
            "PATCH",
            resource.path(of.namespace, of.name),
            _writing(rehearse=rehearse),
            {"metadata": {"uid": of.uid, **version}, "spec": changes},
            content_type=_MERGE_PATCH,
            missing=_missing(resource, of.namespace, of.name),
        )

    def delete(self, of: ObjectMeta, *, rehearse: bool = False, resource: Resource = INSTANCES) -> None:
        """Ask for the deletion of an object, in this life of it only; `rehearse` as above."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": of.uid}}
        self._connection.ask(
            "DELETE",
            resource.path(of.namespace, of.name),
            body=body | ({"dryRun": ["All"]} if rehearse else {}),
            missing=_missing(resource, of.namespace, of.name),
        )

    def close(self) -> None:
        """Close connections."""
        self._connection.close()


def _missing(resource: Resource, namespace: str | None, name: str) -> str:
    return f'{resource.kind} "{name}" not found' + (f" in namespace {namespace}" if namespace else "")


def _selectors(labels: str | None, fields: str | None) -> dict[str, str]:
    named = {"labelSelector": labels, "fieldSelector": fields}
    return {name: value for name, value in named.items() if value}


def _writing(*, rehearse: bool) -> Query:
    return {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if rehearse else {})
