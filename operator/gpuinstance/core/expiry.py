"""When a machine has served, by `spec.expiry`: its time is over, or nobody has used it for long.

Pure, over the object and a moment; asked by `snapshot`, by the rules in `rules.expiry` and by `conditions`.
A ttl is over by the clock alone, so that nothing about it has to be remembered. That a machine is idle is
found out once, while it runs, and remembered in the status: it must not come up again by being down.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gpuinstance.api.base import format_duration
from gpuinstance.api.expiry import LAST_USED, ExpiryStatus
from gpuinstance.api.reasons import Reason
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import ExpiryAction, Management, OperationPhase, OperationType

_LONGEST_WARNING = timedelta(minutes=10)
_SHARE_OF_WARNING = 10
"""The end is announced when a tenth of the time is left, and at most ten minutes before."""
LONGEST_HOLD = timedelta(days=1)
"""For how long after its end an object is kept at most for an InstanceUpgrade that is paid for."""


@dataclass(frozen=True, slots=True)
class Over:
    """Why a machine has served."""

    reason: Reason
    words: str
    since: datetime


def over(instance: GPUInstance, now: datetime) -> Over | None:
    """Return why the machine has served, or None while it may run. Only managed machines expire."""
    spec, status = instance.spec, instance.status
    if spec.expiry is None or spec.managed is not Management.FULL:
        return None
    end = expires_at(instance, status.created_at)
    if end is not None and end <= now and not _is_being_replaced(instance):
        assert spec.expiry.ttl is not None
        words = f"spec.expiry.ttl of {format_duration(spec.expiry.ttl)} was over at {_moment(end)}"
        return Over(Reason.EXPIRED, words, end)
    found = status.expiry
    if spec.expiry.idle_after is None or found is None or found.idle_at is None:
        return None
    used = last_used(instance)
    used_since = used is not None and used > found.idle_at
    if used_since or found.idle_generation != instance.metadata.generation:
        return None
    words = f"at {_moment(found.idle_at)} it had not been used for {format_duration(spec.expiry.idle_after)}"
    return Over(Reason.IDLE, f"{words} (spec.expiry.idleAfter)", found.idle_at)


def held_until(instance: GPUInstance, served: Over) -> datetime | None:
    """Return until when an object whose machine has served is kept for a paid upgrade; None where it does not go.

    Stopping loses nothing, so that only what would be deleted is held.
    """
    return _after(served.since, LONGEST_HOLD) if will_be_deleted(instance) else None


def will_be_deleted(instance: GPUInstance) -> bool:
    """True if the object itself goes once its machine has served; deletionProtection comes first."""
    expiry = instance.spec.expiry
    return expiry is not None and expiry.action is ExpiryAction.DELETE and not instance.spec.deletion_protection


def is_protected(instance: GPUInstance) -> bool:
    """True if the object would be deleted and is not, because of its deletionProtection."""
    expiry = instance.spec.expiry
    return expiry is not None and expiry.action is ExpiryAction.DELETE and instance.spec.deletion_protection


def expires_at(instance: GPUInstance, created_at: datetime | None) -> datetime | None:
    """Return when the ttl of a machine that was bought at that moment is over; None where there is no end."""
    expiry = instance.spec.expiry
    if expiry is None or expiry.ttl is None or created_at is None:
        return None
    return _after(created_at.replace(microsecond=0), expiry.ttl)


def _after(moment: datetime, span: timedelta) -> datetime | None:
    """Return the moment so much later; None for one that no calendar has, as after a year 9999 that means "never"."""
    try:
        return moment + span
    except OverflowError:
        return None


def last_used(instance: GPUInstance) -> datetime | None:
    """Return when the machine was last used, by its annotation; None where nobody says so readably."""
    try:
        moment = datetime.fromisoformat(instance.metadata.annotations.get(LAST_USED, ""))
        return moment.astimezone(UTC).replace(microsecond=0) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def idle_from(instance: GPUInstance) -> datetime | None:
    """Return the moment at which a machine that is up will be idle; None where nothing is known of its use."""
    expiry, used, up = instance.spec.expiry, last_used(instance), instance.status.started_at
    if expiry is None or expiry.idle_after is None or instance.spec.managed is not Management.FULL:
        return None
    if used is None or up is None:
        return None
    return _after(max(used, up), expiry.idle_after)


def tell_expiry(
    instance: GPUInstance,
    now: datetime,
    *,
    created_at: datetime | None,
    ends: bool,
    touched: bool,
    machine: str,
    held_by: str | None = None,
) -> ExpiryStatus | None:
    """Return what the status says: of a machine bought at that moment, which a warning names where it may still end.

    `ends` is False for a machine that is down already. `touched` is False for an object at which nothing is done.
    `held_by` names the upgrade for which an object that is over is kept.
    """
    if instance.spec.expiry is None or instance.spec.managed is not Management.FULL:
        return None
    found, reached = instance.status.expiry, over(instance, now)
    idle = found if found is not None and reached is not None and reached.reason is Reason.IDLE else None
    warning = _warning(instance, now, created_at, machine) if ends and touched and reached is None else None
    goes = touched and will_be_deleted(instance) and (reached is not None or warning is not None)
    deletes_at = _deletes_at(instance, now, reached, created_at) if goes else None
    held = held_until(instance, reached) if reached is not None and held_by is not None and touched else None
    if reached is not None and deletes_at is not None:
        when = f"at {_moment(deletes_at)}"
        if held is not None:
            when = f"once InstanceUpgrade {held_by}, which is under way, has ended, at {_moment(held)} at the latest"
        warning = f"this object is deleted {when}: {reached.words}; {_REMEDIES[reached.reason]}"
    status = ExpiryStatus(
        expires_at=expires_at(instance, created_at),
        warning=warning,
        deletes_at=deletes_at,
        held_until=held,
        idle_at=idle.idle_at if idle is not None else None,
        idle_generation=idle.idle_generation if idle is not None else None,
    )
    return status if status != ExpiryStatus() else None


_REMEDIES = {
    Reason.EXPIRED: "raise spec.expiry.ttl to keep it",
    Reason.IDLE: f"renew annotation {LAST_USED} to keep it",
}


def is_due(instance: GPUInstance, now: datetime) -> bool:
    """True if the object's machine has served, and it was announced in time that the object goes now."""
    reached = over(instance, now)
    if reached is None or not will_be_deleted(instance):
        return False
    announced = _announced(instance, reached, instance.status.created_at)
    return announced is not None and announced <= now


