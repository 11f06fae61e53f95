"""A person's word before something is lost or paid: typed at a terminal, or given by --yes. Used by the commands."""

from __future__ import annotations

import argparse

from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.cli.session import Session


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Add --yes."""
    parser.add_argument("--yes", action="store_true", help="do not ask; needed where no terminal is there to ask")


def confirm(session: Session, word: str) -> None:
    """Have `word` typed, unless --yes was given. Raises Trouble: nothing was changed.

    What comes through a pipe was typed by nobody.
    """
    if session.arguments.yes:
        return
    person = session.person
    if person is None:
        raise Trouble("not confirmed, nothing was changed: add --yes", Exit.NOT_CONFIRMED)
    session.aside.prompt(f"Type {word} to go on: ")
    typed = person.readline().strip()
    if typed != word:
        raise Trouble(f'"{typed}" is not "{word}": nothing was changed', Exit.NOT_CONFIRMED)
