"""Manifests for tests: valid as they come, so that a test names only what it is about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Manifest = dict[str, Any]

UBUNTU, DEBIAN = "d3b07384-d113-4ec6-a8b5-1f3e5b6c7d01", "c157a790-3f7b-4d0a-9e21-5a7c1e2f4b02"
"""Templates that the simulated Hostwinds has."""

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


def server(name: str = "web", **spec: Any) -> Manifest:
    """Return a manifest of a server at Hostwinds, with an application on port 8080."""
    own = {"provider": "hostwinds", "product": {"id": "402"}, "image": None, "templateID": UBUNTU}
    return instance(name, **{**own, "ports": [{"port": 8080}], "hostwinds": {"locationID": 1}, **spec})


def upgrade(name: str = "bigger", of: str = "web", **spec: Any) -> Manifest:
    """Return a manifest of an InstanceUpgrade: to the next plan at Hostwinds, unless `target` says otherwise."""
    return {
        "apiVersion": "gpuinstance.dev/v1alpha1",
        "kind": "InstanceUpgrade",
        "metadata": {"name": name},
        "spec": {"instanceRef": {"name": of}, "target": {"plan": {"id": "403"}}, **spec},
    }


def text(*manifests: Manifest) -> str:
    """Return manifests as one text for `kubectl apply -f -`."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
