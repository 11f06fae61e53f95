"""The CustomResourceDefinition: structural, complete, and as it is checked in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import ConfigDict, Field

from gpuinstance.api import crd
from gpuinstance.api.base import ApiModel, Duration, Time, cel, list_map
from gpuinstance.api.crd import RESOURCES, Resource, crd_of, structural_schema
from gpuinstance.api.spec import GPUInstanceSpec
from gpuinstance.api.status import GPUInstanceStatus

ROOT = Path(__file__).parents[2]
CRD = crd_of(RESOURCES[0])
MADE = {f"{resource.plural}.gpuinstance.dev.yaml": crd_of(resource) for resource in RESOURCES}
VERSION = CRD["spec"]["versions"][0]
SCHEMA: dict[str, Any] = VERSION["schema"]["openAPIV3Schema"]
SPEC: dict[str, Any] = SCHEMA["properties"]["spec"]
STATUS: dict[str, Any] = SCHEMA["properties"]["status"]

Node = tuple[str, dict[str, Any]]


def nodes(schema: dict[str, Any], path: str) -> Iterator[Node]:
    """Yield every schema within this one, with its path as `kubectl explain` writes it."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


ALL = [*nodes(SPEC, "spec"), *nodes(STATUS, "status")]


@pytest.mark.parametrize("directory", ["crds", "charts/gpu-instance-operator/crds"])
def test_what_is_checked_in_is_what_the_models_say(directory: str) -> None:
    """`make generate` was run after the last change of a model."""
    for name, model in MADE.items():
        text = (ROOT / directory / name).read_text(encoding="utf-8")
        assert yaml.safe_load(text) == model


def test_it_is_written_into_each_directory(tmp_path: Path) -> None:
    """Directories are made; the first line says that nobody should edit the file."""
    crd.main([str(tmp_path / "one"), str(tmp_path / "two" / "deep")])
    files = sorted(tmp_path.rglob("*.yaml"))
    assert [file.name for file in files] == [*MADE] * 2
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert text.startswith("# Generated from the models")
        assert yaml.safe_load(text) == MADE[file.name]


# --------------------------------------------------------------------------------------------------- structural


def test_only_words_of_structural_schemas_appear() -> None:
    """No unions, references or titles: the API server would refuse the whole definition."""
    allowed = {
        *("type", "format", "enum", "default", "description", "required", "pattern", "properties", "items"),
        *("minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength", "minItems", "maxItems"),
        *("x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
    }
    assert {path: set(node) - allowed for path, node in ALL if set(node) - allowed} == {}


def test_every_node_has_a_type() -> None:
    """A field without one is not structural, and its unknown content would be pruned."""
    known = {"object", "array", "string", "integer", "number", "boolean"}
    assert [path for path, node in ALL if node.get("type") not in known] == []
    assert [path for path, node in ALL if node["type"] == "array" and "items" not in node] == []
    assert [path for path, node in ALL if node["type"] == "object" and not node.get("properties")] == []


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.plural)
def test_kubectl_explain_says_something_of_every_field(resource: Resource) -> None:
    """Of items of a list it says what their list is."""
    schema = crd_of(resource)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    fields = [(path, node) for part in ("spec", "status") for path, node in nodes(schema["properties"][part], part)]
    assert [path for path, node in fields if not path.endswith("[]") and not node.get("description")] == []


def test_what_is_required_exists() -> None:
    """And has no default, which would make it optional."""
    for path, node in ALL:
        for name in node.get("required", []):
            assert name in node["properties"], f"{path}.{name}"
            assert "default" not in node["properties"][name], f"{path}.{name}"


def test_items_of_list_maps_are_told_apart_by_their_keys() -> None:
    """Each key is required or has a default, or the API server could not compare two items."""
    maps = [(path, node) for path, node in ALL if node.get("x-kubernetes-list-type") == "map"]
    assert {path for path, _ in maps} >= {"spec.env", "spec.ports", "spec.networkVolumes", "status.conditions"}
    for path, node in maps:
        for key in node["x-kubernetes-list-map-keys"]:
            item = node["items"]
            assert key in item["required"] or "default" in item["properties"][key], f"{path}: {key}"


