"""What every decision promises, whatever it was made from: one small function each.

`test_decisions` draws snapshots and asks all of them. A promise looks at the snapshot (with the facts that
the rules asked for) and the decision; where it does not apply, it is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingMode, ConditionStatus, ExpiryAction, OperationPhase, OperationType
from gpuinstance.core.decision import (
    ChangeSoftware,
    Create,
    Decision,
    Delete,
    GrowDisk,
    Rebuild,
    RegenerateNetworking,
    Reinstall,
    Restart,
    SetPorts,
    Start,
    Stop,
)
from gpuinstance.core.model import MachineState
from gpuinstance.core.record import Accepted, Outdated, Refused, Unclear, record
from gpuinstance.core.snapshot import Blind, Seen, Snapshot
from tests import laws
from tests.properties.deciding import afterwards, decided

Promise = Callable[[Snapshot, Decision], None]

_INTENTS = {
    Create: OperationType.CREATE,
    Start: OperationType.START,
    Stop: OperationType.STOP,
    Restart: OperationType.RESTART,
    SetPorts: OperationType.CHANGE,
    GrowDisk: OperationType.CHANGE,
    ChangeSoftware: OperationType.CHANGE,
    Rebuild: OperationType.REBUILD,
    Reinstall: OperationType.REINSTALL,
    RegenerateNetworking: OperationType.REGENERATE_NETWORKING,
}


def blind_means_idle(snapshot: Snapshot, decision: Decision) -> None:
    """Nothing is changed at a provider that cannot be observed; what needs no look may go."""
    if isinstance(snapshot.view, Blind):
        assert decision.action is None
        assert not decision.release or decision.rule in {"release_unseen", "release_orphan"}


def a_deleted_object_gets_nothing_new(snapshot: Snapshot, decision: Decision) -> None:
    """While an object goes, machines are only stopped or removed."""
    if snapshot.deleting:
        assert isinstance(decision.action, Delete | Stop | None)


def a_kept_object_is_never_released(snapshot: Snapshot, decision: Decision) -> None:
    """Only a user deletes an object, and nothing else is done in the pass that lets it go."""
    if decision.release:
        assert snapshot.deleting
        assert decision.action is None


def suspend_means_hands_off(snapshot: Snapshot, decision: Decision) -> None:
    """With spec.suspend nothing is changed at the provider, except for deletion."""
    if snapshot.spec.suspend and not snapshot.deleting:
        assert decision.action is None


def an_action_has_its_intent_in_the_status(snapshot: Snapshot, decision: Decision) -> None:
    """What is about to be done is saved first; only the removal of a surplus machine leaves no trace."""
    action, operation, recorded = decision.action, decision.status.operation, decision.status.instance
    if action is None:
        return
    if isinstance(action, Delete):
        is_intended = operation is not None and operation.type in {OperationType.DELETE, OperationType.RECREATE}
        assert is_intended or recorded is None or recorded.id != action.machine_id
        return
    assert operation is not None
    assert operation.type is _INTENTS[type(action)]
    assert operation.phase is OperationPhase.INITIATED
    assert operation.started_at == snapshot.now
    assert operation.error is None


def a_machine_is_bought_only_when_there_is_none(snapshot: Snapshot, decision: Decision) -> None:
    """No purchase while any machine of ours is listed, or while an earlier create may still show one."""
    if not isinstance(decision.action, Create):
        return
    assert isinstance(snapshot.view, Seen)
    assert snapshot.alive == ()
    before = snapshot.in_flight(OperationType.CREATE)
    if before is not None:
        sent = before.phases.monitoring_at or before.started_at
        assert snapshot.view.listed_at >= sent + snapshot.limits.settle
        if before.phase is not OperationPhase.INITIATED and snapshot.machine_id is None:
            token = snapshot.spec.actions.recreate
            assert snapshot.now >= before.deadline, "what is paid for gets all the time that it has"
            assert token is not None, "and is bought again at a person's word only"
            assert token != snapshot.status.handled_actions.recreate
    recorded = decision.status.instance
    assert recorded is not None
    assert recorded.id is None
    assert recorded.name == decision.action.order.name
    assert decision.status.attempts >= max(snapshot.identity.attempt_of(recorded.name) or 0, snapshot.status.attempts)


def only_machines_of_ours_are_touched(snapshot: Snapshot, decision: Decision) -> None:
    """The target of an action is a listed machine that carries our name or the recorded id."""
    action = decision.action
    if action is not None and not isinstance(action, Create):
        assert action.machine_id in {machine.id for machine in snapshot.alive}


def a_frozen_machine_is_only_ever_removed(snapshot: Snapshot, decision: Decision) -> None:
    """What the provider has frozen is not started, stopped or changed."""
    action = decision.action
    if action is not None and not isinstance(action, Create | Delete):
        [target] = [machine for machine in snapshot.alive if machine.id == action.machine_id]
        assert target.state is not MachineState.SUSPENDED


def a_machine_in_a_resize_is_only_ever_removed(snapshot: Snapshot, decision: Decision) -> None:
    """What somebody moves to another plan is not started, stopped or changed."""
    action = decision.action
    if action is not None and not isinstance(action, Create | Delete):
        [target] = [machine for machine in snapshot.alive if machine.id == action.machine_id]
        assert target.state not in {MachineState.RESIZING, MachineState.RESIZED}


def what_stands_is_never_bought_again_where_it_can_be_rebuilt(snapshot: Snapshot, decision: Decision) -> None:
    """A new replacement does not begin with the removal of a machine that could be made anew in place."""
    before, intent = snapshot.in_flight(OperationType.RECREATE), decision.status.operation
    if not snapshot.limits.rebuilds_in_place or before is not None or intent == snapshot.operation:
        return
    if intent is not None and intent.type is OperationType.RECREATE:
        assert not isinstance(decision.action, Delete)


def a_disk_is_lost_only_by_a_word(snapshot: Snapshot, decision: Decision) -> None:
    """A machine is made anew for a token that was not carried out, or by spec.recovery; and not for both at once."""
    action, operation = decision.action, decision.status.operation
    if not isinstance(action, Rebuild | Reinstall):
        return
    assert operation is not None
    name = "recreate" if isinstance(action, Rebuild) else "reinstall"
    if (operation.token or "").startswith("recovery/"):
        assert "Recreate" in (snapshot.spec.recovery.policy, snapshot.spec.recovery.on_spot_reclaim)
        return
    assert operation.token == getattr(snapshot.spec.actions, name)
    assert operation.token != getattr(snapshot.status.handled_actions, name)


def ready_is_claimed_only_for_a_running_machine(snapshot: Snapshot, decision: Decision) -> None:
    """Ready=True means: observed, running, healthy, and the spec is applied."""
    ready = decision.status.condition("Ready")
    if decision.status is snapshot.status or ready is None or ready.status is not ConditionStatus.TRUE:
        return
    if isinstance(snapshot.view, Blind):
        assert snapshot.was_ready
        return
    assert snapshot.machine is not None
    assert snapshot.machine.state is MachineState.RUNNING


def a_pass_that_learns_nothing_writes_nothing(snapshot: Snapshot, decision: Decision) -> None:
    """Where nothing is done and the world stays as it is, the rules fall silent after a few passes."""
    for _ in range(6):
        if decision.action is not None or decision.release:
            return
        after = afterwards(snapshot, decision.status)
        if after.status == snapshot.status:
            break
        snapshot, decision = decided(after)
    else:
        raise AssertionError(f"{decision.rule} writes for ever")
    # A moment may pass, at which something is due; it does not pass every second.
    changed = 0
    for _ in range(3):
        later, again = decided(replace(after, now=after.now + timedelta(seconds=1)))
        if again.rule != decision.rule or again.action is not None:
            return
        before, after = after.status, afterwards(later, again.status)
        changed += after.status != before
    assert changed < 2, f"{decision.rule} has a heartbeat"


def a_settled_object_stays_settled(snapshot: Snapshot, decision: Decision) -> None:
    """An outcome is not taken back while the world stays as it is."""
    if decision.status.outcome is not None and decision.action is None and decision.status is not snapshot.status:
        again = decided(afterwards(snapshot, decision.status))[1]
        assert again.status.outcome is decision.status.outcome, f"{decision.rule}, then {again.rule}"
        assert again.action is None


def every_answer_can_be_recorded(snapshot: Snapshot, decision: Decision) -> None:
    """Whatever comes of a call, the status says it lawfully, and the id of what was bought is kept."""
    action = decision.action
    if action is None:
        return
    saved = afterwards(snapshot, decision.status)
    accepted = Accepted("m-9") if isinstance(action, Create) else Accepted()
    refused = Refused(Reason.RATE_LIMITED, "too many", needs_person=False, retry_after=timedelta(minutes=2))
    rejected = Refused(Reason.REQUEST_REJECTED, "no", needs_person=True)
    for answer in (accepted, refused, rejected, Unclear("no answer"), Outdated("moved on")):
        recorded = record(saved, action, answer)
        laws.check(recorded.status)
        assert recorded.action is None
        if answer is accepted and isinstance(action, Create):
            assert recorded.status.instance is not None
            assert recorded.status.instance.id == "m-9"


def what_has_served_is_not_brought_up(snapshot: Snapshot, decision: Decision) -> None:
    """A machine whose time is over, or that is idle, is neither bought again nor started."""
    if snapshot.over is not None:
        assert not isinstance(decision.action, Create | Start | Restart | Rebuild | Reinstall)


def an_object_is_deleted_only_by_its_own_word(snapshot: Snapshot, decision: Decision) -> None:
    """The operator deletes an instance only as spec.expiry asks, never one that is protected."""
    if decision.remove:
        expiry = snapshot.spec.expiry
        assert expiry is not None
        assert expiry.action is ExpiryAction.DELETE
        assert snapshot.over is not None
        assert decision.action is None
        assert not snapshot.spec.deletion_protection
        assert not snapshot.deleting
        assert not snapshot.spec.suspend


def nothing_is_spent_beyond_the_budget(snapshot: Snapshot, decision: Decision) -> None:
    """What is bought or started fits into the namespace's budget, and a budget that is not known allows nothing."""
    action, budget, machine = decision.action, snapshot.budget, snapshot.machine
    if not snapshot.limits.asks_budget or not isinstance(action, Create | Start) or budget is None:
        return
    prepaid = machine is not None and machine.billing_mode is BillingMode.MONTHLY
    if isinstance(action, Start) and (snapshot.limits.bills_stopped or prepaid):
        return
    assert not budget.trouble
    recorded = decision.status.instance
    if budget.limit is not None:
        assert not budget.unpriced
        assert recorded is not None
        assert recorded.hourly_price is not None
        assert budget.others + Decimal(recorded.hourly_price) <= budget.limit


PROMISES: tuple[Promise, ...] = (
    blind_means_idle,
    a_deleted_object_gets_nothing_new,
    a_kept_object_is_never_released,
    suspend_means_hands_off,
    an_action_has_its_intent_in_the_status,
    a_machine_is_bought_only_when_there_is_none,
    only_machines_of_ours_are_touched,
    a_frozen_machine_is_only_ever_removed,
    a_machine_in_a_resize_is_only_ever_removed,
    what_stands_is_never_bought_again_where_it_can_be_rebuilt,
    a_disk_is_lost_only_by_a_word,
    ready_is_claimed_only_for_a_running_machine,
    what_has_served_is_not_brought_up,
    an_object_is_deleted_only_by_its_own_word,
    nothing_is_spent_beyond_the_budget,
    a_pass_that_learns_nothing_writes_nothing,
    a_settled_object_stays_settled,
    every_answer_can_be_recorded,
)
