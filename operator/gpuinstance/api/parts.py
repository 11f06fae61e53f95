"""The small models that the spec of a GPUInstance is made of, one for each thing that belongs together."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import ConfigDict, Field, WithJsonSchema

from gpuinstance.api.base import ApiModel, Duration, ObjectName, cel
from gpuinstance.api.words import BillingMode, PortProtocol, RecoveryPolicy, SpotReclaimPolicy

PortNumber = Annotated[
    int,
    Field(
        ge=1,
        le=65535,
        json_schema_extra=cel(
            ("self < 2222 || self > 2224", "ports 2222, 2223 and 2224 are reserved by the provider"),
        ),
    ),
]

Price = Annotated[
    Decimal,
    WithJsonSchema({"type": "number", "minimum": 0, "exclusiveMinimum": True}),
]
"""US dollars."""


class CredentialsRef(ApiModel):
    """Names the Secret that holds the provider's API key under `apiKey`."""

    name: ObjectName = Field(description=("Name of a Secret in the same namespace, with the key `apiKey`."))


class Product(ApiModel):
    """Which kind of machine; exactly one of `name` and `id`."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("has(self.name) != has(self.id)", "exactly one of name and id is required"),
        )
    )

    name: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None,
        description=(
            "The provider's name of a product, e.g. `RTX 4090 24GB`. Of all products with this name the operator takes "
            "the cheapest that is available, offers the billing mode and is in a wanted region; ties go to more memory "
            "per GPU, then more CPU, then the lower id."
        ),
    )
    id: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None, description="The provider's id of one product, e.g. `4090.16c62g`."
    )


class KeyRef(ApiModel):
    """One key of a Secret or ConfigMap in the same namespace."""

    name: ObjectName = Field(description="Name of the object, in the same namespace.")
    key: Annotated[str, Field(min_length=1, max_length=253)] = Field(description="The key in it.")
    optional: bool = Field(
        False, description=("If true, a missing object or key leaves the variable out instead of stopping the create.")
    )


class EnvSource(ApiModel):
    """Where the value of a variable comes from; exactly one source."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "has(self.secretKeyRef) != has(self.configMapKeyRef)",
                "exactly one of secretKeyRef and configMapKeyRef is required",
            ),
        )
    )

    secret_key_ref: KeyRef | None = Field(None, description="A key of a Secret.")
    config_map_key_ref: KeyRef | None = Field(None, description="A key of a ConfigMap.")


class EnvVar(ApiModel):
    """One environment variable of the machine."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("has(self.value) != has(self.valueFrom)", "exactly one of value and valueFrom is required"),
        )
    )

    name: Annotated[str, Field(min_length=1, max_length=511)] = Field(description="Name of the variable.")
    value: Annotated[str, Field(max_length=4095)] | None = Field(
        None,
        description=("Its value, in plain sight of everybody who can read the object; put secrets into `valueFrom`."),
    )
    value_from: EnvSource | None = Field(
        None,
        description=(
            "Takes the value from a Secret or ConfigMap in the same namespace, read when the "
            "machine is created or its image changed."
        ),
    )


class PortSpec(ApiModel):
    """One port that the provider publishes."""

    port: PortNumber = Field(
        description=("Port in the machine, 1-65535 except 2222-2224, which the provider keeps for itself.")
    )
    protocol: PortProtocol = Field(
        PortProtocol.HTTP,
        description=(
            "At Novita `http` gets an https address from the provider, `tcp` a host and port. At Hostwinds every port "
            "is reached at the machine's own address: `http` by http, port 443 by https."
        ),
    )
    name: Annotated[str, Field(min_length=1, max_length=63)] | None = Field(
        None, description="A name of your own for it, unique in the list."
    )


class NetworkVolume(ApiModel):
    """One network volume of the provider."""

    id: Annotated[str, Field(min_length=1, max_length=255)] = Field(
        description=("The provider's id of the volume. It ties the machine to the volume's region.")
    )
    mount_path: Annotated[str, Field(min_length=1, max_length=4095)] = Field(
        "/network", description="Where it is mounted."
    )


class Billing(ApiModel):
    """How the machine is paid for, and how much it may cost."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("!has(self.months) || self.mode == 'Monthly'", "months is only for mode Monthly"),
            ("self.mode != 'Monthly' || has(self.months)", "mode Monthly needs months"),
        )
    )

    mode: BillingMode = Field(
        BillingMode.ON_DEMAND,
        description=(
            "`OnDemand` by the second; `Spot` cheaper, and the provider may take the machine "
            "back; `Monthly` paid ahead - the provider refuses to delete such a machine before "
            "its term ends."
        ),
    )
    months: Annotated[int, Field(ge=1, le=36)] | None = Field(None, description="Term of `Monthly`, in months.")
    max_hourly_price: Price | None = Field(
        None,
        description=(
            "US dollars per hour for the whole machine, all GPUs together. Checked against the provider's current "
            "price right before every purchase, and every start that is billed; above it nothing is bought or started. "
            "Prices of a month and more are divided by 730 hours a month; an unknown price is above any limit."
        ),
    )


