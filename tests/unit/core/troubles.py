"""What can befall a machine that should be up, as snapshots for the tests of recovery."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import ConditionStatus, ConditionType, Phase
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import Decision
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.snapshot import Neighbours, Snapshot
from tests.builders import InstanceBuilder, instance, snapshot
from tests.laws import check
from tests.materials import ago, machine, order, report
from tests.unit.core.life import Life

ALONE = Neighbours(total=1, in_trouble=1)
EXITED = machine(state=MachineState.STOPPED)
RECLAIMED = machine(state=MachineState.STOPPED, reclaimed_at=ago(minutes=1))


def unhealthy() -> InstanceBuilder:
    """Return an object that lost Ready ten minutes ago, when its application stopped to answer."""
    failing = {"overall": "Unhealthy", "started_at": ago(minutes=10), "consecutive_failures": 3}
    lost = replace(
        instance().serving(80),
        conditions=(
            (ConditionType.READY, ConditionStatus.FALSE, Reason.HEALTH_CHECK_FAILED),
            (ConditionType.RECONCILING, ConditionStatus.TRUE, Reason.HEALTH_CHECK_FAILED),
        ),
    )
    return lost.with_status(phase=Phase.HEALTH_CHECKING, outcome=None, health_check=failing)


UP = instance().serving(80)
SICK = {"health": report(sick=[80]), "health_is_new": True}

TROUBLES: dict[str, tuple[InstanceBuilder, tuple[Machine, ...], dict[str, Any]]] = {
    "unhealthy": (unhealthy(), (machine(),), SICK),
    "exited": (UP, (EXITED,), {}),
    "reclaimed": (UP, (RECLAIMED,), {}),
    "failed": (UP, (machine(state=MachineState.STOPPED, trouble="out of memory"),), {}),
    "late": (
        instance().with_ports(80).creating(answered=True, began=ago(hours=1)),
        (machine(state=MachineState.CREATING),),
        {},
    ),
    "lost": (UP, (), {"confirmed_gone": frozenset({"m-1"})}),
}
"""What can befall a machine that should be up: the object, the machines, and what else is known."""

REPORTED = {
    "unhealthy": Reason.HEALTH_CHECK_FAILED,
    "exited": Reason.INSTANCE_EXITED,
    "reclaimed": Reason.INSTANCE_EXITED,
    "failed": Reason.INSTANCE_FAILED,
    "late": Reason.CREATE_TIMED_OUT,
    "lost": Reason.INSTANCE_LOST,
}
"""What is said of it where nothing is done."""


def life_of(trouble: str, *, status: dict[str, Any] | None = None, **spec: Any) -> Life:
    """Return a life that begins in this trouble, under this spec."""
    builder, machines, _ = TROUBLES[trouble]
    return Life(builder.with_spec(**spec).with_status(**status or {}).build(), machines, sick=frozenset({80}))


def seen(trouble: str, *, recovery: dict[str, Any], status: dict[str, Any] | None = None, **facts: Any) -> Snapshot:
    """Return the trouble under these settings, with every fact that the rules may ask for."""
    builder, machines, known = TROUBLES[trouble]
    builder = builder.with_spec(recovery=recovery).with_status(**status or {})
    return snapshot(builder, *machines, **{"neighbours": ALONE, "plan": order(), **known, **facts})


def decided(found: Snapshot) -> Decision:
    """Return the answer of the rules; it obeys the laws."""
    decision = decide(found)
    if decision.need is None and decision.status is not found.status:
        check(decision.status, generation=found.generation)
    return decision


def said(decision: Decision) -> str:
    """Return the reason of Ready."""
    ready = decision.status.condition("Ready")
    assert ready is not None
    return ready.reason
