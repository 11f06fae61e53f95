"""Many instances on the real stack: `make bench`, `make bench SIZE=10000`, `make bench PROFILE=1`.

Starts API server, simulated provider and operator, sends them through the phases, and prints what was measured beside
its limit. Progress goes to stderr, the tables to stdout, and the same numbers to bench.json. A limit that is missed is
told, and is no failure; a run that cannot be finished is one, after what it found out until then.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import machine, profiles, report
from tests.bench.audited import AuditTally
from tests.bench.phases import changes, coming_up, deletion, edits, rest, restart
from tests.bench.profiles import Profiler
from tests.bench.report import COMING_UP, Report
from tests.bench.run import OPTIONS, Run, say
from tests.bench.table import Row
from tests.controlplane.cluster import LocalCluster
from tests.rig.stack import open_stack

SMALLEST = 10
RESULT = Path("bench.json")
PROFILES = Path("build/bench")
PRINTED = ("start", COMING_UP, "at rest", "restart")
"""Profiles that are printed."""

Phase = Callable[[Run], Iterator[Row]]
PHASES: Mapping[str, Phase] = {
    COMING_UP: coming_up.measure,
    "at rest": rest.measure,
    "changes": changes.measure,
    "edits": edits.measure,
    "restart": restart.measure,
    "deletion": deletion.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and keep; return the exit code. Raises SystemExit for bad options, before anything takes minutes."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Benchmark on the real stack.")
    parser.add_argument("--size", type=int, default=1000, help="number of instances (default: 1000)")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="print the numbers of an earlier run beside")
    parser.add_argument("--profile", action="store_true", help="sample the operator; print who used its CPU time")
    parser.add_argument("--until", choices=list(PHASES), help="end after this phase (default: deletion)")
    options = parser.parse_args(arguments)
    try:
        old = None if options.compare is None else report.load(options.compare)
    except (OSError, ValueError) as error:
        parser.error(f"--compare: {error}")
    if options.size < SMALLEST:
        parser.error(f"--size: fewer than {SMALLEST} tell nothing")
    if os.environ.get("USE_EXISTING_CLUSTER", "").lower() == "true":
        parser.error("writes are counted in the API server's audit log: that needs a control plane of its own")
    date = datetime.now(UTC).isoformat(timespec="seconds")
    settings = {name: value for name, value in os.environ.items() if name.startswith("GPUINSTANCE_")}
    made = Report(date, machine.commit(), options.size, machine.describe(), settings, profiled=options.profile)
    profiler = Profiler(PROFILES) if options.profile else None
    try:
        _run(made, profiler, options.until)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - what was measured before is worth telling
        traceback.print_exc()
        made.broken = f"{type(error).__name__}: {error}".splitlines()[0]
        made.notes.append(f"this run could not be finished: {made.broken}")
    RESULT.write_text(json.dumps(made.as_json(), indent=2) + "\n")
    sys.stdout.write("\n".join([*made.lines(old), *_profile_lines(profiler)]) + "\n")
    return 1 if made.broken else 0


def _run(made: Report, profiler: Profiler | None, until: str | None) -> None:
    options = OPTIONS if profiler is None else replace(OPTIONS, operator_program=profiler.command)
    with tempfile.TemporaryDirectory(prefix="gpu-instance-bench-") as scratch:
        directory = Path(scratch)
        with open_stack(directory, say, options) as stack:
            cluster = stack.cluster
            assert isinstance(cluster, LocalCluster)
            assert cluster.audit_log is not None
            with closing(AuditTally(cluster.audit_log, stack.operator_user)) as audit:
                run = Run(stack, cluster, made.size, directory, audit, made.notes)
                _measure(run, made, profiler, until)


def _measure(run: Run, made: Report, profiler: Profiler | None, until: str | None) -> None:
    operator, meter = run.stack.operator.child, run.meter()
    if profiler is not None:
        profiler.end("start", operator)
    for name, measure in PHASES.items():
        before = meter.read()
        for row in measure(run):  # one by one: what was measured stays, should the next one fail
            made.rows.append(row)
        made.usage[name] = meter.read().since(before)
        if profiler is not None:
            profiler.end(name, operator)
        if name == until:
            return


def _profile_lines(profiler: Profiler | None) -> Iterator[str]:
    if profiler is None:
        return
    for phase in PRINTED:
        if (path := profiler.path(phase)).exists():
            yield from ("", *profiles.describe(phase, profiles.read(path)))
    yield from ("", f"all stacks, of these phases and the others: {PROFILES}/*.folded")


if __name__ == "__main__":
    sys.exit(main())