def test_everything_that_a_person_writes_is_bounded() -> None:
    """The cost of a CEL rule is estimated from the largest possible value, and etcd has limits as well."""
    spec = list(nodes(SPEC, "spec"))
    assert [path for path, node in spec if node["type"] == "array" and "maxItems" not in node] == []
    unbounded = [path for path, node in spec if node["type"] == "string" and not node.keys() & {"maxLength", "enum"}]
    assert unbounded == []


NAMES = {
    "trainer": True,
    "9.a-b.c9": True,
    "a" * 253: True,
    "a" * 254: False,
    "": False,
    ".": False,
    "..": False,
    "a..b": False,
    "a/b": False,
    "-a": False,
    "a-": False,
    "Trainer": False,
    "a\n": False,
}


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_another_object_can_be_one(name: str) -> None:
    """It is a DNS subdomain, as Kubernetes wants it; so it never leads to another path of the API server."""
    node = SPEC["properties"]["credentialsRef"]["properties"]["name"]
    allowed = node["minLength"] <= len(name) <= node["maxLength"] and re.search(
        node["pattern"].replace("$", r"\Z"), name
    )
    assert bool(allowed) is NAMES[name]


def test_every_rule_says_what_it_wants() -> None:
    """The expression alone would be shown to the user."""
    rules = [rule for _, node in ALL for rule in node.get("x-kubernetes-validations", [])]
    assert len(rules) > 10
    assert all(rule["rule"] and rule["message"] for rule in rules)


# ----------------------------------------------------------------------------------------------------- defaults


def test_a_status_has_one_default() -> None:
    """A generation that cannot match, so that nobody judges an unseen object as done; the rest is what was written."""
    assert {path: node["default"] for path, node in ALL if path.startswith("status") and "default" in node} == {
        "status": {"observedGeneration": -1}
    }


def test_a_spec_is_completed_by_plain_values_only() -> None:
    """No object or list appears in a manifest that the user did not write."""
    defaults = {path: node["default"] for path, node in ALL if path.startswith("spec") and "default" in node}
    assert [path for path, value in defaults.items() if isinstance(value, dict | list) or value is None] == []
    top = {path: value for path, value in defaults.items() if path.count(".") == 1 and "[]" not in path}
    assert top == {
        "spec.powerState": "Running",
        "spec.suspend": False,
        "spec.gpuCount": 1,
        "spec.deletionPolicy": "Delete",
        "spec.deletionProtection": False,
        "spec.drift": "Warn",
    }


def test_what_a_template_may_say_has_no_default() -> None:
    """A default would look like the user's own word, which wins over the template."""
    names = ("image", "command", "entrypoint", "rootfsSizeGB", "ports", "env", "registryAuthID", "minCudaVersion")
    assert [name for name in names if "default" in SPEC["properties"][name]] == []


def test_defaults_are_valid_and_those_of_the_models() -> None:
    """An object that the API server completed means the same as one that only the operator has read."""
    least = {"provider": "novita", "product": {"name": "x"}, "image": "y"}
    completed = least | {name: node["default"] for name, node in SPEC["properties"].items() if "default" in node}
    assert GPUInstanceSpec.model_validate(completed) == GPUInstanceSpec.model_validate(least)
    for path, node in ALL:
        if "default" in node and "enum" in node:
            assert node["default"] in node["enum"], path
    parts = {name: node for name, node in SPEC["properties"].items() if node["type"] == "object"}
    for name in ("billing", "timeouts", "healthCheck", "recovery"):
        inner = {key: node["default"] for key, node in parts[name]["properties"].items() if "default" in node}
        assert inner, name
        assert GPUInstanceSpec.model_validate(least | {name: inner}) == GPUInstanceSpec.model_validate(least)


# ------------------------------------------------------------------------------------------------ the translation


class Colour(StrEnum):
    """A closed set of words."""

    RED = "Red"


class Inner(ApiModel):
    """Something within."""

    model_config = ConfigDict(json_schema_extra=cel(("has(self.name)", "name it")))

    name: str | None = Field(None, description="Its name.")


