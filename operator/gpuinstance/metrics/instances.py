"""From all objects as last seen to numbers by phase, health, reason and namespace, in one walk over them.

Pure: called by `scraped` when somebody asks. Nothing here is kept up to date, so that nothing can be wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import ConditionStatus, ConditionType, OperationPhase, Phase
from gpuinstance.core.budget import spend_of

Object = Mapping[str, Any]
"""A GPUInstance or an InstanceUpgrade as the API server gives it."""


@dataclass(slots=True)
class Unconfirmed:
    """Calls that were decided on and whose effect is not known: their intent is saved, and no more."""

    number: int = 0
    oldest: datetime | None = None

    def note(self, call: Mapping[str, Any] | None) -> None:
        """Count an object's call, if it is one of these."""
        if call is not None and call.get("phase") == OperationPhase.INITIATED.value:
            since = datetime.fromisoformat(call["startedAt"])
            self.number += 1
            self.oldest = since if self.oldest is None else min(self.oldest, since)

    def age(self, now: datetime) -> float:
        """Return the seconds since the oldest was decided on; 0 if there is none."""
        return 0.0 if self.oldest is None else max(0.0, (now - self.oldest).total_seconds())


@dataclass(frozen=True, slots=True)
class InstanceCensus:
    """All instances, counted. Every phase and every status of health is there, also at zero."""

    phases: dict[str, float] = field(default_factory=lambda: dict.fromkeys((it.value for it in Phase), 0.0))
    health: dict[str, float] = field(default_factory=lambda: dict.fromkeys((it.value for it in ConditionStatus), 0.0))
    stalled: Counter[str] = field(default_factory=Counter)
    """By the reason for which only a person can help."""
    charged_above_limit: Counter[str] = field(default_factory=Counter)
    """Whose machine costs more than the spec allows, by namespace."""
    prices: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """US dollars per hour of the machines that are being billed, by namespace."""
    unconfirmed: Unconfirmed = field(default_factory=Unconfirmed)

    @classmethod
    def of(cls, instances: Iterable[Object], *, bill_stopped: Container[str] = ()) -> InstanceCensus:
        """Count. `bill_stopped` are the providers at which a machine that is down costs what it costs when it is up."""
        census = cls()
        for instance in instances:
            census._count(instance, bill_stopped)
        return census

    def _count(self, instance: Object, bill_stopped: Container[str]) -> None:
        status = instance.get("status") or {}
        namespace, phase = instance["metadata"]["namespace"], status.get("phase", Phase.PENDING.value)
        self.charged_above_limit[namespace] += 0  # so that there is a series before the first one
        if phase in self.phases:
            self.phases[phase] += 1
        for condition in status.get("conditions") or ():
            if condition["type"] == ConditionType.HEALTHY.value and condition["status"] in self.health:
                self.health[condition["status"]] += 1
            elif condition["type"] == ConditionType.STALLED.value and condition["status"] == ConditionStatus.TRUE.value:
                self.stalled[condition["reason"]] += 1
            elif condition["reason"] == Reason.CHARGED_ABOVE_LIMIT.value:  # only Synced says so
                self.charged_above_limit[namespace] += 1
        machine = status.get("instance") or {}
        if machine.get("id") and machine.get("hourlyPrice"):  # else nothing was bought, or nobody knows at what price
            price = spend_of(instance.get("spec") or {}, status, bill_stopped=bill_stopped)
            self.prices[namespace] += price or 0
        self.unconfirmed.note(status.get("operation"))
