"""What was measured, beside its limit: the rows, and how they are printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench.usage import IDLE, OTHERS, STOLEN, Usage

_WHAT = 62
_NUMBER = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One measure."""

    what: str
    value: float
    unit: str = ""
    limit: float | None = None
    """What it may be at most; None: it is for orientation only."""

    @property
    def met(self) -> bool | None:
        """Whether the limit is met; None where there is none."""
        return None if self.limit is None else self.value <= self.limit


def verdict(rows: Sequence[Row]) -> str:
    """Say how many limits are met."""
    judged = [row.met for row in rows if row.met is not None]
    return f"{sum(judged)} of {len(judged)} limits met"


def lines(rows: Sequence[Row], old: Mapping[str, float] | None = None) -> list[str]:
    """Return the table; with the values of an `old` run, by row, also these, and the change from then to now."""
    compared = "" if old is None else f"{'before':>{_NUMBER}}{'change':>{_NUMBER}}"
    made = [f"{'measure':<{_WHAT}}{'measured':>{_NUMBER}}{compared}{'limit':>{_NUMBER}}"]
    for row in rows:
        numbers = f"{number(row.value):>{_NUMBER}}"
        if old is not None:
            then = old.get(row.what)
            shown = "" if then is None else number(then)
            numbers += f"{shown:>{_NUMBER}}{change(then, row.value):>{_NUMBER}}"
        limit = "" if row.limit is None else number(row.limit)
        mark = "" if row.met is not False else "  over"
        made.append(f"{row.what:<{_WHAT}}{numbers}{limit:>{_NUMBER}} {row.unit}{mark}".rstrip())
    return made


def number(value: float) -> str:
    """Return a number with as many digits as say something."""
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.3f}" if abs(value) < 1 else f"{value:,.2f}"


def change(then: float | None, now: float) -> str:
    """Return by how much a value has changed, in per cent of what it was."""
    if then is None:
        return ""
    if then == now:
        return "="
    return f"{(now - then) / then:+.0%}" if then else "new"


def least_seconds(usage: Usage, cores: int) -> float:
    """Return how long a phase would take at least, were all cores busy with the programs of the stack only."""
    others = (OTHERS, STOLEN, IDLE)
    return sum(seconds for who, seconds in usage.cpu.items() if who not in others) / max(1, cores)


def usage_lines(phases: Mapping[str, Usage]) -> list[str]:
    """Return who used the processors in each phase."""
    width = 12
    who = list(dict.fromkeys(name for usage in phases.values() for name in usage.cpu))
    made = [f"{'CPU seconds':<20}" + "".join(f"{phase:>{width}}" for phase in phases)]
    made += [
        f"{name:<20}" + "".join(f"{usage.cpu.get(name, 0.0):>{width}.1f}" for usage in phases.values()) for name in who
    ]
    return [*made, f"{'seconds on the wall':<20}" + "".join(f"{it.elapsed:>{width}.1f}" for it in phases.values())]
