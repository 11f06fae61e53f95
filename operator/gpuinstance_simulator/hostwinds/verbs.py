"""What each action on a server does: one synchronous method an action, from its form to its answer.

Called by `face`, which has checked the API key and words the CloudErrors that are raised here. Prices and
upgrades are in `bills`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gpuinstance_simulator.catalogue import Mode
from gpuinstance_simulator.cloud import Sight
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.hostwinds import answers, upgrades
from gpuinstance_simulator.hostwinds.actions import UNLOCKED
from gpuinstance_simulator.hostwinds.asking import Ask, Done, Verb, read, result
from gpuinstance_simulator.hostwinds.cloud import HostwindsCloud
from gpuinstance_simulator.hostwinds.shop import Plan
from gpuinstance_simulator.machine import Machine, Order, Software
from gpuinstance_simulator.pages import spoil, wanted_page


class Verbs:
    """All actions, over one cloud."""

    def __init__(self, cloud: HostwindsCloud) -> None:
        self._cloud = cloud

    def table(self) -> Mapping[str, Verb]:
        """Each action's method, by the name of the action."""
        simple = {
            "boot": self._cloud.start,
            "shutdown": self._cloud.stop,
            "reboot": self._cloud.restart,
            "recreate": self._cloud.recreate,
            "regenerate_networking": self._cloud.regenerate,
            "terminate": self._cloud.delete,
        }
        return {
            "get_instances": self._instances,
            "get_instance": self._instance,
            "get_instance_ids": self._ids,
            "check_serviceid": self._check,
            "get_instance_ips": self._addresses,
            "get_instance_maintenance": self._maintenance,
            "add_instance": self._add,
            **{name: self._changing(change) for name, change in simple.items()},
            "reinstall_instance": self._reinstall,
            "edit_instance": self._rename,
            "toggle_lock": self._toggle_lock,
        }

    def _instances(self, ask: Ask) -> Done:
        shown = spoil(self._cloud.listing(), ask.page_faults)
        return read(self._cloud, [answers.server(self._cloud, it) for it in shown])

    def _instance(self, ask: Ask) -> Done:
        sight = self._cloud.look(ask.form.service_id)
        return read(self._cloud, answers.server(self._cloud, sight), sight.machine)

    def _ids(self, ask: Ask) -> Done:
        form = ask.form
        search, place = form.text("search").lower(), form.text("location_id")
        found = [it.machine for it in self._cloud.listing() if _matches(it, search, place)]
        size = form.number("limit") or len(found)
        number = wanted_page(form.number("page") or 0, ask.page_faults)
        start = (page_index(number, self._cloud.quirks.first_page) - 1) * size
        page = spoil(found[start : start + size], ask.page_faults)
        return read(self._cloud, [answers.server_id(self._cloud, it) for it in page])

    def _check(self, ask: Ask) -> Done:
        try:
            machine = self._cloud.look(ask.form.service_id).machine
        except CloudError:
            if self._cloud.quirks.unknown_service == "item":
                raise
            return Done({"success": False})
        return Done({"success": True}, machine)

    def _addresses(self, ask: Ask) -> Done:
        machine = self._cloud.look(ask.form.service_id).machine
        return read(self._cloud, [answers.server_id(self._cloud, machine)], machine)

    def _maintenance(self, ask: Ask) -> Done:
        """What it says is an assumption, as long as nothing is going on too."""
        machine = self._cloud.look(ask.form.service_id).machine
        task = self._cloud.engine.state_of(machine).seconds is not None
        text = "A task is in progress." if task else "No maintenance is in progress."
        return result(self._cloud, ask, machine, text)

    def _add(self, ask: Ask) -> Done:
        """The id of the new server is not in the answer."""
        form, months = ask.form, ask.form.months
        if form.needed("location_id") not in self._cloud.catalogue.clusters:
            raise CloudError(Refusal.NO_SUCH_CLUSTER, "unknown location")
        template = self._cloud.template_id(form.needed("template"))
        if not months and not self._cloud.quirks.hourly_enabled:
            raise CloudError(Refusal.MODE_NOT_OFFERED, "hourly products are disabled")
        rid = form.needed("rid")
        listed = self._cloud.catalogue.products.get(rid)
        is_custom = isinstance(listed, Plan) and listed.unit_prices is not None
        order = Order(
            name=form.text("srvrname"),
            product_id=rid,
            cluster_id=form.text("location_id"),
            software=Software(image=template),
            mode=Mode.MONTHLY if months else Mode.ON_DEMAND,
            months=months,
            made_to_measure=upgrades.plan_of(self._cloud, rid, form.sizes) if is_custom else None,
        )
        for _ in range(form.quantity):
            machine = self._cloud.create(order)
            self._cloud.server(machine).ssh_keys = form.array("keys")
        return result(self._cloud, ask, machine)

    def _changing(self, change: Callable[[str], Machine]) -> Verb:
        """An action that needs nothing but the service id."""

        def verb(ask: Ask) -> Done:
            machine = change(ask.form.service_id)
            return result(self._cloud, ask, machine)

        return verb

    def _reinstall(self, ask: Ask) -> Done:
        machine = self._cloud.reinstall(ask.form.service_id, ask.form.text("template"))
        return result(self._cloud, ask, machine)

    def _rename(self, ask: Ask) -> Done:
        self._cloud.machine(ask.form.service_id)
        machine = self._cloud.rename(ask.form.service_id, ask.form.needed("srvrname"))
        return result(self._cloud, ask, machine)

    def _toggle_lock(self, ask: Ask) -> Done:
        machine = self._cloud.toggle_lock(ask.form.service_id)
        text = None if self._cloud.server(machine).is_locked else UNLOCKED
        return result(self._cloud, ask, machine, text)


def page_index(number: int, first_page: int) -> int:
    """The page meant by a page number: 1 is the first, also for numbers below it."""
    return max(1, number - first_page + 1)


def _matches(sight: Sight, search: str, place: str) -> bool:
    """Part of the label or of the host name, in any case."""
    machine = sight.machine
    texts = (machine.name.lower(), answers.hostname(machine).lower())
    return any(search in text for text in texts) and place in ("", machine.cluster_id)
