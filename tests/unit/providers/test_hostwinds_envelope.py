"""What Hostwinds' envelopes hold, and the no in a success: every shape that is documented or was seen."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.providers.answers import Answer, Call, value_of
from gpuinstance.providers.base import (
    NotFound,
    OutOfCapacity,
    ProviderError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
    WrongState,
)
from gpuinstance.providers.hostwinds.envelope import confirm, content
from gpuinstance.providers.hostwinds.errors import HOSTWINDS

NOW = datetime(2026, 8, 22, 12, 0, 0, tzinfo=UTC)
READ = Call("get server", missing=Reason.INSTANCE_LOST)
STOP = Call("stop", changes=True, missing=Reason.INSTANCE_LOST)
CREATE = Call("create", changes=True)

INVOICE_PAID = {"result": "success", "action": "Invoice Paid", "message": "Invoice paid"}
ADDED = {"result": "success", "action": "Add Instance", "message": "Server is being Created!"}


def error(message: str, **more: object) -> dict[str, object]:
    return {"result": "error", "action": "Some Action", "message": message, **more}


CONTENTS = [
    ("under success", {"success": {"serviceid": 1}}, {"serviceid": 1}),
    ("bare object", {"serviceid": 1}, {"serviceid": 1}),
    ("list under success", {"success": [{"serviceid": 1}]}, [{"serviceid": 1}]),
    ("bare list", [{"serviceid": 1}], [{"serviceid": 1}]),
    ("nothing under success", {"success": []}, []),
    ("empty list", [], []),
    ("empty object", {}, {}),
    ("yes", {"success": True}, True),
    ("no", {"success": False}, False),
    ("null", {"success": None}, None),
    ("nothing", None, None),
]


@pytest.mark.parametrize(("answer", "expected"), [row[1:] for row in CONTENTS], ids=[row[0] for row in CONTENTS])
def test_both_envelopes_of_a_read_are_opened(answer: object, expected: object) -> None:
    """What is asked for comes bare or under `success`."""
    assert content(answer, READ) == expected


ERRORS = {
    "in an array": [error("no")],
    "alone": error("no"),
    "second": [INVOICE_PAID, error("no")],
    "shouting": [{**error("no"), "result": "ERROR"}],
    "under success": {"success": [error("no")]},
}


@pytest.mark.parametrize("answer", ERRORS.values(), ids=ERRORS.keys())
def test_any_error_item_fails_a_read(answer: object) -> None:
    """Wherever it stands, and although the status of the answer says success."""
    with pytest.raises(Rejected, match="Hostwinds refused get server: no"):
        content(answer, READ)


@pytest.mark.parametrize("answer", [[ADDED], {"success": [ADDED]}, ADDED])
def test_a_confirmation_is_no_content(answer: object) -> None:
    """A read asks for something else."""
    with pytest.raises(Unavailable):
        content(answer, READ)


@pytest.mark.parametrize(
    "answer", [[ADDED], [INVOICE_PAID, ADDED], ADDED, {"success": [ADDED]}, [{"result": "Success"}]]
)
def test_a_change_is_confirmed_by_its_items(answer: object) -> None:
    """All of them say success."""
    confirm(answer, CREATE)


@pytest.mark.parametrize("answer", [None, {}, [], "ok", True, {"success": True}, {"success": "done"}, [1], [{}]])
def test_an_odd_answer_to_a_change_is_in_doubt(answer: object) -> None:
    """Nothing that is documented: it may have taken effect."""
    with pytest.raises(UnknownOutcome):
        confirm(answer, CREATE)


@pytest.mark.parametrize(
    "answer",
    [
        [INVOICE_PAID, error("Location Id is invalid.")],
        [error("Location Id is invalid."), INVOICE_PAID],
        [ADDED, {"result": "warning", "message": "hm"}],
        [ADDED, "noise"],
    ],
)
def test_a_part_of_a_success_is_in_doubt(answer: object) -> None:
    """An invoice may be paid although no server was made: neither believed nor repeated."""
    with pytest.raises(UnknownOutcome):
        confirm(answer, CREATE)


MESSAGES = [
    # documented texts
    ("A valid serviceid is required.", NotFound, Reason.INSTANCE_LOST),
    ("Service Id is required.", NotFound, Reason.INSTANCE_LOST),
    ("Location Id is invalid.", Rejected, Reason.REGION_NOT_FOUND),
    (
        "Hourly products are disabled! Please contact customer service.",
        Rejected,
        Reason.NO_PRODUCT_AVAILABLE,
    ),
    ("Not Authorized!", Unauthorized, Reason.UNAUTHORIZED),
    # texts that nobody has documented, by the words they can hardly do without
    ("This server is suspended.", Rejected, Reason.INSTANCE_SUSPENDED),
    ("Service is LOCKED, please unlock it first", Rejected, Reason.INSTANCE_SUSPENDED),
    ("Your account has been suspended", Rejected, Reason.REQUEST_REJECTED),
    ("Invalid template", Rejected, Reason.TEMPLATE_NOT_FOUND),
    ("Template does not exist", Rejected, Reason.TEMPLATE_NOT_FOUND),
    ("rid is invalid", Rejected, Reason.PRODUCT_NOT_FOUND),
    ("Unknown product", Rejected, Reason.PRODUCT_NOT_FOUND),
    ("Sorry, this plan is out of stock", OutOfCapacity, Reason.INSUFFICIENT_RESOURCE),
    ("There is no more capacity here, try again later", OutOfCapacity, Reason.INSUFFICIENT_RESOURCE),
    ("Insufficient funds", Rejected, Reason.BALANCE_NOT_ENOUGH),
    ("Server limit reached", Rejected, Reason.BALANCE_NOT_ENOUGH),
    ("The invoice has to be paid first", Rejected, Reason.REQUEST_REJECTED),
    ("Invoice #416 is unpaid.", Rejected, Reason.REQUEST_REJECTED),
    ("Server is already running", WrongState, Reason.REQUEST_REJECTED),
    ("An upgrade is in progress", WrongState, Reason.REQUEST_REJECTED),
    ("The instance is not in the RESIZED state", WrongState, Reason.REQUEST_REJECTED),
    ("The instance is not resized.", WrongState, Reason.REQUEST_REJECTED),
    ("Too many requests", RateLimited, Reason.RATE_LIMITED),
    ("Instance not found", NotFound, Reason.INSTANCE_LOST),
    ("SSH key not found", Rejected, Reason.REQUEST_REJECTED),
    ("Invalid action.", Rejected, Reason.REQUEST_REJECTED),
    ("A sentence of next year", Rejected, Reason.REQUEST_REJECTED),
    ("", Rejected, Reason.REQUEST_REJECTED),
]


@pytest.mark.parametrize(("message", "kind", "reason"), MESSAGES, ids=[row[0] for row in MESSAGES])
def test_the_words_decide(message: str, kind: type[ProviderError], reason: Reason) -> None:
    """Alike for a read and for a change."""
    for judge, call in ((content, READ), (confirm, STOP)):
        with pytest.raises(ProviderError) as caught:
            judge([error(message)], call)
        assert (type(caught.value), caught.value.reason) == (kind, reason)


@pytest.mark.parametrize("message", ["Internal Server Error", "Please try again later", "Down for maintenance"])
def test_trouble_is_no_refusal(message: str) -> None:
    """A read got no answer, a change may have taken effect."""
    with pytest.raises(Unavailable):
        content([error(message)], READ)
    with pytest.raises(UnknownOutcome):
        confirm([error(message)], STOP)


def test_a_call_that_names_no_server_loses_none() -> None:
    """What a purchase does not find is no machine."""
    for message in ("A valid serviceid is required.", "Something not found"):
        with pytest.raises(Rejected):
            confirm([error(message)], CREATE)


def test_the_number_of_an_error_is_kept_and_not_judged() -> None:
    """As code, whether text or number; a message may be missing, and may hold HTML."""
    for number in ("342432", 342432):
        with pytest.raises(Rejected) as caught:
            confirm([error("Bad<br>thing <b>here</b>", ERROR=number)], CREATE)
        assert caught.value.code == "342432"
        assert caught.value.message == "Hostwinds refused create: Bad thing here"
    with pytest.raises(Rejected, match="Some Action"):
        confirm([{"result": "error", "action": "Some Action"}], CREATE)
    with pytest.raises(Rejected):
        confirm([{"result": "error"}], CREATE)


UNAUTHORIZED = [{"result": "error", "action": "Authorization", "message": "Not Authorized!"}]


@pytest.mark.parametrize("status", [200, 401, 403, 400, 404, 500])
def test_not_authorized_names_both_causes(status: int) -> None:
    """Whatever the status: it is configuration, and the message says where to look."""
    for call, judge in ((READ, content), (STOP, confirm)):
        with pytest.raises(Unauthorized) as caught:
            judge(value_of(Answer(status, json.dumps(UNAUTHORIZED).encode()), call, HOSTWINDS, now=NOW), call)
        assert "API key is wrong" in caught.value.message
        assert "IPv4 address" in caught.value.message


def test_refused_statuses_name_both_causes_too() -> None:
    """401 and 403 without a word of the provider."""
    for status in (401, 403):
        with pytest.raises(Unauthorized, match="IPv4 address"):
            value_of(Answer(status, b"<html>"), READ, HOSTWINDS, now=NOW)


def test_an_action_called_authorization_is_about_the_key() -> None:
    """In whatever words."""
    with pytest.raises(Unauthorized, match="key expired"):
        content([{"result": "error", "action": "Authorization", "message": "key expired"}], READ)


STATUSES = [
    ("404 in the provider's words", READ, 404, b'[{"result":"error","message":"no such thing"}]', NotFound),
    ("404 of a gateway is no word of the provider", READ, 404, b"<html>", Unavailable),
    ("a 4xx refusal in words", CREATE, 400, b'[{"result":"error","message":"Location Id is invalid."}]', Rejected),
    ("trouble with a 4xx changed nothing", CREATE, 404, b'[{"result":"error","message":"try again"}]', Unavailable),
    ("a 5xx leaves a change in doubt", CREATE, 500, b'[{"result":"error","message":"bad"}]', UnknownOutcome),
    ("a 5xx is no answer to a read", READ, 502, b"<html>", Unavailable),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "status", "body", "kind"), [row[1:] for row in STATUSES], ids=[row[0] for row in STATUSES]
)
def test_other_statuses(call: Call, status: int, body: bytes, kind: type[ProviderError]) -> None:
    """Each row's sentence is what must be true."""
    with pytest.raises(ProviderError) as caught:
        value_of(Answer(status, body), call, HOSTWINDS, now=NOW)
    assert type(caught.value) is kind


def test_an_echoed_key_is_blotted_out() -> None:
    """Secrets of the call are in no message."""
    call = Call("create", changes=True, secrets=("canary-key",))
    with pytest.raises(Rejected) as caught:
        confirm([error("bad key canary-key")], call)
    assert "canary" not in caught.value.message
    with pytest.raises(UnknownOutcome) as doubt:
        confirm([ADDED, error("bad key canary-key")], call)
    assert "canary" not in doubt.value.message
