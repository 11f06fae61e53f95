"""Faults as data: which calls are hit, and by what.

A fault is one JSON object:

    {
      "id":        "lost-create",     optional; given if missing
      "operation": "create",          a wire operation of `lifecycle.Operation`, or "*"
      "machine":   "79485daa470d8d6d",  optional: only calls about this machine
      "name":      "trainer-*",       optional: only calls about machines whose name matches this glob
      "page":      2,                 optional: only this page of a listing
      "nth":       1,                 the first matching call that is hit, counted from 1
      "count":     1,                 how many matching calls in a row are hit; null: all from there on
      "seconds":   null,              virtual seconds after which the fault is over; null: never
      "effect":    {"kind": "drop", "when": "after"}      see `effects`
    }

Faults are independent of each other: each counts its own matching calls, and one call may be hit by
several, in the order in which they were added. The table is pure; time is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gpuinstance_simulator.effects import Effect
from gpuinstance_simulator.lifecycle import Operation


@dataclass(frozen=True, slots=True)
class Call:
    """What is known about an API call before it is accepted."""

    operation: Operation
    machine_id: str = ""
    machine_name: str = ""
    """The name of the machine that the call is about; of a create call the wanted one."""
    page: int | None = None
    """Counted from 1."""


class Fault(BaseModel):
    """One fault, as described above."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = ""
    operation: Operation | Literal["*"] = "*"
    machine: str | None = None
    name: str | None = None
    page: int | None = Field(default=None, ge=1)
    nth: int = Field(default=1, ge=1)
    count: int | None = Field(default=1, ge=1)
    seconds: float | None = Field(default=None, ge=0)
    effect: Effect

    def matches(self, call: Call) -> bool:
        """Whether a call is of the kind that this fault counts."""
        return (
            self.operation in ("*", call.operation)
            and self.machine in (None, call.machine_id)
            and (self.name is None or fnmatchcase(call.machine_name, self.name))
            and self.page in (None, call.page)
        )


@dataclass(slots=True)
class Planted:
    """A fault in the table, and what has come of it."""

    fault: Fault
    until: float | None
    """Virtual time of its end."""
    seen: int = 0
    """Matching calls so far."""
    hits: int = 0
    """Those that it struck."""

    def take(self, call: Call, now: float) -> bool:
        """Count the call if it matches; True if the fault strikes it."""
        if (self.until is not None and now >= self.until) or not self.fault.matches(call):
            return False
        self.seen += 1
        count = self.fault.count
        if self.seen < self.fault.nth or (count is not None and self.seen >= self.fault.nth + count):
            return False
        self.hits += 1
        return True


class FaultTable:
    """All planted faults."""

    def __init__(self) -> None:
        self._planted: dict[str, Planted] = {}
        self._number = 0

    def add(self, fault: Fault, now: float = 0.0) -> Planted:
        """Plant a fault; one with the same id is replaced. `now` matters for `seconds` only."""
        self._number += 1
        if not fault.id:
            fault = fault.model_copy(update={"id": f"fault-{self._number}"})
        until = None if fault.seconds is None else now + fault.seconds
        planted = self._planted[fault.id] = Planted(fault, until)
        return planted

    def remove(self, fault_id: str | None = None) -> int:
        """Remove one fault, or all; returns how many there were."""
        ids = list(self._planted) if fault_id is None else [fault_id]
        return sum(self._planted.pop(it, None) is not None for it in ids)

    def take(self, call: Call, now: float) -> list[Planted]:
        """The faults that strike this call. Each call must be shown to the table exactly once."""
        return [planted for planted in self._planted.values() if planted.take(call, now)]

    def planted(self) -> list[Planted]:
        """Everything in the table, with its counts."""
        return list(self._planted.values())
