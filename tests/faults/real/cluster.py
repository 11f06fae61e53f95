"""The API server as a user of the campaign sees it: objects by plain HTTP, which costs a tenth of kubectl.

Thousands of looks are taken in a campaign; what kubectl itself does is proved elsewhere.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from gpuinstance.api.v1alpha1 import GROUP, KIND, VERSION
from gpuinstance.kube import PLURALS
from tests.controlplane.cluster import LocalCluster
from tests.controlplane.credentials import ADMIN

Body = dict[str, Any]

_MERGE = {"Content-Type": "application/merge-patch+json"}


class Objects:
    """The objects of one namespace."""

    def __init__(self, cluster: LocalCluster, namespace: str) -> None:
        self.namespace = namespace
        trust = ssl.create_default_context(cafile=str(cluster.directory / "pki" / "ca.crt"))
        headers = {"Authorization": f"Bearer {ADMIN.token}"}
        self._client = httpx.Client(base_url=cluster.url, headers=headers, verify=trust, trust_env=False, timeout=30)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, kind: str, name: str) -> Body | None:
        """Return an object; None if there is none of that name."""
        answer = self._client.get(self._path(kind, name))
        if answer.status_code == 404:
            return None
        found: Body = answer.raise_for_status().json()
        return found

    def create(self, kind: str, name: str, spec: Mapping[str, Any], **metadata: Any) -> Body:
        """Create an object; fields of the spec that are None are left out."""
        body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": kind,
            "metadata": {"name": name, **metadata},
            "spec": {key: value for key, value in spec.items() if value is not None},
        }
        created: Body = self._client.post(self._path(kind), json=body).raise_for_status().json()
        return created

    def edit(self, kind: str, name: str, spec: Mapping[str, Any]) -> None:
        """Merge this into the spec."""
        self.patch(kind, name, {"spec": dict(spec)})

    def patch(self, kind: str, name: str, patch: Mapping[str, Any]) -> None:
        """Merge this into the object."""
        content = json.dumps(patch)
        self._client.patch(self._path(kind, name), content=content, headers=_MERGE).raise_for_status()

    def replace_status(self, kind: str, name: str, status: Mapping[str, Any]) -> None:
        """Put another status in the place of the one that is there, as `kubectl replace --subresource=status` does."""
        while True:
            body = self.get(kind, name)
            assert body is not None
            answer = self._client.put(f"{self._path(kind, name)}/status", json={**body, "status": dict(status)})
            if answer.status_code != 409:  # somebody was faster
                answer.raise_for_status()
                return

    def delete(self, kind: str, name: str) -> None:
        """Ask for deletion; what is gone already is fine."""
        answer = self._client.delete(self._path(kind, name))
        if answer.status_code != 404:
            answer.raise_for_status()

    def names(self, kind: str = KIND) -> list[str]:
        """Return the names of all objects of a kind."""
        return [it["metadata"]["name"] for it in self._client.get(self._path(kind)).raise_for_status().json()["items"]]

    def _path(self, kind: str, name: str | None = None) -> str:
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{self.namespace}/{PLURALS[kind]}"
        return path if name is None else f"{path}/{name}"
