"""`kubectl gpu import`: manifests for machines that exist already. It writes nothing but its answer."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from gpuinstance.api.words import ProviderName
from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.cli.fields import text_at
from gpuinstance.cli.importing import Destination, manifest, name_for, refusal
from gpuinstance.cli.inventory import merge
from gpuinstance.cli.inventory_accounts import Inventory
from gpuinstance.cli.inventory_options import add_account_options, default_mark, known_instances, read_accounts
from gpuinstance.cli.inventory_rows import Row
from gpuinstance.cli.screen import Style, Text
from gpuinstance.cli.session import Command, Session


def _configure(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--id", metavar="MACHINE", action="append", help="the provider's id of a machine; can be repeated"
    )
    which.add_argument("--all", action="store_true", help="all machines that are nobody's")
    parser.add_argument("--provider", required=True, choices=[it.value for it in ProviderName], help="where they run")
    parser.add_argument("-o", "--output", choices=("yaml",), default="yaml", help="the only way, as comments are in it")
    add_account_options(parser)


def _run(session: Session) -> Exit:
    provider, namespace = ProviderName(session.arguments.provider), session.namespace_or_current
    instances = session.cluster.instances(namespace)
    inventory = read_accounts(session, instances, provider)
    for note in inventory.notes:
        session.aside.line(Text(note, Style.WAITING))
    if inventory.is_dark:
        raise Trouble(f"no account at {provider} could be read: name a Secret with --credentials")
    known, all_seen = known_instances(session, instances)
    rows = merge(known, inventory.accounts, default_mark=default_mark(session.env), all_seen=all_seen)
    listed = [row for row in rows if row.machine is not None and row.provider == provider]
    chosen = _free(session, listed) if session.arguments.all else _named(session, listed, inventory)
    taken = {text_at(it, "metadata", "name") for it in instances}
    _write(session, chosen, taken, namespace)
    return Exit.OK


def _free(session: Session, listed: Iterable[Row]) -> list[Row]:
    """Return the machines that are nobody's, and say of each other one whose it is."""
    chosen = []
    for row in listed:
        reason = refusal(row)
        if reason is None:
            chosen.append(row)
        elif row.machine is not None:
            session.aside.line(Text(f"left out: {row.machine.id} ({row.machine.name}): {reason}", Style.DIM))
    return chosen


def _named(session: Session, listed: Iterable[Row], inventory: Inventory) -> list[Row]:
    found = {row.machine.id: row for row in listed if row.machine is not None}
    for machine_id in session.arguments.id:
        if machine_id not in found:
            hint = "; not every account was read" if inventory.notes else ""
            words = f"{session.arguments.provider} lists no machine {machine_id} in these accounts{hint}"
            raise Trouble(words, Exit.NOT_FOUND)
        reason = refusal(found[machine_id])
        if reason is not None:
            raise Trouble(f"machine {machine_id} cannot be imported: {reason}", Exit.REFUSED)
    return [found[machine_id] for machine_id in dict.fromkeys(session.arguments.id)]


def _write(session: Session, rows: list[Row], taken: set[str], namespace: str) -> None:
    documents = []
    for row in rows:
        assert row.machine is not None
        name = name_for(row.machine, row.provider, taken)
        taken.add(name)
        documents.append(manifest(row, Destination(namespace, name), session.now()))
    session.out.write("---\n".join(documents))
    lines = (line for document in documents for line in document.splitlines())
    placeholders = sum("# fill in" in line and not line.lstrip().startswith("#") for line in lines)
    words = f"{len(documents)} to import; placeholders, marked `fill in`: {placeholders}"
    session.aside.line(Text(words if documents else "There is nothing to import.", Style.DIM))


COMMAND = Command(
    name="import",
    help="write manifests for machines that exist",
    description=(
        "Write a manifest for each machine that exists at the provider and is nobody's: it is adopted and only "
        "observed, until you set its management to Full. What the provider does not show is left for you to fill in, "
        "marked `fill in`. Machines that belong to a GPUInstance or to another cluster are left out, which is said. "
        "Nothing is created: look at the manifests and apply them."
    ),
    configure=_configure,
    run=_run,
    examples=(
        "kubectl gpu import --provider novita --all > machines.yaml",
        "kubectl gpu import --provider novita --id 0123456789abcdef | kubectl apply -f -",
    ),
)
