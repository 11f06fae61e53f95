"""The life of a simulated Hostwinds server: which call is accepted where, and how each step looks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gpuinstance_simulator import disturbances
from gpuinstance_simulator.clock import ManualClock
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.hostwinds import HostwindsCloud, Quirks, new_cloud, upgrades
from gpuinstance_simulator.hostwinds.lifecycle import LIFECYCLE
from gpuinstance_simulator.lifecycle import GONE, Operation
from gpuinstance_simulator.machine import Failure, Machine
from tests.unit.simulator.hostwinds_support import (
    DEBIAN,
    MORE_DISK,
    REBUILD,
    RESIZE,
    STALE,
    WAY_UP,
    Site,
    active,
    bought,
    history,
    portal,
)

Look = tuple[str, str, str | None, int]

ACTIVE: Look = ("active", "active", None, 1)
OFF: Look = ("SHUTOFF", "stopped", None, 4)
BUILD: list[Look] = [("BUILD", "building", task, 0) for task in ("scheduling", "networking", "spawning")]
REBUILT: list[Look] = [("REBUILD", "active", "rebuilding", 1), ("REBUILD", "active", "rebuild_spawning", 1), ACTIVE]
RESIZED: list[Look] = [
    *(("RESIZE", "active", task, 1) for task in ("resize_prep", "resize_migrating", "resize_finish")),
    ("RESIZED", "resized", None, 1),
]

SEQUENCES: dict[str, tuple[str, list[str], list[Look]]] = {
    # name: (the call, the calls before it, what is seen from the moment of its acceptance on)
    "add_instance": ("", [], [*BUILD, ACTIVE]),
    "shutdown": ("shutdown", [], [("active", "active", "powering-off", 1), OFF]),
    "boot": ("boot", ["shutdown"], [("SHUTOFF", "stopped", "powering-on", 4), ACTIVE]),
    "reboot": ("reboot", [], [("active", "active", "rebooting", 1), ACTIVE]),
    "recreate": ("recreate", [], [ACTIVE, *REBUILT]),
    "recreate what is off": ("recreate", ["shutdown"], [OFF, *REBUILT]),
    "reinstall_instance": ("reinstall_instance", [], [ACTIVE, *REBUILT]),
    "regenerate_networking": (
        "regenerate_networking",
        [],
        [ACTIVE, ("active", "active", "networking", 1), ("active", "active", "rebooting", 1), ACTIVE],
    ),
    "upgrade_server": ("upgrade_server", ["upgrade_instance", "pay"], [ACTIVE, *RESIZED]),
    "confirm_upgrade": (
        "confirm_upgrade",
        ["upgrade_instance", "pay", "upgrade_server"],
        [("RESIZED", "resized", "resize_confirming", 1), ACTIVE],
    ),
    "revert_upgrade": (
        "revert_upgrade",
        ["upgrade_instance", "pay", "upgrade_server"],
        [("REVERT_RESIZE", "resized", "resize_reverting", 1), ACTIVE],
    ),
    "terminate": ("terminate", [], [("active", "active", "deleting", 1)]),
    "terminate what is off": ("terminate", ["shutdown"], [("SHUTOFF", "stopped", "deleting", 4)]),
}


@pytest.mark.parametrize(("call", "before", "expected"), SEQUENCES.values(), ids=SEQUENCES.keys())
async def test_each_call_is_seen_in_four_fields(site: Site, call: str, before: list[str], expected: list[Look]) -> None:
    """Status, machine state, task and power pass through their words in order; asynchronous calls lie for a while."""
    machine = bought(site.cloud)
    if call:
        site.cloud.clock.advance(WAY_UP)
        for step in before:
            await do(site, machine, step)
            site.cloud.clock.advance(100)
        await do(site, machine, call)
    assert await seen(site, machine) == expected
    if call == "terminate":
        assert (await site.call("check_serviceid", serviceid=machine.id)) == {"success": False}


async def do(site: Site, machine: Machine, step: str) -> None:
    if step == "pay":
        portal(site.cloud, machine, "pay")
        return
    (item,) = await site.call(step, serviceid=machine.id, template=DEBIAN, rid="403")
    assert item["result"] == "success", item


async def seen(site: Site, machine: Machine) -> list[Look]:
    looks: list[Look] = []
    for _ in range(100):
        try:
            site.cloud.look(machine.id)
        except CloudError:
            break
        server = await site.server(machine)
        look = (server["status"], server["vm_state"], server["task_state"], server["power_state"])
        if looks[-1:] != [look]:
            looks.append(look)
        site.cloud.clock.advance(1)
    return looks


ACCEPTED = {
    "active": {"stop", "restart", "recreate", "reinstall", "regenerate", "apply", "delete"},
    "shutoff": {"start", "recreate", "reinstall", "apply", "delete"},
    "resized": {"confirm", "revert", "delete"},
    "error": {"recreate", "reinstall", "delete"},
    "suspended": {"delete"},
    "deleting": set(),
}
"""Everywhere else nothing but a deletion is accepted."""

OPERATIONS: dict[str, Callable[[HostwindsCloud, str], object]] = {
    "start": HostwindsCloud.start,
    "stop": HostwindsCloud.stop,
    "restart": HostwindsCloud.restart,
    "recreate": HostwindsCloud.recreate,
    "reinstall": lambda cloud, machine_id: cloud.reinstall(machine_id, DEBIAN),
    "regenerate": HostwindsCloud.regenerate,
    "apply": upgrades.apply,
    "confirm": upgrades.confirm,
    "revert": upgrades.revert,
    "delete": HostwindsCloud.delete,
}


@pytest.mark.parametrize("state", LIFECYCLE.states)
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_is_accepted_where_the_table_says(name: str, state: str) -> None:
    """Refused: nothing changes, nothing is in the ledger."""
    cloud = new_cloud(ManualClock())
    machine = active(cloud)
    upgrades.order(cloud, machine.id, upgrades.plan_of(cloud, "403"))
    portal(cloud, machine, "pay")
    cloud.engine.travel(machine, (state,), cloud.clock.now())
    before = len(cloud.ledger)
    if name in ACCEPTED.get(state, {"delete"}):
        OPERATIONS[name](cloud, machine.id)
        assert history(cloud)[before:] == [name]
    else:
        with pytest.raises(CloudError):
            OPERATIONS[name](cloud, machine.id)
        assert (machine.state, len(cloud.ledger)) == (state, before)


async def test_what_is_queued_looks_as_it_did_before(site: Site) -> None:
    """Nothing betrays the accepted call, not even the time of the last update; meanwhile nothing else is accepted."""
    machine = active(site.cloud)
    site.cloud.clock.advance(60)
    before = await site.server(machine)
    await site.call("recreate", serviceid=machine.id)
    site.cloud.clock.advance(STALE - 0.001)
    assert await site.server(machine) == before
    (refused,) = await site.call("shutdown", serviceid=machine.id)
    assert refused["result"] == "error"
    site.cloud.clock.advance(0.001)
    after = await site.server(machine)
    assert (after["status"], after["updated_at"] > before["updated_at"]) == ("REBUILD", True)


async def test_how_long_it_lies_is_a_quirk(site: Site) -> None:
    """Of the moment of the call, also down to nothing."""
    machine = active(site.cloud)
    site.switch(stale_seconds=0)
    await site.call("recreate", serviceid=machine.id)
    assert (await site.server(machine))["status"] == "REBUILD"
    site.cloud.clock.advance(REBUILD)
    site.switch(stale_seconds=50)
    await site.call("recreate", serviceid=machine.id)
    site.cloud.clock.advance(49)
    assert (await site.server(machine))["status"] == "active"


async def test_a_recreated_server_is_the_same_at_another_address(site: Site) -> None:
    """Launched anew; a quirk lets it keep the address."""
    machine = active(site.cloud)
    first = await site.server(machine)
    await site.call("recreate", serviceid=machine.id)
    site.cloud.clock.advance(REBUILD)
    second = await site.server(machine)
    assert second["serviceid"] == first["serviceid"]
    assert second["main_ip"] != first["main_ip"]
    assert second["launched_at"] > first["launched_at"]
    site.switch(recreate_keeps_address=True)
    await site.call("recreate", serviceid=machine.id)
    site.cloud.clock.advance(REBUILD)
    assert (await site.server(machine))["main_ip"] == second["main_ip"]


async def test_regenerated_networking_may_move_a_server(site: Site) -> None:
    """By a quirk; it is not launched anew."""
    machine = active(site.cloud)
    first = await site.server(machine)
    for moves in (False, True):
        site.switch(regenerate_changes_address=moves)
        await site.call("regenerate_networking", serviceid=machine.id)
        site.cloud.clock.advance(100)
        server = await site.server(machine)
        assert (server["main_ip"] != first["main_ip"]) is moves
        assert server["launched_at"] == first["launched_at"]


async def test_a_reinstalled_server_has_another_system_when_it_is_back(site: Site) -> None:
    """The template may be named by its uuid or by its image."""
    machine = active(site.cloud)
    await site.call("reinstall_instance", serviceid=machine.id, template="debian-12")
    assert (await site.server(machine))["image"] == {"name": "Ubuntu 22.04"}
    site.cloud.clock.advance(REBUILD)
    assert (await site.server(machine))["template_uuid"] == DEBIAN
    (refused,) = await site.call("reinstall_instance", serviceid=machine.id, template="no-such")
    assert refused["result"] == "error"


async def test_a_failure_ends_in_error_with_words_and_without_the_effect(site: Site) -> None:
    """The display status says why; a recreation heals it."""
    machine = active(site.cloud)
    address = (await site.server(machine))["main_ip"]
    await site.call("recreate", serviceid=machine.id)
    disturbances.doom(site.cloud, machine, Failure("rebuild_spawning", "error", "error", "No valid host was found."))
    site.cloud.clock.advance(REBUILD)
    failed = await site.server(machine)
    assert (failed["status"], failed["vm_state"], failed["disp_status"]) == (
        "error",
        "error",
        "No valid host was found.",
    )
    assert failed["main_ip"] == address
    await site.call("recreate", serviceid=machine.id)
    site.cloud.clock.advance(REBUILD)
    assert (await site.server(machine))["disp_status"] == "Active"


@pytest.mark.parametrize("state", ["queued", "resize_finish"])
async def test_an_upgrade_may_fail_silently(site: Site, state: str) -> None:
    """Accepted, and active again with the old sizes, also where it would have ended active anyway."""
    site.switch(disk_only_skips_resized=True)
    machine = active(site.cloud)
    await site.call("upgrade_instance", serviceid=machine.id, rid=MORE_DISK)
    portal(site.cloud, machine, "pay")
    await site.call("upgrade_server", serviceid=machine.id)
    disturbances.doom(site.cloud, machine, Failure(state, "active", "error", "resize failed"))
    site.cloud.clock.advance(RESIZE)
    server = await site.server(machine)
    assert (server["status"], server["disk"], server["disp_status"]) == ("active", 50, "resize failed")


async def test_applications_answer_while_resized_and_while_queued(site: Site) -> None:
    """The server runs on its new host: its health can be checked before the confirmation."""
    machine = active(site.cloud)
    upgrades.order(site.cloud, machine.id, upgrades.plan_of(site.cloud, "403"))
    portal(site.cloud, machine, "pay")
    upgrades.apply(site.cloud, machine.id)
    runs, up = machine.runs, []
    for _ in range(RESIZE):
        site.cloud.engine.now()
        up.append(machine.up_since is not None)
        site.cloud.clock.advance(1)
    assert up == [True] * STALE + [False] * (RESIZE - STALE)
    assert site.cloud.look(machine.id).is_up
    upgrades.confirm(site.cloud, machine.id)
    site.cloud.clock.advance(5)
    assert site.cloud.look(machine.id).word == "active"
    assert machine.runs == runs + 1, "a confirmation restarts nothing"


def test_a_server_is_paid_for_a_term_and_can_be_deleted_nevertheless() -> None:
    """Monthly unless hourly billing is offered and wanted."""
    cloud = new_cloud(ManualClock())
    machine = active(cloud)
    assert machine.charge(cloud.engine.now()) == machine.product.term_price(1)
    cloud.delete(machine.id)
    cloud.clock.advance(5)
    assert cloud.truth() == []
    assert machine.state == GONE
    cloud.obey(Quirks(hourly_enabled=True))
    by_the_hour = active(cloud)
    cloud.clock.advance(3600)
    assert 0 < by_the_hour.charge(cloud.engine.now()) < 1


def test_what_other_providers_have_is_refused() -> None:
    """Nothing migrates here, and there are no ports to edit."""
    cloud = new_cloud(ManualClock())
    machine = active(cloud)
    for call in (cloud.migrate, cloud.edit):
        with pytest.raises(CloudError) as refused:
            call(machine.id)
        assert refused.value.reason is Refusal.WRONG_STATE
    assert cloud.ledger.select(operation=Operation.EDIT) == []
