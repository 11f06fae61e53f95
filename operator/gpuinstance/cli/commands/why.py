"""`kubectl gpu why`: one screen about one instance or one upgrade."""

from __future__ import annotations

import argparse

from gpuinstance.cli.endings import Exit
from gpuinstance.cli.named import Reference, named_instance, named_upgrade
from gpuinstance.cli.session import Command, Session
from gpuinstance.cli.why import show_why
from gpuinstance.cli.why_upgrade import show_why_upgrade


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the GPUInstance, also as gpui/NAME; or iup/NAME")


def _run(session: Session) -> Exit:
    name = session.arguments.name
    if Reference.of(name).names_upgrade:
        show_why_upgrade(named_upgrade(session, name), session.screen, session.now())
    else:
        show_why(named_instance(session, name), session.screen, session.now())
    return Exit.OK


COMMAND = Command(
    name="why",
    help="why is it not Ready, and what to do?",
    description="Show on one screen why an instance is not Ready, or what an upgrade waits for, and what to do.",
    configure=_configure,
    run=_run,
    examples=("kubectl gpu why trainer", "kubectl gpu why iup/bigger"),
)
