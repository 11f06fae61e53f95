"""Rules for changes that are applied without order and invoice: image, disk, ports, monthly billing."""

from __future__ import annotations

from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_status import MachineShape, UpgradeCall
from gpuinstance.api.upgrade_words import CallPhase, CallType, UpgradePhase
from gpuinstance.core.decision import Action, ChangeSoftware, GrowDisk, SetPorts, SwitchToMonthly
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.snapshot import Refusal
from gpuinstance.core.upgrade import calls
from gpuinstance.core.upgrade.answers import fail, need, stall, succeed, wait
from gpuinstance.core.upgrade.decision import UpgradeDecision, UpgradeNeed
from gpuinstance.core.upgrade.rules.ready import not_ready_for_change
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot
from gpuinstance.core.upgrade.target import has_changed_to, shape_of, wanted_ports_of


def change_directly(
    s: UpgradeSnapshot, machine: Machine, target: MachineShape, changes: dict[str, Any] | None = None
) -> UpgradeDecision:
    """Save the intent, with further `changes` of the status; then make the one call that changes the machine."""
    action = _action(s, machine, target)
    if isinstance(action, UpgradeDecision):
        return action
    message = f"changing machine {machine.id}: {describe(target)}"
    call = calls.begin(s, CallType.APPLY)
    return wait(s, UpgradePhase.APPLYING, Reason.APPLYING, message, action=action, call=call, **(changes or {}))


def describe(target: MachineShape) -> str:
    """Return a target in words."""
    if target.image is not None:
        return f"image {target.image}"
    if target.rootfs_size_gb is not None:
        return f"root disk of {target.rootfs_size_gb} GB"
    if target.billing_mode is not None:
        return "monthly billing"
    return f"ports {target.ports or 'none'}"


def _action(s: UpgradeSnapshot, machine: Machine, target: MachineShape) -> Action | UpgradeDecision:
    wanted = s.spec.target
    if wanted.image is not None:
        if s.software is None:
            return need(s, UpgradeNeed.SOFTWARE)
        if isinstance(s.software, Refusal):
            return stall(s, UpgradePhase.VALIDATING, s.software.reason, s.software.message)
        return ChangeSoftware(machine.id, s.software, wanted.image.keep_data)
    if target.rootfs_size_gb is not None:
        # Novita takes an increment, so what it is added to is read anew for each call.
        return GrowDisk(machine.id, machine.rootfs_gb or 0, target.rootfs_size_gb)
    if wanted.billing is not None:
        return SwitchToMonthly(machine.id, wanted.billing.months)
    return SetPorts(machine.id, wanted_ports_of(target))


def watch_direct_change(s: UpgradeSnapshot) -> UpgradeDecision | None:
    """After the call: the change has arrived, is on its way, or surely never was."""
    machine, call, target, before = s.machine, s.call_of(CallType.APPLY), s.status.target, s.status.before
    if s.is_ordered or machine is None or call is None or target is None or before is None:
        return None
    if call.phase is CallPhase.REFUSED:
        return _after_refusal(s, machine, target, before)
    restarted = _came_up_anew(machine, before) or call.seen_changing
    if has_changed_to(machine, target, before, restarted=restarted):
        message = f"machine {machine.id} runs with {describe(target)}"
        applied = {"applied_at": s.status.applied_at or s.now, "call": calls.accept(call, s)}
        return succeed(s, Reason.COMPLETED, message, after=shape_of(machine), **applied)
    if machine.state.is_changing or _is_known_by_its_image(machine, target, before):
        call = calls.accept(call, s, seen_changing=machine.state.is_changing)
    elif _never_arrived(s, call, machine, target):
        return _change_again(s, call, machine, target)
    if s.looked_at >= call.started_at + s.limits.resize_timeout:
        message = f"machine {machine.id} is {machine.word} and does not show {describe(target)} after the time allowed"
        return fail(s, Reason.VERIFICATION_FAILED, message, after=shape_of(machine))
    message = f"waiting until machine {machine.id} shows {describe(target)}"
    changes: dict[str, Any] = {"call": call}
    if call.phase is CallPhase.ACCEPTED:
        changes["applied_at"] = s.status.applied_at or s.now
    return wait(s, UpgradePhase.VERIFYING, Reason.VERIFYING, message, **changes)


def _after_refusal(
    s: UpgradeSnapshot, machine: Machine, target: MachineShape, before: MachineShape
) -> UpgradeDecision | None:
    """A definite no has changed nothing; meanwhile somebody else may have."""
    if (unready := not_ready_for_change(s, UpgradePhase.APPLYING)) is not None:
        return unready
    if s.fresh is None:
        return need(s, UpgradeNeed.MACHINE)
    if target.image is None and has_changed_to(machine, target, before, restarted=False):
        message = f"machine {machine.id} already has {describe(target)}: nothing was changed"
        return succeed(s, Reason.COMPLETED, message, after=shape_of(machine))
    return change_directly(s, machine, target)


def _never_arrived(s: UpgradeSnapshot, call: UpgradeCall, machine: Machine, target: MachineShape) -> bool:
    """True if a call without an answer had no effect in all the time in which one would show.

    What would be paid or added twice is given all the time that a change may take; the rest may as well come twice.
    """
    # A machine that is down shows nothing, and nobody starts it before this upgrade has ended.
    if call.phase is not CallPhase.INITIATED or machine.state is not MachineState.RUNNING:
        return False
    adds_up = target.rootfs_size_gb is not None or target.billing_mode is not None
    return s.looked_at >= call.started_at + (s.limits.resize_timeout if adds_up else s.limits.settle)


def _change_again(
    s: UpgradeSnapshot, call: UpgradeCall, machine: Machine, target: MachineShape
) -> UpgradeDecision | None:
    if call.attempt >= calls.MOST_SENDS:
        message = f"changing machine {machine.id} had no effect {call.attempt} times"
        return fail(s, Reason.UNKNOWN_OUTCOME, message, after=shape_of(machine))
    if (unready := not_ready_for_change(s, UpgradePhase.APPLYING)) is not None:
        return unready
    return need(s, UpgradeNeed.MACHINE) if s.fresh is None else change_directly(s, machine, target)


def _is_known_by_its_image(machine: Machine, target: MachineShape, before: MachineShape) -> bool:
    """True if the machine is named after an image that it had not: it was reset, whether it runs that yet or not."""
    return target.image is not None and machine.image == target.image != before.image


def _came_up_anew(machine: Machine, before: MachineShape) -> bool:
    """True if the provider has started the machine again; its times are compared with each other only."""
    now = machine.started_at
    if now is None:
        return False
    return before.started_at is None or now.replace(microsecond=0) > before.started_at
