"""The order of the rules: which one must have spoken before another may."""

from __future__ import annotations

import ast
import inspect

import pytest

from gpuinstance.core import rules
from gpuinstance.core.decide import RULES, RULES_WHEN_OBSERVING, decide
from gpuinstance.core.decision import Create
from tests.builders import instance, machine, order, snapshot

ORDER = [rule.__name__ for rule in RULES]
ACTING = (
    "release_when_deleted",
    "adopt_what_carries_our_name",
    "recreate_on_token",
    "recover_lost_machine",
    "create_when_missing",
    "rebuild_on_token",
    "recover_failed_machine",
    "stop_when_unwanted",
    "recover_exited_machine",
    "start_when_wanted",
    "restart_on_token",
    "apply_change",
    "repeat_refused_recovery",
    "recover_when_unhealthy",
)
"""The rules that may change something at the provider."""


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        *[("stay_idle_when_blind", rule, "blind means idle") for rule in ACTING],
        *[("stay_idle_when_suspended", rule, "suspend means hands off") for rule in ACTING[1:]],
        *[("release_when_deleted", rule, "what is deleted gets nothing new") for rule in ACTING[1:]],
        ("release_when_deleted", "stay_idle_when_suspended", "deletion is the one thing that suspend does not hold"),
        ("release_unseen", "stay_idle_when_blind", "what was never bought needs no look"),
        ("release_orphan", "stay_idle_when_blind", "what is left needs no look"),
        ("leave_what_another_owns", "release_when_deleted", "somebody else's machine does not go with an object"),
        ("find_named_machine_again", "release_when_deleted", "what was adopted is not forgotten with a status"),
        ("stay_idle_when_suspended", "adopt_named_machine", "suspend means hands off"),
        ("adopt_named_machine", "create_when_missing", "nothing is bought in place of what is to be adopted"),
        ("stall_on_impossible_spec", "create_when_missing", "the impossible is not bought"),
        ("back_off_after_failure", "create_when_missing", "a refusal is respected"),
        ("adopt_what_carries_our_name", "create_when_missing", "look before every purchase"),
        ("wait_for_unconfirmed_create", "create_when_missing", "no second purchase while the first may show"),
        ("wait_for_unconfirmed_create", "report_lost_machine", "not listed yet is not lost"),
        ("recreate_on_token", "report_lost_machine", "what we removed is not lost"),
        ("recover_lost_machine", "report_lost_machine", "help comes before the report"),
        ("beware_of_namesake", "create_when_missing", "no second bill beside an earlier object's machine"),
        ("wait_until_others_are_gone", "create_when_missing", "no second machine beside a dying one"),
        ("wait_for_finalizer", "create_when_missing", "nothing is bought for an object that could vanish"),
        ("refuse_above_price_limit", "create_when_missing", "the cap is asked before every purchase"),
        ("refuse_above_price_limit", "refuse_above_namespace_budget", "the budget is asked with a price in hand"),
        ("refuse_above_namespace_budget", "create_when_missing", "the budget is asked before every purchase"),
        ("stay_idle_when_blind", "delete_when_over", "blind means idle"),
        ("release_when_deleted", "delete_when_over", "what goes is not deleted again"),
        ("stay_idle_when_suspended", "delete_when_over", "suspend means hands off"),
        ("wait_for_unconfirmed_create", "delete_when_over", "what was bought is looked for first"),
        ("yield_to_active_upgrade", "delete_when_over", "an upgrade comes to its end first"),
        ("delete_when_over", "recreate_on_token", "nothing is bought for an object that goes"),
        ("wait_while_changing", "notice_idleness", "a moving machine is at work"),
        ("leave_suspended_machine", "notice_idleness", "what the provider froze is not touched"),
        ("notice_idleness", "stop_when_unwanted", "what is idle is stopped"),
        ("leave_suspended_machine", "start_when_wanted", "what the provider froze is not touched"),
        ("leave_suspended_machine", "stop_when_unwanted", "what the provider froze is not touched"),
        ("leave_suspended_machine", "rebuild_on_token", "what the provider froze is not touched"),
        ("leave_resized_machine", "rebuild_on_token", "what somebody resizes is not touched"),
        ("leave_resized_machine", "recover_failed_machine", "what somebody resizes is not touched"),
        ("leave_resized_machine", "give_up_after_deadline", "a resize takes the time that it takes"),
        ("leave_resized_machine", "stop_when_unwanted", "what somebody resizes is not touched"),
        ("recreate_on_token", "rebuild_on_token", "what is gone already can only be bought"),
        ("rebuild_on_token", "recover_failed_machine", "a person's word comes before help by itself"),
        ("rebuild_on_token", "report_failed_machine", "a failed machine can be rebuilt"),
        ("rebuild_on_token", "start_when_wanted", "a machine that exited can be rebuilt"),
        ("rebuild_on_token", "restart_on_token", "what is rebuilt is restarted afterwards"),
        ("rebuild_on_token", "apply_change", "after a reinstall the template is applied"),
        ("recover_failed_machine", "report_failed_machine", "help comes before the report"),
        ("wait_while_changing", "stop_when_unwanted", "a moving machine is not pushed"),
        ("wait_while_changing", "start_when_wanted", "a moving machine is not pushed"),
        ("wait_while_changing", "restart_on_token", "a moving machine is not pushed"),
        ("give_up_after_deadline", "start_when_wanted", "what took too long is not repeated for ever"),
        ("stop_when_unwanted", "demand_recreate", "stopping is always possible"),
        ("recover_exited_machine", "start_when_wanted", "help comes before the report"),
        ("demand_recreate", "apply_change", "no small change on the wrong hardware"),
        ("apply_change", "settled", "Ready means that the spec is applied"),
        ("learn_addresses", "wait_until_healthy", "nobody can ask an unknown address"),
        ("recover_when_unhealthy", "wait_until_healthy", "help comes before the report"),
        ("wait_until_healthy", "settled", "Ready means that the application answers"),
    ],
)
def test_what_must_come_first(before: str, after: str, why: str) -> None:
    """Each pair has a reason."""
    assert ORDER.index(before) < ORDER.index(after), why


