"""From the known payment to the resized machine: applied once, and believed only when it can be."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_words import CallPhase, CallType, UpgradePhase
from gpuinstance.api.words import OperationPhase, OperationType
from gpuinstance.core.decision import ApplyUpgrade
from gpuinstance.core.model import MachineState, Sizes
from gpuinstance.core.upgrade.decision import UpgradeNeed
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from tests.materials import NOW, ago, operation
from tests.unit.upgrade.table import Answer, asks, cancels, does, fails, holds, judge, rows, stalls, waits
from tests.upgrade_builders import BIG, OURS, PAID, SMALL, THEIRS, UpgradeBuilder, look, renting, server, upgrade

ACCEPTED, REFUSED = CallPhase.ACCEPTED, CallPhase.REFUSED
APPLY = ApplyUpgrade("m-1", None)
FREE: dict[str, Any] = {"fresh": True, "order": PAID}
STOPPING = operation(OperationType.STOP, OperationPhase.MONITORING)


def sent(seconds: float, phase: CallPhase = CallPhase.INITIATED, **more: object) -> UpgradeBuilder:
    """Return an upgrade whose apply call was sent so many seconds ago."""
    return upgrade().applying(phase, began=ago(seconds=seconds), **more)


GRATIS = upgrade().awaiting_payment(total="0.00").with_status(paid_at=ago(minutes=9), phase=UpgradePhase.APPLYING)
"""Settled at once, because there was nothing to be paid."""
CLOSELY: dict[str, Any] = {"fresh": True, "order": OURS}


@rows(
    (
        "what was of nothing is to be paid now: a person is asked, and nothing is applied",
        look(GRATIS, server(), **CLOSELY),
        holds(Reason.PAYMENT_UNCONFIRMED, phase=UpgradePhase.APPLYING).saying("416 was of nothing and is of 4 USD now"),
    ),
    ("a person has paid it", look(GRATIS.confirming_invoice(), server(), **CLOSELY), does(APPLY, Reason.APPLYING)),
    ("the provider says that it is paid", look(GRATIS, server(), **FREE), does(APPLY, Reason.APPLYING)),
    (
        "it is of nothing still",
        look(GRATIS, server(), fresh=True, order=replace(OURS, total=Decimal(0))),
        does(APPLY, Reason.APPLYING),
    ),
    (
        "it is above the limit",
        look(GRATIS.limited_to("3"), server(), **CLOSELY),
        fails(Reason.PRICE_ABOVE_LIMIT).saying("416 stays open at the provider: do not pay it"),
    ),
    ("nobody wants it at that price", look(GRATIS.cancelled(), server(), **CLOSELY), cancels().saying("do not pay it")),
    (
        "nobody has paid it in time",
        look(GRATIS.with_status(payment_deadline=NOW), server(), **CLOSELY),
        fails(Reason.PAYMENT_TIMED_OUT).saying("do not pay it"),
    ),
)
def test_what_is_no_longer_free_is_not_applied(given: UpgradeSnapshot, answer: Answer) -> None:
    """An invoice of nothing is no payment of the sum that it is raised to afterwards."""
    judge(given, answer.by("apply_when_paid"))


@rows(
    ("the machine is asked for right before", look(upgrade().paid(), server()), asks(UpgradeNeed.MACHINE)),
    ("and the order", look(upgrade().paid(), server(), fresh=True), asks(UpgradeNeed.ORDER)),
    (
        "with nothing in the way it is applied",
        look(upgrade().paid(), server(), **FREE),
        does(
            APPLY,
            Reason.APPLYING,
            intent=CallType.APPLY,
            phase=UpgradePhase.APPLYING,
            status=lambda status: status.call.attempt == 1 and status.applied_at is None,
        ),
    ),
    (
        "whether the provider still shows the paid order or not",
        look(upgrade().paid(), server(), fresh=True, order=False),
        does(APPLY, Reason.APPLYING),
    ),
    (
        "a custom plan names its disk",
        look(upgrade().to_plan(id="5", ram=4096, cpu=2, disk=120).paid(), server(), **FREE),
        does(ApplyUpgrade("m-1", 120), Reason.APPLYING),
    ),
    (
        "a plan that was chosen by its sizes has a disk of its own",
        look(upgrade().to_plan(ram=4096, disk=100).paid(), server(), **FREE),
        does(APPLY, Reason.APPLYING),
    ),
    (
        "somebody else's order is not applied",
        look(upgrade().paid(), server(), fresh=True, order=THEIRS),
        fails(Reason.FOREIGN_UPGRADE_ORDER).saying("invoice 416 was paid and nothing was applied"),
    ),
    (
        "an instance that is being stopped",
        look(upgrade().paid(), server(), instance=renting().during(STOPPING), **FREE),
        waits(Reason.INSTANCE_BUSY),
    ),
    (
        "one whose spec was just edited",
        look(upgrade().paid(), server(), instance=renting().edited(power_state="Stopped"), **FREE),
        waits(Reason.INSTANCE_BUSY),
    ),
    (
        "a stopped machine waits for its instance to be started",
        look(upgrade().paid(), server(MachineState.STOPPED), **FREE),
        holds(Reason.INSTANCE_NOT_RUNNING, phase=UpgradePhase.APPLYING),
    ),
    (
        "one that comes up",
        look(upgrade().paid(), server(MachineState.STARTING), **FREE),
        waits(Reason.INSTANCE_BUSY),
    ),
    (
        "the listing may be old: what the machine says counts",
        look(upgrade().paid(), server(), fresh=server(MachineState.STOPPED), order=PAID),
        holds(Reason.INSTANCE_NOT_RUNNING),
    ),
    (
        "after a refusal and its pause it is applied again, and that counts as the first time",
        look(sent(60, REFUSED, reason=Reason.RATE_LIMITED), server(), **FREE),
        does(APPLY, Reason.APPLYING, status=lambda status: (status.call.attempt, status.call.failures) == (1, 1)),
    ),
    (
        "then the machine has to run as well",
        look(sent(60, REFUSED, reason=Reason.REQUEST_REJECTED), server(MachineState.STOPPED), **FREE),
        holds(Reason.INSTANCE_NOT_RUNNING),
    ),
)
def test_apply_when_paid(given: UpgradeSnapshot, answer: Answer) -> None:
    """Paid, and the machine runs with nobody else at work on it: save the intent, then apply, once."""
    judge(given, answer.by("apply_when_paid"))


def going_on(status: object) -> bool:
    """Return whether it is known that the provider carries it out."""
    call = getattr(status, "call", None)
    seen = call is not None and call.phase is ACCEPTED and call.seen_changing
    return bool(seen and getattr(status, "applied_at", None))


@rows(
    ("right after the call the machine looks as before", look(sent(5), server()), waits(Reason.APPLYING)),
    (
        "so it does after an accepted call: `active` may be the old state",
        look(sent(5, ACCEPTED), server()),
        waits(Reason.APPLYING, status=lambda status: status.applied_at == NOW),
    ),
    (
        "also for longer than it could be a lag: the provider queues",
        look(sent(600, ACCEPTED), server()),
        waits(Reason.APPLYING),
    ),
    (
        "it is seen at work, whatever was answered",
        look(sent(20), server(MachineState.RESIZING)),
        waits(Reason.RESIZING, phase=UpgradePhase.RESIZING, status=going_on),
    ),
    (
        "another kind of work proves nothing: it may be a reboot",
        look(sent(20), server(MachineState.STARTING, word="rebooting")),
        waits(Reason.APPLYING, status=lambda status: status.applied_at is None and not status.call.seen_changing),
    ),
    (
        "nor does an odd word",
        look(sent(90), server(MachineState.UNKNOWN, word="paused")),
        waits(Reason.APPLYING, status=lambda status: status.applied_at is None),
    ),
    (
        "resized, and to be confirmed",
        look(upgrade().resizing(), server(MachineState.RESIZED, BIG)),
        waits(
            Reason.RESIZED,
            phase=UpgradePhase.AWAITING_CONFIRMATION,
            status=lambda status: status.resized_at == NOW,
        ),
    ),
    (
        "resized without anything to confirm",
        look(upgrade().resizing(), server(sizes=BIG)),
        waits(Reason.RESIZED, status=lambda status: status.resized_at == NOW),
    ),
    (
        "so it may be after an unclear call that was never seen at work",
        look(sent(90), server(sizes=BIG)),
        waits(Reason.RESIZED, status=lambda status: status.call.phase is ACCEPTED and status.applied_at == NOW),
    ),
    (
        "resized at the last moment, or later",
        look(upgrade().resizing(began=ago(hours=2)), server(MachineState.RESIZED, BIG)),
        waits(Reason.RESIZED),
    ),
    (
        "a size that is not shown is not the new one",
        look(upgrade().resizing(), server(sizes=Sizes(0, 2, 100))),
        waits(Reason.RESIZING),
    ),
    (
        "sizes that are not shown at all are none",
        look(upgrade().resizing(), server(sizes=None, product_id="5")),
        waits(Reason.RESIZING),
    ),
    (
        "an unclear call without any effect yet may be one that is queued: it is not repeated",
        look(sent(1799, reason=Reason.UNKNOWN_OUTCOME), server(), **FREE),
        waits(Reason.APPLYING).saying("not known to have arrived"),
    ),
    (
        "after all the time that a resize may take, the machine is asked for",
        look(sent(1800), server()),
        asks(UpgradeNeed.MACHINE),
    ),
    ("then the order", look(sent(1800), server(), fresh=True), asks(UpgradeNeed.ORDER)),
    (
        "the order is still there and the machine is as it was: it surely never arrived",
        look(sent(1800), server(), **FREE),
        does(APPLY, Reason.APPLYING, status=lambda status: status.call.attempt == 2),
    ),
    (
        "also after the operator was away for hours",
        look(sent(7200), server(), **FREE),
        does(APPLY, Reason.APPLYING),
    ),
    (
        "a picture from before proves nothing",
        look(sent(1810), server(), listed_at=ago(seconds=20)),
        waits(Reason.APPLYING),
    ),
    (
        "nor does an answer to a question from before",
        look(sent(1810), server(), fresh=True, asked_at=ago(seconds=20)),
        waits(Reason.APPLYING),
    ),
    (
        "without its order it may have been carried out and taken back: it is not repeated",
        look(sent(1800), server(), fresh=True, order=False),
        fails(Reason.UNKNOWN_OUTCOME).saying("see the provider's portal"),
    ),
    (
        "somebody else's order is not applied",
        look(sent(1800), server(), fresh=True, order=THEIRS),
        fails(Reason.FOREIGN_UPGRADE_ORDER),
    ),
    (
        "a machine that is down is not touched",
        look(sent(90), server(MachineState.STOPPED), **FREE),
        waits(Reason.APPLYING),
    ),
    (
        "nor one whose instance was edited a moment ago",
        look(sent(1800), server(), instance=renting().edited(power_state="Stopped"), **FREE),
        waits(Reason.INSTANCE_BUSY),
    ),
    (
        "it is not repeated for ever",
        look(sent(1800, attempt=3), server(), **FREE),
        fails(Reason.UNKNOWN_OUTCOME).saying("see the provider's portal"),
    ),
    (
        "at work, and then as before: undone at the provider",
        look(upgrade().resizing(), server()),
        fails(Reason.FOREIGN_CHANGE).saying("ended with its old sizes"),
    ),
    (
        "a picture that may be older than the sight of its work proves nothing",
        look(upgrade().resizing(seen_at=ago(seconds=59)), server()),
        waits(Reason.RESIZING),
    ),
    (
        "accepted, and nothing was seen in the time allowed",
        look(sent(1800, ACCEPTED), server()),
        fails(Reason.RESIZE_TIMED_OUT).saying("without its new sizes"),
    ),
    (
        "at work for too long",
        look(upgrade().resizing(began=ago(seconds=1800)), server(MachineState.RESIZING)),
        fails(Reason.RESIZE_TIMED_OUT),
    ),
    (
        "down for too long",
        look(sent(1800), server(MachineState.STOPPED), **FREE),
        fails(Reason.UNKNOWN_OUTCOME),
    ),
)
def test_watch_resize(given: UpgradeSnapshot, answer: Answer) -> None:
    """While the machine is resized: believe what it shows once it was seen at work, or has settled."""
    judge(given, answer.by("watch_resize"))


def test_the_first_sight_of_work_is_the_moment_from_which_pictures_count() -> None:
    """A listing that lags may show the old machine after a young answer has shown it at work."""
    started = upgrade().applying(ACCEPTED, began=ago(seconds=100), accepted_at=ago(seconds=100))
    seen = judge(look(started, server(MachineState.RESIZING)), waits(Reason.RESIZING)).status
    assert seen.call is not None
    assert seen.call.accepted_at == NOW
    later = judge(look(started.with_status(**dict(seen)), server(MachineState.RESIZING)), Answer()).status
    assert later == seen


def test_a_custom_plan_with_more_traffic_only_is_never_seen_as_resized_by_chance() -> None:
    """What was there before the order is not what the order brings."""
    waiting = look(sent(5), server(sizes=SMALL))
    judge(waiting, waits(Reason.APPLYING))


def test_stalled_by_somebody_elses_resize_before_ours() -> None:
    """Before the intent is saved a resize is somebody else's, and ends the upgrade; after it, it is ours."""
    judge(look(upgrade().paid(), server(MachineState.RESIZING), **FREE), fails(Reason.FOREIGN_CHANGE))
    judge(look(sent(0), server(MachineState.RESIZING), **FREE), waits(Reason.RESIZING))
    judge(look(upgrade(), server(MachineState.RESIZING), **FREE), stalls(Reason.FOREIGN_CHANGE))
