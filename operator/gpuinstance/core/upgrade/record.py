"""What an action's answer means for the status of an upgrade: the second half of a decision that acts.

Called by `reconcile` right after the one call of a pass. The status that comes in is the saved intent.
"""

from __future__ import annotations

from datetime import timedelta

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import UpgradeCall
from gpuinstance.core.record import Accepted, Answer, Refused, Unclear
from gpuinstance.core.upgrade import calls
from gpuinstance.core.upgrade.decision import UpgradeDecision
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot


def record_upgrade(snapshot: UpgradeSnapshot, answer: Answer) -> UpgradeDecision:
    """Return the status after an answer. `snapshot` holds the saved intent as its status."""
    status, call = snapshot.status, snapshot.status.call
    if call is None:
        return UpgradeDecision(status=status, requeue_after=timedelta())
    noted = _noted(snapshot, call, answer)
    changes = {"call": noted}
    return UpgradeDecision(status=status.model_copy(update=changes), requeue_after=snapshot.limits.fast_poll)


def _noted(s: UpgradeSnapshot, call: UpgradeCall, answer: Answer) -> UpgradeCall:
    if isinstance(answer, Accepted):
        return calls.accept(call, s)
    if isinstance(answer, Unclear):
        return calls.leave_unknown(call, message=answer.message)
    if isinstance(answer, Refused):
        return calls.refuse(
            call,
            s,
            reason=answer.reason,
            message=answer.message,
            needs_person=answer.needs_person,
            retry_after=answer.retry_after,
        )
    # The machine was in another state than the picture showed: a definite no, and no fault of anybody.
    return calls.refuse(call, s, reason=Reason.REQUEST_REJECTED, message=answer.message, needs_person=False)
