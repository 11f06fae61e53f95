"""Where the machine differs from what it should be: the difference itself, fit to be shown.

Two questions, two answers. For a machine that is kept as the spec says, what did *somebody else* change
since (drift)? For one that is only observed, where does it differ *from the spec*? Values of environment
variables are never part of it: the provider does not show them, and they may be secret.

Every status that is written carries the answer: see `conditions.write`.
"""

from __future__ import annotations

from collections.abc import Iterable

from gpuinstance.api.status import Difference
from gpuinstance.api.words import DriftPolicy, Management, OperationPhase, PowerState
from gpuinstance.core.desired import (
    format_ports,
    other_hardware,
    parse_ports,
    published_ports,
    shown_ports,
    wanted_ports,
)
from gpuinstance.core.images import same_image
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.snapshot import Blind, Snapshot


def describe(differences: Iterable[Difference]) -> str:
    """Return differences in words."""
    return "; ".join(f"{it.field} is {it.found}, not {it.wanted}" for it in differences)


def told(s: Snapshot) -> list[Difference] | None:
    """Return what the status says about differences after this look; what was last found where none can be seen.

    None: there are none, or they are nobody's business by `spec.drift`.
    """
    machine, before = s.machine, s.status.differences
    if isinstance(s.view, Blind):
        return before
    if machine is None or s.deleting:
        return None
    if s.spec.managed is Management.OBSERVE:
        return before if s.is_being_upgraded else from_spec(s) or None
    if s.spec.drift is DriftPolicy.OBSERVE or _is_at_work(s):
        return None
    return (drift(s) or None) if _can_be_told(s, machine) else before


def drift(s: Snapshot) -> list[Difference]:
    """Return what somebody changed at the provider since the operator last brought the spec about.

    A picture from before our own last change settled is no evidence, and a machine that runs what it was
    seen to run when that change ended has not been changed, however the provider writes it.
    """
    machine = s.machine
    if machine is None or _is_at_work(s) or not _can_be_told(s, machine):
        return []
    return [*_missing_ports(s, machine), *_another_image(s, machine)]


def _is_at_work(s: Snapshot) -> bool:
    """True while the operator itself changes the machine; a refused operation changes nothing."""
    is_working = s.operation is not None and s.operation.phase is not OperationPhase.FAILED
    return is_working or s.is_being_upgraded


def _can_be_told(s: Snapshot, machine: Machine) -> bool:
    last = s.status.last_operation
    ended = last.phases.completed_at if last is not None else None
    return machine.state is MachineState.RUNNING and (ended is None or s.settled_since(ended))


def _missing_ports(s: Snapshot, machine: Machine) -> list[Difference]:
    """Only missing ports count: a provider may publish ports of its own beside ours."""
    wanted = published_ports(s.status.applied)
    if not s.limits.publishes_ports or wanted is None:
        return []
    shown = {(p.number, p.protocol) for p in machine.ports}
    ours = [(p.number, p.protocol) for p in parse_ports(wanted)]
    if set(ours) <= shown:
        return []
    return [Difference(field="ports", wanted=wanted or "none", found=format_ports(set(ours) & shown) or "none")]


def _another_image(s: Snapshot, machine: Machine) -> list[Difference]:
    before = s.status.instance.image if s.status.instance is not None else None
    if not before or not machine.image or same_image(before, machine.image):
        return []
    return [Difference(field="image", wanted=before, found=machine.image)]


def from_spec(s: Snapshot) -> list[Difference]:
    """Return where a machine that the operator does not keep differs from what the spec would make of it."""
    machine, spec, recorded = s.machine, s.spec, s.status.instance
    if machine is None:
        return []
    if recorded is not None and recorded.upgraded_by is not None:
        # An InstanceUpgrade has made of it what it should be, whatever the spec says.
        return [*_another_power(s, machine), *_missing_ports(s, machine), *_another_image(s, machine)]
    hardware = [Difference(field=it, wanted=wanted, found=found) for it, wanted, found in other_hardware(spec, machine)]
    found = [*_another_power(s, machine), *hardware]
    if spec.image is not None and machine.image and not same_image(machine.image, spec.image):
        found.append(Difference(field="image", wanted=spec.image, found=machine.image))
    ports = wanted_ports(spec) if s.limits.publishes_ports else None
    if ports is not None and ports != shown_ports(machine):
        found.append(Difference(field="ports", wanted=ports or "none", found=shown_ports(machine) or "none"))
    size = spec.rootfs_size_gb
    if size is not None and machine.rootfs_gb is not None and machine.rootfs_gb < size:
        found.append(Difference(field="rootfsSizeGB", wanted=str(size), found=str(machine.rootfs_gb)))
    return found


def _another_power(s: Snapshot, machine: Machine) -> list[Difference]:
    shown = {MachineState.RUNNING: PowerState.RUNNING, MachineState.STOPPED: PowerState.STOPPED}.get(machine.state)
    if shown is None or shown is s.spec.power_state:
        return []
    return [Difference(field="powerState", wanted=s.spec.power_state, found=shown)]
