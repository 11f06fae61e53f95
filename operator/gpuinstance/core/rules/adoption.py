"""Rules about what a purchase has brought about: the machine is found by its name, and nothing is forgotten.

The dangerous moment is between a create call and its answer. The intent is saved before the call, the name
is derived from the uid and the attempt, and what carries the name is ours, whatever the status says.
"""

from __future__ import annotations

from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import HandledActions, InstanceStatus, Operation
from gpuinstance.api.words import OperationPhase, OperationType, Phase
from gpuinstance.core import operations
from gpuinstance.core.decision import Decision, Delete, Need
from gpuinstance.core.desired import applied_as_found
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.rules.answers import PLACING, need, stuck, wait
from gpuinstance.core.snapshot import Seen, Snapshot


def adopt_what_carries_our_name(s: Snapshot) -> Decision | None:
    """A machine with our name is ours, whatever the status says; a second one is removed."""
    if s.machine is None and s.machine_id is not None and s.alive and s.machine_id not in s.confirmed_gone:
        return need(s, Need.CONFIRMATION)
    current = s.machine or newest_bought(s)
    if surplus := _surplus(s, current):
        message = f"removing machine {surplus[0].id}: a second machine of this object"
        return wait(s, Phase.CREATED, Reason.CREATING, message, action=Delete(surplus[0].id))
    if current is None or s.machine is not None:
        return None
    return wait(s, Phase.CREATED, Reason.CREATING, f"found machine {current.id} of this object", **adopted(s, current))


def newest_bought(s: Snapshot) -> Machine | None:
    """Return what to adopt: not a machine that is on its way out, nor one that is being replaced.

    Until a create has settled only its own machine counts: an older one may be gone already, and
    still be listed.
    """
    if s.machine_id is not None and operations.replacement(s) is not None:
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
    if _is_create_settling(s) or (current is None and operations.replacement(s) is None):
        return []
    return [m for m in s.alive if m is not current and m.state is not MachineState.REMOVING]


def _is_create_settling(s: Snapshot) -> bool:
    """True while a listing may still lack the machine of a create, or show the one before it."""
    creates = [o for o in (s.operation, s.status.last_operation) if o is not None and o.type is OperationType.CREATE]
    return any(not s.settled_since(o.phases.monitoring_at or o.started_at) for o in creates)


def adopted(s: Snapshot, machine: Machine) -> dict[str, Any]:
    """Return what changes in the status when a machine that carries our name is found."""
    attempt = s.identity.attempt_of(machine.name) or 1
    recorded = s.status.instance
    # A mere note that nobody has looked yet bears the name as well, and knows nothing of a purchase.
    bought_now = (
        s.status.attempts > 0 and recorded is not None and recorded.id is None and recorded.name == machine.name
    )
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
        "handled_actions": _handled(s),
        "operation": operation,
        "applied": s.status.applied if bought_now else applied_as_found(s, machine),
        "created_at": machine.created_at or s.now,
        "terminated_at": None,
        "endpoints": None,
    }


def _handled(s: Snapshot) -> HandledActions:
    """Return the tokens that were carried out. Where nobody knows, because the status was lost, all of them: to
    recreate a machine once more would cost its disk, and to ask again costs a person a word.
    """
    return s.status.handled_actions if s.status.attempts > 0 else HandledActions(**s.spec.actions.model_dump())


def wait_for_unconfirmed_create(s: Snapshot) -> Decision | None:
    """A create whose machine is not listed: look for it before another is bought. One that the provider has
    accepted is paid for: only a person may let another be bought.
    """
    operation = s.in_flight(OperationType.CREATE)
    if operation is None or s.machine is not None:
        return None
    accepted = operation.phase is not OperationPhase.INITIATED
    if s.settled_since(operation.phases.monitoring_at or operation.started_at):
        return _miss_what_was_paid_for(s, operation) if accepted and s.machine_id is None else None
    if accepted:
        return wait(s, Phase.CREATED, Reason.CREATING, PLACING)
    message = "the create call got no answer yet: looking for its machine before another is bought"
    return wait(s, Phase.CREATING, Reason.CONFIRMING_CREATE, message)


def _miss_what_was_paid_for(s: Snapshot, operation: Operation) -> Decision | None:
    """Answer for an accepted create that told no id, and whose machine should be listed by now."""
    name = s.status.instance.name if s.status.instance else s.identity.name(operation.attempt)
    if s.now < operation.deadline:
        message = f"the provider has accepted the order of {name} and does not list it yet: nothing else is bought"
        return wait(s, Phase.CREATED, Reason.CREATING, message)
    token = s.spec.actions.recreate
    if token is not None and token != s.status.handled_actions.recreate:
        return None
    message = (
        f"the provider has accepted the order of {name} and does not list it after the time allowed by spec.timeouts; "
        "it may be billed: look for it at the provider, or set a new token in spec.actions.recreate to buy another"
    )
    return stuck(s, Phase.FAILED, Reason.CREATE_TIMED_OUT, message)


def beware_of_namesake(s: Snapshot) -> Decision | None:
    """Another uid's machine of the same name: a second one would be a second bill."""
    if s.machine_id is not None or not isinstance(s.view, Seen):
        return None
    others = [m for m in s.view.namesakes if not m.state.is_gone and m.state is not MachineState.REMOVING]
    if not others:
        return None
    message = (
        f"machine {others[0].id} ({others[0].name}) was bought for an earlier object of this name: to keep it, delete "
        f"this object and apply it with spec.adopt.instanceID {others[0].id}; or delete the machine at the provider, "
        "and another is bought"
    )
    return stuck(s, Phase.PENDING, Reason.FOREIGN_INSTANCE, message)
