"""The rules of an InstanceUpgrade, in order: the first that answers decides.

This tuple is the specification of the saga. `docs/states.md` is generated from it. Called by
`observing_upgrades` only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gpuinstance.core.upgrade.decision import UpgradeDecision
from gpuinstance.core.upgrade.rules.applying import apply_when_paid, watch_resize
from gpuinstance.core.upgrade.rules.beginning import reject_impossible_target, validate, wait_for_instance
from gpuinstance.core.upgrade.rules.confirming import confirm_or_revert, verify, watch_confirm, watch_revert
from gpuinstance.core.upgrade.rules.direct import watch_direct_change
from gpuinstance.core.upgrade.rules.ends import (
    cancel_before_beginning,
    cancel_when_asked,
    fail_without_instance,
    follow_its_machine,
    give_up_on_unknown_status,
    keep_the_end,
    leave_suspended_machine,
    release_when_deleted,
    report_failed_change,
    stay_idle_when_blind,
    stay_idle_when_suspended,
    wait_for_turn,
)
from gpuinstance.core.upgrade.rules.payment import (
    await_payment,
    find_order,
    pause_after_refusal,
    stop_at_foreign_change,
)
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot

UpgradeRule = Callable[[UpgradeSnapshot], UpgradeDecision | None]

UPGRADE_RULES: tuple[UpgradeRule, ...] = (
    keep_the_end,
    release_when_deleted,
    cancel_before_beginning,
    fail_without_instance,
    stay_idle_when_blind,
    follow_its_machine,
    cancel_when_asked,
    stay_idle_when_suspended,
    wait_for_turn,
    leave_suspended_machine,
    report_failed_change,
    reject_impossible_target,
    wait_for_instance,
    validate,
    stop_at_foreign_change,
    pause_after_refusal,
    find_order,
    await_payment,
    apply_when_paid,
    watch_resize,
    confirm_or_revert,
    watch_confirm,
    watch_revert,
    verify,
    watch_direct_change,
    give_up_on_unknown_status,
)


def decide_upgrade(snapshot: UpgradeSnapshot) -> UpgradeDecision:
    """Return what to do about one upgrade now. Total: `give_up_on_unknown_status`, the last rule, always answers."""
    for rule in UPGRADE_RULES:
        decision = rule(snapshot)
        if decision is not None:
            return replace(decision, rule=rule.__name__)
    msg = "the last rule answers always"
    raise AssertionError(msg)
