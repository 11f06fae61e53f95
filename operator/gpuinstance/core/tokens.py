"""Which token of `spec.actions` asks for which operation in place, and what its acceptance settles.

Tokens of what loses data are carried out when the provider has accepted the call, or was seen at work on
it: whatever comes of it then, the same token never asks again.
"""

from __future__ import annotations

from typing import Any

from gpuinstance.api.status import GPUInstanceStatus, Operation
from gpuinstance.api.words import OperationType
from gpuinstance.core.desired import applied_by_change
from gpuinstance.core.operations import is_recovery
from gpuinstance.core.snapshot import Snapshot

TOKENS = {
    OperationType.REBUILD: "recreate",
    OperationType.REINSTALL: "reinstall",
    OperationType.REGENERATE_NETWORKING: "regenerate_networking",
}
"""The field of `spec.actions` and of `status.handledActions`, in the order in which tokens are carried out."""


def new_token(s: Snapshot, kind: OperationType) -> str | None:
    """Return the token that asks for the operation and has not been carried out; None if nobody asks."""
    name = TOKENS[kind]
    token: str | None = getattr(s.spec.actions, name)
    return token if token != getattr(s.status.handled_actions, name) else None


def carried_out(status: GPUInstanceStatus, operation: Operation) -> dict[str, Any]:
    """Return what changes in the status once the operation is known to have been accepted."""
    changes: dict[str, Any] = {}
    if operation.target is not None:
        changes["applied"] = applied_by_change(status.applied, operation.target)
    if not is_recovery(operation):
        handled = {TOKENS[operation.type]: operation.token}
        changes["handled_actions"] = status.handled_actions.model_copy(update=handled)
    return changes
