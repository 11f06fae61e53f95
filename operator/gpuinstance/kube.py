"""The only door to Kubernetes besides kopf: reads, status writes, Events.

Called by `reconcile` and `credentials`. A status write is a merge patch of what differs, with the
resourceVersion and uid of the object that it was computed from: a stale writer gets `Conflict`.
"""

from __future__ import annotations

import base64
import binascii
import json
import ssl
import uuid
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

import aiohttp
from kubernetes.aio import client, config

from gpuinstance.api.upgrade import UPGRADE_KIND, UPGRADE_PLURAL
from gpuinstance.api.v1alpha1 import GROUP, KIND, PLURAL, VERSION
from gpuinstance.apiserver import JSON, ask, path_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_TIMEOUT_SECONDS = 15.0
_OURS = f"/apis/{GROUP}/{VERSION}"
_CORE = "/api/v1"
_MESSAGE_LIMIT = 1000
_PAGE = 500
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

Body = dict[str, Any]


class KubeError(Exception):
    """The API server could not be asked, or refused; the pass ends and is tried again."""


class Conflict(KubeError):
    """Somebody else changed the object since it was read."""


class Vanished(KubeError):
    """The object does not exist any more, or is another one of the same name."""


class Forbidden(KubeError):
    """The operator has no right to do this: somebody has to grant it."""


class NamespaceTerminating(Forbidden):
    """Nothing can be created in the namespace any more: it is being deleted."""


class NotLeading(KubeError):
    """The lease of this process is lost: nothing was sent, and nothing will be."""


@dataclass(frozen=True, slots=True)
class Key:
    """Which object, and which life of it."""

    namespace: str
    name: str
    uid: str
    kind: str = KIND

    @classmethod
    def of(cls, body: Body) -> Key:
        """Return the key of an object as the API server shows it."""
        metadata = body["metadata"]
        return cls(metadata["namespace"], metadata["name"], metadata["uid"], body.get("kind", KIND))


PLURALS = {KIND: PLURAL, UPGRADE_KIND: UPGRADE_PLURAL}
"""The kinds that the operator keeps, and where they are found."""


