"""`kubectl gpu list`: instances in a table like that of `kubectl get`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gpuinstance.api.words import Phase
from gpuinstance.cli.fields import Object, at, list_at, ready_of, time_at
from gpuinstance.cli.screen import Screen, Style, Text, span

_MISSING = "-"

_STYLES: Mapping[str, Style] = {
    Phase.READY: Style.GOOD,
    Phase.FAILED: Style.BAD,
    Phase.EXITED: Style.BAD,
    Phase.STOPPED: Style.DIM,
    Phase.SUSPENDED: Style.DIM,
    Phase.TERMINATED: Style.DIM,
    "True": Style.GOOD,
    "False": Style.WAITING,
    "Unknown": Style.BAD,
    "Healthy": Style.GOOD,
    "Partial": Style.WAITING,
    "Unhealthy": Style.BAD,
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table."""

    title: str
    value: Callable[[Object, datetime], object]
    wide: bool = False
    coloured: bool = False


def _path(*keys: str) -> Callable[[Object, datetime], object]:
    return lambda it, _: at(it, *keys)


def _ready(field: str) -> Callable[[Object, datetime], object]:
    return lambda it, _: ready_of(it).get(field)


def _age(it: Object, now: datetime) -> object:
    created = time_at(it, "metadata", "creationTimestamp")
    return span(now - created) if created is not None else None


def _first_url(it: Object, _: datetime) -> object:
    endpoints = list_at(it, "status", "endpoints")
    return endpoints[0].get("url") if endpoints else None


COLUMNS: tuple[Column, ...] = (
    Column("NAME", _path("metadata", "name")),
    Column("PHASE", _path("status", "phase"), coloured=True),
    Column("READY", _ready("status"), coloured=True),
    Column("HEALTH", _path("status", "healthCheck", "overall"), coloured=True),
    Column("PRODUCT", _path("status", "instance", "productName")),
    Column("GPUS", _path("spec", "gpuCount")),
    Column("PRICE/H", _path("status", "instance", "hourlyPrice")),
    Column("AGE", _age),
    Column("REGION", _path("status", "instance", "region"), wide=True),
    Column("INSTANCE", _path("status", "instance", "id"), wide=True),
    Column("PROVIDER", _path("spec", "provider"), wide=True),
    Column("ENDPOINT", _first_url, wide=True),
    Column("REASON", _ready("reason"), wide=True),
)
"""Those of the custom resource, so that this table and that of `kubectl get` look alike."""

_NAMESPACE = Column("NAMESPACE", _path("metadata", "namespace"))


def show_table(instances: Sequence[Object], screen: Screen, now: datetime, *, wide: bool, namespaces: bool) -> None:
    """Print one line for each."""
    columns = [column for column in COLUMNS if wide or not column.wide]
    if namespaces:
        columns = [_NAMESPACE, *columns]
    rows = [[Text(column.title, Style.BOLD) for column in columns]]
    rows += [[_cell(column, instance, now) for column in columns] for instance in instances]
    screen.table(rows)


def summary(instances: Sequence[Object]) -> str:
    """Return one line about all of them, e.g. `3 instances, 1 ready, $1.75/h`."""
    ready = sum(ready_of(it).get("status") == "True" for it in instances)
    billed = (
        it for it in instances if at(it, "status", "phase") not in (Phase.STOPPED, Phase.EXITED, Phase.TERMINATED)
    )
    price = sum((Decimal(str(at(it, "status", "instance", "hourlyPrice") or 0)) for it in billed), Decimal())
    noun = "instance" if len(instances) == 1 else "instances"
    return f"{len(instances)} {noun}, {ready} ready" + (f", ${price.normalize():f}/h" if price else "")


def open_upgrades(upgrades: Iterable[Object]) -> Iterator[str]:
    """Yield one line about each upgrade that has not ended, e.g. `iup/bigger of web: AwaitingPayment, invoice 416`."""
    for it in upgrades:
        if at(it, "status", "outcome") is None:
            invoice, total = at(it, "status", "order", "invoiceID"), at(it, "status", "order", "total")
            money = f", invoice {invoice}" + (f" of {total} USD" if total else "") if invoice else ""
            name, of = at(it, "metadata", "name"), at(it, "spec", "instanceRef", "name")
            yield f"iup/{name} of {of}: {at(it, 'status', 'phase') or 'not looked at yet'}{money}"


def styled(text: str) -> Text:
    """Return a word of a status in its colour, `-` for none."""
    return Text(text, _STYLES.get(text, Style.WAITING)) if text else Text(_MISSING)


def _cell(column: Column, instance: Object, now: datetime) -> Text:
    value = column.value(instance, now)
    text = "" if value is None else str(value)
    return styled(text) if column.coloured else Text(text or _MISSING)
