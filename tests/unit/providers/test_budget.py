"""The token bucket: what is given out, and when there is more."""

from __future__ import annotations

import pytest

from gpuinstance.providers.governing.budget import TokenBucket


def taken(bucket: TokenBucket, now: float) -> int:
    """Take all that there is at that moment."""
    count = 0
    while bucket.take(now):
        count += 1
    return count


def test_it_is_full_at_first_and_never_fuller() -> None:
    """A burst, then the rate, and after a long rest a burst again."""
    bucket = TokenBucket(2.0, 5, now=100.0)
    assert taken(bucket, 100.0) == 5
    assert taken(bucket, 101.0) == 2
    assert taken(bucket, 101.4) == 0
    assert taken(bucket, 101.5) == 1
    assert bucket.tokens(10_000.0) == 5
    assert taken(bucket, 10_000.0) == 5


def test_it_says_when_there_is_more() -> None:
    """Nobody has to try."""
    bucket = TokenBucket(4.0, 1, now=0.0)
    assert bucket.seconds_to_token(0.0) == 0
    assert bucket.take(0.0)
    assert bucket.seconds_to_token(0.0) == pytest.approx(0.25)
    assert bucket.seconds_to_token(0.2) == pytest.approx(0.05)
    assert bucket.seconds_to_token(0.25) == 0


def test_the_moment_that_it_named_is_the_moment() -> None:
    """Whoever sleeps for exactly as long as told finds a token, however the numbers are rounded."""
    bucket, now = TokenBucket(3.0, 1, now=0.1), 0.1
    for _ in range(1000):
        now += bucket.seconds_to_token(now)
        assert bucket.take(now)
    assert now == pytest.approx(0.1 + 999 / 3)


def test_a_closed_bucket_opens_with_one_token() -> None:
    """What gathers during a pause is not spent at its end all at once."""
    bucket = TokenBucket(10.0, 100, now=0.0)
    bucket.close_until(60.0)
    assert bucket.tokens(59.9) == 0
    assert not bucket.take(59.9)
    assert bucket.seconds_to_token(50.0) == pytest.approx(10)
    assert taken(bucket, 60.0) == 1
    assert taken(bucket, 61.0) == 10


def test_closing_gives_nothing_away() -> None:
    """A bucket that is empty and closed for an instant is still empty; one that is closed is not opened earlier."""
    bucket = TokenBucket(1.0, 2, now=0.0)
    assert taken(bucket, 0.0) == 2
    bucket.close_until(0.1)
    assert not bucket.take(0.1)
    bucket.close_until(30.0)
    bucket.close_until(10.0)
    assert bucket.tokens(29.0) == 0
    assert taken(bucket, 30.0) == 1


def test_a_clock_that_goes_back_does_no_harm() -> None:
    """Nothing is given out twice."""
    bucket = TokenBucket(1.0, 1, now=10.0)
    assert bucket.take(10.0)
    assert not bucket.take(5.0)
    assert not bucket.take(10.5)
    assert bucket.take(11.0)


def test_a_burst_of_less_than_one_call_is_one() -> None:
    """Otherwise nothing could ever be sent."""
    assert TokenBucket(0.1, 0.5, now=0.0).take(0.0)
