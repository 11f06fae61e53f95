"""From sampled stacks to what a person wants to know: which functions used the CPU, in each phase of a run.

`python -m tests.bench.profiles build/bench/deletion.folded` prints one of the files that a profiled run has left.
`Profiler` tells the profiled operator where phases end; `own_and_total`, `by_package` and `describe` crunch numbers,
and know nothing of processes. The stacks are written by `profiled`, in its folded format.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.profiled import PHASE
from tests.controlplane.processes import Child
from tests.rig.stack import await_true

SHOWN = 25
"""Functions that are printed for each phase by what is their own; the file has them all."""
OF_OURS = 15
"""Functions of the operator that are printed besides, by what they cause elsewhere."""
OURS = "gpuinstance"

Stacks = Mapping[tuple[str, ...], float]
"""CPU seconds by stack, the outermost function first."""


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds of one function."""

    function: str
    own: float
    """In the function itself, and in what it calls that is not written in Python."""
    total: float
    """With all that it calls; counted once where it calls itself."""


class Profiler:
    """Collects the profile of each phase in files of `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        for old in self.directory.glob("*.folded"):
            old.unlink()

    @property
    def command(self) -> Sequence[str]:
        """What Python is to run in the operator's place."""
        return ("-m", "tests.bench.profiled", str(self.directory))

    def path(self, phase: str) -> Path:
        """Return where the stacks of a phase are, once it has ended."""
        return self.directory / f"{phase.replace(' ', '-')}.folded"

    def end(self, phase: str, operator: Child) -> Path:
        """End a phase; return the file with its stacks. Raises ChildError or TimeoutError where there is none."""
        path = self.path(phase)
        path.unlink(missing_ok=True)
        (self.directory / PHASE).write_text(path.stem)
        os.kill(operator.pid, signal.SIGUSR2)
        await_true(path.exists, operator)
        return path


def read(path: Path) -> Stacks:
    """Read a folded file."""
    found: Counter[tuple[str, ...]] = Counter()
    for line in path.read_text().splitlines():
        stack, _, microseconds = line.rpartition(" ")
        found[tuple(stack.split(";"))] += int(microseconds)
    return {stack: microseconds / 1e6 for stack, microseconds in found.items()}


def own_and_total(stacks: Stacks) -> list[Spent]:
    """Return what each function spent, the one with the most of its own first."""
    own: defaultdict[str, float] = defaultdict(float)
    total: defaultdict[str, float] = defaultdict(float)
    for stack, seconds in stacks.items():
        own[stack[-1]] += seconds
        for function in set(stack):
            total[function] += seconds
    spent = [Spent(function, own[function], seconds) for function, seconds in total.items()]
    return sorted(spent, key=lambda it: (-it.own, -it.total))


def by_package(stacks: Stacks) -> dict[str, float]:
    """Return CPU seconds by the package in which they were spent, the most first."""
    found: defaultdict[str, float] = defaultdict(float)
    for stack, seconds in stacks.items():
        found[_package(stack[-1])] += seconds
    return dict(sorted(found.items(), key=lambda it: -it[1]))


def describe(phase: str, stacks: Stacks) -> list[str]:
    """Return the lines that are printed about one phase."""
    everything = sum(stacks.values())
    if not everything:
        return [f"profile, {phase}: no CPU time was used"]
    packages = ", ".join(
        f"{name} {s / everything:.0%}" for name, s in by_package(stacks).items() if s > everything / 50
    )
    spent = own_and_total(stacks)
    ours = sorted((it for it in spent if _package(it.function) == OURS), key=lambda it: -it.total)

    def table(chosen: Sequence[Spent]) -> list[str]:
        return [
            f"{it.own:>8.2f}{it.own / everything:>7.1%}{it.total:>9.2f}{it.total / everything:>7.1%}  {it.function}"
            for it in chosen
        ]

    return [
        f"profile, {phase}: {everything:.2f} CPU seconds; {packages}",
        f"{'own s':>8}{'%':>7}{'total s':>9}{'%':>7}  function, the most of its own first",
        *table(spent[:SHOWN]),
        f"{'own s':>8}{'%':>7}{'total s':>9}{'%':>7}  function of the operator, the most with all that it calls first",
        *table(ours[:OF_OURS]),
    ]


def _package(function: str) -> str:
    """`kopf/_core/engines/x.py:12 f` belongs to kopf, `json/decoder.py:3 g` to json, `ssl.py:9 h` to ssl."""
    first = function.partition(":")[0].partition("/")[0]
    return first.removesuffix(".py")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        sys.stdout.write("\n".join(describe(argument, read(Path(argument)))) + "\n")
