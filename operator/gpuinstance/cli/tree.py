"""An instance and all that hangs on it, as a tree: its machine, its work, its Secrets, its Service, its upgrades.

Pure: `commands.tree` looks at the cluster, and this room makes lines of what was seen. Whether an object that the
spec names is the instance's own is told by its owner reference, and said where it is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gpuinstance.cli.fields import Object, at, list_at, ready_of, text_at, time_at
from gpuinstance.cli.reading import Sight
from gpuinstance.cli.screen import Row, Style, Text, ago


@dataclass(frozen=True, slots=True)
class Node:
    """One line, and what hangs on it."""

    name: str
    """As `Kind/name`."""
    ready: str = ""
    """True, False or Unknown; empty for what cannot be ready."""
    words: str = ""
    since: datetime | None = None
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Beside:
    """What was seen in the cluster of one instance."""

    upgrades: Sequence[Object] = ()
    credentials: Sight | None = None
    secret: Sight | None = None
    service: Sight | None = None
    slices: Sequence[Object] = ()


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What lines and marks are drawn with."""

    fork: str
    last: str
    line: str
    marks: Mapping[str, str]


ROUND = Glyphs("├─ ", "└─ ", "│  ", {"True": "✔", "False": "✘", "Unknown": "?"})
PLAIN = Glyphs("|- ", "`- ", "|  ", {"True": "+", "False": "x", "Unknown": "?"})
"""For terminals and pipes that know no more than ASCII."""

_STYLES = {"True": Style.GOOD, "False": Style.WAITING, "Unknown": Style.BAD}


def node_of(instance: Object, beside: Beside, now: datetime) -> Node:
    """Return the tree of one instance."""
    ready = ready_of(instance)
    return Node(
        f"GPUInstance/{text_at(instance, 'metadata', 'name')}",
        str(ready.get("status") or ""),
        str(ready.get("reason") or "not looked at yet"),
        time_at(instance, "metadata", "creationTimestamp"),
        (
            *_machine(instance),
            *_operation(instance, now),
            *_credentials(beside.credentials),
            *_published(instance, beside),
            *_upgrades(beside.upgrades),
        ),
    )


def rows(nodes: Iterable[tuple[str, Node]], now: datetime, glyphs: Glyphs) -> Iterator[Row]:
    """Yield the lines of a table with its titles: each tree with its namespace."""
    yield [Text(title, Style.BOLD) for title in ("NAMESPACE", "NAME", "READY", "AGE", "STATUS")]
    for namespace, node in nodes:
        for drawn, it in _drawn(node, glyphs):
            mark = f"{glyphs.marks.get(it.ready, '')} {it.ready}".strip() or "-"
            style = _STYLES.get(it.ready, Style.PLAIN)
            yield namespace, drawn, Text(mark, style), ago(it.since, now), Text(it.words or "-", Style.DIM)


def glyphs_for(encoding: str | None) -> Glyphs:
    """Return what can be written in an encoding; None is a stream of text that has none."""
    try:
        "".join((ROUND.fork, ROUND.last, ROUND.line, *ROUND.marks.values())).encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return PLAIN
    return ROUND


def _drawn(node: Node, glyphs: Glyphs, before: str = "", own: str = "") -> Iterator[tuple[str, Node]]:
    yield before + own + node.name, node
    below = before + (glyphs.line if own == glyphs.fork else " " * len(own))
    for child in node.children:
        yield from _drawn(child, glyphs, below, glyphs.last if child is node.children[-1] else glyphs.fork)


def _machine(instance: Object) -> Iterator[Node]:
    machine = text_at(instance, "status", "instance", "id")
    if machine or at(instance, "status", "instance"):
        state = text_at(instance, "status", "instance", "state") or "not seen yet"
        words = f"{text_at(instance, 'spec', 'provider')}: {state}"
        checks = tuple(_endpoints(instance))
        bought = time_at(instance, "status", "createdAt")
        yield Node(f"Machine/{machine or 'of unknown id'}", "", words, bought, checks)


