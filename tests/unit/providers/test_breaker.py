"""The circuit breaker: when it opens, whom it lets through, when it closes."""

from __future__ import annotations

import pytest

from gpuinstance.providers.governing.breaker import Breaker, Circuit, Tolerance

TOLERANCE = Tolerance(failures=3, successes=2, first_pause=10, longest_pause=60)


def breaker() -> Breaker:
    return Breaker(TOLERANCE)


def fail(it: Breaker, now: float = 0.0, *, times: int = 1, about: object = None) -> bool:
    """So many calls enter, fail and leave; returns whether the last has opened it."""
    opened = False
    for _ in range(times):
        assert it.may_enter(now)
        ticket = it.enter()
        opened = it.failed(ticket, now, about=about)
        it.leave(ticket)
    return opened


def succeed(it: Breaker, now: float) -> None:
    """A call enters, is answered and leaves."""
    assert it.may_enter(now)
    ticket = it.enter()
    it.succeeded(ticket)
    it.leave(ticket)


def test_it_opens_after_enough_failures_in_a_row() -> None:
    """Not before, and the last one is told so."""
    it = breaker()
    assert not fail(it, times=2)
    assert it.circuit(0.0) is Circuit.CLOSED
    assert fail(it)
    assert it.circuit(0.0) is Circuit.OPEN
    assert not it.may_enter(9.9)
    assert it.seconds_to_probe(4.0) == 6


def test_an_answer_in_between_begins_the_row_anew() -> None:
    """A provider that fails now and then is not broken."""
    it = breaker()
    for now in range(10):
        fail(it, float(now), times=2)
        succeed(it, float(now))
    assert it.circuit(10.0) is Circuit.CLOSED
    assert it.seconds_to_probe(10.0) == 0


def test_one_thing_that_fails_for_ever_does_not_close_an_account() -> None:
    """Failures about the same thing are one; about others, or about the account itself, they add up."""
    it = breaker()
    fail(it, times=100, about="m-1")
    fail(it, times=100, about="m-2")
    assert it.circuit(0.0) is Circuit.CLOSED
    assert fail(it, about="m-3")


def test_half_open_lets_one_call_through_at_a_time() -> None:
    """After the pause; others wait until it has left."""
    it = breaker()
    fail(it, times=3)
    assert it.circuit(10.0) is Circuit.HALF_OPEN
    probe = it.enter()
    assert probe.is_probe
    assert not it.may_enter(10.0)
    it.leave(probe)  # cancelled: it says nothing
    assert it.circuit(10.0) is Circuit.HALF_OPEN
    assert it.may_enter(10.0)


def test_it_closes_after_enough_successes() -> None:
    """One success could be luck."""
    it = breaker()
    fail(it, times=3)
    succeed(it, 10.0)
    assert it.circuit(10.0) is Circuit.HALF_OPEN
    succeed(it, 10.0)
    assert it.circuit(10.0) is Circuit.CLOSED
    assert not fail(it, 10.0, times=2), "a new row begins"


def test_a_failed_probe_opens_it_for_longer() -> None:
    """Up to a limit; and after it was closed, the first pause is the short one again."""
    it, now, pauses = breaker(), 0.0, []
    fail(it, times=3)
    for _ in range(6):
        pauses.append(it.seconds_to_probe(now))
        now += pauses[-1]
        assert fail(it, now, about="always the same thing")
    assert pauses == [10, 20, 40, 60, 60, 60]
    now += it.seconds_to_probe(now)
    succeed(it, now)
    fail(it, now)
    assert it.circuit(now) is Circuit.OPEN, "a success counts only if the next call succeeds, too"
    now += it.seconds_to_probe(now)
    for _ in range(2):
        succeed(it, now)
    fail(it, now, times=3)
    assert it.seconds_to_probe(now) == 10


@pytest.mark.parametrize("has_failed", [True, False])
def test_what_was_sent_before_says_nothing_about_after(has_failed: bool) -> None:
    """Late answers from before it opened neither open, nor close, nor prolong anything."""
    it = breaker()
    late = [it.enter() for _ in range(20)]
    fail(it, times=3)
    assert it.circuit(10.0) is Circuit.HALF_OPEN
    for ticket in late:
        if has_failed:
            assert not it.failed(ticket, 10.0)
        else:
            it.succeeded(ticket)
        it.leave(ticket)
    assert it.circuit(10.0) is Circuit.HALF_OPEN
    assert it.may_enter(10.0)


def test_late_calls_do_not_hold_up_the_probe() -> None:
    """Calls that hang since before it opened may hang on."""
    it = breaker()
    for _ in range(20):
        it.enter()
    fail(it, times=3)
    assert it.may_enter(10.0)
