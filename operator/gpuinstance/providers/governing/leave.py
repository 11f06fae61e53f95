"""Leave for each request of one call.

A wrapper sees calls of a `Provider`; the budget is one of requests, and one call may be many of them:
the pages of a listing, a read that is repeated. So `http` asks here before each request that it sends,
and whoever governs the call that it belongs to answers. Where nobody governs, leave is given.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_governing: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("governing", default=None)


async def ask_leave() -> None:
    """Wait until the next request of this call may be sent.

    Raises what the call is to end with instead: RateLimited or Unavailable. The request has not been
    sent then, so an adapter may pass either on, unless an earlier request of the same call has changed
    something.
    """
    ask = _governing.get()
    if ask is not None:
        await ask()


@contextmanager
def governed_by(ask: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """Let `ask` give leave to all requests that are made in this context."""
    token = _governing.set(ask)
    try:
        yield
    finally:
        _governing.reset(token)