def test_the_last_rule_answers_always() -> None:
    """`settled` is the end of the tuple, so that every snapshot has an answer."""
    assert ORDER[-1] == "settled"


def test_every_rule_is_a_documented_statement() -> None:
    """The tuple is the documentation: each rule stands in it once, and says in a sentence what it does."""
    assert len(set(ORDER)) == len(ORDER)
    for rule in (*RULES, *RULES_WHEN_OBSERVING):
        assert rule.__doc__, rule.__name__
        assert rule.__doc__.splitlines()[0].endswith(".") or len(rule.__doc__.splitlines()) > 1, rule.__name__


def test_the_list_of_acting_rules_is_complete() -> None:
    """A rule that may act is listed above, and with it behind the rules that keep it from acting."""
    words = {
        "action=",
        "_act(",
        "_begin(",
        "_help(",
        "_remove",
        "rebuild_machine(",
        "replace_machine(",
        "restart_machine(",
        "start_machine(",
    }
    acting = [rule.__name__ for rule in RULES if any(word in _source_of(rule) for word in words)]
    assert set(acting) <= set(ACTING)
    assert not {rule.__name__ for rule in RULES_WHEN_OBSERVING} & set(ACTING)


def _source_of(rule: object) -> str:
    """Return the code of a rule without its docstring."""
    tree = ast.parse(inspect.getsource(rule))  # type: ignore[arg-type]  # a function has a source
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    return "\n".join(ast.unparse(statement) for statement in function.body[1:])


def test_the_answering_rule_is_named() -> None:
    """A decision carries the name of the rule that made it, for metrics and logs."""
    bought = decide(snapshot(instance(), plan=order()))
    assert bought.rule == "create_when_missing"
    assert isinstance(bought.action, Create)
    assert decide(snapshot(instance().running(), machine())).rule == "settled"
    assert rules.__doc__
