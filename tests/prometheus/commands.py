"""What the runbooks tell a person to type: the lines of their blocks, and the whole commands in running text."""

from __future__ import annotations

import re
from pathlib import Path

from tests.prometheus.rules import ROOT

RUNBOOKS = sorted(page for page in (ROOT / "docs/runbooks").glob("*.md") if page.name != "README.md")

_BLOCK = re.compile(r"^ *```(?:sh|console)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(kubectl [a-z][^`]* [^`]+)`")


def commands_of(page: Path) -> list[str]:
    """Return the commands of a page, in their order."""
    text = page.read_text()
    lines = [line.strip().removeprefix("$ ") for block in _BLOCK.findall(text) for line in block.splitlines()]
    inline = [" ".join(found.split()) for found in _INLINE.findall(_BLOCK.sub("", text))]
    return [command for command in [*lines, *inline] if command]


def all_commands() -> list[str]:
    """Return the commands of all pages, each once."""
    return sorted({command for page in RUNBOOKS for command in commands_of(page)})
