"""Rules for an upgrade that has not begun: everything is looked at before the first intent is saved."""

from __future__ import annotations

from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import MachineShape, UpgradedInstance
from gpuinstance.api.upgrade_words import CallType, UpgradePhase
from gpuinstance.api.v1alpha1 import FINALIZER
from gpuinstance.api.words import BillingCycle
from gpuinstance.core.decision import OrderUpgrade
from gpuinstance.core.model import Machine
from gpuinstance.core.pricing import HOURS, HOURS_PER_MONTH, money
from gpuinstance.core.upgrade import calls
from gpuinstance.core.upgrade.answers import fail, need, stall, succeed, wait
from gpuinstance.core.upgrade.decision import UpgradeDecision, UpgradeNeed
from gpuinstance.core.upgrade.rules.direct import change_directly
from gpuinstance.core.upgrade.rules.ready import not_ready_for_change
from gpuinstance.core.upgrade.rules.spending import beyond_hourly_limits, per_hour, price_after, priced
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from gpuinstance.core.upgrade.target import (
    Impossible,
    choice_of,
    direct_shape,
    has_changed_to,
    is_on_plan,
    is_resized_to,
    plan_of,
    price_step,
    shape_of,
)

_VALIDATING = UpgradePhase.VALIDATING


def reject_impossible_target(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """What this provider can never do ends the upgrade in words, before anything is asked for."""
    if s.status.accepted_at is not None or s.instance is None:
        return None
    target, can, provider = s.spec.target, s.limits, s.instance.spec.provider
    if target.plan is not None:
        words = "" if can.upgrades_are_ordered else "moving a machine to another plan"
    elif target.image is not None:
        words = "" if can.can_change_software else "changing a machine's image"
    elif target.rootfs_expand_gb is not None:
        words = "" if can.can_grow_disk else "growing a machine's root disk"
    elif target.ports is not None:
        words = "" if can.can_change_ports else "changing a machine's ports"
    else:
        words = "" if can.can_switch_to_monthly else "switching a machine to monthly billing"
    if not words:
        return None
    return fail(s, Reason.UNSUPPORTED_BY_PROVIDER, f"{provider} does not offer {words}")


def wait_for_instance(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """An upgrade begins on a machine that runs and with which nothing else is being done."""
    if s.status.accepted_at is not None:
        return None
    return not_ready_for_change(s, _VALIDATING) or _ask_machine(s)


def _ask_machine(s: UpgradeSnapshot) -> UpgradeDecision | None:
    return need(s, UpgradeNeed.MACHINE) if s.fresh is None else None


def validate(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """The service is valid, the target known, the price allowed, no order open: save the intent and begin."""
    machine = s.machine
    if s.status.accepted_at is not None or machine is None:
        return None
    return _begin_order(s, machine) if s.is_ordered else _begin_directly(s, machine)


def _begin_order(s: UpgradeSnapshot, machine: Machine) -> UpgradeDecision:
    plan = s.spec.target.plan
    assert plan is not None
    if s.plans is None:
        return need(s, UpgradeNeed.PLANS)
    target = plan_of(plan, s.plans, machine.sizes)
    if isinstance(target, Impossible):
        return fail(s, target.reason, target.message)
    if is_resized_to(machine, target, shape_of(machine)):
        return _same_sizes(s, machine, target)
    step, hours = price_step(s.plans, target.product_id, _cycle(s)), HOURS[_cycle(s)]
    price, more = price_after(s, step, hours), per_hour(step, hours) if step is not None else None
    if (refusal := _too_expensive(s, step) or beyond_hourly_limits(s, price, at_least=more)) is not None:
        return refusal
    if s.order is None:
        return need(s, UpgradeNeed.ORDER)
    if s.order.order is not None:
        return foreign_order(s, _VALIDATING)
    if (unguarded := _wait_for_finalizer(s)) is not None:
        return unguarded
    message = f"ordering plan {target.product_name or target.product_id} for machine {machine.id}"
    return wait(
        s,
        UpgradePhase.ORDERING,
        Reason.ORDERING,
        message,
        action=OrderUpgrade(machine.id, choice_of(plan, target)),
        call=calls.begin(s, CallType.ORDER),
        payment_deadline=s.now + s.spec.payment.timeout,
        **_accepted(s, machine, priced(target, price)),
    )


def _same_sizes(s: UpgradeSnapshot, machine: Machine, target: MachineShape) -> UpgradeDecision:
    """The machine has the sizes of the plan: it is on it, or nobody could ever see whether it has got there."""
    plan = s.spec.target.plan
    assert plan is not None
    if is_on_plan(machine, plan, target.product_id, s.plans or ()):
        return _nothing_to_do(s, machine, target)
    message = (
        f"plan {target.product_name or target.product_id} has the sizes that machine {machine.id} has already: whether "
        "it arrived could not be seen, so nothing was ordered"
    )
    return fail(s, Reason.UNSUPPORTED_BY_PROVIDER, message)


def _begin_directly(s: UpgradeSnapshot, machine: Machine) -> UpgradeDecision:
    target = direct_shape(s.spec, machine)
    before = shape_of(machine)
    done = s.spec.target.image is None and s.spec.target.rootfs_expand_gb is None
    if done and has_changed_to(machine, target, before, restarted=False):
        return _nothing_to_do(s, machine, target)
    billing = s.spec.target.billing
    if billing is not None:
        if s.quote is None:
            return need(s, UpgradeNeed.QUOTE)
        total = s.quote.total
        price = per_hour(total, HOURS_PER_MONTH * billing.months) if total is not None else None
        refusal = _too_expensive(s, total, unknown_is_too_much=True) or beyond_hourly_limits(s, price)
        if refusal is not None:
            return refusal
        target = priced(target, price)
    if (unguarded := _wait_for_finalizer(s)) is not None:
        return unguarded
    return change_directly(s, machine, target, _accepted(s, machine, target))


def _accepted(s: UpgradeSnapshot, machine: Machine, target: MachineShape) -> dict[str, Any]:
    assert s.instance is not None
    return {
        "accepted_at": s.now,
        "instance": UpgradedInstance(uid=s.instance.metadata.uid, machine_id=machine.id),
        "before": shape_of(machine),
        "target": target,
    }


def _wait_for_finalizer(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """Nothing is begun before the object carries the finalizer: it could vanish with the change under way."""
    guarded = FINALIZER in s.upgrade.metadata.finalizers
    return None if guarded else UpgradeDecision(status=s.status, requeue_after=s.limits.fast_poll)


def _nothing_to_do(s: UpgradeSnapshot, machine: Machine, target: MachineShape) -> UpgradeDecision:
    shape = shape_of(machine)
    message = f"machine {machine.id} already is as the target asks: nothing was ordered or changed"
    return succeed(s, Reason.COMPLETED, message, before=shape, after=shape, target=target)


def _cycle(s: UpgradeSnapshot) -> BillingCycle:
    hostwinds = s.instance.spec.hostwinds if s.instance is not None else None
    return hostwinds.billing_cycle if hostwinds is not None else BillingCycle.MONTHLY


def _too_expensive(s: UpgradeSnapshot, price: Any, *, unknown_is_too_much: bool = False) -> UpgradeDecision | None:
    """Refuse what the price list already shows to be above `maxTotal`; an invoice is checked again."""
    cap = s.spec.payment.max_total
    if cap is None or (price is None and not unknown_is_too_much) or (price is not None and price <= cap):
        return None
    message = f"this costs {money(price)}, above spec.payment.maxTotal of {money(cap)}: nothing was ordered"
    return fail(s, Reason.PRICE_ABOVE_LIMIT, message)


def foreign_order(s: UpgradeSnapshot, phase: UpgradePhase) -> UpgradeDecision:
    """An order that is open and not ours is never adopted, and never paid by mistake."""
    assert s.order is not None
    order = s.order.order
    assert order is not None
    message = (
        f"upgrade order {order.id} with invoice {order.invoice_id} is open at the provider and was not made by this "
        "upgrade: let it be paid and applied, or cancelled, in the portal"
    )
    return stall(s, phase, Reason.FOREIGN_UPGRADE_ORDER, message)
