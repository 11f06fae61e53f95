"""Tables of rules: each row is a sentence, a snapshot, and what one rule answers to it.

A rule has rows where it answers and rows where it must stay silent, so that the rules after it are asked.
Every status in an answer is checked against the laws of conditions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import ConditionStatus, OperationType, Outcome, Phase
from gpuinstance.core.decide import Rule
from gpuinstance.core.decision import Action, Decision, Need
from gpuinstance.core.snapshot import Snapshot
from tests import laws


@dataclass(frozen=True)
class Answer:
    """What a row expects; what is None is not looked at, but `action` and `need`."""

    reason: Reason | None = None
    """Reason of Ready."""
    ready: ConditionStatus | None = ConditionStatus.FALSE
    work: str | None = None
    """`Reconciling`, `Stalled`, or `none` of them."""
    outcome: Outcome | None = None
    phase: Phase | None = None
    action: Action | type[Action] | None = None
    intent: OperationType | None = None
    """Type of the operation in flight."""
    need: Need | None = None
    release: bool = False
    status: Callable[[Any], bool] | None = None
    """A further look at the status."""


SILENT = None
"""The rule has nothing to say; the next one is asked."""


def waits(reason: Reason, **more: Any) -> Answer:
    """Work goes on, by itself."""
    return Answer(reason, work="Reconciling", **more)


def does(action: Action | type[Action], reason: Reason, **more: Any) -> Answer:
    """Saves the intent and acts."""
    return waits(reason, action=action, **more)


def is_stuck(reason: Reason, outcome: Outcome = Outcome.FAILED, **more: Any) -> Answer:
    """Waits for a person."""
    return Answer(reason, work="Stalled", outcome=outcome, **more)


def settles(reason: Reason, outcome: Outcome, **more: Any) -> Answer:
    """As wanted."""
    ready = ConditionStatus.TRUE if outcome is Outcome.READY else ConditionStatus.FALSE
    return Answer(reason, ready=ready, work="none", outcome=outcome, **more)


def asks(need: Need) -> Answer:
    """Needs a fact first."""
    return Answer(ready=None, need=need)


def releases(**more: Any) -> Answer:
    """Lets the object go."""
    return Answer(ready=None, release=True, **more)


Row = tuple[str, Snapshot, Answer | None]


def rows(*table: Row) -> pytest.MarkDecorator:
    """Run a test once for each row, named by its sentence."""
    return pytest.mark.parametrize(("given", "answer"), [pytest.param(g, a, id=says) for says, g, a in table])


def judge(rule: Rule, given: Snapshot, answer: Answer | None) -> None:
    """Ask the rule, and compare."""
    decision = rule(given)
    if answer is None:
        assert decision is None, f"{rule.__name__} must stay silent"
        return
    assert decision is not None, f"{rule.__name__} must answer"
    if decision.need is None and decision.status is not given.status:
        laws.check(decision.status, generation=given.generation)
    assert decision.need is answer.need
    assert decision.release is answer.release
    _judge_action(decision, answer)
    if decision.need is None:
        _judge_status(decision, answer)


def _judge_action(decision: Decision, answer: Answer) -> None:
    if isinstance(answer.action, type):
        assert isinstance(decision.action, answer.action)
    else:
        assert decision.action == answer.action
    if answer.intent is not None:
        assert decision.status.operation is not None
        assert decision.status.operation.type is answer.intent


def _judge_status(decision: Decision, answer: Answer) -> None:
    status, ready = decision.status, decision.status.condition("Ready")
    if answer.reason is not None:
        assert ready is not None
        assert (ready.reason, ready.status) == (answer.reason, answer.ready)
    if answer.work is not None:
        shown = [kind for kind in ("Reconciling", "Stalled") if status.condition(kind) is not None]
        assert shown == ([] if answer.work == "none" else [answer.work])
        assert status.outcome is answer.outcome
    if answer.phase is not None:
        assert status.phase is answer.phase
    if answer.status is not None:
        assert answer.status(status)
