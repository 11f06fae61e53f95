"""What each of Novita's v1 calls does: one synchronous method a call, from its parameters to its JSON.

Called by `face`, which has checked the API key and turns what is raised here into error answers:
pydantic's ValidationError for a broken limit, CloudError for a refusal of the cloud. Answers of `start`
and `stop` are as observed, those of the other changes are undocumented and empty here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gpuinstance_simulator.catalogue import Catalogue, Mode, Product
from gpuinstance_simulator.cloud import Sight
from gpuinstance_simulator.effects import Page
from gpuinstance_simulator.errors import CloudError, Refusal
from gpuinstance_simulator.machine import Machine
from gpuinstance_simulator.novita import answers, billing, queries, requests
from gpuinstance_simulator.novita.paging import Quirks, cut
from gpuinstance_simulator.pages import spoil, wanted_page
from gpuinstance_simulator.simulation import Simulation
from gpuinstance_simulator.switches import Switches


@dataclass(frozen=True, slots=True)
class Ask:
    """One call, parsed but not yet checked."""

    query: Mapping[str, str]
    body: Mapping[str, object] | None
    """The JSON object that was sent; None if something else was."""
    page_faults: Sequence[Page] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """What to answer, and the machine that the call was about."""

    payload: answers.Json = field(default_factory=dict)
    machine: Machine | None = None


class Verbs:
    """All calls, over one simulation."""

    def __init__(self, simulation: Simulation, switches: Switches[Quirks]) -> None:
        self._simulation = simulation
        self._cloud = simulation.cloud
        self._switches = switches

    def instances(self, ask: Ask) -> Done:
        """`GET /gpu/instances`."""
        query = queries.InstancesQuery.model_validate(ask.query)
        found = self._cloud.listing()
        if query.name or query.product_name or query.status:
            found = [it for it in found if _is_wanted(it, query)]
        number = wanted_page(query.page_num, ask.page_faults)
        page = spoil(cut(self._quirks, found, number, query.page_size), ask.page_faults)
        empty_mode = self._quirks.empty_billing_mode
        entries = [answers.summary(self._cloud, it, empty_billing_mode=empty_mode) for it in page]
        total = str(len(found)) if self._quirks.total_as_text else len(found)
        return Done({"instances": entries, "total": total})

    def instance(self, ask: Ask) -> Done:
        """`GET /gpu/instance`: the bare object."""
        query = queries.InstanceQuery.model_validate(ask.query)
        sight = self._cloud.look(query.instance_id)
        return Done(answers.detail(self._simulation, sight), sight.machine)

    def create(self, ask: Ask) -> Done:
        """`POST /gpu/instance/create`: nothing but the id comes back."""
        machine = self._cloud.create(requests.CreateRequest.model_validate(ask.body).to_order())
        return Done({"id": machine.id}, machine)

    def start(self, ask: Ask) -> Done:
        """`POST /gpu/instance/start`."""
        return _accepted(self._cloud.start(_instance_id(ask)))

    def stop(self, ask: Ask) -> Done:
        """`POST /gpu/instance/stop`."""
        return _accepted(self._cloud.stop(_instance_id(ask)))

    def restart(self, ask: Ask) -> Done:
        """`POST /gpu/instance/restart`."""
        return Done(machine=self._cloud.restart(_instance_id(ask)))

    def delete(self, ask: Ask) -> Done:
        """`POST /gpu/instance/delete`."""
        return Done(machine=self._cloud.delete(_instance_id(ask)))

    def migrate(self, ask: Ask) -> Done:
        """`POST /gpu/instance/migrate`."""
        return Done(machine=self._cloud.migrate(_instance_id(ask)))

    def edit(self, ask: Ask) -> Done:
        """`POST /gpu/instance/edit`: the disk grows *by* the given size."""
        request = requests.EditRequest.model_validate(ask.body)
        ports, grow_gb = request.to_ports(), request.expand_root_disk
        return Done(machine=self._cloud.edit(request.instance_id, ports=ports, grow_gb=grow_gb))

    def upgrade(self, ask: Ask) -> Done:
        """`POST /gpu/instance/upgrade`: a reset to other software."""
        request = requests.UpgradeRequest.model_validate(ask.body)
        software = request.to_software()
        return Done(machine=self._cloud.upgrade(request.instance_id, software, keep_data=request.save))

    def switch_to_monthly(self, ask: Ask) -> Done:
        """`POST /gpu/instance/transToMonthlyInstance`: a purchase."""
        request = requests.MonthlyRequest.model_validate(ask.body)
        return Done(machine=billing.switch_to_monthly(self._cloud, request.instance_id, request.month))

    def clusters(self, _: Ask) -> Done:
        """`GET /clusters`."""
        return Done({"data": [answers.cluster(self._cloud, it) for it in self._catalogue.clusters.values()]})

    def products(self, ask: Ask) -> Done:
        """`GET /products`: no pages, no filter for availability."""
        query = queries.ProductsQuery.model_validate(ask.query)
        found = [it for it in self._catalogue.products.values() if _is_offered(it, query)]
        return Done({"data": [answers.product(self._cloud, it, gpu_count=query.gpu_num) for it in found]})

    def template(self, ask: Ask) -> Done:
        """`GET /template`."""
        query = queries.TemplateQuery.model_validate(ask.query)
        found = self._catalogue.templates.get(query.template_id)
        if found is None:
            raise CloudError(Refusal.NO_SUCH_TEMPLATE, "template not found")
        return Done({"template": answers.template(found)})

    def templates(self, ask: Ask) -> Done:
        """`GET /templates`: the array is called `template`, in the singular."""
        query = queries.TemplatesQuery.model_validate(ask.query)
        channels = {it.strip() for it in query.channel.split(",") if it.strip()}
        found = [
            it
            for it in self._catalogue.templates.values()
            if _contains(it.name, query.name) and (not channels or it.channel in channels)
        ]
        page = cut(self._quirks, found, query.page_num, query.page_size)
        return Done(
            {
                "template": [answers.template(it) for it in page],
                "pageSize": query.page_size,
                "pageNum": query.page_num,
                "total": len(found),
            }
        )

    def registry_auths(self, _: Ask) -> Done:
        """`GET /repository/auths`."""
        return Done({"data": [answers.registry_auth(it) for it in self._catalogue.registry_auths.values()]})

    def network_storages(self, ask: Ask) -> Done:
        """`GET /networkstorages/list`."""
        query = queries.StoragesQuery.model_validate(ask.query)
        found = [
            it
            for it in self._catalogue.network_storages.values()
            if _contains(it.name, query.storage_name) and query.storage_id in ("", it.id)
        ]
        page = cut(self._quirks, found, query.page_no, query.page_size)
        return Done({"data": [answers.network_storage(self._cloud, it) for it in page], "total": len(found)})

    @property
    def _quirks(self) -> Quirks:
        return self._switches.now

    @property
    def _catalogue(self) -> Catalogue:
        return self._cloud.catalogue


def _instance_id(ask: Ask) -> str:
    return requests.InstanceRequest.model_validate(ask.body).instance_id


def _accepted(machine: Machine) -> Done:
    return Done({"instanceId": machine.id, "state": machine.word}, machine)


def _contains(text: str, part: str) -> bool:
    """Novita's fuzzy search, as far as it is known: part of the text in any case."""
    return part.lower() in text.lower()


def _is_wanted(sight: Sight, query: queries.InstancesQuery) -> bool:
    return (
        _contains(sight.machine.name, query.name)
        and _contains(sight.machine.product.name, query.product_name)
        and query.status in ("", sight.word)
    )


def _is_offered(product: Product, query: queries.ProductsQuery) -> bool:
    return (
        Mode(query.billing_method) in product.modes
        and (not query.cluster_id or product.is_in(query.cluster_id))
        and _contains(product.name, query.product_name)
        and product.cpu >= query.min_cpu_per_gpu
        and product.memory_gb >= query.min_memory_per_gpu
        and product.max_rootfs_gb >= query.min_root_fs_size
    )
