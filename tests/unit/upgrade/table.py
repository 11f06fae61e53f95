"""Tables of the saga: each row is a sentence, a snapshot, and what all rules together answer to it.

The whole tuple of rules is asked, so that a row also proves which rule speaks first. Every answer passes the laws
of upgrades.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.api.upgrade_words import CallType, UpgradeOutcome, UpgradePhase
from gpuinstance.core.decision import Action
from gpuinstance.core.upgrade.decide import decide_upgrade
from gpuinstance.core.upgrade.decision import UpgradeDecision, UpgradeNeed
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from tests import laws_of_upgrades as laws

Look = Callable[[InstanceUpgradeStatus], Any]


@dataclass(frozen=True)
class Answer:
    """What a row expects; what is None is not looked at, but `action` and `need`."""

    rule: str | None = None
    reason: Reason | None = None
    """Reason of Ready."""
    work: str | None = None
    """`Reconciling`, `Stalled`, or `none` of them."""
    asks: bool | None = None
    """Whether somebody has to do something."""
    outcome: UpgradeOutcome | None = None
    phase: UpgradePhase | None = None
    says: str | None = None
    """A part of the message."""
    action: Action | type[Action] | None = None
    intent: CallType | None = None
    """Type of the call in flight."""
    need: UpgradeNeed | None = None
    release: bool = False
    remove: bool = False
    status: Look | None = None
    """A further look at the status."""
    quiet: bool = False
    """True if nothing is written."""

    def by(self, rule: str) -> Answer:
        """The same, given by this rule."""
        return replace(self, rule=rule)

    def saying(self, text: str) -> Answer:
        """The message holds this."""
        return replace(self, says=text)


def waits(reason: Reason, **more: Any) -> Answer:
    """Work goes on, by itself."""
    return Answer(reason=reason, work="Reconciling", asks=False, **more)


def holds(reason: Reason, **more: Any) -> Answer:
    """Somebody has to do something, and nothing is wrong."""
    return Answer(reason=reason, work="Reconciling", asks=True, **more)


def stalls(reason: Reason, **more: Any) -> Answer:
    """Something is wrong that only a person can change."""
    return Answer(reason=reason, work="Stalled", asks=True, **more)


def does(action: Action | type[Action], reason: Reason, **more: Any) -> Answer:
    """Saves the intent and acts."""
    return waits(reason, action=action, **more)


def fails(reason: Reason, **more: Any) -> Answer:
    """The end, and not the one that was asked for."""
    ends: dict[str, Any] = {"outcome": UpgradeOutcome.FAILED, "phase": UpgradePhase.FAILED}
    return Answer(reason=reason, work="Stalled", asks=False, **ends | more)


def cancels(**more: Any) -> Answer:
    """The end that somebody asked for instead."""
    return fails(Reason.CANCELLED, outcome=UpgradeOutcome.CANCELLED, phase=UpgradePhase.CANCELLED, **more)


def succeeds(**more: Any) -> Answer:
    """The end that was asked for."""
    ends: dict[str, Any] = {"outcome": UpgradeOutcome.SUCCEEDED, "phase": UpgradePhase.COMPLETED}
    return Answer(reason=Reason.COMPLETED, work="none", asks=False, **ends | more)


def asks(need: UpgradeNeed) -> Answer:
    """Needs a fact first."""
    return Answer(need=need)


def releases() -> Answer:
    """Lets the object go, and does nothing else."""
    return Answer(release=True, quiet=True)


def rests() -> Answer:
    """Writes nothing and does nothing."""
    return Answer(quiet=True)


Row = tuple[str, UpgradeSnapshot, Answer]


def rows(*table: Row) -> pytest.MarkDecorator:
    """Run a test once for each row, named by its sentence."""
    return pytest.mark.parametrize(("given", "answer"), [pytest.param(g, a, id=says) for says, g, a in table])


def judge(given: UpgradeSnapshot, answer: Answer) -> UpgradeDecision:
    """Ask all rules, and compare."""
    decision = laws.check_decision(given, decide_upgrade(given))
    told = f"{decision.rule} answered {decision}"
    assert decision.need is answer.need, told
    assert (decision.release, decision.remove) == (answer.release, answer.remove), told
    if answer.rule is not None:
        assert decision.rule == answer.rule, told
    if answer.quiet:
        assert decision.status == given.status, told
    if isinstance(answer.action, type):
        assert isinstance(decision.action, answer.action), told
    else:
        assert decision.action == answer.action, told
    if decision.need is None:
        _judge_status(decision.status, answer, told)
    return decision


def _judge_status(status: InstanceUpgradeStatus, answer: Answer, told: str) -> None:
    ready = status.condition("Ready")
    if answer.reason is not None:
        assert ready is not None
        assert ready.reason == answer.reason, told
        assert status.outcome is answer.outcome, told
    if answer.work is not None:
        shown = [kind for kind in ("Reconciling", "Stalled") if status.condition(kind) is not None]
        assert shown == ([] if answer.work == "none" else [answer.work]), told
    if answer.asks is not None:
        assert (status.condition("ActionRequired") is not None) is answer.asks, told
    if answer.phase is not None:
        assert status.phase is answer.phase, told
    if answer.says is not None:
        assert ready is not None
        assert answer.says in ready.message
    if answer.intent is not None:
        assert status.call is not None
        assert status.call.type is answer.intent, told
    if answer.status is not None:
        assert answer.status(status), told
