"""Every version of every object that the API server ever showed, kept for those who want to judge them.

A watch by kubectl writes them into a file while tests run. The laws of conditions are those of `tests.laws`;
here they are held against what users really see.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gpuinstance.api.status import GPUInstanceStatus
from tests.controlplane.kubectl import kubectl_path
from tests.controlplane.processes import Child
from tests.laws import LawBroken, check

WATCH = ("get", "gpui", "--all-namespaces", "--watch", "--output=json")
UNSEEN = {"observedGeneration": -1}


def watch(kubeconfig: Path, directory: Path) -> Child:
    """Return a program that writes every version of every GPUInstance into versions.log, once started."""
    return Child("versions", [kubectl_path(), *WATCH], directory, {"KUBECONFIG": str(kubeconfig)})


def versions(log: Path) -> Iterator[dict[str, Any]]:
    """Return all versions in the order in which they came to be. The last may be torn off, and is left out."""
    text, decoder, position = log.read_text(), json.JSONDecoder(), 0
    while (position := text.find("{", position)) >= 0:
        try:
            item, position = decoder.raw_decode(text, position)
        except ValueError:
            return
        yield from item.get("items", [item])


def violations(log: Path) -> list[str]:
    """Return what was against the laws, each with the object and its version."""
    found = []
    for item in versions(log):
        metadata, status = item["metadata"], item["status"]
        if status == UNSEEN:
            continue
        place = f"{metadata['namespace']}/{metadata['name']} at {metadata['resourceVersion']}"
        if status["observedGeneration"] > metadata["generation"]:
            found.append(f"{place}: a generation was observed that did not exist yet")
        try:
            check(GPUInstanceStatus.model_validate(status))
        except LawBroken as broken:
            found.append(f"{place}: {broken}")
    return found
