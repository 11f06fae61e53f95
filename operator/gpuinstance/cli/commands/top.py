"""`kubectl gpu top`: all instances at a glance, drawn anew every few seconds until you leave."""

from __future__ import annotations

import argparse
from typing import TextIO

from gpuinstance.cli.cluster import INSTANCES
from gpuinstance.cli.durations import duration
from gpuinstance.cli.endings import ClusterTrouble, Exit
from gpuinstance.cli.fields import Object
from gpuinstance.cli.live import Picture, lines
from gpuinstance.cli.live_terminal import CAN_DRAW, LiveTerminal
from gpuinstance.cli.screen import wants_colours
from gpuinstance.cli.session import Command, Session, all_namespaces

_SHORTEST = 0.2
_PATIENCE = 5.0
"""Seconds that a list may take before the old picture is shown again; the keyboard waits for as long."""


def _configure(parser: argparse.ArgumentParser) -> None:
    all_namespaces(parser, "of the whole cluster")
    text = "pause between two pictures, such as 500ms or 10s; default 2s"
    parser.add_argument("--interval", metavar="DURATION", type=duration, default=2.0, help=text)
    parser.add_argument("-l", "--selector", metavar="LABELS", help="only instances with these labels, as for kubectl")


def _run(session: Session) -> Exit:
    person = session.person
    if person is None or not session.out.isatty() or not CAN_DRAW:
        picture = Picture(_instances(session), session.now(), session.namespace is None)
        session.out.writelines(f"{line}\n" for line in lines(picture, colours=False))
        return Exit.OK
    return _live(session, person)


def _live(session: Session, person: TextIO) -> Exit:
    """Draw until q or Ctrl-C. A cluster that does not answer is said, beside what was last known."""
    interval = max(session.arguments.interval, _SHORTEST)
    hint = f"every {interval:g} s, q ends"
    instances = _instances(session)  # before anything is drawn: trouble here ends the command as any other
    trouble, colours = "", wants_colours(session.out, session.env)
    with LiveTerminal(session.out, person) as terminal:
        try:
            while True:
                picture = Picture(instances, session.now(), session.namespace is None, trouble)
                terminal.draw(lines(picture, colours=colours, height=terminal.height, hint=hint))
                if terminal.key(interval) in {"q", "Q"}:
                    return Exit.OK
                try:
                    instances, trouble = _instances(session), ""
                except ClusterTrouble as error:
                    trouble = f"not up to date: {error}"
        except KeyboardInterrupt:
            return Exit.OK


def _instances(session: Session) -> list[Object]:
    labels = session.arguments.selector
    return session.cluster.list(INSTANCES, session.namespace, labels=labels, patience=_PATIENCE).items


COMMAND = Command(
    name="top",
    help="all instances, live",
    description=(
        "Show phase, readiness, health, price and age of all instances, and how far the operation in flight is, drawn "
        "anew every few seconds; q or Ctrl-C ends it. Without a terminal one picture is printed."
    ),
    configure=_configure,
    run=_run,
    examples=("kubectl gpu top -A", "kubectl gpu top --interval 10s"),
)
