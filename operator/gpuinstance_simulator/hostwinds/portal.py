"""What people do in Hostwinds' client portal: the verbs that `console` knows for this provider only.

Foreign interference, entered in the ledger with the actor `console`: orders that a client did not place, or
that vanish, upgrades that somebody else confirms or reverts, locks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.hostwinds import upgrades
from gpuinstance_simulator.hostwinds.cloud import HostwindsCloud
from gpuinstance_simulator.lifecycle import Actor
from gpuinstance_simulator.machine import Machine

PERSON = Actor.CONSOLE


def verbs_of(cloud: HostwindsCloud) -> Mapping[str, Callable[[Machine, str], object]]:
    """Each verb takes the server, and for `order` the plan."""
    return {
        "order": lambda machine, plan: upgrades.order(cloud, machine.id, upgrades.plan_of(cloud, plan), actor=PERSON),
        "cancel_order": lambda machine, _: upgrades.cancel(cloud, machine.id),
        "pay": lambda machine, _: _pay(cloud, machine),
        "apply": lambda machine, _: upgrades.apply(cloud, machine.id, actor=PERSON),
        "confirm": lambda machine, _: upgrades.confirm(cloud, machine.id, actor=PERSON),
        "revert": lambda machine, _: upgrades.revert(cloud, machine.id, actor=PERSON),
        "lock": lambda machine, _: _lock(cloud, machine, locked=True),
        "unlock": lambda machine, _: _lock(cloud, machine, locked=False),
    }


def _pay(cloud: HostwindsCloud, machine: Machine) -> None:
    order = cloud.books.open_order(machine.id)
    if order is None:
        raise CloudError(Refusal.NO_ORDER, "no upgrade order is open")
    upgrades.pay(cloud, order.invoice.id)


def _lock(cloud: HostwindsCloud, machine: Machine, *, locked: bool) -> None:
    if cloud.server(machine).is_locked is not locked:
        cloud.toggle_lock(machine.id, actor=PERSON)
