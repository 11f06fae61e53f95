"""--timeout, and what a person at a terminal sees of a wait. Used by `wait` and by every command with --wait."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from datetime import timedelta

from gpuinstance.cli.durations import duration, longest_wait, seconds_of
from gpuinstance.cli.endings import ClusterTrouble, Exit, Trouble
from gpuinstance.cli.following import Key
from gpuinstance.cli.judging import Standing, Verdict
from gpuinstance.cli.output import name_of, write
from gpuinstance.cli.screen import Style, Text, span
from gpuinstance.cli.session import Session
from gpuinstance.cli.waiting import Result, Wait, wait

LONGEST = "KUBECTL_GPU_MAX_WAIT"
"""The environment variable with the most that --timeout may ask for."""
_STILL_AFTER = 30.0
"""Seconds without a change after which a terminal is told that the wait goes on."""

_NAMED = 5

_STYLES = {Standing.REACHED: Style.GOOD, Standing.WAITING: Style.WAITING}


def add_timeout(parser: argparse.ArgumentParser, default: str) -> None:
    """Add --timeout."""
    text = f"such as 90s or 1h30m; default {default}; 0 looks once; at most ${LONGEST}, else 24h"
    parser.add_argument("--timeout", metavar="DURATION", type=duration, default=seconds_of(default), help=text)


def allowed_seconds(session: Session) -> float:
    """Return how long is waited: what --timeout asks for, and no longer than allowed. Raises Trouble."""
    wanted: float = session.arguments.timeout
    try:
        most = longest_wait(session.env.get(LONGEST))
    except ValueError as error:
        raise Trouble(f"{LONGEST}: {error}", Exit.USAGE) from error
    if wanted > most:
        session.aside.line(f"waiting for {span(timedelta(seconds=most))}, the longest that is allowed here")
    return min(wanted, most)


def wait_and_tell(session: Session, what: Wait, output: str | None) -> Exit:
    """Wait, show the progress on a terminal, say how it ended, and return the exit code. Raises Trouble."""
    told = _Progress(session, what)
    result = wait(session.cluster, what, progress=told.show, on_trouble=told.trouble)
    if output is not None:
        write(list(result.objects.values()), output, session.out, single=len(what.goals) == 1 and bool(result.objects))
    elif result.code is Exit.OK:
        for key, verdict in result.verdicts.items():
            session.screen.line(_name(what, result, key), ": ", Text(_goal(what, key), Style.GOOD), f" ({verdict.why})")
    if result.code is not Exit.OK:
        _tell_failure(session, what, result)
    return result.code


def _name(what: Wait, result: Result, key: Key) -> str:
    found = result.objects.get(key)
    return name_of(found) if found is not None else f"{what.resource.kind.lower()}/{key[1]}"


def _goal(what: Wait, key: Key) -> str:
    return ",".join(goal.text for goal in what.goals[key])


_ENDS = {
    Exit.IMPOSSIBLE: "cannot be reached unless somebody acts",
    Exit.GONE: "cannot be reached any more",
    Exit.TIMED_OUT: "was not reached in time",
}


def _tell_failure(session: Session, what: Wait, result: Result) -> None:
    """Say which objects are to blame, and why."""
    for key in result.undecided():
        verdict = result.verdicts[key]
        if result.code is Exit.TIMED_OUT or verdict.standing is not Standing.WAITING:
            words = f"{'/'.join(key)}: {_goal(what, key)} {_ENDS[result.code]}: {verdict.why}"
            session.aside.line(Text("error: ", Style.BAD), words)


class _Progress:
    """Says on a terminal what changes, and now and then that nothing does; elsewhere nothing."""

    def __init__(self, session: Session, what: Wait) -> None:
        self._screen = session.aside if session.err.isatty() else None
        self._begun = time.monotonic()
        self._end = self._begun + what.seconds
        self._said: dict[Key, str] = {}
        self._last = self._begun

    def show(self, verdicts: Mapping[Key, Verdict]) -> None:
        """Print what is new."""
        if self._screen is None:
            return
        for key, verdict in verdicts.items():
            if self._said.get(key) != verdict.why:
                self._said[key] = verdict.why
                style = _STYLES.get(verdict.standing, Style.BAD)
                self._line(Text(key[1], Style.BOLD), " ", Text(verdict.why, style))
        if time.monotonic() - self._last >= _STILL_AFTER:
            waiting = [key[1] for key, verdict in verdicts.items() if verdict.standing is Standing.WAITING]
            more = f" and {len(waiting) - _NAMED} more" if len(waiting) > _NAMED else ""
            self._line(Text(f"still waiting for {', '.join(waiting[:_NAMED])}{more}; {self._left()} left", Style.DIM))

    def trouble(self, trouble: ClusterTrouble) -> None:
        """Print that the connection is lost for now."""
        if self._screen is not None:
            self._line(Text(f"{trouble}; trying again, {self._left()} left", Style.BAD))

    def _line(self, *pieces: Text | str) -> None:
        if self._screen is not None:
            self._last = time.monotonic()
            self._screen.line(f"{span(timedelta(seconds=self._last - self._begun)):>6}  ", *pieces)

    def _left(self) -> str:
        return span(timedelta(seconds=self._end - time.monotonic()))
