"""Rules about an InstanceUpgrade of the machine: yield while it works, and take note of what it did.

An upgrade changes the machine away from the spec, on purpose. Afterwards that is neither drift to be
corrected nor a change to be applied; it is noted in the status, and said in condition Synced.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.status import InstanceStatus
from gpuinstance.api.upgrade_status import MachineShape
from gpuinstance.api.words import ConditionType, Outcome, Phase
from gpuinstance.core.conditions import Verdict, write
from gpuinstance.core.decision import Decision
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.rules.answers import wait
from gpuinstance.core.rules.expiry import goes_now
from gpuinstance.core.rules.health import told_upgrade
from gpuinstance.core.snapshot import FoundUpgrade, Snapshot
from gpuinstance.core.upgrade.target import is_as_before, is_resized_to, shape_of


def yield_to_active_upgrade(s: Snapshot) -> Decision | None:
    """While an InstanceUpgrade changes the machine, the instance's own work waits; its end by `expiry` for a day."""
    upgrade = s.active_upgrade
    if upgrade is None or (s.held_by is None and goes_now(s)):
        return None
    message = f"InstanceUpgrade {upgrade.name} changes machine {s.machine_id}: see kubectl get iup {upgrade.name}"
    return wait(s, Phase.UPGRADING, Reason.UPGRADING, message)


def take_note_of_upgrade(s: Snapshot) -> Decision | None:
    """What a finished upgrade has made of the machine counts as applied, whatever the spec says; of one that failed
    on its way, the price of what the machine is by now is noted.
    """
    upgrade, recorded, machine = s.upgrade, s.status.instance, s.machine
    if upgrade is None or upgrade.holds or recorded is None or machine is None or recorded.id != upgrade.machine_id:
        return None
    if machine.state is not MachineState.RUNNING or not s.wants_running:
        return None
    if upgrade.failed_between is not None:
        return _note_price(s, upgrade, recorded, machine) if recorded.priced_by != upgrade.uid else None
    if recorded.upgraded_by == upgrade.uid:
        return None
    instance = recorded.model_copy(
        update={
            "upgraded_by": upgrade.uid,
            "last_upgrade_ended_at": _last_end(upgrade, recorded),
            "image": None,
            "product_id": machine.product_id or recorded.product_id,
            "product_name": machine.product_name or recorded.product_name,
            "billing_mode": machine.billing_mode or recorded.billing_mode,
        }
    )
    if (instance.product_id, instance.billing_mode) != (recorded.product_id, recorded.billing_mode):
        # The price of the former plan would be wrong; the new one is known where the price list has said it.
        instance = instance.model_copy(update={"hourly_price": upgrade.hourly_price})
    applied = s.status.applied
    if upgrade.ports is not None:
        applied = applied.model_copy(update={"upgraded_ports": upgrade.ports})
    message = f"machine {machine.id} was changed by InstanceUpgrade {upgrade.name}: looking at it anew"
    changes: dict[str, Any] = {"instance": instance, "applied": applied, "endpoints": None, "health_check": None}
    return wait(s, Phase.RUNNING, Reason.UPGRADING, message, **changes)


def _last_end(upgrade: FoundUpgrade, recorded: InstanceStatus) -> datetime | None:
    return max((it for it in (upgrade.ended_at, recorded.last_upgrade_ended_at) if it is not None), default=None)


def _note_price(s: Snapshot, upgrade: FoundUpgrade, recorded: InstanceStatus, machine: Machine) -> Decision | None:
    """After a failure only the machine tells which of two prices it has; where it is something else, nobody knows.

    Where it shows too little to tell, nothing is noted: as long as that is so, the dearer price counts in a budget.
    """
    assert upgrade.failed_between is not None
    if not _tells(*upgrade.failed_between, machine, recorded):
        return None
    shown = shape_of(machine)
    product, mode = shown.product_id or recorded.product_id, shown.billing_mode or recorded.billing_mode
    price = _price_after_failure(upgrade, machine, recorded)
    instance = recorded.model_copy(
        update={
            "priced_by": upgrade.uid,
            "last_upgrade_ended_at": _last_end(upgrade, recorded),
            "product_id": product,
            "product_name": shown.product_name or recorded.product_name,
            "billing_mode": mode,
            "hourly_price": price,
        }
    )
    ready = s.status.condition(ConditionType.READY)
    if ready is not None and s.was_ready and s.status.observed_generation == s.generation:
        # Nothing is done to a machine that serves, and nobody needs to hear of it.
        verdict = Verdict(
            Phase.READY,
            ready.status,
            Reason(ready.reason),
            ready.message,
            outcome=Outcome.READY,
            synced=told_upgrade(s),
        )
        return Decision(status=write(s, verdict, instance=instance), requeue_after=timedelta())
    cost = f"costs {price} USD/h" if price is not None else "costs what nobody knows"
    message = f"InstanceUpgrade {upgrade.name} has failed, and machine {machine.id} {cost} as it is now"
    return wait(s, Phase.RUNNING, Reason.UPGRADING, message, after=timedelta(), instance=instance)


def _tells(before: MachineShape, target: MachineShape, machine: Machine, recorded: InstanceStatus) -> bool:
    """False for a machine that shows nothing else than it was, but not all of that either."""
    if target.billing_mode is not None:
        return machine.billing_mode is not None
    if machine.product_id not in ("", recorded.product_id) or not is_as_before(machine, before):
        return True
    return is_resized_to(machine, before, before)


def _price_after_failure(upgrade: FoundUpgrade, machine: Machine, recorded: InstanceStatus) -> str | None:
    assert upgrade.failed_between is not None
    before, target = upgrade.failed_between
    if target.billing_mode is not None:
        changed = machine.billing_mode is target.billing_mode
        return upgrade.hourly_price if changed else recorded.hourly_price
    if is_resized_to(machine, target, before):
        return upgrade.hourly_price
    same_plan = machine.product_id in ("", recorded.product_id)
    if (
        recorded.upgraded_by is not None
        and same_plan
        and recorded.product_id not in (before.product_id, target.product_id)
    ):
        return recorded.hourly_price  # A later upgrade has made that of it, and its price was noted.
    return recorded.hourly_price if same_plan and is_resized_to(machine, before, before) else None
