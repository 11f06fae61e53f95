"""What was written, how often and when, by the API server's own account: its audit log, read as it grows.

What the operator counts by itself lacks the finalizers, which kopf writes; and what a status says about time was
thought before it was saved. Of 10,000 instances the log is hundreds of thousands of lines, and rotated: it is read on
the way, each line once, and only those are parsed that matter.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

_READS = (b'"verb":"get"', b'"verb":"list"', b'"verb":"watch"')
_CREATE = b'"verb":"create"'
_INSTANCES = b'"resource":"gpuinstances"'
_BESIDE = frozenset({"leases"})
"""Not about instances: who leads is said every two seconds, whatever there is to lead."""


class AuditTally:
    """Counts the requests of one user, the operator's. Call `read` at least once for every 100 MB of log."""

    def __init__(self, log: Path, user: str) -> None:
        self._log = log
        self._mark = f'"username":"{user}"'.encode()
        self._stream: BinaryIO | None = None
        self._rest = b""
        self._writes: Counter[str] = Counter()
        self.reads = 0
        self.created: dict[str, float] = {}
        """When each instance was created, whoever did it: seconds since the Unix epoch, by name."""
        self.saved: dict[str, float] = {}
        """When the status of each instance was last saved."""

    def read(self) -> None:
        """Take in what has been logged by now."""
        while True:
            if self._stream is None:
                if not self._log.exists():
                    return
                self._stream = self._log.open("rb")
            self._take(self._stream.read())
            if _is_file(self._stream, self._log):
                return
            self._take(self._stream.read())  # written between the reading above and the rotation
            self.close()

    def close(self) -> None:
        """Let go of the log; a later `read` begins it anew."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def writes(self) -> int:
        """Return how many requests were meant to change something, refused ones included."""
        return self._writes.total()

    def by_kind(self) -> Counter[str]:
        """Return the writes by verb and resource, such as `patch gpuinstances/status`."""
        return Counter(self._writes)

    def _take(self, content: bytes) -> None:
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            if self._mark in line:
                if any(read in line for read in _READS):
                    self.reads += 1
                else:
                    self._take_write(json.loads(line))
            elif _CREATE in line and _INSTANCES in line:
                _note(self.created, json.loads(line))

    def _take_write(self, event: dict[str, Any]) -> None:
        target = event.get("objectRef") or {}
        resource = target.get("resource", "")
        if resource in _BESIDE:
            return
        subresource = f"/{target['subresource']}" if "subresource" in target else ""
        self._writes[f"{event['verb']} {resource}{subresource}"] += 1
        if (resource, subresource) == ("gpuinstances", "/status"):
            _note(self.saved, event)


def _note(moments: dict[str, float], event: dict[str, Any]) -> None:
    """Keep when a request was answered, if it was carried out."""
    if 200 <= event["responseStatus"]["code"] < 300:
        moments[event["objectRef"]["name"]] = datetime.fromisoformat(event["stageTimestamp"]).timestamp()


def _is_file(stream: BinaryIO, path: Path) -> bool:
    """Whether the path still leads to the file that is open."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False
