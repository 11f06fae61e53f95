"""Listens where Python itself asks the kernel for a connection, below asyncio, anyio, httpcore and httpx.

An audit hook sees each `connect` of every socket in the process and cannot be bypassed by Python code. It
cannot be removed either, so there is one, which writes only while a test listens.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_listeners: list[list[object]] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event in _EVENTS:
        for heard in _listeners:
            heard.append(arguments[1])


sys.addaudithook(_hook)


@contextmanager
def listening_for_connections() -> Iterator[list[object]]:
    """Yield the list of addresses that sockets of this process are connected to from now on."""
    heard: list[object] = []
    _listeners.append(heard)
    try:
        yield heard
    finally:
        _listeners.remove(heard)
