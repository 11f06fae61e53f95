"""What the postman remembers: a lane for each destination of an object. Nothing that a restart may not lose."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from gpuinstance.notify.letters import Letter, Mailing, Subject


@dataclass(slots=True, eq=False)
class Lane:
    """What waits for one destination of one object."""

    subject: Subject
    mailing: Mailing
    letters: tuple[Letter, ...] = ()
    """Those of the mailing that are not settled."""
    failures: int = 0
    trouble: str | None = None
    gone: str | None = None
    fine: bool = False
    timer: asyncio.TimerHandle | None = None
    under_way: bool = False
    closed: bool = False


@dataclass(slots=True)
class Post:
    """What is known about one object."""

    lanes: dict[str, Lane] = field(default_factory=dict)
    settled: set[tuple[str, str]] = field(default_factory=set)


def cancel(lane: Lane) -> None:
    """Take back the time at which the lane was to go on."""
    if lane.timer is not None:
        lane.timer.cancel()
        lane.timer = None


def close(lane: Lane) -> None:
    """The lane is of no interest any more, also to a try that is under way."""
    lane.closed = True
    cancel(lane)
