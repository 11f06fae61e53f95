"""Pages as Novita cuts them, and the quirks that clients trip over.

Undocumented, hence assumptions: ten entries a page by default, a hundred at most (larger wishes are cut
down silently), newest first. Whether the first page is number 0 or 1 is not documented and public clients
disagree: `Quirks.first_page` chooses. Numbers below it mean the first page, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Quirks(BaseModel):
    """Behaviour of the real API that is not documented, or on which observations differ."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    first_page: Literal[0, 1] = 1
    """number of a listing's first page"""
    default_page_size: int = Field(default=10, ge=1)
    """entries on a page if the client names no size"""
    largest_page_size: int = Field(default=100, ge=1)
    """entries on a page at most"""
    not_found_status: Literal[400, 404] = 400
    """HTTP status for an unknown instance; the name of the error stays"""
    gateway_auth: bool = False
    """a wrong key is refused by the gateway: 403 INVALID_API_KEY instead of 401 UNAUTHORIZED"""
    empty_billing_mode: bool = False
    """lists show an empty `billingMode`, as live answers sometimes do"""
    total_as_text: bool = False
    """`total` of the instance list is a string"""


def page_index(quirks: Quirks, number: int) -> int:
    """The page meant by a page number: 1 is the first."""
    return max(1, number - quirks.first_page + 1)


def cut(quirks: Quirks, entries: Sequence[T], number: int, size: int) -> Sequence[T]:
    """The entries of one page."""
    size = min(size or quirks.default_page_size, quirks.largest_page_size)
    start = (page_index(quirks, number) - 1) * size
    return entries[start : start + size]