class Timeouts(ApiModel):
    """How long each step may take before it counts as failed."""

    create: Duration = Field(
        timedelta(minutes=30),
        description=(
            "From the create call, a rebuild, a reinstall or new networking to a running machine; includes pulling the "
            "image, which is billed."
        ),
    )
    start: Duration = Field(timedelta(minutes=15), description="From a start or restart to a running machine.")
    stop: Duration = Field(timedelta(minutes=10), description="From a stop to a machine that is down.")
    delete: Duration = Field(
        timedelta(minutes=10),
        description=("From a delete to a machine that is gone; passing it is reported, deletion goes on."),
    )


class Recovery(ApiModel):
    """What the operator does by itself about a machine in trouble, and how often."""

    policy: RecoveryPolicy = Field(
        RecoveryPolicy.NEVER,
        description=(
            "For a machine that does not become or stay healthy, or goes down by itself: `Never` reports it; `Restart` "
            "restarts or starts it; `Recreate` removes it with all data on it and buys another by the current spec and "
            "price cap, also after a failure or loss (at Hostwinds a machine that exists is rebuilt in place, all data "
            "on it lost). Nothing is done while more than half of the namespace's "
            "instances are in trouble: then the cause is likely elsewhere."
        ),
    )
    max_attempts: Annotated[int, Field(ge=1, le=10)] = Field(
        3,
        description=(
            "Attempts, 1-10, before a person is asked; counted in `status.recoveryAttempts`, forgotten after ten "
            "minutes of being Ready. The pause between attempts doubles from 30 seconds to 10 minutes. Default: 3."
        ),
    )
    on_spot_reclaim: SpotReclaimPolicy = Field(
        SpotReclaimPolicy.NEVER,
        description=(
            "After the provider has taken a spot machine back: `Never` reports it; `Start` starts it again as soon as "
            "there is capacity; `Recreate` buys another, and asks the price cap again. Default: Never."
        ),
    )


Token = Annotated[
    str,
    Field(
        min_length=1,
        max_length=63,
        json_schema_extra=cel(
            (
                "!self.startsWith('recovery/')",
                "tokens that begin with recovery/ belong to the operator: use another text",
            ),
        ),
    ),
]


class Adopt(ApiModel):
    """A machine that exists already."""

    instance_id: Annotated[str, Field(min_length=1, max_length=255)] = Field(
        alias="instanceID", description="The provider's id of the machine, in the account of this instance."
    )


class Actions(ApiModel):
    """Operations that run once for each new token."""

    restart: Token | None = Field(
        None,
        description=(
            "Any text, e.g. a date. Each text that differs from `status.handledActions.restart` "
            "restarts the machine once."
        ),
    )
    recreate: Token | None = Field(
        None,
        description=(
            "Any text. Each new one replaces the machine, with all data on it: it is removed and another is bought by "
            "the current spec; at Hostwinds it is rebuilt in place as it was bought, and may get another address."
        ),
    )
    reinstall: Token | None = Field(
        None,
        description=(
            "Hostwinds only. Any text. Each new one installs `spec.templateID` on the machine; all data on it is lost."
        ),
    )
    regenerate_networking: Token | None = Field(
        None,
        description=(
            "Hostwinds only. Any text. Each new one sets the machine's network up anew, which restarts it; its address "
            "is learned anew."
        ),
    )
