"""The command line: arguments in, exit code out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TextIO, TypeVar

from pydantic import ValidationError

from gpuinstance import __version__
from gpuinstance.api.base import ApiModel
from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade import InstanceUpgrade
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.cli import orphans
from gpuinstance.cli.abandon import abandon
from gpuinstance.cli.cluster import Cluster, Exit, Object, Trouble
from gpuinstance.cli.listing import open_upgrades, show_table, summary, write_json, write_names
from gpuinstance.cli.screen import Screen, Style, Text
from gpuinstance.cli.why import show_why
from gpuinstance.cli.why_upgrade import show_why_upgrade

_UPGRADES = frozenset({"iup", "instanceupgrade", "instanceupgrades"})
"""What kubectl takes for the kind before the slash."""

AnyKind = TypeVar("AnyKind", bound=ApiModel)

_EXIT_CODES = f"""\
exit codes:
  {Exit.OK:d}  the question was answered, whatever the answer; or what was asked is done
  {Exit.FAILED:d}  the cluster could not be asked, or refused
  {Exit.USAGE:d}  the arguments are not valid
  {Exit.NOT_FOUND:d}  the named object does not exist
  {Exit.NOT_CONFIRMED:d}  the name was not typed: nothing was changed
"""

_EXAMPLES = """\
examples:
  kubectl gpu list -A -o wide        all instances of the cluster
  kubectl gpu why trainer            why is it not Ready, and what to do?
  kubectl gpu why iup/bigger         how far is the upgrade, and what does it wait for?
  kubectl gpu orphans -A             which machines are billed without an object?
  kubectl gpu abandon trainer        let it go without its machine, which may be billed on
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command of `kubectl-gpu` and return its exit code; see --help."""
    try:
        code = run(sys.argv[1:] if argv is None else argv, sys.stdout, sys.stderr, os.environ, stdin=sys.stdin)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except KeyboardInterrupt:
        return 130
    return code


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
    arguments = _parser().parse_args(argv)
    if arguments.command == "version":
        out.write(f"kubectl-gpu {__version__}\n")
        return Exit.OK
    try:
        cluster = Cluster(kubeconfig=arguments.kubeconfig, context=arguments.context)
        try:
            if arguments.command == "abandon":
                _abandon(cluster, arguments, Screen.of(err, env), out, stdin)
            else:
                answer = _ANSWERS[arguments.command]
                answer(cluster, arguments, Screen.of(out, env), out, err, now())
        finally:
            cluster.close()
    except Trouble as trouble:
        Screen.of(err, env).line(Text("error: ", Style.BAD), str(trouble))
        return trouble.code
    return Exit.OK


def _list(
    cluster: Cluster, arguments: argparse.Namespace, screen: Screen, out: TextIO, err: TextIO, now: datetime
) -> None:
    namespace = None if arguments.all_namespaces else arguments.namespace or cluster.namespace
    instances = cluster.instances(namespace)
    if arguments.output == "json":
        write_json(instances, out)
    elif arguments.output == "name":
        write_names(instances, out)
    elif not instances:
        err.write("No instances found" + (f" in namespace {namespace}.\n" if namespace else ".\n"))
    else:
        show_table(instances, screen, now, wide=arguments.output == "wide", namespaces=namespace is None)
        if out.isatty():
            screen.line(Text(summary(instances), Style.DIM))
            with suppress(Trouble):  # whoever may not see upgrades sees instances all the same
                for line in open_upgrades(cluster.upgrades(namespace)):
                    screen.line(Text(line, Style.WAITING))


def _why(cluster: Cluster, arguments: argparse.Namespace, screen: Screen, _: TextIO, __: TextIO, now: datetime) -> None:
    if _names_upgrade(arguments.name):
        found = cluster.upgrade(arguments.namespace or cluster.namespace, arguments.name.rpartition("/")[2])
        show_why_upgrade(_understood(InstanceUpgrade, found), screen, now)
    else:
        show_why(_named(cluster, arguments), screen, now)


def _orphans(
    cluster: Cluster, arguments: argparse.Namespace, screen: Screen, out: TextIO, err: TextIO, now: datetime
) -> None:
    namespace = None if arguments.all_namespaces else arguments.namespace or cluster.namespace
    found = orphans.reports(cluster.events(namespace, Reason.ORPHANED_MACHINE))
    aside = Screen(err)
    if arguments.output == "json":
        orphans.write_json(found, out)
    elif arguments.output == "name":
        orphans.write_names(found, out)
    elif not found:
        orphans.show_none(aside, namespace)
    else:
        orphans.show_orphans(found, screen, aside, now, namespaces=namespace is None)


_ANSWERS = {"list": _list, "why": _why, "orphans": _orphans}
"""What only shows something, by command."""


def _abandon(
    cluster: Cluster, arguments: argparse.Namespace, screen: Screen, out: TextIO, stdin: TextIO | None
) -> None:
    def ask() -> str | None:
        if arguments.confirm is not None:
            return str(arguments.confirm)
        if stdin is None or not stdin.isatty():
            return None
        screen.prompt("Type the name of the instance to go on: ")
        return stdin.readline()

    out.write(abandon(cluster, _named(cluster, arguments), screen, ask) + "\n")


def _named(cluster: Cluster, arguments: argparse.Namespace) -> GPUInstance:
    """Return the instance that the arguments name. Raises Trouble."""
    if _names_upgrade(arguments.name):
        raise Trouble(f"{arguments.name} is an upgrade, and this is for instances", Exit.USAGE)
    name = arguments.name.rpartition("/")[2]
    return _understood(GPUInstance, cluster.instance(arguments.namespace or cluster.namespace, name))


def _names_upgrade(name: str) -> bool:
    return name.rpartition("/")[0].partition(".")[0].lower() in _UPGRADES


def _understood(kind: type[AnyKind], found: Object) -> AnyKind:
    """Return an object as its model. Raises Trouble."""
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        text = f"kubectl-gpu {__version__} does not understand {field} of this object: another version wrote it"
        raise Trouble(text) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kubectl gpu",
        description="GPU instances of this cluster, for people.",
        epilog=f"{_EXAMPLES}\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--kubeconfig", metavar="FILE", help="default: $KUBECONFIG, else ~/.kube/config")
    common.add_argument("--context", metavar="NAME", help="a context of the kubeconfig; default: the current one")
    common.add_argument("-n", "--namespace", metavar="NAME", help="default: that of the context")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    listing = commands.add_parser("list", parents=[common], help="show instances", description="Show instances.")
    listing.add_argument("-A", "--all-namespaces", action="store_true", help="of the whole cluster")
    listing.add_argument("-o", "--output", choices=("json", "name", "wide"), help="instead of the usual table")

    text = "Show on one screen why an instance is not Ready, or what an upgrade waits for, and what to do."
    why = commands.add_parser("why", parents=[common], help="why is it not Ready?", description=text)
    why.add_argument("name", metavar="NAME", help="name of the GPUInstance, also as gpui/NAME; or iup/NAME")

    text = "Show machines that carry this cluster's mark and belong to no GPUInstance, as the operator reported them."
    lost = commands.add_parser("orphans", parents=[common], help="show machines without an object", description=text)
    lost.add_argument("-A", "--all-namespaces", action="store_true", help="reports in the whole cluster")
    lost.add_argument("-o", "--output", choices=("json", "name"), help="instead of the usual table")

    text = (
        "Let an instance go without its machine, which stays at the provider and may be billed on: the way out where "
        "its deletion waits for what will not come. Sets deletionPolicy to Orphan and deletes the object, with your "
        "own rights, after you have typed its name."
    )
    leaving = commands.add_parser("abandon", parents=[common], help="let it go without its machine", description=text)
    leaving.add_argument("name", metavar="NAME", help="name of the GPUInstance, also as gpui/NAME")
    leaving.add_argument("--confirm", metavar="NAME", help="the same name once more, instead of typing it; for scripts")

    commands.add_parser("version", help="show the version of this command")
    return parser
