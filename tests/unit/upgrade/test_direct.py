"""Changes that are applied without order and invoice: image, disk, ports, monthly billing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import MachineShape
from gpuinstance.api.upgrade_words import CallPhase, CallType, UpgradePhase
from gpuinstance.api.words import BillingMode
from gpuinstance.core.decision import ChangeSoftware, GrowDisk, SetPorts, SwitchToMonthly
from gpuinstance.core.model import Machine, MachineState, Software
from gpuinstance.core.upgrade.decision import UpgradeNeed
from gpuinstance.core.upgrade.snapshot import Quote, UpgradeSnapshot
from tests.materials import IMAGE, NOW, ago, ports, refusal
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
    succeeds,
    waits,
)
from tests.upgrade_builders import UpgradeBuilder, direct, direct_look, pod, rented

REFUSED, ACCEPTED = CallPhase.REFUSED, CallPhase.ACCEPTED
DISK, PORTS = direct(rootfs_expand_gb=40), direct(ports=[{"port": 8080}, {"port": 22, "protocol": "tcp"}])
IMAGES, MONTHLY = direct(image={"image": "other:2", "keep_data": False}), direct(billing={"months": 3})
OTHER = Software("other:2")

TO_DISK = MachineShape(rootfs_size_gb=100)
TO_PORTS = MachineShape(ports="22/tcp,8080/http")
TO_IMAGE = MachineShape(image="other:2")
TO_MONTHLY = MachineShape(billing_mode=BillingMode.MONTHLY)

GROW = GrowDisk("m-1", 60, 100)
PUBLISH = SetPorts("m-1", ports("22/tcp", "8080/http"))
RESET = ChangeSoftware("m-1", OTHER, keep_data=False)
SWITCH = SwitchToMonthly("m-1", 3)


def shown(**fields: object) -> Machine:
    """Return the machine with something about it changed."""
    return replace(rented(), **fields)  # type: ignore[arg-type]  # fields of a Machine


GROWN = shown(rootfs_gb=100)
PUBLISHED = shown(ports=ports("22/tcp", "8080/http"))
RESET_TO = shown(image="other:2", started_at=ago(seconds=5))
SWITCHED = shown(billing_mode=BillingMode.MONTHLY)

KINDS: dict[str, tuple[UpgradeBuilder, Any, Any, Any]] = {
    "disk": (DISK, TO_DISK, GROW, GROWN),
    "ports": (PORTS, TO_PORTS, PUBLISH, PUBLISHED),
    "image": (IMAGES, TO_IMAGE, RESET, RESET_TO),
    "monthly": (MONTHLY, TO_MONTHLY, SWITCH, SWITCHED),
}
"""The upgrade, what the machine is to become, the call that makes it, and the machine as it is then."""


def sent(kind: str, phase: CallPhase = CallPhase.INITIATED, *, seconds: float, **more: object) -> UpgradeBuilder:
    """Return an upgrade of a kind whose call was made so many seconds ago."""
    of, target, _, _ = KINDS[kind]
    return of.changing(target, rented(), phase, began=ago(seconds=seconds), **more)


CHEAP = Quote(Decimal(100))


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_is_made_once_everything_was_looked_at(kind: str) -> None:
    """The intent, the machine before, and what it is to become are saved with the call."""
    of, target, action, _ = KINDS[kind]
    judge(direct_look(of, rented()), asks(UpgradeNeed.MACHINE).by("wait_for_instance"))
    given = direct_look(of, rented(), fresh=True, quote=CHEAP)
    decision = judge(given, does(action, Reason.APPLYING, intent=CallType.APPLY, phase=UpgradePhase.APPLYING))
    status = decision.status
    assert status.target is not None
    assert (status.accepted_at, status.target.model_copy(update={"hourly_price": None})) == (NOW, target)
    assert status.instance is not None
    assert status.instance.machine_id == "m-1"
    assert status.before is not None
    assert status.before.rootfs_size_gb == 60
    assert status.payment_deadline is None
    assert [c.type for c in status.conditions if c.status == "False"] == ["Ready", "Applied"]


@rows(
    (
        "its own ports already",
        direct_look(direct(ports=[{"port": 80}]), rented(), fresh=True),
        succeeds().saying("nothing was ordered or changed"),
    ),
    (
        "the provider's tools keep ports of their own",
        direct_look(direct(ports=[{"port": 80}]), shown(ports=ports("80/http", "2222/tcp")), fresh=True),
        succeeds(),
    ),
    (
        "a port too many is a change",
        direct_look(direct(ports=[{"port": 80}]), shown(ports=ports("80/http", "81/http")), fresh=True),
        does(SetPorts("m-1", ports("80/http")), Reason.APPLYING),
    ),
    (
        "no ports at all",
        direct_look(direct(ports=[]), rented(), fresh=True),
        does(SetPorts("m-1", ()), Reason.APPLYING),
    ),
    ("paid monthly already", direct_look(MONTHLY, SWITCHED, fresh=True), succeeds()),
    (
        "the same image: its environment may be another",
        direct_look(direct(image={"image": IMAGE}), rented(), fresh=True),
        does(ChangeSoftware("m-1", OTHER), Reason.APPLYING),
    ),
    (
        "what software means is looked up",
        direct_look(IMAGES, rented(), fresh=True, software=None),
        asks(UpgradeNeed.SOFTWARE),
    ),
    (
        "a Secret that is missing",
        direct_look(IMAGES, rented(), fresh=True, software=refusal(Reason.CREDENTIALS_UNAVAILABLE)),
        stalls(Reason.CREDENTIALS_UNAVAILABLE, status=lambda status: status.accepted_at is None),
    ),
    ("what a term costs is looked up", direct_look(MONTHLY, rented(), fresh=True), asks(UpgradeNeed.QUOTE)),
    (
        "a term above the limit",
        direct_look(MONTHLY.limited_to("99"), rented(), fresh=True, quote=CHEAP),
        fails(Reason.PRICE_ABOVE_LIMIT).saying("this costs 100 USD"),
    ),
    (
        "a price that nobody names, under a limit",
        direct_look(MONTHLY.limited_to("99"), rented(), fresh=True, quote=Quote(None)),
        fails(Reason.PRICE_ABOVE_LIMIT).saying("unknown price"),
    ),
    ("and without one", direct_look(MONTHLY, rented(), fresh=True, quote=Quote(None)), does(SWITCH, Reason.APPLYING)),
    ("nothing is begun that could vanish", direct_look(DISK.without_finalizer(), rented(), fresh=True), rests()),
)
def test_validate_directly(given: UpgradeSnapshot, answer: Answer) -> None:
    """What the machine is already is not made again; what it may not cost is not bought."""
    judge(given, answer.by("validate"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_change_shows(kind: str) -> None:
    """An effect that is seen is the end, whatever the call was answered."""
    *_, after = KINDS[kind]
    for phase in (CallPhase.INITIATED, ACCEPTED):
        given = direct_look(sent(kind, phase, seconds=20), after)
        decision = judge(given, succeeds().by("watch_direct_change"))
        assert decision.status.applied_at is not None
        assert decision.status.after is not None


@pytest.mark.parametrize("kind", KINDS)
def test_the_change_does_not_show_yet(kind: str) -> None:
    """Right after the call the machine may look as before; an accepted call is waited for."""
    judge(direct_look(sent(kind, seconds=20), rented()), waits(Reason.VERIFYING, phase=UpgradePhase.VERIFYING))
    accepted = judge(direct_look(sent(kind, ACCEPTED, seconds=600), rented()), waits(Reason.VERIFYING))
    assert accepted.status.applied_at is not None


PATIENCE = {"disk": 1800, "monthly": 1800, "ports": 60, "image": 60}
"""Seconds: what would be added or paid twice is looked for as long as a change may take, the rest as an order."""


@pytest.mark.parametrize("kind", KINDS)
def test_an_unclear_change_that_surely_never_arrived_is_made_again(kind: str) -> None:
    """After its time, on a fresh answer, and not for ever."""
    _, _, action, _ = KINDS[kind]
    over = PATIENCE[kind]
    judge(direct_look(sent(kind, seconds=over - 1), rented(), fresh=True), waits(Reason.VERIFYING))
    judge(direct_look(sent(kind, seconds=over), rented()), asks(UpgradeNeed.MACHINE))
    again = judge(direct_look(sent(kind, seconds=over), rented(), fresh=True), does(action, Reason.APPLYING))
    assert again.status.call is not None
    assert again.status.call.attempt == 2
    late = judge(direct_look(sent(kind, seconds=7200), rented(), fresh=True), does(action, Reason.APPLYING))
    assert late.action == action
    judge(
        direct_look(sent(kind, seconds=over, attempt=3), rented(), fresh=True),
        fails(Reason.UNKNOWN_OUTCOME).saying("had no effect 3 times"),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_change_is_made_again_after_its_pause(kind: str) -> None:
    """A definite no changed nothing: it holds no machine, and may be cancelled or deleted."""
    _, _, action, after = KINDS[kind]
    pausing = sent(kind, REFUSED, seconds=20, reason=Reason.RATE_LIMITED, retry_in=10)
    over = sent(kind, REFUSED, seconds=20, reason=Reason.RATE_LIMITED)
    judge(direct_look(pausing, rented()), waits(Reason.RATE_LIMITED).by("pause_after_refusal"))
    judge(direct_look(over, rented()), asks(UpgradeNeed.MACHINE))
    judge(direct_look(over, rented(), fresh=True), does(action, Reason.APPLYING))
    judge(direct_look(pausing.cancelled(), rented()), cancels().saying("nothing was changed"))
    judge(direct_look(pausing.deleting(), rented()), releases())
    if kind != "image":
        judge(direct_look(over, after, fresh=True), succeeds().saying("already"))


@rows(
    (
        "a definite no ends it",
        direct_look(
            sent("disk", REFUSED, seconds=5, reason=Reason.REQUEST_REJECTED, retryable=False, retry_in=9), rented()
        ),
        fails(Reason.REQUEST_REJECTED).by("pause_after_refusal"),
    ),
    (
        "no money: somebody can help",
        direct_look(
            sent("monthly", REFUSED, seconds=5, reason=Reason.BALANCE_NOT_ENOUGH, retryable=False, retry_in=9), rented()
        ),
        stalls(Reason.BALANCE_NOT_ENOUGH),
    ),
    (
        "after a refusal the machine has to run",
        direct_look(
            sent("disk", REFUSED, seconds=5, reason=Reason.REQUEST_REJECTED), shown(state=MachineState.STOPPED)
        ),
        holds(Reason.INSTANCE_NOT_RUNNING),
    ),
    (
        "and nobody else be at work",
        direct_look(
            sent("disk", REFUSED, seconds=5, reason=Reason.REQUEST_REJECTED),
            rented(),
            instance=pod().edited(power_state="Stopped"),
        ),
        waits(Reason.INSTANCE_BUSY),
    ),
    (
        "one that is down after an unclear call shows nothing: it is waited for",
        direct_look(sent("disk", seconds=60), shown(state=MachineState.STOPPED), fresh=True),
        waits(Reason.VERIFYING),
    ),
    (
        "at work: it has arrived",
        direct_look(sent("image", seconds=60), shown(state=MachineState.STARTING)),
        waits(
            Reason.VERIFYING,
            status=lambda status: (
                status.call.seen_changing and status.call.phase is ACCEPTED and status.applied_at == NOW
            ),
        ),
    ),
    (
        "a disk that was grown by more",
        direct_look(sent("disk", seconds=5), shown(rootfs_gb=200)),
        succeeds(),
    ),
    (
        "a disk that grew a little is grown by the rest: the provider takes an increment",
        direct_look(sent("disk", seconds=1800), shown(rootfs_gb=70), fresh=True),
        does(GrowDisk("m-1", 70, 100), Reason.APPLYING),
    ),
    (
        "a new image that has not been started is not there yet",
        direct_look(sent("image", ACCEPTED, seconds=60), shown(image="other:2")),
        waits(Reason.VERIFYING),
    ),
    (
        "but it has arrived: the machine is not reset a second time",
        direct_look(sent("image", seconds=60), shown(image="other:2"), fresh=True),
        waits(Reason.VERIFYING, status=lambda status: status.call.phase is ACCEPTED),
    ),
    (
        "a restart by somebody else is no new image",
        direct_look(sent("image", ACCEPTED, seconds=60), shown(started_at=ago(seconds=5))),
        waits(Reason.VERIFYING),
    ),
    (
        "ports that came with an old one beside",
        direct_look(sent("ports", ACCEPTED, seconds=5), shown(ports=ports("22/tcp", "8080/http", "80/http"))),
        waits(Reason.VERIFYING),
    ),
    (
        "down: not verified",
        direct_look(sent("disk", ACCEPTED, seconds=5), shown(state=MachineState.STOPPED, rootfs_gb=100)),
        waits(Reason.VERIFYING),
    ),
    (
        "the time is over",
        direct_look(sent("disk", ACCEPTED, seconds=1800), rented()),
        fails(Reason.VERIFICATION_FAILED).saying("root disk of 100 GB"),
    ),
    (
        "not for ever, so that its instance may start it",
        direct_look(sent("disk", seconds=1800), shown(state=MachineState.STOPPED), fresh=True),
        fails(Reason.VERIFICATION_FAILED),
    ),
    (
        "at work for too long",
        direct_look(sent("image", ACCEPTED, seconds=1800), shown(state=MachineState.STARTING)),
        fails(Reason.VERIFICATION_FAILED),
    ),
    (
        "an error state",
        direct_look(sent("image", ACCEPTED, seconds=5), shown(state=MachineState.STOPPED, trouble="pull failed")),
        fails(Reason.RESIZE_FAILED).saying("pull failed").by("report_failed_change"),
    ),
    (
        "cancelled too late",
        direct_look(sent("disk", seconds=5).cancelled(), rented()),
        waits(Reason.VERIFYING).saying("spec.cancel came too late"),
    ),
    (
        "deleted on the way: it is brought to its end",
        direct_look(sent("disk", seconds=5).deleting(), rented()),
        waits(Reason.VERIFYING),
    ),
)
def test_watch_direct_change(given: UpgradeSnapshot, answer: Answer) -> None:
    """After the call: the change has arrived, is on its way, or surely never was."""
    judge(given, answer)
