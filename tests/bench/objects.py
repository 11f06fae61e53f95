"""The instances at the API server: created as a user would, listed in pages, changed. All by kubectl.

Knows nothing about the operator, and waits for nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.bench.run import say
from tests.controlplane.kubectl import Kubectl

FILE = 250
"""Objects in one file for kubectl."""
PAGE = 500
"""Objects in one page of a list."""
AT_ONCE = 4
"""kubectl creates one object after the other: beyond a thousand objects several of them share the work."""
SECONDS = 900.0


def name_of(number: int) -> str:
    """Return the name of the instance of this number, from zero."""
    return f"bench-{number:05}"


def manifest(number: int) -> dict[str, Any]:
    """Return an instance with one http port, which is checked."""
    return {
        "apiVersion": "gpuinstance.dev/v1alpha1",
        "kind": "GPUInstance",
        "metadata": {"name": name_of(number)},
        "spec": {
            "provider": "novita",
            "product": {"name": "RTX 4090 24GB"},
            "image": "docker.io/library/nginx:1.27",
            "ports": [{"port": 80}],
        },
    }


def create(kubectl: Kubectl, size: int, directory: Path) -> None:
    """Create all instances."""
    files = []
    for first in range(0, size, FILE):
        items = [manifest(number) for number in range(first, min(first + FILE, size))]
        path = directory / f"instances-{first:05}.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        files.append(path)
    at_once = min(AT_ONCE, max(1, size // 1000))
    began = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        done = 0
        for _ in pool.map(lambda path: kubectl("create", "-f", str(path), seconds=SECONDS), files):
            done = min(done + FILE, size)
            say(f"{done} of {size} created after {time.monotonic() - began:.0f} s, by {at_once} kubectl at once")


def pages(kubectl: Kubectl, namespace: str) -> Iterator[dict[str, Any]]:
    """Yield the lists of all instances, page by page, as the API server tells them."""
    path = f"/apis/gpuinstance.dev/v1alpha1/namespaces/{namespace}/gpuinstances?limit={PAGE}"
    token = ""
    while True:
        page: dict[str, Any] = json.loads(kubectl("get", "--raw", path + token, seconds=SECONDS))
        yield page
        if not (further := page["metadata"].get("continue")):
            return
        token = f"&continue={further}"


def count(kubectl: Kubectl, namespace: str) -> int:
    """Return how many instances there are; the API server counts them."""
    path = f"/apis/gpuinstance.dev/v1alpha1/namespaces/{namespace}/gpuinstances?limit=1"
    page = json.loads(kubectl("get", "--raw", path, seconds=SECONDS))
    return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))
