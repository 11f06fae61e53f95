"""`kubectl gpu start | stop | restart | recreate | reinstall | regenerate-networking`: one family of commands.

Start and stop set `spec.powerState`; the others put a new token into `spec.actions`, which the operator carries out
once. What each means for an instance is decided in `verbs`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

from gpuinstance.api.upgrade import InstanceUpgrade
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.cli.asking import add_yes, confirm
from gpuinstance.cli.cluster import INSTANCES
from gpuinstance.cli.connection import Object
from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.cli.following import Key
from gpuinstance.cli.goals import Goal
from gpuinstance.cli.named import Reference, understood
from gpuinstance.cli.output import add_output, name_of, write
from gpuinstance.cli.patience import add_timeout, allowed_seconds, wait_and_tell
from gpuinstance.cli.screen import Style, Text
from gpuinstance.cli.session import Command, Session, all_namespaces
from gpuinstance.cli.verbs import Answer, Nothing, plan
from gpuinstance.cli.waiting import Wait
from gpuinstance.cli.writing import add_dry_run, change, is_rehearsal, warn_about_git


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*", help="names of GPUInstances, also as gpui/NAME")
    parser.add_argument(
        "--id", dest="machine", metavar="MACHINE", help="instead: the one with this machine of the provider"
    )
    all_namespaces(parser, "with --id: in the whole cluster")
    parser.add_argument("--wait", action="store_true", help="until it is done; at once if it cannot be")
    add_timeout(parser, "20m")
    add_yes(parser)
    add_dry_run(parser)
    add_output(parser)


def _run(session: Session, verb: str) -> Exit:
    arguments = session.arguments
    seconds = (
        allowed_seconds(session) if arguments.wait else 0
    )  # what is wrong about it is said before anything is done
    token = f"{session.now():%Y-%m-%dT%H-%M-%S.%fZ}"
    goals: dict[Key, tuple[Goal, ...]] = {}
    changed: list[Object] = []
    code = Exit.OK
    for key in _keys(session):
        try:
            it, goal = _one(session, verb, key, token)
        except Trouble as trouble:  # what is wrong with one keeps nobody from the others
            session.aside.line(Text("error: ", Style.BAD), str(trouble))
            code = code or trouble.code
        else:
            goals[key] = (goal,)
            changed.append(it)
    waits = arguments.wait and goals and not is_rehearsal(session)
    if waits:
        ended = wait_and_tell(session, Wait(INSTANCES, goals, seconds), arguments.output)
        code = code or ended
    elif arguments.output is not None and changed:
        write(changed, arguments.output, session.out, single=len(changed) == 1)
    return code


def _keys(session: Session) -> list[Key]:
    """Return which instances are meant. Raises Trouble."""
    arguments = session.arguments
    if bool(arguments.names) == bool(arguments.machine):
        raise Trouble("which instance? NAME or --id MACHINE", Exit.USAGE)
    if arguments.machine:
        return [_with_machine(session, arguments.machine)]
    if arguments.all_namespaces:
        raise Trouble("-A goes with --id", Exit.USAGE)
    references = [Reference.of(name) for name in arguments.names]
    upgrade = next((it.name for it in references if it.names_upgrade), None)
    if upgrade is not None:
        raise Trouble(f"iup/{upgrade} is an upgrade, and this is for instances", Exit.USAGE)
    return [(session.namespace_or_current, it.name) for it in dict.fromkeys(references)]


def _with_machine(session: Session, machine: str) -> Key:
    found = [
        (str(it["metadata"]["namespace"]), str(it["metadata"]["name"]))
        for it in session.cluster.instances(session.namespace)
        if ((it.get("status") or {}).get("instance") or {}).get("id") == machine
    ]
    place = f" in namespace {session.namespace}" if session.namespace else ""
    if not found:
        raise Trouble(f"no GPUInstance{place} has machine {machine}", Exit.NOT_FOUND)
    if len(found) > 1:
        names = ", ".join("/".join(key) for key in found)
        raise Trouble(f"several have machine {machine}, name one of them: {names}", Exit.USAGE)
    return found[0]


def _one(session: Session, verb: str, key: Key, token: str) -> tuple[Object, Goal]:
    """Change one instance, once somebody has confirmed what is lost; return it, and what can be waited for."""
    answers: list[Answer] = []
    confirmed: list[str] = []

    def decide(found: Object) -> Object | None:
        instance = understood(GPUInstance, found)
        answer = plan(verb, instance, _upgrades(session, instance), token)
        answers.append(answer)
        if isinstance(answer, Nothing):
            return None
        if answer.loses_data and answer.consequence not in confirmed and not is_rehearsal(session):
            session.aside.paragraph(f"{'/'.join(key)}: {answer.consequence}.")
            confirm(session, key[1])
            confirmed.append(answer.consequence)
        return answer.changes

    it = change(session, lambda: session.cluster.instance(*key), decide)
    _tell(session, it, answers[-1])
    return it, answers[-1].goal


def _tell(session: Session, it: Object, answer: Answer) -> None:
    quiet = session.arguments.output is not None
    name = name_of(it)
    if isinstance(answer, Nothing):
        (session.aside if quiet else session.screen).line(f"{name} {answer.words}")
        return
    warn_about_git(session, it)
    if quiet:
        return
    rehearsed = " (server dry run)" if is_rehearsal(session) else ""
    session.screen.line(Text(name, Style.BOLD), f": {answer.doing}{rehearsed}")
    if answer.consequence and not answer.loses_data:
        session.aside.paragraph(Text(answer.consequence, Style.DIM), indent=2)


def _upgrades(session: Session, instance: GPUInstance) -> list[InstanceUpgrade]:
    """Return the upgrades of the instance; whoever may not see them is told so, and goes on."""
    try:
        found = session.cluster.upgrades(instance.metadata.namespace)
    except Trouble as trouble:
        session.aside.line(Text("warning: ", Style.WAITING), f"whether an upgrade is under way is not known: {trouble}")
        return []
    name = instance.metadata.name
    return [understood(InstanceUpgrade, it) for it in found if it["spec"]["instanceRef"]["name"] == name]


def _command(name: str, text: str, description: str, *examples: str) -> Command:
    run: Callable[[Session], Exit] = partial(_run, verb=name)
    return Command(name, text, description, _configure, run, examples or (f"kubectl gpu {name} trainer",))


COMMANDS = (
    _command(
        "start",
        "let machines run",
        "Set spec.powerState to Running; start a machine again that went down by itself.",
        "kubectl gpu start trainer --wait",
        "kubectl gpu start --id 5f1c -A",
    ),
    _command(
        "stop",
        "let machines be down",
        "Set spec.powerState to Stopped.",
        "kubectl gpu stop trainer",
        "kubectl gpu stop $(kubectl gpu list -o name) --wait",
    ),
    _command("restart", "restart machines", "Restart machines that run, or start those that went down by themselves."),
    _command(
        "recreate",
        "replace machines; their disks are lost",
        "Replace machines by new ones, with everything on them: at Novita another is bought by the current spec, at "
        "Hostwinds the server is rebuilt in place. The name of each has to be typed.",
        "kubectl gpu recreate trainer --wait --timeout 40m",
    ),
    _command(
        "reinstall",
        "install the template anew; disks are lost",
        "Install spec.templateID on the machine, which loses everything on its disk. Hostwinds only. The name of each "
        "has to be typed.",
    ),
    _command(
        "regenerate-networking",
        "set the network up anew",
        "Set the network of machines up anew, which restarts them; they may get other addresses. Hostwinds only.",
    ),
)
