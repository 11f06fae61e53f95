"""Rules about buying: nothing beside another machine, nothing unguarded or too dear, then one machine.

The rules of `adoption` have spoken before: a new attempt is made only when a listing that is younger than
the last call by more than the settle window shows no machine of ours.
"""

from __future__ import annotations

from dataclasses import replace

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import HandledActions, InstanceStatus
from gpuinstance.api.v1alpha1 import FINALIZER
from gpuinstance.api.words import ErrorCategory, OperationPhase, OperationType, Outcome, Phase
from gpuinstance.core import operations
from gpuinstance.core.decision import Create, Decision, Need
from gpuinstance.core.desired import applied_by_purchase, format_ports
from gpuinstance.core.model import Order
from gpuinstance.core.pricing import money, refuse_price
from gpuinstance.core.rules.answers import SLOW_RETRY, need, settle, stuck, wait
from gpuinstance.core.rules.power import why_down
from gpuinstance.core.rules.spending import beyond_budget
from gpuinstance.core.snapshot import Refusal, Snapshot


def wait_until_others_are_gone(s: Snapshot) -> Decision | None:
    """Nothing is bought while any machine of this object is still listed, even on its way out."""
    if not s.alive or not _must_buy(s):
        return None
    other = s.alive[0]
    message = f"machine {other.id} of this object is still {other.word}: nothing is bought before it is gone"
    reason = Reason.PENDING if operations.replacement(s) is None else Reason.RECREATING
    return wait(s, Phase.PENDING, reason, message)


def wait_for_finalizer(s: Snapshot) -> Decision | None:
    """Nothing is bought before the object carries the finalizer: it could vanish with the machine running."""
    guarded = FINALIZER in s.instance.metadata.finalizers
    return None if guarded or not _must_buy(s) else Decision(status=s.status, requeue_after=s.limits.fast_poll)


def refuse_above_price_limit(s: Snapshot) -> Decision | None:
    """The price cap, asked with the provider's current price, in the pass that would buy."""
    return _price_forbids(s) if _must_buy(s) else None


def refuse_above_namespace_budget(s: Snapshot) -> Decision | None:
    """The namespace's budget, asked with the price of what would be bought and with what the others cost."""
    return _budget_forbids(s) if _must_buy(s) else None


def cannot_buy(s: Snapshot) -> Decision | None:
    """Return why no machine can be bought now, or ask what one would cost; None if one can."""
    return _price_forbids(s) or _budget_forbids(s)


def _price_forbids(s: Snapshot) -> Decision | None:
    if s.plan is None:
        return need(s, Need.PLAN)
    refusal = s.plan if isinstance(s.plan, Refusal) else refuse_price(s.spec, s.plan)
    return _refuse(s, refusal) if refusal is not None else None


def _budget_forbids(s: Snapshot) -> Decision | None:
    if not isinstance(s.plan, Order):
        return None
    answer = beyond_budget(s, s.plan.hourly_price, "buying it")
    if isinstance(answer, Need):
        return need(s, answer)
    return _refuse(s, answer) if answer is not None else None


def _refuse(s: Snapshot, refusal: Refusal) -> Decision:
    phase = Phase.RUNNING if s.machine is not None else Phase.PENDING
    if refusal.needs_person:
        return stuck(s, Phase.FAILED if s.machine is None else phase, refusal.reason, refusal.message)
    return wait(s, phase, refusal.reason, refusal.message, after=SLOW_RETRY)


def _must_buy(s: Snapshot) -> bool:
    return s.wants_running and (s.machine_id is None or (operations.replacement(s) is not None and s.machine is None))


def create_when_missing(s: Snapshot) -> Decision | None:
    """No machine, none on its way, the price is right: save the intent, then buy."""
    replacing = operations.replacement(s) is not None and s.machine is None
    if not s.wants_running and (s.machine_id is None or replacing):
        reason, why = why_down(s)
        message = f"nothing is bought, {why}"
        return settle(s, Phase.STOPPED, reason, message, Outcome.STOPPED)
    if not _must_buy(s) or not isinstance(s.plan, Order):
        return None
    attempt = _next_attempt(s)
    order = replace(s.plan, name=s.identity.name(attempt))
    operation = operations.begin(s, OperationType.CREATE, attempt=attempt)
    message = f"buying {order.gpu_count} x {order.product_name}" + (
        f" at {money(order.hourly_price)}/h" if order.hourly_price else ""
    )
    # A new machine is what every token asks for that was set before it was bought.
    handled = HandledActions(**s.spec.actions.model_dump())
    return wait(
        s,
        Phase.CREATING,
        Reason.CREATING,
        message,
        action=Create(order),
        operation=operation,
        last_operation=s.operation or s.status.last_operation,
        attempts=max(attempt, s.status.attempts),
        instance=_bought(order),
        applied=applied_by_purchase(
            s.spec, ports=format_ports((p.number, p.protocol) for p in order.ports), rootfs_gb=order.rootfs_gb
        ),
        handled_actions=handled,
        endpoints=None,
        health_check=None,
        created_at=None,
        terminated_at=None,
        **operations.estimated_end(s, operation),
    )


def _next_attempt(s: Snapshot) -> int:
    """Return the number for the machine's name: a new one unless the last call surely bought nothing."""
    operation = s.operation
    refused = (
        operation is not None
        and operation.type is OperationType.CREATE
        and operation.phase is OperationPhase.FAILED
        and operation.error is not None
        and operation.error.category is not ErrorCategory.UNKNOWN_OUTCOME
    )
    return operation.attempt if refused and operation is not None else s.status.attempts + 1


def _bought(order: Order) -> InstanceStatus:
    return InstanceStatus(
        name=order.name,
        product_id=order.product_id,
        product_name=order.product_name,
        region=order.region_name,
        hourly_price=format(order.hourly_price.normalize(), "f") if order.hourly_price is not None else None,
        # What is billed by a cycle is not paid in one of several ways: a word for it would say nothing.
        billing_mode=order.billing_mode if order.billing_cycle is None else None,
    )
