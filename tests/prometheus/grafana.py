"""Is this a dashboard? Asked of Grafana's own generated models.

They decode leniently: what they do not know they drop, and they take any type. So a dashboard is held against what
is left of it after decoding and encoding, and each decoded value against the type that its model declares.
"""

from __future__ import annotations

import enum
import json
import types
import typing
from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

Json = Any
"""What is in a JSON file."""

_NUMBERS = {float: (int, float), int: (int,), str: (str,), bool: (bool,)}


def complaints(document: dict[str, Json]) -> list[str]:
    """Return where the document is not as Grafana's schema of dashboards says; empty if it is."""
    register_default_plugins()
    decoded = Dashboard.from_json(document)
    encoded = json.loads(JSONEncoder().encode(decoded))
    return [*_lost(document, encoded, "dashboard"), *_mistyped(decoded, Dashboard, "dashboard")]


def _lost(before: Json, after: Json, path: str) -> Iterator[str]:
    """Yield what the models do not know."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from _lost(value, after[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is not known"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _lost(old, new, f"{path}[{number}]")
    elif before != after:
        yield f"{path} is {before!r}, and was understood as {after!r}"


def _mistyped(value: object, hint: Any, path: str) -> Iterator[str]:
    """Yield what has another type than its model declares."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        found = [list(_mistyped(value, argument, path)) for argument in arguments]
        if all(found):  # the type that fits furthest is the one that was meant
            yield from max(found, key=lambda complaints: len(complaints[0].split(" ")[0]))
    elif origin in (list, dict):
        if not isinstance(value, origin):
            yield f"{path} is a {type(value).__name__}, no {origin.__name__}"
            return
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _mistyped(item, arguments[-1], f"{path}[{key}]")
    elif origin is typing.Literal:
        if value not in arguments:
            yield f"{path} is {value!r}, none of {arguments}"
    elif isinstance(hint, type):
        yield from _mistyped_as(value, hint, path)


def _mistyped_as(value: object, hint: type, path: str) -> Iterator[str]:
    if isinstance(value, dict) and hasattr(hint, "from_json"):
        value = hint.from_json(value)  # they forget to decode some of their own
    if issubclass(hint, enum.Enum):
        words = [member.value for member in hint]
        if value not in words:
            yield f"{path} is {value!r}, none of {words}"
    elif hint in _NUMBERS:
        if not isinstance(value, _NUMBERS[hint]) or (isinstance(value, bool) and hint is not bool):
            yield f"{path} is {value!r}, no {hint.__name__}"
    elif not isinstance(value, hint):
        yield f"{path} is a {type(value).__name__}, no {hint.__name__}"
    elif type(value).__module__.startswith("grafana_foundation_sdk"):
        # A variant, such as the options of one panel type, is of a more precise class than was declared.
        for name, declared in typing.get_type_hints(type(value)).items():
            yield from _mistyped(getattr(value, name), declared, f"{path}.{name}")
