"""`python -m tests.faults`: the whole campaign, or one run of it by name.

    make faults                                                   everything
    make faults RUN=virtual/create/create#1/answer-lost           one run, again
    make faults RUN=create                                        one scenario without trouble, in both tiers
    make faults TIER=virtual                                      one tier
    make faults SEED=7                                            another choice of kills in the real tier

Ends with 1 if anything is wrong. A run that failed becomes a regression case by adding its name to
tests/faults/regressions.txt.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.faults.boundaries import Run
from tests.faults.findings import Tally
from tests.faults.real.tier import rerun, rerun_undisturbed
from tests.faults.real.tier import whole_tier as real_tier
from tests.faults.scenarios import BY_NAME
from tests.faults.screen import clock, table
from tests.faults.virtual.campaign import Result, carry_out, hush, reference
from tests.faults.virtual.tier import whole_tier as virtual_tier

SEED = 20260131


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    options = _options()
    began = time.monotonic()
    if options.run in BY_NAME:
        return _undisturbed(options.run)
    if options.run:
        return _one(Run.parse(options.run))
    failures: list[Result] = []
    tables: list[tuple[str, list[Tally]]] = []
    if options.tier in {"all", "virtual"}:
        tables.append(("In virtual time, every trouble at every boundary", virtual_tier(failures)))
    if options.tier in {"all", "real"}:
        kills, disturbed = real_tier(failures, seed=options.seed, lanes=options.lanes)
        tables.append((f"The real process, killed (seed {options.seed})", kills))
        tables.append(("The real process, disturbed otherwise", disturbed))
    for title, tallies in tables:
        print(f"\n{table(title, tallies)}")
    return _verdict(tables, failures, time.monotonic() - began)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="The fault campaign.")
    parser.add_argument("--run", help="one run by its name: TIER/SCENARIO/BOUNDARY/TROUBLE, or a scenario")
    parser.add_argument("--tier", choices=("all", "virtual", "real"), default="all")
    parser.add_argument("--seed", type=int, default=SEED, help="which kills the real tier chooses")
    parser.add_argument("--lanes", type=int, default=4, help="operators that are killed side by side")
    return parser.parse_args()


def _one(run: Run) -> int:
    hush()
    result = carry_out(run) if run.tier == "virtual" else rerun(run)
    for words in result.findings.words:
        print(f"  {words}")
    print(f"{run}: {'all is well' if result.findings.fine else 'FAILED'}")
    return 0 if result.findings.fine else 1


def _undisturbed(scenario: str) -> int:
    hush()
    findings = {"virtual": reference(scenario).findings, "real": rerun_undisturbed(scenario).findings}
    for tier, it in findings.items():
        for words in it.words:
            print(f"  {words}")
        print(f"{tier}/{scenario}: {'all is well' if it.fine else 'FAILED'}")
    return 0 if all(it.fine for it in findings.values()) else 1


def _verdict(tables: list[tuple[str, list[Tally]]], failures: list[Result], seconds: float) -> int:
    runs = sum(tally.runs for _, tallies in tables for tally in tallies)
    kills = sum(tally.kills for _, tallies in tables for tally in tallies)
    for failure in failures:
        print(f"FAILED {failure.run}: {'; '.join(failure.findings.words)[:300]}")
    end = f"{len(failures)} of them FAILED" if failures else "all is well"
    print(f"\n{runs} runs, {kills} with the process really killed, in {clock(seconds)}: {end}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
