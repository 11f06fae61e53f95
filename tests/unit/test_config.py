"""Settings: what the environment says, and what is said when that cannot be used."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from gpuinstance.config import Settings, complaint, unknown

PREFIX = "GPUINSTANCE_"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set where the tests run is not what they are about."""
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)


def test_nothing_has_to_be_set() -> None:
    """The defaults are those of the documentation, and their spans agree with their seconds."""
    settings = Settings()
    assert (settings.poll, settings.fast_poll) == (timedelta(seconds=60), timedelta(seconds=3))
    assert (settings.settle, settings.stale_after) == (timedelta(seconds=105), timedelta(minutes=5))
    assert (settings.namespaces, settings.shared_credentials_namespace) == ([], None)


def test_a_misspelt_variable_is_found() -> None:
    """Where one is ignored in silence, an operator of one namespace serves all of them."""
    variables = ["GPUINSTANCE_NAMESPACE", "GPUINSTANCE_NAMESPACES", "gpuinstance_mark", "GPU_INSTANCE_PORT", "HOME"]
    assert unknown(variables) == ["GPUINSTANCE_NAMESPACE"]


def test_every_setting_is_documented_with_its_default() -> None:
    """The table in docs/operating.md names each variable, and no other."""
    text = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
    assert set(re.findall(rf"`{PREFIX}([A-Z_]+)`", text)) == {name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, int | float) or name == "mark":
            default = f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
            assert f"| `{PREFIX}{name.upper()}` | `{default}` |" in text, name


TAKEN: dict[str, tuple[str, str, object]] = {
    "a number": ("POLL_SECONDS", "90", 90.0),
    "a fraction": ("FAST_POLL_SECONDS", "0.5", 0.5),
    "a word": ("LOG_FORMAT", "console", "console"),
    "a text": ("SHARED_CREDENTIALS_NAMESPACE", "gpu-system", "gpu-system"),
    "a list": ("NAMESPACES", '["a", "b"]', ["a", "b"]),
    "an empty list": ("NAMESPACES", "[]", []),
    "networks of both kinds": (
        "PROBE_ALLOWED_NETWORKS",
        '["10.0.0.0/8", "fd00::/8"]',
        [ip_network("10.0.0.0/8"), ip_network("fd00::/8")],
    ),
    "a network that is denied": ("DENIED_NETWORKS", '["198.51.99.0/24"]', [ip_network("198.51.99.0/24")]),
}


@pytest.mark.parametrize(("name", "text", "value"), TAKEN.values(), ids=TAKEN)
def test_the_environment_is_read(name: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the prefix, in the form that the documentation shows."""
    monkeypatch.setenv(PREFIX + name, text)
    assert getattr(Settings(), name.lower()) == value


REFUSED: dict[str, tuple[str, str, str]] = {
    "no number": ("POLL_SECONDS", "often", "valid number"),
    "too small": ("POLL_SECONDS", "0.5", "greater than or equal to 1"),
    "nothing at all": ("POLL_SECONDS", "", "valid number"),
    "without end": ("POLL_SECONDS", "inf", "less than or equal to 86400"),
    "not a number at all": ("SETTLE_SECONDS", "nan", "less than or equal to 86400"),
    "more than a clock can hold": ("FAST_POLL_SECONDS", "1e300", "less than or equal to 86400"),
    "never": ("PROVIDER_TIMEOUT_SECONDS", "0", "greater than 0"),
    "one poll, which any restart would miss": ("STALE_POLLS", "1", "greater than or equal to 2"),
    "nobody to work": ("WORKERS", "0", "greater than or equal to 1"),
    "half a worker": ("WORKERS", "1.5", "valid integer"),
    "a mark that no provider would take": ("MARK", "My Cluster", "match pattern"),
    "a mark with a hyphen, which would not be told from the next part of a name": ("MARK", "a-b", "match pattern"),
    "a word that does not exist": ("LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
    "a list that is not JSON": ("NAMESPACES", "a,b", 'must be a JSON list, such as ["a", "b"]'),
    "JSON that is not a list": ("NAMESPACES", '{"a": 1}', "valid list"),
    "a list of something else": ("NAMESPACES", "[1]", "valid string"),
    "a leader that stops when others have begun": (
        "LEASE_DEADLINE_SECONDS",
        "15",
        "less than GPUINSTANCE_LEASE_SECONDS",
    ),
    "audits too rare to tell a dead watch by": ("AUDIT_SECONDS", "601", "less than or equal to 600"),
    "one try to renew": ("LEASE_RETRY_SECONDS", "6", "at most half of GPUINSTANCE_LEASE_DEADLINE_SECONDS"),
    "a Lease without a name": ("LEASE_NAME", "", "match pattern"),
    "networks that are none": ("PROBE_ALLOWED_NETWORKS", '["localhost"]', "valid IPv4 network"),
    "nothing that could be denied": ("DENIED_NETWORKS", '["pods"]', "valid IPv4 network"),
    "a network with a host in it": ("PROBE_ALLOWED_NETWORKS", '["10.0.0.1/8"]', "valid IPv4 network"),
}


@pytest.mark.parametrize(("name", "text", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_is_named_by_its_variable(
    name: str, text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very name that somebody has set, in one line, with what would be right."""
    monkeypatch.setenv(PREFIX + name, text)
    with pytest.raises(ValidationError) as caught:
        Settings()
    told = complaint(caught.value)
    assert told.startswith(f"{PREFIX}{name}: ")
    assert words in told
    assert told.count(f"{PREFIX}{name}") == 1
    assert "\n" not in told


def test_all_that_is_wrong_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nobody has to restart once for each mistake; values are not repeated."""
    monkeypatch.setenv("GPUINSTANCE_POLL_SECONDS", "s3cret-put-here-by-mistake")
    monkeypatch.setenv("GPUINSTANCE_NAMESPACES", "[1, 2, 3]")
    with pytest.raises(ValidationError) as caught:
        Settings()
    told = complaint(caught.value)
    assert re.findall("GPUINSTANCE_[A-Z_]+", told) == ["GPUINSTANCE_NAMESPACES", "GPUINSTANCE_POLL_SECONDS"]
    assert told.count("valid string") == 1
    assert "s3cret" not in told


def test_settings_do_not_change() -> None:
    """They are read once; whoever holds them may keep what is computed from them."""
    with pytest.raises(ValidationError, match="frozen"):
        Settings().workers = 3  # type: ignore[misc]  # what must fail


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"SHARDS": "3", "SHARD": "3"}, "must be less than GPUINSTANCE_SHARDS"),
        ({"SHARD": "1"}, "must be less than GPUINSTANCE_SHARDS"),
        ({"SHARDS": "65"}, "GPUINSTANCE_SHARDS: Input should be less than or equal to 64"),
        ({"SHARDS": "2", "LEADER_ELECTION": "false"}, "must be 1 where GPUINSTANCE_LEADER_ELECTION is false"),
    ],
)
def test_a_shard_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], words: str) -> None:
    """It would stand by for ever, or act beside another one; the default is the whole."""
    assert str(Settings().division) == "0-of-1"
    for name, text in settings.items():
        monkeypatch.setenv(f"{PREFIX}{name}", text)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert words in complaint(caught.value)


def test_a_shard_is_its_division(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the chart sets it."""
    monkeypatch.setenv(f"{PREFIX}SHARDS", "3")
    monkeypatch.setenv(f"{PREFIX}SHARD", "2")
    assert str(Settings().division) == "2-of-3"
