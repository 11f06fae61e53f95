"""What is worth telling: derived from the status before and after, once it has been saved.

Status tells progress; an Event tells an outcome. There is one for each operation that ends and one
for each trouble that begins, so that an undisturbed creation costs a single Event.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Condition, GPUInstanceStatus
from gpuinstance.api.words import ConditionStatus, ConditionType, OperationType, Outcome, Phase
from gpuinstance.core.differences import describe
from gpuinstance.core.operations import is_recovery
from gpuinstance.core.overcharge import comes_to_light


@dataclass(frozen=True, slots=True)
class News:
    """One transition. `reason` is of the closed list."""

    reason: Reason
    message: str
    warning: bool


_QUIET = frozenset(
    {
        Reason.PENDING,
        Reason.CREATING,
        Reason.STARTING,
        Reason.STOPPING,
        Reason.RESTARTING,
        Reason.RECREATING,
        Reason.REBUILDING,
        Reason.REINSTALLING,
        Reason.REGENERATING_NETWORKING,
        Reason.APPLYING_CHANGE,
        Reason.HEALTH_CHECKING,
        Reason.TERMINATING,
        Reason.CONFIRMING_CREATE,
        Reason.UPGRADING,
    }
)
"""Progress, shown by the status alone."""


_AS_ASKED = (Reason.STOPPED, Reason.EXPIRED, Reason.IDLE, Reason.SUSPENDED)
"""Ways to settle that the spec asks for."""


def news(old: GPUInstanceStatus, new: GPUInstanceStatus) -> News | None:
    """Return the transition between two saved statuses, if it is worth an Event."""
    before, after = old.condition(ConditionType.READY), new.condition(ConditionType.READY)
    if after is not None and _let_go(old, new, after):
        return News(Reason.TERMINATING, f"{after.message}: {_named(new)}", warning=False)
    if after is None or _same(before, after):
        return _spot(old, new) or _expiring(old, new) or _drift(old, new) or _charged(old, new) or _connection(old, new)
    if after.status is ConditionStatus.TRUE:
        # What came to light together with Ready would never be told later.
        beside = [it for it in (_expiring(old, new), _charged(old, new)) if it is not None]
        story = "; ".join((_ready_story(new, after), *(it.message for it in beside)))
        return _spot(old, new) or _drift(old, new) or News(Reason.READY, story, warning=bool(beside))
    reason = Reason(after.reason)
    if reason in _QUIET:
        others = _recovery(old, new, after) or _drift(old, new) or _charged(old, new)
        return _spot(old, new) or _expiring(old, new) or others
    settled_well = new.outcome in (Outcome.STOPPED, Outcome.SUSPENDED) and reason in _AS_ASKED
    as_asked = settled_well or reason is Reason.ADOPTING
    drift = _drift(old, new)
    message = after.message if drift is None else f"{after.message}; {drift.message}"
    return News(reason, message, warning=not as_asked)


def _same(before: Condition | None, after: Condition) -> bool:
    return before is not None and before.status is after.status and before.reason == after.reason


def _let_go(old: GPUInstanceStatus, new: GPUInstanceStatus, ready: Condition) -> bool:
    """Whether the object goes now, as somebody has asked, and what becomes of its machine is worth a last word."""
    ends = new.phase is Phase.TERMINATED and ready.reason == Reason.TERMINATING
    return ends and old.phase is not Phase.TERMINATED and new.instance is not None and new.instance.id is not None


def _named(status: GPUInstanceStatus) -> str:
    machine = status.instance
    return "" if machine is None else f"{machine.id} ({machine.name})"


def _spot(old: GPUInstanceStatus, new: GPUInstanceStatus) -> News | None:
    before, after = old.condition(ConditionType.SPOT_INTERRUPTION), new.condition(ConditionType.SPOT_INTERRUPTION)
    if after is None or (before is not None and before.reason == after.reason):
        return None
    return News(Reason(after.reason), after.message, warning=True)


def _expiring(old: GPUInstanceStatus, new: GPUInstanceStatus) -> News | None:
    """What is about to happen is announced once, and again where its moment has moved."""
    warning = new.expiry.warning if new.expiry is not None else None
    if warning is None or (old.expiry is not None and old.expiry.warning == warning):
        return None
    return News(Reason.EXPIRING, warning, warning=True)


def _recovery(old: GPUInstanceStatus, new: GPUInstanceStatus, ready: Condition) -> News | None:
    """Nobody asked for it, and it may cost data or money: each attempt is told as it begins."""
    before, now = old.operation, new.operation
    if now is None or not is_recovery(now) or (before is not None and before.token == now.token):
        return None
    return News(Reason.RECOVERING, f"spec.recovery, attempt {new.recovery_attempts}: {ready.message}", warning=True)


def _drift(old: GPUInstanceStatus, new: GPUInstanceStatus) -> News | None:
    """Each difference is told as it comes to light, and not again while it stays, whatever else happens."""
    if not new.differences or new.differences == old.differences:
        return None
    return News(Reason.DRIFT_DETECTED, describe(new.differences), warning=True)


def _charged(old: GPUInstanceStatus, new: GPUInstanceStatus) -> News | None:
    """A machine that costs more than it may is told when that comes to light."""
    synced = new.condition(ConditionType.SYNCED)
    if synced is None or not comes_to_light(old, new):
        return None
    return News(Reason.CHARGED_ABOVE_LIMIT, synced.message, warning=True)


def _connection(old: GPUInstanceStatus, new: GPUInstanceStatus) -> News | None:
    """What stands in the way of publishing is told as it comes to light. It is saved by itself, after the rest."""
    before, now = old.connection, new.connection
    if now is None or now.reason is None or (before is not None and before.reason == now.reason):
        return None
    return News(Reason(now.reason), now.message or "", warning=True)


def _ready_story(status: GPUInstanceStatus, ready: Condition) -> str:
    """Return the whole story of what ended well, e.g. a purchase with its price and duration."""
    operation, machine = status.last_operation, status.instance
    ended_now = operation is not None and operation.phases.completed_at == ready.last_transition_time
    if operation is None or machine is None or not ended_now:
        return ready.message
    took = int((ready.last_transition_time - operation.started_at).total_seconds())
    if operation.type is not OperationType.CREATE:
        return f"{operation.type} of machine {machine.id} completed after {took} s: {ready.message}"
    price = f" at {machine.hourly_price} USD/h" if machine.hourly_price else ""
    place = f" in {machine.region}" if machine.region else ""
    return f"bought machine {machine.id}: {machine.product_name}{place}{price}, ready after {took} s"
