"""Creation: exactly one machine, found by its name before and after every purchase."""

from __future__ import annotations

from decimal import Decimal

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import OperationPhase, OperationType, Outcome, Phase, PowerState
from gpuinstance.core.decision import Create, Delete, Need
from gpuinstance.core.model import MachineState
from gpuinstance.core.rules.adoption import (
    adopt_what_carries_our_name,
    beware_of_namesake,
    wait_for_unconfirmed_create,
)
from gpuinstance.core.rules.creation import (
    create_when_missing,
    refuse_above_price_limit,
    wait_for_finalizer,
    wait_until_others_are_gone,
)
from gpuinstance.core.snapshot import Snapshot
from tests.builders import IDENTITY, ago, instance, machine, operation, order, refusal, refused, snapshot
from tests.unit.core.table import SILENT, Answer, asks, does, is_stuck, judge, rows, settles, waits

CREATE, RECREATE = OperationType.CREATE, OperationType.RECREATE
MONITORING = OperationPhase.MONITORING
GONE = frozenset({"m-1"})
BUYING = instance().creating(began=ago(seconds=10))
BOUGHT = instance().creating(answered=True, began=ago(seconds=10))
READY = instance().running()
REPLACING = (
    instance()
    .with_machine()
    .asking_recreate("again")
    .during(operation(RECREATE, MONITORING, began=ago(seconds=10), token="again"))
)
OLD, NEW = machine(), machine("m-2", attempt=2)


@rows(
    ("nothing is listed, nothing is adopted", snapshot(BUYING), SILENT),
    ("the recorded machine is known already", snapshot(READY, machine()), SILENT),
    (
        "the machine of an unanswered create is found by its name",
        snapshot(BUYING, machine()),
        waits(Reason.CREATING, status=lambda it: it.instance.id == "m-1" and it.operation.phase is MONITORING),
    ),
    (
        "so is one of which the status knows nothing",
        snapshot(instance(), machine()),
        waits(Reason.CREATING, status=lambda it: it.instance.id == "m-1" and it.attempts == 1),
    ),
    (
        "a refused create that bought all the same is adopted",
        snapshot(BUYING.during(refused(CREATE)), machine()),
        waits(Reason.CREATING, status=lambda it: it.operation.error is None and it.operation.retry_at is None),
    ),
    (
        "of two purchases the newer is taken",
        snapshot(instance(), NEW, OLD),
        does(Delete("m-1"), Reason.CREATING),
    ),
    (
        "beside the recorded machine every other is surplus",
        snapshot(READY, NEW, OLD),
        does(Delete("m-2"), Reason.CREATING),
    ),
    (
        "one that goes already needs no second push",
        snapshot(READY, machine("m-2", MachineState.REMOVING, attempt=2), OLD),
        SILENT,
    ),
    ("one on its way out is not adopted", snapshot(BUYING, machine(state=MachineState.REMOVING)), SILENT),
    ("a removed one does not exist", snapshot(BUYING, machine(state=MachineState.REMOVED)), SILENT),
    (
        "while a create settles, an older machine may be gone and still be listed",
        snapshot(BUYING.with_status(instance={"name": IDENTITY.name(2)}, attempts=2), OLD),
        SILENT,
    ),
    (
        "once it has settled, whatever is listed is ours",
        snapshot(
            instance().creating(began=ago(minutes=2)).with_status(instance={"name": IDENTITY.name(2)}, attempts=2), OLD
        ),
        waits(Reason.CREATING, status=lambda it: it.instance.id == "m-1" and it.attempts == 2),
    ),
    (
        "nor is anything surplus before that",
        snapshot(BOUGHT, NEW, machine(state=MachineState.CREATING)),
        SILENT,
    ),
    (
        "another machine with our name while the recorded one is missing: ask first",
        snapshot(READY, NEW),
        asks(Need.CONFIRMATION),
    ),
    (
        "the recorded one is gone: the other is adopted",
        snapshot(READY, NEW, confirmed_gone=GONE),
        waits(Reason.CREATING, status=lambda it: it.instance.id == "m-2"),
    ),
    (
        "what is left while a machine is being replaced is not taken back, but removed",
        snapshot(REPLACING, NEW, confirmed_gone=GONE),
        does(Delete("m-2"), Reason.CREATING),
    ),
)
def test_adopt_what_carries_our_name(given: Snapshot, answer: Answer | None) -> None:
    """A machine with our name is ours, whatever the status says, and there is only one."""
    judge(adopt_what_carries_our_name, given, answer)


