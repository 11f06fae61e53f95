"""Everything that can go wrong with one call, as data, by the name that a run is called by.

`Kill` ends the process, `Wire` spoils the exchange with the provider in the simulator's own vocabulary, `Api`
spoils one with Kubernetes, `Meanwhile` lets something happen in the world at that moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from gpuinstance_simulator.console import ConsoleAction
from gpuinstance_simulator.effects import (
    Answer,
    Console,
    Delay,
    Drop,
    Effect,
    Hang,
    Lag,
    Page,
    Price,
    Stick,
    Strip,
    Truncate,
)
from tests.faults.boundaries import Boundary, Class

PATIENCE = 30.0
"""Seconds for which the operator waits for an answer, by default."""

_EVERY = frozenset(Class)
_CHANGE = frozenset({Class.CHANGE})
_LOOK = frozenset({Class.LOOK})
_PROVIDER = _CHANGE | _LOOK
_STATUS = frozenset({Class.STATUS})
_WRITES = frozenset(it for it in Class if it.is_write)


class Point(StrEnum):
    """Where in a call the process dies."""

    BEFORE_SEND = "before it is sent"
    AFTER_SEND = "when it has taken effect and the answer is on its way"
    AFTER_ANSWER = "when the answer has arrived"
    BEFORE_NEXT_WRITE = "right before the next write to Kubernetes"
    ARRIVES_LATE = "when it is on its way, and takes effect only after the next process has looked around"


@dataclass(frozen=True, slots=True)
class Kill:
    """The process dies, and another one is started."""

    point: Point


@dataclass(frozen=True, slots=True)
class Wire:
    """An effect on this call and so many that follow: reads are repeated by the client, and must all fail."""

    effect: Effect
    count: int = 1


@dataclass(frozen=True, slots=True)
class Api:
    """What the API server does."""

    what: Literal["conflict", "unavailable", "answer lost", "event lost", "stale watch", "status wiped", "old schema"]


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What happens right before the call."""

    what: Literal["clock forward", "clock backward", "twin bought", "secret away"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One way in which a call goes wrong."""

    name: str
    does: Kill | Wire | Api | Meanwhile
    meets: frozenset[Class]
    calls: frozenset[str] = frozenset()
    """Only these calls, where not every call of the class can meet it."""
    provider: str = ""
    """Only at this provider."""
    same_end: bool = True
    """Whether all ends as without it. If not, only what is safe is judged: money, machines, rest."""

    def can_meet(self, boundary: Boundary, provider: str) -> bool:
        """Whether it can happen there."""
        return (
            boundary.kind in self.meets
            and (not self.calls or boundary.call in self.calls)
            and self.provider in {"", provider}
        )


def _console(action: str) -> Effect:
    return Console(when="before", do=ConsoleAction.model_validate({"action": action}))


_SOLD_OUT = Answer(status=400, reason="INSUFFICIENT_RESOURCE")
_OUT_OF_STOCK = Answer(status=200, message="This product is out of stock.")
_ORDERED = Console(when="before", do=ConsoleAction(action="order", plan="405"))
_CREATE, _LIST = frozenset({"create"}), frozenset({"list"})

_TROUBLES = (
    Trouble("killed-before-send", Kill(Point.BEFORE_SEND), _EVERY),
    Trouble("killed-after-send", Kill(Point.AFTER_SEND), _EVERY),
    Trouble("killed-after-answer", Kill(Point.AFTER_ANSWER), _EVERY),
    Trouble("killed-before-next-write", Kill(Point.BEFORE_NEXT_WRITE), _PROVIDER),
    Trouble("killed-arrives-late", Kill(Point.ARRIVES_LATE), _CHANGE),
    # A change that no answer comes to.
    Trouble("lost", Wire(Drop(when="before")), _CHANGE),
    Trouble("answer-lost", Wire(Drop(when="after")), _CHANGE),
    Trouble("late", Wire(Delay(when="before", seconds=PATIENCE + 10)), _CHANGE),
    Trouble("slow-answer", Wire(Delay(when="after", seconds=PATIENCE + 10)), _CHANGE),
    Trouble("500", Wire(Answer(status=500)), _CHANGE),
    Trouble("500-but-done", Wire(Answer(status=500, when="after")), _CHANGE),
    Trouble("502-html", Wire(Answer(status=502)), _CHANGE),
    Trouble("502-html-but-done", Wire(Answer(status=502, when="after")), _CHANGE),
    Trouble("truncated", Wire(Truncate()), _CHANGE),
    Trouble("without-id", Wire(Strip(fields=("id",))), _CHANGE, calls=_CREATE),
    Trouble("listing-lags", Wire(Lag(seconds=45)), _CHANGE, calls=frozenset({"create", "delete"})),
    # A change that is refused in words.
    Trouble("429", Wire(Answer(status=429)), _CHANGE),
    Trouble("429-retry-after", Wire(Answer(status=429, retry_after=40)), _CHANGE),
    Trouble("401", Wire(Answer(status=401)), _CHANGE),
    Trouble("401-for-a-while", Wire(Answer(status=401), count=3), _PROVIDER),
    Trouble("no-stock", Wire(_SOLD_OUT), _CHANGE, calls=frozenset({"create", "start"}), provider="novita"),
    Trouble("no-stock", Wire(_OUT_OF_STOCK), _CHANGE, calls=_CREATE, provider="hostwinds"),
    Trouble("error-item", Wire(Answer(status=200)), _CHANGE, provider="hostwinds"),
    # A read that fails for good: the client repeats it three times.
    Trouble("500", Wire(Answer(status=500), count=4), _LOOK),
    Trouble("502-html", Wire(Answer(status=502), count=4), _LOOK),
    Trouble("answer-lost", Wire(Drop(), count=4), _LOOK),
    Trouble("hangs", Wire(Hang(seconds=PATIENCE + 10), count=4), _LOOK),
    Trouble("truncated", Wire(Truncate(), count=4), _LOOK),
    Trouble("429-retry-after", Wire(Answer(status=429, retry_after=40)), _LOOK),
    Trouble("401", Wire(Answer(status=401)), _LOOK),
    Trouble("empty-page", Wire(Page(shape="empty")), _LOOK, calls=_LIST, provider="novita"),
    Trouble("short-page", Wire(Page(shape="short")), _LOOK, calls=_LIST, provider="novita"),
    Trouble("repeated-page", Wire(Page(shape="repeated")), _LOOK, calls=_LIST),
    Trouble("overlapping-page", Wire(Page(shape="overlap")), _LOOK, calls=_LIST),
    # Kubernetes.
    Trouble("conflict", Api("conflict"), _STATUS),
    Trouble("unavailable", Api("unavailable"), _WRITES | {Class.READ}),
    Trouble("answer-lost", Api("answer lost"), _WRITES),
    Trouble("event-lost", Api("event lost"), _WRITES - {Class.EVENT}),
    Trouble("stale-watch", Api("stale watch"), _WRITES - {Class.EVENT}),
    Trouble("status-wiped", Api("status wiped"), _STATUS),
    Trouble("old-schema", Api("old schema"), _STATUS),
    # The world around.
    Trouble("clock-forward", Meanwhile("clock forward"), _CHANGE | _STATUS, same_end=False),
    Trouble("clock-backward", Meanwhile("clock backward"), _CHANGE | _STATUS, same_end=False),
    Trouble("twin-bought", Meanwhile("twin bought"), _CHANGE, calls=_CREATE, same_end=False),
    Trouble("price-rises", Wire(Price(when="after", factor=Decimal(3))), _LOOK, calls=frozenset({"products"})),
    Trouble("stuck", Wire(Stick(state="pulling", seconds=300)), _CHANGE, calls=_CREATE, provider="novita"),
    Trouble("stuck", Wire(Stick(state="spawning", seconds=300)), _CHANGE, calls=_CREATE, provider="hostwinds"),
    Trouble("stopped-by-somebody", Wire(_console("stop")), _CHANGE, same_end=False),
    Trouble("ordered-by-somebody", Wire(_ORDERED), _LOOK, calls=frozenset({"check_order"}), same_end=False),
    Trouble("restarted-by-somebody", Wire(_console("restart")), _CHANGE, same_end=False),
    Trouble("deleted-by-somebody", Wire(_console("delete")), _CHANGE, same_end=False),
)


def troubles_of(boundary: Boundary, provider: str) -> Mapping[str, Trouble]:
    """Return what can happen to this call, by name."""
    return {it.name: it for it in _TROUBLES if it.can_meet(boundary, provider)}
