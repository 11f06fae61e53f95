"""All runs of the virtual tier: which there are, and how one is lived and judged.

A scenario's reference run records its boundaries; each boundary is then met by each trouble that it can meet.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from tests.faults.boundaries import Boundary, Run, chosen
from tests.faults.fate import Fate
from tests.faults.findings import Findings
from tests.faults.judge import End, judge
from tests.faults.scenarios import BY_NAME, Scenario
from tests.faults.troubles import troubles_of
from tests.faults.virtual.world import live


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one run."""

    run: Run
    findings: Findings
    struck: bool


@dataclass(frozen=True, slots=True)
class Reference:
    """A life without trouble."""

    end: End
    trail: tuple[Boundary, ...]
    findings: Findings

    @property
    def boundaries(self) -> list[Boundary]:
        """Those that are tried."""
        return chosen(list(self.trail))


@functools.cache
def reference(scenario: str) -> Reference:
    """Live the scenario undisturbed."""
    fate = Fate()
    end = live(BY_NAME[scenario], fate)
    return Reference(end, tuple(fate.trail), judge(end, None))


def runs(scenario: Scenario) -> Iterator[Run]:
    """Every boundary with every trouble that it can meet."""
    for boundary in reference(scenario.name).boundaries:
        for trouble in troubles_of(boundary, scenario.provider):
            yield Run("virtual", scenario.name, str(boundary), trouble)


def carry_out(run: Run) -> Result:
    """Live one life with its trouble. Raises KeyError for an unknown scenario or trouble."""
    scenario, boundary = BY_NAME[run.scenario], Boundary.parse(run.boundary)
    trouble = troubles_of(boundary, scenario.provider)[run.trouble]
    fate = Fate(boundary, trouble)
    end = live(scenario, fate)
    findings = judge(end, reference(run.scenario).end, same_end=trouble.same_end)
    if not fate.struck:
        findings.add("the boundary was never met")
    return Result(run, findings, fate.struck)


def hush() -> None:
    """Tens of thousands of passes run here: one line a transition would only cost time."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
