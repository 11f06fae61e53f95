"""Pages of a listing that are spoilt by faults, at whatever provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from gpuinstance_simulator.effects import Page

T = TypeVar("T")


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
