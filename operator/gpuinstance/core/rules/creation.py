"""Rules about having exactly one machine: adopt, wait, miss, replace, buy.

The dangerous moment is between a create call and its answer. The intent is saved before the call,
the name is derived from the uid and the attempt, and a new attempt is made only when a listing that
is younger than the call by more than the settle window shows no machine of ours.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import HandledActions, InstanceStatus, Operation
from gpuinstance.api.v1alpha1 import FINALIZER
from gpuinstance.api.words import ErrorCategory, OperationPhase, OperationType, Outcome, Phase
from gpuinstance.core import operations
from gpuinstance.core.decision import Create, Decision, Delete, Need
from gpuinstance.core.desired import applied_as_found, applied_by_purchase, format_ports
from gpuinstance.core.model import Machine, MachineState, Order
from gpuinstance.core.pricing import money, refuse_price
from gpuinstance.core.rules.answers import PLACING, SLOW_RETRY, need, settle, stuck, wait
from gpuinstance.core.snapshot import Refusal, Seen, Snapshot


def adopt_what_carries_our_name(s: Snapshot) -> Decision | None:
    """A machine with our name is ours, whatever the status says; a second one is removed."""
    if s.machine is None and s.machine_id is not None and s.alive and s.machine_id not in s.confirmed_gone:
        return need(s, Need.CONFIRMATION)
    current = s.machine or _newest_bought(s)
    if surplus := _surplus(s, current):
        message = f"removing machine {surplus[0].id}: a second machine of this object"
        return wait(s, Phase.CREATED, Reason.CREATING, message, action=Delete(surplus[0].id))
    if current is None or s.machine is not None:
        return None
    return wait(s, Phase.CREATED, Reason.CREATING, f"found machine {current.id} of this object", **_adopted(s, current))


def _newest_bought(s: Snapshot) -> Machine | None:
    """Return what to adopt: not a machine that is on its way out, nor one that is being replaced.

    Until a create has settled only its own machine counts: an older one may be gone already, and
    still be listed.
    """
    if s.machine_id is not None and _recreating(s) is not None:
        return None
    recorded, is_settling = s.status.instance, _is_create_settling(s)
    return next(
        (
            m
            for m in s.alive
            if m.state is not MachineState.REMOVING and (not is_settling or recorded is None or m.name == recorded.name)
        ),
        None,
    )


def _surplus(s: Snapshot, current: Machine | None) -> list[Machine]:
    """Return the machines of ours that should not exist beside the current one."""
    if _is_create_settling(s) or (current is None and _recreating(s) is None):
        return []
    return [m for m in s.alive if m is not current and m.state is not MachineState.REMOVING]


def _is_create_settling(s: Snapshot) -> bool:
    """True while a listing may still lack the machine of a create, or show the one before it."""
    creates = [o for o in (s.operation, s.status.last_operation) if o is not None and o.type is OperationType.CREATE]
    return any(not s.settled_since(o.phases.monitoring_at or o.started_at) for o in creates)


def _adopted(s: Snapshot, machine: Machine) -> dict[str, Any]:
    attempt = s.identity.attempt_of(machine.name) or 1
    recorded = s.status.instance
    bought_now = recorded is not None and recorded.id is None and recorded.name == machine.name
    base = recorded if bought_now and recorded is not None else InstanceStatus(name=machine.name)
    operation = s.operation
    if operation is not None and operation.type is OperationType.CREATE:
        operation = operations.reach(operation, OperationPhase.MONITORING, s).model_copy(
            update={"error": None, "retry_at": None, "attempt": attempt}
        )
    return {
        "instance": base.model_copy(
            update={
                "id": machine.id,
                "product_id": base.product_id or machine.product_id or None,
                "product_name": base.product_name or machine.product_name or None,
                "region": base.region or machine.region or None,
                "billing_mode": base.billing_mode or machine.billing_mode,
                "state": machine.word,
            }
        ),
        "attempts": max(attempt, s.status.attempts),
        "operation": operation,
        "applied": s.status.applied if bought_now else applied_as_found(s.spec, machine),
        "created_at": machine.created_at or s.now,
        "terminated_at": None,
        "endpoints": None,
    }


def wait_for_unconfirmed_create(s: Snapshot) -> Decision | None:
    """A create without an answer: look until a machine of it would show, before buying another."""
    operation = s.in_flight(OperationType.CREATE)
    if operation is None or s.machine is not None:
        return None
    accepted = operation.phase is not OperationPhase.INITIATED
    if s.settled_since(operation.phases.monitoring_at or operation.started_at):
        return None
    if accepted:
        return wait(s, Phase.CREATED, Reason.CREATING, PLACING)
    message = "the create call got no answer yet: looking for its machine before another is bought"
    return wait(s, Phase.CREATING, Reason.CONFIRMING_CREATE, message)


def recreate_on_token(s: Snapshot) -> Decision | None:
    """A new token in `actions.recreate`: ask the price first, then remove, then buy."""
    token = s.spec.actions.recreate
    if s.machine_id is None:
        return None
    operation = _recreating(s)
    if operation is None:
        is_new = token is not None and token != s.status.handled_actions.recreate
        return replace_machine(s, token) if is_new and s.wants_running else None
    if s.machine is not None:
        return _watch_removal(s, operation, s.machine)
    if s.machine_id not in s.confirmed_gone:
        return need(s, Need.CONFIRMATION)
    return None


def _recreating(s: Snapshot) -> Operation | None:
    """Return the replacement under way; a token that is set meanwhile asks for nothing more."""
    operation = s.in_flight(OperationType.RECREATE)
    if operation is None or operations.is_recovery(operation):
        return operation
    token, handled = s.spec.actions.recreate, s.status.handled_actions.recreate
    return operation if token is not None and token != handled else None


def replace_machine(s: Snapshot, token: str | None, **changes: Any) -> Decision:
    """Begin to replace the machine, if another could be bought at an allowed price."""
    return _cannot_buy(s) or _remove_old(s, token, **changes)


def _remove_old(s: Snapshot, token: str | None, **more: Any) -> Decision:
    """Save the intent to replace the machine; remove it, unless that has already happened."""
    operation = operations.begin(s, OperationType.RECREATE, attempt=s.status.attempts + 1, token=token)
    last = s.operation if s.operation is not None and s.operation.type is not operation.type else None
    changes = {
        "operation": operation,
        "last_operation": last or s.status.last_operation,
        "endpoints": None,
        "health_check": None,
        **operations.estimated_end(s, operation),
        **more,
    }
    if s.machine is None:
        return wait(s, Phase.CREATING, Reason.RECREATING, "buying a new machine", **changes)
    delete = Delete(s.machine.id) if s.machine.state is not MachineState.REMOVING else None
    message = f"removing machine {s.machine.id} before a new one is bought"
    return wait(s, Phase.TERMINATING, Reason.RECREATING, message, action=delete, **changes)


def _watch_removal(s: Snapshot, operation: Operation, machine: Machine) -> Decision | None:
    """While the old machine goes: it is asked again only once the first call would have shown.

    None if it stayed, and is to be stopped by now: then nothing is replaced before it is to run again.
    """
    removing = machine.state is MachineState.REMOVING
    if not removing and s.settled_since(operation.phases.monitoring_at or operation.started_at):
        return _remove_old(s, operation.token) if s.wants_running else None
    if s.now >= operation.deadline:
        late = f"machine {machine.id} is still {machine.word} after the time allowed"
        message = f"{late}: no other is bought before it is gone; it may still be billed"
        return wait(s, Phase.TERMINATING, Reason.DELETE_TIMED_OUT, message)
    message = f"removing machine {machine.id} before a new one is bought"
    return wait(s, Phase.TERMINATING, Reason.RECREATING, message)


def may_be_lost(s: Snapshot) -> bool:
    """True if the recorded machine is not shown, and not by our doing."""
    return s.machine_id is not None and s.machine is None and _recreating(s) is None


def report_lost_machine(s: Snapshot) -> Decision | None:
    """A machine that vanished without our doing is reported, never silently bought again."""
    if not may_be_lost(s):
        return None
    if s.machine_id not in s.confirmed_gone:
        return need(s, Need.CONFIRMATION)
    way_out = "set a new token in spec.actions.recreate to buy another"
    message = f"machine {s.machine_id} no longer exists at the provider: {way_out}"
    return stuck(
        s, Phase.TERMINATED, Reason.INSTANCE_LOST, message, **operations.end(s), endpoints=None, health_check=None
    )


def beware_of_namesake(s: Snapshot) -> Decision | None:
    """Another uid's machine of the same name: a second one would be a second bill."""
    if s.machine_id is not None or not isinstance(s.view, Seen):
        return None
    others = [m for m in s.view.namesakes if not m.state.is_gone and m.state is not MachineState.REMOVING]
    if not others:
        return None
    message = (
        f"machine {others[0].id} ({others[0].name}) was bought for an earlier object of this name: "
        "delete it at the provider to let this object buy its own"
    )
    return stuck(s, Phase.PENDING, Reason.FOREIGN_INSTANCE, message)


