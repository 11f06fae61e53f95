"""The last word before a change is sent: may this process still act?

The wrapper in `fence` says who is asked, for all requests of one change. `http` lets httpcore ask at each step
of a request, and the step that counts is when a connection is there and the first byte is about to leave.
Whatever took long before that - a queue, a budget, a handshake, a process that stood still - is over by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from gpuinstance.providers.base import NotLeading

MayAct = Callable[[], bool]
"""Answers at once, from what is known here and now."""

_FIRST_BYTE = "send_request_headers.started"
_asked: ContextVar[MayAct | None] = ContextVar("fence", default=None)


@contextmanager
def fenced_by(may_act: MayAct) -> Iterator[None]:
    """Have `may_act` asked about every change that is sent in this context. Raises NotLeading, also at once."""
    _require(may_act)
    token = _asked.set(may_act)
    try:
        yield
    finally:
        _asked.reset(token)


async def last_word(event: str, _details: Mapping[str, object]) -> None:
    """Refuse at the last moment; called by httpcore, with names of steps such as `http11.send_request_headers.started`.

    Raises NotLeading. The connection is closed then, and nothing of the request was sent.
    """
    may_act = _asked.get()
    if may_act is not None and event.endswith(_FIRST_BYTE):
        _require(may_act)


def _require(may_act: MayAct) -> None:
    if not may_act():
        raise NotLeading("nothing was sent: this process does not hold the lease any more")
