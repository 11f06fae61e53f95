"""What each action about money does: prices, upgrade orders and their steps, billing cycles.

Called by `face` like `verbs`. No action pays an invoice or says that one is paid: that is known outside only,
unless quirks make it show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.hostwinds import answers, upgrades
from gpuinstance_simulator.hostwinds.asking import Ask, Done, Verb, read, result
from gpuinstance_simulator.hostwinds.cloud import HostwindsCloud
from gpuinstance_simulator.hostwinds.orders import UpgradeOrder
from gpuinstance_simulator.hostwinds.shop import Plan
from gpuinstance_simulator.machine import Machine


class Bills:
    """These actions, over one cloud."""

    def __init__(self, cloud: HostwindsCloud) -> None:
        self._cloud = cloud

    def table(self) -> Mapping[str, Verb]:
        """Each action's method, by the name of the action."""
        return {
            "get_price_list": self._prices,
            "get_billingcycle_prices": self._cycle_prices,
            "check_upgrade_order": self._check_order,
            "check_upgrade_reboot": self._check_reboot,
            "upgrade_instance": self._order,
            "upgrade_server": self._step(upgrades.apply),
            "confirm_upgrade": self._step(upgrades.confirm),
            "revert_upgrade": self._step(upgrades.revert),
            "change_billing_cycle": self._change_cycle,
        }

    def _prices(self, ask: Ask) -> Done:
        """Drive type, management and disk, which it also takes, make no difference here."""
        cloud, service_id = self._cloud, ask.form.service_id
        current = upgrades.plan_now(cloud.look(service_id).machine) if service_id else None
        plans = [it for it in cloud.catalogue.products.values() if isinstance(it, Plan) and it.available]
        entries = [answers.price(plan, position, current) for position, plan in enumerate(plans, 1)]
        if cloud.quirks.price_list == "map":
            return read(cloud, {str(it["id"]): it for it in entries}, bare=False)
        return read(cloud, entries, bare=False)

    def _cycle_prices(self, _: Ask) -> Done:
        """An empty object is all that is documented."""
        return Done({})

    def _check_order(self, ask: Ask) -> Done:
        machine = self._cloud.look(ask.form.service_id).machine
        order, quirks = self._visible_order(machine), self._cloud.quirks
        if order is not None:
            return read(self._cloud, answers.upgrade_order(order, with_status=quirks.order_status), machine, bare=False)
        match quirks.no_order:
            case "item":
                raise CloudError(Refusal.NO_ORDER, "no upgrade order is open")
            case "empty":
                return Done(None, machine)
            case "list":
                return Done({"success": []}, machine)
            case _:
                return Done({"success": False}, machine)

    def _check_reboot(self, ask: Ask) -> Done:
        """Whether the open order changes memory or processors; false without an order, which is an assumption."""
        machine = self._cloud.look(ask.form.service_id).machine
        order = self._cloud.books.open_order(machine.id)
        return Done({"success": order is not None and not order.changes_only_the_disk}, machine)

    def _order(self, ask: Ask) -> Done:
        """Despite the text of its answer it changes nothing, and the invoice is not named."""
        cloud, form = self._cloud, ask.form
        machine = cloud.machine(form.service_id)
        upgrades.order(cloud, machine.id, upgrades.plan_of(cloud, form.needed("rid"), form.sizes))
        return result(cloud, ask, machine)

    def _step(self, step: Callable[[HostwindsCloud, str], Machine]) -> Verb:
        """An action that needs nothing but the service id; sizes and drive types, where taken, make no difference."""

        def verb(ask: Ask) -> Done:
            return result(self._cloud, ask, step(self._cloud, ask.form.service_id))

        return verb

    def _change_cycle(self, ask: Ask) -> Done:
        self._cloud.machine(ask.form.service_id)
        return result(self._cloud, ask, upgrades.change_cycle(self._cloud, ask.form.service_id, ask.form.months))

    def _visible_order(self, machine: Machine) -> UpgradeOrder | None:
        order = self._cloud.books.open_order(machine.id)
        if order is None or (order.invoice.is_paid and self._cloud.quirks.paid_order_vanishes):
            return None
        return order
