"""What all models of the API share: names as in Kubernetes, immutability, and CEL rules.

The models in this package are the single source of the CRDs (see `crd`): a field's description is
what `kubectl explain` prints, and a rule written here is enforced by the API server.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel


class ApiModel(BaseModel):
    """Immutable; camelCase outside, snake_case inside; fields of newer versions are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


def cel(*rules: tuple[str, str]) -> dict[str, Any]:
    """Return the schema extension for CEL rules, each an (expression, message) pair."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules]}


def list_map(*keys: str) -> dict[str, Any]:
    """Return the schema extension for a list whose items are told apart by `keys`."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def list_set() -> dict[str, Any]:
    """Return the schema extension for a list in which nothing is twice."""
    return {"x-kubernetes-list-type": "set"}


_DURATION = re.compile(r"^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$")
_IS_DURATION = (
    "self.matches('^([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$') && size(self) > 1",
    "must be a duration such as 90s, 30m or 1h30m",
)
_IS_POSITIVE = ("self.matches('[1-9]')", "must be longer than 0s")


def _parse_duration(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _DURATION.match(value)
    if match is None or not any(match.groups()):
        msg = f"not a duration: {value!r}"
        raise ValueError(msg)
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def format_duration(value: timedelta) -> str:
    """Return e.g. `1h30m`; whole seconds, at least `0s`."""
    total = int(value.total_seconds())
    hours, rest = divmod(total, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if n]
    return "".join(parts) or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(_parse_duration),
    PlainSerializer(format_duration),
    WithJsonSchema({"type": "string", "maxLength": 20, **cel(_IS_DURATION)}),
]
"""A span of time written as `90s`, `30m` or `1h30m`."""

PositiveDuration = Annotated[
    timedelta,
    BeforeValidator(_parse_duration),
    PlainSerializer(format_duration),
    WithJsonSchema({"type": "string", "maxLength": 20, **cel(_IS_DURATION, _IS_POSITIVE)}),
]
"""The same, and not nothing."""


def _parse_time(value: object) -> object:
    return value.replace(microsecond=0) if isinstance(value, datetime) else value


def _format_time(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Time = Annotated[
    datetime,
    BeforeValidator(_parse_time),
    PlainSerializer(_format_time),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment, to the second, in UTC, as Kubernetes writes it."""

_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=_SUBDOMAIN)]
"""The name of a Kubernetes object in the same namespace: a DNS subdomain (RFC 1123)."""
