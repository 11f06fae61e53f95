"""The whole virtual tier, on all cores: which runs there are, all of them lived, a tally for each scenario."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tests.faults.boundaries import Run
from tests.faults.findings import Tally
from tests.faults.scenarios import BY_NAME, SCENARIOS
from tests.faults.screen import Bar
from tests.faults.virtual.campaign import Result, carry_out, hush, reference, runs

_CHUNK = 20
"""Runs of one scenario that a process does in a row."""


def planned(scenario: str) -> tuple[int, list[str], list[str]]:
    """Return how many boundaries a scenario has, the names of its runs, and what is wrong without any trouble."""
    found = reference(scenario)
    return len(found.boundaries), [str(run) for run in runs(BY_NAME[scenario])], found.findings.words


def lived(names: Sequence[str]) -> list[Result]:
    """Live these runs."""
    return [carry_out(Run.parse(name)) for name in names]


def whole_tier(failures: list[Result]) -> list[Tally]:
    """Live every run; what failed is added to `failures`. Raises AssertionError where a reference run is wrong."""
    context = get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=hush) as pool:
        plans = dict(zip([it.name for it in SCENARIOS], pool.map(planned, [it.name for it in SCENARIOS]), strict=True))
        tallies = {name: Tally(name, boundaries=count) for name, (count, _, _) in plans.items()}
        for name, (_, _, words) in plans.items():
            assert not words, f"{name} goes wrong without any trouble: {'; '.join(words)}"
        bar = Bar("virtual", sum(len(names) for _, names, _ in plans.values()))
        chunks = itertools.chain.from_iterable(_chunks(names) for _, names, _ in plans.values())
        for done in as_completed([pool.submit(lived, chunk) for chunk in chunks]):
            for result in done.result():
                count(tallies[result.run.scenario], result, failures, killed=False)
                bar.step(result.run, result.findings.words)
    return list(tallies.values())


def count(tally: Tally, result: Result, failures: list[Result], *, killed: bool) -> None:
    """Add a run to its scenario's line, and to the failures if it is one."""
    tally.count(result.run.boundary, result.findings, struck=result.struck, killed=killed)
    if not result.findings.fine:
        failures.append(result)


def _chunks(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while chunk := list(itertools.islice(rest, _CHUNK)):
        yield chunk
