"""`kubectl gpu orphans`: what the operator reported, by Events alone."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gpuinstance.cli.command import run
from gpuinstance.cli.orphans import reports
from gpuinstance.core.orphans import Sighting, describe
from tests.materials import machine
from tests.unit.cli.objects import NOW, Object
from tests.unit.cli.test_command import Api, Kubectl, api, gpu, server, status

__all__ = ["api", "gpu", "server"]

HERE, EVERYWHERE = "/api/v1/namespaces/team-a/events", "/api/v1/events"


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def event(machine_id: str = "m-9", *, reported: datetime = NOW, since: datetime | None = None, **fields: Any) -> Object:
    """Return the Event that the operator posts about an orphan."""
    named = machine(machine_id, name=f"gpui-team-a-gone-0badcafe-{machine_id[-1]}", word="running")
    words = describe(Sighting(named, since or ago(minutes=25), 3), "novita")
    return {
        "metadata": {"name": f"novita-credentials.{machine_id}", "namespace": "team-a"},
        "involvedObject": {"kind": "Secret", "name": "novita-credentials", "namespace": "team-a"},
        "reason": "OrphanedMachine",
        "message": words,
        "lastTimestamp": reported.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **fields,
    }


def holds(api: Api, *events: Object) -> None:
    """Let these be the Events of the namespace, and of the cluster."""
    for path in (HERE, EVERYWHERE):
        api.answers[path] = 200, {"kind": "EventList", "metadata": {}, "items": list(events)}


def test_what_was_reported_is_shown_newest_first(api: Api, gpu: Kubectl) -> None:
    """One line for each machine, with its latest report; what to do stands beside the table."""
    holds(
        api,
        event("m-1", reported=ago(minutes=40)),
        event("m-2", reported=ago(minutes=50), since=ago(hours=5)),
        event("m-2", reported=ago(minutes=4), since=ago(hours=5)),
    )
    result = gpu("orphans")
    assert result.code == 0
    assert [line.split() for line in result.out.splitlines()] == [
        ["MACHINE", "PROVIDER", "STATE", "SINCE", "REPORTED", "SECRET", "NAME"],
        ["m-2", "novita", "running", "5h", "4m", "novita-credentials", "gpui-team-a-gone-0badcafe-2"],
        ["m-1", "novita", "running", "25m", "40m", "novita-credentials", "gpui-team-a-gone-0badcafe-1"],
    ]
    for words in ("Delete it at the provider", "spec.adopt.instanceID", "at most as old as the operator's last sweep"):
        assert words in " ".join(result.err.split())


def test_only_the_right_to_list_events_is_needed(api: Api, gpu: Kubectl) -> None:
    """Nothing else is asked; the API server does the selecting."""
    holds(api)
    gpu("orphans")
    gpu("orphans", "-A")
    asked = [urlsplit(target) for target in api.asked]
    assert [url.path for url in asked] == [HERE, EVERYWHERE]
    assert {parse_qs(url.query)["fieldSelector"][0] for url in asked} == {"reason=OrphanedMachine"}


def test_all_namespaces_are_named(api: Api, gpu: Kubectl) -> None:
    """An Event is where the Secret of its account is."""
    holds(api, event())
    header, line = gpu("orphans", "-A").out.splitlines()
    assert (header.split()[0], line.split()[0]) == ("NAMESPACE", "team-a")


def test_none_is_said_plainly(api: Api, gpu: Kubectl) -> None:
    """Together with how old such a report may be; a script that counts lines counts none."""
    holds(api)
    result = gpu("orphans")
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith("No orphans reported in namespace team-a.\n")
    assert "last sweep" in result.err
    assert gpu("orphans", "-A").err.startswith("No orphans reported.\n")
    assert json.loads(gpu("orphans", "-o", "json").out) == {"items": []}
    assert gpu("orphans", "-o", "name").out == ""


def test_json_and_names_are_for_programs(api: Api, gpu: Kubectl) -> None:
    """Nothing else is written."""
    holds(api, event("m-1"), event("m-2", reported=ago(minutes=1)))
    names = gpu("orphans", "-o", "name")
    assert (names.out, names.err) == ("m-1\nm-2\n", "")
    document = gpu("orphans", "-o", "json")
    assert document.err == ""
    assert json.loads(document.out)["items"][0] == {
        "machine": "m-1",
        "name": "gpui-team-a-gone-0badcafe-1",
        "provider": "novita",
        "state": "running",
        "since": "2026-01-01T11:35:00Z",
        "reportedAt": "2026-01-01T12:00:00Z",
        "namespace": "team-a",
        "secret": "novita-credentials",
    }


def test_all_pages_are_read(api: Api, gpu: Kubectl) -> None:
    """A busy cluster has many Events."""
    api.answers[EVERYWHERE] = 200, {"metadata": {"continue": "more"}, "items": [event("m-1")]}
    api.answers[f"{EVERYWHERE}more"] = 200, {"metadata": {}, "items": [event("m-2")]}
    assert len(gpu("orphans", "-A", "-o", "name").out.splitlines()) == 2


@pytest.mark.parametrize(
    "strange",
    [
        {"message": "somebody else's words"},
        {"message": None},
        {"lastTimestamp": None},
    ],
    ids=["words", "no words", "no moment"],
)
def test_what_is_no_report_is_left_out(strange: Object) -> None:
    """Anybody may write an Event with that reason."""
    assert [it.told.machine_id for it in reports([event("m-1") | strange, event("m-2")])] == ["m-2"]


def test_an_event_of_the_newer_kind_is_understood() -> None:
    """Its moment has another name, and a fraction."""
    [report] = reports([event(lastTimestamp=None, eventTime="2026-01-01T11:59:00.123456Z")])
    assert report.at.minute == 59


def test_no_right_to_list_events(api: Api, gpu: Kubectl) -> None:
    """Is told in the words of the cluster."""
    api.answers[HERE] = status(403, "Forbidden", "events is forbidden: User cannot list resource")
    result = gpu("orphans")
    assert (result.code, result.out) == (1, "")
    assert result.err == "error: the cluster refused: events is forbidden: User cannot list resource\n"


def test_a_terminal_is_not_driven_by_a_name(api: Api, gpu: Kubectl) -> None:
    """Text from a provider may hold anything; it stays text."""
    holds(api, event() | {"message": event()["message"].replace("running", "run\x1b[31mning")})
    assert "\x1b[31mning" not in gpu("orphans").out


def test_a_terminal_is_not_driven_by_an_id(api: Api, gpu: Kubectl) -> None:
    """Anybody may write an Event; one line stays one line of plain text, whatever the id in it."""
    holds(api, event() | {"message": event()["message"].replace("m-9", "m-\x1b[31m9")})
    assert gpu("orphans", "-o", "name").out == "m- [31m9\n"


def test_help_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    """With what it shows."""
    with pytest.raises(SystemExit) as end:
        run(["orphans", "--help"], io.StringIO(), io.StringIO(), {})
    assert end.value.code == 0
    assert "as the operator reported them" in " ".join(capsys.readouterr().out.split())
