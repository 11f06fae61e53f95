"""What the status says after each answer to each action."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import ErrorCategory, OperationPhase, OperationType, Outcome, Phase, PowerState
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import (
    Action,
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
from gpuinstance.core.model import MachineState, Software
from gpuinstance.core.record import Accepted, Answer, Outdated, Refused, Unclear, record
from gpuinstance.core.snapshot import Seen, Snapshot
from tests.builders import IDENTITY, LIMITS, NOW, OF_HOSTWINDS, instance, machine, order, snapshot
from tests.laws import check

RUNNING = instance().with_ports(80).running()
SERVER = instance().of_hostwinds().running()
LATER = NOW + timedelta(seconds=2)

ACTIONS: dict[type[Action], Snapshot] = {
    Create: snapshot(instance().with_ports(80), plan=order()),
    Start: snapshot(instance().stopped().wanting(PowerState.RUNNING), machine(state=MachineState.STOPPED)),
    Stop: snapshot(RUNNING.edited(power_state=PowerState.STOPPED), machine()),
    Restart: snapshot(RUNNING.asking_restart("a"), machine()),
    Delete: snapshot(RUNNING.deleting(), machine()),
    SetPorts: snapshot(RUNNING.edited(ports=[{"port": 8080}]), machine()),
    GrowDisk: snapshot(RUNNING.edited(rootfs_size_gb=100), machine()),
    ChangeSoftware: snapshot(RUNNING.edited(image="other:2"), machine(), software=Software("other:2")),
    Rebuild: snapshot(SERVER.asking(recreate="a"), machine(), limits=OF_HOSTWINDS),
    Reinstall: snapshot(SERVER.edited(template_id="debian").asking(reinstall="a"), machine(), limits=OF_HOSTWINDS),
    RegenerateNetworking: snapshot(SERVER.asking(regenerate_networking="a"), machine(), limits=OF_HOSTWINDS),
}
"""For each action a situation that calls for it."""


def intended(kind: type[Action]) -> tuple[Snapshot, Action]:
    """Return the action that the rules want there, and the snapshot with its saved intent, two seconds later."""
    before = ACTIONS[kind]
    decision = decide(before)
    assert isinstance(decision.action, kind)
    check(decision.status, generation=before.generation)
    saved = before.instance.model_copy(update={"status": decision.status})
    return replace(before, instance=saved, now=LATER), decision.action


def answered(kind: type[Action], answer: Answer) -> tuple[Snapshot, Decision]:
    """Return the saved intent and what is made of the answer; no answer ever calls for a second action."""
    intent, action = intended(kind)
    recorded = record(intent, action, answer)
    assert (recorded.action, recorded.need, recorded.release) == (None, None, False)
    check(recorded.status, generation=intent.generation)
    return intent, recorded


@pytest.mark.parametrize("kind", ACTIONS)
def test_accepted_means_that_the_effect_is_waited_for(kind: type[Action]) -> None:
    """The operation goes on; nothing is called done before it is seen."""
    intent, recorded = answered(kind, Accepted("m-7" if kind is Create else None))
    operation = recorded.status.operation
    assert intent.operation is not None
    assert operation is not None
    assert operation.id == intent.operation.id
    assert (operation.phase, operation.phases.monitoring_at) == (OperationPhase.MONITORING, LATER)
    assert (recorded.status.outcome, recorded.requeue_after) == (None, LIMITS.fast_poll)


def test_an_accepted_purchase_is_remembered_by_the_providers_id() -> None:
    """With the moment of the purchase, and under the name that was saved before the call."""
    _, recorded = answered(Create, Accepted("m-7"))
    bought = recorded.status.instance
    assert bought is not None
    assert (bought.id, bought.name) == ("m-7", IDENTITY.name(1))
    assert (recorded.status.created_at, recorded.status.phase) == (LATER, Phase.CREATED)


CHANGES: dict[type[Action], tuple[str, object]] = {
    SetPorts: ("ports", "8080/http"),
    GrowDisk: ("rootfs_size_gb", 100),
    ChangeSoftware: ("software", None),
    Reinstall: ("software", None),
}


@pytest.mark.parametrize(("kind", "field", "value"), [(kind, *expected) for kind, expected in CHANGES.items()])
def test_an_accepted_change_is_applied(kind: type[Action], field: str, value: object) -> None:
    """So that it is not asked for again; everything else that was applied stays."""
    intent, recorded = answered(kind, Accepted())
    before, after = intent.status.applied.model_dump(), recorded.status.applied.model_dump()
    assert {name for name in before if before[name] != after[name]} == {field}
    assert after[field] == value or (value is None and after[field] is not None)


@pytest.mark.parametrize("kind", [kind for kind in ACTIONS if kind not in CHANGES])
def test_other_accepted_calls_apply_nothing_yet(kind: type[Action]) -> None:
    """The power state is applied when it is seen, not when it is asked for."""
    intent, recorded = answered(kind, Accepted("m-7" if kind is Create else None))
    assert recorded.status.applied == intent.status.applied


def test_an_accepted_purchase_without_an_id_stays_accepted() -> None:
    """Its machine is looked for by the name that was saved before the call."""
    intent, recorded = answered(Create, Accepted(None))
    bought, operation = recorded.status.instance, recorded.status.operation
    assert bought is not None
    assert (bought.id, bought.name, bought.product_name) == (None, IDENTITY.name(1), "RTX 4090")
    assert operation is not None
    assert operation.phase is OperationPhase.MONITORING
    assert recorded.status.applied == intent.status.applied


@pytest.mark.parametrize(
    ("kind", "token"),
    [(Rebuild, "recreate"), (Reinstall, "reinstall"), (RegenerateNetworking, "regenerate_networking")],
)
def test_a_token_is_carried_out_when_its_call_is_accepted(kind: type[Action], token: str) -> None:
    """Whatever comes of it then: what loses a disk is never repeated by itself. No other answer carries it out."""
    _, recorded = answered(kind, Accepted())
    handled = recorded.status.handled_actions.model_dump(exclude_none=True)
    assert handled == {token: "a"}
    for answer in (Unclear("?"), Outdated("moved on"), Refused(Reason.RATE_LIMITED, "no", needs_person=False)):
        assert answered(kind, answer)[1].status.handled_actions.model_dump(exclude_none=True) == {}


@pytest.mark.parametrize("kind", ACTIONS)
def test_no_usable_answer_leaves_the_question_open(kind: type[Action]) -> None:
    """The intent stays as it was saved, with a note: only looking can tell, and soon."""
    intent, recorded = answered(kind, Unclear("connection lost"))
    operation = recorded.status.operation
    assert operation is not None
    assert operation.error is not None
    assert (operation.error.category, operation.error.message) == (ErrorCategory.UNKNOWN_OUTCOME, "connection lost")
    assert (operation.phase, operation.retry_at) == (OperationPhase.INITIATED, None)
    without_note = operation.model_copy(update={"error": None})
    assert recorded.status.model_copy(update={"operation": without_note}) == intent.status
    assert recorded.requeue_after == LIMITS.fast_poll


@pytest.mark.parametrize("kind", ACTIONS)
def test_a_machine_that_has_moved_on_is_looked_at_again(kind: type[Action]) -> None:
    """A definite no, and no fault of anybody: what was asked for is off, and the next look decides anew, soon."""
    intent, recorded = answered(kind, Outdated("it is stopped already"))
    operation = recorded.status.operation
    assert intent.operation is not None
    assert operation is not None
    assert (operation.id, operation.phase) == (intent.operation.id, OperationPhase.FAILED)
    assert (operation.failures, operation.retry_at) == (0, LATER)
    assert recorded.status.model_copy(update={"operation": intent.operation}) == intent.status
    assert recorded.requeue_after == LIMITS.fast_poll


@pytest.mark.parametrize("kind", ACTIONS)
def test_a_refusal_that_may_pass_is_tried_again_by_itself(kind: type[Action]) -> None:
    """Reconciling, with the provider's words, and at the provider's time."""
    answer = Refused(Reason.RATE_LIMITED, "slow down", needs_person=False, retry_after=timedelta(seconds=70))
    _, recorded = answered(kind, answer)
    status, operation = recorded.status, recorded.status.operation
    assert operation is not None
    assert (operation.phase, operation.failures) == (OperationPhase.FAILED, 1)
    assert operation.retry_at == LATER + timedelta(seconds=70)
    assert recorded.requeue_after == timedelta(seconds=70)
    at_work = status.condition("Reconciling")
    assert at_work is not None
    assert (at_work.reason, at_work.message) == (Reason.RATE_LIMITED, "slow down")
    assert status.outcome is None
    assert status.phase is (Phase.TERMINATING if kind is Delete else Phase.PENDING)


@pytest.mark.parametrize("kind", [kind for kind in ACTIONS if kind is not Delete])
def test_a_refusal_that_only_a_person_can_help_with_stalls(kind: type[Action]) -> None:
    """Failed and Stalled, looked at every minute, tried again after ten."""
    _, recorded = answered(kind, Refused(Reason.BALANCE_NOT_ENOUGH, "top up", needs_person=True))
    status, stalled = recorded.status, recorded.status.condition("Stalled")
    assert stalled is not None
    assert (stalled.reason, stalled.message) == (Reason.BALANCE_NOT_ENOUGH, "top up")
    assert (status.phase, status.outcome) == (Phase.FAILED, Outcome.FAILED)
    assert status.operation is not None
    assert status.operation.retry_at == LATER + timedelta(minutes=10)
    assert recorded.requeue_after == timedelta(minutes=1)


def test_a_refused_delete_is_never_settled() -> None:
    """The object is on its way out and stays so: deletion goes on until the machine is gone."""
    _, recorded = answered(Delete, Refused(Reason.DELETION_REFUSED, "monthly term", needs_person=True))
    assert (recorded.status.phase, recorded.status.outcome) == (Phase.TERMINATING, None)
    assert recorded.status.condition("Reconciling") is not None
    assert recorded.requeue_after == timedelta(minutes=10)


@pytest.mark.parametrize("kind", ACTIONS)
def test_refusals_in_a_row_are_counted(kind: type[Action]) -> None:
    """The next try, once its time has come, goes on from them."""
    _, refused = answered(kind, Refused(Reason.PROVIDER_UNAVAILABLE, "HTTP 503", needs_person=False))
    assert refused.status.operation is not None
    retry_at = refused.status.operation.retry_at
    assert retry_at == LATER + timedelta(seconds=15)
    before = ACTIONS[kind]
    waiting = replace(before, instance=before.instance.model_copy(update={"status": refused.status}), now=LATER)
    assert decide(waiting).action is None
    assert isinstance(before.view, Seen)
    again = decide(replace(waiting, now=retry_at, view=replace(before.view, listed_at=retry_at)))
    assert isinstance(again.action, kind)
    assert again.status.operation is not None
    assert (again.status.operation.failures, again.status.operation.phase) == (1, OperationPhase.INITIATED)


@pytest.mark.parametrize("answer", [Accepted(), Unclear("?"), Refused(Reason.RATE_LIMITED, "no", needs_person=False)])
def test_the_removal_of_a_second_machine_says_nothing_about_the_purchase(answer: Answer) -> None:
    """Its answer must not end, fail or confirm the operation in flight."""
    intent, _ = intended(Restart)
    assert intent.operation is not None
    assert intent.operation.type is not OperationType.DELETE
    recorded = record(intent, Delete("m-2"), answer)
    assert recorded == Decision(status=intent.status, requeue_after=LIMITS.fast_poll)


def test_an_answer_without_an_operation_is_left_to_the_next_look() -> None:
    """Somebody has wiped the status meanwhile: nothing can be said, and nothing is lost."""
    empty = snapshot(instance())
    recorded = record(empty, Create(order()), Accepted("m-7"))
    assert recorded == Decision(status=empty.status, requeue_after=LIMITS.fast_poll)
