"""Everything that can go wrong with a call of Hostwinds' API, by the name of its operation."""

from __future__ import annotations

import json

import httpx
import pytest

from gpuinstance_simulator.hostwinds.actions import ACTIONS
from gpuinstance_simulator.lifecycle import Actor, Operation
from gpuinstance_simulator.machine import Machine
from tests.unit.simulator.hostwinds_support import (
    ADD,
    BIGGER,
    DEBIAN,
    RESIZE,
    Site,
    active,
    bought,
    history,
    payments,
    portal,
)

CHANGES = {name: action for name, action in ACTIONS.items() if action.message}
PREPARATIONS = {
    "boot": ["shutdown"],
    "upgrade_server": ["order", "pay"],
    "confirm_upgrade": ["order", "pay", "apply"],
    "revert_upgrade": ["order", "pay", "apply"],
}


def ready_for(site: Site, action: str) -> Machine:
    """A server for which the action will be accepted."""
    machine = active(site.cloud)
    for step in PREPARATIONS.get(action, []):
        if step == "shutdown":
            site.cloud.stop(machine.id, actor=Actor.CONSOLE)
        else:
            portal(site.cloud, machine, step, plan=BIGGER)
        site.cloud.clock.advance(RESIZE)
    site.cloud.engine.now()
    return machine


async def send(site: Site, action: str, machine: Machine) -> httpx.Response:
    fields = {"template": DEBIAN, "rid": BIGGER, "location_id": 1, "srvrname": "new"}
    return await site.post(action, serviceid=machine.id, **fields)


def accepted(site: Site, action: str) -> int:
    """How many calls of this kind took effect since the preparations, which people made."""
    done = site.cloud.ledger.select(operation=ACTIONS[action].operation, actor=Actor.API)
    return len(done) - (action == "add_instance")  # the server that was there before


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("action", CHANGES)
async def test_the_answer_of_every_change_can_be_lost(site: Site, action: str, when: str) -> None:
    """Before the acceptance, or after it: the client sees the same, a connection that breaks."""
    machine = ready_for(site, action)
    site.plant(CHANGES[action].operation, {"kind": "drop", "when": when})
    with pytest.raises(httpx.TransportError):
        await send(site, action, machine)
    assert accepted(site, action) == (when == "after")


BROKEN: dict[str, tuple[dict[str, object], int, str]] = {
    "a server error": ({"kind": "answer", "status": 500}, 500, "<html>"),
    "a gateway error": ({"kind": "answer", "status": 502}, 502, "<html>"),
    "a page of HTML": ({"kind": "answer", "status": 200, "html": True}, 200, "<html>"),
    "a limit": ({"kind": "answer", "status": 429, "retry_after": 7}, 429, '"result": "error"'),
    "an error item": ({"kind": "answer", "status": 200}, 200, '"result": "error"'),
    "an error item with a number": ({"kind": "answer", "status": 200, "reason": "4711"}, 200, '"ERROR": "4711"'),
    "an error item in these words": ({"kind": "answer", "status": 200, "message": "Oops<br>"}, 200, '"Oops<br>"'),
    "a refused key": ({"kind": "answer", "status": 401}, 401, "Not Authorized!"),
    "a refused key in an item": (
        {"kind": "answer", "status": 200, "reason": "unauthorized"},
        200,
        "Not Authorized!",
    ),
}


