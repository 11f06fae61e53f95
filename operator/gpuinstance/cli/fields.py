"""Reads single fields of objects as the API server gives them, for tables: what is missing is empty, never an error.

Objects of another version, or half written, are shown as far as they can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gpuinstance.cli.connection import Object

__all__ = ["Object", "at", "list_at", "ready_of", "text_at", "time_at"]


def at(it: object, *keys: str) -> object:
    """Return the value at a path of keys, None where there is none."""
    for key in keys:
        it = it.get(key) if isinstance(it, Mapping) else None
    return it


def text_at(it: object, *keys: str) -> str:
    """Return the value at a path of keys as text, empty where there is none."""
    found = at(it, *keys)
    return "" if found is None else str(found)


def list_at(it: object, *keys: str) -> list[Any]:
    """Return the list at a path of keys, empty where there is none."""
    found = at(it, *keys)
    return found if isinstance(found, list) else []


def time_at(it: object, *keys: str) -> datetime | None:
    """Return the moment at a path of keys, None where there is none that can be read."""
    try:
        return datetime.fromisoformat(text_at(it, *keys))
    except ValueError:
        return None


def ready_of(it: Object) -> Mapping[str, Any]:
    """Return the condition Ready, empty if there is none yet."""
    return next((c for c in list_at(it, "status", "conditions") if c.get("type") == "Ready"), {})
