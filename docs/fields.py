"""Writes the pages of the API reference, docs/reference/: every field of a CRD with type, default, limits, meaning.

Called by `docs.generate` with the CRDs as the code makes them, so that a page cannot say what the API server does
not hold. Rules in CEL are told by their messages, which are what a user is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
"""A node of a structural OpenAPI schema."""

_COMPOSED = ("properties", "items")
_CODE = re.compile(r"(`[^`]*`)")
_HEAD = ("| field | type | default, limits | meaning |", "|---|---|---|---|")


def reference(crd: Schema) -> str:
    """Return the page of one CRD, below its first line."""
    names, version = crd["spec"]["names"], crd["spec"]["versions"][0]
    root: Schema = version["schema"]["openAPIV3Schema"]
    short = ", ".join(f"`{it}`" for it in names["shortNames"])
    lines = [
        f"# {names['kind']}\n",
        f"{_text(root['description'])} `apiVersion: {crd['spec']['group']}/{version['name']}`,",
        f"`kind: {names['kind']}`, short {short}; it is of one namespace. The same is printed by",
        f"`kubectl explain {names['singular']} --recursive`.\n",
        "A field without *required* may be left out. What breaks a limit or a rule is refused by the API server, and a",
        "rule is told in the words that are shown here. A field with `[]` in its path is in each entry of a list.",
        *_rules(root),
    ]
    for part in ("spec", "status"):
        node = root["properties"][part]
        lines += ["", f"## {part}", "", *_described(node), *_rules(node)]
        lines += ["", *_HEAD, *(_row(*it) for it in _children(part, node))]
        for path, child, _ in _children(part, node):
            if any(key in child for key in _COMPOSED) and (nested := list(_below(path, child))):
                lines += ["", f"### {path}", "", *_described(child), "", *_HEAD, *(_row(*it) for it in nested)]
    lines += ["", "## Columns of kubectl get", "", "| column | shown | from |", "|---|---|---|"]
    for it in version["additionalPrinterColumns"]:
        shown = "with `-o wide`" if it.get("priority") else "always"
        lines.append(f"| {it['name'].upper()} | {shown} | `{it['jsonPath']}` |")
    return "\n".join(lines) + "\n"


def paths(crd: Schema) -> Iterator[str]:
    """Yield the path of every field of spec and status, as the page writes it."""
    root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for part in ("spec", "status"):
        yield from (path for path, _, _ in _below(part, root["properties"][part]))


def _children(path: str, node: Schema) -> Iterator[tuple[str, Schema, bool]]:
    required = node.get("required", ())
    for name, child in node.get("properties", {}).items():
        yield f"{path}.{name}", child, name in required


def _below(path: str, node: Schema) -> Iterator[tuple[str, Schema, bool]]:
    """Yield all fields below a node, a list's entries under its path with `[]`."""
    while "items" in node:
        path, node = f"{path}[]", node["items"]
    for it in _children(path, node):
        yield it
        yield from _below(it[0], it[1])


def _described(node: Schema) -> list[str]:
    return [_text(node["description"])] if "description" in node else []


def _rules(node: Schema) -> list[str]:
    """Return the rules over several fields, which stand in no row."""
    messages = [it["message"] for it in node.get("x-kubernetes-validations", ())]
    return ["", "Rules about several fields:", "", *(f"- {_text(it)}" for it in messages)] if messages else []


def _row(path: str, node: Schema, required: bool) -> str:  # noqa: FBT001 - a cell of the row, not a switch
    limits = [*(["**required**"] if required else []), *_limits(node)]
    return f"| `{path}` | {_type(node)} | {'; '.join(limits)} | {_text(node.get('description', ''))} |".replace(
        "  ", " "
    )


def _type(node: Schema) -> str:
    if "items" in node:
        return f"list of {_type(node['items'])}"
    if node.get("format") == "date-time":
        return "time"
    if "enum" in node:
        return " or ".join(f"`{it}`" for it in node["enum"])
    return str(node["type"])


def _limits(node: Schema) -> list[str]:
    """Return what holds for a value, in words."""
    said = [f"default `{_value(node['default'])}`"] if "default" in node else []
    more = "more than" if node.get("exclusiveMinimum") else "at least"
    said += _range(node.get("minimum"), node.get("maximum"), more, "")
    said += _range(node.get("minLength"), node.get("maxLength"), "at least", " characters")
    said += _range(node.get("minItems"), node.get("maxItems"), "at least", " entries")
    if "pattern" in node:
        said.append(f"matches `{node['pattern']}`".replace("|", "\\|"))
    if keys := node.get("x-kubernetes-list-map-keys"):
        said.append(f"no two of the same {' and '.join(f'`{it}`' for it in keys)}")
    said += [_text(it["message"]) for it in node.get("x-kubernetes-validations", ())]
    entries = node.get("items", {})
    return said + [f"each: {it}" for it in _limits(entries)] if entries else said


def _range(low: float | None, high: float | None, more: str, unit: str) -> list[str]:
    if low is not None and high is not None and more == "at least":
        return [f"{low:g} to {high:g}{unit}"]
    least = [f"{more} {low:g}{unit}"] if low is not None else []
    return least + ([f"at most {high:g}{unit}"] if high is not None else [])


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> str:
    """Return a sentence for a cell: outside of code nothing of it is markup."""
    line = " ".join(text.split()).replace("|", "\\|")
    return "".join(
        part if part.startswith("`") else part.replace("<", "&lt;").replace("*", "\\*") for part in _CODE.split(line)
    )
