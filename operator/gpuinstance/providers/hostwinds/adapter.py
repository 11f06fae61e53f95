"""Hostwinds' cloud API as a `Provider`.

Called by `reconcile` through the wrappers. It executes and reports: no comparison, no retry of a change,
no waiting for an effect. How an account is spoken to is in `account`, errors are in
`errors`, envelopes in `envelope`, answers in `wire` and
`catalogue`, forms in `requests`.

Facts that shape it: a purchase answers without an id, so a new server is found by its name; there is no
idempotency key; what is accepted is queued; templates and locations cannot be listed; a server has an
address of its own; an upgrade is ordered, invoiced, paid elsewhere, applied and confirmed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import httpx

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import BillingMode
from gpuinstance.core.access import Access
from gpuinstance.core.model import (
    Listing,
    Machine,
    MachineState,
    Order,
    Plan,
    PlanChoice,
    Port,
    Product,
    Region,
    Software,
    Template,
    UpgradeOrder,
)
from gpuinstance.providers.answers import Call, unusable
from gpuinstance.providers.base import Capabilities
from gpuinstance.providers.hostwinds import requests
from gpuinstance.providers.hostwinds.account import Account
from gpuinstance.providers.hostwinds.catalogue import PriceAnswer, prices
from gpuinstance.providers.hostwinds.errors import HOSTWINDS
from gpuinstance.providers.http import DEFAULT_LIMITS, Limits, utc_now
from gpuinstance.providers.http_form import FormEdge
from gpuinstance.providers.lacking import unsupported

URL = "https://clients.hostwinds.com/cloud/api.php"
"""The one address of the public API."""

CAPABILITIES = Capabilities(
    billing_modes=frozenset({BillingMode.ON_DEMAND}),
    listing_has_addresses=True,
    can_change_ports=False,
    can_grow_disk=False,
    can_change_software=False,
    max_gpu_count=1,
    max_rootfs_gb=1_000_000,
    publishes_ports=False,
    create_returns_id=False,
    rebuilds_in_place=True,
    bills_stopped=True,
    upgrades_are_ordered=True,
)
"""What the API offers. The size of a disk is the plan's business, so that here it has no limit."""

_BUSY = frozenset(state for state in MachineState if state.is_changing) - {MachineState.UNKNOWN}
"""At work, in words that are understood. What an odd word allows is left to the provider."""

_REMOVING = frozenset({MachineState.REMOVING})
_RESIZING = frozenset({MachineState.RESIZING, MachineState.RESIZED})
_NOT_RESIZED = frozenset(MachineState) - {MachineState.RESIZED}
_NOT_AT_REST = frozenset(MachineState) - {MachineState.RUNNING, MachineState.STOPPED}


