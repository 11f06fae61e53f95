"""When an upgrade is over: by its end, by deletion, by cancelling, and because its instance or machine is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.api.upgrade_words import CallPhase, UpgradePhase
from gpuinstance.core.decision import ApplyUpgrade
from gpuinstance.core.model import MachineState
from gpuinstance.core.upgrade.decide import decide_upgrade
from gpuinstance.core.upgrade.decision import UpgradeNeed
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from tests import laws_of_upgrades as laws
from tests.materials import NOW, ago
from tests.unit.upgrade.table import (
    Answer,
    asks,
    cancels,
    does,
    fails,
    holds,
    judge,
    releases,
    rests,
    rows,
    stalls,
    waits,
)
from tests.upgrade_builders import (
    BIG,
    OURS,
    PAID,
    UpgradeBuilder,
    blind_look,
    look,
    renting,
    server,
    upgrade,
)

REFUSED = CallPhase.REFUSED


def ended(**spec: object) -> UpgradeBuilder:
    """Return an upgrade that has ended an hour ago, by running out of time."""
    waiting = upgrade(**spec).awaiting_payment(since=ago(hours=80))
    status = decide_upgrade(look(waiting, server(), at=ago(hours=1), order=OURS)).status
    assert status.completed_at == ago(hours=1)
    return waiting.with_status(**{name: getattr(status, name) for name in InstanceUpgradeStatus.model_fields})


@rows(
    ("an end stays, whatever the machine becomes", look(ended(), server(sizes=BIG)), rests()),
    ("and without an instance", look(ended(), instance=None), rests()),
    ("a finished upgrade goes when it is deleted", look(ended().deleting(), server()), releases()),
    (
        "cancelling it changes nothing any more, and is taken note of",
        look(ended().cancelled().of_generation(2), server()),
        fails(Reason.PAYMENT_TIMED_OUT, status=lambda status: status.observed_generation == 2),
    ),
    (
        "it is kept until its time is over",
        look(ended(ttl_after_finished=timedelta(hours=1, seconds=1)), server()),
        rests(),
    ),
    (
        "and then removed",
        look(ended(ttl_after_finished=timedelta(hours=1)), server()),
        Answer(remove=True, quiet=True),
    ),
)
def test_keep_the_end(given: UpgradeSnapshot, answer: Answer) -> None:
    """What has ended is not begun again; it goes when somebody deletes it, or by its own time to live."""
    decision = judge(given, answer.by("keep_the_end"))
    if given.spec.ttl_after_finished == timedelta(hours=1, seconds=1):
        assert decision.requeue_after == timedelta(seconds=1)


GOING: dict[str, Any] = {"order": OURS, "fresh": True}


@rows(
    ("before the first look", look(upgrade().deleting(), server()), releases()),
    ("while it queues", look(upgrade().seen().deleting(), server(), ahead="first"), releases()),
    ("while it has no instance", look(upgrade().seen().deleting(), instance=None), releases()),
    ("while the provider cannot be seen", blind_look(upgrade().awaiting_payment().deleting()), releases()),
    ("while it awaits payment", look(upgrade().awaiting_payment().deleting(), server()), releases()),
    (
        "also if the invoice was just paid",
        look(upgrade().awaiting_payment().deleting(), server(), order=PAID),
        releases(),
    ),
    ("after payment, before anything is applied", look(upgrade().paid().deleting(), server()), releases()),
    (
        "after an apply that was surely refused",
        look(upgrade().applying(REFUSED, reason=Reason.RATE_LIMITED).deleting(), server(), **GOING),
        releases(),
    ),
    (
        "while its order is refused",
        look(upgrade().ordering(REFUSED, reason=Reason.RATE_LIMITED).deleting(), server()),
        releases(),
    ),
    (
        "while an order may still be on its way it stays, silently, so that the next upgrade sees that order",
        look(upgrade().ordering(began=ago(seconds=59)).deleting(), server()),
        rests(),
    ),
    (
        "so it does while an accepted order does not show yet",
        look(upgrade().ordering(CallPhase.ACCEPTED, began=ago(seconds=59)).deleting(), server()),
        rests(),
    ),
    (
        "after the settle window the order shows to whoever looks",
        look(upgrade().ordering(began=ago(seconds=60)).deleting(), server()),
        releases(),
    ),
)
def test_release_when_deleted(given: UpgradeSnapshot, answer: Answer) -> None:
    """Before the change is under way a deleted upgrade just goes; nothing is sent, nothing is undone."""
    decision = judge(given, answer.by("release_when_deleted"))
    if not decision.release:
        assert decision.requeue_after == timedelta(seconds=1)


@rows(
    (
        "an apply without an answer is looked after",
        look(upgrade().applying(began=ago(seconds=10)).deleting(), server()),
        waits(Reason.APPLYING),
    ),
    (
        "and made again if it surely never arrived: the machine must not be left to chance",
        look(upgrade().applying(began=ago(minutes=30)).deleting(), server(), **GOING),
        does(ApplyUpgrade, Reason.APPLYING),
    ),
    (
        "a resize is watched",
        look(upgrade().resizing().deleting(), server(MachineState.RESIZING)),
        waits(Reason.RESIZING),
    ),
    (
        "nobody is waited for to confirm: health decides",
        look(upgrade(confirmation="Manual").resized().deleting(), server(MachineState.RESIZED, BIG), order=OURS),
        waits(Reason.CONFIRMING).by("confirm_or_revert"),
    ),
    (
        "a confirmation is brought to its end",
        look(upgrade().confirming(began=ago(seconds=5)).deleting(), server(MachineState.RESIZED, BIG)),
        waits(Reason.CONFIRMING),
    ),
    (
        "a revert as well",
        look(upgrade().reverting(began=ago(seconds=5)).deleting(), server(MachineState.RESIZED, BIG)),
        waits(Reason.REVERTING),
    ),
)
def test_a_change_under_way_is_brought_to_its_end(given: UpgradeSnapshot, answer: Answer) -> None:
    """Deleting an upgrade leaves no half-applied server."""
    decision = decide_upgrade(given)
    laws.check_decision(given, decision)
    assert not decision.release
    ready = decision.status.condition("Ready")
    assert ready is not None
    assert ready.reason == answer.reason


@rows(
    ("before the first look", look(upgrade().cancelled(), server()), cancels().saying("nothing was ordered")),
    ("while it queues", look(upgrade().seen().cancelled(), server(), ahead="first"), cancels()),
    ("while there is no instance", look(upgrade().seen().cancelled(), instance=None), cancels()),
    ("while the provider cannot be seen", blind_look(upgrade().seen().cancelled()), cancels()),
    (
        "while the instance is suspended",
        look(upgrade().seen().cancelled(), server(), instance=renting().suspended()),
        cancels(),
    ),
)
def test_cancel_before_beginning(given: UpgradeSnapshot, answer: Answer) -> None:
    """What has not begun needs no look to end."""
    judge(given, answer.by("cancel_before_beginning"))


AWAITING = upgrade().awaiting_payment().cancelled()


@rows(
    ("the provider is asked once more whether it is paid", look(AWAITING, server()), asks(UpgradeNeed.ORDER)),
    (
        "unpaid: the open order is named, and nobody is to pay it",
        look(AWAITING, server(), order=OURS),
        cancels().saying("invoice 416 stays open at the provider: do not pay it").by("cancel_when_asked"),
    ),
    (
        "an order that is not shown any more is no payment",
        look(AWAITING, server(), order=False),
        cancels().by("cancel_when_asked"),
    ),
    (
        "suspended: cancelling touches nothing",
        look(AWAITING, server(), order=OURS, instance=renting().suspended()),
        cancels(),
    ),
    (
        "paid in the meantime: too late",
        look(AWAITING, server(), order=PAID),
        waits(Reason.PAID, status=lambda status: status.paid_at == NOW).saying("spec.cancel came too late"),
    ),
    (
        "confirmed by a person at the same time: too late",
        look(AWAITING.confirming_invoice(), server(), order=OURS),
        waits(Reason.PAID),
    ),
    (
        "a confirmation of another invoice saves nothing",
        look(AWAITING.confirming_invoice("999"), server(), order=OURS),
        cancels(),
    ),
    ("blind: whether it was paid is not known", blind_look(AWAITING), waits(Reason.PROVIDER_UNAVAILABLE)),
    (
        "while the order may still be on its way it is looked for, so that its invoice can be named",
        look(upgrade().ordering(began=ago(seconds=10)).cancelled(), server(), order=False),
        waits(Reason.ORDERING).by("find_order"),
    ),
    (
        "an order that shows up is taken down first",
        look(upgrade().ordering(began=ago(seconds=10)).cancelled(), server(), order=OURS),
        holds(Reason.AWAITING_PAYMENT, status=lambda status: status.order.invoice_id == "416").by("find_order"),
    ),
    (
        "however late it was looked for",
        look(upgrade().ordering(began=ago(hours=2)).cancelled(), server(), order=OURS),
        holds(Reason.AWAITING_PAYMENT).by("find_order"),
    ),
    (
        "that there is none is looked up, not supposed",
        look(upgrade().ordering(began=ago(hours=2)).cancelled(), server()),
        asks(UpgradeNeed.ORDER),
    ),
    (
        "an order that never arrived is cancelled, not repeated",
        look(upgrade().ordering(began=ago(seconds=61)).cancelled(), server(), order=False),
        cancels().saying("shows no order"),
    ),
    (
        "an accepted one that is not shown may have an invoice",
        look(upgrade().ordering(CallPhase.ACCEPTED, began=ago(seconds=61)).cancelled(), server(), order=False),
        cancels().saying("look for an invoice in its portal, and do not pay it"),
    ),
    (
        "a refused order ends at once",
        look(upgrade().ordering(REFUSED, reason=Reason.RATE_LIMITED, retry_in=30).cancelled(), server(), order=False),
        cancels(),
    ),
    (
        "after payment it is refused in words",
        look(upgrade().paid().cancelled(), server(), fresh=True, order=OURS),
        does(ApplyUpgrade, Reason.APPLYING).saying("spec.cancel came too late"),
    ),
    (
        "so it is while the machine is resized",
        look(upgrade().resizing().cancelled(), server(MachineState.RESIZING)),
        waits(Reason.RESIZING).saying("spec.cancel came too late"),
    ),
)
def test_cancel_when_asked(given: UpgradeSnapshot, answer: Answer) -> None:
    """Cancelling works until payment is known, undoes nothing, and says what stays behind."""
    judge(given, answer)


OTHER = renting().build()
REPLACED = OTHER.model_copy(update={"metadata": OTHER.metadata.model_copy(update={"uid": "another-uid"})})
NEW_MACHINE = renting().with_status(instance={"id": "m-2", "name": "x", "product_name": "Small"})


@rows(
    (
        "an upgrade that has not begun waits for its instance",
        look(upgrade(), instance=None),
        waits(Reason.INSTANCE_NOT_FOUND, phase=UpgradePhase.PENDING),
    ),
    (
        "it does not begin on one that goes",
        look(upgrade().seen(), server(), instance=renting().deleting()),
        waits(Reason.INSTANCE_DELETED, phase=UpgradePhase.PENDING),
    ),
    (
        "awaiting payment: the order stays open, and is named",
        look(upgrade().awaiting_payment(), instance=None),
        fails(Reason.INSTANCE_DELETED).saying("do not pay it"),
    ),
    (
        "while its instance is being deleted, too",
        look(upgrade().awaiting_payment(), server(), instance=renting().deleting()),
        fails(Reason.INSTANCE_DELETED).saying("do not pay it"),
    ),
    (
        "paid: what was paid for is named",
        look(upgrade().paid(), instance=None),
        fails(Reason.INSTANCE_DELETED).saying("invoice 416 was paid and nothing was applied"),
    ),
    (
        "resized and unconfirmed: the machine that may be left so is named",
        look(upgrade().resized(), server(MachineState.RESIZED, BIG), instance=renting().deleting()),
        fails(Reason.INSTANCE_DELETED).saying("machine m-1 is left as it is"),
    ),
    (
        "an object of the same name is another instance",
        look(upgrade().awaiting_payment(), server(), instance=REPLACED),
        fails(Reason.INSTANCE_REPLACED),
    ),
    (
        "that is known without a look at the provider",
        blind_look(upgrade().awaiting_payment(), instance=REPLACED),
        fails(Reason.INSTANCE_REPLACED),
    ),
)
def test_fail_without_instance(given: UpgradeSnapshot, answer: Answer) -> None:
    """Without its instance an upgrade waits if it has not begun, and has failed if it has."""
    judge(given, answer.by("fail_without_instance"))


PHASES: dict[str, UpgradeBuilder] = {
    "new": upgrade(),
    "ordering": upgrade().ordering(began=ago(seconds=90)),
    "awaiting payment": upgrade().awaiting_payment(),
    "overdue": upgrade().awaiting_payment(since=ago(hours=80)),
    "paid": upgrade().paid(),
    "applying": upgrade().applying(began=ago(seconds=90)),
    "resizing": upgrade().resizing(),
    "long since": upgrade().resizing(began=ago(hours=2)),
    "resized": upgrade().resized(),
    "confirming": upgrade().confirming(began=ago(seconds=90)),
    "reverting": upgrade().reverting(began=ago(seconds=90)),
    "confirmed": upgrade().kept(at=ago(hours=2)),
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("person", [False, True])
def test_stay_idle_when_blind(phase: str, person: bool) -> None:
    """In no phase is anything done, ended, or taken for known while the provider cannot be seen."""
    expected = stalls(Reason.UNAUTHORIZED) if person else waits(Reason.UNAUTHORIZED)
    given = blind_look(PHASES[phase], reason=Reason.UNAUTHORIZED, needs_person=person)
    judge(given, expected.by("stay_idle_when_blind"))


@pytest.mark.parametrize("phase", PHASES)
def test_stay_idle_when_suspended(phase: str) -> None:
    """`spec.suspend` of the instance holds in every phase of its upgrades."""
    given = look(
        PHASES[phase], server(MachineState.RESIZED, BIG), instance=renting().suspended(), fresh=True, order=PAID
    )
    judge(given, waits(Reason.SUSPENDED).by("stay_idle_when_suspended"))


@pytest.mark.parametrize("phase", PHASES)
def test_stay_idle_when_only_observed(phase: str) -> None:
    """So does `management: Observe`: an upgrade is no way around it."""
    observed = renting().with_spec(management="Observe")
    given = look(PHASES[phase], server(MachineState.RESIZED, BIG), instance=observed, fresh=True, order=PAID)
    judge(given, waits(Reason.INSTANCE_BUSY).by("stay_idle_when_suspended"))


@rows(
    (
        "a later upgrade queues, and says behind whom",
        look(upgrade(), server(), ahead="first"),
        waits(Reason.QUEUED, phase=UpgradePhase.PENDING).saying("InstanceUpgrade first").by("wait_for_turn"),
    ),
    (
        "what has begun queues behind nobody",
        look(upgrade().awaiting_payment(), server(), ahead="first", order=OURS),
        holds(Reason.AWAITING_PAYMENT),
    ),
)
def test_wait_for_turn(given: UpgradeSnapshot, answer: Answer) -> None:
    """One upgrade of an instance at a time."""
    judge(given, answer)


@rows(
    (
        "another machine: the instance was recreated meanwhile",
        look(upgrade().awaiting_payment(), server(), instance=NEW_MACHINE),
        fails(Reason.INSTANCE_REPLACED).saying("do not pay it"),
    ),
    (
        "a machine that the listing lacks is asked for",
        look(upgrade().awaiting_payment()),
        asks(UpgradeNeed.MACHINE),
    ),
    (
        "the provider does not know it: gone",
        look(upgrade().paid(), fresh=False),
        fails(Reason.INSTANCE_LOST).saying("was paid and nothing was applied"),
    ),
    (
        "the provider shows it as removed: gone",
        look(upgrade().resizing(), fresh=server(MachineState.REMOVED)),
        fails(Reason.INSTANCE_LOST),
    ),
    (
        "so it is if somebody cancels at the same time",
        look(upgrade().awaiting_payment().cancelled(), fresh=False),
        fails(Reason.INSTANCE_LOST),
    ),
    (
        "and while its instance is suspended: nothing is touched by that",
        look(upgrade().resizing(), fresh=False, instance=renting().suspended()),
        fails(Reason.INSTANCE_LOST),
    ),
)
def test_follow_its_machine(given: UpgradeSnapshot, answer: Answer) -> None:
    """An upgrade is about one machine, and ends with it."""
    judge(given, answer if answer.need else answer.by("follow_its_machine"))


LOCKED = server(MachineState.SUSPENDED, word="active, locked")


@pytest.mark.parametrize("phase", ["paid", "applying", "resizing", "long since", "resized", "confirming", "reverting"])
def test_leave_suspended_machine(phase: str) -> None:
    """From the payment on, a frozen or locked machine is left alone until somebody has freed it."""
    given = look(PHASES[phase], LOCKED, fresh=True, order=OURS)
    judge(given, stalls(Reason.INSTANCE_SUSPENDED).saying("active, locked").by("leave_suspended_machine"))


def test_a_payment_is_awaited_for_a_suspended_machine_too() -> None:
    """Waiting touches nothing, and the payment may be what frees it."""
    judge(look(PHASES["awaiting payment"], LOCKED, order=OURS), holds(Reason.AWAITING_PAYMENT))


def test_a_suspended_machine_is_not_ordered_for_again() -> None:
    """An order that never arrived is not repeated on a machine that must not be touched."""
    given = look(PHASES["ordering"], LOCKED, order=False)
    judge(given, stalls(Reason.INSTANCE_SUSPENDED).by("find_order"))


BROKEN = server(MachineState.STOPPED, trouble="No valid host was found", word="error")


@pytest.mark.parametrize("phase", ["applying", "resizing", "resized", "confirming", "reverting"])
def test_report_failed_change(phase: str) -> None:
    """An error state ends the wait at once, in the provider's words."""
    given = look(PHASES[phase], BROKEN, order=OURS)
    judge(given, fails(Reason.RESIZE_FAILED).saying("No valid host was found").by("report_failed_change"))


def test_an_error_state_before_the_change_is_none_of_its() -> None:
    """A machine that broke while payment was awaited has to run again first."""
    given = look(PHASES["paid"], BROKEN, fresh=True, order=OURS)
    judge(given, holds(Reason.INSTANCE_NOT_RUNNING).by("apply_when_paid"))


def test_a_spec_that_was_edited_is_seen_in_every_phase() -> None:
    """Whatever is answered carries the generation of the spec that was looked at."""
    for builder in PHASES.values():
        given = look(builder.of_generation(5), server(), fresh=True, order=OURS, plans=())
        decision = laws.check_decision(given, decide_upgrade(given))
        assert decision.status.observed_generation == 5


def test_no_instance_is_nothing_to_ask_about() -> None:
    """Whatever was saved, without an instance the rules answer, and need nothing from a provider."""
    for builder in PHASES.values():
        given = look(builder, instance=None)
        assert laws.check_decision(given, decide_upgrade(given)).need is None
        waiting = replace(given, upgrade=builder.cancelled().build())
        assert laws.check_decision(waiting, decide_upgrade(waiting)).need is None
