"""Rules about a running machine that is not as the spec says: changes of the spec, and drift."""

from __future__ import annotations

from datetime import timedelta

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Operation
from gpuinstance.api.words import DriftPolicy, OperationPhase, OperationType, Phase
from gpuinstance.core import operations
from gpuinstance.core.decision import Action, ChangeSoftware, Decision, GrowDisk, Need, SetPorts
from gpuinstance.core.desired import (
    FOUND_OTHERWISE,
    applied_by_change,
    asked_ports,
    hardware_fingerprint,
    is_of_product,
    other_hardware,
    parse_ports,
    published_ports,
    shown_ports,
    software_fingerprint,
    terms_fingerprint,
)
from gpuinstance.core.differences import drift
from gpuinstance.core.images import same_image
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.rules.answers import need, stuck, wait
from gpuinstance.core.snapshot import Refusal, Snapshot


def demand_recreate(s: Snapshot) -> Decision | None:
    """Product, GPU count, billing and place cannot change under a machine: say so, and leave it running."""
    applied = s.status.applied.hardware
    if s.machine is None or applied is None or applied == hardware_fingerprint(s.spec):
        return None
    phase = Phase.RUNNING if s.machine.state is MachineState.RUNNING else Phase.STOPPED
    if s.limits.upgrades_are_ordered:
        return _demand_upgrade(s, s.machine, phase)
    if applied == FOUND_OTHERWISE and not other_hardware(s.spec, s.machine):
        return _follow_spec(s, s.machine, phase)
    message = (
        "product, gpuCount, billing and minCudaVersion cannot change on an existing machine: "
        "revert them, or set a new token in spec.actions.recreate to replace the machine"
    )
    return stuck(s, phase, Reason.RECREATE_REQUIRED, message)


def _demand_upgrade(s: Snapshot, machine: Machine, phase: Phase) -> Decision:
    """Where another plan is ordered and paid, that is no business of an instance; nor is its place."""
    if s.status.applied.terms != terms_fingerprint(s.spec):
        message = (
            "locationID and billingCycle cannot change on an existing machine: "
            "revert them, or delete this object and create another"
        )
        return stuck(s, phase, Reason.UNSUPPORTED_BY_PROVIDER, message)
    if not is_of_product(machine, s.spec.product, s.status.instance):
        message = "another product has to be ordered and paid: revert spec.product, or create an InstanceUpgrade"
        return stuck(s, phase, Reason.UPGRADE_REQUIRED, message)
    return _follow_spec(s, machine, phase)


def _follow_spec(s: Snapshot, machine: Machine, phase: Phase) -> Decision:
    """Somebody has upgraded the machine, or brought another one in, and now the spec says so."""
    follows = s.status.applied.model_copy(update={"hardware": hardware_fingerprint(s.spec)})
    message = f"machine {machine.id} is of the product that the spec names by now"
    return wait(s, phase, Reason.APPLYING_CHANGE, message, after=timedelta(), applied=follows)


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
    has_image = not machine.image or s.spec.image is None or same_image(machine.image, s.spec.image)
    arrived = {
        "software": operations.has_restarted(operation, machine) and has_image,
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
    target = f"software:{fingerprint}"
    applied = s.status.applied
    if applied.software == fingerprint and not _is_to_be_corrected(s, "image", target):
        return None
    if applied.software == FOUND_OTHERWISE and s.spec.image and same_image(machine.image, s.spec.image):
        message = f"machine {machine.id} runs the image that the spec names by now"
        follows = applied_by_change(applied, target)
        return wait(s, Phase.RUNNING, Reason.APPLYING_CHANGE, message, after=timedelta(), applied=follows)
    if s.limits.rebuilds_in_place:
        message = (
            "spec.templateID is not what is installed: revert it, or set a new token in spec.actions.reinstall to "
            "install it, which loses what is on the machine's disk"
        )
        return stuck(s, Phase.RUNNING, Reason.REINSTALL_REQUIRED, message)
    if not s.limits.can_change_software:
        return stuck(s, Phase.RUNNING, Reason.RECREATE_REQUIRED, _only_by_recreate("image, command, env and volumes"))
    if s.software is None:
        return need(s, Need.SOFTWARE)
    if isinstance(s.software, Refusal):
        return stuck(s, Phase.RUNNING, s.software.reason, s.software.message)
    message = f"changing the software of machine {machine.id} to {s.software.image}; its data is kept"
    return _begin(s, ChangeSoftware(machine.id, s.software), message, target=target)


def _change_ports(s: Snapshot, machine: Machine) -> Decision | None:
    wanted, applied = asked_ports(s), s.status.applied
    if wanted is None or wanted == applied.ports:
        wanted = published_ports(applied) or ""
        if not _is_to_be_corrected(s, "ports", f"ports:{wanted}"):
            return None
    if not s.limits.publishes_ports:
        message = f"the ports of machine {machine.id} are {wanted or 'none'} now: asking there"
        return _follow_ports(s, message, wanted)
    if not s.limits.can_change_ports:
        return stuck(s, Phase.RUNNING, Reason.RECREATE_REQUIRED, _only_by_recreate("ports"))
    message = f"publishing ports {wanted or 'none'} of machine {machine.id}"
    return _begin(s, SetPorts(machine.id, parse_ports(wanted)), message, target=f"ports:{wanted}")


def _follow_ports(s: Snapshot, message: str, wanted: str) -> Decision:
    """Every port of a machine with an address of its own is reached there: nothing is changed at the provider."""
    applied = s.status.applied.model_copy(update={"ports": wanted})
    forgotten = {"endpoints": None, "health_check": None}
    return wait(s, Phase.RUNNING, Reason.APPLYING_CHANGE, message, after=timedelta(), applied=applied, **forgotten)


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


def _is_to_be_corrected(s: Snapshot, field: str, target: str) -> bool:
    """True if somebody else changed this at the provider, and `spec.drift` asks to change it back.

    The same is not changed back twice within minutes: whoever insists, or a provider on which it has no effect,
    would otherwise be fought for ever, at the price of a restart each time. Nor is what an InstanceUpgrade has
    made of the image: only the upgrade knew what goes with it.
    """
    if s.spec.drift is not DriftPolicy.CORRECT or not any(it.field == field for it in drift(s)):
        return False
    recorded, last = s.status.instance, s.status.last_operation
    if field == "image" and recorded is not None and recorded.upgraded_by is not None:
        is_of_spec = s.spec.image is not None and same_image(recorded.image or "", s.spec.image)
        if not is_of_spec:
            return False
    ended = last.phases.completed_at if last is not None and last.token == target else None
    return ended is None or s.now - ended >= _CORRECT_AGAIN


_CORRECT_AGAIN = timedelta(minutes=10)


def _only_by_recreate(what: str) -> str:
    return (
        f"this provider cannot change {what} of an existing machine: "
        "revert the change, or set a new token in spec.actions.recreate to replace the machine"
    )
