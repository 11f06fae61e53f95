"""Identity: a machine's name is derived from the object's uid, never from what a user writes.

    gpui-default-trainer-943a2f83-1
    │    │               │        └ attempt: a new number for each purchase
    │    │               └ first 8 hex digits of the uid
    │    └ namespace and name, for people
    └ mark of this cluster (a setting), so that two clusters can share an account

Names hold only letters, digits and hyphens, the characters that every provider accepts. Where that would
let two objects read alike (`a/b-c` and `a-b/c`, dots, long names), a digest of namespace and name follows
them: a machine of a living object must never pass for one of another object's former life.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from zlib import crc32

from gpuinstance.api.v1alpha1 import ObjectMeta
from gpuinstance.core.model import Machine

_STEM_LENGTH = 60
_DIGEST_LENGTH = 8
_NOT_IN_NAMES = re.compile(r"[^a-z0-9-]")
_ATTEMPT = re.compile(r"[1-9][0-9]{0,8}")
_UID8 = re.compile(r"[0-9a-f]{8}")
_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Identity:
    """How the machines of one object are recognised."""

    mark: str
    stem: str
    uid8: str

    @classmethod
    def of(cls, metadata: ObjectMeta, *, mark: str) -> Identity:
        """Return the identity of an object in the cluster with this mark."""
        return cls(mark, _stem(metadata.namespace, metadata.name), uid8_of(metadata.uid))

    @property
    def spread(self) -> float:
        """A fixed share between 0 and 1, so that objects that begin together do not stay in step."""
        return crc32(self.uid8.encode()) / 2**32

    def name(self, attempt: int) -> str:
        """Return the machine's name for one purchase."""
        return f"{self.mark}-{self.stem}-{self.uid8}-{attempt}"

    @property
    def family(self) -> str:
        """What the names of this object's machines and of its namesakes have in common: all but the last two parts."""
        return f"{self.mark}-{self.stem}"

    def attempt_of(self, name: str) -> int | None:
        """Return the attempt in a name that is ours; None for every other name."""
        prefix = f"{self.mark}-{self.stem}-{self.uid8}-"
        number = name.removeprefix(prefix)
        return int(number) if name.startswith(prefix) and _ATTEMPT.fullmatch(number) else None

    def is_namesake(self, name: str) -> bool:
        """True for a machine of the same namespace and name but another uid."""
        prefix = f"{self.family}-"
        uid8, _, number = name.removeprefix(prefix).partition("-")
        # Not by a pattern: one for each object is more than Python keeps compiled, and each look would compile its own.
        is_alike = name.startswith(prefix) and _UID8.fullmatch(uid8) and _NUMBER.fullmatch(number)
        return bool(is_alike) and uid8 != self.uid8

    def ours(self, machines: Iterable[Machine]) -> tuple[Machine, ...]:
        """Return the machines that carry our name, newest purchase first."""
        found = [(attempt, machine) for machine in machines if (attempt := self.attempt_of(machine.name)) is not None]
        return tuple(machine for _, machine in sorted(found, key=lambda pair: (-pair[0], pair[1].id)))


def uid8_of(uid: str) -> str:
    """Return the part of an object's uid that is in the names of its machines."""
    return uid.replace("-", "")[:8]


def uid8_in(name: str) -> str:
    """Return what stands in a machine's name where ours hold the part of a uid; whatever it is in other names."""
    return name.rsplit("-", 2)[-2] if name.count("-") > 1 else ""


def _stem(namespace: str, name: str) -> str:
    """Return the part of a machine's name that stands for one namespace and name, and for no other."""
    exact = f"{namespace}-{name}"
    readable = _NOT_IN_NAMES.sub("-", exact.lower())
    if readable == exact and len(exact) <= _STEM_LENGTH and "-" not in namespace:
        return exact
    digest = hashlib.sha256(f"{namespace}/{name}".encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{readable[: _STEM_LENGTH - _DIGEST_LENGTH - 1].rstrip('-')}-{digest}"
