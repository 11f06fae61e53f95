"""What the client asked for: every API call, accepted or not, counted and kept for a while.

Budgets, polling at rest and obedience to Retry-After are judged from here. The ledger, in contrast,
knows only what was accepted.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from gpuinstance_simulator.lifecycle import Operation

_KEPT = 20_000


@dataclass(slots=True)
class CallRecord:
    """One API call."""

    number: int
    time: float
    """Virtual time of its arrival."""
    arrived: float
    """Real seconds since some fixed moment, for distances between calls."""
    operation: Operation
    credential: str
    """`key-1` for the first configured API key; `none` for an unknown one."""
    machine_id: str = ""
    machine_name: str = ""
    status: int | None = None
    """What was answered; None while in progress, 0 where the connection was dropped."""
    faults: list[str] = field(default_factory=list)
    """Ids of the faults that struck."""

    def as_json(self) -> dict[str, object]:
        """For the admin API."""
        return {
            "number": self.number,
            "time": self.time,
            "arrived": self.arrived,
            "operation": self.operation.value,
            "credential": self.credential,
            "machine_id": self.machine_id,
            "machine_name": self.machine_name,
            "status": self.status,
            "faults": list(self.faults),
        }


class CallLog:
    """Counts since the start (or the last reset), and the last calls in full."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Calls by operation."""
        self.by_credential: dict[str, Counter[str]] = {}
        self._records: deque[CallRecord] = deque(maxlen=_KEPT)
        self._number = 0

    def begin(self, operation: Operation, credential: str, *, time: float, arrived: float) -> CallRecord:
        """A call has arrived."""
        self._number += 1
        self.counts[operation.value] += 1
        self.by_credential.setdefault(credential, Counter())[operation.value] += 1
        record = CallRecord(self._number, time, arrived, operation, credential)
        self._records.append(record)
        return record

    def last(self, count: int) -> Sequence[CallRecord]:
        """The last so many calls, oldest first."""
        return list(self._records)[-count:] if count else []

    def reset(self) -> None:
        """Count from zero again. Numbers of calls go on."""
        self.counts.clear()
        self.by_credential.clear()
        self._records.clear()