def _endpoints(instance: Object) -> Iterator[Node]:
    """Each port that is published or checked, with what the last check said."""
    urls = {it.get("port"): str(it.get("url")) for it in list_at(instance, "status", "endpoints")}
    checks = {it.get("port"): it for it in list_at(instance, "status", "healthCheck", "endpoints")}
    for port in sorted(urls.keys() | checks.keys(), key=str):
        check = checks.get(port)
        healthy = "" if check is None else str(bool(check.get("healthy")))
        trouble = (check.get("message") or check.get("errorType") or "") if check and not check.get("healthy") else ""
        words = ", ".join(filter(None, (urls.get(port, "not published"), trouble)))
        yield Node(f"Endpoint/{port}", healthy, words)


def _operation(instance: Object, now: datetime) -> Iterator[Node]:
    it = at(instance, "status", "operation")
    if it:
        deadline, error = time_at(it, "deadline"), text_at(it, "error", "code")
        left = f"{ago(now, deadline)} left" if deadline and deadline > now else "past its deadline"
        words = ", ".join(filter(None, (text_at(it, "phase"), error or left)))
        yield Node(f"Operation/{text_at(it, 'type')}", "", words, time_at(it, "startedAt"))


def _credentials(seen: Sight | None) -> Iterator[Node]:
    if seen is not None:
        words = "the provider's API key" if seen.found else f"the provider's API key: {seen.words}"
        yield Node(f"Secret/{seen.name}", "", words, time_at(seen.found, "metadata", "creationTimestamp"))


def _published(instance: Object, beside: Beside) -> Iterator[Node]:
    for seen, what in ((beside.secret, "connection"), (beside.service, "for pods in the cluster")):
        if seen is None:
            continue
        slices = () if seen is beside.secret else tuple(_slice(it) for it in beside.slices)
        words = f"{what}: {seen.words}" if seen.found is None else what
        if seen.found is not None and not _is_owned(seen.found, instance):
            words = f"{what}: belongs to somebody else"
        since = time_at(seen.found, "metadata", "creationTimestamp")
        yield Node(f"{seen.resource.kind}/{seen.name}", "", words, since, slices)


def _slice(it: Object) -> Node:
    addresses = [address for endpoint in list_at(it, "endpoints") for address in endpoint.get("addresses") or ()]
    name = f"EndpointSlice/{text_at(it, 'metadata', 'name')}"
    return Node(name, "", ", ".join(addresses), time_at(it, "metadata", "creationTimestamp"))


def _is_owned(found: Object, instance: Object) -> bool:
    uid = text_at(instance, "metadata", "uid")
    return any(it.get("uid") == uid for it in list_at(found, "metadata", "ownerReferences"))


def _upgrades(upgrades: Iterable[Object]) -> Iterator[Node]:
    """Those at work first, then those that wait in the order of their turn, then those that have ended."""
    waiting = 0
    for it in sorted(upgrades, key=_turn):
        ready, phase = ready_of(it), text_at(it, "status", "phase")
        words = (
            f"{phase or 'not looked at yet'}: {ready['reason']}" if ready.get("reason") not in {None, phase} else phase
        )
        if _turn(it)[0] == _WAITS:
            waiting += 1
            words = f"{words or 'not looked at yet'}, {waiting}. in the queue"
        invoice = text_at(it, "status", "order", "invoiceID")
        if invoice and not at(it, "status", "paidAt"):
            words += f", invoice {invoice}"
        created = time_at(it, "metadata", "creationTimestamp")
        yield Node(f"InstanceUpgrade/{text_at(it, 'metadata', 'name')}", str(ready.get("status") or ""), words, created)


_AT_WORK, _WAITS, _ENDED = range(3)


def _turn(upgrade: Object) -> tuple[int, str, str]:
    ended, begun = at(upgrade, "status", "outcome"), at(upgrade, "status", "acceptedAt")
    place = _ENDED if ended else _AT_WORK if begun else _WAITS
    return place, text_at(upgrade, "metadata", "creationTimestamp"), text_at(upgrade, "metadata", "name")
