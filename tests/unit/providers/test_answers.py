"""What each status and error body means, by Novita's table of names."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.providers.answers import Answer, Call, excerpt, parse_retry_after, value_of
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
from gpuinstance.providers.novita.errors import NOVITA

NOW = datetime(2026, 8, 22, 12, 0, 0, tzinfo=UTC)
READ = Call("get instance", missing=Reason.INSTANCE_LOST)
STOP = Call("stop", changes=True, missing=Reason.INSTANCE_LOST)
CREATE = Call("create", changes=True)
TEMPLATE = Call("get template", missing=Reason.TEMPLATE_NOT_FOUND)


def judge(status: int, body: object, call: Call = STOP, retry_after: str | None = None) -> ProviderError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(ProviderError) as caught:
        value_of(Answer(status, raw, retry_after), call, NOVITA, now=NOW)
    return caught.value


NAMES = [
    ("INSUFFICIENT_RESOURCE", OutOfCapacity, Reason.INSUFFICIENT_RESOURCE),
    ("MIGRATE_INSUFFICIENT_RESOURCE", OutOfCapacity, Reason.INSUFFICIENT_RESOURCE),
    ("CLUSTER_STATUS", OutOfCapacity, Reason.INSUFFICIENT_RESOURCE),
    ("BALANCE_NOT_ENOUGH", Rejected, Reason.BALANCE_NOT_ENOUGH),
    ("EXPIRED_OR_BALANCE_NOT_ENOUGH", Rejected, Reason.BALANCE_NOT_ENOUGH),
    ("CREATE_INSTANCE_LIMIT", Rejected, Reason.BALANCE_NOT_ENOUGH),
    ("UNSUPPORTED_BILLING_MODE", Rejected, Reason.NO_PRODUCT_AVAILABLE),
    ("PREPAID_INSTANCE_NOT_SUPPORT_RELEASE", Rejected, Reason.DELETION_REFUSED),
    ("TEMPLATE_NOT_FOUND", NotFound, Reason.TEMPLATE_NOT_FOUND),
    ("TEMPLATE_IS_PRIVATE", NotFound, Reason.TEMPLATE_NOT_FOUND),
    ("IMAGE_NOT_FOUND", Rejected, Reason.IMAGE_REJECTED),
    ("IMAGE_AUTH_IN_USE", Rejected, Reason.IMAGE_REJECTED),
    ("VALIDATOR_PARAM", Rejected, Reason.REQUEST_REJECTED),
    ("NETWORK_STORAGE_NOT_FOUND", Rejected, Reason.REQUEST_REJECTED),
    ("CONFLICT", WrongState, Reason.REQUEST_REJECTED),
    ("DEPENDENT_RESOURCE_STATE", WrongState, Reason.REQUEST_REJECTED),
    ("RESOURCE_NOT_FOUND", NotFound, Reason.INSTANCE_LOST),
    ("RATE_LIMIT_EXCEEDED", RateLimited, Reason.RATE_LIMITED),
    ("OPERATION_LIMIT", RateLimited, Reason.RATE_LIMITED),
    ("NODE_STATUS", Unavailable, Reason.PROVIDER_UNAVAILABLE),
    ("GET_TOKEN_FAILED", Unauthorized, Reason.UNAUTHORIZED),
    ("A_NAME_OF_NEXT_YEAR", Rejected, Reason.REQUEST_REJECTED),
]


@pytest.mark.parametrize(("name", "error", "reason"), NAMES, ids=[row[0] for row in NAMES])
def test_a_name_decides_where_the_status_says_little(name: str, error: type[ProviderError], reason: Reason) -> None:
    """Novita answers 400 to nearly everything: the name alone tells the consequence, and is kept."""
    caught = judge(400, {"code": 400, "reason": name, "message": "words", "metadata": {}})
    assert type(caught) is error
    assert caught.reason is reason
    assert caught.code == name
    assert "words" in caught.message


SHAPES = {
    "the service's own shape": {"code": 400, "reason": "INSUFFICIENT_RESOURCE", "message": "none left"},
    "the name as a code": {"code": "INSUFFICIENT_RESOURCE", "msg": "none left"},
    "a nested error": {"error": {"code": "INSUFFICIENT_RESOURCE", "message": "none left"}},
    "an error that is a name": {"error": "INSUFFICIENT_RESOURCE", "message": "none left"},
    "the name in place of the text": {"message": "INSUFFICIENT_RESOURCE"},
    "nothing but the name": {"reason": "INSUFFICIENT_RESOURCE"},
}


@pytest.mark.parametrize("body", SHAPES.values(), ids=SHAPES.keys())
def test_all_known_shapes_of_an_error_are_read(body: object) -> None:
    """The JSON around an error's name is not documented; every shape that was seen is understood."""
    assert type(judge(400, body)) is OutOfCapacity


