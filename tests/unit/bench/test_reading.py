"""What a bench reads of others: the audit log as it grows and is rotated, a watch, and the provider's clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.bench.audited import AuditTally
from tests.bench.phases.changes import first_about_the_machine
from tests.bench.phases.coming_up import delay_of
from tests.bench.provider import Birth, ProviderClock
from tests.bench.watching import Shown, Watch

OPERATOR = "system:serviceaccount:gpu-instance-operator:gpu-instance-operator"


def request(verb: str, resource: str, user: str = OPERATOR, code: int = 200, name: str = "a", second: int = 0) -> bytes:
    """Return a line of the log, as the API server writes it; `second` is that of its answer."""
    plural, _, subresource = resource.partition("/")
    event = {
        "verb": verb,
        "user": {"username": user},
        "objectRef": {"resource": plural, "name": name} | ({"subresource": subresource} if subresource else {}),
        "responseStatus": {"code": code},
        "stageTimestamp": f"1970-01-01T00:00:{second:02}.500000Z",
    }
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


@pytest.fixture
def tally(log: Path) -> Iterator[AuditTally]:
    with closing(AuditTally(log, OPERATOR)) as tally:
        yield tally


def append(log: Path, *lines: bytes) -> None:
    """Let the API server write."""
    with log.open("ab") as stream:
        stream.write(b"".join(lines))


def test_only_the_operators_writes_count(log: Path, tally: AuditTally) -> None:
    """Refused ones as well; not those of others, nor what it says about who leads. Reads are counted apart."""
    append(
        log,
        request("patch", "gpuinstances/status"),
        request("patch", "gpuinstances/status", code=409),
        request("patch", "gpuinstances"),
        request("create", "events"),
        request("update", "leases"),
        request("get", "secrets"),
        request("watch", "gpuinstances"),
        request("create", "gpuinstances", user="admin"),
    )
    tally.read()
    assert tally.by_kind() == {"patch gpuinstances/status": 2, "patch gpuinstances": 1, "create events": 1}
    assert tally.writes() == 4
    assert tally.reads == 2


def test_it_is_known_when_something_was_carried_out(log: Path, tally: AuditTally) -> None:
    """An instance's creation by whomever, and the last status that the operator saved; nothing that was refused."""
    append(
        log,
        request("create", "gpuinstances", user="admin", name="a", second=1),
        request("create", "gpuinstances", user="admin", name="b", second=2, code=422),
        request("create", "secrets", user="admin", name="c", second=3),
        request("patch", "gpuinstances", name="a", second=4),
        request("patch", "gpuinstances/status", name="a", second=5),
        request("patch", "gpuinstances/status", name="a", second=6),
        request("patch", "gpuinstances/status", name="a", second=7, code=409),
    )
    tally.read()
    assert tally.created == {"a": 1.5}
    assert tally.saved == {"a": 6.5}


def test_a_growing_log_is_read_once(log: Path, tally: AuditTally) -> None:
    """A line that is being written is taken when it is whole; before the first one there is no file."""
    tally.read()
    whole = request("create", "events")
    append(log, whole, whole[:20])
    tally.read()
    tally.read()
    assert tally.writes() == 1
    append(log, whole[20:])
    tally.read()
    assert tally.writes() == 2


def test_a_rotated_log_is_read_to_its_end(log: Path, tally: AuditTally) -> None:
    """What came before the rotation and was not read yet, and what came after it."""
    append(log, request("create", "events"))
    tally.read()
    append(log, request("create", "events"))
    log.rename(log.with_name("audit-2026.log"))
    tally.read()
    append(log, request("create", "events"))
    tally.read()
    assert tally.writes() == 3


def event(name: str, reason: str | None, kind: str = "MODIFIED") -> bytes:
    """Return a line of a watch."""
    status = (
        {}
        if reason is None
        else {"conditions": [{"type": "Synced", "reason": "x"}, {"type": "Ready", "reason": reason}]}
    )
    return json.dumps({"type": kind, "object": {"metadata": {"name": name}, "status": status}}).encode()


def test_a_watch_keeps_what_each_instance_said() -> None:
    """In its order; bookmarks and deletions say nothing, and what has no status yet has no reason."""
    watch = Watch()
    bookmark = json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}).encode()
    watch.take(
        [event("a", None, "ADDED"), event("b", "Ready"), bookmark, event("a", "Ready"), event("b", "x", "DELETED")]
    )
    assert [it.reason for it in watch.of("a")] == ["", "Ready"]
    assert [it.reason for it in watch.of("b")] == ["Ready"]
    assert watch.of("nobody") == ()


def test_a_change_is_shown_by_the_first_status_that_names_it() -> None:
    """Not by one from before, nor by health checks that fail, nor by a later one."""
    said = [Shown(1, "Stopping"), Shown(11, "HealthCheckFailed"), Shown(12, "InstanceExited"), Shown(13, "Stopping")]
    assert first_about_the_machine(said, since=10) == Shown(12, "InstanceExited")
    assert first_about_the_machine(said[:2], since=10) is None


def test_the_providers_time_is_told_on_the_wall() -> None:
    """It passes faster, and may be anywhere."""
    clock = ProviderClock(speed=20, virtual=1_000_000, wall=500)
    assert clock.at(1_000_000) == 500
    assert clock.at(1_000_040) == 502
    assert clock.at(999_980) == 499


def test_what_the_provider_took_is_not_the_operators() -> None:
    """Apply to Ready, less the time from the purchase to the application's first answer."""
    delay = delay_of(created=100, ready=112, birth=Birth(bought=104, serving=107))
    assert (delay.beyond, delay.before, delay.after) == (9, 4, 5)


def test_no_delay_is_negative() -> None:
    """What is logged a moment late looks as if it had come after what it led to."""
    delay = delay_of(created=100.5, ready=103, birth=Birth(bought=100.25, serving=103.25))
    assert (delay.beyond, delay.before, delay.after) == (0, 0, 0)
