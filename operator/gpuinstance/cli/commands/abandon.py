"""`kubectl gpu abandon`: let an object go without its machine, once its name was typed."""

from __future__ import annotations

import argparse

from gpuinstance.cli.abandon import abandon
from gpuinstance.cli.endings import Exit
from gpuinstance.cli.named import named_instance
from gpuinstance.cli.session import Command, Session


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the GPUInstance, also as gpui/NAME")
    parser.add_argument("--confirm", metavar="NAME", help="the same name once more, instead of typing it; for scripts")


def _run(session: Session) -> Exit:
    screen = session.aside

    def ask() -> str | None:
        if session.arguments.confirm is not None:
            return str(session.arguments.confirm)
        person = session.person
        if person is None:
            return None
        screen.prompt("Type the name of the instance to go on: ")
        return person.readline()

    session.out.write(abandon(session.cluster, named_instance(session, session.arguments.name), screen, ask) + "\n")
    return Exit.OK


COMMAND = Command(
    name="abandon",
    help="let it go without its machine, which may be billed on",
    description=(
        "Let an instance go without its machine, which stays at the provider and may be billed on: the way out where "
        "its deletion waits for what will not come. Sets deletionPolicy to Orphan and deletes the object, with your "
        "own rights, after you have typed its name."
    ),
    configure=_configure,
    run=_run,
    examples=("kubectl gpu abandon trainer",),
)
