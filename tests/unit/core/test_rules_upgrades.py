"""The two rules of an instance about its upgrades: yield to one that works, take note of one that has worked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import MachineShape
from gpuinstance.api.words import BillingMode, ConditionStatus, Outcome, Phase, PowerState
from gpuinstance.core.announcements import announcements
from gpuinstance.core.model import MachineState, Sizes
from gpuinstance.core.news import news
from gpuinstance.core.rules.upgrades import take_note_of_upgrade, yield_to_active_upgrade
from gpuinstance.core.snapshot import FoundUpgrade, Snapshot
from tests import laws
from tests.builders import HOST, OF_HOSTWINDS, InstanceBuilder, instance, machine, snapshot
from tests.materials import ago
from tests.unit.core.table import SILENT, Answer, judge, rows, settles, waits

RECORDED: dict[str, Any] = {
    "id": "m-1",
    "name": "gpui-default-trainer-1",
    "product_id": "402",
    "product_name": "Small",
    "hourly_price": "0.01368",
    "billing_mode": BillingMode.ON_DEMAND,
}
SERVER = instance().of_hostwinds().serving_at(HOST, 80).with_status(instance=RECORDED)
BIG: dict[str, Any] = {"product_id": "403", "product_name": "Big", "billing_mode": BillingMode.ON_DEMAND}
SAME: dict[str, Any] = {"product_id": "402", "product_name": "Small", "billing_mode": BillingMode.ON_DEMAND}


ENDED = ago(minutes=5)


def given(
    of: InstanceBuilder = SERVER,
    *,
    holds: bool = False,
    about: str = "m-1",
    ports: str | None = None,
    state: MachineState = MachineState.RUNNING,
    **shown: Any,
) -> Snapshot:
    upgrade = FoundUpgrade("bigger", "uid-of-bigger", about, holds=holds, ports=ports, ended_at=ENDED)
    server = machine("m-1", state, exposes=(), host=HOST, **shown or BIG)
    return snapshot(of, server, limits=OF_HOSTWINDS, upgrade=upgrade)


@rows(
    ("it changes the machine", given(holds=True), waits(Reason.UPGRADING, phase=Phase.UPGRADING)),
    (
        "whatever the spec wants meanwhile",
        given(SERVER.edited(power_state=PowerState.STOPPED), holds=True),
        waits(Reason.UPGRADING, phase=Phase.UPGRADING),
    ),
    ("it is over", given(holds=False), SILENT),
    ("it is about a machine of before", given(holds=True, about="m-0"), SILENT),
)
def test_yield_to_active_upgrade(given: Snapshot, answer: Answer | None) -> None:
    """While an upgrade changes the machine, the instance's own work waits."""
    judge(yield_to_active_upgrade, given, answer)


def noted(it: Any) -> bool:
    recorded = it.instance
    shown = (recorded.product_id, recorded.product_name, recorded.upgraded_by, recorded.last_upgrade_ended_at)
    return shown == ("403", "Big", "uid-of-bigger", ENDED)


@rows(
    (
        "the machine is of another plan now",
        given(),
        waits(Reason.UPGRADING, phase=Phase.RUNNING, status=lambda it: noted(it) and it.endpoints is None),
    ),
    (
        "the price of the plan before is forgotten",
        given(),
        waits(Reason.UPGRADING, status=lambda it: it.instance.hourly_price is None),
    ),
    (
        "so is that by the hour, once it is paid by the month",
        given(**SAME | {"billing_mode": BillingMode.MONTHLY}),
        waits(Reason.UPGRADING, status=lambda it: it.instance.hourly_price is None),
    ),
    (
        "what costs as before keeps its price",
        given(**SAME),
        waits(Reason.UPGRADING, status=lambda it: it.instance.hourly_price == "0.01368"),
    ),
    (
        "it has published other ports",
        given(ports="22/tcp,80/http", **SAME),
        waits(Reason.UPGRADING, status=lambda it: it.applied.upgraded_ports == "22/tcp,80/http"),
    ),
    ("it is noted already", given(SERVER.with_status(instance=RECORDED | {"upgraded_by": "uid-of-bigger"})), SILENT),
    ("it still works", given(holds=True), SILENT),
    ("it was about a machine of before", given(about="m-0"), SILENT),
    ("the machine is not up", given(state=MachineState.STOPPED), SILENT),
    ("it is not wanted up", given(SERVER.wanting(PowerState.STOPPED)), SILENT),
)
def test_take_note_of_upgrade(given: Snapshot, answer: Answer | None) -> None:
    """What a finished upgrade has made of the machine is written down once, and looked at anew."""
    judge(take_note_of_upgrade, given, answer)


SMALL, LARGE = Sizes(2048, 1, 50), Sizes(4096, 2, 100)


