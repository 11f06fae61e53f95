"""How many requests an account may send: a token bucket.

Asked by `lanes` before each request. Pure arithmetic: the caller tells the time, in seconds from
anywhere, and does the waiting. Within any span of `t` seconds at most `rate * t + burst` tokens are
given out.
"""

from __future__ import annotations

_ROUNDING = 1e-6
"""A token is given out when it is missing by no more than this: sums of floats are not exact."""


class TokenBucket:
    """Holds at most `burst` tokens, gets `rate` new ones a second, and is full at first."""

    def __init__(self, rate: float, burst: float, *, now: float) -> None:
        self._rate = rate
        self._burst = max(burst, 1.0)  # with less, nothing could ever be taken
        self._tokens = self._burst
        self._as_of = now

    def change(self, rate: float, burst: float, now: float) -> None:
        """From now on hold and get so much; what is above the new burst is lost, and a closed bucket stays closed."""
        self._tokens = self._tokens_at(now)
        self._as_of = max(self._as_of, now)
        self._rate, self._burst = rate, max(burst, 1.0)
        self._tokens = min(self._tokens, self._burst)

    def tokens(self, now: float) -> float:
        """Return how many tokens there are; none while the bucket is closed."""
        if now < self._as_of:
            return 0.0
        return self._tokens_at(now)

    def seconds_to_token(self, now: float) -> float:
        """Return after how many seconds there is a token; 0 if there is one now."""
        opens_in = max(0.0, self._as_of - now)
        missing = 1.0 - self._tokens_at(now + opens_in)
        return opens_in if missing <= _ROUNDING else opens_in + missing / self._rate

    def take(self, now: float) -> bool:
        """Take a token, if there is one."""
        if self.seconds_to_token(now) > 0:
            return False
        self._tokens = max(0.0, self._tokens_at(now) - 1.0)
        self._as_of = max(self._as_of, now)
        return True

    def close_until(self, moment: float) -> None:
        """Give nothing out before `moment`, and then begin with one token instead of many.

        Otherwise the tokens of a whole pause would be spent at its end, all at once.
        """
        moment = max(moment, self._as_of)
        self._tokens = min(1.0, self._tokens_at(moment))
        self._as_of = moment

    def _tokens_at(self, moment: float) -> float:
        return min(self._burst, self._tokens + max(0.0, moment - self._as_of) * self._rate)
