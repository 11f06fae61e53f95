"""Rules about an InstanceUpgrade of the machine: yield while it works, and take note of what it did.

An upgrade changes the machine away from the spec, on purpose. Afterwards that is neither drift to be
corrected nor a change to be applied; it is noted in the status, and said in condition Synced.
"""

from __future__ import annotations

from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import Phase
from gpuinstance.core.decision import Decision
from gpuinstance.core.model import MachineState
from gpuinstance.core.rules.answers import wait
from gpuinstance.core.snapshot import Snapshot


def yield_to_active_upgrade(s: Snapshot) -> Decision | None:
    """While an InstanceUpgrade changes the machine, the instance's own work waits."""
    upgrade = s.upgrade
    if upgrade is None or not upgrade.holds or s.machine is None or s.machine.id != upgrade.machine_id:
        return None
    message = f"InstanceUpgrade {upgrade.name} changes machine {s.machine.id}: see kubectl get iup {upgrade.name}"
    return wait(s, Phase.UPGRADING, Reason.UPGRADING, message)


def take_note_of_upgrade(s: Snapshot) -> Decision | None:
    """What a finished upgrade has made of the machine counts as applied, whatever the spec says."""
    upgrade, recorded, machine = s.upgrade, s.status.instance, s.machine
    if upgrade is None or upgrade.holds or recorded is None or machine is None or recorded.id != upgrade.machine_id:
        return None
    if recorded.upgraded_by == upgrade.uid or machine.state is not MachineState.RUNNING or not s.wants_running:
        return None
    instance = recorded.model_copy(
        update={
            "upgraded_by": upgrade.uid,
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