def failed(of: InstanceBuilder = SERVER, *, state: MachineState = MachineState.RUNNING, **shown: Any) -> Snapshot:
    """An upgrade from a small to a big plan has failed after it was applied; the machine shows this by now."""
    upgrade = FoundUpgrade(
        "bigger",
        "uid-of-bigger",
        "m-1",
        holds=False,
        hourly_price="0.01918",
        ended_at=ENDED,
        failed_between=(
            MachineShape(product_id="402", ram_mb=2048, cpu=1, disk_gb=50, billing_mode=BillingMode.ON_DEMAND),
            MachineShape(product_id="403", ram_mb=4096, cpu=2, disk_gb=100),
        ),
    )
    server = machine("m-1", state, exposes=(), host=HOST, **shown)
    return snapshot(of, server, limits=OF_HOSTWINDS, upgrade=upgrade)


HUGE: dict[str, Any] = {"product_id": "404", "product_name": "Huge", "billing_mode": BillingMode.ON_DEMAND}
LATER = SERVER.with_status(instance=RECORDED | HUGE | {"hourly_price": "0.05", "upgraded_by": "uid-of-huge"})


def priced(price: str | None, product: str = "402", *, by: str | None = None) -> Any:
    """The upgrade is noted with this price of the machine."""

    def check(it: Any) -> bool:
        recorded = it.instance
        noted = recorded.priced_by == "uid-of-bigger" and recorded.upgraded_by == by
        noted = noted and recorded.last_upgrade_ended_at == ENDED
        return noted and (recorded.hourly_price, recorded.product_id) == (price, product)

    return settles(Reason.READY, Outcome.READY, phase=Phase.READY, status=check)


@rows(
    ("the machine is as it was, and costs what it did", failed(sizes=SMALL, **SAME), priced("0.01368")),
    ("it has the new sizes all the same, and their price", failed(sizes=LARGE, **BIG), priced("0.01918", "403")),
    (
        "so it does where only its sizes tell",
        failed(sizes=LARGE, product_id="", product_name="", billing_mode=None),
        priced("0.01918", "402"),
    ),
    (
        "somebody has made something else of it, at a price that nobody knows",
        failed(sizes=Sizes(8192, 4, 200), **SAME | {"product_id": "404", "product_name": "Huge"}),
        priced(None, "404"),
    ),
    ("it shows no sizes: then the dearer one counts", failed(sizes=None, **SAME), SILENT),
    ("it shows empty ones", failed(sizes=Sizes(0, 0, 0), **SAME), SILENT),
    ("it shows one that is as it was", failed(sizes=Sizes(0, 1, 50), **SAME), SILENT),
    (
        "a later upgrade, gone by now, has made something else of it, whose price is known",
        failed(LATER, sizes=Sizes(8192, 4, 200), **HUGE),
        priced("0.05", "404", by="uid-of-huge"),
    ),
    (
        "what that had made of it was changed again",
        failed(LATER, sizes=Sizes(8192, 4, 200), **HUGE | {"product_id": "405"}),
        priced(None, "405", by="uid-of-huge"),
    ),
    ("it is not up", failed(state=MachineState.STOPPED, sizes=SMALL, **SAME), SILENT),
    (
        "it is noted already",
        failed(SERVER.with_status(instance=RECORDED | {"priced_by": "uid-of-bigger"}), sizes=SMALL, **SAME),
        SILENT,
    ),
)
def test_take_note_of_failed_upgrade(given: Snapshot, answer: Answer | None) -> None:
    """What a machine costs after a failure is told by what it is now; the spec stays what is compared with."""
    judge(take_note_of_upgrade, given, answer)


@pytest.mark.parametrize("edited", [False, True])
def test_what_is_ready_stays_so_while_a_price_is_noted(*, edited: bool) -> None:
    """Nothing happens to the machine, so nobody is told anything; a spec that was edited is not vouched for."""
    ready = SERVER.running().with_status(instance=RECORDED)
    before = (ready.edited(ssh_keys=[]) if edited else ready).build().status
    decision = take_note_of_upgrade(failed(ready.edited(ssh_keys=[]) if edited else ready, sizes=LARGE, **BIG))
    assert decision is not None
    laws.check(decision.status, generation=2 if edited else 1)
    assert decision.requeue_after == timedelta()
    assert decision.status.instance is not None
    assert decision.status.instance.hourly_price == "0.01918"
    after = decision.status.condition("Ready")
    assert after is not None
    assert (after.status is ConditionStatus.FALSE) is edited
    if not edited:
        assert (after, decision.status.ready_at) == (before.condition("Ready"), before.ready_at)
        assert (news(before, decision.status), announcements(before, decision.status)) == (None, ())


def test_a_failed_upgrade_holds_nothing_else_up() -> None:
    """What somebody changes at the provider is told meanwhile, as without it."""
    assert not failed(sizes=SMALL, **SAME).is_being_upgraded
