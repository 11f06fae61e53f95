"""The test of the test: a build that is broken on purpose does not come through the campaign."""

from __future__ import annotations

import pytest

from tests.faults.boundaries import Run
from tests.faults.mutants import MUTANTS, mutated
from tests.faults.virtual.campaign import carry_out, hush

REVEALED_BY = {
    "intent-saved-after-the-call": (
        "virtual/create/create#1/killed-after-send",
        "virtual/create/create#1/killed-after-answer",
        "virtual/recreate/create#1/killed-after-send",
    ),
    "not-found-after-401-taken-as-gone": (
        "virtual/delete/list#1/401",
        "virtual/delete/get#1/401",
        "virtual/create/list#2/401-for-a-while",
    ),
    "order-adopted-blindly": ("virtual/hostwinds-upgrade-plan/check_order#1/ordered-by-somebody",),
}
"""Runs that each of them does not survive, and a sound build does."""


@pytest.fixture(autouse=True)
def _quiet() -> None:
    hush()


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_build_is_caught(mutant: str) -> None:
    """At least one of its runs finds a second machine, a second bill, or a machine that nobody owns."""
    with mutated(mutant):
        found = [carry_out(Run.parse(name)).findings for name in REVEALED_BY[mutant]]
    assert any(it.duplicates or it.double_charges or it.orphans for it in found), [it.words for it in found]


@pytest.mark.parametrize("name", [name for names in REVEALED_BY.values() for name in names])
def test_the_sound_build_survives_the_same_runs(name: str) -> None:
    """What catches the mutants does not cry at everything."""
    assert carry_out(Run.parse(name)).findings.words == []
