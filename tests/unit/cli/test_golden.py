"""What --help prints is looked at by a person before it changes; the page about the commands names all of them.

After a change on purpose: `make generate`, or `python -m tests.unit.cli.helps`, then look at the difference.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from gpuinstance.cli.command import COMMANDS
from gpuinstance.cli.endings import MEANINGS, Exit
from tests.unit.cli.helps import DIRECTORY, helps

PAGE = (Path(__file__).parents[3] / "docs/cli.md").read_text()


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="other versions of Python word and wrap help otherwise")
def test_help_is_as_it_was() -> None:
    """Each command's own, and that of all of them."""
    kept = {path.name: path.read_text() for path in DIRECTORY.glob("*.txt")}
    assert helps() == kept


def test_every_exit_code_has_its_meaning() -> None:
    """In --help, and in the page, in the same words."""
    assert set(MEANINGS) == set(Exit)
    rows = dict(re.findall(r"^\| (\d+) \| (.*?) \|$", PAGE, re.MULTILINE))
    assert rows == {str(int(code)): words for code, words in MEANINGS.items()}


def test_every_command_is_in_the_page() -> None:
    """With a line about what it is for."""
    assert set(re.findall(r"^\| `([a-z-]+)[ `]", PAGE, re.MULTILINE)) == set(COMMANDS)


def test_every_command_says_what_it_is_for() -> None:
    """A few words for the list, sentences for its own help, and examples that begin as they are typed."""
    for command in COMMANDS.values():
        assert command.help, command.name
        assert command.help[0].islower(), command.name
        assert command.description.endswith("."), command.name
        assert all("kubectl gpu" in example for example in command.examples), command.name
        assert command.examples or command.name == "version", command.name
