"""Builders for tests of `spec.expiry`: machines of an age, with a time to live, or last used at a moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gpuinstance.api.expiry import LAST_USED
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import Decision
from gpuinstance.core.model import MachineState
from tests import laws
from tests.builders import InstanceBuilder, ago, instance, machine, snapshot

DOWN = machine(state=MachineState.STOPPED)


def aged(**span: float) -> InstanceBuilder:
    """A machine that was bought so long ago and is Ready."""
    return instance().running().with_status(created_at=ago(**span))


def lasting(of: InstanceBuilder, ttl: str, **more: Any) -> InstanceBuilder:
    """It may run for so long."""
    return of.with_spec(expiry={"ttl": ttl, **more})


def used(
    of: InstanceBuilder, moment: datetime | str | None, *, idle_after: str = "30m", **more: Any
) -> InstanceBuilder:
    """It was last used then, and is idle after a while."""
    text = moment.isoformat() if isinstance(moment, datetime) else moment
    marks = {LAST_USED: text} if text is not None else {}
    idle = of.with_spec(expiry={"idle_after": idle_after, **more})
    return InstanceBuilder(**{**vars(idle), "metadata": {**idle.metadata, "annotations": marks}})


def asked(of: InstanceBuilder, *machines: Any, **facts: Any) -> Decision:
    """Ask all rules; the answer obeys the laws."""
    at = snapshot(of, *machines, **facts)
    decision = decide(at)
    if decision.status is not at.status:
        laws.check(decision.status, generation=at.generation)
    return decision
