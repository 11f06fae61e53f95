"""The tables of docs/waiting.md, from those of the judges: `python -m tests.judges.page` writes them anew.

A test compares them, so that the page says of every situation what the judges were held to.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.judges.situations import TABLE, Situation
from tests.judges.upgrade_situations import UPGRADES
from tests.judges.verdicts import Verdict
from tests.rig.stack import ROOT

PAGE = ROOT / "docs" / "waiting.md"
END = "<!-- End of the generated table. -->\n"


def begin(name: str) -> str:
    """Return the mark before a table, by the module that it comes from."""
    return f"<!-- This table is generated from tests/judges/{name}.py by `python -m tests.judges.page`. -->\n"


def tables() -> dict[str, str]:
    """Return both tables as the page shows them, by the module that they come from."""
    return {"situations": _table(TABLE, asking=False), "upgrade_situations": _table(UPGRADES, asking=True)}


def _table(rows: Sequence[Situation], *, asking: bool) -> str:
    heads = ["situation", "`condition=Ready`", "`status.outcome`", "kstatus", "Flux", "Argo CD"]
    heads[2:2] = ["`condition=ActionRequired`"] if asking else []
    lines = [_line(heads), f"|{'---|' * len(heads)}\n", *(_line(_cells(row, asking=asking)) for row in rows)]
    return "\n" + "".join(lines) + "\n"


def _cells(row: Situation, *, asking: bool) -> list[str]:
    says = row.expected
    ready = "wait for `delete`" if says.verdict is Verdict.LEAVING else _met(says.ready)
    asks = [_met(says.asks)] if asking else []
    return [row.name, ready, *asks, says.outcome or "", says.kstatus, says.flux, says.argo]


def _met(met: bool) -> str:
    return "met" if met else "waits"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n".replace("|  |", "| |")


def split(text: str, name: str) -> tuple[str, str, str]:
    """Return what is before, in and after the place of a table. Raises ValueError where there is none."""
    before, mark, rest = text.partition(begin(name))
    inside, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"the page has no place for the table of {name}")
    return before + mark, inside, end + after


def main() -> None:
    """Write the tables into the page."""
    text = PAGE.read_text(encoding="utf-8")
    for name, table in tables().items():
        before, _, after = split(text, name)
        text = before + table + after
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
