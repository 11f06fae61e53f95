"""How the comprehensive listing looks: tables for people, documents for programs. Called by `list`.

Of a machine that both know, its provider's word is shown; no key and nothing out of a Secret is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gpuinstance.cli.fields import at, ready_of, text_at, time_at
from gpuinstance.cli.inventory_rows import Row, Verdict, reference
from gpuinstance.cli.output import name_of
from gpuinstance.cli.screen import Screen, Style, Text, ago, printable

_STYLES: Mapping[Verdict, Style] = {
    Verdict.CONSISTENT: Style.GOOD,
    Verdict.DIFFERS: Style.WAITING,
    Verdict.MISSING: Style.BAD,
    Verdict.SURPLUS: Style.WAITING,
    Verdict.WITHOUT_RESOURCE: Style.BAD,
    Verdict.NOT_COMPARED: Style.WAITING,
}


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    value: Callable[[Row, datetime], str]
    wide: bool = False
    coloured: bool = False


def _resource(*keys: str) -> Callable[[Row, datetime], str]:
    return lambda row, _: text_at(row.instance, *keys)


def _state(row: Row, _: datetime) -> str:
    return row.machine.word if row.machine else text_at(row.instance, "status", "instance", "state")


def _product(row: Row, _: datetime) -> str:
    shown = row.machine.product_name or row.machine.product_id if row.machine else ""
    return shown or text_at(row.instance, "status", "instance", "productName")


def _gpus(row: Row, _: datetime) -> str:
    shown = row.machine.gpu_count if row.machine else None
    return str(shown) if shown is not None else text_at(row.instance, "spec", "gpuCount")


def _region(row: Row, _: datetime) -> str:
    return (row.machine.region if row.machine else "") or text_at(row.instance, "status", "instance", "region")


def _machine_id(row: Row, _: datetime) -> str:
    return row.machine.id if row.machine else text_at(row.instance, "status", "instance", "id")


def _machine_name(row: Row, _: datetime) -> str:
    return row.machine.name if row.machine else text_at(row.instance, "status", "instance", "name")


def _age(row: Row, now: datetime) -> str:
    created = row.machine.created_at if row.machine else time_at(row.instance, "status", "createdAt")
    return ago(created, now)


def _belongs_to(row: Row, _: datetime) -> str:
    return reference(row.instance) if row.instance else row.consistency


_MERGED = (
    _Column("NAME", _resource("metadata", "name")),
    _Column("SOURCE", lambda row, _: row.source),
    _Column("PHASE", _resource("status", "phase")),
    _Column("READY", lambda row, _: str(ready_of(row.instance or {}).get("status") or "")),
    _Column("STATE", _state),
    _Column("PRODUCT", _product),
    _Column("GPUS", _gpus),
    _Column("PRICE/H", _resource("status", "instance", "hourlyPrice")),
    _Column("PROVIDER", lambda row, _: row.provider),
    _Column("MACHINE", _machine_id),
    _Column("AGE", _age, wide=True),
    _Column("REGION", _region, wide=True),
    _Column("SECRET", lambda row, _: ", ".join(row.secrets), wide=True),
    _Column("MACHINE NAME", _machine_name),
    _Column("CONSISTENCY", lambda row, _: row.consistency, coloured=True),
)
_NAMESPACE = _Column("NAMESPACE", _resource("metadata", "namespace"))

_INVENTORY = (
    _Column("MACHINE", _machine_id),
    _Column("PROVIDER", lambda row, _: row.provider),
    _Column("STATE", _state),
    _Column("PRODUCT", _product),
    _Column("GPUS", _gpus),
    _Column("BILLING", lambda row, _: str(row.machine.billing_mode or "") if row.machine else ""),
    _Column("REGION", _region),
    _Column("AGE", _age),
    _Column("SECRET", lambda row, _: ", ".join(row.secrets), wide=True),
    _Column("IMAGE", lambda row, _: row.machine.image if row.machine else "", wide=True),
    _Column("BELONGS TO", _belongs_to),
    _Column("NAME", _machine_name),
)


def show_merged(rows: Sequence[Row], screen: Screen, now: datetime, *, wide: bool, namespaces: bool) -> None:
    """Print resources and machines side by side."""
    _show((_NAMESPACE, *_MERGED) if namespaces else _MERGED, rows, screen, now, wide=wide)


def show_machines(rows: Sequence[Row], screen: Screen, now: datetime, *, wide: bool) -> None:
    """Print machines alone, each with whom it belongs to."""
    _show(_INVENTORY, rows, screen, now, wide=wide)


def document(rows: Iterable[Row], notes: Iterable[str]) -> dict[str, Any]:
    """Return all rows for programs; `notRead` says in words what is not in them."""
    return {"items": [_entry(row) for row in rows], "notRead": list(notes)}


def names(rows: Iterable[Row]) -> list[str]:
    """Return what names each row: a resource as kubectl does, a machine as `novita/5f1c`."""
    return [_name(row) for row in rows]


def _name(row: Row) -> str:
    if row.instance is not None:
        return name_of(row.instance)
    return printable(f"{row.provider}/{row.machine.id if row.machine is not None else ''}")


def _entry(row: Row) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "source": row.source.value,
        "consistency": row.verdict.value,
        "provider": row.provider,
        "differences": [
            {"field": it.field, "resource": it.resource, "provider": it.provider} for it in row.differences
        ],
    }
    if row.instance is not None:
        entry["resource"] = {
            "namespace": text_at(row.instance, "metadata", "namespace"),
            "name": text_at(row.instance, "metadata", "name"),
            "phase": at(row.instance, "status", "phase"),
            "ready": ready_of(row.instance).get("status"),
            "hourlyPrice": at(row.instance, "status", "instance", "hourlyPrice"),
            "machine": at(row.instance, "status", "instance", "id"),
        }
    if row.machine is not None:
        it = row.machine
        entry["machine"] = {
            "id": it.id,
            "name": it.name,
            "state": it.word,
            "product": it.product_name or it.product_id,
            "gpuCount": it.gpu_count,
            "billingMode": it.billing_mode.value if it.billing_mode else None,
            "region": it.region,
            "image": it.image,
            "createdAt": it.created_at.isoformat().replace("+00:00", "Z") if it.created_at else None,
            "secrets": list(row.secrets),
        }
    return entry


def _show(columns: Sequence[_Column], rows: Sequence[Row], screen: Screen, now: datetime, *, wide: bool) -> None:
    shown = [column for column in columns if wide or not column.wide]
    lines = [[Text(column.title, Style.BOLD) for column in shown]]
    screen.table(lines + [[_cell(column, row, now) for column in shown] for row in rows])


def _cell(column: _Column, row: Row, now: datetime) -> Text:
    text = column.value(row, now) or "-"
    style = _STYLES.get(row.verdict, Style.DIM) if column.coloured else Style.PLAIN
    return Text(text, style)
