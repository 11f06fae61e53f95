"""What is left of a run: the tables on standard output, and the same in a file that a later run is compared with."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.table import Row, least_seconds, lines, usage_lines, verdict
from tests.bench.usage import Usage

COMING_UP = "coming up"
"""The phase in which everybody works at once."""


@dataclass(slots=True)
class Report:
    """All that a run found out."""

    date: str
    """ISO 8601, with the zone."""
    commit: str
    size: int
    machine: Mapping[str, str | int | float]
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of the operator, where the environment of the bench changes them."""
    profiled: bool = False
    rows: list[Row] = field(default_factory=list)
    usage: dict[str, Usage] = field(default_factory=dict)
    """By phase."""
    notes: list[str] = field(default_factory=list)
    broken: str = ""
    """Why the run ended early."""

    def as_json(self) -> dict[str, Any]:
        """The whole, for `bench.json`."""
        rows = [
            {"what": it.what, "value": it.value if math.isfinite(it.value) else None, "unit": it.unit}
            | ({} if it.limit is None else {"limit": it.limit, "met": it.met})
            for it in self.rows
        ]
        return {
            "date": self.date,
            "commit": self.commit,
            "size": self.size,
            "machine": dict(self.machine),
            "settings": dict(self.settings),
            "profiled": self.profiled,
            "verdict": verdict(self.rows),
            "broken": self.broken,
            "rows": rows,
            "cpuSeconds": {phase: {**it.cpu, "elapsed": it.elapsed} for phase, it in self.usage.items()},
            "notes": self.notes,
        }

    def lines(self, old: Mapping[str, Any] | None = None) -> Sequence[str]:
        """What is printed; beside the rows of an `old` run, where one is given."""
        machine = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        title = f"{self.size} instances, {self.date}, commit {self.commit or 'unknown'}"
        shown = [title, machine]
        if self.settings:
            shown.append("with " + ", ".join(f"{name}={value}" for name, value in self.settings.items()))
        if old is not None:
            shown.append(
                f"before: {old.get('size', '?')} instances, {old.get('date', '?')}, commit {old.get('commit', '?')}"
            )
        before = None if old is None else {row["what"]: row["value"] for row in old["rows"] if row["value"] is not None}
        tables = [*lines(self.rows, before), "", *usage_lines(self.usage)]
        return [*shown, "", *tables, "", *self._floor(), *self.notes, verdict(self.rows)]

    def _floor(self) -> Sequence[str]:
        """Say what no operator could beat on this machine, as long as the others do not get faster."""
        usage, cores = self.usage.get(COMING_UP), int(self.machine.get("cores", 0))
        if usage is None or not cores:
            return []
        least, own = least_seconds(usage, cores), usage.cpu.get("operator", 0.0) / cores
        without = f"and for {least - own:.0f} s without the operator's own work"
        return [f"coming up keeps {cores} cores busy for {least:.0f} s at least, {without}"]


def load(path: Path) -> dict[str, Any]:
    """Read what an earlier run has left. Raises ValueError where it is something else."""
    found: dict[str, Any] = json.loads(path.read_text())
    if "rows" not in found:
        raise ValueError(f"{path} was not written by a bench")
    return found
