"""The command line: arguments in, exit code out.

The list of all commands is here; the parser is built from it in `grammar`, and what a command does is in its own room
under `commands/`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TextIO

from gpuinstance.cli.cluster import Cluster
from gpuinstance.cli.commands import (
    abandon,
    change,
    completion,
    cost,
    import_,
    orphans,
    ssh,
    steer,
    top,
    tree,
    upgrade,
    version,
    wait,
    why,
)
from gpuinstance.cli.commands import list as listing
from gpuinstance.cli.completing import complete
from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.cli.grammar import Grammar
from gpuinstance.cli.screen import Screen, Style, Text
from gpuinstance.cli.session import Command, Session

GROUPS: Mapping[str, tuple[Command, ...]] = {
    "Look": (
        listing.COMMAND,
        why.COMMAND,
        tree.COMMAND,
        top.COMMAND,
    ),
    "Wait": (wait.COMMAND,),
    "Change": change.COMMANDS,
    "Upgrade": (
        upgrade.COMMAND,
        *steer.COMMANDS,
    ),
    "Money": (
        cost.COMMAND,
        orphans.COMMAND,
    ),
    "Other": (
        import_.COMMAND,
        ssh.COMMAND,
        abandon.COMMAND,
        completion.COMMAND,
        version.COMMAND,
    ),
}
"""All commands, in the order and under the titles in which --help shows them."""

COMMANDS: Mapping[str, Command] = {command.name: command for group in GROUPS.values() for command in group}


COMPLETE = "__complete"
"""What shells ask: the words up to the cursor follow, and what fits is printed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command of `kubectl-gpu` and return its exit code; see --help."""
    try:
        code = run(sys.argv[1:] if argv is None else argv, sys.stdout, sys.stderr, os.environ, stdin=sys.stdin)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return code


def complete_for_kubectl() -> int:
    """Run `kubectl_complete-gpu`, which kubectl calls to complete `kubectl gpu`."""
    return main([COMPLETE, *sys.argv[1:]])


def run(
    argv: Sequence[str],
    out: TextIO,
    err: TextIO,
    env: Mapping[str, str],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    stdin: TextIO | None = None,
) -> int:
    """Carry out one command. Raises SystemExit for --help and arguments that are not valid.

    Only a terminal as `stdin` is asked anything.
    """
    if argv[:1] == [COMPLETE]:
        out.write(completion.answer(complete(argv[1:], Grammar(GROUPS), _connect)))
        return Exit.OK
    arguments = Grammar(GROUPS).read(argv)
    cluster = _connect(arguments.kubeconfig, arguments.context)
    try:
        return COMMANDS[arguments.command].run(Session(cluster, arguments, out, err, env, now, stdin))
    except Trouble as trouble:
        Screen.of(err, env).line(Text("error: ", Style.BAD), str(trouble))
        return trouble.code
    finally:
        cluster.close()


def _connect(kubeconfig: str | None, context: str | None) -> Cluster:
    return Cluster(kubeconfig=kubeconfig, context=context)
