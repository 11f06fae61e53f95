"""Reading pages that lie, repeat, vanish and shift: complete, or refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from gpuinstance.core.model import Machine, MachineState
from gpuinstance.providers.base import (
    IncompleteListing,
    ProviderError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)
from gpuinstance.providers.pages import MAX_PAGES, Page, read_all


def machines(*ids: int) -> tuple[Machine, ...]:
    return tuple(Machine(str(i), f"m{i}", MachineState.RUNNING, "running") for i in ids)


class Api:
    """A paged listing of numbered machines, newest first, that can be disturbed before each page."""

    def __init__(self, count: int, *, size: int = 2, base: int = 1, strict: bool = False) -> None:
        self.ids = list(range(count, 0, -1))
        self.size = size
        self.base = base
        self.strict = strict
        self.asked: list[int] = []
        self.total: Callable[[], int | None] = lambda: len(self.ids)
        self.before: dict[int, Callable[[], object]] = {}
        self.spoil: dict[int, Callable[[Sequence[int]], Sequence[int]]] = {}

    async def fetch(self, number: int) -> Page:
        """Answer one request; disturbances are keyed by the number of the request, from 1."""
        self.asked.append(number)
        turn = len(self.asked)
        if turn in self.before:
            self.before[turn]()
        if number < self.base and self.strict:
            raise Rejected("pageNum must be at least 1")
        start = max(0, number - self.base) * self.size
        ids: Sequence[int] = self.ids[start : start + self.size]
        if turn in self.spoil:
            ids = self.spoil[turn](ids)
        return Page(machines(*ids), self.total())

    async def read(self) -> set[int]:
        """Read all."""
        found = await read_all(self.fetch)
        assert len({m.id for m in found}) == len(found)
        return {int(m.id) for m in found}


def raises(error: ProviderError) -> Callable[[], object]:
    def disturb() -> None:
        raise error

    return disturb


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("strict", [False, True])
async def test_all_machines_from_either_first_page(count: int, base: int, strict: bool) -> None:
    """Whether pages are counted from zero or one, all machines are found, each once."""
    api = Api(count, base=base, strict=strict)
    assert await api.read() == set(range(1, count + 1))


async def test_no_page_more_than_needed() -> None:
    """Where all is in order, a listing costs exactly its pages: a call budget depends on it."""
    api = Api(4)
    await api.read()
    assert api.asked == [1, 2]


@pytest.mark.parametrize("base", [0, 1])
async def test_a_listing_without_totals_is_read_to_its_end(base: int) -> None:
    """Without a total the end is an empty page, and page zero is looked at as well."""
    api = Api(5, base=base)
    api.total = lambda: None
    assert await api.read() == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("strict", [False, True])
async def test_machines_created_meanwhile_hide_none(strict: bool) -> None:
    """New machines push entries to later pages: duplicates are dropped, all the old ones are found."""
    api = Api(6, strict=strict)
    api.before = {2: lambda: api.ids.insert(0, 7), 3: lambda: api.ids.insert(0, 8)}
    assert await api.read() >= {1, 2, 3, 4, 5, 6}
    assert api.asked[:5] == [1, 2, 3, 4, 5]
    assert api.asked.count(1) == 1, "one walk is enough"


async def test_machines_removed_meanwhile_hide_none() -> None:
    """A removal pulls entries to earlier pages, where they would be missed: the total falls, read anew."""
    api = Api(6)
    api.before = {2: lambda: api.ids.remove(6)}
    assert await api.read() == {1, 2, 3, 4, 5}
    assert api.asked == [1, 2, 1, 2, 3]


SPOILT_ONCE = {
    "an entry is missing": lambda ids: ids[:-1],
    "the page is empty": lambda _: (),
    "the page before comes again": lambda _: (6, 5),
    "an entry comes twice": lambda ids: (ids[0], ids[0]),
}


@pytest.mark.parametrize("spoil", SPOILT_ONCE.values(), ids=SPOILT_ONCE.keys())
async def test_a_page_spoilt_once_is_read_again(spoil: Callable[[Sequence[int]], Sequence[int]]) -> None:
    """A passing fault costs another round, not the listing."""
    api = Api(6)
    api.spoil = {2: spoil}
    assert await api.read() == {1, 2, 3, 4, 5, 6}


@pytest.mark.parametrize("spoil", SPOILT_ONCE.values(), ids=SPOILT_ONCE.keys())
async def test_pages_that_stay_spoilt_are_no_listing(
    spoil: Callable[[Sequence[int]], Sequence[int]],
) -> None:
    """What never adds up is refused: absence from it would mean nothing."""
    api = Api(6)

    async def fetch(number: int) -> Page:
        page = await api.fetch(number)
        ids = [int(m.id) for m in page.machines]
        return Page(machines(*spoil(ids)) if number == 2 else page.machines, page.total)

    with pytest.raises(IncompleteListing):
        await read_all(fetch)


@pytest.mark.parametrize("total", [5, 7, 100])
async def test_a_wrong_total_is_a_contradiction(total: int) -> None:
    """More or fewer machines than the total says: refused."""
    api = Api(6, size=4)
    api.total = lambda: total
    with pytest.raises(IncompleteListing):
        await api.read()


async def test_a_server_that_ignores_page_numbers_is_noticed() -> None:
    """The same page again and again ends soon, not after all pages that there could be."""
    api = Api(6)

    async def fetch(_: int) -> Page:
        return await api.fetch(1)

    with pytest.raises(IncompleteListing):
        await read_all(fetch)
    assert len(api.asked) == 6


async def test_a_total_that_never_rests_is_given_up() -> None:
    """A listing whose machines vanish faster than it is read is refused after some rounds."""
    api = Api(100)
    shrink = api.fetch

    async def fetch(number: int) -> Page:
        del api.ids[-1]
        return await shrink(number)

    with pytest.raises(IncompleteListing):
        await read_all(fetch)
    assert len(api.asked) == 6


async def test_pages_without_end_are_given_up() -> None:
    """No server can keep the operator reading for ever."""
    asked: list[int] = []

    async def fetch(number: int) -> Page:
        asked.append(number)
        return Page(machines(number), number + 1)

    with pytest.raises(IncompleteListing, match="pages"):
        await read_all(fetch)
    assert len(asked) == MAX_PAGES


async def test_a_failing_page_makes_the_listing_incomplete() -> None:
    """Later pages that cannot be read leave nothing to rely upon."""
    api = Api(6)
    api.before = {2: raises(Unavailable("HTTP 502", code="HTTP 502"))}
    with pytest.raises(IncompleteListing, match="page 2") as caught:
        await api.read()
    assert caught.value.code == "HTTP 502"


@pytest.mark.parametrize("error", [RateLimited("slow down", retry_after=7), Unauthorized("who?")])
@pytest.mark.parametrize("turn", [1, 2])
async def test_limits_and_refused_keys_are_passed_on(error: ProviderError, turn: int) -> None:
    """What concerns the whole account is not hidden in an incomplete listing, whatever the page."""
    api = Api(6)
    api.before = {turn: raises(error)}
    with pytest.raises(type(error)) as caught:
        await api.read()
    assert caught.value is error


async def test_the_first_page_fails_as_it_fails() -> None:
    """Nothing was read: the error says more by itself."""
    api = Api(6)
    api.before = {1: raises(Unavailable("no route"))}
    with pytest.raises(Unavailable) as caught:
        await api.read()
    assert type(caught.value) is Unavailable


async def test_page_zero_can_fail_too() -> None:
    """If the last hope for missing machines cannot be read, the listing is incomplete."""
    api = Api(3, size=3, base=0)
    api.before = {2: raises(Unavailable("no route"))}
    with pytest.raises(IncompleteListing):
        await api.read()
