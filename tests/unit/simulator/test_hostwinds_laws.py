"""What holds for every history of the simulated Hostwinds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from gpuinstance_simulator.clock import ManualClock
from gpuinstance_simulator.errors import CloudError
from gpuinstance_simulator.hostwinds import HostwindsCloud, Quirks, new_cloud, upgrades
from gpuinstance_simulator.lifecycle import Operation
from gpuinstance_simulator.settings import Settings
from tests.unit.simulator.hostwinds_support import DEBIAN, active, bought, portal

VERBS: dict[str, Callable[[HostwindsCloud, str], object]] = {
    "order": lambda cloud, sid: upgrades.order(cloud, sid, upgrades.plan_of(cloud, "403")),
    "order disk": lambda cloud, sid: upgrades.order(cloud, sid, upgrades.plan_of(cloud, "406")),
    "pay": lambda cloud, sid: portal(cloud, cloud.machine(sid), "pay"),
    "apply": upgrades.apply,
    "confirm": upgrades.confirm,
    "revert": upgrades.revert,
    "cancel": upgrades.cancel,
    "boot": HostwindsCloud.start,
    "shutdown": HostwindsCloud.stop,
    "recreate": HostwindsCloud.recreate,
    "reinstall": lambda cloud, sid: cloud.reinstall(sid, DEBIAN),
    "suspend": lambda cloud, sid: portal(cloud, cloud.machine(sid), "suspend"),
    "unsuspend": lambda cloud, sid: portal(cloud, cloud.machine(sid), "unsuspend"),
    "lock": HostwindsCloud.toggle_lock,
    "terminate": HostwindsCloud.delete,
}
STEPS = st.lists(
    st.tuples(
        # Chance alone hardly ever makes an upgrade: half of the steps are the one whose turn it is.
        st.one_of(st.just("go on"), st.sampled_from([*VERBS, "wait", "create"])),
        st.integers(0, 1),
        st.sampled_from([40.0, 2.0, 0.0, 100_000.0]),
    ),
    min_size=8,
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(STEPS, st.booleans())
def test_no_history_applies_what_is_not_paid_or_pays_twice(
    steps: list[tuple[str, int, float]], skips_resized: bool
) -> None:
    """For each order: at most one payment, at most one application, and that one after the payment.

    And a world that is watched all the time equals one that is looked at only when something is asked of it.
    """
    habits = Settings(listing_lag=4, deletion_lag=7)
    lazy, watched = (new_cloud(ManualClock(), settings=habits) for _ in range(2))
    for cloud in (lazy, watched):
        cloud.obey(Quirks(disk_only_skips_resized=skips_resized))
        active(cloud, "first")
        bought(cloud, "second")
    for verb, index, pause in steps:
        for cloud in (lazy, watched):
            act(cloud, verb, index)
        lazy.clock.advance(pause)
        for _ in range(min(int(pause), 45)):
            watched.clock.advance(1)
            watched.listing()
        watched.clock.advance(lazy.clock.now() - watched.clock.now())
    judge(lazy)
    assert [it.as_json() for it in lazy.ledger] == [it.as_json() for it in watched.ledger]
    assert sights(lazy) == sights(watched)


def act(cloud: HostwindsCloud, verb: str, index: int) -> None:
    """Do something to some server; any refusal is fine."""
    machines = cloud.truth(with_gone=True)
    if verb == "create":
        bought(cloud, "another")
        return
    if verb == "go on":
        verb = turn(cloud, machines[index].id)
    if verb != "wait":
        with contextlib.suppress(CloudError):
            VERBS[verb](cloud, machines[index].id)


def turn(cloud: HostwindsCloud, machine_id: str) -> str:
    """The step that leads an upgrade on."""
    order = cloud.books.open_order(machine_id)
    if order is None:
        return "order"
    if not order.invoice.is_paid:
        return "pay"
    return "confirm" if order.is_applied else "apply"


def judge(cloud: HostwindsCloud) -> None:
    seen: dict[object, list[Operation]] = {}
    for entry in cloud.ledger:
        if "invoice" in entry.detail:
            seen.setdefault(entry.detail["invoice"], []).append(entry.operation)
    for operations in seen.values():
        assert operations.count(Operation.ORDER) == 1
        assert operations.count(Operation.PAY) <= 1
        assert operations.count(Operation.APPLY) <= 1
        if Operation.APPLY in operations:
            assert Operation.PAY in operations[: operations.index(Operation.APPLY)]
    for machine in cloud.truth():
        assert sum(it.is_open for it in cloud.books.orders if it.machine_id == machine.id) <= 1


def sights(cloud: HostwindsCloud) -> list[tuple[object, ...]]:
    """Everything that a client could see of all servers."""
    return [
        (it.machine.id, it.word, it.is_up, it.machine.product.id, cloud.main_ip(it.machine), it.machine.order.software)
        for it in cloud.listing()
    ]
