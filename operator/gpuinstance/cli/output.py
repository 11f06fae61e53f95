"""`-o json|yaml|name`: objects for programs, in the shapes in which kubectl prints them.

What a command shows to people is its own affair; `wide` is one more way of that.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import yaml

from gpuinstance.cli.connection import Object

DATA = ("json", "yaml", "name")
"""What `write` writes."""


def add_output(parser: argparse.ArgumentParser, *, wide: bool = False) -> None:
    """Add -o/--output."""
    choices = (*DATA, "wide") if wide else DATA
    parser.add_argument("-o", "--output", choices=choices, help="instead of what is meant for people")


def write(objects: Sequence[Object], how: str, out: TextIO, *, single: bool = False) -> None:
    """Print objects of Kubernetes as `json`, `yaml` or `name`: a List of them, or the object itself if `single`."""
    if how == "name":
        out.writelines(f"{name_of(it)}\n" for it in objects)
    else:
        write_document(objects[0] if single else as_list(objects), how, out)


def write_document(document: Any, how: str, out: TextIO) -> None:
    """Print one document as `json` or `yaml`."""
    if how == "yaml":
        yaml.safe_dump(document, out, default_flow_style=False, sort_keys=True, allow_unicode=True)
    else:
        out.write(json.dumps(document, indent=4, sort_keys=True) + "\n")


def as_list(objects: Iterable[Object]) -> Object:
    """Return kubectl's List of them."""
    return {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": list(objects)}


def name_of(it: Object) -> str:
    """Return what kubectl takes as a name, e.g. `gpuinstance.gpuinstance.dev/trainer`."""
    group, slash, _ = str(it.get("apiVersion", "")).partition("/")
    kind = str(it.get("kind", "")).lower() + (f".{group}" if slash else "")
    return f"{kind}/{it['metadata']['name']}"
