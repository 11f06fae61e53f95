"""The instances of a bench: created in files, listed in pages, counted by the API server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from gpuinstance.api.v1alpha1 import GPUInstance
from tests.bench import objects
from tests.controlplane.kubectl import Kubectl


class FakeKubectl:
    """Keeps what is created, and serves it in pages."""

    def __init__(self) -> None:
        self.files: list[list[dict[str, Any]]] = []

    def __call__(self, *arguments: str, seconds: float) -> str:
        """Create from a file, or answer for a path."""
        if arguments[0] == "create":
            self.files.append(json.loads(Path(arguments[-1]).read_text())["items"])
            return ""
        everything = [item for file in self.files for item in file]
        query = dict(part.split("=") for part in arguments[-1].partition("?")[2].split("&"))
        first = int(query.get("continue", "0"))
        last = first + int(query["limit"])
        metadata: dict[str, Any] = {"resourceVersion": "7"}
        if last < len(everything):
            metadata |= {"continue": str(last), "remainingItemCount": len(everything) - last}
        return json.dumps({"metadata": metadata, "items": everything[first:last]})


def test_all_are_created_and_found_again(tmp_path: Path) -> None:
    """In as many files and pages as it takes, each once; the number comes from one short answer."""
    fake = FakeKubectl()
    kubectl = cast("Kubectl", fake)
    objects.create(kubectl, 1201, tmp_path)
    assert [len(file) for file in fake.files] == [250, 250, 250, 250, 201]
    names = [item["metadata"]["name"] for page in objects.pages(kubectl, "demo") for item in page["items"]]
    assert sorted(names) == [objects.name_of(number) for number in range(1201)]
    assert objects.count(kubectl, "demo") == 1201


def test_they_are_instances_with_a_health_check() -> None:
    """By the defaults of the API."""
    instance = GPUInstance.model_validate({**objects.manifest(3), "metadata": metadata("bench-00003")})
    assert instance.spec.health_check.enabled
    assert [port.port for port in instance.spec.ports or ()] == [80]


def metadata(name: str) -> dict[str, Any]:
    """Return what the API server adds."""
    return {"name": name, "namespace": "demo", "uid": "u", "generation": 1, "creationTimestamp": "2027-01-01T00:00:00Z"}
