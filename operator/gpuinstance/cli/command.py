"""The command line: arguments in, exit code out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TextIO

from pydantic import ValidationError

from gpuinstance import __version__
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.cli.cluster import Cluster, Exit, Trouble
from gpuinstance.cli.listing import show_table, summary, write_json, write_names
from gpuinstance.cli.screen import Screen, Style, Text
from gpuinstance.cli.why import show_why

_EXIT_CODES = f"""\
exit codes:
  {Exit.OK:d}  the question was answered, whatever the answer
  {Exit.FAILED:d}  the cluster could not be asked, or refused
  {Exit.USAGE:d}  the arguments are not valid
  {Exit.NOT_FOUND:d}  the named instance does not exist
"""

_EXAMPLES = """\
examples:
  kubectl gpu list -A -o wide        all instances of the cluster
  kubectl gpu why trainer            why is it not Ready, and what to do?
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command of `kubectl-gpu` and return its exit code; see --help."""
    try:
        code = run(sys.argv[1:] if argv is None else argv, sys.stdout, sys.stderr, os.environ)
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
) -> int:
    """Carry out one command. Raises SystemExit for --help and arguments that are not valid."""
    arguments = _parser().parse_args(argv)
    if arguments.command == "version":
        out.write(f"kubectl-gpu {__version__}\n")
        return Exit.OK
    try:
        cluster = Cluster(kubeconfig=arguments.kubeconfig, context=arguments.context)
        try:
            answer = _list if arguments.command == "list" else _why
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


def _why(cluster: Cluster, arguments: argparse.Namespace, screen: Screen, _: TextIO, __: TextIO, now: datetime) -> None:
    name = arguments.name.rpartition("/")[2]
    found = cluster.instance(arguments.namespace or cluster.namespace, name)
    try:
        instance = GPUInstance.model_validate(found)
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        text = f"kubectl-gpu {__version__} does not understand {field} of this object: another version wrote it"
        raise Trouble(text) from error
    show_why(instance, screen, now)


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

    text = "Show on one screen why an instance is not Ready, and what to do."
    why = commands.add_parser("why", parents=[common], help="why is it not Ready?", description=text)
    why.add_argument("name", metavar="NAME", help="name of the GPUInstance, also as gpui/NAME")

    commands.add_parser("version", help="show the version of this command")
    return parser
