"""What `kubectl gpu wait` can wait for: the words behind --for, and when each of them is met.

Data and parsing; pure. Whether a goal can still be reached is `judging`'s affair. A phase on the way to Ready, or to
Completed, is also met by what comes after it: a machine that was Created may be Running before anybody has looked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gpuinstance.api.upgrade import InstanceUpgrade
from gpuinstance.api.upgrade_words import UpgradeCondition, UpgradeOutcome, UpgradePhase
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import ConditionStatus, ConditionType, Outcome, Phase
from gpuinstance.cli.cluster import UPGRADES, Resource
from gpuinstance.cli.endings import Exit, Trouble

Waited = GPUInstance | InstanceUpgrade
"""What can be waited for."""

EXISTS, SETTLED, DELETED = "Exists", "Settled", "Deleted"


class Absence(StrEnum):
    """What it means for a goal that there is no such object."""

    FATAL = "fatal"
    AWAITED = "awaited"
    REACHED = "reached"


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing that can be waited for."""

    text: str
    """As it is typed."""
    is_met: Callable[[Waited], bool]
    """Asked only about a status that was computed from the present spec."""
    absence: Absence = Absence.FATAL
    through_deletion: bool = False
    """An object that is being deleted may still reach it."""
    through_halt: bool = False
    """An object at which nothing moves may still reach it, because somebody else brings it about."""
    needs_status: bool = True
    needs_power: bool = False
    """Out of reach while `spec.powerState` is Stopped."""


_UP = (Phase.PENDING, Phase.CREATING, Phase.CREATED, Phase.STARTING, Phase.RUNNING, Phase.HEALTH_CHECKING, Phase.READY)
_FORWARD = (
    UpgradePhase.PENDING,
    UpgradePhase.VALIDATING,
    UpgradePhase.ORDERING,
    UpgradePhase.AWAITING_PAYMENT,
    UpgradePhase.APPLYING,
    UpgradePhase.RESIZING,
    UpgradePhase.AWAITING_CONFIRMATION,
    UpgradePhase.CONFIRMING,
    UpgradePhase.VERIFYING,
    UpgradePhase.COMPLETED,
)
_ALIASES = {"create": EXISTS, "delete": DELETED, "outcome": SETTLED}
_PASSING = frozenset({"Reconciling", "Stalled", "Paused", "SpotInterruption", "ActionRequired"})
"""Conditions that are there only while True: without one, it is False."""


def parse(text: str, resource: Resource) -> tuple[Goal, ...]:
    """Return the goals of one --for: any of them will do, if several stand behind it with commas between.

    Raises Trouble for a word that this kind of object never says, since waiting for it would never end.
    """
    return tuple(_one(part.strip(), resource) for part in text.split(","))


def words(resource: Resource) -> tuple[str, ...]:
    """Return all that may stand behind --for, for help and completion."""
    conditions = (f"condition={it}" for it in _conditions(resource))
    return (EXISTS, *_phases(resource), SETTLED, DELETED, *(f"outcome={it}" for it in _outcomes(resource)), *conditions)


def ready_after(field: str, token: str) -> Goal:
    """Return the goal that the operation which a token asks for is over, and the instance Ready again.

    `field` is that of `status.handledActions`.
    """

    def is_met(it: Waited) -> bool:
        handled = isinstance(it, GPUInstance) and getattr(it.status.handled_actions, field) == token
        return handled and _has_condition(it, ConditionType.READY, ConditionStatus.TRUE)

    return Goal(ConditionType.READY, is_met, needs_power=True)


def _one(text: str, resource: Resource) -> Goal:
    kind, equals, rest = text.partition("=")
    if equals and kind.lower() == "condition":
        return _condition_goal(rest, resource, text)
    if equals and kind.lower() == "outcome":
        outcome = _word(rest, _outcomes(resource), text)
        return Goal(text, lambda it: it.status.outcome == outcome)
    phases = _phases(resource)
    alias = _ALIASES.get(text.lower(), text)
    return _named(_word(alias, (EXISTS, *phases, SETTLED, DELETED, ConditionType.READY), text), resource)


def _named(word: str, resource: Resource) -> Goal:
    if word == EXISTS:
        return Goal(word, lambda _: True, Absence.AWAITED, through_deletion=True, through_halt=True, needs_status=False)
    if word == DELETED:
        return Goal(word, lambda _: False, Absence.REACHED, through_deletion=True, through_halt=True)
    if word == SETTLED:
        return Goal(word, lambda it: it.status.outcome is not None)
    if word == ConditionType.READY:
        return Goal(word, _is_ready, needs_power=True)
    if word == Phase.RUNNING:
        return Goal(word, lambda it: _is_at_least(it, Phase.RUNNING) or _is_ready(it), needs_power=True)
    if resource is UPGRADES:
        return _upgrade_phase(word)
    return _instance_phase(word)


def _instance_phase(word: str) -> Goal:
    if word in _UP:
        return Goal(word, lambda it: _is_at_least(it, word), needs_power=True)
    if word in set(Outcome):
        return Goal(word, lambda it: it.status.outcome == word)
    ends = word in {Phase.TERMINATING, Phase.TERMINATED}
    absence = Absence.REACHED if ends else Absence.FATAL
    return Goal(word, lambda it: it.status.phase == word, absence, through_deletion=ends, through_halt=ends)


def _upgrade_phase(word: str) -> Goal:
    if word in _FORWARD:
        return Goal(word, lambda it: _is_at_least(it, word))
    if word in set(UpgradeOutcome):
        return Goal(word, lambda it: it.status.outcome == word)
    return Goal(word, lambda it: it.status.phase == word)


def _condition_goal(rest: str, resource: Resource, text: str) -> Goal:
    name, _, value = rest.partition("=")
    kind = _word(name, _conditions(resource), text)
    status = ConditionStatus(_word(value or ConditionStatus.TRUE, tuple(ConditionStatus), text))
    return Goal(text, lambda it: _has_condition(it, kind, status))


def _is_ready(it: Waited) -> bool:
    return _has_condition(it, ConditionType.READY, ConditionStatus.TRUE)


def _has_condition(it: Waited, kind: str, status: ConditionStatus) -> bool:
    condition = it.status.condition(kind)
    if condition is None:
        return kind in _PASSING and status is ConditionStatus.FALSE
    return condition.status is status and condition.observed_generation >= it.metadata.generation


def _is_at_least(it: Waited, phase: str) -> bool:
    order: Sequence[str] = _UP if isinstance(it, GPUInstance) else _FORWARD
    return it.status.phase in order and order.index(it.status.phase) >= order.index(phase)


def _phases(resource: Resource) -> tuple[str, ...]:
    return tuple(UpgradePhase) if resource is UPGRADES else tuple(Phase)


def _outcomes(resource: Resource) -> tuple[str, ...]:
    return tuple(UpgradeOutcome) if resource is UPGRADES else tuple(Outcome)


def _conditions(resource: Resource) -> tuple[str, ...]:
    return tuple(UpgradeCondition) if resource is UPGRADES else tuple(ConditionType)


def _word(typed: str, known: Iterable[str], text: str) -> str:
    """Return the word as it is written, however its letters were typed. Raises Trouble."""
    known = tuple(dict.fromkeys(known))
    for word in known:
        if word.lower() == typed.lower():
            return str(word)
    raise Trouble(f'--for "{text}": "{typed}" is none of {", ".join(known)}', Exit.USAGE)
