"""Recovery steps back: before a person's word, and where nobody wants the machine up or can see it."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.api.words import OperationType, PowerState
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import Create, Delete, Restart, Start
from gpuinstance.core.snapshot import Neighbours
from tests.builders import blind_snapshot, snapshot
from tests.materials import NOW, order
from tests.unit.core.troubles import (
    ALONE,
    TROUBLES,
    decided,
)

# ------------------------------------------------------------------------------------------------- a person's word


@pytest.mark.parametrize(
    ("status", "neighbours"),
    [
        pytest.param({"recovery_attempts": 3, "last_recovery_at": NOW}, ALONE, id="while it pauses"),
        pytest.param({}, Neighbours(3, 3), id="while it is held"),
        pytest.param({"recovery_attempts": 10, "last_recovery_at": NOW}, ALONE, id="after the last attempt"),
    ],
)
@pytest.mark.parametrize(("trouble", "expected"), [("exited", Start), ("unhealthy", Restart)])
def test_a_restart_token_is_obeyed_meanwhile(
    trouble: str, expected: type, status: dict[str, Any], neighbours: Neighbours
) -> None:
    """The brakes hold the operator, not the person."""
    builder, machines, facts = TROUBLES[trouble]
    settings = {"policy": "Restart", "max_attempts": 10}
    asked = builder.with_spec(recovery=settings).with_status(**status).asking_restart("please")
    decision = decided(snapshot(asked, *machines, neighbours=neighbours, **facts))
    assert isinstance(decision.action, expected)
    assert decision.status.operation is not None
    assert decision.status.operation.token == "please"


@pytest.mark.parametrize("trouble", list(TROUBLES))
def test_a_recreate_token_is_obeyed_meanwhile(trouble: str) -> None:
    """Also where the policy would never replace the machine."""
    builder, machines, facts = TROUBLES[trouble]
    asked = builder.with_spec(recovery={"policy": "Restart"}).asking_recreate("please")
    decision = decided(snapshot(asked, *machines, neighbours=Neighbours(3, 3), plan=order(), **facts))
    assert decision.status.operation is not None
    assert (decision.status.operation.type, decision.status.operation.token) == (OperationType.RECREATE, "please")


IDLE: dict[str, Any] = {
    "suspended": lambda it: it.suspended(),
    "to be stopped": lambda it: it.wanting(PowerState.STOPPED),
}


@pytest.mark.parametrize("state", IDLE)
@pytest.mark.parametrize("trouble", list(TROUBLES))
def test_nothing_is_helped_that_nobody_wants_up(trouble: str, state: str) -> None:
    """A suspended or stopped instance has no trouble that would need help."""
    builder, machines, facts = TROUBLES[trouble]
    wanted = {"policy": "Recreate", "on_spot_reclaim": "Recreate"}
    idle = IDLE[state](builder.with_spec(recovery=wanted))
    decision = decide(snapshot(idle, *machines, neighbours=ALONE, plan=order(), **facts))
    assert not isinstance(decision.action, Restart | Start | Delete | Create)
    assert not decision.rule.startswith("recover")


@pytest.mark.parametrize("trouble", list(TROUBLES))
def test_an_object_that_is_deleted_is_only_deleted(trouble: str) -> None:
    """Its machine goes; nothing is started or bought for it."""
    builder, machines, facts = TROUBLES[trouble]
    wanted = {"policy": "Recreate", "on_spot_reclaim": "Recreate"}
    going = builder.with_spec(recovery=wanted).deleting()
    decision = decide(snapshot(going, *machines, neighbours=ALONE, plan=order(), **facts))
    assert decision.rule == "release_when_deleted"
    assert not isinstance(decision.action, Restart | Start | Create)


@pytest.mark.parametrize("trouble", list(TROUBLES))
def test_what_cannot_be_seen_is_not_helped(trouble: str) -> None:
    """A provider that is away is not a dead machine."""
    builder, _, _ = TROUBLES[trouble]
    decision = decide(blind_snapshot(builder.with_spec(recovery={"policy": "Recreate"})))
    assert decision.action is None
    assert decision.rule == "stay_idle_when_blind"
