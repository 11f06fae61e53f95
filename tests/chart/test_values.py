"""The values are what they say: each is explained, known to the schema, and does what the program's setting does.

A wrong one is refused by helm before anything is sent, in words that name it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from gpuinstance.config import Settings
from tests.chart.generate import CHARTS_OWN, camel, settings_schema
from tests.chart.helm import CHART, Helm, HelmError, one
from tests.chart.sets import SERVED

TEXT = (CHART / "values.yaml").read_text()
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())

DEFAULTS = {
    camel(name): [] if field.default == [] else field.default
    for name, field in Settings.model_fields.items()
    if name not in CHARTS_OWN
}
"""Of the program, by the names in the values."""

DIFFERENT: Mapping[str, Any] = {
    "mark": "other",
    "sharedCredentialsNamespace": "accounts",
    "novitaBaseUrl": "https://novita.example.com/v1",
    "hostwindsBaseUrl": "https://hostwinds.example.com/api.php",
    "orphanDeletion": True,
    "namespaceBudgets": False,
    "logFormat": "console",
    "logLevel": "DEBUG",
    "leaseSeconds": 60,
    "leaseDeadlineSeconds": 40.5,
    "novitaBurst": 100_000,
    "probeAllowedNetworks": ["10.1.0.0/16", "fd00::/8"],
    "connectionAllowedNetworks": ["10.2.0.0/16"],
    "deniedNetworks": ["198.51.99.0/24"],
    "notificationAllowedNetworks": ["10.3.0.0/16"],
}
"""A value for each setting that has another type, or stands in a relation to others; the rest gets one more."""


def shown_settings() -> dict[str, Any]:
    """Return the settings that values.yaml shows as remarks, as if somebody had taken the marks away."""
    remarks = re.search(r"^settings: \{\}\n((?:  # .*\n)+)", TEXT, re.MULTILINE)
    assert remarks is not None
    shown: dict[str, Any] = yaml.safe_load(re.sub(r"^  # ", "", remarks[1], flags=re.MULTILINE))
    return shown


def environment(helm: Helm, values: Mapping[str, Any]) -> dict[str, str]:
    """Return what the operator finds in its environment."""
    (container,) = one(helm.manifests(values=values), "Deployment")["spec"]["template"]["spec"]["containers"]
    return {it["name"]: it["value"] for it in container["env"]}


def test_the_settings_are_shown_with_their_defaults() -> None:
    """values.yaml lists each setting of the program, and the default that it shows is the one that holds."""
    assert shown_settings() == {name: "" if value is None else value for name, value in DEFAULTS.items()}


def test_the_schema_knows_the_settings_with_their_limits() -> None:
    """values.schema.json holds what the program says of its settings; `make generate` writes it."""
    assert SCHEMA["properties"]["settings"]["properties"] == settings_schema()
    assert settings_schema()["workers"] == {"type": "integer", "minimum": 1, "maximum": 1000}


def test_each_setting_reaches_the_program(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting given as a value is read by the program as that very value, whatever its type."""
    given = {name: DIFFERENT.get(name, value) for name, value in DEFAULTS.items()}
    given |= {name: value + 1 for name, value in given.items() if name not in DIFFERENT}
    for name, value in environment(helm, {"settings": given, "watchNamespaces": list(SERVED)}).items():
        monkeypatch.setenv(name, value)
    read = json.loads(Settings().model_dump_json())
    assert {camel(name): value for name, value in read.items() if name not in CHARTS_OWN} == given
    assert read["namespaces"] == list(SERVED)


def test_what_is_not_set_is_not_passed(helm: Helm) -> None:
    """With the default values the program decides by itself, so that its defaults have one home."""
    assert environment(helm, {}).keys() == {"GPUINSTANCE_LEASE_NAME", "GPUINSTANCE_HTTP_LISTEN"}
    assert environment(helm, {"settings": {"sharedCredentialsNamespace": ""}}) == environment(helm, {})


def test_every_value_is_known_to_the_schema_and_no_other() -> None:
    """What values.yaml lists and what the schema accepts are the same, on every level."""

    def compare(values: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> list[str]:
        if schema.get("additionalProperties", True) is not False or where == ".settings":
            return []
        wrong = [f"{where}.{name}" for name in values.keys() ^ schema["properties"].keys() if name not in OPTIONAL]
        for name, value in values.items():
            if isinstance(value, dict):
                wrong += compare(value, schema["properties"].get(name, {}), f"{where}.{name}")
        return wrong

    assert compare(yaml.safe_load(TEXT), SCHEMA, "") == []


OPTIONAL = {"global"}
"""What helm itself puts among the values of a chart that is part of another."""


def test_every_value_is_explained() -> None:
    """Each line of values.yaml stands below a remark; what is plain by its name may share that of its neighbours."""
    paragraphs = re.split(r"\n\s*\n", TEXT)
    bare = [it.strip().splitlines()[0] for it in paragraphs if "#" not in it]
    assert bare == ["nodeSelector: {}", "podLabels: {}"]


REFUSED = [
    pytest.param({"settings": {"pollSecond": 5}}, "additional properties 'pollSecond' not allowed", id="no setting"),
    pytest.param({"settings": {"leaseName": "x"}}, "additional properties 'leaseName' not allowed", id="chart's own"),
    pytest.param({"settings": {"workers": 0}}, "/settings/workers': minimum: got 0, want 1", id="below its limit"),
    pytest.param({"settings": {"mark": "Gpu!"}}, "/settings/mark': 'Gpu!' does not match pattern", id="not a mark"),
    pytest.param({"settings": {"logLevel": "LOUD"}}, "/settings/logLevel': value must be one of", id="not a level"),
    pytest.param({"settings": {"probeAllowedNetworks": "10.0.0.0/8"}}, "got string, want array", id="not a list"),
    pytest.param({"settings": {"probeAllowedNetworks": ["all"]}}, "does not match pattern", id="not a network"),
    pytest.param({"replicas": "two"}, "/replicas': got string, want integer", id="not a number"),
    pytest.param(
        {"settings": {"sharedCredentialsNamespace": "a/b"}}, "'a/b' does not match pattern", id="not a namespace"
    ),
    pytest.param({"watchNamespaces": ["team-*"]}, "'team-\\*' does not match pattern", id="a pattern of names"),
    pytest.param({"watchNamespaces": ["a", "a"]}, "items at 0 and 1 are equal", id="a namespace twice"),
    pytest.param({"terminationGracePeriodSeconds": 30}, "minimum: got 30, want 60", id="killed at work"),
    pytest.param({"image": {"digest": "latest"}}, "/image/digest': 'latest' does not match pattern", id="no digest"),
    pytest.param({"ports": {"http": 80}}, "minimum: got 80, want 1,024", id="a port of root's"),
    pytest.param({"metrics": {"serviceMonitor": {"interval": 30}}}, "got number, want string", id="no duration"),
    pytest.param({"simulator": {"speed": 0}}, "exclusiveMinimum: got 0, want 0", id="standing time"),
    pytest.param({"podDisruptionBudget": {"maxUnavailable": 0}}, "minimum: got 0, want 1", id="undrainable"),
]


@pytest.mark.parametrize(("values", "words"), REFUSED)
def test_a_wrong_value_is_refused_in_words(helm: Helm, values: Mapping[str, Any], words: str) -> None:
    """helm names the value and what is wrong with it, and renders nothing."""
    with pytest.raises(HelmError, match=words):
        helm.render(values=values)
