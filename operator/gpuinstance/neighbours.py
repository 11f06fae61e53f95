"""How the other instances of a namespace are: asked before one of them is helped, see `core.rules.recovery`.

Pure, over the objects as last seen. Called by `observing`.
"""

from __future__ import annotations

from collections.abc import Iterable

from gpuinstance.api.reasons import Reason
from gpuinstance.api.v1alpha1 import ObjectMeta
from gpuinstance.api.words import ConditionType, Outcome, PowerState
from gpuinstance.core.snapshot import Neighbours
from gpuinstance.kube import Body


def count_neighbours(bodies: Iterable[Body], asking: ObjectMeta) -> Neighbours:
    """Return how many instances of a namespace should be up, and how many of them are in trouble.

    The one that asks is in trouble, whatever its status said so far.
    """
    wanted = [it for it in bodies if it["metadata"]["namespace"] == asking.namespace and _should_be_up(it)]
    in_trouble = sum(it["metadata"]["uid"] == asking.uid or _is_in_trouble(it) for it in wanted)
    return Neighbours(len(wanted), in_trouble)


def _should_be_up(body: Body) -> bool:
    spec = body.get("spec") or {}
    has_served = (body.get("status") or {}).get("outcome") == Outcome.STOPPED  # by spec.expiry
    idle = spec.get("powerState") == PowerState.STOPPED or spec.get("suspend") or has_served
    return not idle and not body["metadata"].get("deletionTimestamp")


def _is_in_trouble(body: Body) -> bool:
    conditions = (body.get("status") or {}).get("conditions") or ()
    return any(c["type"] == ConditionType.READY and c["reason"] in _TROUBLE for c in conditions)


_TROUBLE = frozenset(
    {
        Reason.HEALTH_CHECK_FAILED,
        Reason.INSTANCE_EXITED,
        Reason.INSTANCE_FAILED,
        Reason.INSTANCE_LOST,
        Reason.CREATE_TIMED_OUT,
        Reason.START_TIMED_OUT,
        Reason.RECOVERING,
        Reason.RECOVERY_HELD,
        Reason.RESTARTING,
        Reason.RECREATING,
        Reason.REBUILDING,
    }
)
"""Reasons of Ready that count as trouble of a namespace; what is being helped still counts."""
