"""The judgement of `kubectl gpu wait`: an object and a goal in; reached, waiting, impossible or gone out.

Pure, and asked anew about each version of an object. A status is believed only if it was computed from the present
spec. "Impossible" means that nothing more happens unless somebody acts: the operator has settled elsewhere, says that
only a person helps, or the object is being deleted. Everything that lives may still change, so that a machine that
is Ready can be waited for to stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from gpuinstance.api.upgrade import InstanceUpgrade
from gpuinstance.api.upgrade_words import UpgradeCondition
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import ConditionType, Outcome, PowerState
from gpuinstance.cli.goals import Absence, Goal, Waited


class Standing(Enum):
    """How an object stands to a goal."""

    REACHED = auto()
    WAITING = auto()
    IMPOSSIBLE = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an object stands to a goal, and why, in words."""

    standing: Standing
    why: str


def judge(goals: Sequence[Goal], found: Waited | None, *, past_actions: bool = False) -> Verdict:
    """Return how the object stands to goals of which any will do; `found` None: there is no such object.

    `past_actions`: where an upgrade waits for somebody who pays or confirms, so does the judgement.
    """
    verdicts = [_judge(goal, found, past_actions=past_actions) for goal in goals]
    for standing in (Standing.REACHED, Standing.WAITING):
        for verdict in verdicts:
            if verdict.standing is standing:
                return verdict
    return verdicts[0]


def _judge(goal: Goal, found: Waited | None, *, past_actions: bool) -> Verdict:
    if found is None:
        return _ABSENT[goal.absence]
    deleting, seen = found.metadata.deletion_timestamp is not None, is_seen(found)
    if deleting and not goal.through_deletion:
        return Verdict(Standing.IMPOSSIBLE, "it is being deleted")
    if (seen or not goal.needs_status) and goal.is_met(found):
        return Verdict(Standing.REACHED, describe(found))
    if goal.needs_power and isinstance(found, GPUInstance) and found.spec.power_state is PowerState.STOPPED:
        return Verdict(Standing.IMPOSSIBLE, "spec.powerState is Stopped")
    if not seen:
        return Verdict(Standing.WAITING, describe(found))
    if (deleting or not goal.through_halt) and _has_halted(found, past_actions=past_actions):
        return Verdict(Standing.IMPOSSIBLE, describe(found))
    return Verdict(Standing.WAITING, describe(found))


_ABSENT = {
    Absence.REACHED: Verdict(Standing.REACHED, "it does not exist any more"),
    Absence.AWAITED: Verdict(Standing.WAITING, "it does not exist yet"),
    Absence.FATAL: Verdict(Standing.GONE, "it was deleted"),
}


def is_seen(found: Waited) -> bool:
    """True if the status was computed from the present spec."""
    return found.status.observed_generation >= found.metadata.generation


def describe(found: Waited) -> str:
    """Return how it is with the object, in one line."""
    if not is_seen(found):
        return f"the operator has not looked at generation {found.metadata.generation} yet"
    ready, phase = found.status.condition(ConditionType.READY), found.status.phase or "no phase"
    if ready is None:
        return str(phase)
    reason = f" ({ready.reason})" if ready.reason != phase else ""
    return f"{phase}{reason}: {ready.message}"


def _has_halted(found: Waited, *, past_actions: bool) -> bool:
    """True if nothing moves any more unless somebody acts."""
    status, deleting = found.status, found.metadata.deletion_timestamp is not None
    stalled = status.condition(ConditionType.STALLED) is not None
    if isinstance(found, InstanceUpgrade):
        if found.status.outcome is not None:
            return not deleting  # It stays as it ended; what has ended is deleted at once.
        asks = status.condition(UpgradeCondition.ACTION_REQUIRED) is not None
        return stalled or (asks and not past_actions)
    return stalled or status.outcome not in {None, Outcome.READY}
