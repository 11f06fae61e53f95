"""Novita's GPU instance API, version 1, as a `Provider`.

Called by `reconcile` through the wrappers. It executes and reports: no comparison, no retry of a
change, no waiting for an effect. Parsing is in `wire` and `catalogue`, errors are in
`errors`, request bodies in `requests`.

Facts that shape it: every change is a POST with the id in the body and is accepted first, carried out
later; there is no idempotency key; names and product names are searched fuzzily; unknown query
parameters are ignored without a word; a listing lacks the addresses of ports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import httpx
from pydantic import ValidationError

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingMode
from gpuinstance.core.access import Access
from gpuinstance.core.model import Listing, Machine, Order, Port, Product, Region, Software, Template
from gpuinstance.providers.answers import Call, unusable
from gpuinstance.providers.base import Capabilities, IncompleteListing, Rejected
from gpuinstance.providers.http import DEFAULT_LIMITS, Limits, utc_now
from gpuinstance.providers.http_json import JsonEdge
from gpuinstance.providers.lacking import WithoutOrderedUpgrades, WithoutRebuilds, unsupported
from gpuinstance.providers.lenient import Wire
from gpuinstance.providers.novita import requests
from gpuinstance.providers.novita.access import AccessAnswer
from gpuinstance.providers.novita.catalogue import ClustersAnswer, ProductsAnswer, RegistryAuthsAnswer, TemplateAnswer
from gpuinstance.providers.novita.errors import NOVITA
from gpuinstance.providers.novita.wire import CreateAnswer, MachineAnswer, PageAnswer
from gpuinstance.providers.novita.words import BILLING_WORDS
from gpuinstance.providers.pages import Page, read_all

BASE_URL = "https://api.novita.ai/gpu-instance/openapi/v1"
"""The public API."""

PAGE_SIZE = 100
"""Machines a page that are asked for. The largest size is not documented; fewer are coped with."""

LISTING_SECONDS = 120.0
"""A listing that takes longer than this describes the past, and is given up."""

CAPABILITIES = Capabilities(
    billing_modes=frozenset(BillingMode),
    listing_has_addresses=False,
    can_change_ports=True,
    can_grow_disk=True,
    can_change_software=True,
    max_gpu_count=8,
    max_rootfs_gb=6144,
)
"""What API v1 offers, with the limits of its create call."""

Parsed = TypeVar("Parsed", bound=Wire)


class Novita(WithoutRebuilds, WithoutOrderedUpgrades):
    """One account at Novita, reached with one API key.

    Raises Unauthorized with reason CredentialsUnavailable if the key cannot be one. `transport`,
    `sleep` and `now` are seams for tests.
    """

    _PROVIDER = "Novita"

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str = BASE_URL,
        limits: Limits = DEFAULT_LIMITS,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._http = JsonEdge(base_url, api_key, NOVITA, limits=limits, transport=transport, sleep=sleep, now=now)
        self._now = now

    @property
    def name(self) -> str:
        """The provider's name as in `spec.provider`."""
        return "novita"

    @property
    def capabilities(self) -> Capabilities:
        """What Novita can do."""
        return CAPABILITIES

    async def list_machines(self) -> Listing:
        """All machines of the account; raises IncompleteListing rather than guess."""
        started_at = self._now()
        try:
            async with asyncio.timeout(LISTING_SECONDS):
                machines = await read_all(self._page)
        except TimeoutError:
            message = f"Novita's listing was not complete after {LISTING_SECONDS:.0f} s"
            raise IncompleteListing(message) from None
        return Listing(machines, started_at)

    async def get_machine(self, machine_id: str) -> Machine:
        """One machine with its addresses; raises NotFound on Novita's own word only."""
        call = Call("get instance", missing=Reason.INSTANCE_LOST)
        answer = await self._read(call, "/gpu/instance", {"instanceId": machine_id}, MachineAnswer)
        if answer.id != machine_id:
            raise unusable(call, NOVITA, "the answer is about another instance")
        return answer.to_machine()

    async def get_access(self, machine_id: str) -> Access:
        """The ways into one running machine: what the same answer holds beside the machine."""
        call = Call("get access", missing=Reason.INSTANCE_LOST)
        answer = await self._read(call, "/gpu/instance", {"instanceId": machine_id}, AccessAnswer)
        if answer.id != machine_id:
            raise unusable(call, NOVITA, "the answer is about another instance")
        return answer.to_access()

    async def list_products(self, *, name: str, gpu_count: int, mode: BillingMode) -> Sequence[Product]:
        """Products whose name contains something like `name`, for so many GPUs and that billing mode."""
        params: dict[str, str | int] = {"gpuNum": gpu_count, "billingMethod": BILLING_WORDS[mode]}
        if name:
            params["productName"] = name
        answer = await self._read(Call("list products"), "/products", params, ProductsAnswer)
        return answer.products()

    async def list_regions(self) -> Sequence[Region]:
        """All clusters: `id` is what a create takes, `name` what products list as their regions."""
        return (await self._read(Call("list clusters"), "/clusters", {}, ClustersAnswer)).regions()

    async def get_template(self, template_id: str) -> Template:
        """One template, flattened; raises NotFound with reason TemplateNotFound."""
        call = Call("get template", missing=Reason.TEMPLATE_NOT_FOUND)
        body = (await self._read(call, "/template", {"templateId": template_id}, TemplateAnswer)).template
        if body.id not in {"", template_id}:
            raise unusable(call, NOVITA, "the answer is about another template")
        if not body.image:
            raise Rejected(f"template {template_id} names no image", reason=Reason.TEMPLATE_NOT_FOUND)
        return body.to_template()

    async def list_registry_auths(self) -> Sequence[str]:
        """Ids of stored registry credentials; the credentials themselves are dropped at the parser."""
        answer = await self._read(Call("list registry auths"), "/repository/auths", {}, RegistryAuthsAnswer)
        return [auth.id for auth in answer.data if auth.id]

    async def create(self, order: Order) -> str:
        """Buy a machine; returns its id. Names are not unique at Novita: look before and after."""
        call = Call("create", changes=True, secrets=_values(order.software))
        value = await self._http.change(call, "/gpu/instance/create", requests.create(order))
        return _parsed(CreateAnswer, value, call).id

    async def start(self, machine_id: str) -> None:
        """Start a stopped machine; raises OutOfCapacity if its GPU was sold meanwhile."""
        await self._change("start", {"instanceId": machine_id})

    async def stop(self, machine_id: str) -> None:
        """Stop a running machine; its disk is kept and billed for some days, its GPU is not kept."""
        await self._change("stop", {"instanceId": machine_id})

    async def restart(self, machine_id: str) -> None:
        """Restart a running machine."""
        await self._change("restart", {"instanceId": machine_id})

    async def delete(self, machine_id: str) -> None:
        """Ask for removal; Rejected with reason DeletionRefused for monthly billing."""
        await self._change("delete", {"instanceId": machine_id})

    async def set_ports(self, machine_id: str, ports: Sequence[Port]) -> None:
        """Replace the exposed ports; takes effect within about a minute, without a restart."""
        await self._change("edit", requests.set_ports(machine_id, ports))

    async def grow_disk(self, machine_id: str, *, from_gb: int, to_gb: int) -> None:
        """Grow the root disk. Novita takes an increment: after an unknown outcome, read the size again."""
        if to_gb > from_gb:
            await self._change("edit", requests.grow_disk(machine_id, to_gb - from_gb))

    async def change_software(self, machine_id: str, software: Software, *, keep_data: bool) -> None:
        """Reset the machine to another image, environment or command (Novita calls it upgrade)."""
        body = requests.change_software(machine_id, software, keep_data=keep_data)
        await self._change("upgrade", body, secrets=_values(software))

    async def switch_to_monthly(self, machine_id: str, months: int) -> None:
        """Pay for an on-demand machine monthly from now on: a purchase, after which it cannot be deleted."""
        body = {"instanceId": machine_id, "month": months}
        await self._change("transToMonthlyInstance", body, what="switch to monthly billing")

    async def rename(self, machine_id: str, name: str) -> None:
        """Refuse: a name is given once, when the machine is bought."""
        raise unsupported(self._PROVIDER, "rename a machine")

    async def aclose(self) -> None:
        """Release connections."""
        await self._http.aclose()

    async def _page(self, number: int) -> Page:
        call = Call("list instances")
        value = await self._http.read(call, "/gpu/instances", {"pageSize": PAGE_SIZE, "pageNum": number})
        try:
            answer = PageAnswer.model_validate(value)
        except ValidationError:
            raise IncompleteListing(f"page {number} of Novita's listing cannot be read") from None
        machines = tuple(entry.to_machine() for entry in answer.instances or ())
        return Page(machines, None if answer.total is None else int(answer.total))

    async def _read(self, call: Call, path: str, params: Mapping[str, str | int], model: type[Parsed]) -> Parsed:
        return _parsed(model, await self._http.read(call, path, params), call)

    async def _change(
        self, verb: str, body: Mapping[str, object], *, what: str = "", secrets: tuple[str, ...] = ()
    ) -> None:
        """Send a change whose answer is not documented: a success without an error's name is enough."""
        call = Call(what or verb, changes=True, missing=Reason.INSTANCE_LOST, secrets=secrets)
        value = await self._http.change(call, f"/gpu/instance/{verb}", body)
        if isinstance(value, dict) and (value.get("reason") or value.get("error")):
            raise unusable(call, NOVITA, "a success that names an error")


def _parsed(model: type[Parsed], value: object, call: Call) -> Parsed:
    try:
        return model.model_validate(value)
    except ValidationError:
        raise unusable(call, NOVITA, "the answer lacks what it should hold") from None


def _values(software: Software) -> tuple[str, ...]:
    """Return what Novita might echo in an error and must not be shown."""
    return tuple(value for _, value in software.env)
