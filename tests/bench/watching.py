"""When an instance first said something: a watch of the API server, read as it comes.

A status tells whole seconds only, and only what is true now; here each change has its moment, and what was shown in
between is not missed.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.controlplane.kubectl import Kubectl, kubectl_path
from tests.controlplane.processes import tether


@dataclass(frozen=True, slots=True)
class Shown:
    """What an instance said from a moment on."""

    at: float
    """Seconds since the Unix epoch."""
    reason: str
    """Of the condition Ready."""


class Watch:
    """All that instances say while it is open."""

    def __init__(self) -> None:
        self._shown: defaultdict[str, list[Shown]] = defaultdict(list)
        self._lock = threading.Lock()

    def of(self, name: str) -> Sequence[Shown]:
        """Return what an instance has said since the watch began, oldest first."""
        with self._lock:
            return tuple(self._shown[name])

    def take(self, lines: Iterable[bytes]) -> None:
        """Read events, one a line, to their end."""
        for line in lines:
            now, event = time.time(), json.loads(line)
            if event["type"] in {"ADDED", "MODIFIED"}:
                with self._lock:
                    self._shown[event["object"]["metadata"]["name"]].append(_shown(event["object"], now))


@contextmanager
def watching(kubectl: Kubectl, namespace: str, version: str) -> Iterator[Watch]:
    """Watch the instances of a namespace from a resource version on, as a list told it."""
    path = f"/apis/gpuinstance.dev/v1alpha1/namespaces/{namespace}/gpuinstances"
    command = [kubectl_path(), "get", "--raw", f"{path}?watch=1&resourceVersion={version}&timeoutSeconds=3600"]
    watch = Watch()
    with subprocess.Popen(
        command,
        env=kubectl.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        preexec_fn=tether(),  # noqa: PLW1509 - no thread of ours holds a lock that the child could need
    ) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=watch.take, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            yield watch
        finally:
            process.terminate()
            reader.join()


def _shown(item: dict[str, Any], now: float) -> Shown:
    status = item.get("status") or {}
    ready: dict[str, str] = next((it for it in status.get("conditions") or () if it["type"] == "Ready"), {})
    return Shown(now, ready.get("reason", ""))
