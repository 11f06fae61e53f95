"""The table of docs/waiting.md, from the table of the judges: `python -m tests.judges.page` writes it anew.

A test compares the two, so that the page says of every situation what the judges were held to.
"""

from __future__ import annotations

from tests.judges.situations import TABLE, Situation
from tests.judges.verdicts import Verdict
from tests.rig.stack import ROOT

PAGE = ROOT / "docs" / "waiting.md"
BEGIN = "<!-- This table is generated from tests/judges/situations.py by `python -m tests.judges.page`. -->\n"
END = "<!-- End of the generated table. -->\n"

_HEAD = """
| situation | `condition=Ready` | `status.outcome` | kstatus | Flux | Argo CD |
|---|---|---|---|---|---|
"""


def table() -> str:
    """Return the table, as the page shows it."""
    return _HEAD + "".join(_line(row) for row in TABLE) + "\n"


def _line(row: Situation) -> str:
    says = row.expected
    ready = "met" if says.ready else "waits"
    if says.verdict is Verdict.LEAVING:
        ready = "wait for `delete`"
    cells = (row.name, ready, says.outcome or "", says.kstatus, says.flux, says.argo)
    return f"| {' | '.join(cells)} |\n".replace("|  |", "| |")


def split(text: str) -> tuple[str, str, str]:
    """Return what is before, in and after the place of the table. Raises ValueError where there is none."""
    before, begin, rest = text.partition(BEGIN)
    inside, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no place for the table")
    return before + begin, inside, end + after


def main() -> None:
    """Write the table into the page."""
    before, _, after = split(PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(before + table() + after, encoding="utf-8")


if __name__ == "__main__":
    main()
