"""Novita's words, API v1, beside the operator's: status, spot status, billing mode, protocol, money.

Data for the rooms that parse its answers and write its requests. Compared without regard to case; a
word that is not listed is survived: a status becomes UNKNOWN, anything else is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

from gpuinstance.api.words import BillingMode, PortProtocol
from gpuinstance.core.model import MachineState, SpotState

STATES: Mapping[str, MachineState] = {
    "pending": MachineState.CREATING,  # not documented, seen on new machines
    "tocreate": MachineState.CREATING,
    "creating": MachineState.CREATING,
    "pulling": MachineState.CREATING,
    "running": MachineState.RUNNING,
    "tostart": MachineState.STARTING,
    "starting": MachineState.STARTING,
    "torestart": MachineState.STARTING,
    "restarting": MachineState.STARTING,
    "toreset": MachineState.STARTING,  # the image is being changed
    "resetting": MachineState.STARTING,
    "tostop": MachineState.STOPPING,
    "stopping": MachineState.STOPPING,
    "exited": MachineState.STOPPED,  # by a user, by the end of its process, or by a spot reclaim
    "migrating": MachineState.MIGRATING,
    "toremove": MachineState.REMOVING,
    "removing": MachineState.REMOVING,
    "removed": MachineState.REMOVED,
    "freezing": MachineState.SUSPENDED,  # cause not documented, presumably unpaid
}

SPOT_STATES: Mapping[str, SpotState] = {
    "running": SpotState.STABLE,
    "notified": SpotState.NOTIFIED,
    "reclaiming": SpotState.RECLAIMING,
    "terminated": SpotState.RECLAIMED,
}

BILLING_WORDS: Mapping[BillingMode, str] = {
    BillingMode.ON_DEMAND: "onDemand",
    BillingMode.SPOT: "spot",
    BillingMode.MONTHLY: "monthly",
}

BILLING_MODES: Mapping[str, BillingMode] = {word.lower(): mode for mode, word in BILLING_WORDS.items()}

PROTOCOLS: Mapping[str, PortProtocol] = {
    "http": PortProtocol.HTTP,
    "https": PortProtocol.HTTP,
    "tcp": PortProtocol.TCP,
}

_PRICE_UNITS_PER_USD = Decimal(100_000)
"""Prices are integers of 1/100000 USD, per GPU and hour or per GPU and term (observed: the console
shows 175000 with two GPUs as 3.50 USD an hour; the docs name no unit)."""

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+])(?P<port>:[0-9]{1,5})?")
_PATH = re.compile(r"[A-Za-z0-9._~%/-]*")


def usd(price: Decimal | None) -> Decimal | None:
    """Return a price in USD; zero means that it is not offered."""
    return price / _PRICE_UNITS_PER_USD if price else None


def billing_modes(words: Iterable[str]) -> frozenset[BillingMode]:
    """Return the billing modes among `words`."""
    return frozenset(BILLING_MODES[word.lower()] for word in words if word.lower() in BILLING_MODES)


def address(endpoint: str, protocol: PortProtocol) -> str | None:
    """Return where a port is published, in the form of `Port.address`; None where none can be read.

    Whether `endpoint` carries a scheme is not documented, so both are read. An http port without one is
    served over TLS by Novita's proxy. Credentials before the host are dropped.
    """
    scheme, found, rest = endpoint.strip().rpartition("://")
    host, slash, path = rest.partition("/")
    host = host.rpartition("@")[2]
    match = _HOST.fullmatch(host)
    if match is None:
        return None
    if protocol is PortProtocol.TCP:
        return host if match["port"] else None
    web = "http" if found and scheme.lower() == "http" else "https"
    return f"{web}://{host}" + (f"/{path}".rstrip("/") if slash and _PATH.fullmatch(path) else "")
