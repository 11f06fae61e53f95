"""A queue in which namespaces take turns: however many of one wait, the next of another one comes soon.

Used by `postman` for what may be under way at once, and by `pacing` for the places at one host. Within a namespace
the first to come is the first to go, but for those who hold up others while they wait. Knows nothing of time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Waiting = TypeVar("Waiting")


@dataclass(slots=True)
class _Party(Generic[Waiting]):
    """Who waits of one namespace."""

    urgent: deque[Waiting] = field(default_factory=deque)
    others: deque[Waiting] = field(default_factory=deque)


class Turns(Generic[Waiting]):
    """Who waits, by namespace."""

    def __init__(self) -> None:
        self._parties: dict[str, _Party[Waiting]] = {}
        """In the order in which they are served."""

    def __bool__(self) -> bool:
        return bool(self._parties)

    def add(self, namespace: str, who: Waiting, *, urgent: bool = False) -> None:
        """Let somebody wait; `urgent` goes before all others of the same namespace."""
        party = self._parties.setdefault(namespace, _Party())
        (party.urgent if urgent else party.others).append(who)

    def take(self, may: Callable[[str], bool] = lambda _: True) -> Waiting | None:
        """Return the next one of the namespace whose turn it is, of those that `may`; None if there is none."""
        namespace = next((it for it in self._parties if may(it)), None)
        if namespace is None:
            return None
        party = self._parties.pop(namespace)
        who = (party.urgent or party.others).popleft()
        if party.urgent or party.others:
            self._parties[namespace] = party  # at the end: all others come first
        return who
