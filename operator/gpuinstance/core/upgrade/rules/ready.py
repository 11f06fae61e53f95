"""Whether a machine can be changed now: it runs, and nobody is at work on it.

Asked by the rules right before each call that orders or changes something, also before one that is repeated.
"""

from __future__ import annotations

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_words import UpgradePhase
from gpuinstance.core.model import MachineState
from gpuinstance.core.upgrade.answers import hold, stall, wait
from gpuinstance.core.upgrade.decision import UpgradeDecision
from gpuinstance.core.upgrade.snapshot import UpgradeSnapshot


def not_ready_for_change(s: UpgradeSnapshot, phase: UpgradePhase) -> UpgradeDecision | None:
    """Return why the machine cannot be changed now; None if it can."""
    instance, machine = s.instance, s.machine
    assert instance is not None
    name = instance.metadata.name
    if machine is not None and machine.state is MachineState.SUSPENDED:
        message = f"machine {machine.id} is frozen or locked at the provider ({machine.word}): see its portal"
        return stall(s, phase, Reason.INSTANCE_SUSPENDED, message)
    if machine is not None and machine.state in (MachineState.RESIZING, MachineState.RESIZED):
        message = f"machine {machine.id} is being resized by somebody else ({machine.word}): finish that first"
        return stall(s, phase, Reason.FOREIGN_CHANGE, message)
    if s.work_of_instance is not None or instance.status.observed_generation != instance.metadata.generation:
        return wait(s, phase, Reason.INSTANCE_BUSY, f"waiting until the work on GPUInstance {name} is done")
    if s.machine_id is None:
        return wait(s, phase, Reason.INSTANCE_NOT_RUNNING, f"GPUInstance {name} has no machine yet")
    if machine is None:
        return stall(s, phase, Reason.INSTANCE_LOST, f"machine {s.machine_id} is not shown by the provider")
    if machine.state.is_changing:
        return wait(s, phase, Reason.INSTANCE_BUSY, f"machine {machine.id} is {machine.word}: waiting")
    if machine.state is not MachineState.RUNNING:
        message = f"machine {machine.id} is {machine.word}, and is changed only while it runs: start the instance"
        return hold(s, phase, Reason.INSTANCE_NOT_RUNNING, message)
    return None
