"""What kubelet is told: a restart only where it helps, and ready also where another one leads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from gpuinstance.health import Health

LATE, EARLY = 901.0, 60.0


@dataclass
class State:
    """Everything that the answers depend on, as one word each."""

    leads: bool = True
    holds: bool = True
    election: str | None = None
    queue: str | None = None
    missing: str | None = None
    watch_age: float = EARLY
    audit_ages: list[float | None] = field(default_factory=lambda: [EARLY, EARLY])
    missed: str | None = None

    def holds_now(self) -> bool:
        """See Leadership."""
        return self.holds


class Part:
    """Stands for leadership, queue, watches or an audit."""

    def __init__(self, **answers: Any) -> None:
        for name, answer in answers.items():
            setattr(self, name, answer if name == "leads" else lambda answer=answer: answer)


def health(state: State) -> Health:
    audits = [Part(age=age, trouble=state.missed if number else None) for number, age in enumerate(state.audit_ages)]
    return Health(
        leadership=cast(Any, Part(leads=state.leads, holds_now=state.holds, trouble=state.election)),
        queue=cast(Any, Part(trouble=state.queue)),
        watches=cast(Any, Part(age=state.watch_age, missing=state.missing)),
        audits=cast(Any, audits),
    )


UNWELL = "0 of 0 workers have died"
CASES: dict[str, tuple[State, str | None, str | None]] = {
    "all is well": (State(), None, None),
    "standing by": (State(leads=False, holds=False, queue=UNWELL, missing="x", watch_age=0), None, None),
    "standing by, and the Lease cannot be read": (
        State(leads=False, holds=False, election="the Lease cannot be used"),
        None,
        "the Lease cannot be used",
    ),
    "the lease is lost": (State(holds=False), "the lease is lost", None),
    "the queue stands still": (State(queue="no pass has ended"), "no pass has ended", "no pass has ended"),
    "the Leases of other shards cannot be listed": (State(election="they cannot"), None, "they cannot"),
    "not everything is watched yet": (State(missing="the watch has not begun"), None, "the watch has not begun"),
    "the watch is stuck": (State(watch_age=LATE), "no watch has begun for 901 s", None),
    "the API server is away": (State(watch_age=LATE, audit_ages=[LATE, None]), None, None),
    "one of the audits was answered": (
        State(watch_age=LATE, audit_ages=[None, 1]),
        "no watch has begun for 901 s",
        None,
    ),
    "a watch shows nothing": (
        State(missed="the watch has not shown 3 objects"),
        "the watch has not shown 3 objects",
        None,
    ),
}


@pytest.mark.parametrize(("state", "alive", "ready"), CASES.values(), ids=CASES)
def test_the_answers(state: State, alive: str | None, ready: str | None) -> None:
    """None is all well; words say what is not."""
    assert health(state).alive() == alive
    assert health(state).ready() == ready
