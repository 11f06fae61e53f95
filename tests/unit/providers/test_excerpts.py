"""What an error may quote of a provider: short, on one line, and nothing of what the call must not show."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from gpuinstance import logs
from gpuinstance.providers.answers import MAX_EXCERPT, excerpt

KEY = 'sk-cAnArY/0123+456=789&"quoted"'
FILE = "first-line-cAnArY/AAAA+BBBB==\nsecond-line-cAnArY/CCCC+DDDD==\n"

WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": lambda value: value,
    "twice": lambda value: f"{value} or {value}",
    "as JSON": lambda value: json.dumps({"key": value}),
    "as JSON in JSON": lambda value: json.dumps(json.dumps({"key": value})),
    "in a URL": lambda value: f"/create?key={quote(value, safe='')}",
    "in a form": lambda value: f"key={quote_plus(value)}&page=1",
    "in base64": lambda value: b64encode(value.encode()).decode(),
    "as basic authorization": lambda value: f"Basic {b64encode(f'user:{value}'.encode()).decode()}",
    "cut": lambda value: value[:20],
    "cut, in base64": lambda value: b64encode(value.encode()).decode()[:20],
    "with other white space": lambda value: " ".join(value.split()),
}


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the log know no secret."""
    monkeypatch.setattr(logs, "_kept", OrderedDict())


@pytest.mark.parametrize("secret", [KEY, FILE], ids=["a key", "a file"])
@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("kept", [True, False], ids=["kept by the log", "told with the call"])
def test_no_form_of_a_secret_is_quoted(secret: str, written: Callable[[str], str], *, kept: bool) -> None:
    """Nor the beginning of one: whether the call knows it, or only the log does."""
    if kept:
        logs.keep_secret(secret)
    line = excerpt(f"bad request: {written(secret)} is wrong", ("another-secret",) if kept else (secret,))
    assert line.startswith("bad request: ")
    assert logs.BLOT in line
    for word in secret.split():
        for form in (word, json.dumps(word)[1:-1], quote(word, safe=""), b64encode(word.encode()).decode()):
            assert form[:12] not in line


@pytest.mark.parametrize("length", range(MAX_EXCERPT - 40, MAX_EXCERPT + 5, 5))
def test_a_secret_at_the_cut_is_not_half_shown(length: int) -> None:
    """It is blotted out before the line is shortened."""
    line = excerpt("x" * length + KEY + " is wrong", (KEY,))
    assert KEY[:6] not in line
    assert len(line) <= MAX_EXCERPT


def test_short_values_are_no_secrets_but_where_a_call_says_so() -> None:
    """Four characters told with the call are blotted out; fewer would blot out the message."""
    assert excerpt("bad PIN 1234 for true", ("1234", "on")) == f"bad PIN {logs.BLOT} for true"


def test_what_is_read_by_the_thousand_is_not_searched() -> None:
    """A name in a listing of thousands is shortened and made printable, and nothing else."""
    logs.keep_secret("production")
    assert excerpt("production\x00server") == "production server"
