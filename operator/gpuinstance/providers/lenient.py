"""The base of wire models, and field types for answers whose types cannot be relied upon.

Used by the wire models of adapters. A value that cannot be read becomes "none" (None, an empty text, an
empty tuple) and never an error: one odd optional field must not hide a whole account. What must not be
missing says so itself, with a constraint on top.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

_LARGEST = Decimal(10) ** 15  # no id, price, size or time is larger; 1e999999 would not fit into memory
_END_OF_TIME = Decimal(253_402_300_800)  # the year 10000 in unix seconds

Item = TypeVar("Item")


class Wire(BaseModel):
    """Base of a provider's answers: unknown fields are dropped, and errors never quote the input."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 <= number <= _LARGEST else None


def _moment(value: object) -> datetime | None:
    seconds = _number(value)
    if seconds is None or not 0 < seconds < _END_OF_TIME:
        return None
    return datetime.fromtimestamp(float(seconds), UTC)


def _flag(value: object) -> bool:
    return value is True or value == 1 or (isinstance(value, str) and value.strip().lower() in {"true", "1"})


def _rows(value: object) -> list[object]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _texts(value: object) -> list[object]:
    return [item for item in value if isinstance(item, str) and item] if isinstance(value, list) else []


Text = Annotated[str, BeforeValidator(_text)]
"""A text; numbers are written out, everything else is empty."""

Number = Annotated[Decimal | None, BeforeValidator(_number)]
"""A number that is not negative, as number or text: `16`, `"16"`. `""`, `"-1"` and nonsense are None."""

Moment = Annotated[datetime | None, BeforeValidator(_moment)]
"""Unix seconds, as number or text, in UTC. `""`, `"0"` and `"-1"` are None."""

Flag = Annotated[bool, BeforeValidator(_flag)]
"""True only where the answer clearly says so."""

Rows = Annotated[tuple[Item, ...], BeforeValidator(_rows)]
"""A list of objects; null is empty, what is no object is left out."""

Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
"""A list of texts that are not empty; null is empty."""


def whole(number: Decimal | None) -> int | None:
    """Return a count or size as an integer; None for none and for zero."""
    return (int(number) or None) if number is not None else None
