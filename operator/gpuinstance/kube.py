"""The only door to Kubernetes besides kopf: reads, status writes, Events.

Called by `reconcile` and `credentials`. A status write is a merge patch of what differs, with the
resourceVersion and uid of the object that it was computed from: a stale writer gets `Conflict`.
"""

from __future__ import annotations

import base64
import binascii
import ssl
import uuid
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

import aiohttp
from kubernetes.aio import client, config

from gpuinstance.api.upgrade import UPGRADE_KIND, UPGRADE_PLURAL
from gpuinstance.api.v1alpha1 import GROUP, KIND, PLURAL, VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_TIMEOUT_SECONDS = 15.0
_MERGE_PATCH = "application/merge-patch+json"
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
        self._objects = client.CustomObjectsApi(api)
        self._core = client.CoreV1Api(api)

    async def get_object(self, key: Key) -> Body:
        """Return the object as it is now. Raises Vanished if this life of it is over."""
        async with translated():
            body: Any = await self._objects.get_namespaced_custom_object(
                GROUP, VERSION, key.namespace, PLURALS[key.kind], key.name, _request_timeout=_TIMEOUT_SECONDS
            )
        if body["metadata"]["uid"] != key.uid:
            raise Vanished(f"{key.namespace}/{key.name} is another object now")
        return dict(body)

    async def find_instance(self, namespace: str, name: str) -> Body | None:
        """Return the GPUInstance of that name as it is now; None if there is none."""
        try:
            async with translated():
                found: Any = await self._objects.get_namespaced_custom_object(
                    GROUP, VERSION, namespace, PLURAL, name, _request_timeout=_TIMEOUT_SECONDS
                )
        except Vanished:
            return None
        return dict(found)

    async def patch_status(self, body: Body, patch: Body) -> Body:
        """Merge `patch` into the status of the object as it was read; returns the saved object.

        Raises Conflict if the object has changed since, Vanished if it is gone.
        """
        self._require_right()
        metadata = body["metadata"]
        guard = {"resourceVersion": metadata["resourceVersion"], "uid": metadata["uid"]}
        async with translated():
            saved: Any = await self._objects.patch_namespaced_custom_object_status(
                GROUP,
                VERSION,
                metadata["namespace"],
                PLURALS[Key.of(body).kind],
                metadata["name"],
                {"metadata": guard, "status": patch},
                _content_type=_MERGE_PATCH,
                _request_timeout=_TIMEOUT_SECONDS,
            )
        return dict(saved)

    async def list_objects(self, kind: str, namespace: str | None, *, metadata_only: bool = False) -> list[Body]:
        """Return all objects of a kind as they are now; `namespace` None: of the whole cluster."""
        found: list[Body] = []
        headers = {"Accept": _METADATA_ONLY} if metadata_only else None
        token: str | None = None
        while True:
            async with translated():
                page: Any = await self._page(kind, namespace, _headers=headers, _continue=token)
            # Items need not name their kind, those of metadata name another, and none of these are null.
            found += [{**item, "kind": kind} for item in page["items"] or ()]
            token = page["metadata"].get("continue") or None
            if token is None:
                return found

    async def _page(self, kind: str, namespace: str | None, **how: Any) -> object:
        how |= {"limit": _PAGE, "_request_timeout": _TIMEOUT_SECONDS}
        if namespace is None:
            return await self._objects.list_cluster_custom_object(GROUP, VERSION, PLURALS[kind], **how)
        return await self._objects.list_namespaced_custom_object(GROUP, VERSION, namespace, PLURALS[kind], **how)

    async def delete_object(self, body: Body) -> None:
        """Delete the object if it is still as it was read. Raises Conflict, or Vanished if it is gone."""
        self._require_right()
        key, metadata = Key.of(body), body["metadata"]
        preconditions = {"uid": key.uid, "resource_version": metadata["resourceVersion"]}
        async with translated():
            await self._objects.delete_namespaced_custom_object(
                GROUP,
                VERSION,
                key.namespace,
                PLURALS[key.kind],
                key.name,
                body=client.V1DeleteOptions(preconditions=client.V1Preconditions(**preconditions)),
                _request_timeout=_TIMEOUT_SECONDS,
            )

    async def get_secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """Return a Secret's data, decoded; None if it does not exist."""
        if _leads_elsewhere(name):
            return None
        try:
            async with translated():
                secret = await self._core.read_namespaced_secret(name, namespace, _request_timeout=_TIMEOUT_SECONDS)
        except Vanished:
            return None
        return {key: _decoded(value) for key, value in (secret.data or {}).items()}

    async def get_config_map(self, namespace: str, name: str) -> Mapping[str, str] | None:
        """Return a ConfigMap's data; None if it does not exist."""
        if _leads_elsewhere(name):
            return None
        try:
            async with translated():
                found = await self._core.read_namespaced_config_map(name, namespace, _request_timeout=_TIMEOUT_SECONDS)
        except Vanished:
            return None
        return dict(found.data or {})

    async def get_namespace_annotations(self, name: str) -> Mapping[str, str] | None:
        """Return the annotations of a Namespace; None if it does not exist."""
        try:
            async with translated():
                found = await self._core.read_namespace(name, _request_timeout=_TIMEOUT_SECONDS)
        except Vanished:
            return None
        return dict((found.metadata.annotations if found.metadata else None) or {})

    async def post_event(self, body: Body, *, reason: str, message: str, warning: bool) -> None:
        """Attach one Event to the object."""
        self._require_right()
        metadata, now = body["metadata"], datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
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
        async with translated():
            await self._core.create_namespaced_event(
                metadata["namespace"], client.CoreV1Event.model_validate(event), _request_timeout=_TIMEOUT_SECONDS
            )

    async def aclose(self) -> None:
        """Close the connections."""
        await self.api.close()

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
        kind = Forbidden if error.status == HTTPStatus.FORBIDDEN else KubeError
        raise kind(f"API server: {error.status} {error.reason}: {_excerpt(error.body)}") from None
    except (aiohttp.ClientError, ssl.SSLError, TimeoutError, OSError) as error:
        raise KubeError(f"API server cannot be reached: {type(error).__name__}") from None


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
