"""Sampled stacks: gathered in a process, written, read back, and told as functions and packages."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tests.bench.profiled import Sampler, label
from tests.bench.profiles import by_package, describe, own_and_total, read

STACKS = {
    ("kopf/main.py:1 run", "gpuinstance/reconcile.py:9 once", "json/decoder.py:3 decode"): 2.0,
    ("kopf/main.py:1 run", "gpuinstance/reconcile.py:9 once"): 1.0,
    ("ssl.py:4 read",): 0.5,
    ("gpuinstance/a.py:1 f", "gpuinstance/a.py:1 f"): 0.25,
}


def test_a_function_is_charged_with_its_own_and_with_all_below() -> None:
    """Once for each moment, also where it calls itself; the one with the most of its own stands first."""
    spent = {it.function: (it.own, it.total) for it in own_and_total(STACKS)}
    assert spent["json/decoder.py:3 decode"] == (2.0, 2.0)
    assert spent["gpuinstance/reconcile.py:9 once"] == (1.0, 3.0)
    assert spent["kopf/main.py:1 run"] == (0.0, 3.0)
    assert spent["gpuinstance/a.py:1 f"] == (0.25, 0.25)
    assert own_and_total(STACKS)[0].function == "json/decoder.py:3 decode"


def test_packages_sum_up_what_is_their_own() -> None:
    """A module that is no package stands for itself."""
    assert by_package(STACKS) == {"json": 2.0, "gpuinstance": 1.25, "ssl": 0.5}


def test_a_profile_is_described_in_lines() -> None:
    """All of it, by package, and the functions; nothing is said about nothing."""
    first, heading, top, *others = describe("at rest", STACKS)
    assert first.startswith("profile, at rest: 3.75 CPU seconds; json 53%, gpuinstance 33%, ssl 13%")
    assert heading.split()[0] == "own"
    assert top.split() == ["2.00", "53.3%", "2.00", "53.3%", "json/decoder.py:3", "decode"]
    ours = [line.split()[4] for line in others[-2:]]
    assert ours == ["gpuinstance/reconcile.py:9", "gpuinstance/a.py:1"], "by all that they cause"
    assert describe("at rest", {}) == ["profile, at rest: no CPU time was used"]


def busy_for(seconds: float) -> None:
    """Use so much CPU time."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_the_time_between_two_samples_is_charged_to_the_second(tmp_path: Path) -> None:
    """All of it, to the stack that is on top then; what was written is forgotten."""
    sampler = Sampler()
    busy_for(0.02)
    sampler.take(sys._getframe())
    sampler.write(tmp_path / "one.folded")
    ((stack, seconds),) = read(tmp_path / "one.folded").items()
    assert stack[-1].endswith(test_the_time_between_two_samples_is_charged_to_the_second.__name__)
    assert seconds == pytest.approx(0.02, abs=0.02)
    sampler.write(tmp_path / "two.folded")
    assert read(tmp_path / "two.folded") == {}


def test_a_function_is_named_by_its_place_in_a_package() -> None:
    """Not by where that is installed."""
    place, _, function = label(percentile_of_nobody.__code__).partition(" ")
    assert function == "percentile_of_nobody"
    assert not place.startswith("/")
    assert place.endswith(f"test_profiles.py:{percentile_of_nobody.__code__.co_firstlineno}")


def percentile_of_nobody() -> None:
    """Be named."""
