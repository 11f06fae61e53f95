"""The two rules of an instance about its upgrades: yield to one that works, take note of one that has worked."""

from __future__ import annotations

from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import MachineShape
from gpuinstance.api.words import BillingMode, Phase, PowerState
from gpuinstance.core.model import MachineState, Sizes
from gpuinstance.core.rules.upgrades import take_note_of_upgrade, yield_to_active_upgrade
from gpuinstance.core.snapshot import FoundUpgrade, Snapshot
from tests.builders import HOST, OF_HOSTWINDS, InstanceBuilder, instance, machine, snapshot
from tests.unit.core.table import SILENT, Answer, judge, rows, waits

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


def given(
    of: InstanceBuilder = SERVER,
    *,
    holds: bool = False,
    about: str = "m-1",
    ports: str | None = None,
    state: MachineState = MachineState.RUNNING,
    **shown: Any,
) -> Snapshot:
    upgrade = FoundUpgrade("bigger", "uid-of-bigger", about, holds=holds, ports=ports)
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
    return (recorded.product_id, recorded.product_name, recorded.upgraded_by) == ("403", "Big", "uid-of-bigger")


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
        failed_between=(
            MachineShape(product_id="402", ram_mb=2048, cpu=1, disk_gb=50, billing_mode=BillingMode.ON_DEMAND),
            MachineShape(product_id="403", ram_mb=4096, cpu=2, disk_gb=100),
        ),
    )
    server = machine("m-1", state, exposes=(), host=HOST, **shown)
    return snapshot(of, server, limits=OF_HOSTWINDS, upgrade=upgrade)


def priced(price: str | None, product: str = "402") -> Any:
    """The upgrade is noted with this price of the machine."""

    def check(it: Any) -> bool:
        recorded = it.instance
        noted = recorded.priced_by == "uid-of-bigger" and recorded.upgraded_by is None
        return noted and (recorded.hourly_price, recorded.product_id) == (price, product)

    return waits(Reason.UPGRADING, phase=Phase.RUNNING, status=check)


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


def test_a_failed_upgrade_holds_nothing_else_up() -> None:
    """What somebody changes at the provider is told meanwhile, as without it."""
    assert not failed(sizes=SMALL, **SAME).is_being_upgraded
