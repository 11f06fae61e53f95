"""The virtual tier in small, for every build: each life undisturbed, a rotating sample, and what once went wrong.

The sample rotates with the date; FAULT_SEED repeats one. All of it runs by `make faults`.
"""

from __future__ import annotations

import datetime as dt
import os
import random
from pathlib import Path

import pytest

from tests.faults.boundaries import Run
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.virtual.campaign import carry_out, hush, reference, runs

SEED = os.environ.get("FAULT_SEED", f"{dt.datetime.now(dt.UTC):%G-%V}")
"""The week, so that a red build is red for everybody, and next week looks elsewhere."""
EACH = 1
REGRESSIONS = [line for line in (Path(__file__).parent / "regressions.txt").read_text().splitlines() if line]


@pytest.fixture(autouse=True)
def _quiet() -> None:
    hush()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda it: it.name)
def test_a_life_without_trouble_ends_well(scenario: Scenario) -> None:
    """The reference itself is without fault, and has boundaries of every kind."""
    found = reference(scenario.name)
    assert found.findings.words == []
    assert {it.kind.is_write for it in found.boundaries} == {True, False}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda it: f"{it.name}-seed-{SEED}")
def test_a_sample_of_troubles_changes_nothing(scenario: Scenario) -> None:
    """A few runs of each scenario, chosen by the seed that stands in the test's name."""
    everything = list(runs(scenario))
    for run in random.Random(f"{SEED}/{everything[0].scenario}").sample(everything, EACH):
        assert carry_out(run).findings.words == [], f"again: make faults RUN={run}"


@pytest.mark.parametrize("name", [name for name in REGRESSIONS if name.startswith("virtual/")])
def test_what_once_went_wrong_goes_well(name: str) -> None:
    """Each line of regressions.txt is a run that has failed once."""
    assert carry_out(Run.parse(name)).findings.words == []