def wait_until_others_are_gone(s: Snapshot) -> Decision | None:
    """Nothing is bought while any machine of this object is still listed, even on its way out."""
    if not s.alive or not _must_buy(s):
        return None
    other = s.alive[0]
    message = f"machine {other.id} of this object is still {other.word}: nothing is bought before it is gone"
    reason = Reason.PENDING if _recreating(s) is None else Reason.RECREATING
    return wait(s, Phase.PENDING, reason, message)


def wait_for_finalizer(s: Snapshot) -> Decision | None:
    """Nothing is bought before the object carries the finalizer: it could vanish with the machine running."""
    guarded = FINALIZER in s.instance.metadata.finalizers
    return None if guarded or not _must_buy(s) else Decision(status=s.status, requeue_after=s.limits.fast_poll)


def refuse_above_price_limit(s: Snapshot) -> Decision | None:
    """The price cap, asked with the provider's current price, in the pass that would buy."""
    return _cannot_buy(s) if _must_buy(s) else None


def _cannot_buy(s: Snapshot) -> Decision | None:
    if s.plan is None:
        return need(s, Need.PLAN)
    refusal = s.plan if isinstance(s.plan, Refusal) else refuse_price(s.spec, s.plan)
    if refusal is None:
        return None
    phase = Phase.RUNNING if s.machine is not None else Phase.PENDING
    if refusal.needs_person:
        return stuck(s, Phase.FAILED if s.machine is None else phase, refusal.reason, refusal.message)
    return wait(s, phase, refusal.reason, refusal.message, after=SLOW_RETRY)


def _must_buy(s: Snapshot) -> bool:
    return s.wants_running and (s.machine_id is None or (_recreating(s) is not None and s.machine is None))


def create_when_missing(s: Snapshot) -> Decision | None:
    """No machine, none on its way, the price is right: save the intent, then buy."""
    replacing = _recreating(s) is not None and s.machine is None
    if not s.wants_running and (s.machine_id is None or replacing):
        message = "nothing is bought while powerState is Stopped"
        return settle(s, Phase.STOPPED, Reason.STOPPED, message, Outcome.STOPPED)
    if not _must_buy(s) or not isinstance(s.plan, Order):
        return None
    attempt = _next_attempt(s)
    order = replace(s.plan, name=s.identity.name(attempt))
    operation = operations.begin(s, OperationType.CREATE, attempt=attempt)
    message = f"buying {order.gpu_count} x {order.product_name}" + (
        f" at {money(order.hourly_price)}/h" if order.hourly_price else ""
    )
    # A new machine is what every token asks for that was set before it was bought.
    handled = HandledActions(recreate=s.spec.actions.recreate, restart=s.spec.actions.restart)
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
        billing_mode=order.billing_mode,
    )
