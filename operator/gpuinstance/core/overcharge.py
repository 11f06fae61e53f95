"""When it comes to light that a machine costs more than its spec allows: told once, and not again after an outage.

Asked by `news` and `announcements` about the step from one status to the next. Whether a machine costs too much
is not found out here but in `pricing`; a status says so by the reason of its condition Synced.
"""

from __future__ import annotations

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.api.words import ConditionStatus, ConditionType


def comes_to_light(old: GPUInstanceStatus, new: GPUInstanceStatus) -> bool:
    """Return whether the new status says that the machine costs too much, and none before has said so of this price."""
    return _says_so(new) and not _says_so(old) and not _had_said_so(old, new)


def _says_so(status: GPUInstanceStatus) -> bool:
    synced = status.condition(ConditionType.SYNCED)
    return synced is not None and synced.reason == Reason.CHARGED_ABOVE_LIMIT


def _had_said_so(old: GPUInstanceStatus, new: GPUInstanceStatus) -> bool:
    """Return whether the old status is that of a blind look, and the last one that saw anything has said so.

    A blind look keeps Ready and takes Synced for itself. Spec and price are what they were when somebody last
    looked, so what is true now was true then; only differences would have been said in its place.
    """
    ready, synced = old.condition(ConditionType.READY), old.condition(ConditionType.SYNCED)
    if ready is None or ready.status is not ConditionStatus.TRUE or synced is None or old.differences:
        return False
    blind = synced.status is ConditionStatus.FALSE
    return blind and old.observed_generation == new.observed_generation and _cost(old) == _cost(new)


def _cost(status: GPUInstanceStatus) -> tuple[str | None, str | None] | None:
    machine = status.instance
    return None if machine is None else (machine.id, machine.hourly_price)
