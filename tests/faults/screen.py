"""What the person who watches sees: a bar while it goes on, a table when it is over."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Sequence

from tests.faults.findings import Tally

_WIDTH = 24
_PAUSE = 10.0
"""Seconds between lines where there is no terminal to draw a bar in."""


class Bar:
    """How far a part of the campaign is, and how long it will take. Lanes may call it from their threads."""

    def __init__(self, title: str, total: int) -> None:
        self._title = title
        self._total = total
        self._done = 0
        self._failed = 0
        self._began = time.monotonic()
        self._drawn = 0.0
        self._lock = threading.Lock()

    def step(self, name: object, wrong: Sequence[str] = ()) -> None:
        """One run is over; what is wrong with it is said at once."""
        with self._lock:
            self._done += 1
            self._failed += bool(wrong)
            if wrong:
                lines = "".join(f"\n  {words}" for words in wrong)
                sys.stdout.write(f"\nFAILED {name}{lines}\n  again: make faults RUN={name}\n")
            self._draw(last=self._done == self._total)

    def _draw(self, *, last: bool) -> None:
        now, terminal = time.monotonic(), sys.stdout.isatty()
        if not last and now - self._drawn < (0.2 if terminal else _PAUSE):
            return
        self._drawn = now
        share = self._done / self._total
        gone = now - self._began
        filled = int(_WIDTH * share)
        bar = f"[{'#' * filled}{'.' * (_WIDTH - filled)}]"
        trouble = f", {self._failed} FAILED" if self._failed else ""
        left = f"about {clock(gone / share - gone)} left" if not last else "done"
        line = f"{self._title:8} {bar} {self._done}/{self._total}  {clock(gone)}, {left}{trouble}"
        sys.stdout.write(f"\r{line}\x1b[K" if terminal else f"{line}\n")
        if terminal and last:
            sys.stdout.write("\n")
        sys.stdout.flush()


def clock(seconds: float) -> str:
    """Return a span as `3m07s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02d}s"


_HEAD = (
    "scenario",
    "boundaries",
    "runs",
    "killed",
    "dupl.",
    "dbl.charges",
    "orphans",
    "finalizers",
    "writes",
    "failed",
)


def table(title: str, tallies: Iterable[Tally]) -> str:
    """Return the summary of one tier, with a line for its sum."""
    lines = list(tallies)
    rows = [_row(it) for it in lines]
    rows.append(_sum(rows))
    widths = [max(len(str(row[i])) for row in [_HEAD, *rows]) for i in range(len(_HEAD))]
    text = [title, _line(_HEAD, widths), "  ".join("-" * width for width in widths)]
    return "\n".join([*text, *(_line(row, widths) for row in rows)])


def _row(it: Tally) -> tuple[str, ...]:
    counts = it.counts
    numbers = (it.runs, it.kills, counts.duplicates, counts.double_charges, counts.orphans, counts.finalizers)
    hit = f"{len(it.hit)}/{it.boundaries}" if it.boundaries else "-"
    return (it.scenario, hit, *(str(n) for n in (*numbers, counts.writes_at_rest, it.failed)))


def _sum(rows: list[tuple[str, ...]]) -> tuple[str, ...]:
    pairs = [row[1].split("/") for row in rows if "/" in row[1]]
    hit = f"{sum(int(a) for a, _ in pairs)}/{sum(int(b) for _, b in pairs)}" if pairs else "-"
    return ("all", hit, *(str(sum(int(row[i]) for row in rows)) for i in range(2, len(_HEAD))))


def _line(row: Iterable[str], widths: list[int]) -> str:
    cells = list(row)
    return "  ".join(
        [cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))]
    )
