"""From the resized machine to the end: confirmed, reverted, or decided by somebody else."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_words import CallPhase, CallType, UpgradePhase
from gpuinstance.core.decision import ConfirmUpgrade, RevertUpgrade
from gpuinstance.core.model import MachineState, Sizes
from gpuinstance.core.snapshot import HealthReport
from gpuinstance.core.upgrade.decision import UpgradeNeed
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from tests.builders import InstanceBuilder
from tests.materials import HOST, NOW, ago, report
from tests.unit.upgrade.table import Answer, asks, does, fails, holds, judge, rows, stalls, succeeds, waits
from tests.upgrade_builders import BIG, OURS, THEIRS, UpgradeBuilder, look, renting, server, upgrade

ACCEPTED, REFUSED = CallPhase.ACCEPTED, CallPhase.REFUSED
CONFIRM, REVERT = ConfirmUpgrade("m-1"), RevertUpgrade("m-1")
RESIZED = server(MachineState.RESIZED, BIG)
KEPT, AS_BEFORE = server(sizes=BIG), server()
DECIDING = server(MachineState.RESIZING, BIG, word="RESIZED, resize_confirming")
WELL, SICK = report(80), report(sick=[80])
SERVING = renting().serving_at(HOST, 80)
LONG_AGO = ago(minutes=6)
"""Longer than the default `maxWaitSeconds`."""

MANUAL = upgrade(confirmation="Manual")
HOLDING = upgrade(on_verify_failure="Hold")


def serves(of: UpgradeBuilder, health: HealthReport | None, instance: InstanceBuilder = SERVING) -> UpgradeSnapshot:
    """Return the snapshot of a resized machine whose application answers so; its order is open."""
    return look(of, RESIZED, instance=instance, health=health, order=OURS)


@rows(
    ("health is asked for", serves(upgrade().resized(), None), asks(UpgradeNeed.HEALTH)),
    (
        "a healthy machine is confirmed",
        serves(upgrade().resized(), WELL),
        does(CONFIRM, Reason.CONFIRMING, intent=CallType.CONFIRM, phase=UpgradePhase.CONFIRMING),
    ),
    (
        "whose order it is is looked at right before",
        look(upgrade().resized(), RESIZED, instance=SERVING, health=WELL),
        asks(UpgradeNeed.ORDER),
    ),
    (
        "an order that is not shown any more may be ours all the same",
        look(upgrade().resized(), RESIZED, instance=SERVING, health=WELL, order=False),
        does(CONFIRM, Reason.CONFIRMING),
    ),
    (
        "somebody else has taken ours back, and resized the machine by another order: that is not confirmed",
        look(upgrade().resized(), RESIZED, instance=SERVING, health=WELL, order=THEIRS),
        fails(Reason.FOREIGN_UPGRADE_ORDER),
    ),
    (
        "nor reverted",
        look(upgrade().resized(at=LONG_AGO), RESIZED, instance=SERVING, health=SICK, order=THEIRS),
        fails(Reason.FOREIGN_UPGRADE_ORDER),
    ),
    (
        "one that has nothing to answer as well",
        look(upgrade().resized(), RESIZED, order=OURS),
        does(CONFIRM, Reason.CONFIRMING),
    ),
    (
        "and one that nobody wants checked",
        serves(upgrade().resized(), None, SERVING.with_spec(health_check={"enabled": False})),
        does(CONFIRM, Reason.CONFIRMING),
    ),
    (
        "an application that comes up is waited for",
        serves(upgrade().resized(), SICK),
        waits(Reason.HEALTH_CHECKING, phase=UpgradePhase.AWAITING_CONFIRMATION),
    ),
    (
        "not for ever: the machine gets its old sizes back",
        serves(upgrade().resized(at=LONG_AGO), SICK),
        does(REVERT, Reason.REVERTING, intent=CallType.REVERT, phase=UpgradePhase.REVERTING),
    ),
    (
        "Hold: somebody is asked",
        serves(HOLDING.resized(at=LONG_AGO), SICK),
        holds(Reason.HEALTH_CHECK_FAILED).saying("confirmed once it is, or by spec.confirm"),
    ),
    ("Hold: healthy in the end", serves(HOLDING.resized(at=LONG_AGO), WELL), does(CONFIRM, Reason.CONFIRMING)),
    (
        "Hold, and nobody is there any more: the old sizes are the safe ones",
        serves(HOLDING.resized(at=LONG_AGO).deleting(), SICK),
        does(REVERT, Reason.REVERTING),
    ),
    (
        "Manual: somebody looks at it",
        serves(MANUAL.resized(), WELL),
        holds(Reason.AWAITING_CONFIRMATION).saying("set spec.confirm to true"),
    ),
    (
        "Manual: for as long as it takes",
        serves(MANUAL.resized(at=ago(hours=2)), SICK),
        holds(Reason.AWAITING_CONFIRMATION),
    ),
    ("Manual, confirmed", serves(MANUAL.confirmed().resized(), None), does(CONFIRM, Reason.CONFIRMING)),
    (
        "confirmed by a person although it is sick",
        serves(upgrade().confirmed().resized(at=LONG_AGO), SICK),
        does(CONFIRM, Reason.CONFIRMING),
    ),
    (
        "Manual, and deleted: health decides",
        serves(MANUAL.resized().deleting(), WELL),
        does(CONFIRM, Reason.CONFIRMING),
    ),
    (
        "Manual, deleted and sick",
        serves(MANUAL.resized(at=LONG_AGO).deleting(), SICK),
        does(REVERT, Reason.REVERTING),
    ),
    (
        "a refused confirmation is made again after its pause",
        look(upgrade().confirming(REFUSED, reason=Reason.RATE_LIMITED), RESIZED, order=OURS),
        does(CONFIRM, Reason.CONFIRMING, status=lambda status: status.call.attempt == 1),
    ),
    (
        "a refused revert too, if it is still the thing to do",
        serves(upgrade().reverting(REFUSED, reason=Reason.RATE_LIMITED).with_status(resized_at=LONG_AGO), SICK),
        does(REVERT, Reason.REVERTING),
    ),
    (
        "a machine that has become healthy meanwhile keeps its sizes",
        serves(upgrade().reverting(REFUSED, reason=Reason.RATE_LIMITED).with_status(resized_at=LONG_AGO), WELL),
        does(CONFIRM, Reason.CONFIRMING),
    ),
)
def test_confirm_or_revert(given: UpgradeSnapshot, answer: Answer) -> None:
    """The machine runs with its new sizes: keep them, give them back, or ask somebody."""
    judge(given, answer.by("confirm_or_revert"))


@rows(
    (
        "there was nothing to confirm",
        look(upgrade().resized(), KEPT),
        waits(Reason.VERIFYING, phase=UpgradePhase.VERIFYING, status=lambda status: status.confirmed_at == NOW),
    ),
    (
        "somebody has confirmed it in the portal, while a person was waited for",
        look(MANUAL.resized(at=ago(hours=2)), KEPT),
        waits(Reason.VERIFYING, status=lambda status: status.confirmed_at == NOW),
    ),
    (
        "somebody has given the old sizes back",
        look(upgrade().resized(), AS_BEFORE),
        fails(Reason.FOREIGN_CHANGE).saying("its old sizes back"),
    ),
    (
        "an old picture proves nothing",
        look(upgrade().resized(at=ago(seconds=59)), AS_BEFORE),
        waits(Reason.VERIFYING),
    ),
    (
        "nor does one without sizes",
        look(upgrade().resized(), server(sizes=None)),
        waits(Reason.VERIFYING),
    ),
    ("the provider is at it", look(upgrade().resized(), DECIDING), waits(Reason.VERIFYING)),
    (
        "also if that begins long after the resize: somebody took the time",
        look(MANUAL.resized(at=ago(hours=48)), DECIDING),
        stalls(Reason.VERIFICATION_FAILED).saying("RESIZED, resize_confirming"),
    ),
    (
        "an odd word is no end either",
        look(MANUAL.resized(at=ago(hours=48)), server(MachineState.UNKNOWN, BIG, word="paused")),
        stalls(Reason.VERIFICATION_FAILED),
    ),
    (
        "but where nobody is there any more, it ends",
        look(MANUAL.resized(at=ago(hours=48)).deleting(), DECIDING),
        fails(Reason.VERIFICATION_FAILED),
    ),
    (
        "down after the resize: it has to come up by somebody's hand",
        look(upgrade().resized(at=ago(hours=1)), server(MachineState.STOPPED, BIG)),
        stalls(Reason.VERIFICATION_FAILED),
    ),
)
def test_decided_elsewhere(given: UpgradeSnapshot, answer: Answer) -> None:
    """Nothing is left to confirm: no confirmation was needed, or somebody gave it, or took the sizes back."""
    judge(given, answer.by("confirm_or_revert"))


@rows(
    (
        "the sizes are kept",
        look(upgrade().confirming(began=ago(seconds=20)), KEPT),
        waits(Reason.VERIFYING, status=lambda status: status.confirmed_at == NOW),
    ),
    ("not seen yet", look(upgrade().confirming(began=ago(seconds=20)), RESIZED), waits(Reason.CONFIRMING)),
    ("the provider is at it", look(upgrade().confirming(began=ago(seconds=20)), DECIDING), waits(Reason.CONFIRMING)),
    (
        "an unclear call without any effect is made again",
        look(upgrade().confirming(began=ago(seconds=60)), RESIZED, order=OURS),
        does(CONFIRM, Reason.CONFIRMING, status=lambda status: status.call.attempt == 2),
    ),
    (
        "not on a picture from before the settle window",
        look(upgrade().confirming(began=ago(seconds=70)), RESIZED, listed_at=ago(seconds=20)),
        waits(Reason.CONFIRMING),
    ),
    (
        "an accepted one is not made again",
        look(upgrade().confirming(ACCEPTED, began=ago(seconds=600)), RESIZED),
        waits(Reason.CONFIRMING),
    ),
    (
        "nor any for ever",
        look(upgrade().confirming(began=ago(seconds=600), attempt=3), RESIZED),
        waits(Reason.CONFIRMING),
    ),
    (
        "the time is over",
        look(upgrade().confirming(ACCEPTED, began=ago(seconds=1800)), RESIZED),
        fails(Reason.VERIFICATION_FAILED).saying("see the provider's portal"),
    ),
    (
        "the old sizes right after it may be an old picture",
        look(upgrade().confirming(began=ago(seconds=20)), AS_BEFORE),
        waits(Reason.CONFIRMING),
    ),
    (
        "later they are somebody's doing",
        look(upgrade().confirming(began=ago(seconds=60)), AS_BEFORE),
        fails(Reason.FOREIGN_CHANGE),
    ),
    (
        "down",
        look(upgrade().confirming(began=ago(seconds=600)), server(MachineState.STOPPED, BIG)),
        waits(Reason.CONFIRMING),
    ),
)
def test_watch_confirm(given: UpgradeSnapshot, answer: Answer) -> None:
    """After the confirm call the machine shows whether it arrived."""
    judge(given, answer.by("watch_confirm"))


@rows(
    (
        "the old sizes are back",
        look(upgrade().reverting(began=ago(seconds=20)), AS_BEFORE),
        fails(Reason.REVERTED, phase=UpgradePhase.REVERTED, status=lambda status: status.after.ram_mb == 2048),
    ),
    (
        "a picture that may be from before the resize proves nothing",
        look(upgrade().reverting(began=ago(seconds=20)).with_status(resized_at=ago(seconds=50)), AS_BEFORE),
        waits(Reason.REVERTING),
    ),
    (
        "unless it was seen at it",
        look(
            upgrade().reverting(began=ago(seconds=20), seen_changing=True).with_status(resized_at=ago(seconds=50)),
            AS_BEFORE,
        ),
        fails(Reason.REVERTED, phase=UpgradePhase.REVERTED),
    ),
    (
        "at it",
        look(upgrade().reverting(began=ago(seconds=20)), server(MachineState.RESIZING, BIG)),
        waits(Reason.REVERTING, status=lambda status: status.call.seen_changing),
    ),
    ("not seen yet", look(upgrade().reverting(began=ago(seconds=20)), RESIZED), waits(Reason.REVERTING)),
    (
        "an unclear call without any effect is made again",
        look(upgrade().reverting(began=ago(seconds=60)), RESIZED, order=OURS),
        does(REVERT, Reason.REVERTING, status=lambda status: status.call.attempt == 2),
    ),
    ("not for ever", look(upgrade().reverting(began=ago(seconds=60), attempt=3), RESIZED), waits(Reason.REVERTING)),
    (
        "an accepted one is not",
        look(upgrade().reverting(ACCEPTED, began=ago(seconds=60)), RESIZED),
        waits(Reason.REVERTING),
    ),
    (
        "the time is over",
        look(upgrade().reverting(ACCEPTED, began=ago(seconds=1800)), RESIZED),
        fails(Reason.VERIFICATION_FAILED),
    ),
    (
        "the new sizes are kept: somebody has confirmed them",
        look(upgrade().reverting(began=ago(seconds=60)), KEPT),
        fails(Reason.FOREIGN_CHANGE).saying("kept its new sizes"),
    ),
    (
        "which is not known right after the call",
        look(upgrade().reverting(began=ago(seconds=59)), KEPT),
        waits(Reason.REVERTING),
    ),
    (
        "other sizes are nobody's word about these",
        look(upgrade().reverting(began=ago(seconds=90)), server(sizes=Sizes(0, 0, 0))),
        waits(Reason.REVERTING),
    ),
)
def test_watch_revert(given: UpgradeSnapshot, answer: Answer) -> None:
    """After the revert call: the end, once the machine runs with its old sizes."""
    judge(given, answer.by("watch_revert"))


@rows(
    (
        "it runs with its new sizes",
        look(upgrade().kept(), KEPT),
        succeeds(status=lambda status: (status.before.ram_mb, status.after.ram_mb) == (2048, 4096)),
    ),
    ("not at this moment", look(upgrade().kept(), server(MachineState.STARTING, BIG)), waits(Reason.VERIFYING)),
    (
        "not in the time allowed",
        look(upgrade().kept(at=ago(minutes=30)), server(MachineState.STOPPED, BIG)),
        fails(Reason.VERIFICATION_FAILED),
    ),
)
def test_verify(given: UpgradeSnapshot, answer: Answer) -> None:
    """The end that was asked for: the machine runs, and the provider shows its new sizes."""
    judge(given, answer.by("verify"))


@pytest.mark.parametrize("machine", [RESIZED, KEPT, AS_BEFORE], ids=["resized", "kept", "as before"])
@pytest.mark.parametrize("of", [upgrade().confirming(), upgrade().reverting()], ids=["confirming", "reverting"])
def test_a_call_that_was_just_sent_is_never_sent_again_at_once(of: UpgradeBuilder, machine: Any) -> None:
    """Whatever is shown in the second after it."""
    assert judge(look(of, machine, fresh=True), Answer()).action is None
