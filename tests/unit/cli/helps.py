"""What --help prints for each command, as it is kept in tests/golden/cli/help.

`make generate` writes the files anew with `python -m tests.unit.cli.helps`; `test_golden` compares.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from gpuinstance.cli.command import GROUPS
from gpuinstance.cli.grammar import Grammar

DIRECTORY = Path(__file__).parents[2] / "golden/cli/help"
_WIDTH = "100"


def helps() -> Mapping[str, str]:
    """Return the texts, by the names of their files, as a terminal of a certain width shows them."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = _WIDTH
    try:
        grammar = Grammar(GROUPS)
        texts = {f"{name}.txt": parser.format_help() for name, parser in grammar.parsers.items()}
        return {"kubectl-gpu.txt": grammar.whole.format_help(), **texts}
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before


def write() -> None:
    """Write all of them, and take away what is no command any more."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    texts = helps()
    for old in DIRECTORY.glob("*.txt"):
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        (DIRECTORY / name).write_text(text)


if __name__ == "__main__":
    write()
