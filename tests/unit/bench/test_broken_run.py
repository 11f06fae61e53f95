"""A run that cannot be finished tells what it found out until then, and is a failure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.bench import __main__ as bench
from tests.bench.table import Row
from tests.bench.usage import Usage


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Run phases of our own, without a stack, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("USE_EXISTING_CLUSTER", raising=False)
    meter: Any = SimpleNamespace(read=lambda: SimpleNamespace(since=lambda _: Usage({}, 1.0)))
    run: Any = SimpleNamespace(stack=SimpleNamespace(operator=SimpleNamespace(child=None)), meter=lambda: meter)
    monkeypatch.setattr(bench, "_run", lambda made, profiler, until: bench._measure(run, made, profiler, until))

    def start(*arguments: str, **phases: Callable[..., Iterator[Row]]) -> int:
        monkeypatch.setattr(bench, "PHASES", phases)
        return bench.main(arguments)

    return start


def good(_: Any) -> Iterator[Row]:
    """Measure two rows."""
    yield Row("first", 1, limit=1)
    yield Row("second", 2)


def bad(_: Any) -> Iterator[Row]:
    """Measure one, and fail at the next."""
    yield Row("third", 3)
    raise TimeoutError("7 of 9 Ready, and no more for 300 s")


def interrupted(_: Any) -> Iterator[Row]:
    """Be given up by whoever waits for it."""
    yield Row("third", 3)
    raise KeyboardInterrupt


@pytest.mark.parametrize("end", [bad, interrupted])
def test_what_was_measured_is_told(
    start: Callable[..., int], end: Callable[..., Iterator[Row]], capsys: pytest.CaptureFixture[str]
) -> None:
    """In the table and in the file, with why there is no more."""
    assert start(good=good, end=end, never=bad) == 1
    shown = capsys.readouterr().out
    assert "this run could not be finished" in shown
    kept = json.loads(Path("bench.json").read_text())
    assert [row["what"] for row in kept["rows"]] == ["first", "second", "third"]
    assert kept["broken"]


def test_a_missed_limit_is_no_failure(start: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """It is told, and the run has come to its end."""
    assert start(good=lambda _: iter([Row("slow", 9, "s", 5)])) == 0
    assert "0 of 1 limits met" in capsys.readouterr().out


def test_a_run_may_end_early(start: Callable[..., int]) -> None:
    """After the phase that was asked for."""
    assert start("--until", "good", good=good, end=bad) == 0
