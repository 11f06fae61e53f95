"""What only Hostwinds has: the block `spec.hostwinds`, and the rules about what its servers cannot do.

Hostwinds rents servers, not containers: a plan says what is in them, a template is installed on their
disk, and each has an address of its own. What follows from that is refused by the API server, in words.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gpuinstance.api.base import ApiModel, list_set
from gpuinstance.api.words import BillingCycle

ELSEWHERE = "self.provider != 'hostwinds'"
"""In CEL: the machine is at another provider."""


def _without(*fields: str) -> str:
    """Return the rule that a spec for Hostwinds has none of these fields."""
    return f"{ELSEWHERE} || !({' || '.join(f'has(self.{field})' for field in fields)})"


HOSTWINDS_RULES = (
    (
        f"{ELSEWHERE} || has(self.hostwinds)",
        "provider hostwinds needs hostwinds.locationID, the place of the server",
    ),
    ("self.provider == 'hostwinds' || !has(self.hostwinds)", "hostwinds is only for provider hostwinds: remove it"),
    (
        _without("image", "command", "entrypoint", "env", "registryAuthID"),
        (
            "hostwinds runs no containers: name a template in templateID, and remove image, command, entrypoint, env "
            "and registryAuthID"
        ),
    ),
    (
        (
            f"{_without('rootfsSizeGB', 'networkVolumes', 'minCudaVersion', 'regions')} "
            "&& (!has(self.gpuCount) || self.gpuCount == 1)"
        ),
        (
            "at hostwinds the product says what is in a server, and hostwinds.locationID where it is: remove "
            "rootfsSizeGB, networkVolumes, minCudaVersion, regions and gpuCount"
        ),
    ),
    (
        (f"{ELSEWHERE} || !has(self.billing) || !has(self.billing.mode) || self.billing.mode == 'OnDemand'"),
        "hostwinds bills by hostwinds.billingCycle: remove billing.mode and billing.months",
    ),
    (
        (
            f"{ELSEWHERE} || !has(self.recovery) || !has(self.recovery.onSpotReclaim) || "
            "self.recovery.onSpotReclaim == 'Never'"
        ),
        "hostwinds sells no spot machines: remove recovery.onSpotReclaim",
    ),
    (
        (
            "self.provider == 'hostwinds' || !has(self.actions) || "
            "(!has(self.actions.reinstall) && !has(self.actions.regenerateNetworking))"
        ),
        "actions.reinstall and actions.regenerateNetworking are only for provider hostwinds: use restart or recreate",
    ),
)
"""CEL rules of the spec, each with the words in which it is refused."""


class Hostwinds(ApiModel):
    """Where a server of Hostwinds is, how it is billed, and who may log in."""

    location_id: Annotated[int, Field(ge=1)] = Field(
        alias="locationID",
        description="The provider's number of the data centre. Counts when a machine is bought; cannot change later.",
    )
    billing_cycle: BillingCycle = Field(
        BillingCycle.MONTHLY,
        description=(
            "The term that is billed. Counts when a machine is bought; cannot change later. `Hourly` only where the "
            "provider has enabled it for the account. Default: Monthly."
        ),
    )
    ssh_keys: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=255)]],
            Field(max_length=20, json_schema_extra=list_set()),
        ]
        | None
    ) = Field(
        None,
        description="Names of SSH keys stored at the provider, 20 at most, that a new machine accepts.",
    )
