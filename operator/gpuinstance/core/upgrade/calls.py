"""The one call of the saga that is in flight: how its intent begins, is taken on, or is refused.

`initiated` says that the call may or may not have reached the provider. It is never simply sent again:
the rules first look for its effect, for longer than it could stay hidden.
"""

from __future__ import annotations

from datetime import timedelta

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import OperationError
from gpuinstance.api.upgrade_status import UpgradeCall
from gpuinstance.api.upgrade_words import CallPhase, CallType
from gpuinstance.api.words import ErrorCategory
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot

MOST_SENDS = 3
"""A call that had no effect so often, by all looks, will have none: the upgrade has failed."""

_FIRST_RETRY = timedelta(seconds=15)
_SLOWEST_RETRY = timedelta(minutes=10)


def begin(s: UpgradeSnapshot, kind: CallType) -> UpgradeCall:
    """Return a new intent; sends of the same kind before it are counted on."""
    before = s.call_of(kind)
    attempt = before.attempt + 1 if before is not None else 1
    return UpgradeCall(
        id=f"{kind.lower()}-{int(s.now.timestamp())}-{attempt}",
        type=kind,
        phase=CallPhase.INITIATED,
        attempt=attempt,
        started_at=s.now,
        failures=before.failures if before is not None else 0,
    )


def accept(call: UpgradeCall, s: UpgradeSnapshot, *, seen_changing: bool = False) -> UpgradeCall:
    """Return the call as taken on, or as it is if that was known.

    The first sight of the machine at work is the better proof: from that moment on a picture of the machine
    as it was before says that the work has ended.
    """
    first_sight = seen_changing and not call.seen_changing
    return call.model_copy(
        update={
            "phase": CallPhase.ACCEPTED,
            "accepted_at": s.now if first_sight else call.accepted_at or s.now,
            "seen_changing": call.seen_changing or seen_changing,
            "error": None,
            "retry_at": None,
        }
    )


def refuse(
    call: UpgradeCall,
    s: UpgradeSnapshot,
    *,
    reason: Reason,
    message: str,
    needs_person: bool,
    retry_after: timedelta | None = None,
) -> UpgradeCall:
    """Return the call as definitely refused: nothing happened, and when it is tried again."""
    failures = call.failures + 1
    pause = _SLOWEST_RETRY if needs_person else min(_FIRST_RETRY * 2 ** min(failures - 1, 10), _SLOWEST_RETRY)
    category = ErrorCategory.NEEDS_PERSON if needs_person else ErrorCategory.RETRYABLE
    error = OperationError(code=reason, category=category, retryable=not needs_person, message=message)
    return call.model_copy(
        update={
            "phase": CallPhase.REFUSED,
            # What was surely not carried out does not count as sent.
            "attempt": call.attempt - 1,
            "failures": failures,
            "retry_at": s.now + max(pause, retry_after or timedelta()),
            "error": error,
        }
    )


def leave_unknown(call: UpgradeCall, *, message: str) -> UpgradeCall:
    """Return the call with the note that it got no answer; it stays `initiated`."""
    error = OperationError(
        code=Reason.UNKNOWN_OUTCOME, category=ErrorCategory.UNKNOWN_OUTCOME, retryable=False, message=message
    )
    return call.model_copy(update={"error": error})


def is_under_way(call: UpgradeCall) -> bool:
    """True if the call may have reached the provider."""
    return call.phase is not CallPhase.REFUSED
