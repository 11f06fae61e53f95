"""How a run of the campaign is called: `scenario/create#1/answer-lost`.

The middle part is the boundary: the n-th call of a kind since trouble began. A call to the provider is named
by the simulator's word for it, one to Kubernetes by what it does. The classes say which troubles a call can meet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs

from gpuinstance_simulator.hostwinds.actions import ACTIONS, UNKNOWN
from gpuinstance_simulator.lifecycle import Operation

_NOVITA_PATHS = {
    "/gpu/instances": Operation.LIST,
    "/gpu/instance": Operation.GET,
    "/gpu/instance/transToMonthlyInstance": Operation.CHANGE_CYCLE,
    "/clusters": Operation.CLUSTERS,
    "/products": Operation.PRODUCTS,
    "/template": Operation.TEMPLATE,
    "/templates": Operation.TEMPLATES,
    "/repository/auths": Operation.REGISTRY_AUTHS,
    "/networkstorages/list": Operation.NETWORK_STORAGES,
}
_NOVITA_VERB = re.compile(r"/gpu/instance/(\w+)$")
_LOOKS = frozenset(
    {
        Operation.LIST,
        Operation.GET,
        Operation.PRODUCTS,
        Operation.CLUSTERS,
        Operation.TEMPLATE,
        Operation.TEMPLATES,
        Operation.REGISTRY_AUTHS,
        Operation.NETWORK_STORAGES,
        Operation.CHECK,
        Operation.IDS,
        Operation.ADDRESSES,
        Operation.MAINTENANCE,
        Operation.CYCLE_PRICES,
        Operation.CHECK_ORDER,
        Operation.CHECK_REBOOT,
        Operation.UNKNOWN,
    }
)


class Class(StrEnum):
    """Kinds of calls that can go wrong in the same ways."""

    CHANGE = "a change at the provider"
    LOOK = "a read from the provider"
    STATUS = "a write of a status"
    FINALIZER = "kopf's write of the finalizer"
    READ = "a read from Kubernetes"
    EVENT = "a write of an Event"

    @property
    def is_write(self) -> bool:
        """Whether something is written to Kubernetes."""
        return self in {Class.STATUS, Class.FINALIZER, Class.EVENT}

    @property
    def is_provider(self) -> bool:
        """Whether it goes to the provider."""
        return self in {Class.CHANGE, Class.LOOK}


_OF_KUBERNETES = {
    "status": Class.STATUS,
    "upgrade-status": Class.STATUS,
    "finalizer": Class.FINALIZER,
    "release": Class.FINALIZER,
    "upgrade-release": Class.FINALIZER,
    "upgrade-finalizer": Class.FINALIZER,
    "read": Class.READ,
    "event": Class.EVENT,
}


@dataclass(frozen=True, slots=True, order=True)
class Boundary:
    """The n-th call of a kind."""

    call: str
    number: int = 1

    @classmethod
    def parse(cls, text: str) -> Boundary:
        """Read `create#1`. Raises ValueError."""
        call, _, number = text.partition("#")
        return cls(call, int(number))

    def __str__(self) -> str:
        return f"{self.call}#{self.number}"

    @property
    def kind(self) -> Class:
        """Which troubles it can meet."""
        if (known := _OF_KUBERNETES.get(self.call)) is not None:
            return known
        return Class.LOOK if Operation(self.call) in _LOOKS else Class.CHANGE


@dataclass(frozen=True, slots=True, order=True)
class Run:
    """One life with one trouble."""

    tier: str
    """`virtual` or `real`."""
    scenario: str
    boundary: str
    trouble: str

    @classmethod
    def parse(cls, name: str) -> Run:
        """Read `virtual/create/create#1/answer-lost`. Raises ValueError."""
        parts = name.strip().split("/")
        if len(parts) != 4 or parts[0] not in {"virtual", "real"}:
            raise ValueError(f"{name!r} is not TIER/SCENARIO/BOUNDARY/TROUBLE")
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.tier}/{self.scenario}/{self.boundary}/{self.trouble}"


def provider_call(method: str, path: str, body: bytes) -> Operation:
    """Return which call of its provider's API a request is."""
    if path.endswith("/api.php"):
        action = parse_qs(body.decode(errors="replace")).get("action", [""])[-1]
        return ACTIONS.get(action, UNKNOWN).operation
    tail = path.partition("/openapi/v1")[2]
    if tail in _NOVITA_PATHS:
        return _NOVITA_PATHS[tail]
    found = _NOVITA_VERB.match(tail)
    return Operation(found[1]) if method == "POST" and found is not None else Operation.UNKNOWN


def chosen(trail: list[Boundary]) -> list[Boundary]:
    """Return which of the boundaries of a reference run are tried: all changes and writes; of reads, which are
    many and alike, the first and the last of each kind.
    """
    last = {it.call: it.number for it in trail}
    few = {Class.LOOK, Class.READ}
    return [it for it in trail if it.kind not in few or it.number in {1, last[it.call]}]
