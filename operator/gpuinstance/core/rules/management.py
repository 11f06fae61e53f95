"""Rules about machines that are only observed: looked at, compared with the spec, and never touched.

So is every machine that `spec.adopt` names, until `management: Full` takes control, and every machine whose
object says `management: Observe`. What was already sent to the provider then runs to its own end; nothing
follows it. What is going on in the meantime belongs to the machine, and counts when control is taken.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import GPUInstanceStatus, Operation
from gpuinstance.api.words import ConditionStatus, Management, OperationPhase, OperationType, Outcome, Phase
from gpuinstance.core import operations
from gpuinstance.core.conditions import Verdict, write
from gpuinstance.core.decision import Decision, Need
from gpuinstance.core.desired import applied_by_others, published_ports
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.rules.adoption import adopted, newest_bought
from gpuinstance.core.rules.answers import need, stuck, wait
from gpuinstance.core.rules.deletion import release
from gpuinstance.core.snapshot import Snapshot
from gpuinstance.core.tokens import TOKENS, carried_out


def as_observed(s: Snapshot) -> Snapshot:
    """Return the snapshot with a status in which what is applied is what shows.

    Somebody else may change the machine now, and has every right to: when control is taken, it is compared with
    the spec as it stands then.
    """
    machine, status = s.machine, s.status
    recorded = status.instance
    if machine is None or recorded is None or s.operation is not None or s.deleting:
        return s
    if s.is_being_upgraded or recorded.upgraded_by is not None:
        return s  # What an InstanceUpgrade makes of it is nobody's change, and no difference from the spec.
    if machine.state not in (MachineState.RUNNING, MachineState.STOPPED):
        return s
    applied = applied_by_others(s, machine, status.applied)
    changes: dict[str, Any] = {
        "applied": applied,
        "instance": recorded.model_copy(update={"image": machine.image or recorded.image}),
    }
    if published_ports(applied) != published_ports(status.applied):
        changes |= {"endpoints": None, "health_check": None}
    seen = status.model_copy(update=changes)
    if seen == status:
        return s
    return replace(s, instance=s.instance.model_copy(update={"status": seen}))


def release_observed(s: Snapshot) -> Decision | None:
    """A machine that is only observed is left as it is when its object is deleted."""
    if not s.deleting or s.spec.managed is Management.FULL:
        return None
    return release(s, "the machine was only observed, and is left as it is")


def note_what_carries_our_name(s: Snapshot) -> Decision | None:
    """A machine with our name is ours also while it is only observed, as one whose purchase had just been sent."""
    machine = newest_bought(s) if s.machine_id is None else None
    if machine is None:
        return None
    return wait(s, Phase.CREATED, Reason.CREATING, f"found machine {machine.id} of this object", **adopted(s, machine))


def show_missing_machine(s: Snapshot) -> Decision | None:
    """`management: Observe` of an object without a machine: nothing is bought for it."""
    if s.machine is not None:
        return None
    message = "there is no machine, and with management Observe none is bought: set management Full to buy one"
    return stuck(s, Phase.PENDING, Reason.ADOPTION_FAILED, message)


def show_lost_machine(s: Snapshot) -> Decision | None:
    """An observed machine that has vanished is told; nothing is bought in its place."""
    if s.machine_id is None or s.machine is not None:
        return None
    if s.machine_id not in s.confirmed_gone:
        return need(s, Need.CONFIRMATION)
    way_out = "it was only observed: delete this object, or set management Full to have another bought by a token"
    message = f"machine {s.machine_id} no longer exists at the provider; {way_out} in spec.actions.recreate"
    return stuck(s, Phase.TERMINATED, Reason.INSTANCE_LOST, message, endpoints=None, health_check=None)


def show_failed_machine(s: Snapshot) -> Decision | None:
    """A failure that the provider itself names is told; what helps is the business of others."""
    machine = s.machine
    if machine is None or not machine.trouble or machine.state is MachineState.RUNNING:
        return None
    message = f"the provider reports about machine {machine.id}, which is only observed: {machine.trouble}"
    return stuck(s, Phase.FAILED, Reason.INSTANCE_FAILED, message)


def let_operation_end(s: Snapshot) -> Decision | None:
    """What was under way when the machine became only observed: nothing follows, and what came of it is looked up."""
    operation, machine = s.operation, s.machine
    if operation is None or machine is None:
        return None
    up = machine.state is MachineState.RUNNING
    if up and _only_has_to_answer(operation):
        return None
    phase = Phase.RUNNING if up else Phase.PENDING
    sent = operation.phases.monitoring_at or operation.started_at
    is_known = operation.phase is OperationPhase.FAILED or s.settled_since(sent) or s.now >= operation.deadline
    if not is_known:
        message = f"{operation.type} of machine {machine.id} was under way: looking what has come of it"
        return wait(s, phase, Reason.PENDING, message)
    message = f"{operation.type} of machine {machine.id} is over: it is only observed from here on"
    return wait(s, phase, Reason.PENDING, message, after=timedelta(), **_ended(s, operation, machine))


def _only_has_to_answer(operation: Operation) -> bool:
    if operation.phase is OperationPhase.FAILED:
        return False
    brings_up = operation.type in (OperationType.CREATE, OperationType.START)
    return brings_up or operation.phase is OperationPhase.HEALTH_CHECKING


def _ended(s: Snapshot, operation: Operation, machine: Machine) -> dict[str, Any]:
    """End the operation: what arrived counts, its token is not carried out again when control is taken back."""
    failed = operation.phase is OperationPhase.FAILED
    arrived = operation.phase is not OperationPhase.INITIATED or operations.has_changed(operation, machine)
    if failed or not arrived or operation.type is OperationType.RECREATE:
        message = "the machine became only observed before it began"
        last = operation if failed else operations.revoke(operation, s, message=message)
        return {"operation": None, "last_operation": last}
    return {**operations.end(s), **_handled(s.status, operation)}


def _handled(status: GPUInstanceStatus, operation: Operation) -> dict[str, Any]:
    if operation.type in TOKENS:
        return carried_out(status, operation)
    if operation.type is not OperationType.RESTART or operation.token is None or operations.is_recovery(operation):
        return {}
    return {"handled_actions": status.handled_actions.model_copy(update={"restart": operation.token})}


def show_stopped_machine(s: Snapshot) -> Decision | None:
    """An observed machine that is down is shown so, whatever the spec asks."""
    machine = s.machine
    if machine is None or machine.state is not MachineState.STOPPED:
        return None
    message = f"machine {machine.id} is down, and is only observed"
    verdict = Verdict(Phase.STOPPED, ConditionStatus.FALSE, Reason.STOPPED, message, outcome=Outcome.STOPPED)
    return Decision(status=write(s, verdict, endpoints=None, health_check=None))
