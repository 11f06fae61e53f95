"""Rules about the machine that `spec.adopt` names: taken note of, unless somebody else owns it.

Nothing is bought in its place, and nothing of it is changed here. Of several objects that name one machine, one
has it; who that is says `observing.owner_of`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import AppliedStatus, HandledActions, InstanceStatus
from gpuinstance.api.words import Management, Phase
from gpuinstance.core.decision import Decision
from gpuinstance.core.desired import applied_as_found, applied_by_others
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.rules.answers import stuck, wait
from gpuinstance.core.snapshot import Blind, Seen, Snapshot

_A_NAME_OF_OURS = re.compile(r"([a-z][a-z0-9]{0,15})-.+-[0-9a-f]{8}-[1-9][0-9]{0,8}")
"""What names look like that an operator like this one gives; see `core.naming`."""


def leave_what_another_owns(s: Snapshot) -> Decision | None:
    """Two objects took note of one machine at the same moment: one of them lets it go, without touching it."""
    if s.claimed_by is None or s.spec.adopt is None or s.machine_id != s.spec.adopt.instance_id:
        return None
    if s.deleting:
        return Decision(status=s.status, release=True)
    forgotten: dict[str, Any] = {"endpoints": None, "health_check": None, "operation": None, "created_at": None}
    message = f"machine {s.machine_id} belongs to {s.claimed_by}: it is not adopted"
    return _refuse(s, Reason.FOREIGN_INSTANCE, message, instance=None, applied=AppliedStatus(), **forgotten)


def adopt_named_machine(s: Snapshot) -> Decision | None:
    """`adopt.instanceID`: take note of a machine that exists, unless somebody else owns it."""
    if s.spec.adopt is None or _has_record(s) or s.alive or isinstance(s.view, Blind):
        return None
    named, machine = s.spec.adopt.instance_id, _named_machine(s)
    if machine is None:
        message = f"machine {named} is not in this account, and nothing is bought in its place"
        return _refuse(s, Reason.ADOPTION_FAILED, message)
    if machine.state is MachineState.REMOVING:
        message = f"machine {named} is being deleted at the provider, and nothing is bought in its place"
        return _refuse(s, Reason.ADOPTION_FAILED, message)
    if (owner := _owner(s, machine)) is not None:
        message = f"machine {machine.id} ({machine.name}) belongs to {owner}: it is not adopted"
        return _refuse(s, Reason.FOREIGN_INSTANCE, message)
    message = f"adopted machine {machine.id} ({machine.name})"
    # What was asked for before it was taken note of was not asked of this machine.
    handled = HandledActions(**s.spec.actions.model_dump())
    return wait(s, Phase.CREATED, Reason.ADOPTING, message, handled_actions=handled, **_noted(s, machine))


def find_named_machine_again(s: Snapshot) -> Decision | None:
    """An object that goes, and whose status somebody has emptied: what it was to keep may still be billed."""
    if not s.deleting or s.spec.adopt is None or s.spec.managed is Management.OBSERVE or s.alive:
        return None
    # A refusal leaves no record and a generation; see also `stay_idle_when_blind`.
    was_emptied = s.status.observed_generation < 0 or s.status.instance is not None
    if not was_emptied or s.machine_id is not None or s.status.attempts > 0:
        return None
    machine = _named_machine(s)
    if machine is None or _owner(s, machine) is not None:
        return None
    message = f"found machine {machine.id} ({machine.name}), which this object has adopted"
    return wait(s, Phase.TERMINATING, Reason.TERMINATING, message, after=timedelta(), **_noted(s, machine))


def _has_record(s: Snapshot) -> bool:
    """True if a machine was taken note of, or bought; a mere note that nobody has looked yet is none."""
    return s.status.instance is not None and (s.machine_id is not None or s.status.attempts > 0)


def _named_machine(s: Snapshot) -> Machine | None:
    if s.spec.adopt is None or not isinstance(s.view, Seen):
        return None
    found = next((it for it in s.view.candidates if it.id == s.spec.adopt.instance_id), None)
    return None if found is None or found.state.is_gone else found


def _noted(s: Snapshot, machine: Machine) -> dict[str, Any]:
    instance = InstanceStatus(
        id=machine.id,
        name=machine.name,
        product_id=machine.product_id or None,
        product_name=machine.product_name or None,
        region=machine.region or None,
        billing_mode=machine.billing_mode,
        state=machine.word,
    )
    applied = applied_by_others(s, machine, applied_as_found(s, machine))
    return {"instance": instance, "applied": applied, "created_at": machine.created_at or s.now}


def _owner(s: Snapshot, machine: Machine) -> str | None:
    """Return who owns the machine, in words; None if nobody does."""
    if s.claimed_by is not None:
        return s.claimed_by
    match = _A_NAME_OF_OURS.fullmatch(machine.name)
    if match is not None and match[1] != s.identity.mark:
        return f"the cluster with the mark {match[1]}"
    return None  # One with our mark whose object is gone is an orphan, and free to be taken.


def _refuse(s: Snapshot, reason: Reason, message: str, **changes: Any) -> Decision:
    return stuck(s, Phase.FAILED, reason, message, **changes)
