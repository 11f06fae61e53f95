"""Rules about a running machine that is not as the spec says: changes of the spec, and drift."""

from __future__ import annotations

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Operation
from gpuinstance.api.words import DriftPolicy, OperationPhase, OperationType, Phase
from gpuinstance.core import operations
from gpuinstance.core.decision import Action, ChangeSoftware, Decision, GrowDisk, Need, SetPorts
from gpuinstance.core.desired import (
    applied_by_change,
    format_ports,
    hardware_fingerprint,
    parse_ports,
    shown_ports,
    software_fingerprint,
    wanted_ports,
)
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.rules.answers import need, stuck, wait
from gpuinstance.core.snapshot import Refusal, Snapshot


def demand_recreate(s: Snapshot) -> Decision | None:
    """Product, GPU count and billing cannot change under a machine: say so, and leave it running."""
    applied = s.status.applied.hardware
    if s.machine is None or applied is None or applied == hardware_fingerprint(s.spec):
        return None
    message = (
        "product, gpuCount, billing and minCudaVersion cannot change on an existing machine: "
        "revert them, or set a new token in spec.actions.recreate to replace the machine"
    )
    phase = Phase.RUNNING if s.machine.state is MachineState.RUNNING else Phase.STOPPED
    return stuck(s, phase, Reason.RECREATE_REQUIRED, message)


def apply_change(s: Snapshot) -> Decision | None:
    """Ports, disk and software follow the spec while the machine runs, one change at a time."""
    machine = s.machine
    if machine is None or machine.state is not MachineState.RUNNING or not s.wants_running:
        return None
    operation = s.in_flight(OperationType.CHANGE)
    if operation is not None and (answer := _watch_change(s, operation, machine)) is not None:
        return answer
    return _change_software(s, machine) or _change_ports(s, machine) or _grow_disk(s, machine)


def _watch_change(s: Snapshot, operation: Operation, machine: Machine) -> Decision | None:
    """While a change is under way: None once it has arrived or provably never did."""
    if operation.phase is OperationPhase.INITIATED:
        if s.settled_since(operation.started_at):
            return _found_applied(s, operation, machine)
        return wait(
            s, Phase.RUNNING, Reason.APPLYING_CHANGE, "a change got no answer yet: looking whether it took effect"
        )
    # A reset shows as `Starting` first; a listing from before would still show the old machine.
    accepted_at = operation.phases.monitoring_at or operation.started_at
    restarted = operations.has_restarted(operation, machine)
    if operation.phase is OperationPhase.MONITORING and not restarted and not s.settled_since(accepted_at):
        return wait(s, Phase.RUNNING, Reason.APPLYING_CHANGE, f"machine {machine.id} is being changed")
    return None


def _found_applied(s: Snapshot, operation: Operation, machine: Machine) -> Decision | None:
    """A change without an answer, looked up after it has settled; None: it never arrived."""
    kind, _, wanted = (operation.token or "").partition(":")
    shown, before = set(shown_ports(machine).split(",")), set((s.status.applied.ports or "").split(","))
    asked = set(wanted.split(","))
    wanted_image = s.spec.image or machine.image
    arrived = {
        "software": operations.has_restarted(operation, machine) and machine.image in ("", wanted_image),
        # The provider may publish ports of its own beside ours.
        "ports": asked - {""} <= shown and not (before - asked - {""}) & shown,
        "disk": wanted.isdecimal() and (machine.rootfs_gb or 0) >= int(wanted),
    }
    if not arrived.get(kind, False):
        return None
    accepted = operations.reach(operation, OperationPhase.MONITORING, s).model_copy(update={"error": None})
    applied = applied_by_change(s.status.applied, operation.token or "")
    return wait(s, Phase.RUNNING, Reason.APPLYING_CHANGE, "the change took effect", operation=accepted, applied=applied)


