"""Novita's answers about machines, API v1, parsed into the operator's words.

Called by `adapter` only. Lenient wherever the API is known to vary: numbers come as text or numbers,
`""`, `"0"` and `"-1"` mean "none", optional fields are missing or null, unknown fields and words appear
without notice. Strict only about identity: an entry without an id is an error. What is not declared
here is dropped at once, above all the passwords of SSH and web terminal and the values of environments.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field

from gpuinstance.api.words import BillingMode
from gpuinstance.core.model import Machine, MachineState, Port, SpotState
from gpuinstance.providers.answers import excerpt
from gpuinstance.providers.lenient import Moment, Number, Rows, Text, Wire, whole
from gpuinstance.providers.novita.words import BILLING_MODES, PROTOCOLS, SPOT_STATES, STATES, address, usd


class _Trouble(Wire):
    state: Text = ""
    message: Text = ""


def _to_trouble(value: object) -> object:
    """Accept a bare text as well."""
    return value if isinstance(value, dict) else {"message": value}


class _PortMapping(Wire):
    port: Number = None
    type: Text = ""
    endpoint: Text = ""

    def to_port(self) -> Port | None:
        protocol = PROTOCOLS.get(self.type.lower())
        number = whole(self.port)
        if protocol is None or number is None:
            return None
        return Port(number, protocol, address(self.endpoint, protocol))


class MachineAnswer(Wire):
    """An entry of `GET /gpu/instances`, or the answer of `GET /gpu/instance`."""

    id: Annotated[Text, Field(min_length=1)]
    name: Text = ""
    status: Text = ""
    cluster_id: Text = Field("", alias="clusterId")
    image_url: Text = Field("", alias="imageUrl")
    gpu_num: Number = Field(None, alias="gpuNum")
    instance_price: Number = Field(None, alias="instancePrice")
    port_mappings: Rows[_PortMapping] = Field((), alias="portMappings")
    product_id: Text = Field("", alias="productId")
    product_name: Text = Field("", alias="productName")
    rootfs_size: Number = Field(None, alias="rootfsSize")
    status_error: Annotated[_Trouble, BeforeValidator(_to_trouble)] = Field(_Trouble(), alias="statusError")
    billing_mode: Text = Field("", alias="billingMode")
    spot_status: Text = Field("", alias="spotStatus")
    spot_reclaim_time: Moment = Field(None, alias="spotReclaimTime")
    created_at: Moment = Field(None, alias="createdAt")
    # Both spellings of the next two have been seen.
    last_started_at: Moment = Field(None, alias="lastStartedAt")
    started_at: Moment = Field(None, alias="startedAt")
    last_stopped_at: Moment = Field(None, alias="lastStoppedAt")
    stopped_at: Moment = Field(None, alias="stoppedAt")

    def to_machine(self) -> Machine:
        """Return the machine in the operator's words."""
        state = STATES.get(self.status.lower(), MachineState.UNKNOWN)
        return Machine(
            id=self.id,
            name=self.name,
            state=state,
            word=excerpt(self.status),
            product_id=self.product_id,
            product_name=self.product_name,
            region=self.cluster_id,
            billing_mode=BILLING_MODES.get(self.billing_mode.lower()),
            spot=self._spot(state),
            reclaimed_at=self.spot_reclaim_time,
            ports=tuple(port for port in (entry.to_port() for entry in self.port_mappings) if port),
            rootfs_gb=whole(self.rootfs_size),
            image=self.image_url,
            gpu_count=whole(self.gpu_num),
            hourly_price=self._hourly_price(),
            # What a running machine still shows of an earlier failure is over.
            trouble="" if state is MachineState.RUNNING else self._trouble(),
            created_at=self.created_at,
            started_at=self.last_started_at or self.started_at,
            stopped_at=self.last_stopped_at or self.stopped_at,
        )

    def _hourly_price(self) -> Decimal | None:
        """Return the price in USD, of all GPUs; it is shown for one.

        Not in every answer, and not documented: what it means for a spot machine, or for one that is paid by the
        month, nobody says. Prices are whole numbers of a small unit: a fraction would be one of another unit.
        """
        gpus, figure = whole(self.gpu_num), self.instance_price
        price = usd(figure) if figure is not None and figure == figure.to_integral_value() else None
        on_demand = BILLING_MODES.get(self.billing_mode.lower()) is BillingMode.ON_DEMAND
        return price * gpus if on_demand and gpus and price is not None and price > 0 else None

    def _spot(self, state: MachineState) -> SpotState | None:
        if not self.spot_status and state is MachineState.STOPPED and self.spot_reclaim_time is not None:
            return SpotState.RECLAIMED  # a stop by a user leaves the time at "0"
        return SPOT_STATES.get(self.spot_status.lower())

    def _trouble(self) -> str:
        return excerpt(self.status_error.message or self.status_error.state)


class PageAnswer(Wire):
    """The answer of `GET /gpu/instances`. `instances` null is an empty page; absent, it is no page."""

    instances: tuple[MachineAnswer, ...] | None
    total: Number = None


class CreateAnswer(Wire):
    """The answer of `POST /gpu/instance/create`."""

    id: Annotated[Text, Field(min_length=1)]
