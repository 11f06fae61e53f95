"""`kubectl gpu cost`: what the instances of a namespace or of the cluster cost, as far as their status tells."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from gpuinstance.api.words import ProviderName
from gpuinstance.cli.cluster import INSTANCES
from gpuinstance.cli.endings import Exit
from gpuinstance.cli.money import Billed, Cost, Total, by_namespace, cost_of, dollars, total
from gpuinstance.cli.output import write_document
from gpuinstance.cli.screen import Row, Screen, Style, Text, ago
from gpuinstance.cli.session import Command, Session, all_namespaces
from gpuinstance.core.pricing import HOURS_PER_MONTH

_STYLES = {Billed.NOTHING: Style.DIM, Billed.DISK: Style.DIM, Billed.UNKNOWN: Style.WAITING}
_BASIS = (
    f"US dollars, by the price at which each machine was bought; a month is {HOURS_PER_MONTH} hours. ACCRUED is that "
    "price for the time that SINCE names; traffic, disks above what is free, taxes and credit are not in it. The "
    "provider's invoice decides."
)
_WORDS = {
    ProviderName.NOVITA: (
        "novita bills a stopped machine for its disk only, at a price that is not known here; a monthly machine is "
        "paid ahead, used or not."
    ),
    ProviderName.HOSTWINDS: "hostwinds bills a stopped server in full, by its cycle, until it is deleted.",
}


def _configure(parser: argparse.ArgumentParser) -> None:
    all_namespaces(parser, "of the whole cluster")
    parser.add_argument("-o", "--output", choices=("json", "yaml"), help="instead of what is meant for people")
    parser.add_argument("-l", "--selector", metavar="LABELS", help="only instances with these labels, as for kubectl")


def _run(session: Session) -> Exit:
    namespace, how, now = session.namespace, session.arguments.output, session.now()
    instances = session.cluster.list(INSTANCES, namespace, labels=session.arguments.selector).items
    costs = [cost_of(it, now) for it in instances]
    if how is not None:
        write_document(document(costs), how, session.out)
    elif not costs:
        session.aside.line("No instances found" + (f" in namespace {namespace}." if namespace else "."))
    else:
        show(costs, session.screen, session.aside, now)
    return Exit.OK


def show(costs: Sequence[Cost], screen: Screen, aside: Screen, now: datetime) -> None:
    """Print one line for each instance, the sums of the namespaces, and beside them what they mean."""
    screen.table([_bold("NAMESPACE", "NAME", "PROVIDER", "PRICE/H", "PER MONTH", "ACCRUED", "SINCE", "BILLED"), *(
        (it.namespace, it.name, it.provider, dollars(it.now_hourly), dollars(it.monthly), dollars(it.accrued),
         f"{it.since}, {ago(it.began, now)}" if it.since else "-",
         Text(it.billed, _STYLES.get(it.billed, Style.PLAIN)))
        for it in costs
    )])  # fmt: skip
    screen.line()
    sums = list(by_namespace(costs).items())
    if len(sums) > 1:
        sums.append(("all", total(costs)))
    screen.table([_bold("NAMESPACE", "INSTANCES", "PRICE/H", "PER MONTH", "ACCRUED", "NOT KNOWN"), *(
        (name, str(it.instances), dollars(it.hourly), dollars(it.monthly), dollars(it.accrued), str(it.unknown))
        for name, it in sums
    )])  # fmt: skip
    aside.paragraph(_BASIS)
    for provider, words in _WORDS.items():
        if any(it.provider == provider for it in costs):
            aside.paragraph(words)


def document(costs: Sequence[Cost]) -> dict[str, Any]:
    """Return all of it for programs: amounts are texts, because a float is no money; null is not known."""
    return {
        "currency": "USD",
        "hoursPerMonth": HOURS_PER_MONTH,
        "items": [_entry(it) for it in costs],
        "namespaces": {name: _sums(it) for name, it in by_namespace(costs).items()},
        "total": _sums(total(costs)),
    }


def _entry(cost: Cost) -> dict[str, Any]:
    return {
        "namespace": cost.namespace,
        "name": cost.name,
        "provider": cost.provider,
        "billed": cost.billed.value,
        "purchaseHourlyPrice": _text(cost.hourly),
        "hourlyPrice": _text(cost.now_hourly),
        "monthlyEstimate": _text(cost.monthly),
        "accrued": _text(cost.accrued),
        "accruedBasis": cost.since.value if cost.since else None,
        "accruedFrom": cost.began.isoformat().replace("+00:00", "Z") if cost.began else None,
    }


def _sums(sums: Total) -> dict[str, Any]:
    return {
        "instances": sums.instances,
        "hourlyPrice": _text(sums.hourly),
        "monthlyEstimate": _text(sums.monthly),
        "accrued": _text(sums.accrued),
        "notKnown": sums.unknown,
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


def _bold(*titles: str) -> Row:
    return [Text(title, Style.BOLD) for title in titles]


COMMAND = Command(
    name="cost",
    help="what instances cost: per hour, per month, accrued",
    description=(
        "Show what each instance costs per hour and has cost since it was bought, or since its last start where it "
        "was down before; an estimate per month; and the sums of each namespace. Only what the status of the "
        "instances tells is counted, and what it does not tell is said."
    ),
    configure=_configure,
    run=_run,
    examples=("kubectl gpu cost", "kubectl gpu cost -A -o json"),
)
