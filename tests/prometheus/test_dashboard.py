"""The dashboard: valid by Grafana's own models, understandable, with queries that Prometheus parses and can answer."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.prometheus.grafana import complaints
from tests.prometheus.rules import ROOT, golden, promtool, unknown_words

DASHBOARD: Mapping[str, Any] = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ROWS = ["Is it all right?", "Money", "Provider", "Instances", "Upgrades", "Operator internals"]
VARIABLES = {"$__rate_interval": "5m", "$__range": "6h", "$namespace": ".*", "$provider": ".*"}
"""What Grafana puts in the place of each before it asks."""


def queries() -> dict[str, str]:
    """Return what Prometheus is asked, by panel and letter."""
    asked = {
        f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel.get("targets", ())
    }
    asked |= {note["name"]: note["expr"] for note in DASHBOARD["annotations"]["list"]}
    for name, value in VARIABLES.items():
        asked = {where: query.replace(name, value) for where, query in asked.items()}
    return asked


def test_grafana_knows_every_part_of_it() -> None:
    """Every field is one of Grafana's models and has their type."""
    assert complaints(dict(DASHBOARD)) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda it: it["panels"][1].update(titel="x"), "dashboard.panels[1].titel"),
        (lambda it: it["panels"][2]["gridPos"].update(w="4"), "dashboard.panels[2].grid_pos.w"),
        (lambda it: it["panels"][2]["options"].update(colorMode="pink"), "dashboard.panels[2].options.color_mode"),
        (lambda it: it["templating"]["list"][1].update(refresh="often"), "refresh"),
    ],
    ids=["an unknown field", "a number in quotes", "an option that does not exist", "a wrong word"],
)
def test_the_check_finds_mistakes(change: Any, where: str) -> None:
    """A dashboard with a mistake is complained about, at its place."""
    wrong = json.loads(json.dumps(DASHBOARD))
    change(wrong)
    assert any(where in complaint for complaint in complaints(wrong))


def test_prometheus_parses_every_query(program: Path, tmp_path: Path) -> None:
    """As recording rules all of them are valid, by the parser that Prometheus itself uses."""
    asked = queries()
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(asked.values())]
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(asked)} rules found" in promtool(program, "check", "rules", "queries.yaml", cwd=tmp_path)


@pytest.mark.parametrize("where", queries())
def test_queries_ask_for_what_exists(where: str) -> None:
    """Every metric and label is one that a running operator shows; no variable of Grafana is misspelt."""
    query = queries()[where]
    assert unknown_words(query) == []
    assert "$" not in query


def test_every_metric_of_the_operator_is_shown_somewhere() -> None:
    """What is worth counting is worth a panel."""
    own = {name for name in golden() if name.startswith("gpuinstance_")}
    everything = " ".join(queries().values())
    assert {name for name in own if not re.search(rf"\b{name}(_bucket|_count|_sum)?\b", everything)} == set()


def test_a_stranger_is_told_what_every_panel_shows() -> None:
    """Each panel has a title of its own, and at least a sentence behind its i."""
    titles = [panel["title"] for panel in PANELS]
    assert len(titles) == len(set(titles))
    assert [panel["title"] for panel in PANELS if not panel["description"].endswith(".")] == []


def test_rows_come_in_the_order_in_which_people_ask() -> None:
    """First whether anything is wrong, last how the operator works inside; what is urgent is on the first screen."""
    assert [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"] == ROWS
    assert all(it["type"] in {"stat", "text"} for it in PANELS if it["gridPos"]["y"] < PANELS[1]["gridPos"]["y"] + 8)


def test_no_panel_covers_another() -> None:
    """Every place of the grid, 24 wide, belongs to one panel."""
    places = [
        (x, y)
        for it in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x, y in itertools.product(range(it["x"], it["x"] + it["w"]), range(it["y"], it["y"] + it["h"]))
    ]
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) < 24


def test_it_finds_its_prometheus_and_its_namespaces() -> None:
    """The data source is a variable, so that it can be imported anywhere; and so are namespace and provider."""
    variables = {it["name"]: it for it in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "namespace", "provider"]
    assert variables["datasource"]["query"] == "prometheus"
    sources = [panel["datasource"]["uid"] for panel in PANELS if panel["type"] != "text"]
    assert set(sources) == {"${datasource}"}
