"""`kubectl gpu version`: that of this command; no cluster is asked."""

from __future__ import annotations

from gpuinstance import __version__
from gpuinstance.cli.endings import Exit
from gpuinstance.cli.session import Command, Session, no_arguments


def _run(session: Session) -> Exit:
    session.out.write(f"kubectl-gpu {__version__}\n")
    return Exit.OK


COMMAND = Command(
    name="version",
    help="show the version of this command",
    description="Show the version of this command.",
    configure=no_arguments,
    run=_run,
)