VAGUE = {"reason": "REQUEST", "message": "invalid state change"}
DEFINITE = {"reason": "VALIDATOR_PARAM", "message": "port not found"}
STATUSES = [
    # A sentence, the call, status, body, the error
    ("401 is about the key, whatever else it says", STOP, 401, {"reason": "CONFLICT"}, Unauthorized),
    ("403 with a page of a gateway", READ, 403, b"<html>", Unauthorized),
    ("429 needs no body", CREATE, 429, b"", RateLimited),
    ("425 was not carried out", STOP, 425, b"", Unavailable),
    ("a 5xx leaves a change in doubt", CREATE, 500, {"reason": "UNKNOWN"}, UnknownOutcome),
    ("a 5xx that names a refusal still does", CREATE, 500, {"reason": "VALIDATOR_PARAM"}, UnknownOutcome),
    ("a 5xx that speaks of nothing found does, too", STOP, 500, {"message": "not found"}, UnknownOutcome),
    ("a gateway may have passed it on", STOP, 502, b"<html>", UnknownOutcome),
    ("a gateway's timeout is no answer", STOP, 504, b"<html>", UnknownOutcome),
    ("408 may come from a gateway", STOP, 408, b"", UnknownOutcome),
    ("a redirect was not asked for", CREATE, 302, b"", UnknownOutcome),
    ("a read in trouble is only unavailable", READ, 500, {"message": "instance not found"}, Unavailable),
    ("a redirect of a read, too", READ, 301, b"", Unavailable),
    ("404 in the provider's words is knowledge", READ, 404, {"message": "no such thing"}, NotFound),
    ("404 of a gateway is none", READ, 404, b"<html>404</html>", Unavailable),
    ("404 of a bare server is none", READ, 404, b"404 page not found", Unavailable),
    ("404 for a wrong path is none", READ, 404, {"reason": "API_NOT_FOUND", "message": "x"}, Unavailable),
    ("404 without a word is none", STOP, 404, b"", Unavailable),
    ("409 is a lost race", STOP, 409, {"message": "busy"}, WrongState),
    ("an observed phrase", STOP, 400, {"message": "Invalid state change"}, WrongState),
    ("an observed phrase beside a vague name", STOP, 400, VAGUE, WrongState),
    ("the provider's spelling", STOP, 400, {"message": "instance not fount"}, NotFound),
    ("a definite name outweighs words", STOP, 400, DEFINITE, Rejected),
    ("a gateway's 400 is no verdict of the provider", CREATE, 400, b"<html>", Unavailable),
    ("nor is an empty object", CREATE, 400, {}, Unavailable),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "status", "body", "error"), [row[1:] for row in STATUSES], ids=[row[0] for row in STATUSES]
)
def test_statuses(call: Call, status: int, body: object, error: type[ProviderError]) -> None:
    """Each row's sentence is what must be true."""
    assert type(judge(status, body, call)) is error


