"""`kubectl gpu orphans`: machines that carry the cluster's mark and belong to no object, as the operator reported them.

The command asks no provider and needs no key: what it knows are the operator's Events of the last hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO

from gpuinstance.cli.connection import Object
from gpuinstance.cli.screen import Screen, Style, Text, ago, printable
from gpuinstance.core.orphans import Told, read

_WHAT_TO_DO = (
    "Each may be billed. Delete it at the provider; or take it over by a new GPUInstance whose spec.adopt.instanceID "
    "is the machine's id, which changes nothing before its management is Full. With GPUINSTANCE_ORPHAN_DELETION the "
    "operator removes such machines by itself."
)
_HOW_OLD = (
    "Reports are at most as old as the operator's last sweep, every five minutes unless set otherwise; a machine is "
    "reported once it was seen without an object for a while, and stays listed for an hour after it is gone."
)


@dataclass(frozen=True, slots=True)
class Report:
    """The latest Event about one orphan."""

    told: Told
    namespace: str
    secret: str
    """The Secret with the key of the account; it is in that namespace."""
    at: datetime


def reports(events: Iterable[Object]) -> list[Report]:
    """Return the latest report about each machine, the newest first; what is no report is left out."""
    latest: dict[tuple[str, str], Report] = {}
    for event in events:
        told, moment = read(event.get("message") or ""), event.get("lastTimestamp") or event.get("eventTime")
        if told is None or moment is None:
            continue
        about = event.get("involvedObject") or {}
        at = datetime.fromisoformat(moment)
        report = Report(told, event["metadata"]["namespace"], about.get("name") or "", at)
        before = latest.get((told.provider, told.machine_id))
        if before is None or before.at < at:
            latest[told.provider, told.machine_id] = report
    return sorted(latest.values(), key=lambda it: (it.at, it.told.machine_id), reverse=True)


def show_orphans(found: Sequence[Report], screen: Screen, aside: Screen, now: datetime, *, namespaces: bool) -> None:
    """Print one line for each, and beside the table what to do; a pipe gets the table alone."""
    titles = ["MACHINE", "PROVIDER", "STATE", "SINCE", "REPORTED", "SECRET", "NAME"]
    rows = [[Text(title, Style.BOLD) for title in (["NAMESPACE", *titles] if namespaces else titles)]]
    for it in found:
        told = it.told
        since, reported = ago(told.since, now), ago(it.at, now)
        cells = [told.machine_id, told.provider, told.state, since, reported, it.secret, told.name]
        rows.append([Text(cell) for cell in ([it.namespace, *cells] if namespaces else cells)])
    screen.table(rows)
    aside.paragraph(_WHAT_TO_DO)
    aside.paragraph(_HOW_OLD)


def show_none(aside: Screen, namespace: str | None) -> None:
    """Say that nothing was reported, and what that means."""
    place = f" in namespace {namespace}" if namespace else ""
    aside.line(f"No orphans reported{place}.")
    aside.paragraph(_HOW_OLD)


def documents(found: Iterable[Report]) -> dict[str, list[dict[str, str]]]:
    """Return all of them for programs."""
    items = [
        {
            "machine": it.told.machine_id,
            "name": it.told.name,
            "provider": it.told.provider,
            "state": it.told.state,
            "since": it.told.since.isoformat().replace("+00:00", "Z"),
            "reportedAt": it.at.isoformat().replace("+00:00", "Z"),
            "namespace": it.namespace,
            "secret": it.secret,
        }
        for it in found
    ]
    return {"items": items}


def write_names(found: Iterable[Report], out: TextIO) -> None:
    """Print the machines' ids, one a line."""
    out.writelines(f"{printable(it.told.machine_id)}\n" for it in found)
