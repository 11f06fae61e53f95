"""Before an upgrade begins everything is looked at: the provider, the machine, the plan, the price, open orders."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.api.upgrade_words import CallPhase, CallType, UpgradePhase
from gpuinstance.api.words import BillingCycle, OperationPhase, OperationType
from gpuinstance.core.decision import GrowDisk, OrderUpgrade
from gpuinstance.core.model import MachineState, Plan, PlanChoice, Sizes
from gpuinstance.core.upgrade.decision import UpgradeNeed
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from tests.materials import NOW, ago, operation
from tests.unit.upgrade.table import Answer, asks, does, fails, holds, judge, rests, rows, stalls, succeeds, waits
from tests.upgrade_builders import (
    BIG,
    BIG_PLAN,
    DIRECT_LIMITS,
    OURS,
    PLANS,
    SMALL,
    SMALL_PLAN,
    THEIRS,
    direct,
    direct_look,
    look,
    pod,
    rented,
    renting,
    server,
    upgrade,
    vars_of,
)

DIRECT: dict[str, Any] = {"instance": pod(), "limits": vars_of(DIRECT_LIMITS)}


@rows(
    ("Novita does not sell plans", look(upgrade(), rented(), **DIRECT), fails(Reason.UNSUPPORTED_BY_PROVIDER)),
    (
        "Hostwinds runs no images",
        look(direct(image={"image": "other:2"}), server()),
        fails(Reason.UNSUPPORTED_BY_PROVIDER).saying("hostwinds does not offer changing a machine's image"),
    ),
    ("it grows no disks", look(direct(rootfs_expand_gb=10), server()), fails(Reason.UNSUPPORTED_BY_PROVIDER)),
    ("it publishes no ports", look(direct(ports=[{"port": 80}]), server()), fails(Reason.UNSUPPORTED_BY_PROVIDER)),
    (
        "it switches nothing to monthly billing",
        look(direct(billing={"months": 1}), server()),
        fails(Reason.UNSUPPORTED_BY_PROVIDER),
    ),
    (
        "that needs no machine to be known",
        look(direct(rootfs_expand_gb=10), instance=renting().with_status(instance=None)),
        fails(Reason.UNSUPPORTED_BY_PROVIDER),
    ),
)
def test_reject_impossible_target(given: UpgradeSnapshot, answer: Answer) -> None:
    """What this provider can never do ends the upgrade in words, before anything is asked for."""
    judge(given, answer.by("reject_impossible_target"))


STOPPING = operation(OperationType.STOP, OperationPhase.MONITORING)
UNANSWERED = operation(OperationType.START, OperationPhase.HEALTH_CHECKING)


@rows(
    (
        "an instance that nobody has looked at yet",
        look(upgrade(), server(), instance=renting().with_status(observed_generation=-1)),
        waits(Reason.INSTANCE_BUSY),
    ),
    (
        "one whose spec was just edited",
        look(upgrade(), server(), instance=renting().edited(power_state="Stopped")),
        waits(Reason.INSTANCE_BUSY),
    ),
    (
        "somebody's resize is said first: the instance's own work waits for it, too",
        look(upgrade(), server(MachineState.RESIZED, BIG), instance=renting().during(STOPPING)),
        stalls(Reason.FOREIGN_CHANGE),
    ),
    (
        "one that is being stopped",
        look(upgrade(), server(), instance=renting().during(STOPPING)),
        waits(Reason.INSTANCE_BUSY),
    ),
    (
        "one whose application alone does not answer is free: a bigger plan may be what helps it",
        look(upgrade(), server(), instance=renting().during(UNANSWERED)),
        asks(UpgradeNeed.MACHINE),
    ),
    (
        "one without a machine",
        look(upgrade(), instance=renting().with_status(instance=None)),
        waits(Reason.INSTANCE_NOT_RUNNING),
    ),
    ("a machine that is not shown", look(upgrade()), stalls(Reason.INSTANCE_LOST)),
    (
        "one that the provider shows as removed",
        look(upgrade(), server(MachineState.REMOVED)),
        stalls(Reason.INSTANCE_LOST),
    ),
    (
        "one that is frozen or locked",
        look(upgrade(), server(MachineState.SUSPENDED, word="suspended")),
        stalls(Reason.INSTANCE_SUSPENDED),
    ),
    (
        "one that somebody else resizes",
        look(upgrade(), server(MachineState.RESIZING)),
        stalls(Reason.FOREIGN_CHANGE),
    ),
    (
        "one that somebody else has resized and not confirmed",
        look(upgrade(), server(MachineState.RESIZED, BIG)),
        stalls(Reason.FOREIGN_CHANGE),
    ),
    (
        "one that comes up",
        look(upgrade(), server(MachineState.STARTING, word="rebooting")),
        waits(Reason.INSTANCE_BUSY).saying("rebooting"),
    ),
    (
        "one that does something odd",
        look(upgrade(), server(MachineState.UNKNOWN, word="paused")),
        waits(Reason.INSTANCE_BUSY),
    ),
    (
        "one that is stopped",
        look(upgrade(), server(MachineState.STOPPED)),
        holds(Reason.INSTANCE_NOT_RUNNING).saying("start the instance"),
    ),
    (
        "one that has failed",
        look(upgrade(), server(MachineState.STOPPED, trouble="No valid host")),
        holds(Reason.INSTANCE_NOT_RUNNING),
    ),
    ("the listing may be old: the machine is asked for", look(upgrade(), server()), asks(UpgradeNeed.MACHINE)),
    (
        "and what it says counts",
        look(upgrade(), server(), fresh=server(MachineState.SUSPENDED)),
        stalls(Reason.INSTANCE_SUSPENDED),
    ),
)
def test_wait_for_instance(given: UpgradeSnapshot, answer: Answer) -> None:
    """An upgrade begins on a machine that runs and with which nothing else is being done."""
    judge(given, replace(answer, phase=None if answer.need else UpgradePhase.VALIDATING).by("wait_for_instance"))


READY: dict[str, Any] = {"fresh": True, "plans": PLANS}
FREE: dict[str, Any] = {**READY, "order": False}


def accepted(status: InstanceUpgradeStatus) -> bool:
    """Return whether everything was noted that the saga needs to go on after a crash."""
    noted = [getattr(status, name) for name in ("instance", "before", "target", "payment_deadline", "call")]
    return all(noted) and status.accepted_at == NOW


@rows(
    ("the price list is asked for", look(upgrade(), server(), fresh=True), asks(UpgradeNeed.PLANS)),
    ("then an open order", look(upgrade(), server(), **READY), asks(UpgradeNeed.ORDER)),
    (
        "with nothing in the way the plan is ordered",
        look(upgrade(), server(), **FREE),
        does(
            OrderUpgrade("m-1", PlanChoice("5")),
            Reason.ORDERING,
            intent=CallType.ORDER,
            phase=UpgradePhase.ORDERING,
            status=accepted,
        ),
    ),
    (
        "a plan that is not sold",
        look(upgrade().to_plan(id="7"), server(), **FREE),
        fails(Reason.PLAN_NOT_FOUND).saying("5: Big (2 CPU, 4096 MB RAM, 100 GB disk)"),
    ),
    ("a price list without plans", look(upgrade(), server(), fresh=True, plans=()), fails(Reason.PLAN_NOT_FOUND)),
    (
        "a plan by its sizes",
        look(upgrade().to_plan(ram=4096), server(), **FREE),
        does(OrderUpgrade("m-1", PlanChoice("5")), Reason.ORDERING),
    ),
    (
        "sizes that nobody sells",
        look(upgrade().to_plan(ram=8192), server(), **FREE),
        fails(Reason.PLAN_NOT_FOUND).saying("with these sizes"),
    ),
    (
        "a size that would take another one away",
        look(upgrade().to_plan(ram=4096), server(sizes=Sizes(2048, 1, 200)), **FREE),
        fails(Reason.PLAN_NOT_FOUND),
    ),
    (
        "a custom plan is ordered with its sizes",
        look(upgrade().to_plan(id="5", ram=6144, cpu=3, disk=120, bandwidth=5), server(), **FREE),
        does(
            OrderUpgrade("m-1", PlanChoice("5", 6144, 3, 120, 5)),
            Reason.ORDERING,
            status=lambda status: (status.target.ram_mb, status.target.cpu, status.target.disk_gb) == (6144, 3, 120),
        ),
    ),
    (
        "the plan that the machine has already",
        look(upgrade().to_plan(id="3"), server(), **READY),
        succeeds(status=lambda status: status.accepted_at is None and status.after is not None),
    ),
    (
        "sizes that it has already",
        look(upgrade().to_plan(ram=2048, cpu=1), server(), **READY),
        succeeds().saying("nothing was ordered"),
    ),
    (
        "another plan with the very same sizes could not be told from the current one",
        look(upgrade().to_plan(id="4"), server(), fresh=True, plans=(*PLANS, Plan("4", "Same", SMALL))),
        fails(Reason.UNSUPPORTED_BY_PROVIDER).saying("could not be seen"),
    ),
    (
        "nor could more traffic alone",
        look(upgrade().to_plan(id="3", bandwidth=9), server(), **READY),
        fails(Reason.UNSUPPORTED_BY_PROVIDER),
    ),
    (
        "the price list's word counts for what the current plan is, not an id of the server",
        look(upgrade().to_plan(id="3"), server(product_id="811"), **READY),
        succeeds(),
    ),
    (
        "without sizes its plan tells what it is",
        look(upgrade().to_plan(id="3"), server(sizes=None), **READY),
        succeeds(),
    ),
    (
        "and what it is not",
        look(upgrade(), server(sizes=None), **FREE),
        does(OrderUpgrade, Reason.ORDERING),
    ),
    (
        "a step in price above the limit",
        look(upgrade().limited_to("3.99"), server(), **READY),
        fails(Reason.PRICE_ABOVE_LIMIT).saying("this costs 4 USD, above spec.payment.maxTotal of 3.99 USD"),
    ),
    (
        "one that is just allowed",
        look(upgrade().limited_to("4"), server(), **FREE),
        does(OrderUpgrade, Reason.ORDERING),
    ),
    (
        "a price that the list does not tell: the invoice will",
        look(
            upgrade().limited_to("1"),
            server(),
            fresh=True,
            order=False,
            plans=(SMALL_PLAN, replace(BIG_PLAN, cycle_prices=())),
        ),
        does(OrderUpgrade, Reason.ORDERING),
    ),
    (
        "an open order is somebody else's, whatever it is for",
        look(upgrade(), server(), **READY, order=OURS),
        stalls(Reason.FOREIGN_UPGRADE_ORDER, status=lambda status: status.order is None).saying(
            "order 98 with invoice 416"
        ),
    ),
    (
        "also if it is paid",
        look(upgrade(), server(), **READY, order=replace(THEIRS, paid=True)),
        stalls(Reason.FOREIGN_UPGRADE_ORDER),
    ),
    ("nothing is begun that could vanish", look(upgrade().without_finalizer(), server(), **FREE), rests()),
)
def test_validate(given: UpgradeSnapshot, answer: Answer) -> None:
    """The service is valid, the target known, the price allowed, no order open: only then the intent is saved."""
    judge(given, answer.by("validate"))


def test_a_yearly_bill_is_compared_with_a_yearly_price() -> None:
    """The limit is about what the invoice will say: the prices of the cycle in which the server is billed."""
    yearly = (
        replace(SMALL_PLAN, cycle_prices=((BillingCycle.ANNUALLY, Decimal(100)),)),
        replace(BIG_PLAN, cycle_prices=((BillingCycle.ANNUALLY, Decimal(140)),)),
    )
    rents = renting().of_hostwinds(billing_cycle=BillingCycle.ANNUALLY)
    given = look(upgrade().limited_to("39"), server(), instance=rents, fresh=True, plans=yearly)
    judge(given, fails(Reason.PRICE_ABOVE_LIMIT).saying("this costs 40 USD"))


@pytest.mark.parametrize("phase", [CallPhase.INITIATED, CallPhase.ACCEPTED])
def test_what_has_begun_is_not_validated_again(phase: CallPhase) -> None:
    """From the first intent on, the saga goes on from what was noted."""
    given = look(upgrade().ordering(phase, began=ago(seconds=10)), server(), fresh=True, order=False)
    judge(given, waits(Reason.ORDERING).by("find_order"))


def test_a_direct_change_asks_for_neither_plans_nor_orders() -> None:
    """Only what is ordered is looked up in a price list."""
    given = direct_look(direct(rootfs_expand_gb=10), rented(), fresh=True)
    judge(given, does(GrowDisk("m-1", 60, 70), Reason.APPLYING, intent=CallType.APPLY).by("validate"))
