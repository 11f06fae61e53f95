"""Manifests of GPUInstances for tests: valid as they come, so that a test names only what it is about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Manifest = dict[str, Any]

_SPEC: Mapping[str, Any] = {
    "provider": "novita",
    "product": {"name": "RTX 4090 24GB"},
    "image": "docker.io/library/nginx:1.27",
}


def instance(name: str = "trainer", **spec: Any) -> Manifest:
    """Return a manifest with these fields in its spec; None takes a field away."""
    merged = {key: value for key, value in {**_SPEC, **spec}.items() if value is not None}
    return {
        "apiVersion": "gpuinstance.dev/v1alpha1",
        "kind": "GPUInstance",
        "metadata": {"name": name},
        "spec": merged,
    }


def serving(name: str = "trainer", **spec: Any) -> Manifest:
    """Return a manifest of an instance with an application on port 80."""
    return instance(name, **{"ports": [{"port": 80}], **spec})


def text(*manifests: Manifest) -> str:
    """Return manifests as one text for `kubectl apply -f -`."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
