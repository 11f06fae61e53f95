"""Pauses that grow, and questions that are held back by them."""

from __future__ import annotations

import pytest

from gpuinstance.providers.base import ProviderError, RateLimited, Rejected, Unavailable
from gpuinstance.providers.governing.pauses import GrowingPause, Grudges


def lengths(pause: GrowingPause, count: int) -> list[float]:
    """Begin one pause right after the other, and return how long each is."""
    now, found = 0.0, []
    for _ in range(count):
        pause.begin(now)
        found.append(pause.left(now))
        now += pause.left(now)
    return found


def test_it_doubles_up_to_a_limit() -> None:
    """And no further, however often."""
    assert lengths(GrowingPause(5, 300), 9) == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert lengths(GrowingPause(1, 2), 5000)[-1] == 2


def test_after_a_success_it_is_short_again() -> None:
    """But a pause that is running goes on: what succeeded was sent before it."""
    pause = GrowingPause(5, 300)
    lengths(pause, 4)
    pause.begin(100.0)
    pause.shrink()
    assert pause.left(101.0) == 79
    pause.begin(200.0)
    assert pause.left(200.0) == 5


def test_failures_of_the_same_moment_count_once() -> None:
    """Twenty calls that were under way together fail together."""
    pause = GrowingPause(5, 300)
    for _ in range(20):
        pause.begin(10.0)
    assert pause.left(10.0) == 5
    pause.begin(15.0)
    assert pause.left(15.0) == 10


def test_whoever_asks_for_a_pause_gets_it() -> None:
    """To the moment, and a shorter wish does not shorten it."""
    pause = GrowingPause(5, 300)
    pause.last_for(30.0, 100.0)
    pause.last_for(1.0, 101.0)
    assert pause.left(129.5) == 0.5
    assert pause.left(130.0) == 0
    pause.last_for(3600.0, 130.0)
    assert pause.until == 3730.0


def test_a_held_question_brings_its_last_error() -> None:
    """A copy each time, with all that it says, so that no traceback grows."""
    grudges = Grudges(5, 300, size=10)
    error = Unavailable("not now", code="HTTP 502")
    grudges.failed("a", error, 0.0)
    found = grudges.refusal("a", 4.9)
    assert isinstance(found, Unavailable)
    assert found is not error
    assert found is not grudges.refusal("a", 4.9)
    assert (found.message, found.code, found.reason) == (error.message, error.code, error.reason)
    assert grudges.refusal("b", 1.0) is None
    assert grudges.refusal("a", 5.0) is None
    grudges.failed("a", Rejected("no"), 5.0)
    assert isinstance(grudges.refusal("a", 14.9), Rejected)


@pytest.mark.parametrize("error", [RateLimited("x", retry_after=7.0), Rejected("y", code="NO")])
def test_nothing_of_an_error_is_lost(error: ProviderError) -> None:
    """What a class adds to the error is in the copy, too."""
    grudges = Grudges(5, 300, size=10)
    grudges.failed("a", error, 0.0)
    found = grudges.refusal("a", 0.0)
    assert found is not None
    assert vars(found) == vars(error)


def test_an_answer_ends_the_grudge() -> None:
    """The next failure is a first one."""
    grudges = Grudges(5, 300, size=10)
    for now in (0.0, 5.0, 15.0):
        grudges.failed("a", Unavailable("x"), now)
    grudges.answered("a")
    assert grudges.refusal("a", 16.0) is None
    grudges.failed("a", Unavailable("x"), 16.0)
    assert grudges.refusal("a", 21.0) is None


def test_it_remembers_a_bounded_number() -> None:
    """The one that failed longest ago is forgotten first."""
    grudges = Grudges(1000, 1000, size=3)
    for number in range(10):
        grudges.failed(number, Unavailable("x"), float(number))
    assert len(grudges) == 3
    assert [grudges.refusal(number, 10.0) is not None for number in (6, 7, 8, 9)] == [False, True, True, True]
