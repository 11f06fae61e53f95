"""What a rule about an upgrade answers: a fact that it needs, or a status to save and at most one thing to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto

from gpuinstance.api.upgrade_status import InstanceUpgradeStatus
from gpuinstance.core.decision import Action


class UpgradeNeed(Enum):
    """A fact to gather before the rules are asked again, in the same pass."""

    MACHINE = auto()
    """The machine, asked for by its id right now."""
    PLANS = auto()
    """The plans that the machine may be moved to."""
    QUOTE = auto()
    """What a directly paid change costs."""
    BUDGET = auto()
    """What the namespace may cost, and what its other instances cost."""
    ORDER = auto()
    """The open upgrade order of the machine, if there is one."""
    SOFTWARE = auto()
    """The image target with its references resolved."""
    HEALTH = auto()
    """A round of the instance's health checks."""


@dataclass(frozen=True, slots=True)
class UpgradeDecision:
    """The answer of the rules to one snapshot."""

    status: InstanceUpgradeStatus
    """To be saved, if it differs, before anything is done."""
    action: Action | None = None
    need: UpgradeNeed | None = None
    """If set, nothing else counts: gather this fact and ask again."""
    release: bool = False
    """True when a deleted object may go."""
    remove: bool = False
    """True when the finished object has outlived its `ttlAfterFinished`."""
    requeue_after: timedelta | None = None
    """When to look again; None leaves it to the steady poll."""
    rule: str = ""
    """The rule that answered."""
