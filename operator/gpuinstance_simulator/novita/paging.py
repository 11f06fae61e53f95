"""Pages as Novita cuts them, with the quirks that clients trip over, and pages spoilt by faults.

Undocumented, hence assumptions: ten entries a page by default, a hundred at most (larger wishes are cut
down silently), newest first. Whether the first page is number 0 or 1 is not documented and public clients
disagree: `Quirks.first_page` chooses. Numbers below it mean the first page, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from gpuinstance_simulator.effects import Page

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Quirks:
    """Behaviour of the real API that is not documented, or on which observations differ."""

    first_page: Literal[0, 1] = 1
    default_page_size: int = 10
    largest_page_size: int = 100
    not_found_status: Literal[400, 404] = 400
    """Of an unknown instance; the name of the error stays."""
    gateway_auth: bool = False
    """A wrong key is refused by the gateway: 403 INVALID_API_KEY instead of 401 UNAUTHORIZED."""
    empty_billing_mode: bool = False
    """Lists show an empty `billingMode`, as live answers sometimes do."""
    total_as_text: bool = False
    """`total` of the instance list is a string."""


def page_index(quirks: Quirks, number: int) -> int:
    """The page meant by a page number: 1 is the first."""
    return max(1, number - quirks.first_page + 1)


def cut(quirks: Quirks, entries: Sequence[T], number: int, size: int) -> Sequence[T]:
    """The entries of one page."""
    size = min(size or quirks.default_page_size, quirks.largest_page_size)
    start = (page_index(quirks, number) - 1) * size
    return entries[start : start + size]


def wanted_page(number: int, faults: Sequence[Page]) -> int:
    """The page number that is answered: with a `repeated` fault, the one before."""
    return number - any(it.shape == "repeated" for it in faults)


def spoil(page: Sequence[T], faults: Sequence[Page]) -> Sequence[T]:
    """The entries of the page after the other page faults."""
    for fault in faults:
        if fault.shape == "empty":
            page = ()
        elif fault.shape == "short":
            page = page[:-1]
        elif fault.shape == "overlap":
            page = (*page[:-1], *page[:1])
    return page
