"""`kubectl gpu wait`: until objects are as named, or cannot become so any more."""

from __future__ import annotations

import argparse

from gpuinstance.cli.cluster import INSTANCES, UPGRADES, Resource
from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.cli.following import Key
from gpuinstance.cli.goals import Absence, Goal, parse, words
from gpuinstance.cli.named import Reference, kind_of
from gpuinstance.cli.output import add_output
from gpuinstance.cli.patience import add_timeout, allowed_seconds, wait_and_tell
from gpuinstance.cli.session import Command, Session, all_namespaces
from gpuinstance.cli.waiting import Wait


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="names of GPUInstances, or iup/NAME; with -l and --all: gpui or iup"
    )
    parser.add_argument("-l", "--selector", metavar="LABELS", help="all that match now, e.g. app=train")
    parser.add_argument("--all", action="store_true", help="all that exist now")
    all_namespaces(parser, "with -l and --all: of the whole cluster")
    parser.add_argument(
        "--for",
        dest="goal",
        metavar="GOAL",
        action="append",
        required=True,
        help="a phase such as Ready, Running, Stopped or Completed; Exists, Settled, Deleted; outcome=WORD; "
        "condition=TYPE[=STATUS]; several with commas between: any of them",
    )
    add_timeout(parser, "60s")
    parser.add_argument(
        "--past-actions",
        action="store_true",
        help="wait on where an upgrade waits for somebody to pay or to confirm, instead of returning at once",
    )
    add_output(parser)


def _run(session: Session) -> Exit:
    arguments = session.arguments
    resource, names = _named(session)
    if len(arguments.goal) > 1:
        raise Trouble("--for can be given once; goals with commas between mean any of them", Exit.USAGE)
    goals = parse(arguments.goal[0], resource)
    keys = _keys(session, resource, names)
    if not keys:
        return _none(session, goals)
    aims = dict.fromkeys(keys, goals)
    what = Wait(resource, aims, allowed_seconds(session), past_actions=arguments.past_actions)
    return wait_and_tell(session, what, arguments.output)


def _named(session: Session) -> tuple[Resource, tuple[str, ...]]:
    """Return the kind and the names that are meant. Raises Trouble."""
    arguments = session.arguments
    if arguments.selector or arguments.all:
        kinds = [kind_of(name) for name in arguments.names]
        if len(kinds) > 1 or None in kinds:
            raise Trouble("with -l or --all only a kind can be named: gpui or iup", Exit.USAGE)
        return kinds[0] or INSTANCES if kinds else INSTANCES, ()
    references = [Reference.of(name) for name in arguments.names]
    resources = {reference.resource for reference in references}
    if len(resources) != 1:
        words = (
            "instances and upgrades are waited for by two commands"
            if resources
            else "what to wait for? NAME, -l or --all"
        )
        raise Trouble(words, Exit.USAGE)
    if arguments.all_namespaces:
        raise Trouble("-A goes with -l or --all", Exit.USAGE)
    return references[0].resource, tuple(dict.fromkeys(reference.name for reference in references))


def _keys(session: Session, resource: Resource, names: tuple[str, ...]) -> tuple[Key, ...]:
    if names:
        return tuple((session.namespace_or_current, name) for name in names)
    found = session.cluster.list(resource, session.namespace, labels=session.arguments.selector).items
    return tuple((it["metadata"]["namespace"], it["metadata"]["name"]) for it in found)


def _none(session: Session, goals: tuple[Goal, ...]) -> Exit:
    """Nothing matches: that is what some goals want, and no others."""
    if any(goal.absence is Absence.REACHED for goal in goals):
        session.aside.line("nothing matches, so nothing is left to wait for")
        return Exit.OK
    raise Trouble("nothing matches", Exit.NOT_FOUND)


def _list(resource: Resource) -> str:
    return ", ".join(word for word in words(resource) if "=" not in word)


COMMAND = Command(
    name="wait",
    help="until Ready, Stopped, Completed, ...; at once if it cannot be",
    description=(
        "Wait until objects are as --for says, all of them at the same time. Returns at once, with an exit code of "
        "its own, when the first of them cannot get there any more unless somebody acts: it has stopped, exited, "
        "failed, stalled or was suspended, waits for a payment, or is being deleted. A status that is about an older "
        f"spec is not believed. Goals of instances: {_list(INSTANCES)}. Goals of upgrades: {_list(UPGRADES)}. A phase "
        "on the way is also reached by what comes after it."
    ),
    configure=_configure,
    run=_run,
    examples=(
        "kubectl gpu wait trainer --for Ready --timeout 20m",
        "kubectl gpu wait trainer --for Stopped,Exited",
        "kubectl gpu wait -l app=train --for Ready --timeout 1h",
        "kubectl gpu wait iup/bigger --for AwaitingPayment,Completed",
        "kubectl gpu wait iup/bigger --for Completed --past-actions --timeout 24h",
        "kubectl gpu wait trainer --for condition=Synced=False",
    ),
)
