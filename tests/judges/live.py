"""The stories of the judges on a real API server, where nobody but the story acts.

Objects are created, edited and deleted as a person would, and a status is saved the way the operator saves it: by
the product's own client, into the status subresource, computed from the object as the API server shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from kubernetes.aio import client, config

from gpuinstance.api.v1alpha1 import FINALIZER, GROUP, VERSION
from gpuinstance.kube import Kube, merge_patch
from tests.judges.stories import INSTANCE, Body, Delete, Edit, Kind, Step, Story, Visit

_MERGE_PATCH = "application/merge-patch+json"


class Live:
    """Objects of one kind in one namespace; `async with` closes the connection."""

    def __init__(self, kubeconfig: Path, namespace: str, kind: Kind = INSTANCE) -> None:
        self._kubeconfig = kubeconfig
        self._kind = kind
        self._place = (GROUP, VERSION, namespace, kind.plural)

    async def __aenter__(self) -> Self:
        """Connect."""
        settings = client.Configuration()
        await config.load_kube_config(config_file=str(self._kubeconfig), client_configuration=settings)
        self._kube = Kube(client.ApiClient(settings))
        self._objects = client.CustomObjectsApi(self._kube.api)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection."""
        await self._kube.aclose()

    async def play(self, name: str, story: Story) -> Body:
        """Create an object, let its story happen, and return it as it is at the end."""
        await self._objects.create_namespaced_custom_object(*self._place, self._kind.manifest(name))
        for step in story:
            await self.take(name, step)
        return await self.read(name)

    async def take(self, name: str, step: Step) -> Body:
        """Let one step happen to an object; return it as it is afterwards."""
        match step:
            case Edit(spec):
                return await self._patch(name, {"spec": dict(spec)})
            case Delete():
                await self._objects.delete_namespaced_custom_object(*self._place, name)
                return await self.read(name)
            case Visit():
                body = await self.read(name)
                for status in step.statuses(_without_birthday(body)):
                    body = await self._kube.patch_status(body, merge_patch(body["status"], status))
                return body

    async def read(self, name: str) -> Body:
        """Return the object as it is."""
        body: Any = await self._objects.get_namespaced_custom_object(*self._place, name)
        return dict(body)

    async def save(self, name: str, status: Body) -> Body:
        """Save a status that another object was given; return this one as it is afterwards."""
        body = await self.read(name)
        return await self._kube.patch_status(body, merge_patch(body["status"], status))

    async def guard(self, name: str) -> None:
        """Set the finalizer: the first thing that the operator does to an object."""
        await self._patch(name, {"metadata": {"finalizers": [FINALIZER]}})

    async def release(self, name: str) -> None:
        """Take the finalizer away: the last thing that the operator does to an object."""
        await self._patch(name, {"metadata": {"finalizers": None}})

    async def clear(self) -> None:
        """Delete everything, whatever state it is in."""
        found: Any = await self._objects.list_namespaced_custom_object(*self._place)
        for item in found["items"]:
            name = item["metadata"]["name"]
            if not item["metadata"].get("deletionTimestamp"):
                await self._objects.delete_namespaced_custom_object(*self._place, name)
            if item["metadata"].get("finalizers"):
                await self.release(name)

    async def _patch(self, name: str, patch: Mapping[str, Any]) -> Body:
        body: Any = await self._objects.patch_namespaced_custom_object(
            *self._place, name, dict(patch), _content_type=_MERGE_PATCH
        )
        return dict(body)


def _without_birthday(body: Body) -> Body:
    """A story has a calendar of its own; when the object was really created would be out of its time."""
    metadata = {key: value for key, value in body["metadata"].items() if key != "creationTimestamp"}
    return {**body, "metadata": metadata}
