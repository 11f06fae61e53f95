"""From all upgrades as last seen to numbers by phase, and how long the slowest has been there.

Pure: called by `scraped` when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from gpuinstance.api.upgrade_words import UpgradePhase
from gpuinstance.metrics.instances import Object, Unconfirmed

_MILESTONES = ("acceptedAt", "orderedAt", "paidAt", "appliedAt", "resizedAt", "confirmedAt")


@dataclass(frozen=True, slots=True)
class UpgradeCensus:
    """All upgrades, counted. Every phase is there, also at zero."""

    phases: dict[str, float] = field(default_factory=lambda: dict.fromkeys((it.value for it in UpgradePhase), 0.0))
    ages: dict[str, float] = field(default_factory=dict)
    """Seconds since the last finished step of the upgrade that has been in a phase for longest, if it has not ended."""
    unconfirmed: Unconfirmed = field(default_factory=Unconfirmed)

    @classmethod
    def of(cls, upgrades: Iterable[Object], now: datetime) -> UpgradeCensus:
        """Count."""
        census = cls()
        for upgrade in upgrades:
            census._count(upgrade, now)
        return census

    def _count(self, upgrade: Object, now: datetime) -> None:
        status = upgrade.get("status") or {}
        phase = status.get("phase", UpgradePhase.PENDING.value)
        if phase in self.phases:
            self.phases[phase] += 1
        if status.get("completedAt"):
            return
        reached = [status[name] for name in _MILESTONES if status.get(name)]
        since = max(datetime.fromisoformat(it) for it in (*reached, upgrade["metadata"]["creationTimestamp"]))
        self.ages[phase] = max(self.ages.get(phase, 0.0), (now - since).total_seconds())
        self.unconfirmed.note(status.get("call"))
