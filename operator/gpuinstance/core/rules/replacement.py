"""Rules about replacing a machine: ask the price, remove, see it gone, and only then let another be bought.

What vanished without our doing is reported, or replaced where `spec.recovery` says so. Where the provider
makes a machine anew in place, one that stands is left to `rebuild`.
"""

from __future__ import annotations

from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import Operation
from gpuinstance.api.words import OperationType, Phase
from gpuinstance.core import operations
from gpuinstance.core.decision import Decision, Delete, Need
from gpuinstance.core.model import Machine, MachineState, Order
from gpuinstance.core.pricing import hourly_figure
from gpuinstance.core.rules.answers import need, stuck, wait
from gpuinstance.core.rules.creation import cannot_buy
from gpuinstance.core.rules.rebuild import stands
from gpuinstance.core.snapshot import Snapshot
from gpuinstance.core.tokens import TOKENS


def recreate_on_token(s: Snapshot) -> Decision | None:
    """A new token in `actions.recreate`: ask the price first, then remove, then buy."""
    token = s.spec.actions.recreate
    if s.machine_id is None:
        return None
    operation = operations.replacement(s)
    if operation is None:
        is_new = token is not None and token != s.status.handled_actions.recreate
        return replace_machine(s, token) if is_new and s.wants_running and not stands(s) else None
    if s.machine is not None:
        return _watch_removal(s, operation, s.machine)
    if s.machine_id not in s.confirmed_gone:
        return need(s, Need.CONFIRMATION)
    return None


def replace_machine(s: Snapshot, token: str | None, **changes: Any) -> Decision:
    """Begin to replace the machine, if another could be bought at an allowed price."""
    return cannot_buy(s) or _remove_old(s, token, **changes)


def _remove_old(s: Snapshot, token: str | None, **more: Any) -> Decision:
    """Save the intent to replace the machine; remove it, unless that has already happened."""
    operation = operations.begin(s, OperationType.RECREATE, attempt=s.status.attempts + 1, token=token)
    operation = operation.model_copy(update={"hourly_price": _price_of_next(s)})
    last = s.operation if s.operation is not None and s.operation.type is not operation.type else None
    changes = {
        "operation": operation,
        "last_operation": last or s.status.last_operation,
        "endpoints": None,
        "health_check": None,
        **operations.estimated_end(s, operation),
        **more,
    }
    if s.machine is None:
        return wait(s, Phase.CREATING, Reason.RECREATING, "buying a new machine", **changes)
    delete = Delete(s.machine.id) if s.machine.state is not MachineState.REMOVING else None
    message = f"removing machine {s.machine.id} before a new one is bought"
    return wait(s, Phase.TERMINATING, Reason.RECREATING, message, action=delete, **changes)


def _price_of_next(s: Snapshot) -> str | None:
    """Return what the machine that is bought afterwards will cost: its room is kept from before the old one goes."""
    if isinstance(s.plan, Order) and s.plan.hourly_price is not None:
        return hourly_figure(s.plan.hourly_price)
    before = operations.replacement(s)
    return before.hourly_price if before is not None else None


def _watch_removal(s: Snapshot, operation: Operation, machine: Machine) -> Decision | None:
    """While the old machine goes: it is asked again only once the first call would have shown.

    None if it stayed, and is to be stopped by now: then nothing is replaced before it is to run again.
    """
    removing = machine.state is MachineState.REMOVING
    if not removing and s.settled_since(operation.phases.monitoring_at or operation.started_at):
        return _remove_old(s, operation.token) if s.wants_running else None
    if s.now >= operation.deadline:
        late = f"machine {machine.id} is still {machine.word} after the time allowed"
        message = f"{late}: no other is bought before it is gone; it may still be billed"
        return wait(s, Phase.TERMINATING, Reason.DELETE_TIMED_OUT, message)
    message = f"removing machine {machine.id} before a new one is bought"
    return wait(s, Phase.TERMINATING, Reason.RECREATING, message)


def may_be_lost(s: Snapshot) -> bool:
    """True if the recorded machine is not shown, and not by our doing."""
    if s.machine_id is None or s.machine is not None or operations.replacement(s) is not None:
        return False
    # While it is made anew, a provider may have none of that id to show.
    rebuilding = s.in_flight(*TOKENS)
    return rebuilding is None or s.now >= rebuilding.deadline


def report_lost_machine(s: Snapshot) -> Decision | None:
    """A machine that vanished without our doing is reported, never silently bought again."""
    if not may_be_lost(s):
        return None
    if s.machine_id not in s.confirmed_gone:
        return need(s, Need.CONFIRMATION)
    way_out = "set a new token in spec.actions.recreate to buy another"
    message = f"machine {s.machine_id} no longer exists at the provider: {way_out}"
    return stuck(
        s, Phase.TERMINATED, Reason.INSTANCE_LOST, message, **operations.end(s), endpoints=None, health_check=None
    )
