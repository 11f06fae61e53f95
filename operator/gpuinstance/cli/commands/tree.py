"""`kubectl gpu tree`: an instance, or all of them, with everything that hangs on it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from gpuinstance.api.connection import SECRET_SUFFIX
from gpuinstance.cli.cluster import INSTANCES, SECRETS, UPGRADES
from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.cli.fields import Object, at, text_at
from gpuinstance.cli.inventory_rows import secret_of
from gpuinstance.cli.named import Reference
from gpuinstance.cli.reading import SERVICES, SLICES, look, look_all
from gpuinstance.cli.session import Command, Session, all_namespaces
from gpuinstance.cli.tree import Beside, Node, glyphs_for, node_of, rows


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="name of the GPUInstance, also as gpui/NAME; default: all"
    )
    all_namespaces(parser, "of the whole cluster")
    parser.add_argument("-l", "--selector", metavar="LABELS", help="only instances with these labels, as for kubectl")


def _run(session: Session) -> Exit:
    instances = _instances(session)
    if not instances:
        place = f" in namespace {session.namespace}" if session.namespace else ""
        session.aside.line(f"No instances found{place}.")
        return Exit.OK
    upgrades = look_all(session.cluster, UPGRADES, session.namespace)
    nodes = list(_nodes(session, instances, upgrades))
    glyphs = glyphs_for(getattr(session.out, "encoding", None))
    session.screen.table(rows(nodes, session.now(), glyphs))
    return Exit.OK


def _instances(session: Session) -> list[Object]:
    arguments = session.arguments
    if arguments.name is None:
        return session.cluster.list(INSTANCES, session.namespace, labels=arguments.selector).items
    if arguments.all_namespaces or arguments.selector:
        raise Trouble("a name goes without -A and -l: it is one instance of one namespace", Exit.USAGE)
    reference = Reference.of(arguments.name)
    if reference.names_upgrade:
        raise Trouble(f"{arguments.name} is an upgrade: see `kubectl gpu why {arguments.name}`", Exit.USAGE)
    return [session.cluster.instance(session.namespace_or_current, reference.name)]


def _nodes(session: Session, instances: list[Object], upgrades: list[Object]) -> Iterator[tuple[str, Node]]:
    for it in instances:
        namespace, name = text_at(it, "metadata", "namespace"), text_at(it, "metadata", "name")
        own = [
            upgrade
            for upgrade in upgrades
            if text_at(upgrade, "metadata", "namespace") == namespace
            and text_at(upgrade, "spec", "instanceRef", "name") == name
        ]
        yield namespace, node_of(it, _beside(session, it, own), session.now())


def _beside(session: Session, instance: Object, upgrades: list[Object]) -> Beside:
    cluster, (namespace, credentials) = session.cluster, secret_of(instance)
    key = look(cluster, SECRETS, namespace, credentials)
    if at(instance, "spec", "connection") is None:
        return Beside(upgrades, key)
    name = text_at(instance, "metadata", "name")
    secret = text_at(instance, "spec", "connection", "secretName") or f"{name}{SECRET_SUFFIX}"
    service = text_at(instance, "spec", "connection", "serviceName") or name
    return Beside(
        upgrades,
        key,
        look(cluster, SECRETS, namespace, secret),
        look(cluster, SERVICES, namespace, service),
        look_all(cluster, SLICES, namespace, f"kubernetes.io/service-name={service}"),
    )


COMMAND = Command(
    name="tree",
    help="an instance and all that hangs on it",
    description=(
        "Show an instance with its machine and endpoints, the operation in flight, the Secret with the API key, the "
        "Secret and the Service that spec.connection publishes, and its upgrades in the order of their turn. What you "
        "may not read costs its line only; of a Secret nothing but its existence and age is looked at."
    ),
    configure=_configure,
    run=_run,
    examples=("kubectl gpu tree trainer", "kubectl gpu tree -A"),
)
