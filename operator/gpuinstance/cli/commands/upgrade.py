"""`kubectl gpu upgrade`: creates an InstanceUpgrade, one paid or disruptive change that runs once."""

from __future__ import annotations

import argparse

from gpuinstance.api.upgrade import InstanceUpgrade
from gpuinstance.cli.asking import add_yes, confirm
from gpuinstance.cli.cluster import UPGRADES
from gpuinstance.cli.connection import Object
from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.cli.goals import parse
from gpuinstance.cli.named import named_instance, understood
from gpuinstance.cli.output import add_output, name_of, write
from gpuinstance.cli.patience import add_timeout, allowed_seconds, wait_and_tell
from gpuinstance.cli.screen import Style, Text
from gpuinstance.cli.session import Command, Session
from gpuinstance.cli.upgrading import Draft, draft
from gpuinstance.cli.waiting import Wait
from gpuinstance.cli.writing import add_dry_run, is_rehearsal


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("instance", metavar="NAME", help="name of the GPUInstance, also as gpui/NAME")
    target = parser.add_argument_group("to what: exactly one of these")
    target.add_argument("--plan", metavar="PLAN", help="Hostwinds: a plan's id, or ram=MB,cpu=CORES,disk=GB")
    target.add_argument("--image", metavar="IMAGE", help="Novita: another image; the rest stays as the spec says")
    target.add_argument("--rootfs-expand", metavar="GB", type=int, help="Novita: grow the root disk by so much")
    target.add_argument("--ports", metavar="PORTS", help="Novita: publish these instead, e.g. 80/http,22/tcp")
    target.add_argument("--monthly", metavar="MONTHS", type=int, help="Novita: pay ahead from now on, for a term")
    parser.add_argument("--discard-data", action="store_true", help="with --image: the root disk is emptied")
    parser.add_argument("--max-total", metavar="USD", type=float, help="not if it costs more")
    parser.add_argument("--payment-timeout", metavar="DURATION", help="given up if not paid by then; default 72h")
    parser.add_argument("--manual-confirm", action="store_true", help="keep the new sizes only once you have confirmed")
    parser.add_argument("--hold", action="store_true", help="do not revert if it is not healthy afterwards: wait")
    parser.add_argument("--ttl", metavar="DURATION", help="remove the InstanceUpgrade so long after its end")
    parser.add_argument("--name", metavar="UPGRADE", help="name of the InstanceUpgrade; default: by instance and time")
    parser.add_argument("--wait", action="store_true", help="until it is completed; at once if somebody has to act")
    add_timeout(parser, "20m")
    add_yes(parser)
    add_dry_run(parser)
    add_output(parser)


def _run(session: Session) -> Exit:
    arguments = session.arguments
    seconds = (
        allowed_seconds(session) if arguments.wait else 0
    )  # what is wrong about it is said before anything is done
    instance = named_instance(session, arguments.instance)
    drafted = draft(instance, arguments, session.now())
    rehearse = is_rehearsal(session)
    if drafted.needs_word and not rehearse:
        session.aside.paragraph(f"{instance.metadata.name}: {drafted.consequence}.")
        confirm(session, instance.metadata.name)
    _warn_about_queue(session, instance.metadata.namespace, instance.metadata.name)
    created = session.cluster.create(UPGRADES, instance.metadata.namespace, drafted.manifest, rehearse=rehearse)
    waits = arguments.wait and not rehearse
    if arguments.output is None:
        _tell(session, created, drafted, waits=waits)
    elif not waits:
        write([created], arguments.output, session.out, single=True)
    if not waits:
        return Exit.OK
    key = (instance.metadata.namespace, str(created["metadata"]["name"]))
    what = Wait(UPGRADES, {key: parse("Completed", UPGRADES)}, seconds)
    return wait_and_tell(session, what, arguments.output)


def _warn_about_queue(session: Session, namespace: str, instance: str) -> None:
    """Say which upgrades are ahead; whoever may not see them is not told."""
    try:
        found = session.cluster.upgrades(namespace)
    except Trouble:
        return
    of_it = (it for it in found if it["spec"]["instanceRef"]["name"] == instance)
    ahead = [it for it in (understood(InstanceUpgrade, it) for it in of_it) if it.status.outcome is None]
    if ahead:
        names = ", ".join(f"iup/{it.metadata.name} ({it.status.phase or 'not looked at yet'})" for it in ahead)
        session.aside.line(Text("warning: ", Style.WAITING), f"it queues behind {names}")


def _tell(session: Session, created: Object, drafted: Draft, *, waits: bool) -> None:
    name = created["metadata"]["name"]
    rehearsed = " (server dry run)" if is_rehearsal(session) else ""
    session.screen.line(Text(name_of(created), Style.BOLD), f" created{rehearsed}")
    if is_rehearsal(session):
        return
    aside = session.aside
    if not drafted.needs_word:
        aside.paragraph(Text(f"{drafted.consequence}.", Style.DIM), indent=2)
    if waits:
        return
    steps = [f"kubectl gpu why iup/{name}"]
    if "plan" in drafted.manifest["spec"]["target"]:
        steps.append(f"kubectl gpu wait iup/{name} --for AwaitingPayment")
        steps.append(f"kubectl gpu confirm-payment {name}")
        if session.arguments.manual_confirm:
            steps.append(f"kubectl gpu confirm {name}")
    steps.append(f"kubectl gpu wait iup/{name} --for Completed --past-actions --timeout 24h")
    aside.line("next:")
    for step in steps:
        aside.line(Text(step, Style.BOLD), indent=2)


COMMAND = Command(
    name="upgrade",
    help="order another plan, or change image, disk, ports, billing",
    description=(
        "Create an InstanceUpgrade: one paid or disruptive change to the machine of an instance, which runs once. A "
        "plan is ordered, invoiced, and applied when its invoice is paid; the others take effect by one call."
    ),
    configure=_configure,
    run=_run,
    examples=(
        "kubectl gpu upgrade web --plan 403 --max-total 10",
        "kubectl gpu upgrade web --plan ram=4096,cpu=2,disk=100 --manual-confirm --name bigger",
        "kubectl gpu upgrade trainer --image docker.io/library/nginx:1.28 --wait",
        "kubectl gpu upgrade trainer --rootfs-expand 40",
    ),
)
