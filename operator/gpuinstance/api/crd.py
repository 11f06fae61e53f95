"""Models in, CustomResourceDefinitions out.

`python -m gpuinstance.api.crd DIRECTORY…` writes one YAML file per resource into each directory.
Kubernetes wants a *structural* schema, which is stricter than what pydantic prints: references
inlined, no titles, no `anyOf` for optional fields, `exclusiveMinimum` as a flag.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic.json_schema import GenerateJsonSchema

from gpuinstance.api.base import ApiModel, cel, format_duration
from gpuinstance.api.connection import CONNECTION_ROOT_RULES
from gpuinstance.api.spec import GPUInstanceSpec
from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.api.upgrade import UPGRADE_KIND, UPGRADE_PLURAL, InstanceUpgradeSpec
from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.api.v1alpha1 import GROUP, KIND, PLURAL, VERSION

_KEPT = frozenset({"type", "format", "enum", "default", "description", "required", "pattern", "minimum", "maximum"})
_KEPT_LENGTHS = frozenset({"minLength", "maxLength", "minItems", "maxItems"})

PRINTER_COLUMNS: tuple[tuple[str, str, str, int], ...] = (
    ("Phase", "string", ".status.phase", 0),
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0),
    ("Health", "string", ".status.healthCheck.overall", 0),
    ("Product", "string", ".status.instance.productName", 0),
    ("GPUs", "integer", ".spec.gpuCount", 0),
    ("Price/h", "string", ".status.instance.hourlyPrice", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Region", "string", ".status.instance.region", 1),
    ("Instance", "string", ".status.instance.id", 1),
    ("Provider", "string", ".spec.provider", 1),
    ("Endpoint", "string", ".status.endpoints[0].url", 1),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 1),
)
"""(name, type, path, priority); priority 1 is shown by `-o wide` only."""

UPGRADE_COLUMNS: tuple[tuple[str, str, str, int], ...] = (
    ("Phase", "string", ".status.phase", 0),
    ("Instance", "string", ".spec.instanceRef.name", 0),
    ("Target", "string", ".status.targetSummary", 0),
    ("Invoice", "string", ".status.order.invoiceID", 0),
    ("Total", "string", ".status.order.total", 0),
    ("Outcome", "string", ".status.outcome", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 1),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 1),
    ("Order", "string", ".status.order.id", 1),
    ("Due", "string", ".status.order.dueDate", 1),
    ("Machine", "string", ".status.instance.machineID", 1),
)


class _Schema(GenerateJsonSchema):
    """pydantic would write a default of thirty minutes as PT30M; users write 30m."""

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def structural_schema(model: type[ApiModel]) -> dict[str, Any]:
    """Return the structural OpenAPI v3 schema of a model."""
    document = model.model_json_schema(by_alias=True, mode="validation", schema_generator=_Schema)
    schema = _structural(document, document.get("$defs", {}))
    schema.pop("description", None)
    return schema


def _structural(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    node = _resolved(node, definitions)
    if "anyOf" in node:
        node = _without_null(node, definitions)
    out: dict[str, Any] = {key: value for key, value in node.items() if key in _KEPT | _KEPT_LENGTHS}
    out.update({key: value for key, value in node.items() if key.startswith("x-kubernetes-")})
    if "exclusiveMinimum" in node:
        _set_exclusive_minimum(out, node["exclusiveMinimum"])
    if out.get("default") is None or out.get("default") in ({}, []):
        out.pop("default", None)
    if "const" in node:
        out["enum"] = [node["const"]]
    if "items" in node:
        out["items"] = _structural(node["items"], definitions)
    if "properties" in node:
        out["properties"] = {name: _structural(child, definitions) for name, child in node["properties"].items()}
    if out.get("type") == "object" and isinstance(out.get("default"), dict):
        # Defaults inside an absent object stay the operator's business: nothing is added to a
        # user's manifest that the user did not write, except plain top-level values.
        del out["default"]
    if out.get("type") == "integer":
        out.setdefault("format", "int32" if "maximum" in out else "int64")
    return {key: out[key] for key in sorted(out)}


def _resolved(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Inline a reference; what stands beside it (a field's description) wins over its target."""
    if "$ref" not in node:
        return node
    target = definitions[node["$ref"].rsplit("/", 1)[-1]]
    beside = {key: value for key, value in node.items() if key != "$ref"}
    rules = "x-kubernetes-validations"
    merged = {**_resolved(target, definitions), **beside}
    if rules in target and rules in beside:
        merged[rules] = [*target[rules], *beside[rules]]
    return merged


