"""The alerts as data, the queries in them and in the dashboard, and what those queries ask for.

Used by the tests of this folder. Nothing here parses PromQL: that is left to promtool. What is taken out of a query by
pattern is only the names in it, to be held against the metrics that exist.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/rules.yaml"
GOLDEN = ROOT / "tests/golden/metrics.txt"
PREFIX = "GPUInstance"
"""Every alert begins so; the name of its runbook does not."""

_SELECTOR = re.compile(r"\b((?:gpuinstance|process)_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*\"([^\"]*)\"")
_GROUPING = re.compile(r"\b(?:by|without)\s*\(([^)]*)\)")
_OF_HISTOGRAMS = re.compile(r"_(bucket|count|sum)$")
_FROM_TARGETS = frozenset({"job", "instance", "namespace", "pod", "service", "container", "endpoint"})
"""Labels that Prometheus adds to each series of a target."""


@dataclass(frozen=True, slots=True)
class Golden:
    """One line of the golden file."""

    name: str
    kind: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A metric in a query, with what is asked of its labels."""

    metric: str
    matchers: Sequence[tuple[str, str, str]]
    """Label, operator and value."""


def spec() -> Mapping[str, Any]:
    """Return what Prometheus reads."""
    found: Mapping[str, Any] = yaml.safe_load(RULES.read_text())["spec"]
    return found


def alerts() -> Mapping[str, Mapping[str, Any]]:
    """Return all alerts by name."""
    return {rule["alert"]: rule for group in spec()["groups"] for rule in group["rules"]}


def golden() -> Mapping[str, Golden]:
    """Return the metrics that exist, by name."""
    lines = [line.split(" ", 3) for line in GOLDEN.read_text().splitlines()]
    return {
        name: Golden(name, kind, frozenset(filter(None, labels.strip("{}").split(","))))
        for name, kind, labels, _ in lines
    }


def asked(query: str) -> Iterator[Asked]:
    """Yield each metric in a query."""
    for metric, matchers in _SELECTOR.findall(query):
        yield Asked(metric, _MATCHER.findall(matchers))


def unknown_words(query: str) -> list[str]:
    """Return the metrics and labels in a query that do not exist."""
    exist, wrong, labels = golden(), [], set(_FROM_TARGETS)
    for it in asked(query):
        base = it.metric if it.metric in exist else _OF_HISTOGRAMS.sub("", it.metric)
        if base not in exist or (base != it.metric and exist[base].kind != "histogram"):
            wrong.append(it.metric)
            continue
        own = exist[base].labels | ({"le"} if exist[base].kind == "histogram" else set())
        labels |= own
        wrong += [f"{it.metric}{{{label}}}" for label, _, _ in it.matchers if label not in own | _FROM_TARGETS]
    grouped = {label.strip() for group in _GROUPING.findall(query) for label in group.split(",")}
    if "ALERTS{" in query:  # Prometheus' own series
        labels |= {"alertname", "severity"}
    return wrong + sorted(grouped - labels - {""})


def promtool(program: Path, *arguments: str, cwd: Path) -> str:
    """Run promtool; return what it wrote, all of it, where that was well. Raises AssertionError."""
    done = subprocess.run([program, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