class Kube:
    """The API server, for one operator process."""

    def __init__(self, api: client.ApiClient) -> None:
        self.api = api
        self.may_write: Callable[[], bool] = lambda: True
        """Asked right before each write. The resourceVersion protects what another process has written; this
        keeps one that has lost its lease from writing even where nobody has."""

    async def get_object(self, key: Key) -> Body:
        """Return the object as it is now. Raises Vanished if this life of it is over."""
        body = await self._ask("GET", path_to(_OURS, PLURALS[key.kind], key.namespace, key.name))
        if body["metadata"]["uid"] != key.uid:
            raise Vanished(f"{key.namespace}/{key.name} is another object now")
        return body

    async def find_instance(self, namespace: str, name: str) -> Body | None:
        """Return the GPUInstance of that name as it is now; None if there is none."""
        return await self._find(path_to(_OURS, PLURAL, namespace, name))

    async def patch_status(self, body: Body, patch: Body) -> Body:
        """Merge `patch` into the status of the object as it was read; returns the saved object.

        Raises Conflict if the object has changed since, Vanished if it is gone.
        """
        self._require_right()
        metadata = body["metadata"]
        guard = {"resourceVersion": metadata["resourceVersion"], "uid": metadata["uid"]}
        path = path_to(_OURS, PLURALS[Key.of(body).kind], metadata["namespace"], metadata["name"], "status")
        return await self._ask("PATCH", path, body={"metadata": guard, "status": patch})

    async def list_objects(self, kind: str, namespace: str | None, *, metadata_only: bool = False) -> list[Body]:
        """Return all objects of a kind as they are now; `namespace` None: of the whole cluster."""
        path = path_to(_OURS, PLURALS[kind], namespace)
        found: list[Body] = []
        query = {"limit": str(_PAGE)}
        while True:
            page = await self._ask("GET", path, query=query, accept=_METADATA_ONLY if metadata_only else JSON)
            # Items need not name their kind, those of metadata name another, and none of these are null.
            found += [{**item, "kind": kind} for item in page["items"] or ()]
            if not (token := page["metadata"].get("continue")):
                return found
            query["continue"] = token

    async def delete_object(self, body: Body) -> None:
        """Delete the object if it is still as it was read. Raises Conflict, or Vanished if it is gone."""
        self._require_right()
        key, metadata = Key.of(body), body["metadata"]
        preconditions = {"uid": key.uid, "resourceVersion": metadata["resourceVersion"]}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        await self._ask("DELETE", path_to(_OURS, PLURALS[key.kind], key.namespace, key.name), body=options)

    async def get_secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """Return a Secret's data, decoded; None if it does not exist."""
        if _leads_elsewhere(name):
            return None
        secret = await self._find(path_to(_CORE, "secrets", namespace, name))
        return None if secret is None else {key: _decoded(it) for key, it in (secret.get("data") or {}).items()}

    async def get_config_map(self, namespace: str, name: str) -> Mapping[str, str] | None:
        """Return a ConfigMap's data; None if it does not exist."""
        if _leads_elsewhere(name):
            return None
        found = await self._find(path_to(_CORE, "configmaps", namespace, name))
        return None if found is None else dict(found.get("data") or {})

    async def get_namespace_annotations(self, name: str) -> Mapping[str, str] | None:
        """Return the annotations of a Namespace; None if it does not exist."""
        found = await self._find(path_to(_CORE, "namespaces", None, name))
        return None if found is None else dict(found["metadata"].get("annotations") or {})

    async def post_event(self, body: Body, *, reason: str, message: str, warning: bool) -> None:
        """Attach one Event to the object; where its namespace is being deleted there is nobody to tell."""
        self._require_right()
        metadata, now = body["metadata"], datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name'][:200]}.{uuid.uuid4().hex[:12]}",
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "apiVersion": body.get("apiVersion") or f"{GROUP}/{VERSION}",
                "kind": Key.of(body).kind,
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "message": message[:_MESSAGE_LIMIT],
            "source": {"component": "gpu-instance-operator"},
            "reportingComponent": "gpu-instance-operator",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        with suppress(NamespaceTerminating):
            await self._ask("POST", path_to(_CORE, "events", metadata["namespace"]), body=event)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.api.close()

    async def _ask(self, method: str, path: str, **how: Any) -> Body:
        async with translated():
            return await ask(self.api, method, path, seconds=_TIMEOUT_SECONDS, **how)

    async def _find(self, path: str) -> Body | None:
        try:
            return await self._ask("GET", path)
        except Vanished:
            return None

    def _require_right(self) -> None:
        if not self.may_write():
            raise NotLeading("nothing was written: this process does not hold the lease any more")


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Turn what the client library raises into the errors that a pass knows; for all who use the client."""
    try:
        yield
    except client.ApiException as error:
        if error.status == HTTPStatus.NOT_FOUND:
            raise Vanished(str(error.reason)) from None
        if error.status == HTTPStatus.CONFLICT:
            raise Conflict(str(error.reason)) from None
        kind = _refusal(error.body) if error.status == HTTPStatus.FORBIDDEN else KubeError
        raise kind(f"API server: {error.status} {error.reason}: {_excerpt(error.body)}") from None
    except (aiohttp.ClientError, ssl.SSLError, TimeoutError, OSError) as error:
        raise KubeError(f"API server cannot be reached: {type(error).__name__}") from None


def _refusal(body: str | bytes | None) -> type[Forbidden]:
    """Return what a 403 means, by the causes that its Status names: its message is for people."""
    try:
        causes = json.loads(body or "")["details"]["causes"]
        ends = any(cause["reason"] == "NamespaceTerminating" for cause in causes)
    except (ValueError, LookupError, TypeError):
        return Forbidden  # it is no Status with causes
    return NamespaceTerminating if ends else Forbidden


def _excerpt(body: object) -> str:
    return " ".join(str(body or "").split())[:300]


def _leads_elsewhere(name: str) -> bool:
    """Return whether the name, as part of a path, would name something else; no object is called so."""
    return name in ("", ".", "..") or "/" in name


def _decoded(value: str | bytes) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        return b""


def version_of(body: Body) -> int:
    """Return the resourceVersion as a number; versions of one object grow."""
    version = str(body["metadata"].get("resourceVersion", "0"))
    return int(version) if version.isdecimal() else 0


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> Body:
    """Return the JSON merge patch (RFC 7386) from old to new; empty where nothing differs."""
    patch: Body = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := merge_patch(before, value):
                patch[key] = inner
        elif value != before:
            patch[key] = value
    return patch


async def connect() -> Kube:
    """Return the API server by the pod's service account, else by KUBECONFIG. Raises KubeError."""
    settings = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=settings)
    except config.ConfigException:
        try:
            await config.load_kube_config(client_configuration=settings)
        except Exception as error:  # noqa: BLE001 - the library raises whatever its parser stumbles over
            told = f"{type(error).__name__}: {_excerpt(error)}"
            raise KubeError(f"this is no pod with a service account, and KUBECONFIG cannot be used: {told}") from None
    settings.client_session_kwargs = {"trust_env": looks_for_proxy()}
    return Kube(client.ApiClient(settings))


def looks_for_proxy() -> bool:
    """Return whether the environment names a proxy at all.

    Where it may, aiohttp looks for one at each request, in two threads: a third of what a request costs.
    """
    return bool(getproxies())
