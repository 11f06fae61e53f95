"""docs/waiting.md says what the judges were held to, and points to what is there."""

from __future__ import annotations

import re

import pytest

from tests.judges import page
from tests.judges.situations import TABLE, Situation
from tests.judges.upgrade_situations import UPGRADES
from tests.rig.stack import ROOT


@pytest.mark.parametrize("name", page.tables())
def test_the_page_shows_the_tables_of_the_judges(name: str) -> None:
    """Where this fails, `python -m tests.judges.page` writes them anew."""
    assert page.split(page.PAGE.read_text(encoding="utf-8"), name)[1] == page.tables()[name]


@pytest.mark.parametrize(("name", "rows", "bars"), [("situations", TABLE, 7), ("upgrade_situations", UPGRADES, 8)])
def test_each_situation_has_a_line_with_all_its_cells(name: str, rows: tuple[Situation, ...], bars: int) -> None:
    """Nothing in a name breaks the table."""
    lines = page.tables()[name].strip().splitlines()[2:]
    assert len(lines) == len(rows)
    assert {line.count("|") for line in lines} == {bars}


def test_a_page_without_a_place_for_the_table_is_refused() -> None:
    """The table is not lost silently when somebody removes the marks around it."""
    with pytest.raises(ValueError, match="no place"):
        page.split("# Waiting\n", "situations")


def test_files_that_the_page_names_exist() -> None:
    """Links and commands of the page lead somewhere."""
    text = page.PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"\(\.\./(deploy/[^)]+)\)", text)) | set(re.findall(r"-f (deploy/\S+)", text))
    assert {"deploy/argocd/argocd-cm.yaml", "deploy/flux/kustomization.yaml", "deploy/flux/upgrade.yaml"} <= named
    assert [path for path in named if not (ROOT / path).is_file()] == []