def _without_null(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Optional fields are simply not required: `X or null` becomes X."""
    choices = [choice for choice in node["anyOf"] if choice.get("type") != "null"]
    if len(choices) != 1:
        msg = f"a structural schema has no unions: {node}"
        raise ValueError(msg)
    beside = {key: value for key, value in node.items() if key != "anyOf"}
    return {**_resolved(choices[0], definitions), **beside}


def _set_exclusive_minimum(out: dict[str, Any], value: float) -> None:
    if not isinstance(value, bool):  # pydantic gives the limit itself, a structural schema wants a flag
        out["minimum"] = value
    out["exclusiveMinimum"] = True


def _without_defaults(node: dict[str, Any]) -> dict[str, Any]:
    """A status holds what the operator wrote and nothing that the API server made up."""
    properties = {name: _without_defaults(child) for name, child in node.get("properties", {}).items()}
    kept = {key: value for key, value in node.items() if key != "default"}
    return kept | ({"properties": properties} if properties else {})


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of the API, as far as its CustomResourceDefinition needs to know it."""

    kind: str
    plural: str
    short_name: str
    description: str
    spec: type[ApiModel]
    spec_description: str
    status: type[ApiModel]
    status_description: str
    columns: tuple[tuple[str, str, str, int], ...]
    rules: tuple[tuple[str, str], ...] = ()
    """CEL rules about the whole object: only those know its name."""


RESOURCES = (
    Resource(
        KIND,
        PLURAL,
        "gpui",
        "A GPU machine at a cloud provider, kept as its spec says.",
        GPUInstanceSpec,
        "The machine that you want.",
        GPUInstanceStatus,
        "What is true of the instance. Written by the operator only.",
        PRINTER_COLUMNS,
        CONNECTION_ROOT_RULES,
    ),
    Resource(
        UPGRADE_KIND,
        UPGRADE_PLURAL,
        "iup",
        "One paid or disruptive change to one GPUInstance, run once.",
        InstanceUpgradeSpec,
        "The change that you want, and your part in it.",
        InstanceUpgradeStatus,
        "What is true of the upgrade. Written by the operator only.",
        UPGRADE_COLUMNS,
    ),
)


def crd_of(resource: Resource) -> dict[str, Any]:
    """Return the CustomResourceDefinition of one kind."""
    status = _without_defaults(structural_schema(resource.status))
    # Nobody may judge an object as done that no operator has seen: kstatus calls an object
    # without a status current, so each one is born with a generation that cannot match.
    status["default"] = {"observedGeneration": -1}
    status["description"] = resource.status_description
    spec = structural_schema(resource.spec)
    spec["description"] = resource.spec_description
    schema = {
        "type": "object",
        "description": resource.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
        **(cel(*resource.rules) if resource.rules else {}),
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "shortNames": [resource.short_name],
                "categories": ["gpu"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(*column) for column in resource.columns],
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def _column(name: str, kind: str, path: str, priority: int) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path}
    if priority:
        column["priority"] = priority
    return column


def main(directories: list[str]) -> None:
    """Write the CRDs into each directory."""
    for crd in map(crd_of, RESOURCES):
        text = "# Generated from the models in operator/gpuinstance/api by `make generate`; do not edit.\n"
        text += yaml.safe_dump(crd, sort_keys=False, width=110, allow_unicode=True)
        for directory in directories:
            path = Path(directory)
            path.mkdir(parents=True, exist_ok=True)
            (path / f"{crd['metadata']['name']}.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
