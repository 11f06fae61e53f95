"""The runbooks: complete, with commands that exist and links that lead somewhere.

That the commands do what they should, is tried on a real API server by tests/integration/test_runbooks.py.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from gpuinstance.cli.command import COMMANDS, main
from tests.prometheus.commands import RUNBOOKS, all_commands, commands_of

PAGES = [pytest.param(page, id=page.stem) for page in RUNBOOKS]
SECTIONS = ["What it costs", "How to look", "What to do", "When to worry"]
OLDEST = "credentials-unavailable"
"""Grew before the others, and tells the same under other titles."""


@pytest.mark.parametrize("page", PAGES)
def test_every_page_answers_the_same_questions(page: Path) -> None:
    """What it means comes first, then four sections, always in this order."""
    text = page.read_text()
    assert re.match(r"# [A-Z]\w+\n\n\w", text)
    if page.stem != OLDEST:
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_how_to_look(page: Path) -> None:
    """There is something to type."""
    assert commands_of(page)


@pytest.mark.parametrize("command", all_commands())
def test_commands_can_be_typed(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The shell understands it, and so does `kubectl gpu`: command and options exist."""
    subprocess.run(["/bin/bash", "-n", "-c", command], check=True)
    words = shlex.split(command)
    assert words[0] == "kubectl"
    if words[1] == "gpu":
        assert words[2] in COMMANDS
        with pytest.raises(SystemExit):
            main([words[2], "--help"])
        asked = capsys.readouterr().out
        options = [word.split("=")[0] for word in words[3:] if word.startswith("-")]
        assert [option for option in options if not re.search(rf"(^|[\s\[]){option}\b", asked)] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: Path) -> None:
    """Each page that is named exists."""
    links = re.findall(r"\]\(([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).is_file()] == []
