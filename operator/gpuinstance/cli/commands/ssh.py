"""`kubectl gpu ssh`: into the machine, by what the connection Secret says. ssh itself takes over from here."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
from http import HTTPStatus

from gpuinstance.cli.access import arguments, not_there, secret_name, way_in
from gpuinstance.cli.cluster import SECRETS
from gpuinstance.cli.endings import ClusterTrouble, Exit, Trouble
from gpuinstance.cli.named import named_instance
from gpuinstance.cli.screen import Style, Text
from gpuinstance.cli.session import Command, Session


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s NAME [options] [-- COMMAND ...]"
    parser.add_argument("name", metavar="NAME", help="name of the GPUInstance, also as gpui/NAME")
    parser.add_argument("--print", action="store_true", help="print the command instead of running it")
    parser.add_argument(
        "--show-password", action="store_true", help="show the password of the machine, if it has one, beside it"
    )


def _run(session: Session) -> Exit:
    instance = named_instance(session, session.arguments.name)
    name = secret_name(instance)
    try:
        secret = session.cluster.get(SECRETS, instance.metadata.namespace, name)
    except ClusterTrouble as trouble:
        if trouble.status == HTTPStatus.NOT_FOUND:
            raise not_there(instance, name) from trouble
        raise
    way = way_in(instance, secret)
    command = arguments(way.ssh, session.arguments.behind)
    if session.arguments.show_password:
        session.aside.line("password: ", way.password or Text("none is published", Style.DIM))
    elif way.password and session.person is not None and not session.arguments.print:
        session.aside.line(Text("The machine has a password: --show-password shows it.", Style.DIM))
    if session.arguments.print:
        session.out.write(shlex.join(command) + "\n")
        return Exit.OK
    return _become(session, command)


def _become(session: Session, command: list[str]) -> Exit:
    """Let ssh take the place of this process: its terminal, its signals and its exit code are the user's own."""
    program = shutil.which(command[0], path=session.env.get("PATH"))
    if program is None:
        raise Trouble("there is no ssh on this computer's PATH; --print shows the command")
    session.out.flush()
    session.err.flush()
    os.execve(program, command, dict(session.env))  # noqa: S606 - no shell on purpose: each part is one argument


COMMAND = Command(
    name="ssh",
    help="log in to the machine, or run a command there",
    description=(
        "Log in to the machine of an instance by SSH, or run the command there that follows --. Where and as whom is "
        "read from the Secret that spec.connection publishes, with your own rights; ssh is started with your own keys "
        "and settings. The host keys of providers change when machines do: ssh asks you about them as ever."
    ),
    configure=_configure,
    run=_run,
    examples=(
        "kubectl gpu ssh trainer",
        "kubectl gpu ssh trainer -- nvidia-smi -L",
        "kubectl gpu ssh trainer --print",
    ),
    words_behind=True,
)
