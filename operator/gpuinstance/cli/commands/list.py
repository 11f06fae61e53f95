"""`kubectl gpu list`: all instances of a namespace or of the cluster; with a flag, beside what providers list."""

from __future__ import annotations

import argparse
from contextlib import suppress

from gpuinstance.cli.cluster import INSTANCES
from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.cli.fields import Object, text_at
from gpuinstance.cli.inventory import counts, merge
from gpuinstance.cli.inventory_accounts import Inventory
from gpuinstance.cli.inventory_options import add_account_options, default_mark, known_instances, read_accounts
from gpuinstance.cli.inventory_rows import Row, reference
from gpuinstance.cli.inventory_table import document, names, show_machines, show_merged
from gpuinstance.cli.listing import open_upgrades, show_table, summary
from gpuinstance.cli.output import DATA, add_output, write, write_document
from gpuinstance.cli.screen import Style, Text
from gpuinstance.cli.session import Command, Session, all_namespaces

_FEW = 3
"""Names that a remark repeats."""


def _configure(parser: argparse.ArgumentParser) -> None:
    all_namespaces(parser, "of the whole cluster")
    add_output(parser, wide=True)
    parser.add_argument("-l", "--selector", metavar="LABELS", help="only instances with these labels, as for kubectl")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--all", action="store_true", help="instances merged with the machines that their providers list"
    )
    which.add_argument("--provider-only", action="store_true", help="only the machines that the providers list")
    add_account_options(parser)


def _run(session: Session) -> Exit:
    if session.arguments.all or session.arguments.provider_only:
        return _list_with_machines(session)
    namespace, how = session.namespace, session.arguments.output
    instances = _instances(session)
    if how in DATA:
        write(instances, how, session.out)
    elif not instances:
        session.aside.line("No instances found" + (f" in namespace {namespace}." if namespace else "."))
    else:
        show_table(instances, session.screen, session.now(), wide=how == "wide", namespaces=namespace is None)
        if session.out.isatty():
            session.screen.line(Text(summary(instances), Style.DIM))
            with suppress(Trouble):  # whoever may not see upgrades sees instances all the same
                for line in open_upgrades(session.cluster.upgrades(namespace)):
                    session.screen.line(Text(line, Style.WAITING))
    return Exit.OK


def _instances(session: Session) -> list[Object]:
    return session.cluster.list(INSTANCES, session.namespace, labels=session.arguments.selector).items


def _list_with_machines(session: Session) -> Exit:
    instances, only_machines = _instances(session), session.arguments.provider_only
    if only_machines and session.arguments.selector:
        raise Trouble("machines have no labels: -l goes with --all, or alone", Exit.USAGE)
    inventory = read_accounts(session, instances)
    known, all_seen = known_instances(session, instances)
    rows = merge(known, inventory.accounts, default_mark=default_mark(session.env), all_seen=all_seen)
    if only_machines:
        rows = [row for row in rows if row.machine is not None]
        _show_machines(session, rows, inventory)
        return Exit.FAILED if inventory.is_dark else Exit.OK
    _show_merged(session, _chosen(session, rows, instances), inventory)
    return Exit.OK


def _chosen(session: Session, rows: list[Row], instances: list[Object]) -> list[Row]:
    """Return the rows of the instances that are asked for, and of machines that are no instance's.

    With a selector only the former: a machine has no labels.
    """
    uids = {text_at(it, "metadata", "uid") for it in instances}
    asked = [row for row in rows if row.instance is None or text_at(row.instance, "metadata", "uid") in uids]
    if session.arguments.selector:
        return [row for row in asked if row.instance is not None]
    others = (row.instance for row in rows if row.instance is not None and row.machine is not None)
    elsewhere = [reference(it) for it in others if text_at(it, "metadata", "uid") not in uids]
    if elsewhere:
        few = ", ".join(elsewhere[:_FEW]) + (", ..." if len(elsewhere) > _FEW else "")
        words = f"{len(elsewhere)} more in these accounts belong to instances of other namespaces ({few}): see -A"
        session.aside.line(Text(words, Style.DIM))
    return asked


def _show_merged(session: Session, rows: list[Row], inventory: Inventory) -> None:
    how = session.arguments.output
    if not _wrote(session, rows, inventory):
        if rows:
            wide, everywhere = how == "wide", session.namespace is None
            show_merged(rows, session.screen, session.now(), wide=wide, namespaces=everywhere)
        _tell(session, inventory)
        session.aside.line(Text(counts(rows), Style.DIM))


def _show_machines(session: Session, rows: list[Row], inventory: Inventory) -> None:
    if not _wrote(session, rows, inventory):
        if rows:
            show_machines(rows, session.screen, session.now(), wide=session.arguments.output == "wide")
        _tell(session, inventory)
        noun = "machine" if len(rows) == 1 else "machines"
        session.aside.line(Text(f"{len(rows)} {noun}", Style.DIM))


def _wrote(session: Session, rows: list[Row], inventory: Inventory) -> bool:
    """Print the rows for programs, if that is asked for."""
    how = session.arguments.output
    if how not in DATA:
        return False
    _tell(session, inventory)
    if how == "name":
        session.out.writelines(f"{name}\n" for name in names(rows))
    else:
        write_document(document(rows, inventory.notes), how, session.out)
    return True


def _tell(session: Session, inventory: Inventory) -> None:
    for note in inventory.notes:
        session.aside.line(Text(note, Style.WAITING))
    if not inventory.accounts and not inventory.notes:
        session.aside.line("No Secret with an API key was found: no provider was asked.")


COMMAND = Command(
    name="list",
    help="show instances; --all beside what the providers list",
    description=(
        "Show instances. With --all also the machines that the providers list, merged with the instances: each row "
        "says who knows about it and whether both say the same; where they differ, the provider's word is shown. The "
        "providers are asked with the API keys in the Secrets that the instances name, read with your own rights; "
        "nothing is changed anywhere."
    ),
    configure=_configure,
    run=_run,
    examples=(
        "kubectl gpu list -A -o wide",
        "kubectl gpu list -l app=train",
        "kubectl gpu list --all",
        "kubectl gpu list --provider-only --credentials novita=gpu-system/novita-credentials",
    ),
)
