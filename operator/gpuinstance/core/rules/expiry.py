"""Rules about a machine that has served: its object is deleted, or it is stopped and says why.

Stopping itself is the business of `power`: to all rules a machine that has served is one that should be
down. Nothing here writes a spec, so that a tool that keeps specs in Git has nothing to undo.
"""

from __future__ import annotations

from datetime import timedelta

from gpuinstance.api.base import format_duration
from gpuinstance.api.expiry import ExpiryStatus
from gpuinstance.api.reasons import Reason
from gpuinstance.api.v1alpha1 import FINALIZER
from gpuinstance.api.words import Phase
from gpuinstance.core import expiry
from gpuinstance.core.decision import Decision
from gpuinstance.core.model import MachineState
from gpuinstance.core.rules.answers import wait
from gpuinstance.core.snapshot import Snapshot


def delete_when_over(s: Snapshot) -> Decision | None:
    """With `expiry.action: Delete`, an object whose machine has served is deleted when that was announced in time,
    unless it is protected; until then the machine is stopped. One with a paid upgrade is kept for a day at most.
    """
    if s.over is None or not goes_now(s):
        return None
    message = f"{s.over.words}: deleting this object, as spec.expiry.action asks"
    decision = wait(s, Phase.TERMINATING, s.over.reason, message)
    return Decision(status=decision.status, remove=True)


def goes_now(s: Snapshot) -> bool:
    """True if the end of the object was announced and has come, whatever may hold it."""
    return expiry.is_due(s.instance, s.now) and FINALIZER in s.instance.metadata.finalizers


def notice_idleness(s: Snapshot) -> Decision | None:
    """A machine that runs, and that nobody has used for `expiry.idleAfter`, is noted as idle, and so as over."""
    idle_from = expiry.idle_from(s.instance)
    if idle_from is None or idle_from > s.now or not _may_be_idle(s) or s.spec.expiry is None or s.served is not None:
        return None
    assert s.spec.expiry.idle_after is not None
    span = format_duration(s.spec.expiry.idle_after)
    message = f"machine {s.machine_id} was not used for {span} (spec.expiry.idleAfter)"
    before = s.status.expiry
    found = ExpiryStatus(
        expires_at=expiry.expires_at(s.instance, s.status.created_at),
        deletes_at=before.deletes_at if before is not None else None,
        idle_at=s.now,
        idle_generation=s.generation,
    )
    return wait(s, Phase.RUNNING, Reason.IDLE, message, after=timedelta(), expiry=found)


def _may_be_idle(s: Snapshot) -> bool:
    """True for a machine that is up and that nobody works on; a new token, or a change of the spec, is use."""
    if s.machine is None or s.machine.state is not MachineState.RUNNING or s.operation is not None:
        return False
    token = s.spec.actions.restart
    asked = token is not None and token != s.status.handled_actions.restart
    return s.wants_running and s.status.observed_generation == s.generation and not asked
