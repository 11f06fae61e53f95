"""Reading metrics, percentiles, and the table: measured beside the limit."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class Row:
    """One measure; a limit of None is for orientation only."""

    what: str
    value: float
    limit: float | None
    unit: str


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of all lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def total(metrics: str, name: str) -> float:
    """Return the sum of all series of one sample name."""
    return sum(s.value for family in text_string_to_metric_families(metrics) for s in family.samples if s.name == name)


def sample(metrics: str, name: str, label: str) -> float:
    """Return the sum of the series of a sample name that carry `label` as one of their values."""
    return sum(
        s.value
        for family in text_string_to_metric_families(metrics)
        for s in family.samples
        if s.name == name and label in s.labels.values()
    )


def histogram_quantile(metrics: str, name: str, share: float, before: str = "") -> float:
    """Return the upper bound of the bucket in which the quantile lies, of what came after `before`."""
    now, then = _buckets(metrics, name), _buckets(before, name)
    counts = [(bound, count - then.get(bound, 0.0)) for bound, count in sorted(now.items())]
    if not counts or counts[-1][1] <= 0:
        return 0.0
    wanted = counts[-1][1] * share
    return next(bound for bound, count in counts if count >= wanted)


def _buckets(metrics: str, name: str) -> dict[float, float]:
    return {
        float(s.labels["le"]): s.value
        for family in text_string_to_metric_families(metrics)
        for s in family.samples
        if s.name == f"{name}_bucket"
    }


def print_table(rows: Sequence[Row], title: str) -> None:
    """Print the table, and keep the numbers in bench.json for comparison."""
    lines = [title, "", f"{'measure':<52}{'measured':>12}{'limit':>10}"]
    for row in rows:
        limit = "" if row.limit is None else f"{row.limit:g}"
        mark = "" if row.limit is None or row.value <= row.limit else "  over"
        lines.append(f"{row.what:<52}{row.value:>12.2f}{limit:>10} {row.unit}{mark}")
    sys.stdout.write("\n".join(lines) + "\n")
    Path("bench.json").write_text(json.dumps({"title": title, "rows": [asdict(row) for row in rows]}, indent=2) + "\n")