class Hostwinds:
    """One account at Hostwinds, reached with one API key.

    Raises Unauthorized with reason CredentialsUnavailable if the key cannot be one. `transport`,
    `sleep` and `now` are seams for tests.
    """

    def __init__(
        self,
        api_key: str,
        *,
        url: str = URL,
        limits: Limits = DEFAULT_LIMITS,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        edge = FormEdge(
            url, api_key, HOSTWINDS, key_field="API", limits=limits, transport=transport, sleep=sleep, now=now
        )
        self._account = Account(edge)
        self._now = now

    @property
    def name(self) -> str:
        """The provider's name as in `spec.provider`."""
        return "hostwinds"

    @property
    def capabilities(self) -> Capabilities:
        """What Hostwinds can do."""
        return CAPABILITIES

    async def list_machines(self) -> Listing:
        """All servers of the account; raises IncompleteListing rather than guess."""
        started_at = self._now()
        return Listing(await self._account.servers(), started_at)

    async def get_machine(self, machine_id: str) -> Machine:
        """One server with its address; raises NotFound on Hostwinds' own word only, given twice."""
        return await self._account.look(machine_id)

    async def get_access(self, machine_id: str) -> Access:
        """The way in by SSH: the server's own address, and the root password that is shown with it."""
        return await self._account.access(machine_id)

    async def list_products(self, *, name: str, gpu_count: int, mode: BillingMode) -> Sequence[Product]:
        """Plans whose name contains `name`. There are none with several GPUs, or of another billing mode."""
        if mode not in CAPABILITIES.billing_modes or gpu_count > CAPABILITIES.max_gpu_count:
            return ()
        found = [price.to_product() for price in await self._prices()]
        return [product for product in found if name.strip().lower() in product.name.lower()]

    async def list_regions(self) -> Sequence[Region]:
        """None: locations have ids, which the API does not list."""
        return ()

    async def get_template(self, template_id: str) -> Template:
        """The template as it is named: Hostwinds installs it, and the API does not show any."""
        return Template(template_id, template_id, image="", installed_by_provider=True)

    async def list_registry_auths(self) -> Sequence[str]:
        """None: there are no registries here."""
        return ()

    async def create(self, order: Order) -> str | None:
        """Buy a server; the answer holds no id: it is found by its name. Names are not unique: look before."""
        refusal = requests.refuse_order(order)
        if refusal is not None:
            raise refusal
        await self._account.demand(Call("create", changes=True), "add_instance", requests.create(order))
        return None

    async def start(self, machine_id: str) -> None:
        """Boot a server that is down."""
        await self._account.operate("start", "boot", machine_id, unless=_BUSY | {MachineState.RUNNING})

    async def stop(self, machine_id: str) -> None:
        """Shut a server down; it is billed as before."""
        await self._account.operate("stop", "shutdown", machine_id, unless=_BUSY | {MachineState.STOPPED})

    async def restart(self, machine_id: str) -> None:
        """Reboot a server."""
        await self._account.operate("restart", "reboot", machine_id, unless=_BUSY | {MachineState.STOPPED})

    async def delete(self, machine_id: str) -> None:
        """Terminate a server, for good."""
        await self._account.operate("delete", "terminate", machine_id, unless=_REMOVING)

    async def rename(self, machine_id: str, name: str) -> None:
        """Change the label of a server; its host name stays."""
        await self._account.operate("rename", "edit_instance", machine_id, {"srvrname": name}, unless=_REMOVING)

    async def rebuild(self, machine_id: str) -> None:
        """Recreate a server: deleted and provisioned with its original specification; its address may change."""
        await self._account.operate("rebuild", "recreate", machine_id, unless=_BUSY)

    async def reinstall(self, machine_id: str, template_id: str) -> None:
        """Install a template on a server, whose disk is lost."""
        form = {"template": template_id}
        await self._account.operate("reinstall", "reinstall_instance", machine_id, form, unless=_BUSY)

    async def regenerate_networking(self, machine_id: str) -> None:
        """Set a server's network up anew, which reboots it."""
        await self._account.operate("regenerate networking", "regenerate_networking", machine_id, unless=_BUSY)

    async def list_plans(self, machine_id: str) -> Sequence[Plan]:
        """The price list for this server."""
        return [price.to_plan() for price in await self._prices(machine_id)]

    async def get_upgrade_order(self, machine_id: str) -> UpgradeOrder | None:
        """The open order; None where Hostwinds shows none, in whichever of the ways that it may say so."""
        order = await self._account.open_order(machine_id)
        return None if order is None else order.to_order()

    async def order_upgrade(self, machine_id: str, choice: PlanChoice) -> None:
        """Order another plan: an invoice is made, the server stays as it is. Its number is in the open order."""
        form = requests.upgrade(choice)
        await self._account.operate("order upgrade", "upgrade_instance", machine_id, form, unless=_REMOVING | _RESIZING)

    async def apply_upgrade(self, machine_id: str, *, disk_gb: int | None) -> None:
        """Begin to resize a server at rest. Hostwinds' answer before the invoice is paid is not documented."""
        form = {} if disk_gb is None else {"disk": str(disk_gb)}
        await self._account.operate("apply upgrade", "upgrade_server", machine_id, form, unless=_NOT_AT_REST)

    async def confirm_upgrade(self, machine_id: str) -> None:
        """Keep the new sizes of a resized server; WrongState if it is not resized."""
        await self._account.operate("confirm upgrade", "confirm_upgrade", machine_id, unless=_NOT_RESIZED)

    async def revert_upgrade(self, machine_id: str) -> None:
        """Give a resized server its old sizes back; WrongState if it is not resized."""
        await self._account.operate("revert upgrade", "revert_upgrade", machine_id, unless=_NOT_RESIZED)

    async def set_ports(self, machine_id: str, ports: Sequence[Port]) -> None:
        """Refuse: every port of a server is reachable at its address."""
        raise unsupported("Hostwinds", "publish single ports")

    async def grow_disk(self, machine_id: str, *, from_gb: int, to_gb: int) -> None:
        """Refuse: the disk belongs to the plan, which is changed by an upgrade."""
        raise unsupported("Hostwinds", "grow a disk but by an upgrade of the plan")

    async def change_software(self, machine_id: str, software: Software, *, keep_data: bool) -> None:
        """Refuse: software is the content of a template, which is installed anew by `reinstall`."""
        raise unsupported("Hostwinds", "change image, environment or command of a machine")

    async def switch_to_monthly(self, machine_id: str, months: int) -> None:
        """Refuse: a server is billed by the cycle that it was ordered with."""
        raise unsupported("Hostwinds", "switch a machine to monthly billing")

    async def aclose(self) -> None:
        """Release connections."""
        await self._account.aclose()

    async def _prices(self, machine_id: str | None = None) -> list[PriceAnswer]:
        call = Call("list prices", missing=Reason.INSTANCE_LOST if machine_id else None)
        fields = {"serviceid": machine_id} if machine_id else {}
        found = prices(await self._account.ask(call, "get_price_list", **fields))
        if found is None:
            raise unusable(call, HOSTWINDS, "the price list is no list")
        return found
