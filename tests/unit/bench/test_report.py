"""What is left of a run: a file that a later one is compared with, and what is printed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.bench.__main__ import main
from tests.bench.machine import describe
from tests.bench.report import Report, load
from tests.bench.table import Row
from tests.bench.usage import IDLE, OTHERS, STOLEN, Usage


def report(*rows: Row) -> Report:
    """Return the report of a run that measured these rows."""
    made = Report("2027-01-01T00:00:00+00:00", "abc123", 1000, {"cpu": "abacus", "cores": 2}, rows=list(rows))
    made.usage["coming up"] = Usage({"operator": 20.0, "etcd": 10.0, OTHERS: 9.0, STOLEN: 8.0, IDLE: 7.0}, 30.0)
    return made


def test_a_report_can_be_read_back(tmp_path: Path) -> None:
    """With its limits and its verdict; JSON knows no infinity."""
    path = tmp_path / "bench.json"
    made = report(Row("writes", 6.5, limit=6), Row("lag", math.inf, "ms"))
    path.write_text(json.dumps(made.as_json(), allow_nan=False))
    found = load(path)
    assert found["rows"][0] == {"what": "writes", "value": 6.5, "unit": "", "limit": 6, "met": False}
    assert found["rows"][1] == {"what": "lag", "value": None, "unit": "ms"}
    assert found["verdict"] == "0 of 1 limits met"
    assert found["cpuSeconds"]["coming up"]["operator"] == 20.0
    assert found["cpuSeconds"]["coming up"]["elapsed"] == 30.0


def test_another_file_is_refused(tmp_path: Path) -> None:
    """Before minutes have been spent."""
    path = tmp_path / "other.json"
    path.write_text('{"title": "something else"}')
    with pytest.raises(ValueError, match="not written by a bench"):
        load(path)


def test_what_is_printed_ends_with_the_verdict() -> None:
    """Above it the machine, the rows, who used the processors, and notes."""
    made = report(Row("writes", 6, limit=6))
    made.notes.append("a note")
    lines = made.lines()
    assert lines[0] == "1000 instances, 2027-01-01T00:00:00+00:00, commit abc123"
    assert lines[1] == "cpu abacus, cores 2"
    assert lines[-2:] == ["a note", "1 of 1 limits met"]
    assert any(line.startswith("operator") for line in lines)
    assert "coming up keeps 2 cores busy for 15 s at least, and for 5 s without the operator's own work" in lines


def test_an_earlier_run_is_named_and_stands_beside() -> None:
    """What it could not measure is left out."""
    old = report(Row("writes", 3), Row("lag", math.inf)).as_json() | {"commit": "old456"}
    lines = report(Row("writes", 6, limit=6), Row("lag", 1)).lines(old)
    assert lines[2] == "before: 1000 instances, 2027-01-01T00:00:00+00:00, commit old456"
    assert next(line for line in lines if line.startswith("writes")).split() == ["writes", "6", "3", "+100%", "6"]
    assert next(line for line in lines if line.startswith("lag")).split() == ["lag", "1"]


@pytest.mark.parametrize("content", [None, "no JSON", '{"title": "something else"}'])
def test_a_bad_comparison_is_told_at_once(
    tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is not there, is no JSON, or is another one."""
    path = tmp_path / "old.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit):
        main(["--compare", str(path)])
    assert "error: --compare:" in capsys.readouterr().err


def test_a_cluster_of_others_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Its audit log cannot be read, nor can its processes."""
    monkeypatch.setenv("USE_EXISTING_CLUSTER", "true")
    with pytest.raises(SystemExit):
        main([])
    assert "control plane of its own" in capsys.readouterr().err


def test_the_machine_is_described() -> None:
    """By what moves numbers."""
    assert {"cpu", "cores", "memoryGB", "kernel", "python", "kopf"} <= describe().keys()
