"""Asks the rules as `Observer` does, with every fact at hand, and lets the decision take hold."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.core.budget import Budget
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import Decision, Need
from gpuinstance.core.snapshot import HealthReport, Neighbours, Price, Probed, Snapshot
from gpuinstance.reconcile import to_json
from tests import laws

_MOST_FACTS = 8


def decided(snapshot: Snapshot) -> tuple[Snapshot, Decision]:
    """Return the answer, and the snapshot with the facts that the rules asked for on the way.

    A status that the answer wants to write obeys the laws, whatever the snapshot was.
    """
    for _ in range(_MOST_FACTS):
        decision = decide(snapshot)
        if decision.need is None:
            if decision.status is not snapshot.status:
                laws.check(decision.status, generation=snapshot.generation)
            return snapshot, decision
        snapshot = with_fact(snapshot, decision.need)
    raise AssertionError(f"the rules keep asking, at last {decision.rule} for {decision.need}")


def with_fact(snapshot: Snapshot, need: Need) -> Snapshot:
    """Return the snapshot with a fact that only a call brings: the machine is gone, the checks fail."""
    if need is Need.CONFIRMATION:
        assert snapshot.machine_id is not None, "only a recorded machine can be confirmed"
        return replace(snapshot, confirmed_gone=snapshot.confirmed_gone | {snapshot.machine_id})
    if need is Need.NEIGHBOURS:
        return replace(snapshot, neighbours=Neighbours(total=3, in_trouble=1))
    if need is Need.BUDGET:
        return replace(snapshot, budget=Budget(limit=Decimal(1), others=Decimal("0.5")))
    if need is Need.PRICE:
        return replace(snapshot, price=Price(Decimal("0.35")))
    assert need is Need.HEALTH, f"{need} was known already"
    answers = (Probed(80, healthy=False, message="HTTP 502"),)
    return replace(snapshot, health=HealthReport(snapshot.now, answers), health_is_new=True)


def afterwards(snapshot: Snapshot, status: GPUInstanceStatus) -> Snapshot:
    """Return the snapshot of the next pass at the same moment: the status was saved and read back."""
    read_back = GPUInstanceStatus.model_validate(to_json(status))
    instance = snapshot.instance.model_copy(update={"status": read_back})
    return replace(snapshot, instance=instance, health_is_new=False)
