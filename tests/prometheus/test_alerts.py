"""The alerts, evaluated by Prometheus' own engine over series that are told minute by minute.

The stories are in the YAML files beside this one, in promtool's format for unit tests of rules.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import yaml

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.api.upgrade_words import UpgradePhase
from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.api.words import ConditionStatus, Phase
from gpuinstance.core.endings import Resolution, Result
from tests.prometheus.rules import PREFIX, ROOT, RULES, alerts, asked, promtool, unknown_words

STORIES = sorted(Path(__file__).parent.glob("*.yaml"))


def told() -> list[Mapping[str, Any]]:
    """Return the expectations of all stories."""
    tests = [test for story in STORIES for test in yaml.safe_load(story.read_text())["tests"]]
    return [expectation for test in tests for expectation in test["alert_rule_test"]]


def test_prometheus_accepts_the_rules(program: Path, bench: Path) -> None:
    """Every expression and every template is valid."""
    assert f"{len(alerts())} rules found" in promtool(program, "check", "rules", "rules.yaml", cwd=bench)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.stem)
def test_alerts_fire_when_they_should_and_only_then(program: Path, bench: Path, story: Path) -> None:
    """Labels, summary, description and runbook of what fires are exactly those of the story."""
    shutil.copy(story, bench)
    assert "SUCCESS" in promtool(program, "test", "rules", story.name, cwd=bench)


@pytest.mark.parametrize("name", alerts())
def test_every_alert_is_told_in_both_ways(name: str) -> None:
    """There is a story in which it fires, and one in which it keeps calm."""
    expected = [it["exp_alerts"] for it in told() if it["alertname"] == name]
    assert any(expected)
    assert not all(expected)


def test_no_story_is_about_an_alert_that_does_not_exist() -> None:
    """An alert that is renamed takes its stories along."""
    assert {it["alertname"] for it in told()} == set(alerts())


@pytest.mark.parametrize("name", alerts())
def test_whoever_is_woken_learns_what_to_do(name: str) -> None:
    """Each alert says how bad it is, what is wrong, what to do, and where to read on, by a path without a host."""
    rule = alerts()[name]
    assert name.startswith(PREFIX)
    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["description"].endswith(".")
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{page_of(name)}"


def page_of(alert: str) -> str:
    """Return the file name of an alert's runbook."""
    words = re.findall(r"[A-Z][a-z]*", alert.removeprefix(PREFIX))
    return "-".join(words).lower() + ".md"


def test_each_alert_has_its_runbook_and_each_runbook_its_alert() -> None:
    """Nobody is sent to a page that is not there, and no page is about an alert that never comes."""
    pages = {page.name for page in (ROOT / "docs/runbooks").glob("*.md")} - {"README.md"}
    assert pages == {page_of(name) for name in alerts()}


@pytest.mark.parametrize("name", alerts())
def test_alerts_ask_for_what_exists(name: str) -> None:
    """Every metric and label in an alert is one that a running operator shows."""
    assert unknown_words(alerts()[name]["expr"]) == []


WORDS: Mapping[str, list[type[StrEnum]]] = {
    "reason": [Reason],
    "phase": [Phase, UpgradePhase],
    "status": [ConditionStatus],
    "resolution": [Resolution],
}
RESULTS = {"error", "invalid", "kubernetes", *Result}


@pytest.mark.parametrize("name", alerts())
def test_alerts_ask_for_words_that_are_said(name: str) -> None:
    """A value that a label never has would make an alert that never fires."""
    for it in asked(alerts()[name]["expr"]):
        for label, _, value in it.matchers:
            words = {word.value for enum in WORDS.get(label, ()) for word in enum}
            words |= {"kind": {KIND, UPGRADE_KIND}, "result": RESULTS, "code": {"RateLimited"}}.get(label, set())
            for alternative in value.split("|"):
                assert any(re.fullmatch(alternative, word) for word in words), f"{label}={alternative}"


def test_the_object_is_one_that_the_prometheus_operator_reads() -> None:
    """It is a PrometheusRule of the version that exists."""
    rules = yaml.safe_load(RULES.read_text())
    assert (rules["apiVersion"], rules["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
