"""A program under the sampling profiler: it runs as ever, and its phases are told apart."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.profiles import Profiler, own_and_total, read
from tests.bench.usage import cpu_seconds
from tests.controlplane.processes import Child
from tests.rig.stack import ROOT, await_true

PROGRAM = """\
import pathlib, signal, sys, time

def first(): sum(range(10_000))
def second(): sum(range(10_000))

def main():
    goes_on = True
    def end(*_):
        nonlocal goes_on
        goes_on = False
    signal.signal(signal.SIGTERM, end)
    here = pathlib.Path(__file__).parent
    (here / "ready").touch()
    while goes_on:
        second() if (here / "second").exists() else first()
    sys.exit(3)
"""
"""Stands in for the operator: computes one thing, then another."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the stand-in is, under the operator's name."""
    place = tmp_path / "gpuinstance"
    place.mkdir()
    (place / "__init__.py").touch()
    (place / "__main__.py").write_text(PROGRAM)
    return place


@pytest.fixture
def profiler(tmp_path: Path) -> Profiler:
    return Profiler(tmp_path / "profiles")


@pytest.fixture
def program(tmp_path: Path, place: Path, profiler: Profiler) -> Iterator[Child]:
    """The stand-in, under the profiler."""
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    child = Child("operator", [sys.executable, *profiler.command], tmp_path, env)
    child.start()
    await_true((place / "ready").exists, child)
    yield child
    child.stop()


def test_each_phase_has_its_own_profile(place: Path, profiler: Profiler, program: Child) -> None:
    """With what was computed in it, and nothing of what came before."""
    let_compute(program)
    before = functions(profiler.end("coming up", program))
    (place / "second").touch()
    let_compute(program)
    profiler.end("in between", program)
    let_compute(program)
    after = functions(profiler.end("at rest", program))
    assert ("first" in before, "second" in before) == (True, False)
    assert ("first" in after, "second" in after) == (False, True)
    assert profiler.path("at rest").name == "at-rest.folded"


def test_the_program_ends_as_it_would_alone(program: Child) -> None:
    """With its own exit code, while signals go on coming."""
    assert program.stop() == 3


def let_compute(child: Child) -> None:
    """Wait until it has used some more CPU time."""
    until = cpu_seconds(child.pid) + 0.1
    await_true(lambda: cpu_seconds(child.pid) >= until, child)


def functions(path: Path) -> set[str]:
    """Return the names of the functions in a profile."""
    return {it.function.rpartition(" ")[2] for it in own_and_total(read(path))}
