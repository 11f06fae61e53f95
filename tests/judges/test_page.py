"""docs/waiting.md and docs/gitops.md say what the judges say, and point to what is there."""

from __future__ import annotations

import re

import pytest

from tests.judges import page
from tests.judges.program import Engines
from tests.judges.situations import TABLE, Situation
from tests.judges.stories import Body
from tests.judges.upgrade_situations import UPGRADES
from tests.rig.stack import ROOT

GITOPS = ROOT / "docs" / "gitops.md"


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


def test_the_short_table_of_gitops_is_what_the_engines_show(engines: Engines) -> None:
    """In each situation, the first line that fits says what Flux and Argo CD show; no line is about nothing."""
    rows = re.findall(r"^\| (?:is|says) ([^|]+) \| (\w+) \| (\w+) \|", GITOPS.read_text(encoding="utf-8"), re.MULTILINE)
    told = {what: (flux, argo) for what, flux, argo in rows}
    bodies = [row.on_paper() for row in (*TABLE, *UPGRADES)]
    seen: dict[str, set[tuple[str, str]]] = {}
    for body, shown in zip(bodies, engines.judge(*bodies), strict=True):
        lines = _lines(body)
        assert list(told) == list(lines), "the page and this test have the same lines in the same order"
        first = next(what for what, fits in lines.items() if fits)
        seen.setdefault(first, set()).add((shown.flux, shown.argocd))
    assert seen == {what: {words} for what, words in told.items()}


def _lines(body: Body) -> dict[str, bool]:
    status = body["status"]
    true = {it["type"] for it in status.get("conditions", ()) if it["status"] == "True"}
    return {
        "being deleted": "deletionTimestamp" in body["metadata"],
        "nothing about its latest generation": status.get("observedGeneration") != body["metadata"]["generation"],
        "`Stalled`": "Stalled" in true,
        "`ActionRequired`": "ActionRequired" in true,
        "`Reconciling`": "Reconciling" in true,
        "`Paused` and `Ready`": {"Paused", "Ready"} <= true,
        "`Paused`": "Paused" in true,
        "`Ready`, or its outcome is `Stopped`": "Ready" in true or status.get("outcome") == "Stopped",
    }
