"""When a machine has served: `spec.expiry` of a GPUInstance, and what the status says about it.

Data only. What is over, and since when, is computed by `core.expiry`; the operator never writes a spec.
"""

from __future__ import annotations

from pydantic import ConfigDict, Field

from gpuinstance.api.base import ApiModel, PositiveDuration, Time, cel
from gpuinstance.api.words import ExpiryAction

LAST_USED = "gpuinstance.dev/last-used"
"""The annotation in which a workload or a tool says when the machine was last used, e.g. `2027-01-15T12:00:00Z`."""


class Expiry(ApiModel):
    """How long the machine may run, used or not, and what happens then."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("has(self.ttl) || has(self.idleAfter)", "at least one of ttl and idleAfter is required"),
        )
    )

    ttl: PositiveDuration | None = Field(
        None,
        description=(
            "How long after its purchase (`status.createdAt`) the machine has served. A machine that replaces it "
            "begins anew. To run it longer, raise or remove this field, before or afterwards."
        ),
    )
    idle_after: PositiveDuration | None = Field(
        None,
        description=(
            f"How long after its last use the machine has served. Used means: somebody said so, by a time in the "
            f"annotation `{LAST_USED}`, or the machine came up. Without that annotation nothing is known about its "
            "use, and it is never idle. An annotation that is newer, a token in `actions.restart`, or any other "
            "change of the spec brings an idle machine up again."
        ),
    )
    action: ExpiryAction = Field(
        ExpiryAction.STOP,
        description=(
            "`Stop` brings the machine down, as powerState Stopped would; what is kept of it is still billed, at "
            "Hostwinds all of it. `Delete` deletes this object, and deletionPolicy says what becomes of the machine; "
            "with deletionProtection it is stopped instead."
        ),
    )


class ExpiryStatus(ApiModel):
    """When the machine has served."""

    expires_at: Time | None = Field(None, description="When `spec.expiry.ttl` is over.")
    warning: str | None = Field(None, description="What is about to happen, and how to prevent it.")
    deletes_at: Time | None = Field(
        None, description="When this object is deleted, as announced; with action `Delete` nothing goes unannounced."
    )
    held_until: Time | None = Field(
        None,
        description=(
            "Until when at most this object is kept after its end, because an InstanceUpgrade of its machine is paid "
            "for and has not ended; absent while nothing holds it."
        ),
    )
    idle_at: Time | None = Field(None, description="When the machine was found idle; absent while it is not.")
    idle_generation: int | None = Field(
        None, description="The generation of the spec for which it was found idle; another one brings it up again."
    )
