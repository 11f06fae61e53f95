"""The generic rules of kstatus, which Flux, kpt and `cli-utils` apply to a kind that they do not know.

Written anew from the published rules, for tests only; the order of the tests below is theirs.
"""

from __future__ import annotations

from typing import Any


def judge(body: dict[str, Any]) -> str:
    """Return Current, InProgress, Failed or Terminating."""
    metadata, status = body["metadata"], body.get("status") or {}
    # An object with a deletion timestamp is terminating, whatever else it says.
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    # A status that was computed from another generation says nothing about this one.
    observed = status.get("observedGeneration")
    if isinstance(observed, int) and observed != metadata.get("generation"):
        return "InProgress"
    # Of the two conditions that are there only while True, the first in the list decides.
    conditions = status.get("conditions") or []
    for condition in conditions:
        if condition["type"] == "Reconciling" and condition["status"] == "True":
            return "InProgress"
        if condition["type"] == "Stalled" and condition["status"] == "True":
            return "Failed"
    # Ready that is not True is progress, never failure.
    for condition in conditions:
        if condition["type"] == "Ready":
            return "Current" if condition["status"] == "True" else "InProgress"
    # An object without any of the known conditions counts as done.
    return "Current"