@rows(
    ("no create is under way", snapshot(READY, machine()), SILENT),
    ("its machine is known", snapshot(BOUGHT, machine()), SILENT),
    ("without an answer it may still show", snapshot(BUYING), waits(Reason.CONFIRMING_CREATE, phase=Phase.CREATING)),
    (
        "after the settle window it never arrived",
        snapshot(instance().creating(began=ago(seconds=60))),
        SILENT,
    ),
    (
        "an old picture proves nothing, however long ago the call was",
        snapshot(instance().creating(began=ago(minutes=5)), listed_at=ago(seconds=290)),
        waits(Reason.CONFIRMING_CREATE),
    ),
    ("an accepted one is not listed yet", snapshot(BOUGHT), waits(Reason.CREATING, phase=Phase.CREATED)),
    ("not for ever", snapshot(instance().creating(answered=True, began=ago(minutes=2))), SILENT),
    ("a refused one bought nothing", snapshot(BUYING.during(refused(CREATE))), SILENT),
)
def test_wait_for_unconfirmed_create(given: Snapshot, answer: Answer | None) -> None:
    """Between a create and the listing that would show its machine, nothing is bought."""
    judge(wait_for_unconfirmed_create, given, answer)


NAMESAKE = machine("n-1", name=IDENTITY.name(1).replace(IDENTITY.uid8, "0badcafe"))
GOING = machine("n-1", MachineState.REMOVING, name=NAMESAKE.name)


@rows(
    ("nobody else is called so", snapshot(instance()), SILENT),
    (
        "an earlier object's machine still runs",
        snapshot(instance(), namesakes=(NAMESAKE,)),
        is_stuck(Reason.FOREIGN_INSTANCE),
    ),
    ("it is on its way out", snapshot(instance(), namesakes=(GOING,)), SILENT),
    ("we have a machine of our own", snapshot(READY, machine(), namesakes=(NAMESAKE,)), SILENT),
)
def test_beware_of_namesake(given: Snapshot, answer: Answer | None) -> None:
    """After a restored backup the old machine still runs: a second one would be a second bill."""
    judge(beware_of_namesake, given, answer)


@rows(
    ("nothing of ours is listed", snapshot(instance()), SILENT),
    (
        "one that is on its way out may still be billed",
        snapshot(instance(), machine(state=MachineState.REMOVING)),
        waits(Reason.PENDING),
    ),
    (
        "also while a machine is being replaced",
        snapshot(REPLACING, machine("m-2", MachineState.REMOVING, attempt=2), confirmed_gone=GONE),
        waits(Reason.RECREATING),
    ),
    ("nothing is to be bought", snapshot(READY, machine()), SILENT),
)
def test_wait_until_others_are_gone(given: Snapshot, answer: Answer | None) -> None:
    """No purchase beside any machine of ours, not even a dying one."""
    judge(wait_until_others_are_gone, given, answer)


@rows(
    ("the object is guarded", snapshot(instance()), SILENT),
    (
        "it is not: nothing is bought, and nothing is written",
        snapshot(instance().without_finalizer()),
        Answer(ready=None),
    ),
    ("nothing is to be bought", snapshot(READY.without_finalizer(), machine()), SILENT),
    ("nor while it is to be down", snapshot(instance().wanting(PowerState.STOPPED).without_finalizer()), SILENT),
)
def test_wait_for_finalizer(given: Snapshot, answer: Answer | None) -> None:
    """An object without the finalizer could vanish, and leave a running machine behind."""
    judge(wait_for_finalizer, given, answer)


CAPPED = instance().with_spec(billing={"max_hourly_price": "0.35"})


