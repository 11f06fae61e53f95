"""The rules of a GPUInstance, in order: the first that answers decides.

This tuple is the specification. It is also the table of the unit tests, and `docs/states.md` is
generated from it, from each rule's docstring. Called by `reconcile` only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gpuinstance.core.decision import Decision
from gpuinstance.core.rules.change import apply_change, demand_recreate
from gpuinstance.core.rules.creation import (
    adopt_what_carries_our_name,
    beware_of_namesake,
    create_when_missing,
    recreate_on_token,
    refuse_above_price_limit,
    report_lost_machine,
    wait_for_finalizer,
    wait_for_unconfirmed_create,
    wait_until_others_are_gone,
)
from gpuinstance.core.rules.deletion import release_orphan, release_unseen, release_when_deleted
from gpuinstance.core.rules.health import learn_addresses, settled, wait_until_healthy
from gpuinstance.core.rules.power import (
    give_up_after_deadline,
    report_failed_machine,
    restart_on_token,
    start_when_wanted,
    stop_when_unwanted,
    wait_while_changing,
)
from gpuinstance.core.rules.recovery import (
    recover_exited_machine,
    recover_failed_machine,
    recover_lost_machine,
    recover_when_unhealthy,
    repeat_refused_recovery,
)
from gpuinstance.core.rules.trust import (
    back_off_after_failure,
    leave_suspended_machine,
    stall_on_impossible_spec,
    stay_idle_when_blind,
    stay_idle_when_suspended,
)
from gpuinstance.core.snapshot import Snapshot

Rule = Callable[[Snapshot], Decision | None]

RULES: tuple[Rule, ...] = (
    release_unseen,
    release_orphan,
    stay_idle_when_blind,
    release_when_deleted,
    stay_idle_when_suspended,
    stall_on_impossible_spec,
    back_off_after_failure,
    adopt_what_carries_our_name,
    wait_for_unconfirmed_create,
    recreate_on_token,
    recover_lost_machine,
    report_lost_machine,
    beware_of_namesake,
    wait_until_others_are_gone,
    wait_for_finalizer,
    refuse_above_price_limit,
    create_when_missing,
    leave_suspended_machine,
    recover_failed_machine,
    report_failed_machine,
    wait_while_changing,
    give_up_after_deadline,
    stop_when_unwanted,
    recover_exited_machine,
    start_when_wanted,
    restart_on_token,
    demand_recreate,
    apply_change,
    repeat_refused_recovery,
    learn_addresses,
    recover_when_unhealthy,
    wait_until_healthy,
    settled,
)


def decide(snapshot: Snapshot) -> Decision:
    """Return what to do about one object now. Total: `settled`, the last rule, always answers."""
    for rule in RULES:
        decision = rule(snapshot)
        if decision is not None:
            return replace(decision, rule=rule.__name__)
    msg = "the last rule answers always"
    raise AssertionError(msg)
