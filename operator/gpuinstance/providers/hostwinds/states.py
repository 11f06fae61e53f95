"""What a Hostwinds server is doing: its status words, classified into the operator's.

Called by `wire` only. Four fields say it together: `status`, `vm_state`, `task_state` and
`power_state`. Only `active`, `suspended`, `error` and `RESIZED` are documented; the names of the fields and
what has been seen of their values are OpenStack's. Words are compared without regard to case. A word
that is not known is survived as UNKNOWN, which everybody treats as a change in progress. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gpuinstance.core.model import MachineState

_SHUT_DOWN = 4
"""`power_state` of a server whose power is off."""

_BUSY_STATUS: Mapping[str, MachineState] = {
    "build": MachineState.CREATING,
    "building": MachineState.CREATING,
    "rebuild": MachineState.STARTING,
    "reboot": MachineState.STARTING,
    "hard_reboot": MachineState.STARTING,
    "resize": MachineState.RESIZING,
    "revert_resize": MachineState.RESIZING,
    "migrating": MachineState.MIGRATING,
    # Not taken for gone: that is said by the provider no longer knowing the server.
    "deleted": MachineState.REMOVING,
    "soft_deleted": MachineState.REMOVING,
}

_TASKS: tuple[tuple[str, MachineState], ...] = (
    ("deleting", MachineState.REMOVING),
    ("resize_", MachineState.RESIZING),
    ("powering_off", MachineState.STOPPING),
    ("stopping", MachineState.STOPPING),
    ("powering_on", MachineState.STARTING),
    ("starting", MachineState.STARTING),
    ("rebooting", MachineState.STARTING),
    ("rebuild", MachineState.STARTING),
    ("networking", MachineState.STARTING),
    ("migrating", MachineState.MIGRATING),
    ("spawning", MachineState.CREATING),
    ("scheduling", MachineState.CREATING),
    ("block_device_mapping", MachineState.CREATING),
)
"""By how a task's name begins; Nova spells some of them with a hyphen."""

_RESIZED = frozenset({"resized", "verify_resize"})
_DOWN = frozenset({"shutoff", "stopped"})


@dataclass(frozen=True, slots=True)
class Sight:
    """What one answer shows of a server's state, as it is written there; `task_state` empty when idle."""

    status: str
    vm_state: str = ""
    task_state: str = ""
    power_state: int | None = None
    is_suspended: bool = False
    is_locked: bool = False

    @property
    def word(self) -> str:
        """The provider's words in one, for people: `active`, `active, locked`, `RESIZED, resize_confirming`."""
        words = [self.status or self.vm_state, self.task_state]
        words += ["suspended"] if self.is_suspended and self._status != "suspended" else []
        words += ["locked"] if self.is_locked else []
        return ", ".join(word for word in words if word)

    @property
    def has_failed(self) -> bool:
        """True if the provider names an error and is no longer at work on the server."""
        if self._status == "error":
            return self._task != "deleting"
        return self.vm_state.strip().lower() == "error" and not self._task and self._status not in _BUSY_STATUS

    @property
    def state(self) -> MachineState:
        """The state in the operator's words; the first that applies.

        Suspended and locked come first, because such a server must not be touched, whatever it is
        doing. A failed server is down: nothing more happens to it. A task comes before the status that
        it is about to change: `RESIZED` with a task is being confirmed or reverted already.
        """
        if self.is_suspended or self.is_locked or self._status == "suspended":
            return MachineState.SUSPENDED
        if self.has_failed:
            return MachineState.STOPPED
        if self._status in _BUSY_STATUS and self._task != "deleting":
            return _BUSY_STATUS[self._status]
        if self._task:
            return next((state for name, state in _TASKS if self._task.startswith(name)), MachineState.UNKNOWN)
        return self._idle_state

    @property
    def _idle_state(self) -> MachineState:
        vm_state = self.vm_state.strip().lower()
        if self._status in _RESIZED or vm_state == "resized":
            return MachineState.RESIZED
        if self._status in _DOWN or vm_state == "stopped" or self.power_state == _SHUT_DOWN:
            return MachineState.STOPPED
        return MachineState.RUNNING if self._status == "active" else MachineState.UNKNOWN

    @property
    def _status(self) -> str:
        return (self.status or self.vm_state).strip().lower()

    @property
    def _task(self) -> str:
        return self.task_state.strip().lower().replace("-", "_")
