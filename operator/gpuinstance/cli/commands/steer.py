"""`kubectl gpu confirm-payment | confirm | cancel`: a person's part in an upgrade."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

from gpuinstance.api.upgrade import InstanceUpgrade
from gpuinstance.cli.asking import add_yes
from gpuinstance.cli.cluster import UPGRADES
from gpuinstance.cli.connection import Object
from gpuinstance.cli.endings import Exit, Trouble
from gpuinstance.cli.named import Reference, understood
from gpuinstance.cli.output import add_output, name_of, write
from gpuinstance.cli.screen import Style, Text
from gpuinstance.cli.session import Command, Session
from gpuinstance.cli.steering import Step, cancel, confirm_payment, confirm_sizes, describe_invoice
from gpuinstance.cli.writing import add_dry_run, change, is_rehearsal, warn_about_git

Decide = Callable[[Session, InstanceUpgrade], Step]


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("upgrade", metavar="UPGRADE", help="name of the InstanceUpgrade, also as iup/NAME")
    add_dry_run(parser)
    add_output(parser)


def _configure_payment(parser: argparse.ArgumentParser) -> None:
    _configure(parser)
    parser.add_argument(
        "--invoice", metavar="NUMBER", help="the invoice that was paid; needed where nobody can be asked"
    )
    add_yes(parser)


def _run(session: Session, decide: Decide) -> Exit:
    reference = Reference.of(session.arguments.upgrade, default=UPGRADES)
    if not reference.names_upgrade:
        raise Trouble(f"{session.arguments.upgrade} is an instance, and this is for upgrades", Exit.USAGE)
    namespace, steps = session.namespace_or_current, list[Step]()

    def decide_now(found: Object) -> Object | None:
        steps.append(decide(session, understood(InstanceUpgrade, found)))
        return steps[-1].changes

    it = change(session, lambda: session.cluster.upgrade(namespace, reference.name), decide_now, resource=UPGRADES)
    if steps[-1].changes is not None:
        warn_about_git(session, it)
    if session.arguments.output is not None:
        write([it], session.arguments.output, session.out, single=True)
    else:
        rehearsed = " (server dry run)" if is_rehearsal(session) else ""
        session.screen.line(Text(name_of(it), Style.BOLD), f" {steps[-1].words}{rehearsed}")
    return Exit.OK


def _payment(session: Session, upgrade: InstanceUpgrade) -> Step:
    """Say what is paid, and have the number of the invoice typed, unless it was given."""
    step = confirm_payment(upgrade, session.arguments.invoice)
    if step.changes is None or session.arguments.yes or is_rehearsal(session):
        return step
    session.aside.line(f"iup/{upgrade.metadata.name} is applied once {describe_invoice(upgrade)} is paid.")
    if session.person is None:
        if session.arguments.invoice is None:
            raise Trouble("not confirmed, nothing was changed: add --invoice NUMBER", Exit.NOT_CONFIRMED)
        return step
    order = upgrade.status.order
    session.aside.prompt("If you have paid it, type the number of the invoice: ")
    typed = session.person.readline().strip()
    if order is None or typed != order.invoice_id:
        raise Trouble(f'"{typed}" is not the number of the invoice: nothing was changed', Exit.NOT_CONFIRMED)
    session.arguments.yes = True  # once is enough, also if the operator writes in between
    return step


def _command(name: str, text: str, description: str, decide: Decide, *examples: str) -> Command:
    configure = _configure_payment if decide is _payment else _configure
    return Command(name, text, description, configure, partial(_run, decide=decide), examples)


COMMANDS = (
    _command(
        "confirm-payment",
        "say that the invoice of an upgrade is paid",
        "Say that the invoice of an upgrade is paid (spec.payment.confirmedInvoiceID), on which the change is applied. "
        "Shows the invoice and its total; at a terminal its number has to be typed.",
        _payment,
        "kubectl gpu confirm-payment bigger",
        "kubectl gpu confirm-payment bigger --invoice 416",
    ),
    _command(
        "confirm",
        "keep the new sizes of an upgrade",
        "Keep the new sizes (spec.confirm), whatever the health checks say.",
        lambda _, upgrade: confirm_sizes(upgrade),
        "kubectl gpu confirm bigger",
    ),
    _command(
        "cancel",
        "do not go on with an upgrade",
        "Do not go on with an upgrade (spec.cancel). Possible until its payment is known; nothing at the provider is "
        "undone by it, and an invoice stays open.",
        lambda _, upgrade: cancel(upgrade),
        "kubectl gpu cancel bigger",
    ),
)
