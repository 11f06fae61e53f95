"""Values as Hostwinds writes them: marks, times, sizes, addresses.

Field types and readings for its wire models, beside those of `lenient`, and as forgiving. Pure.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import AddressValueError, IPv4Address
from typing import Annotated

from pydantic import BeforeValidator

_MOST_GB = 512
"""No plan has more GB of memory, and none fewer MB: the unit is not documented and differs between answers."""

_QUANTITY = re.compile(r"\s*([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*([A-Za-z]*)")
_MB = {"K": Decimal(1) / 1024, "M": Decimal(1), "G": Decimal(1024), "T": Decimal(1024) ** 2}


def _mark(value: object) -> bool:
    """True unless the value clearly says no: a server that may be suspended or locked is not touched."""
    if isinstance(value, str):
        return value.strip().lower() not in {"", "0", "false", "no", "off", "null", "none"}
    return bool(value)


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _quantity(value: object) -> tuple[Decimal, str]:
    """Return (amount, first letter of the unit) of a size: `50`, `"50"`, `"50 GB"`, `"2 Cores"`."""
    is_size = isinstance(value, int | float | str) and not isinstance(value, bool)
    match = _QUANTITY.match(str(value)) if is_size else None
    return (Decimal(match[1]), match[2][:1].upper()) if match else (Decimal(0), "")


def _megabytes(value: object) -> int:
    amount, unit = _quantity(value)
    return int(amount * _MB.get(unit, _MB["G"] if amount <= _MOST_GB else _MB["M"]))


def _gigabytes(value: object) -> int:
    amount, unit = _quantity(value)
    return int(amount * _MB.get(unit, _MB["G"]) / _MB["G"])


def _count(value: object) -> int:
    return int(_quantity(value)[0])


def _name(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _address(value: object) -> str:
    try:
        address = IPv4Address(value.strip() if isinstance(value, str) else "")
    except AddressValueError:
        return ""
    return "" if address.is_unspecified else str(address)


def _as_text(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def _named(value: object) -> object:
    return value.get("name") if isinstance(value, dict) else value


Mark = Annotated[bool, BeforeValidator(_mark)]
"""0 or 1, as number or text; whatever is neither counts as 1."""

Time = Annotated[datetime | None, BeforeValidator(_time)]
"""`2026-01-02 03:04:05`. The time zone is not documented and taken as UTC: such times are only compared
with each other. `0000-00-00 00:00:00` is None."""

Megabytes = Annotated[int, BeforeValidator(_megabytes)]
"""Memory: `2048`, `"2"`, `"2 GB"` and `"2048 MB"` are all 2048; 0 for none."""

Gigabytes = Annotated[int, BeforeValidator(_gigabytes)]
"""Disk: GB where no unit is named."""

Count = Annotated[int, BeforeValidator(_count)]
"""A number that may be followed by words: `2`, `"2 Cores"`."""

Name = Annotated[str | None, BeforeValidator(_name)]
"""A text, None where there is none: an empty name and no word about it are two things."""

Address = Annotated[str, BeforeValidator(_address)]
"""An IPv4 address; empty for anything else, and for 0.0.0.0."""

Named = BeforeValidator(_named)
"""Takes an object with a `name` for its name."""

AsText = BeforeValidator(_as_text)
"""Writes true and false out."""