class Sample(ApiModel):
    """One field of each kind."""

    required_text: Annotated[str, Field(min_length=1, max_length=9, pattern="^x")]
    optional_text: str | None = None
    small: Annotated[int, Field(ge=1, le=8)] = 1
    large: int = 0
    above_zero: Annotated[float, Field(gt=0)] | None = None
    colour: Colour = Colour.RED
    span: Duration = timedelta(minutes=90)
    moment: Time | None = None
    inner: Inner = Field(default_factory=Inner, description="The one within.", json_schema_extra=cel(("true", "be")))
    many: Annotated[list[Inner], Field(max_length=3, json_schema_extra=list_map("name"))] | None = None
    never_empty: list[str] = Field(default_factory=list)
    flag: bool = False
    special_gb: int | None = Field(None, alias="specialGB")


NAMED = {"type": "string", "description": "Its name."}
RULE = {"rule": "has(self.name)", "message": "name it"}
WITHIN = {"type": "object", "properties": {"name": NAMED}, "x-kubernetes-validations": [RULE]}

TRANSLATED: dict[str, dict[str, Any]] = {
    "requiredText": {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^x"},
    "optionalText": {"type": "string"},
    "small": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 8, "default": 1},
    "large": {"type": "integer", "format": "int64", "default": 0},
    "aboveZero": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
    "colour": {"type": "string", "enum": ["Red"], "default": "Red", "description": "A closed set of words."},
    "moment": {"type": "string", "format": "date-time"},
    "inner": WITHIN
    | {"description": "The one within.", "x-kubernetes-validations": [RULE, {"rule": "true", "message": "be"}]},
    "many": {
        "type": "array",
        "maxItems": 3,
        "items": WITHIN | {"description": "Something within."},
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    },
    "neverEmpty": {"type": "array", "items": {"type": "string"}},
    "flag": {"type": "boolean", "default": False},
    "specialGB": {"type": "integer", "format": "int64"},
}


@pytest.mark.parametrize("name", TRANSLATED)
def test_a_field_becomes_what_kubernetes_wants(name: str) -> None:
    """Optional is not required, limits are kept, references are inlined, and rules of both places hold."""
    assert structural_schema(Sample)["properties"][name] == TRANSLATED[name]


def test_a_duration_is_written_as_people_write_it() -> None:
    """Its default as well, and the API server refuses what the operator could not read."""
    span = structural_schema(Sample)["properties"]["span"]
    assert (span["type"], span["default"]) == ("string", "1h30m")
    assert span["x-kubernetes-validations"][0]["message"] == "must be a duration such as 90s, 30m or 1h30m"


def test_only_what_has_no_default_is_required() -> None:
    """`None` is a default: the field may be left out."""
    assert structural_schema(Sample)["required"] == ["requiredText"]
    assert "description" not in structural_schema(Sample)


def test_a_union_is_refused() -> None:
    """Nothing that Kubernetes could not express becomes something else in silence."""

    class Undecided(ApiModel):
        value: int | str

    with pytest.raises(ValueError, match="no unions"):
        structural_schema(Undecided)


# -------------------------------------------------------------------------------------------------- its appearance


def test_printer_columns_show_fields_that_exist() -> None:
    """A path that leads nowhere would be an empty column, and nobody would notice."""
    types = {path: node["type"] for path, node in ALL} | {"metadata.creationTimestamp": "date"}
    for column in VERSION["additionalPrinterColumns"]:
        path = re.sub(r"\[[^]]*\]", "[]", column["jsonPath"].removeprefix("."))
        assert types[path] == column["type"], column


def test_names_are_those_of_the_contract() -> None:
    """Users type them, and scripts match them."""
    names = CRD["spec"]["names"]
    assert CRD["metadata"]["name"] == "gpuinstances.gpuinstance.dev"
    assert (names["kind"], names["shortNames"], names["categories"]) == ("GPUInstance", ["gpui"], ["gpu"])
    assert CRD["spec"]["scope"] == "Namespaced"
    assert VERSION["subresources"] == {"status": {}}
    assert SCHEMA["required"] == ["spec"]


def test_a_status_of_the_operator_fits_the_schema() -> None:
    """Every field of the model is in the schema: what is not would be pruned without a word."""
    assert set(STATUS["properties"]) == {field.alias for field in GPUInstanceStatus.model_fields.values()}
