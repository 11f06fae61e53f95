"""The three shapes of answers that all rules give: wait, stuck, settled."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import ConditionStatus, Outcome, Phase
from gpuinstance.core.conditions import Verdict, Work, write
from gpuinstance.core.decision import Action, Decision, Need
from gpuinstance.core.snapshot import Snapshot

PLACING = "the provider is placing the machine and pulling its image"
"""Said from the accepted order to the running machine, in the same words, so that it is written once."""
SLOW_RETRY = timedelta(minutes=1)
"""Pause before looking again at something that only a person or the market can change."""


def need(snapshot: Snapshot, fact: Need) -> Decision:
    """Ask for a fact; the rules run again with it in the same pass."""
    return Decision(status=snapshot.status, need=fact)


def wait(
    snapshot: Snapshot,
    phase: Phase,
    reason: Reason,
    message: str,
    *,
    action: Action | None = None,
    after: timedelta | None = None,
    **changes: Any,
) -> Decision:
    """Work goes on: Ready=False and Reconciling. With an action: this is its saved intent."""
    verdict = Verdict(phase, ConditionStatus.FALSE, reason, message, Work.GOING_ON)
    status = write(snapshot, verdict, **changes)
    return Decision(status=status, action=action, requeue_after=snapshot.limits.fast_poll if after is None else after)


def stuck(
    snapshot: Snapshot,
    phase: Phase,
    reason: Reason,
    message: str,
    *,
    outcome: Outcome = Outcome.FAILED,
    after: timedelta | None = None,
    **changes: Any,
) -> Decision:
    """Only a person or a change of the spec helps: Ready=False and Stalled; retried slowly."""
    verdict = Verdict(phase, ConditionStatus.FALSE, reason, message, Work.STUCK, outcome)
    return Decision(status=write(snapshot, verdict, **changes), requeue_after=after or SLOW_RETRY)


def settle(
    snapshot: Snapshot, phase: Phase, reason: Reason, message: str, outcome: Outcome, **changes: Any
) -> Decision:
    """As wanted, and not up: Ready=False, neither Reconciling nor Stalled."""
    verdict = Verdict(phase, ConditionStatus.FALSE, reason, message, Work.NONE, outcome)
    return Decision(status=write(snapshot, verdict, **changes))
