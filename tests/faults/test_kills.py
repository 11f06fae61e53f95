"""The real tier in small, for every build: a rotating sample of kills of the real process.

The whole of it runs by `make faults`. The sample rotates with the week; FAULT_SEED repeats one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.cluster import Cluster, LocalCluster
from tests.faults.real.campaign import carry_out, runs
from tests.faults.real.lane import Lane
from tests.faults.real.tier import lanes_on, references_on, work
from tests.faults.scenarios import BY_NAME
from tests.faults.test_virtual import SEED
from tests.faults.virtual.campaign import Result

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SAMPLE = 6
SCENARIOS = ("create", "delete", "recreate", "hostwinds-upgrade-plan")
"""Those in which money or a machine can be lost."""


@pytest.fixture(scope="module")
def lanes(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Lane]]:
    """Two operators to be killed, beside each other."""
    if not isinstance(cluster, LocalCluster):
        pytest.skip("the campaign needs the audit log of a control plane of its own")
    directory: Path = tmp_path_factory.mktemp("faults")
    with lanes_on(cluster, directory, 2) as opened:
        yield opened


def test_a_sample_of_kills_changes_nothing(lanes: list[Lane]) -> None:
    """One machine, one bill, nothing left behind, wherever the process dies."""
    chance = random.Random(SEED)
    names = chance.sample(SCENARIOS, 2)
    references = references_on(lanes, names)
    everything = [run for name in names for run in runs(BY_NAME[name], references[name])]
    chosen = chance.sample(everything, SAMPLE)
    results: list[Result] = []
    work(
        lanes,
        [lambda lane, run=run: results.append(carry_out(lane, run, references[run.scenario])) for run in chosen],  # type: ignore[misc]  # bound at once
    )
    wrong = {f"make faults RUN={it.run}": it.findings.words for it in results if not it.findings.fine}
    assert wrong == {}, f"seed {SEED}"