@pytest.mark.parametrize(("effect", "status", "text"), BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_false_answer_replaces_the_true_one(
    site: Site, effect: dict[str, object], status: int, text: str, when: str
) -> None:
    """In the provider's own words; the cloud has done what was asked, or not."""
    machine = active(site.cloud)
    site.plant("stop", effect | {"when": when})
    answer = await send(site, "shutdown", machine)
    assert answer.status_code == status
    assert text in answer.text
    assert answer.headers.get("retry-after") == ("7" if status == 429 else None)
    assert accepted(site, "shutdown") == (when == "after")


@pytest.mark.parametrize("action", CHANGES)
async def test_every_change_can_be_without_effect_although_it_was_accepted(site: Site, action: str) -> None:
    """The answer is that of a success, word by word; nothing happens."""
    machine = ready_for(site, action)
    before = (machine.state, history(site.cloud))
    operation = CHANGES[action].operation
    site.plant(operation, {"kind": "answer", "status": 200, "reason": "success"})
    false = (await send(site, action, machine)).json()
    assert (machine.state, history(site.cloud)) == before
    assert (await send(site, action, machine)).json() == false
    assert accepted(site, action) == 1


async def test_a_cut_answer_is_half_a_json(site: Site) -> None:
    """The order was placed."""
    machine = active(site.cloud)
    site.plant("order", {"kind": "truncate"})
    with pytest.raises(json.JSONDecodeError):
        (await send(site, "upgrade_instance", machine)).json()
    assert accepted(site, "upgrade_instance") == 1


async def test_fields_can_be_missing_inside_the_envelope(site: Site) -> None:
    """Of an object, and of the objects of a list."""
    machine = active(site.cloud)
    await site.call("upgrade_instance", serviceid=machine.id, rid=BIGGER)
    site.plant("check_order", {"kind": "strip", "fields": ["invoiceid", "total"]})
    assert set((await site.call("check_upgrade_order", serviceid=machine.id))["success"]) == {
        "id",
        "orderid",
        "duedate",
    }
    site.plant("ids", {"kind": "strip", "fields": ["srvrname"]})
    assert "srvrname" not in (await site.call("get_instance_ids"))["success"][0]
    site.plant("list", {"kind": "strip", "fields": ["success"]})
    assert await site.call("get_instances") == {}


async def test_the_key_can_be_refused_for_a_while(site: Site) -> None:
    """For all actions."""
    site.plant("*", {"kind": "answer", "status": 401}, count=None, seconds=60)
    assert (await site.post("get_instances")).status_code == 401
    site.cloud.clock.advance(60)
    assert (await site.post("get_instances")).status_code == 200


async def test_a_listing_lags_after_creation_and_deletion(site: Site) -> None:
    """Both listings; a lookup by id does not."""
    site.plant("create", {"kind": "lag", "seconds": 50}, name="slow")
    site.plant("delete", {"kind": "lag", "seconds": 50}, name="slow")
    await site.call(**{**ADD, "srvrname": "slow"})
    (machine,) = site.cloud.truth()
    assert await listed(site) == [[], []]
    assert (await site.server(machine))["srvrname"] == "slow"
    site.cloud.clock.advance(50)
    assert await listed(site) == [["slow"], ["slow"]]
    await site.call("terminate", serviceid=machine.id)
    site.cloud.clock.advance(49)
    assert await listed(site) == [["slow"], ["slow"]]
    assert await site.call("check_serviceid", serviceid=machine.id) == {"success": False}
    site.cloud.clock.advance(1)
    assert await listed(site) == [[], []]


async def listed(site: Site) -> list[list[str]]:
    answers = [await site.call(action) for action in ("get_instances", "get_instance_ids")]
    return [[it["srvrname"] for it in answer["success"]] for answer in answers]


@pytest.mark.parametrize(
    ("shape", "page", "expected"),
    [
        ("empty", 2, []),
        ("short", 2, ["m2"]),
        ("repeated", 2, ["m4", "m3"]),
        ("overlap", 2, ["m2", "m2"]),
        ("empty", 1, ["m2", "m1"]),
    ],
)
async def test_a_page_of_ids_can_be_wrong(site: Site, shape: str, page: int, expected: list[str]) -> None:
    """Pages of two: m4 m3 | m2 m1; the fault is for one of them."""
    for number in range(1, 5):
        bought(site.cloud, f"m{number}")
    site.plant("ids", {"kind": "page", "shape": shape}, page=page)
    found = (await site.call("get_instance_ids", page=2, limit=2))["success"]
    assert [it["srvrname"] for it in found] == expected
    site.plant("list", {"kind": "page", "shape": "short"}, page=1)
    assert len((await site.call("get_instances"))["success"]) == 3


@pytest.mark.parametrize("state", ["queued", "resize_migrating"])
async def test_a_change_can_get_stuck(site: Site, state: str) -> None:
    """Under way for ever, or queued for ever: the second looks as if nothing had been asked."""
    machine = ready_for(site, "upgrade_server")
    site.plant("apply", {"kind": "stick", "state": state})
    await send(site, "upgrade_server", machine)
    site.cloud.clock.advance(100_000)
    assert (await site.server(machine))["status"] == ("active" if state == "queued" else "RESIZE")


@pytest.mark.parametrize(("ends", "status"), [("error", "error"), ("suspended", "suspended"), ("shutoff", "SHUTOFF")])
async def test_a_change_can_end_badly(site: Site, ends: str, status: str) -> None:
    """With words in the display status."""
    site.plant("create", {"kind": "fail", "at": "spawning", "ends": ends, "message": "No valid host"})
    await site.call(**ADD)
    site.cloud.clock.advance(30)
    (machine,) = site.cloud.truth()
    server = await site.server(machine)
    assert (server["status"], server["disp_status"]) == (status, "No valid host")
    assert history(site.cloud) == ["create", "fail"]


async def test_a_strange_word_can_be_shown(site: Site) -> None:
    """Instead of the status, with a machine state that nobody knows either."""
    machine = active(site.cloud)
    site.plant("get", {"kind": "word", "word": "hibernating"})
    await site.server(machine)
    server = await site.server(machine)
    assert (server["status"], server["vm_state"], server["task_state"]) == ("hibernating", "hibernating", None)


@pytest.mark.parametrize(
    ("operation", "when", "do", "told"),
    [
        ("order", "before", {"action": "order", "plan": BIGGER}, "An upgrade order already exists for this service."),
        ("stop", "before", {"action": "lock"}, "Service is locked."),
        ("stop", "before", {"action": "suspend"}, "Service is suspended."),
        ("order", "after", {"action": "cancel_order"}, "Service has been upgraded!"),
    ],
)
async def test_somebody_can_interfere_at_the_very_moment_of_a_call(
    site: Site, operation: str, when: str, do: dict[str, object], told: str
) -> None:
    """Between our look and our step."""
    machine = active(site.cloud)
    site.plant(operation, {"kind": "console", "when": when, "do": do})
    action = {"order": "upgrade_instance", "stop": "shutdown"}[operation]
    (item,) = (await send(site, action, machine)).json()
    assert item["message"] == told
    assert len(site.cloud.ledger.select(actor=Actor.CONSOLE)) == 1


async def test_an_unanswered_upgrade_that_is_repeated_is_paid_twice_where_that_is_switched(site: Site) -> None:
    """The trap in full: accepted, the answer lost, the old state still shown, and so sent again."""
    site.switch(repeated_upgrade="charged")
    machine = ready_for(site, "upgrade_server")
    site.plant("apply", {"kind": "drop", "when": "after"})
    with pytest.raises(httpx.TransportError):
        await send(site, "upgrade_server", machine)
    assert (await site.server(machine))["status"] == "active", "as if it had not been accepted"
    await send(site, "upgrade_server", machine)
    assert payments(site.cloud) == ["4.00", "4.00"]


async def test_calls_are_counted_by_operation(site: Site) -> None:
    """Those of unknown actions, too; with the server that they are about."""
    machine = active(site.cloud)
    await site.call("get_instance", serviceid=machine.id)
    await site.call("dance", serviceid=machine.id)
    await site.call(**ADD)
    counts = site.simulation.calls.counts
    assert counts == {"get": 1, "unknown": 1, "create": 1}
    records = site.simulation.calls.last(3)
    assert [it.machine_name for it in records] == ["web", "web", "web"]
    assert records[0].machine_id == machine.id
    assert Operation.UNKNOWN not in {entry.operation for entry in site.cloud.ledger}
