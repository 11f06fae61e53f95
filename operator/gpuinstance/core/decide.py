"""The rules of a GPUInstance, in order: the first that answers decides.

This tuple is the specification. It is also the table of the unit tests, and `docs/states.md` is
generated from it, from each rule's docstring. Called by `reconcile` only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from gpuinstance.api.words import Management
from gpuinstance.core.decision import Decision
from gpuinstance.core.expiry import next_moment
from gpuinstance.core.rules.addresses import learn_addresses
from gpuinstance.core.rules.adoption import (
    adopt_what_carries_our_name,
    beware_of_namesake,
    wait_for_unconfirmed_create,
)
from gpuinstance.core.rules.change import apply_change, demand_recreate
from gpuinstance.core.rules.creation import (
    create_when_missing,
    refuse_above_namespace_budget,
    refuse_above_price_limit,
    wait_for_finalizer,
    wait_until_others_are_gone,
)
from gpuinstance.core.rules.deletion import release_orphan, release_unseen, release_when_deleted
from gpuinstance.core.rules.expiry import delete_when_over, notice_idleness
from gpuinstance.core.rules.health import settled, wait_until_healthy
from gpuinstance.core.rules.management import (
    as_observed,
    let_operation_end,
    note_what_carries_our_name,
    release_observed,
    show_failed_machine,
    show_lost_machine,
    show_missing_machine,
    show_stopped_machine,
)
from gpuinstance.core.rules.power import (
    give_up_after_deadline,
    report_failed_machine,
    restart_on_token,
    start_when_wanted,
    stop_when_unwanted,
    wait_while_changing,
)
from gpuinstance.core.rules.rebuild import rebuild_on_token
from gpuinstance.core.rules.recovery import (
    recover_exited_machine,
    recover_failed_machine,
    recover_lost_machine,
    recover_when_unhealthy,
    repeat_refused_recovery,
)
from gpuinstance.core.rules.replacement import recreate_on_token, report_lost_machine
from gpuinstance.core.rules.takeover import (
    adopt_named_machine,
    find_named_machine_again,
    leave_what_another_owns,
)
from gpuinstance.core.rules.trust import (
    back_off_after_failure,
    leave_resized_machine,
    leave_suspended_machine,
    stall_on_impossible_spec,
    stay_idle_when_blind,
    stay_idle_when_suspended,
)
from gpuinstance.core.rules.upgrades import take_note_of_upgrade, yield_to_active_upgrade
from gpuinstance.core.snapshot import Snapshot

Rule = Callable[[Snapshot], Decision | None]

RULES: tuple[Rule, ...] = (
    release_unseen,
    release_orphan,
    stay_idle_when_blind,
    leave_what_another_owns,
    find_named_machine_again,
    release_when_deleted,
    stay_idle_when_suspended,
    stall_on_impossible_spec,
    back_off_after_failure,
    adopt_named_machine,
    adopt_what_carries_our_name,
    wait_for_unconfirmed_create,
    yield_to_active_upgrade,
    delete_when_over,
    recreate_on_token,
    recover_lost_machine,
    report_lost_machine,
    beware_of_namesake,
    wait_until_others_are_gone,
    wait_for_finalizer,
    refuse_above_price_limit,
    refuse_above_namespace_budget,
    create_when_missing,
    leave_suspended_machine,
    leave_resized_machine,
    rebuild_on_token,
    recover_failed_machine,
    report_failed_machine,
    wait_while_changing,
    give_up_after_deadline,
    notice_idleness,
    stop_when_unwanted,
    recover_exited_machine,
    start_when_wanted,
    restart_on_token,
    take_note_of_upgrade,
    demand_recreate,
    apply_change,
    repeat_refused_recovery,
    learn_addresses,
    recover_when_unhealthy,
    wait_until_healthy,
    settled,
)


RULES_WHEN_OBSERVING: tuple[Rule, ...] = (
    release_unseen,
    release_observed,
    stay_idle_when_blind,
    leave_what_another_owns,
    stay_idle_when_suspended,
    adopt_named_machine,
    note_what_carries_our_name,
    wait_for_unconfirmed_create,
    show_lost_machine,
    show_missing_machine,
    leave_suspended_machine,
    leave_resized_machine,
    show_failed_machine,
    wait_while_changing,
    let_operation_end,
    show_stopped_machine,
    take_note_of_upgrade,
    learn_addresses,
    wait_until_healthy,
    settled,
)
"""With `management: Observe`: only rules that never act, asked about a machine that is as others want it."""


def decide(snapshot: Snapshot) -> Decision:
    """Return what to do about one object now. Total: `settled`, the last rule, always answers."""
    observing = snapshot.spec.managed is Management.OBSERVE
    seen = as_observed(snapshot) if observing else snapshot
    for rule in RULES_WHEN_OBSERVING if observing else RULES:
        decision = rule(seen)
        if decision is not None:
            return replace(decision, rule=rule.__name__, requeue_after=_in_time(seen, decision))
    msg = "the last rule answers always"
    raise AssertionError(msg)


def _in_time(s: Snapshot, decision: Decision) -> timedelta | None:
    """Return when to look again: as the rule says, or before, if `spec.expiry` has something to say by then."""
    if decision.need is not None or decision.release:
        return decision.requeue_after
    moment = next_moment(s.instance, s.now)
    if moment is None:
        return decision.requeue_after
    left = moment - s.now
    return left if decision.requeue_after is None else min(left, decision.requeue_after)
