"""Which machines are billed without belonging to any object, and which of them may be removed.

Pure. `sweeping` gives it what the provider lists and, read after that, what the cluster holds: in this order
an object that has just bought its machine can never look as if it did not exist.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gpuinstance.core.model import Machine, MachineState

_MOST_SUSPICIOUS_SHARE = 0.5
"""If more of our machines than this seem to be orphans, the cluster was likely read wrongly, or is another one."""

_FEW = 3
"""So few orphans are removed whatever their share is: a small account may have nothing else."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A machine that seems to belong to nobody, and since when."""

    machine: Machine
    first_seen_at: datetime
    times: int


def without_object(
    machines: Iterable[Machine], *, mark: str, uids: Collection[str], recorded: Collection[str]
) -> list[Machine]:
    """Return the machines that carry our mark and no living object's uid.

    `uids` are those of all objects of the cluster, `recorded` the machine ids that they name, as their own or as
    one to adopt. A machine with another mark, or whose name is not one of ours, is never among them.
    """
    pattern = re.compile(rf"{re.escape(mark)}-.+-([0-9a-f]{{8}})-[1-9][0-9]{{0,8}}")
    known = {uid.replace("-", "")[:8] for uid in uids}
    found = []
    for machine in machines:
        match = pattern.fullmatch(machine.name)
        exists = not machine.state.is_gone and machine.state is not MachineState.REMOVING
        if match is not None and match[1] not in known and machine.id not in recorded and exists:
            found.append(machine)
    return found


def note(before: Mapping[str, Sighting], found: Iterable[Machine], now: datetime) -> dict[str, Sighting]:
    """Return the sightings after a sweep, by machine id; what is not seen any more is forgotten."""
    sightings = {}
    for machine in found:
        old = before.get(machine.id)
        first = old.first_seen_at if old is not None else now
        sightings[machine.id] = Sighting(machine, first, old.times + 1 if old is not None else 1)
    return sightings


def confirmed(sightings: Mapping[str, Sighting], now: datetime, *, after: timedelta) -> list[Machine]:
    """Return the orphans: seen in at least two sweeps, over at least so long a time; oldest first."""
    sure = [it for it in sightings.values() if it.times > 1 and now - it.first_seen_at >= after]
    return [it.machine for it in sorted(sure, key=lambda it: (it.first_seen_at, it.machine.id))]


def removable(orphans: list[Machine], *, ours: int, most: int) -> list[Machine]:
    """Return the orphans that may be removed now, at most `most`; none if too many would go.

    `ours` is the number of listed machines with our mark, orphans included.
    """
    suspicious = len(orphans) > _FEW and len(orphans) > ours * _MOST_SUSPICIOUS_SHARE
    healthy = [it for it in orphans if it.state is not MachineState.SUSPENDED]
    return [] if suspicious else healthy[:most]


def describe(sighting: Sighting, provider: str) -> str:
    """Return what is told about an orphan; `read` understands it."""
    machine, since = sighting.machine, sighting.first_seen_at.strftime(_TIME)
    return (
        f"machine {machine.id} ({machine.name}) at {provider} belongs to no GPUInstance of this cluster, seen so since "
        f"{since}, and is {machine.word}; it may be billed: delete it at the provider, or create a GPUInstance with "
        f"spec.adopt.instanceID {machine.id}"
    )


@dataclass(frozen=True, slots=True)
class Told:
    """What was told about an orphan."""

    machine_id: str
    name: str
    provider: str
    since: datetime
    state: str
    """The provider's own word."""


def read(message: str) -> Told | None:
    """Return what `describe` said; None for any other text."""
    match = _TOLD.fullmatch(message)
    if match is None:
        return None
    machine_id, name, provider, since, state = match.groups()
    return Told(machine_id, name, provider, datetime.strptime(since, _TIME).replace(tzinfo=UTC), state)


_TIME = "%Y-%m-%dT%H:%M:%SZ"
_TOLD = re.compile(
    r"machine (\S+) \((\S+)\) at (\S+) belongs to no GPUInstance of this cluster, seen so since "
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ), and is (.*?); it may be billed: .*"
)
