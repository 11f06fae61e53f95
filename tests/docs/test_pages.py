"""Pages that tell what the code or a manifest says are held to it."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest
import yaml

from docs.fields import paths, reference
from docs.generate import NOTE
from gpuinstance.api.crd import RESOURCES, Resource, crd_of
from gpuinstance.providers.base import Capabilities
from tests.rig.stack import ROOT

DOCS = ROOT / "docs"
KINDS = [pytest.param(it, id=it.kind) for it in RESOURCES]


def text(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("resource", KINDS)
def test_the_reference_is_that_of_the_code(resource: Resource) -> None:
    """Where this fails, `make generate` writes it anew."""
    assert text(f"reference/{resource.kind.lower()}.md") == NOTE + reference(crd_of(resource))


@pytest.mark.parametrize("resource", KINDS)
def test_the_reference_has_one_row_for_each_field(resource: Resource) -> None:
    """Every field of spec and status, nested ones too, is told exactly once, in a row of four cells."""
    crd = crd_of(resource)
    rows = re.findall(r"^\| `((?:spec|status)\.\S+)` \|.*\|$", reference(crd), re.MULTILINE)
    assert sorted(rows) == sorted(paths(crd))
    assert {"spec", "status"} == {it.split(".")[0] for it in rows}


def schema(**fields_: Any) -> dict[str, Any]:
    """A CRD with these fields in its spec."""
    nodes = {"spec": {"type": "object", "required": ["a"], "properties": fields_}, "status": {"type": "object"}}
    root = {"description": "A thing.", "type": "object", "properties": nodes}
    version = {"name": "v1", "schema": {"openAPIV3Schema": root}, "additionalPrinterColumns": []}
    names = {"kind": "Thing", "singular": "thing", "shortNames": ["th"]}
    return {"spec": {"group": "example.dev", "names": names, "versions": [version]}}


@pytest.mark.parametrize(
    ("node", "row"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 8}, "| integer | **required**; 1 to 8 | |"),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, "| number | **required**; more than 0 | |"),
        ({"type": "string", "maxLength": 9}, "| string | **required**; at most 9 characters | |"),
        ({"type": "string", "enum": ["A", "B"], "default": "A"}, "| `A` or `B` | **required**; default `A` | |"),
        ({"type": "boolean", "default": False}, "| boolean | **required**; default `false` | |"),
        ({"type": "string", "format": "date-time"}, "| time | **required** | |"),
        ({"type": "string", "pattern": "^(a|b)$"}, "| string | **required**; matches `^(a\\|b)$` | |"),
        (
            {"type": "array", "maxItems": 3, "items": {"type": "string", "minLength": 1, "maxLength": 5}},
            "| list of string | **required**; at most 3 entries; each: 1 to 5 characters | |",
        ),
        (
            {"type": "string", "x-kubernetes-validations": [{"rule": "true", "message": "must be so"}]},
            "| string | **required**; must be so | |",
        ),
        ({"type": "string", "description": "Not <b>, but `<b>`, or |."}, "| Not &lt;b>, but `<b>`, or \\|. |"),
    ],
)
def test_a_row_tells_type_default_and_limits_in_words(node: dict[str, Any], row: str) -> None:
    """Each keyword of the schema has its words, and nothing of a description is taken for markup."""
    assert row in reference(schema(a=node))


def test_fields_of_lists_and_objects_have_a_table_of_their_own() -> None:
    """The path says where a field is, with [] for each entry of a list."""
    inner = {"type": "object", "properties": {"b": {"type": "string"}}}
    page = reference(schema(a={"type": "array", "items": inner}, c=inner))
    assert "### spec.a\n" in page
    assert "| `spec.a[].b` | string |" in page
    assert "| `spec.c.b` | string |" in page


def test_the_table_of_rights_is_that_of_the_roles() -> None:
    """docs/security.md tells of each right of deploy/rbac.yaml what it is worth, and of no other."""
    cells = re.findall(r"^\| (core|`[\w.]+`) \| `([\w/]+)` \| ([a-z, ]+) \|", text("security.md"), re.MULTILINE)
    told = {
        (group.strip("`").replace("core", ""), resource): set(verbs.split(", ")) for group, resource, verbs in cells
    }
    granted: dict[tuple[str, str], set[str]] = {}
    for role in yaml.safe_load_all((ROOT / "deploy/rbac.yaml").read_text()):
        for rule in role.get("rules", ()):
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    granted.setdefault((group, resource), set()).update(rule["verbs"])
    assert told == granted


def test_every_capability_is_explained() -> None:
    """Whoever adds a provider finds each of them in docs/adding-a-provider.md."""
    page = text("adding-a-provider.md")
    assert [it.name for it in fields(Capabilities) if f"`{it.name}`" not in page] == []
