"""How this particular cloud behaves: its delays, its lags, its limits. All times are virtual seconds.

Read by the cloud and the applications, set by the command line, a test or the admin API. Durations
of single states belong to the lifecycle table, not here.
"""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """The cloud's habits. Frozen: replace the whole to change one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    listing_lag: float = Field(default=0, ge=0)
    """A new machine appears in listings this long after it was accepted."""
    deletion_lag: float = Field(default=0, ge=0)
    """Listings show a machine as it was for this long after its deletion was accepted."""
    lookups_lag: bool = False
    """Whether looking at one machine by its id lags as listings do."""
    warm_up: float = Field(default=20, ge=0)
    """From running to the application answering."""
    edit_delay: float = Field(default=5, ge=0)
    """From the acceptance of an edit (ports, disk) to its effect."""
    spot_lifetime: float | None = Field(default=None, ge=0)
    """How long each spot machine runs until its reclaim is announced; None: for ever.
    Never shorter than `spot_guarantee`."""
    spot_guarantee: float = Field(default=3600, ge=0)
    """The run time that is promised to every spot machine."""
    spot_notice: float = Field(default=3600, ge=0)
    """From the announcement of a reclaim to its start."""
    spot_reclaiming: float = Field(default=60, ge=0)
    """From the start of a reclaim to the machine being down."""
    balance: Decimal | None = None
    """USD that the account started with; None: it never runs out."""
    prepaid_may_go: bool = False
    """Whether a machine that is paid for a term can be deleted before the term ends."""
    machine_limit: int | None = Field(default=None, ge=0)
    """How many machines the account may have at once; None: any number."""
