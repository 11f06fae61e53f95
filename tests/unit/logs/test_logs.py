"""One line an event, from whoever logs, and no secret in it."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal
from urllib.parse import quote, quote_plus

import pytest
import structlog

from gpuinstance import logs

SECRET = 'sk_t3st/"q+uöte" key=='
Start = Callable[..., io.StringIO]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Configure logging for this test only, and return what is written."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs._QUIET}
    monkeypatch.setattr(logs, "_kept", type(logs._kept)())

    def configure(log_format: Literal["json", "console"] = "json", level: str = "INFO") -> io.StringIO:
        stream = io.StringIO()
        logs.configure(log_format, level, stream=stream)
        return stream

    yield configure
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()


def fail(text: str) -> None:
    raise ValueError(text)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_our_lines_and_those_of_libraries_look_alike(start: Start) -> None:
    """Both are one line of JSON with the same fields."""
    stream = start()
    structlog.get_logger("gpuinstance.reconcile").info("transition", object="team-a/trainer", phase="Ready")
    logging.getLogger("kopf.reactor").warning("cannot %s %d times", "watch", 3, extra={"k8s_ref": {"name": "x"}})
    ours, theirs = lines(stream)
    assert ours["event"] == "transition"
    assert ours["object"] == "team-a/trainer"
    assert theirs["event"] == "cannot watch 3 times"
    assert (theirs["logger"], theirs["level"], theirs["k8s_ref"]) == ("kopf.reactor", "warning", {"name": "x"})
    for line in (ours, theirs):
        assert line["timestamp"].endswith("Z")
        assert line["level"]
        assert line["logger"]


def test_talkative_libraries_are_quiet_at_any_level(start: Start) -> None:
    """Also when somebody debugs: kubernetes would log the bodies of Secrets."""
    stream = start(level="DEBUG")
    for name in ("kopf.objects", "httpx", "aiohttp.access"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("%s has trouble", name)
    logging.getLogger("client").debug("response body: ...")
    logging.getLogger("kubernetes.aio.client.rest").debug("response body: ...")
    structlog.get_logger("gpuinstance").debug("ours")
    said = [line["event"] for line in lines(stream)]
    assert said == ["kopf.objects has trouble", "httpx has trouble", "aiohttp.access has trouble", "ours"]


def test_the_level_holds_for_all(start: Start) -> None:
    """What is below it is not written."""
    stream = start(level="ERROR")
    structlog.get_logger("gpuinstance").warning("no")
    logging.getLogger("kopf.objects").warning("no")
    structlog.get_logger("gpuinstance").error("yes")
    assert [line["event"] for line in lines(stream)] == ["yes"]


def test_configuring_again_replaces(start: Start) -> None:
    """Nothing is written twice."""
    first = start()
    second = start()
    structlog.get_logger("gpuinstance").info("once")
    assert first.getvalue() == ""
    assert len(lines(second)) == 1


def test_fields_that_are_named_like_secrets_are_blotted_out(start: Start) -> None:
    """Also deep inside; but not the names of Secrets, which help."""
    stream = start()
    structlog.get_logger("gpuinstance").info(
        "x",
        api_key="v1",
        headers={"Authorization": "Bearer v2", "Accept": "*/*"},
        registries=[{"password": "v3", "user": "me"}],
        tokens=["v4"],
        secretName="novita-credentials",
        credentials_ref={"name": "mine"},
        has_token=True,
    )
    (line,) = lines(stream)
    assert not any(f"v{n}" in stream.getvalue() for n in range(1, 5))
    assert line["api_key"] == logs.BLOT
    assert line["headers"] == {"Authorization": logs.BLOT, "Accept": "*/*"}
    assert line["registries"] == [{"password": logs.BLOT, "user": "me"}]
    assert line["secretName"] == "novita-credentials"
    assert line["credentials_ref"] == {"name": "mine"}
    assert line["has_token"] is True


SPELLINGS = {
    "plain": SECRET,
    "in a sentence": f"the key {SECRET} is wrong",
    "URL-encoded": quote(SECRET, safe=""),
    "URL-encoded, with slashes": quote(SECRET),
    "in a form": quote_plus(SECRET),
    "in a form, lower case": re.sub("%..", lambda escape: escape[0].lower(), quote_plus(SECRET)),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "basic authorization": base64.b64encode(f"u:{SECRET}:x".encode()).decode(),
    "another alignment": base64.b64encode(f"user:{SECRET}".encode()).decode(),
    "as JSON": json.dumps({"k": SECRET}),
    "as JSON in JSON": json.dumps(json.dumps({"k": SECRET})),
    "as Python writes it": repr({"k": SECRET}),
}


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS)
def test_a_kept_secret_appears_in_no_spelling(start: Start, text: str, log_format: Literal["json", "console"]) -> None:
    """Whether in a message, a field, an object or a traceback."""
    stream = start(log_format)
    logs.keep_secret(SECRET + "\n")
    structlog.get_logger("gpuinstance").info(text, field=text, deep={"a": [text]})
    logging.getLogger("kopf.reactor").warning("failed: %s", text)
    try:
        fail(text)
    except ValueError:
        structlog.get_logger("gpuinstance").exception("broken")
    written = stream.getvalue()
    assert logs.BLOT in written
    for spelling in (SECRET, text):
        assert spelling not in written
        assert json.dumps(spelling)[1:-1] not in written
    middle = base64.b64encode(SECRET.encode()[3:18]).decode()
    assert middle not in written
    if log_format == "json":
        assert len(lines(stream)) == 3


def test_local_variables_are_not_shown(start: Start) -> None:
    """A traceback for people on a terminal shows code, not values."""
    stream = start("console")
    hidden = "not-told-" + "to-anybody"
    try:
        fail("visible")
    except ValueError:
        structlog.get_logger("gpuinstance").exception("broken")
    assert "visible" in stream.getvalue()
    assert hidden not in stream.getvalue()


def test_short_words_are_no_secrets() -> None:
    """A password `true` would blot out half the log."""
    logs.keep_secret("true")
    assert logs.without_secrets("it is true") == "it is true"


def test_the_number_of_kept_secrets_is_bounded(start: Start) -> None:
    """Keys come and go for months; the ones seen last are kept."""
    start()
    logs.keep_secret("always-in-use")
    for number in range(2 * logs.MOST_SECRETS):
        logs.keep_secret(f"rotated-{number:06}")
        logs.keep_secret("always-in-use")
    assert len(logs._kept) == logs.MOST_SECRETS
    assert logs.without_secrets("always-in-use") == logs.BLOT
    assert logs.without_secrets("rotated-000001") == "rotated-000001"