def _announced(instance: GPUInstance, reached: Over, created_at: datetime | None) -> datetime | None:
    """Return when the object is deleted as the saved status has announced it for this end; None if it has not."""
    found, end = instance.status.expiry, expires_at(instance, created_at)
    if found is None or found.deletes_at is None:
        return None
    # What was announced for an idle machine that has been used since announces nothing about the end of its time.
    is_of_before = reached.reason is Reason.EXPIRED and end is not None and found.deletes_at < end
    return None if is_of_before else found.deletes_at


def _deletes_at(
    instance: GPUInstance, now: datetime, reached: Over | None, created_at: datetime | None
) -> datetime | None:
    """Return when the object goes: at the end that is near, or so long after it was found to be past as is announced.

    Its end may be past when it is first seen, as of an adopted machine, or after the clock has jumped.
    """
    if reached is None:
        return min(_near(instance, now, created_at), default=None)
    expiry = instance.spec.expiry
    span = (expiry.ttl if reached.reason is Reason.EXPIRED else expiry.idle_after) if expiry is not None else None
    return _announced(instance, reached, created_at) or now + _lead(span or timedelta())


def next_moment(instance: GPUInstance, now: datetime) -> datetime | None:
    """Return when something is to be said or done next because of `spec.expiry`; None if nothing is known to be."""
    found = instance.status.expiry
    announced = [at for at in (found.deletes_at, found.held_until) if at is not None] if found is not None else []
    ends = [at for end, lead in _ends(instance, instance.status.created_at) for at in (end - lead, end)]
    return min((at for at in (*ends, *announced) if at > now), default=None)


def _ends(instance: GPUInstance, created_at: datetime | None) -> list[tuple[datetime, timedelta]]:
    """Return each moment at which the machine will have served, and how long before it that is announced."""
    expiry = instance.spec.expiry
    if expiry is None or instance.spec.managed is not Management.FULL:
        return []
    spans = (
        (expires_at(instance, created_at), expiry.ttl),
        (idle_from(instance), expiry.idle_after),
    )
    return [(end, _lead(span)) for end, span in spans if end is not None and span is not None]


def _lead(span: timedelta) -> timedelta:
    return min(_LONGEST_WARNING, span / _SHARE_OF_WARNING)


def _near(instance: GPUInstance, now: datetime, created_at: datetime | None) -> list[datetime]:
    """Return the ends that are so near that they are announced."""
    return [end for end, lead in _ends(instance, created_at) if end - lead <= now < end]


def _warning(instance: GPUInstance, now: datetime, created_at: datetime | None, machine: str) -> str | None:
    near = _near(instance, now, created_at)
    if not near:
        return None
    end = min(near)
    what = "this object is deleted" if will_be_deleted(instance) else f"machine {machine} is stopped"
    if end == expires_at(instance, created_at):
        return f"{what} at {_moment(end)}, when spec.expiry.ttl is over: raise it to run the machine longer"
    return f"{what} at {_moment(end)} if it is not used before (spec.expiry.idleAfter): renew annotation {LAST_USED}"


def _is_being_replaced(instance: GPUInstance) -> bool:
    """True while another machine is on its way, whose own time has not begun."""
    operation = instance.status.operation
    under_way = operation is not None and operation.phase is not OperationPhase.FAILED
    return under_way and operation is not None and operation.type is OperationType.RECREATE


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
