"""All runs of the real tier: which there are, and how one is lived and judged, on a lane."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.controlplane.build import ensure
from tests.controlplane.cluster import LocalCluster
from tests.controlplane.progress import Report
from tests.faults.boundaries import Boundary, Run
from tests.faults.fate import Fate
from tests.faults.judge import judge
from tests.faults.real.lane import Lane
from tests.faults.real.life import Life
from tests.faults.scenarios import BY_NAME, Scenario
from tests.faults.troubles import Kill, troubles_of
from tests.faults.virtual.campaign import Reference, Result


def reference(lane: Lane, scenario: Scenario) -> Reference:
    """Live the scenario undisturbed, on the real API server."""
    fate = Fate()
    end = Life(lane, scenario, fate).live()
    return Reference(end, tuple(fate.trail), judge(end, None))


def runs(scenario: Scenario, of: Reference) -> Iterator[Run]:
    """Every boundary with every place in its call where the process can die."""
    for boundary in of.boundaries:
        for trouble in troubles_of(boundary, scenario.provider).values():
            if isinstance(trouble.does, Kill):
                yield Run("real", scenario.name, str(boundary), trouble.name)


def carry_out(lane: Lane, run: Run, of: Reference) -> Result:
    """Live one life in which the process is killed once.

    How often the provider is asked depends on what the operator still knows; so where the call was never made,
    the life is lived once more with an operator that has just been started.
    """
    scenario, boundary = BY_NAME[run.scenario], Boundary.parse(run.boundary)
    trouble = troubles_of(boundary, scenario.provider)[run.trouble]
    result = _live(lane, scenario, run, Fate(boundary, trouble), of)
    if not result.struck and result.findings.fine:
        lane.kill()
        lane.revive()
        result = _live(lane, scenario, run, Fate(boundary, trouble), of)
    return result


def _live(lane: Lane, scenario: Scenario, run: Run, fate: Fate, of: Reference) -> Result:
    lives = lane.warden.lives
    end = Life(lane, scenario, fate).live()
    return Result(run, judge(end, of.end), struck=fate.struck and lane.warden.lives > lives)


def open_cluster(directory: Path, report: Report) -> LocalCluster:
    """Start the control plane that all lanes share."""
    cluster = LocalCluster(ensure(report), directory)
    cluster.start()
    return cluster
