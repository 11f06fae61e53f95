"""One picture of `kubectl gpu top`: all instances, what they do, and how far they are. Pure.

The whole picture is made anew each time; `live_terminal` puts it on a screen.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gpuinstance.cli.fields import Object, at, ready_of, text_at, time_at
from gpuinstance.cli.listing import styled, summary
from gpuinstance.cli.screen import Row, Screen, Style, Text, ago

_BAR = 8
_WIDEST = 10_000
"""Nothing is wrapped: a terminal cuts what is too long for it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is shown."""

    instances: Sequence[Object]
    now: datetime
    namespaces: bool
    """True where several namespaces are shown."""
    trouble: str = ""
    """Why the instances are older than the picture."""


def lines(picture: Picture, *, colours: bool, height: int | None = None, hint: str = "") -> list[str]:
    """Return the picture as lines of text, at most `height`; what does not fit is counted in the last one."""
    out = io.StringIO()
    screen = Screen(out, colours=colours, width=_WIDEST)
    head = f"{picture.now:%H:%M:%SZ}  {summary(picture.instances)}"
    screen.line(Text(head, Style.BOLD), Text(f"   {hint}" if hint else "", Style.DIM))
    if picture.trouble:
        screen.line(Text(picture.trouble, Style.BAD))
    screen.line()
    screen.table(_rows(picture))
    found = out.getvalue().splitlines()
    if height is None or len(found) <= height:
        return found
    return [*found[: height - 1], f"... and {len(found) - height + 1} more"]


def _rows(picture: Picture) -> Iterator[Row]:
    titles = ("NAME", "PHASE", "READY", "HEALTH", "PRICE/H", "AGE", "OPERATION", "REASON")
    yield [Text(title, Style.BOLD) for title in (("NAMESPACE", *titles) if picture.namespaces else titles)]
    for it in picture.instances:
        place = [Text(text_at(it, "metadata", "namespace"))] if picture.namespaces else []
        ready = ready_of(it)
        yield [
            *place,
            Text(text_at(it, "metadata", "name")),
            styled(text_at(it, "status", "phase")),
            styled(str(ready.get("status") or "")),
            styled(text_at(it, "status", "healthCheck", "overall")),
            Text(text_at(it, "status", "instance", "hourlyPrice") or "-"),
            Text(ago(time_at(it, "metadata", "creationTimestamp"), picture.now)),
            Text(progress(it, picture.now) or "-", Style.WAITING),
            Text(str(ready.get("reason") or "-"), Style.DIM),
        ]


def progress(instance: Object, now: datetime) -> str:
    """Return what is being done and how far it is, e.g. `Create monitoring [###-----] 2m, ready in 3m`; else nothing.

    The bar is the time until the expected end where that is known, else until the deadline.
    """
    it = at(instance, "status", "operation")
    if not it:
        return ""
    started, deadline = time_at(it, "startedAt"), time_at(it, "deadline")
    expected = time_at(instance, "status", "estimatedReadyAt")
    end = expected if expected is not None and expected > now else deadline
    words = f"{text_at(it, 'type')} {text_at(it, 'phase')}"
    if started is None or end is None or end <= started:
        return words
    share = min(max((now - started) / (end - started), 0.0), 1.0)
    done = int(share * _BAR)
    if deadline is not None and deadline <= now:
        left = "past its deadline"
    else:
        left = f"ready in {ago(now, end)}" if end is expected else f"{ago(now, end)} left"
    return f"{words} [{'#' * done}{'-' * (_BAR - done)}] {ago(started, now)}, {left}"
