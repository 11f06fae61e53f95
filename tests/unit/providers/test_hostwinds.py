"""The adapter's changes of a server, over scripted answers; the whole of it is in the contract suite."""

from __future__ import annotations

import httpx
import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.core.model import PlanChoice
from gpuinstance.providers.base import NotFound, Rejected, Unavailable, UnknownOutcome, WrongState
from gpuinstance.providers.hostwinds import URL
from tests.unit.providers.hostwinds_script import DENIED, DONE, KEY, SERVER, Answer, Script, Verb

CHANGES: dict[str, tuple[Verb, dict[str, str]]] = {
    # The action, how to call for it, and its fields beside the serviceid.
    "boot": (lambda p: p.start("183"), {}),
    "shutdown": (lambda p: p.stop("183"), {}),
    "reboot": (lambda p: p.restart("183"), {}),
    "terminate": (lambda p: p.delete("183"), {}),
    "edit_instance": (lambda p: p.rename("183", "other"), {"srvrname": "other"}),
    "recreate": (lambda p: p.rebuild("183"), {}),
    "reinstall_instance": (lambda p: p.reinstall("183", "d3b0"), {"template": "d3b0"}),
    "regenerate_networking": (lambda p: p.regenerate_networking("183"), {}),
    "upgrade_instance": (lambda p: p.order_upgrade("183", PlanChoice("404")), {"rid": "404"}),
    "upgrade_server": (lambda p: p.apply_upgrade("183", disk_gb=100), {"disk": "100"}),
    "confirm_upgrade": (lambda p: p.confirm_upgrade("183"), {}),
    "revert_upgrade": (lambda p: p.revert_upgrade("183"), {}),
}
NEEDS = {"boot": "SHUTOFF", "confirm_upgrade": "RESIZED", "revert_upgrade": "RESIZED"}
EVERY_CHANGE = pytest.mark.parametrize("action", CHANGES)


def ready_for(action: str, **answers: Answer) -> Script:
    """A server in a state that allows the action."""
    server = {**SERVER, "status": NEEDS.get(action, "active")}
    return Script(**{"get_instance": {"success": server}, **answers})


@EVERY_CHANGE
async def test_a_change_is_sent_after_the_server_was_vouched_for(action: str) -> None:
    """Valid first, then not suspended, then the action with its fields, each one POST to the one address."""
    script = ready_for(action)
    verb, fields = CHANGES[action]
    await verb(script.provider)
    assert script.actions == ["check_serviceid", "get_instance", action]
    assert script.forms[-1] == {
        "action": [action],
        "serviceid": ["183"],
        "API": [KEY],
        **{name: [value] for name, value in fields.items()},
    }
    for request in script.requests:
        assert (request.method, str(request.url)) == ("POST", URL)
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert "Authorization" not in request.headers


UNTOUCHABLE = {
    "suspended by its status": {"status": "suspended"},
    "suspended by a mark": {"is_suspended": "1"},
    "locked": {"locked": 1},
    "maybe locked": {"locked": "odd"},
}


@pytest.mark.parametrize("marks", UNTOUCHABLE.values(), ids=UNTOUCHABLE.keys())
@EVERY_CHANGE
async def test_a_suspended_or_locked_server_is_never_touched(action: str, marks: dict[str, object]) -> None:
    """Nothing is sent; the message says which it is and what helps."""
    script = Script(get_instance={"success": {**SERVER, **marks}})
    with pytest.raises(Rejected) as caught:
        await CHANGES[action][0](script.provider)
    assert caught.value.reason is Reason.INSTANCE_SUSPENDED
    assert "suspended" in caught.value.message or "locked" in caught.value.message
    assert script.actions == ["check_serviceid", "get_instance"]


@pytest.mark.parametrize("answer", [{"success": False}, {"success": 0}, {"success": "false"}, DENIED])
@EVERY_CHANGE
async def test_a_server_that_is_not_valid_is_not_found(action: str, answer: object) -> None:
    """However it is said; nothing else is sent."""
    script = Script(check_serviceid=answer)
    with pytest.raises(NotFound):
        await CHANGES[action][0](script.provider)
    assert script.actions == ["check_serviceid"]


@pytest.mark.parametrize("answer", [{"success": None}, {"success": "maybe"}, [], {}, {"success": [1]}, "yes", 7])
async def test_what_is_neither_yes_nor_no_is_no_answer(answer: object) -> None:
    """Unavailable: the server is neither touched nor lost."""
    script = Script(check_serviceid=answer)
    with pytest.raises(Unavailable):
        await script.provider.delete("183")
    assert script.actions == ["check_serviceid"]


WRONG = [
    ("a running one is not started", "active", None, "boot"),
    ("a stopped one is not stopped", "SHUTOFF", None, "shutdown"),
    ("a stopped one is not restarted", "SHUTOFF", None, "reboot"),
    ("one that goes is not told to go", "active", "deleting", "terminate"),
    ("a busy one is not rebuilt", "REBUILD", "rebuilding", "recreate"),
    ("a busy one is not upgraded", "active", "rebooting", "upgrade_server"),
    ("one with a strange task is not upgraded", "active", "image_snapshot", "upgrade_server"),
    ("a resized one is not upgraded again", "RESIZED", None, "upgrade_server"),
    ("a resizing one is not upgraded again", "RESIZE", "resize_prep", "upgrade_server"),
    ("no order for one that is resized", "RESIZED", None, "upgrade_instance"),
    ("one that is not resized is not confirmed", "active", None, "confirm_upgrade"),
    ("one that is not resized is not reverted", "active", None, "revert_upgrade"),
    ("one that is being confirmed is not confirmed again", "RESIZED", "resize_confirming", "confirm_upgrade"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "task", "action"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
async def test_a_state_that_does_not_fit_is_not_put_to_the_test(status: str, task: str | None, action: str) -> None:
    """What Hostwinds would do is not documented: WrongState, and nothing is sent."""
    script = Script(get_instance={"success": {**SERVER, "status": status, "task_state": task}})
    with pytest.raises(WrongState):
        await CHANGES[action][0](script.provider)
    assert script.actions == ["check_serviceid", "get_instance"]


@EVERY_CHANGE
async def test_a_change_without_a_clear_answer_is_in_doubt(action: str) -> None:
    """Once sent, never repeated: empty, odd, partly successful, broken."""
    mixed = [*DONE, *DENIED]
    for answer in (None, [], {"success": True}, mixed, httpx.Response(500), httpx.Response(200, text="<html>")):
        script = ready_for(action, **{action: answer})
        with pytest.raises(UnknownOutcome):
            await CHANGES[action][0](script.provider)
        assert script.actions.count(action) == 1
