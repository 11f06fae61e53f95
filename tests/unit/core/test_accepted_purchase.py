"""A purchase that the provider has accepted without naming the machine: paid for, and found by its name."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import OperationPhase, OperationType, Outcome, Phase
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import Create, Delete, Need
from gpuinstance.core.model import MachineState
from gpuinstance.core.record import Accepted
from gpuinstance.core.rules.adoption import adopt_what_carries_our_name, wait_for_unconfirmed_create
from gpuinstance.core.rules.deletion import release_when_deleted
from gpuinstance.core.snapshot import Snapshot
from tests.builders import IDENTITY, InstanceBuilder, ago, instance, machine, operation, order, snapshot
from tests.unit.core.life import Life
from tests.unit.core.table import SILENT, Answer, asks, does, is_stuck, judge, releases, rows, waits


def accepted(began: datetime, **spec: Any) -> InstanceBuilder:
    """An order was accepted at that moment, and the answer told no id."""
    return instance().with_spec(**spec).creating(answered=True, named=False, began=began)


FRESH, OLD, OVER = accepted(ago(seconds=10)), accepted(ago(minutes=5)), accepted(ago(minutes=31))
AGAIN = {"actions": {"recreate": "again"}}


@rows(
    ("it may not be listed yet", snapshot(FRESH), waits(Reason.CREATING, phase=Phase.CREATED)),
    (
        "it should be listed by now: nothing else is bought",
        snapshot(OLD),
        waits(Reason.CREATING, phase=Phase.CREATED),
    ),
    ("a recreate token is too early", snapshot(accepted(ago(minutes=5), **AGAIN)), waits(Reason.CREATING)),
    (
        "its time is over: only a person may let another be bought",
        snapshot(OVER),
        is_stuck(Reason.CREATE_TIMED_OUT, phase=Phase.FAILED),
    ),
    ("an edit of the spec is no word about that", snapshot(OVER.edited(image="b")), is_stuck(Reason.CREATE_TIMED_OUT)),
    ("a recreate token is", snapshot(accepted(ago(minutes=31), **AGAIN)), SILENT),
    (
        "but not an old one",
        snapshot(accepted(ago(minutes=31), **AGAIN).with_status(handled_actions={"recreate": "again"})),
        is_stuck(Reason.CREATE_TIMED_OUT),
    ),
    ("its machine is known", snapshot(instance().creating(answered=True), machine()), SILENT),
    (
        "one that was named is asked for by its id",
        snapshot(instance().creating(answered=True, began=ago(minutes=5))),
        SILENT,
    ),
    ("one without an answer never arrived", snapshot(instance().creating(began=ago(minutes=5))), SILENT),
)
def test_wait_for_unconfirmed_create(given: Snapshot, answer: Answer | None) -> None:
    """What is positively paid for is never bought a second time by itself."""
    judge(wait_for_unconfirmed_create, given, answer)


def test_its_machine_is_found_by_name() -> None:
    """Also long after its time was over."""
    for of in (FRESH, OLD, OVER):
        decision = adopt_what_carries_our_name(snapshot(of, machine(state=MachineState.CREATING)))
        assert decision is not None
        assert decision.status.instance is not None
        assert (decision.status.instance.id, decision.status.instance.product_name) == ("m-1", "RTX 4090")
        assert decision.status.operation is not None
        assert decision.status.operation.phase is OperationPhase.MONITORING


@rows(
    ("it may show up", snapshot(FRESH.deleting()), waits(Reason.CONFIRMING_CREATE)),
    ("for all the time that it has", snapshot(OLD.deleting()), waits(Reason.CONFIRMING_CREATE)),
    ("no longer than that", snapshot(OVER.deleting()), releases()),
    (
        "it has shown up: it is removed, and recorded",
        snapshot(OLD.deleting(), machine()),
        does(Delete("m-1"), Reason.TERMINATING, status=lambda it: it.instance.id == "m-1"),
    ),
    (
        "an older machine is not taken for it",
        snapshot(OLD.with_status(instance={"name": IDENTITY.name(2)}, attempts=2).deleting(), machine()),
        does(Delete("m-1"), Reason.TERMINATING, status=lambda it: it.instance.id is None),
    ),
    (
        "and its own removal does not end the waiting",
        snapshot(
            OLD.with_status(
                instance={"name": IDENTITY.name(2)},
                attempts=2,
                last_operation=operation(OperationType.CREATE, OperationPhase.MONITORING, began=ago(minutes=5)),
            )
            .during(operation(OperationType.DELETE, OperationPhase.MONITORING, began=ago(minutes=2)))
            .deleting()
        ),
        waits(Reason.CONFIRMING_CREATE),
    ),
    (
        "gone after it was seen: that is asked about",
        snapshot(
            OLD.with_status(
                instance={"id": "m-1", "name": IDENTITY.name(1)},
                last_operation=operation(OperationType.CREATE, OperationPhase.MONITORING, began=ago(minutes=5)),
            )
            .during(operation(OperationType.DELETE, OperationPhase.MONITORING, began=ago(minutes=2)))
            .deleting()
        ),
        asks(Need.CONFIRMATION),
    ),
)
def test_release_when_deleted(given: Snapshot, answer: Answer | None) -> None:
    """An object goes when its machine is gone, or had all the time to show up."""
    judge(release_when_deleted, given, answer)


def test_it_is_adopted_when_it_is_listed_late() -> None:
    """Bought once, accepted without an id, listed after five minutes: one machine, and it becomes Ready."""
    life = Life(instance().with_ports(80).build(), answer=Accepted(None))
    life.look()
    life.watch(300, every=3)
    assert [type(it) for it in life.actions] == [Create]
    assert (life.said, life.status.outcome) == (Reason.CREATING, None)
    life.machines = (machine(),)
    life.watch(9, every=3)
    assert life.is_ready
    assert [type(it) for it in life.actions] == [Create]


def test_it_is_bought_again_only_by_a_token() -> None:
    """Half an hour without a machine: a person is asked; the token buys one under another name."""
    life = Life(instance().with_ports(80).build(), answer=Accepted(None))
    life.look()
    life.watch(3600, every=30)
    assert [type(it) for it in life.actions] == [Create]
    assert (life.said, life.status.outcome) == (Reason.CREATE_TIMED_OUT, Outcome.FAILED)
    assert "may be billed" in life.condition("Ready").message
    writes = len(life.written)
    life.watch(600, every=30)
    assert len(life.written) == writes, "nothing is written while nothing happens"
    life.edit(instance().with_ports(80).asking_recreate("again"))
    life.look(after=3)
    [first, second] = life.actions
    assert isinstance(first, Create)
    assert isinstance(second, Create)
    assert second.order.name == IDENTITY.name(2)
    assert life.status.handled_actions.recreate == "again"
    life.watch(300, every=3)
    assert len(life.actions) == 2, "one token, one purchase"


def test_it_starts_its_own_time() -> None:
    """The second purchase is waited for as patiently as the first, although the first one is over."""
    second = decide(snapshot(accepted(ago(minutes=31), **AGAIN), plan=order()))
    assert second.status.operation is not None
    assert second.status.operation.deadline - second.status.operation.started_at == timedelta(minutes=30)
