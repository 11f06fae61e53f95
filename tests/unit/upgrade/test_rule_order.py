"""The order of the rules of an upgrade: which one must have spoken before another may."""

from __future__ import annotations

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.core.upgrade import rules
from gpuinstance.core.upgrade.decide import UPGRADE_RULES, decide_upgrade
from tests.unit.upgrade.table import fails, judge
from tests.upgrade_builders import look, server, upgrade

ORDER = [rule.__name__ for rule in UPGRADE_RULES]
ACTING = (
    "validate",
    "find_order",
    "apply_when_paid",
    "watch_resize",
    "confirm_or_revert",
    "watch_confirm",
    "watch_revert",
    "watch_direct_change",
)
"""The rules that may change something at the provider."""


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        *[("keep_the_end", rule, "what has ended is over") for rule in ORDER[1:]],
        *[("release_when_deleted", rule, "what is deleted begins nothing") for rule in ACTING],
        *[("fail_without_instance", rule, "an upgrade is about an instance") for rule in ACTING],
        *[("stay_idle_when_blind", rule, "blind means idle") for rule in ACTING],
        *[("stay_idle_when_suspended", rule, "suspend means hands off") for rule in ACTING],
        *[("follow_its_machine", rule, "an upgrade is about one machine") for rule in ACTING],
        *[("leave_suspended_machine", rule, "what the provider froze is not touched") for rule in ACTING],
        *[("report_failed_change", rule, "an error state is the end of the wait") for rule in ACTING[2:]],
        *[("pause_after_refusal", rule, "a refusal is respected") for rule in ACTING[1:]],
        ("cancel_before_beginning", "fail_without_instance", "what has not begun needs nothing to end"),
        ("cancel_before_beginning", "stay_idle_when_blind", "what has not begun needs no look to end"),
        ("fail_without_instance", "stay_idle_when_blind", "an instance is known without the provider"),
        ("stay_idle_when_blind", "cancel_when_asked", "whether it is paid has to be seen"),
        ("stay_idle_when_blind", "follow_its_machine", "not seen is not gone"),
        ("follow_its_machine", "cancel_when_asked", "a machine that is gone has no order to ask for"),
        ("cancel_when_asked", "stay_idle_when_suspended", "cancelling touches nothing"),
        ("cancel_when_asked", "find_order", "what is cancelled is not ordered again"),
        ("cancel_when_asked", "await_payment", "until payment is known, cancelling wins"),
        ("wait_for_turn", "validate", "one upgrade at a time"),
        ("reject_impossible_target", "wait_for_instance", "the impossible is not waited for"),
        ("wait_for_instance", "validate", "an upgrade begins on a machine that runs"),
        ("stop_at_foreign_change", "find_order", "what no longer fits is not ordered again"),
        ("stop_at_foreign_change", "await_payment", "what no longer fits is not to be paid"),
        ("stop_at_foreign_change", "apply_when_paid", "what no longer fits is not applied"),
        ("await_payment", "apply_when_paid", "nothing is applied before it is paid"),
        ("apply_when_paid", "watch_resize", "applied, then watched"),
        ("watch_resize", "confirm_or_revert", "resized, then confirmed"),
        ("watch_confirm", "verify", "confirmed, then verified"),
    ],
)
def test_what_must_come_first(before: str, after: str, why: str) -> None:
    """Each pair has a reason."""
    assert ORDER.index(before) < ORDER.index(after), why


def test_every_rule_is_a_documented_statement() -> None:
    """The tuple is the documentation: each rule stands in it once, and says in a sentence what it does."""
    assert len(set(ORDER)) == len(ORDER)
    assert set(ACTING) <= set(ORDER)
    assert rules.__doc__
    for rule in UPGRADE_RULES:
        assert rule.__doc__, rule.__name__
        assert rule.__doc__.split("\n\n")[0].rstrip().endswith("."), rule.__name__


def test_the_answering_rule_is_named() -> None:
    """A decision carries the name of the rule that made it, for metrics and logs."""
    assert decide_upgrade(look(upgrade(), server(), ahead="first")).rule == "wait_for_turn"


def test_a_status_that_no_step_has_written_is_an_end() -> None:
    """The last rule answers always: somebody has changed the status, so that nobody knows what was done."""
    assert ORDER[-1] == "give_up_on_unknown_status"
    nonsense = upgrade().accepted()
    given = look(nonsense, server())
    judge(given, fails(Reason.UNKNOWN_OUTCOME).by("give_up_on_unknown_status"))
