"""Reading the API server's audit log: who asked for what, and how it ended.

Tests count with it: "six writes from apply to Ready", "none at rest", "nothing was refused to the operator".
It holds every write, and for service accounts every read too. It holds no bodies, so no secret either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

READS = frozenset({"get", "list", "watch"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request that the API server has answered."""

    user: str
    """As RBAC knows it, such as `admin` or `system:serviceaccount:NAMESPACE:NAME`."""
    verb: str
    """get, list, watch, create, update, patch, delete or deletecollection."""
    resource: str
    """The plural, with the subresource behind a slash: `gpuinstances/status`."""
    namespace: str
    name: str
    """Empty where the request names no object."""
    code: int
    """The HTTP status of the answer; 0 where none was sent."""
    at: datetime

    @property
    def accepted(self) -> bool:
        """True where the server carried it out."""
        return 200 <= self.code < 300

    @property
    def forbidden(self) -> bool:
        """True where the user lacks the right."""
        return self.code == 403


def position(log: Path) -> int:
    """Return how much the log holds by now, for `since`."""
    return len(_complete(log.read_bytes()))


def requests(
    log: Path,
    *,
    user: str | None = None,
    resource: str | None = None,
    name: str | None = None,
    since: int = 0,
) -> list[Request]:
    """Return the requests in the order of their answers: all, or those of one user, resource, name.

    With `since`, a `position` from before, only what was answered after it. A watch is answered when it ends.
    """
    return [
        request
        for request in _read(log, since)
        if (user is None or request.user == user)
        and (resource is None or request.resource == resource)
        and (name is None or request.name == name)
    ]


def writes(
    log: Path,
    *,
    user: str | None = None,
    resource: str | None = None,
    name: str | None = None,
    since: int = 0,
) -> list[Request]:
    """Return those of the `requests` that were meant to change something."""
    found = requests(log, user=user, resource=resource, name=name, since=since)
    return [request for request in found if request.verb not in READS]


def _complete(content: bytes) -> bytes:
    """Cut off a last line that the server is in the middle of writing."""
    return content[: content.rfind(b"\n") + 1]


def _read(log: Path, since: int) -> Iterator[Request]:
    with log.open("rb") as stream:
        stream.seek(since)
        content = _complete(stream.read())
    for line in content.splitlines():
        event = json.loads(line)
        target = event.get("objectRef")
        if target is None:  # discovery and health name no object
            continue
        subresource = f"/{target['subresource']}" if "subresource" in target else ""
        yield Request(
            user=event["user"]["username"],
            verb=event["verb"],
            resource=target["resource"] + subresource,
            namespace=target.get("namespace", ""),
            name=target.get("name", ""),
            code=event.get("responseStatus", {}).get("code", 0),
            at=datetime.fromisoformat(event["stageTimestamp"]),
        )
