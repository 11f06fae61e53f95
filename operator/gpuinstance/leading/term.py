"""One term of office: stand by, work while the Lease is held, release it, or end at once when it is lost.

Called by the composition root. A graceful end keeps renewing until the work has ended, because calls under way
are finished; a lost Lease ends the process on the spot, because somebody else may be acting already.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog

from gpuinstance.leading.leadership import Leadership

_log = structlog.get_logger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

LOST = 70
"""Exit code of a process that has lost its Lease: an internal failure, as sysexits.h numbers it."""


def end_process(why: str) -> NoReturn:
    """End this process without another step: no handler, no call under way may go on."""
    _log.critical("the lease is lost; ending at once", reason=why)
    os._exit(LOST)


async def lead(
    leadership: Leadership, work: Callable[[], Awaitable[None]], *, end: Callable[[str], NoReturn] = end_process
) -> None:
    """Wait for the Lease, run `work` until it returns, and release the Lease.

    SIGTERM and SIGINT end the waiting; `work` installs its own handlers, as kopf does. What `work` raises
    is raised, after the release.
    """
    stopped = asyncio.create_task(_signalled())
    electing = asyncio.create_task(leadership.acquire())
    working = holding = None
    try:
        await asyncio.wait({electing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            return
        electing.result()
        # Tasks of before kopf's start are left alone by its shutdown: the Lease is renewed to the very end.
        holding = asyncio.create_task(leadership.hold())
        working = asyncio.ensure_future(work())
        await asyncio.wait({working, holding, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            working.cancel()  # a signal in the moment before kopf has taken over
            await asyncio.wait({working, holding}, return_when=asyncio.FIRST_COMPLETED)
        if holding.done():
            end(holding.result())
        if not working.cancelled():
            working.result()
    finally:
        await _cancel(electing, stopped, holding, working)
        await leadership.release()


async def _signalled() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        await stop.wait()
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def _cancel(*tasks: asyncio.Future[None] | asyncio.Future[str] | None) -> None:
    living = [task for task in tasks if task is not None and not task.done()]
    for task in living:
        task.cancel()
    await asyncio.gather(*living, return_exceptions=True)
