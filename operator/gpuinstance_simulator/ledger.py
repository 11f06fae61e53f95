"""The judge's record: every change that the cloud accepted, in order, never altered.

The cloud appends; tests and the admin API read. The client under test never sees it. An entry says
what was accepted, not what was asked for: a refused or lost request leaves no trace here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from gpuinstance_simulator.lifecycle import Actor, Operation


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted change."""

    number: int
    """1 for the first; without gaps."""
    time: float
    """Virtual seconds since the Unix epoch."""
    operation: Operation
    actor: Actor
    machine_id: str
    machine_name: str
    charge: Decimal
    """USD accrued by this machine up to this moment."""
    detail: Mapping[str, object] = field(default_factory=dict)
    """What was bought or changed; never the value of an environment variable."""

    def as_json(self) -> dict[str, object]:
        """For the admin API: money as a string with six digits."""
        return {
            "number": self.number,
            "time": self.time,
            "operation": self.operation.value,
            "actor": self.actor.value,
            "machine_id": self.machine_id,
            "machine_name": self.machine_name,
            "charge": f"{self.charge:.6f}",
            "detail": dict(self.detail),
        }


class Ledger:
    """An append-only list of entries."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def append(
        self,
        operation: Operation,
        actor: Actor,
        *,
        time: float,
        machine_id: str,
        machine_name: str,
        charge: Decimal,
        detail: Mapping[str, object] | None = None,
    ) -> Entry:
        """Record one accepted change and return its entry."""
        entry = Entry(
            number=len(self._entries) + 1,
            time=time,
            operation=operation,
            actor=actor,
            machine_id=machine_id,
            machine_name=machine_name,
            charge=charge,
            detail=detail or {},
        )
        self._entries.append(entry)
        return entry

    def select(
        self,
        *,
        operation: Operation | None = None,
        machine_id: str | None = None,
        name: str | None = None,
        actor: Actor | None = None,
    ) -> list[Entry]:
        """The entries that match everything given."""
        return [
            entry
            for entry in self._entries
            if (operation is None or entry.operation is operation)
            and (machine_id is None or entry.machine_id == machine_id)
            and (name is None or entry.machine_name == name)
            and (actor is None or entry.actor is actor)
        ]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
