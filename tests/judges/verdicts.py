"""What a judge may conclude about a GPUInstance, in the words of each judge and in those that they share.

`situations.py` writes a judgement beside each situation; the tests hold every judge to its column. `AGREEING` says
which words of the judges mean the same, and is what "they agree" means.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What somebody who waits for the instance to be as its spec says should do."""

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


def _of(verdict: Verdict, kstatus: str, flux: str, argo: str, *, outcome: str | None = None) -> Judgement:
    ready, stalled = verdict is Verdict.DONE and outcome == "Ready", verdict is Verdict.FAILED
    return Judgement(verdict, outcome, ready, stalled, kstatus, flux, argo)


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

AGREEING: dict[Verdict, dict[str, set[str]]] = {
    Verdict.DONE: {"kstatus": {"Current"}, "flux": {"Current"}, "argo": {"Healthy", "Suspended"}},
    Verdict.WAIT: {"kstatus": {"InProgress"}, "flux": {"InProgress"}, "argo": {"Progressing", "Suspended"}},
    Verdict.FAILED: {"kstatus": {"Failed"}, "flux": {"Failed"}, "argo": {"Degraded"}},
    Verdict.LEAVING: {"kstatus": {"Terminating"}, "flux": {"InProgress"}, "argo": {"Progressing"}},
}
"""The words of each judge that go with a verdict. Suspended, which only Argo CD has, adds that a person holds it."""