@rows(
    ("the price is asked for", snapshot(CAPPED), asks(Need.PLAN)),
    ("also without a cap: there has to be an offer", snapshot(instance()), asks(Need.PLAN)),
    ("a price at the cap is paid", snapshot(CAPPED, plan=order()), SILENT),
    (
        "one above it is not",
        snapshot(CAPPED, plan=order(hourly_price=Decimal("0.36"))),
        is_stuck(Reason.PRICE_ABOVE_LIMIT),
    ),
    (
        "an unknown price is above any cap",
        snapshot(CAPPED, plan=order(hourly_price=None)),
        is_stuck(Reason.PRICE_ABOVE_LIMIT),
    ),
    ("without a cap it is paid", snapshot(instance(), plan=order(hourly_price=None)), SILENT),
    (
        "no such product: a person has to say another",
        snapshot(instance(), plan=refusal()),
        is_stuck(Reason.PRODUCT_NOT_FOUND),
    ),
    (
        "none on sale: there may be one in a minute",
        snapshot(instance(), plan=refusal(Reason.NO_PRODUCT_AVAILABLE, needs_person=False)),
        waits(Reason.NO_PRODUCT_AVAILABLE, phase=Phase.PENDING),
    ),
    ("nothing is to be bought", snapshot(READY, machine()), SILENT),
    ("while it is to be down no price matters", snapshot(CAPPED.wanting(PowerState.STOPPED)), SILENT),
)
def test_refuse_above_price_limit(given: Snapshot, answer: Answer | None) -> None:
    """The cap is asked right before every purchase."""
    judge(refuse_above_price_limit, given, answer)


FIRST, SECOND, THIRD = (order(name=IDENTITY.name(number)) for number in (1, 2, 3))


@rows(
    (
        "the first machine",
        snapshot(instance(), plan=order()),
        does(
            Create(FIRST), Reason.CREATING, intent=CREATE, status=lambda it: it.attempts == 1 and it.instance.id is None
        ),
    ),
    (
        "after a create that never arrived the name is another",
        snapshot(instance().creating(began=ago(minutes=2)), plan=order()),
        does(Create(SECOND), Reason.CREATING, status=lambda it: it.attempts == 2),
    ),
    (
        "after a definite refusal the name is the same: nothing can carry it",
        snapshot(BUYING.during(refused(CREATE, retry_in=0)), plan=order()),
        does(Create(FIRST), Reason.CREATING, status=lambda it: it.attempts == 1),
    ),
    (
        "in the place of the one that was removed",
        snapshot(REPLACING, plan=order(), confirmed_gone=GONE),
        does(Create(SECOND), Reason.CREATING, status=lambda it: it.handled_actions.recreate == "again"),
    ),
    (
        "a new machine is what a restart token asked for as well",
        snapshot(instance().asking_restart("now"), plan=order()),
        does(Create(FIRST), Reason.CREATING, status=lambda it: it.handled_actions.restart == "now"),
    ),
    (
        "nothing is bought while it is to be down",
        snapshot(instance().wanting(PowerState.STOPPED), plan=order()),
        settles(Reason.STOPPED, Outcome.STOPPED),
    ),
    (
        "nor in the midst of a replacement; the intent is kept",
        snapshot(REPLACING.wanting(PowerState.STOPPED), confirmed_gone=GONE),
        settles(Reason.STOPPED, Outcome.STOPPED, intent=RECREATE),
    ),
    ("there is a machine", snapshot(READY, machine(), plan=order()), SILENT),
    ("there is no offer", snapshot(instance(), plan=refusal()), SILENT),
)
def test_create_when_missing(given: Snapshot, answer: Answer | None) -> None:
    """The intent with the machine's name is saved, then the machine is bought."""
    judge(create_when_missing, given, answer)


def test_a_purchase_records_what_it_brings_about() -> None:
    """Price, product, ports and fingerprints of the order are in the status before the call is made."""
    decision = create_when_missing(snapshot(instance().with_ports(80), plan=order(region_name="US-CA-06")))
    assert decision is not None
    recorded, applied = decision.status.instance, decision.status.applied
    assert recorded is not None
    assert (recorded.hourly_price, recorded.region, recorded.product_name) == ("0.35", "US-CA-06", "RTX 4090")
    assert (applied.ports, applied.rootfs_size_gb, applied.power_state) == ("80/http", 60, PowerState.RUNNING)
    assert applied.software is not None
    assert applied.hardware is not None
    assert decision.status.estimated_ready_at is not None
