"""Which of several leaders an object belongs to: resources are divided by a hash of their names.

Pure. Used by `leading`, which says whose turn it is, and through it by whoever starts passes. The hash is of namespace
and name of an *instance*: its upgrades go with it, because both take turns at one machine, and an upgrade knows the
name of its instance and nothing else of it. Nothing here may ever change without a new name for the Leases: two
versions that divide differently would both take an object for their own.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass

MOST_SHARDS = 64
"""As many leaders as the settings allow. What a provider lets one account do is divided among them."""

_SHARD = re.compile(r"-(0|[1-9]\d{0,2})-of-([1-9]\d{0,2})")


@dataclass(frozen=True, slots=True, order=True)
class Division:
    """The part `index` of `count` equal ones; the default is everything."""

    index: int = 0
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}-of-{self.count}"

    def holds(self, namespace: str, name: str) -> bool:
        """Return whether the instance of this namespace and name is in this part."""
        return self.count == 1 or _place(namespace, name) % self.count == self.index

    def overlaps(self, other: Division) -> bool:
        """Return whether any instance could be in both parts."""
        return (self.index - other.index) % math.gcd(self.count, other.count) == 0

    def lease_name(self, family: str) -> str:
        """Return the name of its Lease; that of the undivided whole is the family's own."""
        return family if self.count == 1 else f"{family}-{self}"


def division_of(lease_name: str, family: str) -> Division | None:
    """Return whose Lease it is, by its name; None if it is none of the family's."""
    if lease_name == family:
        return Division()
    found = _SHARD.fullmatch(lease_name.removeprefix(family)) if lease_name.startswith(family) else None
    if found is None:
        return None
    index, count = map(int, found.groups())
    return Division(index, count) if index < count and count > 1 else None


def _place(namespace: str, name: str) -> int:
    # Neither part of the name can contain a slash.
    return int.from_bytes(hashlib.sha256(f"{namespace}/{name}".encode()).digest()[:8], "big")
