"""The words of this room: about whom is told, what, and to whom."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gpuinstance.api.notifications import Notification


@dataclass(frozen=True, slots=True)
class Subject:
    """The object that is told about."""

    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One notification for one destination."""

    id: str
    body: bytes
    """The JSON text, the same in each delivery."""


@dataclass(frozen=True, slots=True)
class Mailing:
    """All that waits for one destination, in order."""

    destination: Notification
    letters: tuple[Letter, ...]
    gone: str | None = None
    """Fingerprint of the destination as it was when it answered that it is gone."""


class SecretUnreadable(Exception):
    """A Secret could not be read for now; that says nothing about whether it exists."""


ReadSecret = Callable[[str, str, str], Awaitable[str | None]]
"""Returns one value of a Secret by namespace, name and key, None if there is none. Raises SecretUnreadable."""
