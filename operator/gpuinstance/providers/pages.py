"""Reading all pages of a listing that may change meanwhile, or refusing to call it complete.

Called by adapters whose API numbers its pages; `fetch` is theirs. Nothing here knows a wire format.

A page is a slice of a list that others change. A machine that is *created* meanwhile moves entries to
later pages, where they are met twice: harmless. One that is *removed* moves entries to earlier pages,
where they are missed: the total falls, and the round is begun anew. Only a removal and a creation
between the same two pages can hide from this; so a caller that is about to draw a consequence from
absence asks for the machine itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gpuinstance.core.model import Machine
from gpuinstance.providers.base import (
    IncompleteListing,
    NotFound,
    ProviderError,
    RateLimited,
    Rejected,
    Unauthorized,
)

ROUNDS = 3
"""How often the whole listing is begun before it is called incomplete."""

MAX_PAGES = 500
"""Pages a round: 50,000 machines of one account at 100 a page."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `total` is the number of entries on all pages, None where the answer names none."""

    machines: tuple[Machine, ...]
    total: int | None


Fetch = Callable[[int], Awaitable[Page]]
"""Gets the page of a number."""


async def read_all(fetch: Fetch) -> tuple[Machine, ...]:
    """Return every machine, each once, in the order in which they were met.

    Pages are counted from one. An API that counts from zero is recognised by machines that are missing
    at the end, and then asked for its page zero.

    Raises IncompleteListing if a page fails, repeats another or contradicts the total; RateLimited and
    Unauthorized as they come; what the first page raises as it comes.
    """
    for _ in range(ROUNDS):
        machines = await _read_once(fetch)
        if machines is not None:
            return machines
    raise IncompleteListing(f"the pages of the listing contradicted each other {ROUNDS} times in a row")


async def _read_once(fetch: Fetch) -> tuple[Machine, ...] | None:
    """Return the machines of one walk through the pages, None if the walk proves nothing."""
    walk = _Walk()
    for number in range(1, MAX_PAGES + 1):
        page = await _read_page(fetch, number)
        if not walk.take(page):
            return None
        if walk.has_all:
            return walk.machines
        if not page.machines:
            zero = await _read_page_zero(fetch)
            return walk.machines if walk.take(zero, may_repeat=True) and walk.is_plausible else None
    raise IncompleteListing(f"the listing has more than {MAX_PAGES} pages")


class _Walk:
    """What one walk through the pages has met."""

    def __init__(self) -> None:
        self._seen: dict[str, Machine] = {}
        self._first_total: int | None = None
        self._total: int | None = None

    @property
    def machines(self) -> tuple[Machine, ...]:
        return tuple(self._seen.values())

    @property
    def has_all(self) -> bool:
        """True as soon as as many machines were met as there are."""
        return self._total is not None and len(self._seen) == self._total

    @property
    def is_plausible(self) -> bool:
        """At the end of the pages: whether all were met that were there when the walk began, and no more
        than there are now.
        """
        if self._first_total is None or self._total is None:
            return True
        return self._first_total <= len(self._seen) <= self._total

    def take(self, page: Page, *, may_repeat: bool = False) -> bool:
        """Take a page in; return False if it shows that this walk cannot be relied upon."""
        fell = self._total is not None and page.total is not None and page.total < self._total
        known = len(self._seen)
        self._seen.update((machine.id, machine) for machine in page.machines)
        if page.total is not None:
            self._total = page.total
            self._first_total = page.total if self._first_total is None else self._first_total
        is_repeat = bool(page.machines) and len(self._seen) == known and not may_repeat
        return not (fell or is_repeat)


async def _read_page(fetch: Fetch, number: int) -> Page:
    try:
        return await fetch(number)
    except (RateLimited, Unauthorized):
        raise
    except ProviderError as error:
        if number == 1:
            raise
        message = f"page {number} of the listing could not be read: {error.message}"
        raise IncompleteListing(message, code=error.code) from error


async def _read_page_zero(fetch: Fetch) -> Page:
    """Return page zero, empty where the API counts from one and refuses it."""
    try:
        return await fetch(0)
    except (Rejected, NotFound):
        return Page((), None)
    except (RateLimited, Unauthorized):
        raise
    except ProviderError as error:
        raise IncompleteListing(f"the listing could not be read: {error.message}", code=error.code) from error