ABSENT = [
    ("registry auth not found", STOP, Rejected, Reason.IMAGE_REJECTED),
    ("image not found", STOP, Rejected, Reason.IMAGE_REJECTED),
    ("product not found", CREATE, Rejected, Reason.PRODUCT_NOT_FOUND),
    ("cluster not found", CREATE, Rejected, Reason.REGION_NOT_FOUND),
    ("network storage not found", STOP, Rejected, Reason.REQUEST_REJECTED),
    ("instance not found", STOP, NotFound, Reason.INSTANCE_LOST),
    ("container not found", READ, NotFound, Reason.INSTANCE_LOST),
    ("template not found", TEMPLATE, NotFound, Reason.TEMPLATE_NOT_FOUND),
    ("something not found", CREATE, Rejected, Reason.REQUEST_REJECTED),
]


@pytest.mark.parametrize(("text", "call", "error", "reason"), ABSENT, ids=[row[0] for row in ABSENT])
def test_only_the_machine_itself_can_be_lost(text: str, call: Call, error: type[ProviderError], reason: Reason) -> None:
    """What a call names beside its machine may be missing without the machine being gone."""
    for body in ({"reason": "RESOURCE_NOT_FOUND", "message": text}, {"message": text}):
        caught = judge(400, body, call)
        assert (type(caught), caught.reason) == (error, reason)


SUCCESSES = [
    ("JSON is the value", b'{"id": "x"}', READ, {"id": "x"}),
    ("nothing is nothing", b"", STOP, None),
    ("blanks are nothing", b" \n", STOP, None),
]


@pytest.mark.parametrize(("body", "call", "value"), [row[1:] for row in SUCCESSES], ids=[row[0] for row in SUCCESSES])
def test_success(body: bytes, call: Call, value: object) -> None:
    """A 2xx with JSON or without a body is a success."""
    assert value_of(Answer(200, body), call, NOVITA, now=NOW) == value


UNUSABLE = {
    "HTML": b"<!doctype html><p>Welcome",
    "half a JSON": b'{"id": "7948',
    "bytes": b"\xff\xfe\x00",
    "absurd depth": b"[" * 100_000,
}


@pytest.mark.parametrize("body", [*UNUSABLE.values(), None], ids=[*UNUSABLE.keys(), "too much"])
def test_a_success_that_cannot_be_read_is_none(body: bytes | None) -> None:
    """It leaves a change in doubt and a read without an answer."""
    for call, error in ((CREATE, UnknownOutcome), (READ, Unavailable)):
        with pytest.raises(error):
            value_of(Answer(200, body), call, NOVITA, now=NOW)


RETRY_AFTER = [
    (None, None),
    ("30", 30.0),
    ("1.5", 1.5),
    ("0", 0.0),
    ("-5", 0.0),
    ("Sat, 22 Aug 2026 12:00:45 GMT", 45.0),
    ("Sat, 22 Aug 2026 11:00:00 GMT", 0.0),
    ("999999999", 3600.0),
    ("inf", 3600.0),
    ("nan", None),
    ("soon", None),
    ("", None),
]


@pytest.mark.parametrize(("header", "seconds"), RETRY_AFTER)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    """Seconds and dates are read, nonsense is none, the past is now, and no pause is absurdly long."""
    assert parse_retry_after(header, now=NOW) == seconds


def test_a_limit_tells_its_time() -> None:
    """A RateLimited carries what Retry-After asks for."""
    caught = judge(429, b"", READ, retry_after="7")
    assert isinstance(caught, RateLimited)
    assert caught.retry_after == 7


def test_messages_are_short_single_printable_lines() -> None:
    """Control characters, line breaks, direction marks and lone surrogates do not reach a status."""
    text = "first\r\nsecond\x1b[31m\u202e third\ud800 " + "x" * 500
    line = excerpt(text)
    assert line.startswith("first second [31m third x")
    assert len(line) == 200
    assert line.isprintable()
    line.encode()


def test_an_echoed_secret_is_blotted_out() -> None:
    """A provider that repeats what it was sent does not bring it into a message, not even in part."""
    call = Call("create", changes=True, secrets=("hunter2-hunter2", "hunter2-hunter2-and-more", "no"))
    body = {"reason": "VALIDATOR_PARAM", "message": "x" * 190 + " hunter2-hunter2-and-more is no value"}
    caught = judge(400, body, call)
    assert "hunter2" not in caught.message
    assert "hunter2" not in repr(call)
