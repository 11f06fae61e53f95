"""Who used the processors: CPU seconds of each program of the stack, and of all others, from /proc.

The bench reads it at the ends of each phase. All programs share the machine, so that a slow operator and a busy
neighbour look alike from outside; here they can be told apart. Knows nothing of what the programs do.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

BENCH = "bench, kubectl"
OTHERS = "everybody else"
STOLEN = "taken by the host"
IDLE = "idle"

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used in a span of time, or since some moment in the past."""

    cpu: Mapping[str, float]
    """CPU seconds by who used them, idle ones as well: their sum is that of the machine."""
    elapsed: float
    """Seconds on the wall."""

    def since(self, before: Usage) -> Usage:
        """Return what was used after `before`; whoever is not in it began after it."""
        cpu = {who: max(0.0, seconds - before.cpu.get(who, 0.0)) for who, seconds in self.cpu.items()}
        return Usage(cpu, self.elapsed - before.elapsed)


class Meter:
    """Reads what has been used. `pids` returns the programs that run now, by name, in the order of the table."""

    def __init__(self, pids: Callable[[], Mapping[str, int]], proc: Path = Path("/proc")) -> None:
        self._pids = pids
        self._proc = proc
        self._last: dict[str, tuple[int, float]] = {}
        """Process id and CPU seconds of each program, as last read."""
        self._ended: dict[str, float] = {}
        """CPU seconds of processes that are no more, by the name of the program."""

    def read(self) -> Usage:
        """Return what has been used up to now. Call it right before a program is stopped, or its last bit is lost."""
        for name, pid in self._pids().items():
            if name in self._last and self._last[name][0] != pid:
                self._ended[name] = self._ended.get(name, 0.0) + self._last[name][1]
            self._last[name] = pid, cpu_seconds(pid, self._proc)
        cpu = {name: seconds + self._ended.get(name, 0.0) for name, (_, seconds) in self._last.items()}
        own = os.times()
        # A child's time is its parent's once it has ended: the programs that did are counted already.
        cpu[BENCH] = own.user + own.system + own.children_user + own.children_system - sum(self._ended.values())
        busy, stolen, idle = self._machine()
        cpu[OTHERS] = busy - sum(cpu.values())
        cpu[STOLEN], cpu[IDLE] = stolen, idle
        return Usage(cpu, time.monotonic())

    def _machine(self) -> tuple[float, float, float]:
        """Return for how many CPU seconds the machine was busy, was not allowed to run, and was idle."""
        first = (self._proc / "stat").read_text().splitlines()[0]
        user, nice, system, idle, waiting, irq, softirq, stolen = (int(it) / _TICKS for it in first.split()[1:9])
        return user + nice + system + irq + softirq, stolen, idle + waiting


def cpu_seconds(pid: int, proc: Path = Path("/proc")) -> float:
    """Return the CPU seconds that a running process has used, by itself and for it in the kernel."""
    fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_megabytes(pid: int, proc: Path = Path("/proc")) -> float:
    """Return how much memory of a running process is resident, in MB of a million bytes."""
    pages = int((proc / str(pid) / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
