"""Who is told about what happens to an instance: `spec.notifications`, and the outbox in the status.

A person writes destinations; the operator keeps what it has still to say to them, so that nothing is lost
when it ends. The message itself is in `notices`. No field here holds a secret.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from gpuinstance.api.base import ApiModel, ObjectName, Time, cel, list_map, list_set
from gpuinstance.api.notices import NoticeFacts

MOST_DESTINATIONS = 5
DEFAULT_SIGNING_KEY = "signingSecret"


class NotificationEvent(StrEnum):
    """What can be told; a closed list, of which no word is ever renamed."""

    INSTANCE_STARTUP_INITIATED = "instance.startup.initiated"
    """What ends in a ready instance begins: a create, start, restart, recreate, reinstall or new networking."""
    INSTANCE_CREATED = "instance.created"
    """The provider has sold a machine; it is billed from now on."""
    INSTANCE_ADOPTED = "instance.adopted"
    """A machine that existed before is this instance's now."""
    INSTANCE_HEALTH_CHECKING = "instance.health-checking"
    """The machine runs, and its application is being asked whether it serves."""
    INSTANCE_READY = "instance.ready"
    """The machine runs, is healthy, and the spec is applied."""
    INSTANCE_STARTUP_FAILED = "instance.startup.failed"
    """What was to end in a ready instance was refused or failed; told once, however often it is tried again."""
    INSTANCE_STARTUP_TIMEOUT = "instance.startup.timeout"
    """What was to end in a ready instance has passed its deadline, or health checks `maxWaitSeconds`."""
    INSTANCE_UNHEALTHY = "instance.unhealthy"
    """An instance that was ready does not answer as `healthCheck` demands."""
    INSTANCE_UNOBSERVED = "instance.unobserved"
    """An instance that was ready could not be observed for several polls: nobody knows how it is."""
    INSTANCE_RECOVERING = "instance.recovering"
    """`spec.recovery` begins an attempt."""
    INSTANCE_SPOT_NOTICE = "instance.spot-notice"
    """The provider announces that it takes a spot machine back, does so, or has done so; see `reason`."""
    INSTANCE_CHARGED_ABOVE_LIMIT = "instance.charged-above-limit"
    """The machine runs and costs more than `spec.billing.maxHourlyPrice`; it is left running."""
    INSTANCE_STOPPED = "instance.stopped"
    """The machine is down, as `powerState` asks."""
    INSTANCE_EXITED = "instance.exited"
    """The machine went down by itself."""
    INSTANCE_LOST = "instance.lost"
    """The machine has vanished at the provider without the operator's doing."""
    INSTANCE_FAILED = "instance.failed"
    """Any other trouble that a person has to help with; see `reason`."""
    INSTANCE_DELETED = "instance.deleted"
    """The object goes: its machine is gone, or kept at the provider as `deletionPolicy` asks. Nothing follows."""
    UPGRADE_AWAITING_PAYMENT = "upgrade.awaiting-payment"
    """An upgrade is ordered, and its invoice waits to be paid; see `order`."""
    UPGRADE_AWAITING_CONFIRMATION = "upgrade.awaiting-confirmation"
    """The machine runs with its new sizes, and somebody has to confirm them."""
    UPGRADE_COMPLETED = "upgrade.completed"
    """The machine is what the upgrade asks for."""
    UPGRADE_FAILED = "upgrade.failed"
    """The upgrade has ended, and the machine is not what it asks for; see `reason`."""
    UPGRADE_CANCELLED = "upgrade.cancelled"
    """The upgrade was ended before payment."""


class SecretValueRef(ApiModel):
    """One key of a Secret in the same namespace."""

    name: ObjectName = Field(description="Name of the Secret, in the same namespace.")
    key: Annotated[str, Field(min_length=1, max_length=253)] = Field(description="The key in it.")


class SigningSecretRef(ApiModel):
    """The Secret with which notifications are signed."""

    name: ObjectName = Field(description="Name of the Secret, in the same namespace.")
    key: Annotated[str, Field(min_length=1, max_length=253)] = Field(
        DEFAULT_SIGNING_KEY, description="The key in it. Default: `signingSecret`."
    )


class UrlSource(ApiModel):
    """Where an address comes from that is itself a secret."""

    secret_key_ref: SecretValueRef = Field(description="A key of a Secret in the same namespace.")


class Notification(ApiModel):
    """One destination; exactly one of `url` and `urlFrom`."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("has(self.url) != has(self.urlFrom)", "exactly one of url and urlFrom is required"),
        )
    )

    name: Annotated[str, Field(min_length=1, max_length=63, pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")] = Field(
        description="A name of your own for it, unique in the list."
    )
    url: (
        Annotated[
            str,
            Field(
                max_length=2048,
                json_schema_extra=cel(
                    (
                        "self.matches('^https?://[^/?#@ ]+([/?][^ ]*)?$')",
                        "must be an http or https address without user name and password",
                    )
                ),
            ),
        ]
        | None
    ) = Field(None, description="Where notifications are sent, by POST; in plain sight: see `urlFrom`.")
    url_from: UrlSource | None = Field(None, description="Takes the address from a Secret.")
    signing_secret_ref: SigningSecretRef = Field(
        description=(
            "The Secret that signs them: `whsec_` and 24 to 64 random bytes in base64. Several, separated by spaces, "
            "each make a signature of their own, so that a secret can be replaced without a gap."
        )
    )
    events: (
        Annotated[list[NotificationEvent], Field(max_length=len(NotificationEvent), json_schema_extra=list_set())]
        | None
    ) = Field(None, description="What is told. Empty: everything, also what later versions add.")

    def wants(self, event: NotificationEvent) -> bool:
        """True if this destination is to be told of the event."""
        return not self.events or event in self.events


class Recipient(ApiModel):
    """Who has not taken a notification yet."""

    name: str = Field(description="Name of the destination in `spec.notifications`.")
    missed: int | None = Field(None, description="How many earlier notifications it will never get.")


class PendingNotification(ApiModel):
    """One notification that is still to be delivered."""

    id: str = Field(description="The same in each delivery of this notification.")
    event: str = Field(description="What has happened.")
    at: Time = Field(description="When it was saved.")
    to: Annotated[list[Recipient], Field(json_schema_extra=list_map("name"))] = Field(
        description="Who has not taken it yet."
    )
    facts: NoticeFacts = Field(description="What is told, as it was at that moment.")


class NotificationTrouble(ApiModel):
    """A destination that does not get what it should."""

    name: str = Field(description="Name of the destination in `spec.notifications`.")
    since: Time = Field(description="When it began.")
    message: str | None = Field(None, description="Why notifications wait; absent while none does.")
    missed: int | None = Field(
        None, description="How many notifications were given up; told with the next one, and forgotten then."
    )
    gone: str | None = Field(
        None,
        description=(
            "Set after it answered 410: nothing is sent before its part of the spec, or its Secret, changes. "
            "A fingerprint of both, made with the signing secret."
        ),
    )


Destinations = Annotated[list[Notification], Field(max_length=MOST_DESTINATIONS, json_schema_extra=list_map("name"))]
Outbox = Annotated[list[PendingNotification], Field(json_schema_extra=list_map("id"))]
Troubles = Annotated[list[NotificationTrouble], Field(json_schema_extra=list_map("name"))]
