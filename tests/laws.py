"""The laws of conditions, as one check for every status that any test produces.

What kubectl wait, kstatus, Flux and Argo CD rely on. A test that makes a status, by whatever way,
passes it through `check`; a status that breaks a law fails the test in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gpuinstance.api.notifications import NotificationEvent, NotificationTrouble, PendingNotification
from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Condition, GPUInstanceStatus
from gpuinstance.api.words import ConditionStatus, ConditionType, Outcome, Phase
from gpuinstance.core.outbox import MOST_PENDING

_PHASES_OF_OUTCOME = {
    Outcome.READY: {Phase.READY},
    Outcome.STOPPED: {Phase.STOPPED},
    Outcome.EXITED: {Phase.EXITED},
    Outcome.SUSPENDED: {Phase.SUSPENDED},
}


class LawBroken(AssertionError):
    """A status that some reader would misunderstand."""


def check(status: GPUInstanceStatus, *, generation: int | None = None) -> GPUInstanceStatus:
    """Return the status if it obeys every law; raises LawBroken that names all that it breaks.

    `generation` is the one that the status was computed from, where the caller knows it.
    """
    broken = [
        *_about_presence(status),
        *_about_generations(status, generation),
        *_about_progress(status),
        *_about_outcome(status),
        *_about_operation(status),
        *about_notifications(status.pending_notifications, status.notification_troubles),
    ]
    if broken:
        raise LawBroken("\n  ".join(["the status breaks the laws of conditions:", *broken, str(status)]))
    return status


def _about_presence(status: GPUInstanceStatus) -> list[str]:
    broken = []
    kinds = Counter(condition.type.lower() for condition in status.conditions)
    if twice := [kind for kind, count in kinds.items() if count > 1]:
        broken.append(f"a type appears once, whatever its case: {twice}")
    if unknown := {condition.type for condition in status.conditions} - set(ConditionType):
        broken.append(f"only documented types appear: {unknown}")
    if unknown := {condition.reason for condition in status.conditions} - set(Reason):
        broken.append(f"reasons come from the closed list: {unknown}")
    broken += [f"{kind} is always present" for kind in ("Ready", "Synced", "Healthy") if status.condition(kind) is None]
    broken += [
        f"{kind} is present only while True"
        for kind in ("Reconciling", "Stalled", "Paused")
        if (condition := status.condition(kind)) is not None and condition.status is not ConditionStatus.TRUE
    ]
    broken += [
        f"{condition.type} says why in words" for condition in status.conditions if not condition.message.strip()
    ]
    if status.phase is None:
        broken.append("phase is always set")
    return broken


def _about_generations(status: GPUInstanceStatus, generation: int | None) -> list[str]:
    broken = []
    if status.observed_generation < 1:
        broken.append("a written status has observed a generation")
    if generation is not None and status.observed_generation != generation:
        broken.append(f"observedGeneration is {status.observed_generation}, computed from {generation}")
    broken += [
        f"{condition.type} carries generation {condition.observed_generation}, the status {status.observed_generation}"
        for condition in status.conditions
        if condition.observed_generation != status.observed_generation
    ]
    return broken


def _about_progress(status: GPUInstanceStatus) -> list[str]:
    broken = []
    at_work, stuck = status.condition("Reconciling"), status.condition("Stalled")
    if at_work is not None and stuck is not None:
        broken.append("Reconciling and Stalled exclude each other")
    if _is_true(status.condition("Ready")):
        broken += [f"Ready=True excludes {c.type}" for c in (at_work, stuck) if c is not None]
    ready = status.condition("Ready")
    if ready is not None and ready.status is ConditionStatus.UNKNOWN and at_work is None:
        broken.append("Ready=Unknown needs Reconciling: somebody is finding out")
    return broken


def _about_outcome(status: GPUInstanceStatus) -> list[str]:
    broken = []
    outcome, ready = status.outcome, status.condition("Ready")
    if outcome is not None and status.condition("Reconciling") is not None:
        broken.append(f"outcome {outcome} is for settled objects")
    if (outcome is Outcome.READY) is not _is_true(ready):
        broken.append(f"outcome {outcome} and {ready} must agree")
    if outcome is not None and status.phase not in _PHASES_OF_OUTCOME.get(outcome, set(Phase)) | {Phase.SUSPENDED}:
        broken.append(f"outcome {outcome} does not fit phase {status.phase}")
    if outcome is Outcome.STOPPED and status.condition("Stalled") is not None:
        broken.append("being stopped as wanted is no trouble")
    if outcome is None and status.condition("Reconciling") is None and status.condition("Stalled") is None:
        broken.append("an object that is neither settled nor stuck is being worked on")
    return broken


def _about_operation(status: GPUInstanceStatus) -> list[str]:
    if status.outcome is Outcome.READY and status.operation is not None:
        return [f"a ready object has nothing in flight: {status.operation.id}"]
    if status.operation is None and status.estimated_ready_at is not None:
        return ["only an operation in flight has an estimated end"]
    return []


def about_notifications(pending: Sequence[PendingNotification], troubles: Sequence[NotificationTrouble]) -> list[str]:
    """Return what is wrong with an outbox; for upgrades as well."""
    broken = []
    ids, moments = [entry.id for entry in pending], [entry.at for entry in pending]
    if len(pending) > MOST_PENDING:
        broken.append(f"an outbox holds {MOST_PENDING} notifications at most: {len(pending)}")
    if len(set(ids)) < len(ids):
        broken.append(f"each notification has an id of its own: {ids}")
    if moments != sorted(moments):
        broken.append(f"notifications wait in the order in which things happened: {moments}")
    broken += [f"notification {entry.id} waits for nobody" for entry in pending if not entry.to]
    if unknown := {entry.event for entry in pending} - set(NotificationEvent):
        broken.append(f"only documented events are told: {unknown}")
    waited_for = {to.name for entry in pending for to in entry.to}
    broken += [
        f"{trouble.name} is in no trouble that matters"
        for trouble in troubles
        if not (trouble.gone or trouble.missed or (trouble.message and trouble.name in waited_for))
    ]
    return broken


def _is_true(condition: Condition | None) -> bool:
    return condition is not None and condition.status is ConditionStatus.TRUE
