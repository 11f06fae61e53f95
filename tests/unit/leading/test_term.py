"""One term of office: what begins when, what ends how, and what is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import NoReturn

import pytest

from gpuinstance.core.division import Division
from gpuinstance.leading.leadership import Leadership
from gpuinstance.leading.term import lead


class Ended(BaseException):
    """The process would have ended here."""


class Office:
    """A leadership that goes as the test says, with a diary."""

    leads = False
    shares = 1

    def __init__(self) -> None:
        self.division = Division()
        self.changed: Callable[[], None] = lambda: None
        self.diary: list[str] = []
        self.elected, self.lost, self.done = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.error: Exception | None = None

    def holds_now(self) -> bool:
        """See Leadership."""
        return self.leads

    def owns(self, namespace: str, name: str) -> bool:
        """See Leadership."""
        return self.leads

    def trouble(self) -> str | None:
        """See Leadership."""
        return None

    async def acquire(self) -> None:
        """See Leadership."""
        self.diary.append("standing by")
        await self.elected.wait()
        self.diary.append("elected")

    async def hold(self) -> str:
        """See Leadership."""
        try:
            await self.lost.wait()
        except asyncio.CancelledError:
            self.diary.append("renewing ended")
            raise
        return "it was lost"

    async def release(self) -> None:
        """See Leadership."""
        self.diary.append("released")

    async def work(self) -> None:
        """What kopf does."""
        self.diary.append("working")
        try:
            await self.done.wait()
        finally:
            self.diary.append("work ended")
        if self.error is not None:
            raise self.error

    def end(self, why: str) -> NoReturn:
        """Instead of the end of the process."""
        self.diary.append(f"ended: {why}")
        raise Ended


def begun(office: Office) -> asyncio.Task[None]:
    leadership: Leadership = office
    return asyncio.create_task(lead(leadership, office.work, end=office.end))


async def moments(number: int = 5) -> None:
    """Let everybody do what they can do now."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_work_begins_with_the_election_and_ends_with_a_release() -> None:
    """Until then nothing is done; renewing goes on until the work has ended."""
    office = Office()
    term = begun(office)
    await moments()
    assert office.diary == ["standing by"]
    office.elected.set()
    await moments()
    assert office.diary == ["standing by", "elected", "working"]
    office.done.set()
    await term
    assert office.diary[3:] == ["work ended", "renewing ended", "released"]


async def test_a_lost_lease_ends_the_process_in_the_midst_of_work() -> None:
    """No handler is asked, nothing is tidied up: somebody else may be acting already."""
    office = Office()
    term = begun(office)
    office.elected.set()
    await moments()
    office.lost.set()
    with pytest.raises(Ended):
        await term
    assert office.diary[:4] == ["standing by", "elected", "working", "ended: it was lost"]


async def test_what_the_work_raises_is_raised() -> None:
    """A failed start of kopf must not look like a good end; the next one may begin at once all the same."""
    office = Office()
    office.error = RuntimeError("a bug")
    term = begun(office)
    office.elected.set()
    await moments()
    office.done.set()
    with pytest.raises(RuntimeError, match="a bug"):
        await term
    assert office.diary[-1] == "released"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_waiting(number: signal.Signals) -> None:
    """A replica that stands by ends at once and well, also as process 1 of a container."""
    office, before = Office(), signal.getsignal(number)
    term = begun(office)
    await moments()
    assert signal.getsignal(number) != before
    os.kill(os.getpid(), number)
    await term
    assert office.diary == ["standing by", "released"]
    assert signal.getsignal(number) in (before, signal.SIG_DFL, signal.default_int_handler)


async def test_a_signal_before_the_work_listens_ends_it() -> None:
    """kopf installs its own handlers when it has started; a signal before that is not lost."""
    office = Office()
    term = begun(office)
    office.elected.set()
    await moments()
    os.kill(os.getpid(), signal.SIGTERM)
    await term
    assert office.diary == ["standing by", "elected", "working", "work ended", "renewing ended", "released"]
