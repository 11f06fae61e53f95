"""`kubectl gpu orphans`: machines without an object, as the operator reported them."""

from __future__ import annotations

import argparse

from gpuinstance.api.reasons import Reason
from gpuinstance.cli.endings import Exit
from gpuinstance.cli.orphans import documents, reports, show_none, show_orphans, write_names
from gpuinstance.cli.output import add_output, write_document
from gpuinstance.cli.screen import Screen
from gpuinstance.cli.session import Command, Session, all_namespaces


def _configure(parser: argparse.ArgumentParser) -> None:
    all_namespaces(parser, "reports in the whole cluster")
    add_output(parser)


def _run(session: Session) -> Exit:
    namespace, how = session.namespace, session.arguments.output
    found = reports(session.cluster.events(namespace, Reason.ORPHANED_MACHINE))
    aside = Screen(session.err)
    if how == "name":
        write_names(found, session.out)
    elif how is not None:
        write_document(documents(found), how, session.out)
    elif not found:
        show_none(aside, namespace)
    else:
        show_orphans(found, session.screen, aside, session.now(), namespaces=namespace is None)
    return Exit.OK


COMMAND = Command(
    name="orphans",
    help="show machines without an object",
    description=(
        "Show machines that carry this cluster's mark and belong to no GPUInstance, as the operator reported them."
    ),
    configure=_configure,
    run=_run,
    examples=("kubectl gpu orphans -A",),
)
