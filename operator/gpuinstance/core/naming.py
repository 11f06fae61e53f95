"""Identity: a machine's name is derived from the object's uid, never from what a user writes.

    gpui-default-trainer-943a2f83-1
    │    │               │        └ attempt: a new number for each purchase
    │    │               └ first 8 hex digits of the uid
    │    └ namespace and name, shortened, for people
    └ mark of this cluster (a setting), so that two clusters can share an account

Names hold only letters, digits and hyphens, the characters that every provider accepts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gpuinstance.api.v1alpha1 import ObjectMeta
from gpuinstance.core.model import Machine

_STEM_LENGTH = 60
_NOT_IN_NAMES = re.compile(r"[^a-z0-9-]")


@dataclass(frozen=True, slots=True)
class Identity:
    """How the machines of one object are recognised."""

    mark: str
    stem: str
    uid8: str

    @classmethod
    def of(cls, metadata: ObjectMeta, *, mark: str) -> Identity:
        """Return the identity of an object in the cluster with this mark."""
        stem = _NOT_IN_NAMES.sub("-", f"{metadata.namespace}-{metadata.name}".lower())
        return cls(mark, stem[:_STEM_LENGTH].rstrip("-"), metadata.uid.replace("-", "")[:8])

    def name(self, attempt: int) -> str:
        """Return the machine's name for one purchase."""
        return f"{self.mark}-{self.stem}-{self.uid8}-{attempt}"

    def attempt_of(self, name: str) -> int | None:
        """Return the attempt in a name that is ours; None for every other name."""
        prefix = f"{self.mark}-{self.stem}-{self.uid8}-"
        number = name.removeprefix(prefix)
        return int(number) if name.startswith(prefix) and number.isdecimal() else None

    def is_namesake(self, name: str) -> bool:
        """True for a machine of the same namespace and name but another uid."""
        pattern = rf"{re.escape(self.mark)}-{re.escape(self.stem)}-([0-9a-f]{{8}})-[0-9]+"
        match = re.fullmatch(pattern, name)
        return match is not None and match[1] != self.uid8

    def ours(self, machines: Iterable[Machine]) -> tuple[Machine, ...]:
        """Return the machines that carry our name, newest purchase first."""
        found = [(attempt, machine) for machine in machines if (attempt := self.attempt_of(machine.name)) is not None]
        return tuple(machine for _, machine in sorted(found, key=lambda pair: (-pair[0], pair[1].id)))
