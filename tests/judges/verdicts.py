"""What a judge may conclude about an object, in the words of each judge and in those that they share.

The tables write a judgement beside each situation; the tests hold every judge to its column. `AGREEING` says
which words of the judges mean the same, and is what "they agree" means.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What somebody who waits for the object to be as its spec says should do."""

    DONE = "done"
    WAIT = "wait"
    FAILED = "failed"
    """Give up: only a person or a change of the spec helps."""
    LEAVING = "leaving"
    """Wait for its end, and for nothing else: it is being deleted."""


@dataclass(frozen=True)
class Judgement:
    """What every judge has to say about one object; the three kubectl columns are about its latest generation."""

    verdict: Verdict
    outcome: str | None
    """What `kubectl wait --for=jsonpath='{.status.outcome}'` finds; None: it waits."""
    ready: bool
    """Whether `kubectl wait --for=condition=Ready` is met."""
    stalled: bool
    """Whether `kubectl wait --for=condition=Stalled` is met."""
    kstatus: str
    """By the standard rules, without any knowledge of this kind."""
    flux: str
    """By the expressions in deploy/flux."""
    argo: str
    """By the script in deploy/argocd."""
    asks: bool = False
    """Whether `kubectl wait --for=condition=ActionRequired` is met."""


def _of(
    verdict: Verdict, kstatus: str, flux: str, argo: str, *, outcome: str | None = None, asks: bool = False
) -> Judgement:
    ready = verdict is Verdict.DONE and outcome in {"Ready", "Succeeded"}
    return Judgement(verdict, outcome, ready, verdict is Verdict.FAILED, kstatus, flux, argo, asks)


WAITING = _of(Verdict.WAIT, "InProgress", "InProgress", "Progressing")
SERVING = _of(Verdict.DONE, "Current", "Current", "Healthy", outcome="Ready")
FAILED = _of(Verdict.FAILED, "Failed", "Failed", "Degraded", outcome="Failed")
EXITED = _of(Verdict.FAILED, "Failed", "Failed", "Degraded", outcome="Exited")
STOPPED = _of(Verdict.DONE, "InProgress", "Current", "Healthy", outcome="Stopped")
"""kstatus knows no end but Ready, and Ready means serving: the one place where it alone would wait for ever."""
PAUSED_SERVING = _of(Verdict.DONE, "Current", "Current", "Suspended", outcome="Ready")
PAUSED = _of(Verdict.WAIT, "InProgress", "InProgress", "Suspended", outcome="Suspended")
LEAVING = _of(Verdict.LEAVING, "Terminating", "InProgress", "Progressing")
STUCK_LEAVING = Judgement(
    Verdict.LEAVING, None, ready=False, stalled=True, kstatus="Terminating", flux="InProgress", argo="Progressing"
)

# What only an upgrade can be.
ASKING = _of(Verdict.WAIT, "InProgress", "InProgress", "Suspended", asks=True)
"""Nothing is wrong, and nothing moves before somebody does what the message says."""
STUCK = _of(Verdict.FAILED, "Failed", "Failed", "Degraded", asks=True)
"""Something is wrong that only a person can change; it goes on by itself afterwards."""
SUCCEEDED = _of(Verdict.DONE, "Current", "Current", "Healthy", outcome="Succeeded")
CANCELLED = _of(Verdict.FAILED, "Failed", "Failed", "Degraded", outcome="Cancelled")

AGREEING: dict[Verdict, dict[str, set[str]]] = {
    Verdict.DONE: {"kstatus": {"Current"}, "flux": {"Current"}, "argo": {"Healthy", "Suspended"}},
    Verdict.WAIT: {"kstatus": {"InProgress"}, "flux": {"InProgress"}, "argo": {"Progressing", "Suspended"}},
    Verdict.FAILED: {"kstatus": {"Failed"}, "flux": {"Failed"}, "argo": {"Degraded"}},
    Verdict.LEAVING: {"kstatus": {"Terminating"}, "flux": {"InProgress"}, "argo": {"Progressing"}},
}
"""The words of each judge that go with a verdict. Suspended, which only Argo CD has, adds that it is up to a person."""