def _change_software(s: Snapshot, machine: Machine) -> Decision | None:
    fingerprint = software_fingerprint(s.spec)
    applied = s.status.applied
    if applied.software == fingerprint:
        return None
    if not s.limits.can_change_software:
        return stuck(s, Phase.RUNNING, Reason.RECREATE_REQUIRED, _only_by_recreate("image, command, env and volumes"))
    if s.software is None:
        return need(s, Need.SOFTWARE)
    if isinstance(s.software, Refusal):
        return stuck(s, Phase.RUNNING, s.software.reason, s.software.message)
    message = f"changing the software of machine {machine.id} to {s.software.image}; its data is kept"
    return _begin(s, ChangeSoftware(machine.id, s.software), message, target=f"software:{fingerprint}")


def _change_ports(s: Snapshot, machine: Machine) -> Decision | None:
    wanted, applied = wanted_ports(s.spec), s.status.applied
    if wanted is None or wanted == applied.ports:
        wanted = applied.ports or ""
        if s.spec.drift is not DriftPolicy.CORRECT or drift(s) is None:
            return None
    if not s.limits.can_change_ports:
        return stuck(s, Phase.RUNNING, Reason.RECREATE_REQUIRED, _only_by_recreate("ports"))
    message = f"publishing ports {wanted or 'none'} of machine {machine.id}"
    return _begin(s, SetPorts(machine.id, parse_ports(wanted)), message, target=f"ports:{wanted}")


def _grow_disk(s: Snapshot, machine: Machine) -> Decision | None:
    applied, wanted = s.status.applied, s.spec.rootfs_size_gb
    now = machine.rootfs_gb or applied.rootfs_size_gb
    if wanted is None or now is None or wanted <= (applied.rootfs_size_gb or 0):
        return None
    target = f"disk:{wanted}"
    if wanted <= now:
        return wait(
            s,
            Phase.RUNNING,
            Reason.APPLYING_CHANGE,
            f"the root disk already has {now} GB",
            applied=applied_by_change(applied, target),
        )
    if not s.limits.can_grow_disk:
        return stuck(s, Phase.RUNNING, Reason.RECREATE_REQUIRED, _only_by_recreate("rootfsSizeGB"))
    message = f"growing the root disk of machine {machine.id} from {now} to {wanted} GB"
    return _begin(s, GrowDisk(machine.id, now, wanted), message, target=target)


def _begin(s: Snapshot, action: Action, message: str, *, target: str) -> Decision:
    """Save the intent. What it brings about becomes `applied` only when the provider has accepted."""
    operation = operations.begin(s, OperationType.CHANGE, token=target)
    # A growing disk disturbs nobody; after anything else the machine has to be found and asked anew.
    forgotten = {} if isinstance(action, GrowDisk) else {"endpoints": None, "health_check": None}
    return wait(
        s,
        Phase.RUNNING,
        Reason.APPLYING_CHANGE,
        message,
        action=action,
        operation=operation,
        last_operation=s.operation or s.status.last_operation,
        **forgotten,
        **operations.estimated_end(s, operation),
    )


def _only_by_recreate(what: str) -> str:
    return (
        f"this provider cannot change {what} of an existing machine: "
        "revert the change, or set a new token in spec.actions.recreate to replace the machine"
    )


def drift(s: Snapshot) -> str | None:
    """Return what somebody changed at the provider, in words; None for no drift.

    Only missing ports count: a provider may publish ports of its own beside ours. A picture from
    before our own last change settled is not evidence.
    """
    machine, applied, last = s.machine, s.status.applied, s.status.last_operation
    if machine is None or applied.ports is None or s.operation is not None or machine.state is not MachineState.RUNNING:
        return None
    ended = last.phases.completed_at if last is not None else None
    if ended is not None and not s.settled_since(ended):
        return None
    shown = set(shown_ports(machine).split(","))
    missing = [p for p in parse_ports(applied.ports) if f"{p.number}/{p.protocol}" not in shown]
    if not missing:
        return None
    return f"ports missing at the provider: {format_ports((p.number, p.protocol) for p in missing)}"
