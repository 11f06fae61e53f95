"""What a notification says: the body of the webhook, whose JSON schema is docs/notification.schema.json.

Part of the API: fields are added, never renamed. It tells names, reasons and numbers. It has no addresses, no
secrets and no words of a provider, which may hold either.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gpuinstance.api.base import ApiModel, Time


class NoticeOperation(ApiModel):
    """The operation that led there, or is in flight."""

    id: str = Field(description="As in `status.operation`.")
    type: str = Field(description="Create, Start, Stop, Restart, Recreate, Change, Delete and so on.")
    attempt: int = Field(description="How often it was tried.")


class NoticeOrder(ApiModel):
    """The order of an upgrade."""

    invoice_id: str = Field(alias="invoiceID", description="The invoice to be paid.")
    total: str | None = Field(None, description="What it costs, in US dollars.")


class NoticeFacts(ApiModel):
    """What was true at the moment of the event."""

    generation: int = Field(description="The generation of the spec that the event follows from.")
    phase: str | None = Field(None, description="The object's phase after the event.")
    previous_phase: str | None = Field(None, description="The phase before it, where that was another.")
    reason: str | None = Field(None, description="One word out of the closed list in docs/reasons.md.")
    operation: NoticeOperation | None = Field(None, description="The operation that led there, or is in flight.")
    instance: str | None = Field(None, description="For an upgrade: the name of the GPUInstance.")
    machine_id: str | None = Field(None, alias="machineID", description="The provider's id of the machine.")
    hourly_price: str | None = Field(None, description="US dollars per hour, all GPUs together.")
    order: NoticeOrder | None = Field(None, description="The order of an upgrade.")


class NoticeData(NoticeFacts):
    """Which object, and what is true of it."""

    kind: str = Field(description="GPUInstance or InstanceUpgrade.")
    namespace: Annotated[str, Field(max_length=63)] = Field(description="The object's namespace.")
    name: Annotated[str, Field(max_length=253)] = Field(description="The object's name.")
    uid: str = Field(description="The object's uid: another object of the same name has another.")
    missed: int | None = Field(
        None, description="How many earlier notifications about this object this destination will never get."
    )


class Notice(ApiModel):
    """The body of one webhook."""

    type: str = Field(description="What has happened, out of the closed list in docs/notifications.md.")
    timestamp: Time = Field(description="When it was saved; the same in each delivery.")
    data: NoticeData = Field(description="Which object, and what is true of it.")
