"""Machines in trouble, and what the operator does about them by itself: counted in the provider's books."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

from tests.integration.manifests import Manifest, serving
from tests.integration.ward import Ward, open_ward
from tests.integration.world import condition, until
from tests.rig.stack import Stack

pytestmark = pytest.mark.cluster

_rooms = itertools.count(1)

IMPATIENT = {"maxWaitSeconds": 30, "intervalSeconds": 5, "failureThreshold": 1, "retryAttempts": 0}
"""As short as the API allows."""
THREE = ("one", "two", "three")


def patient(name: str = "trainer", **spec: Any) -> Manifest:
    """Return an instance whose application is given half a minute."""
    return serving(name, **{"healthCheck": IMPATIENT, **spec})


class Wards(NamedTuple):
    """One namespace for each story, so that the trouble of one is not that of another's neighbour."""

    left: Ward
    """Nothing is done about a dead application."""
    restarted: Ward
    replaced: Ward
    most: Ward
    """All instances of the namespace fall ill at once."""


@pytest.fixture(scope="module", autouse=True)
def wards(stack: Stack) -> Iterator[Wards]:
    """They fall ill at the beginning of this module; half a minute later something is done about it."""
    with ExitStack() as all_of_them:
        wards = Wards(*(all_of_them.enter_context(open_ward(stack, f"recovery-{it}")) for it in Wards._fields))
        for ward, policy in ((wards.left, "Never"), (wards.restarted, "Restart"), (wards.replaced, "Recreate")):
            ward.behave("trainer", crashed=True)
            ward.apply(patient(recovery={"policy": policy}))
        wards.most.apply(*(patient(name, recovery={"policy": "Restart"}) for name in THREE))
        wards.most.ready(*THREE)
        wards.most.behave(*THREE, crashed=True)
        yield wards
        stack.simulator.forget("apps")


@pytest.fixture
def room(stack: Stack) -> Iterator[Ward]:
    """A namespace for one test, beside the wards."""
    with open_ward(stack, f"recovery-{next(_rooms)}") as room:
        yield room


# ------------------------------------------------------------------------------------------------- down by itself


def test_what_went_down_is_started_once(room: Ward) -> None:
    """The same machine, one start; the attempt is counted, and told as it begins."""
    room.apply(serving(recovery={"policy": "Restart"}))
    room.ready("trainer")
    machine = room.machine("trainer")["id"]
    room.console("trainer", "exit")
    until(lambda: room.done("trainer")["start"], "it is started")
    room.ready("trainer")
    assert room.machine("trainer")["id"] == machine
    assert room.done("trainer") == Counter(create=1, start=1)
    assert room.status("trainer")["recoveryAttempts"] == 1
    told = until(lambda: [it for it in room.events("trainer") if it["reason"] == "Recovering"], "the attempt is told")
    assert [it["type"] for it in told] == ["Warning"]


def test_what_went_down_is_replaced_once(room: Ward) -> None:
    """The old machine is removed before the other is bought: one deletion, one purchase."""
    room.apply(serving(recovery={"policy": "Recreate"}))
    room.ready("trainer")
    room.console("trainer", "exit")
    until(lambda: room.done("trainer")["create"] == 2, "another is bought")
    room.ready("trainer")
    ours = [entry["operation"] for entry in room.ledger("trainer") if entry["actor"] == "api"]
    assert ours == ["create", "delete", "create"]
    assert len(room.machines("trainer")) == 1


def test_the_price_cap_is_asked_before_a_replacement(room: Ward) -> None:
    """What has become too dear is not bought by itself: the old machine stays, and it is said."""
    room.apply(serving(recovery={"policy": "Recreate"}, billing={"maxHourlyPrice": 0.5}))
    room.ready("trainer")
    room.patch("trainer", billing={"maxHourlyPrice": 0.01})
    room.wait("trainer", "jsonpath={.status.observedGeneration}=2")
    room.console("trainer", "exit")
    room.reason("trainer", "PriceAboveLimit")
    assert room.done("trainer") == Counter(create=1)
    assert "recoveryAttempts" not in room.status("trainer") or not room.status("trainer")["recoveryAttempts"]


def test_a_lost_machine_is_replaced_by_its_policy(room: Ward) -> None:
    """With Recreate, what somebody deleted in the console is bought again."""
    room.apply(serving(recovery={"policy": "Recreate"}))
    room.ready("trainer")
    room.console("trainer", "delete")
    until(lambda: room.done("trainer")["create"] == 2, "another is bought")
    room.ready("trainer")
    assert room.done("trainer") == Counter(create=2)


# ------------------------------------------------------------------------------------------------- spot

SPOT = {"mode": "Spot"}
AT_ONCE = 5.0
"""Seconds: a few polls."""


def told(room: Ward) -> list[str]:
    return [event["reason"] for event in room.events("trainer") if event["reason"].startswith("Spot")]


def test_a_spot_notice_is_told_at_once(room: Ward) -> None:
    """A condition and one Event, while the machine goes on serving and Ready stays."""
    room.apply(serving(billing=SPOT))
    room.ready("trainer")
    room.console("trainer", "reclaim", notice=36000)
    until(lambda: room.condition("trainer", "SpotInterruption"), "the notice is shown", AT_ONCE)
    shown = room.status("trainer")
    interruption = condition(shown, "SpotInterruption")
    assert (interruption["status"], interruption["reason"]) == ("True", "SpotReclaimNotified")
    assert condition(shown, "Ready")["status"] == "True"
    until(lambda: told(room), "the notice is told", AT_ONCE)
    listings = room.calls("list")
    until(lambda: room.calls("list") >= listings + 3, "it has looked again")
    assert told(room) == ["SpotReclaimNotified"]
    assert room.done("trainer") == Counter(create=1)


def test_a_reclaimed_machine_is_started_again(room: Ward) -> None:
    """`onSpotReclaim: Start`: the reclaim is told, the machine started once, and the interruption is over."""
    room.apply(serving(billing=SPOT, recovery={"onSpotReclaim": "Start"}))
    room.ready("trainer")
    room.console("trainer", "reclaim", notice=0)
    until(lambda: room.done("trainer")["start"], "it is started")
    room.ready("trainer")
    assert room.condition("trainer", "SpotInterruption") == {}
    assert room.done("trainer") == Counter(create=1, start=1)
    until(lambda: "SpotReclaimed" in told(room), "the reclaim is told")


def test_a_reclaimed_machine_is_reported_by_default(room: Ward) -> None:
    """Without a policy a person is asked, who learns that the provider took it."""
    room.apply(serving(billing=SPOT))
    room.ready("trainer")
    room.console("trainer", "reclaim", notice=0)
    assert "taken back by the provider" in room.reason("trainer", "InstanceExited")
    assert room.condition("trainer", "SpotInterruption")["reason"] == "SpotReclaimed"
    room.outcome("trainer", "Exited")
    assert room.done("trainer") == Counter(create=1)


# ------------------------------------------------------------------------------------------------- dead applications


def test_what_never_becomes_healthy_has_failed_and_may_heal(wards: Wards) -> None:
    """After `maxWaitSeconds` a waiter learns why, without a timeout of its own; later it heals by itself."""
    ward = wards.left
    ward.outcome("trainer", "Failed")
    said = ward.reason("trainer", "HealthCheckFailed")
    assert "not healthy within 30s of running: port 80: HTTP 502 (bad gateway)" in said
    assert ward.condition("trainer", "Stalled")["status"] == "True"
    assert ward.done("trainer") == Counter(create=1)
    ward.behave("trainer")
    ward.ready("trainer")
    assert ward.status("trainer")["outcome"] == "Ready"


def test_a_dead_application_is_restarted_once(wards: Wards) -> None:
    """One restart after `maxWaitSeconds`; it helps, and that was all."""
    ward = wards.restarted
    until(lambda: ward.done("trainer")["restart"], "the machine is restarted", 60)
    ward.behave("trainer")
    ward.ready("trainer")
    assert ward.done("trainer") == Counter(create=1, restart=1)
    assert ward.status("trainer")["recoveryAttempts"] == 1
    assert "Failed" not in [status.get("outcome") for status in ward.history("trainer")]


def test_a_dead_application_is_replaced_once(wards: Wards) -> None:
    """One deletion and one purchase after `maxWaitSeconds`."""
    ward = wards.replaced
    until(lambda: ward.done("trainer")["delete"], "the machine is removed", 60)
    ward.behave("trainer")
    until(lambda: ward.done("trainer")["create"] == 2, "another is bought")
    ward.ready("trainer")
    assert ward.done("trainer") == Counter(create=2, delete=1)
    assert len(ward.machines("trainer")) == 1


def test_nothing_is_restarted_while_all_are_ill(wards: Wards) -> None:
    """Three of three do not answer: the cause is likely elsewhere. It is said, and they heal untouched."""
    ward = wards.most
    for name in THREE:
        assert "more than half of the namespace" in ward.reason(name, "RecoveryHeld")
    held = {name: ward.get(name)["metadata"]["resourceVersion"] for name in THREE}
    listings = ward.calls("list")
    until(lambda: ward.calls("list") >= listings + 5, "it has looked again and again")
    assert held == {name: ward.get(name)["metadata"]["resourceVersion"] for name in THREE}, "it is said once"
    ward.behave(*THREE)
    ward.ready(*THREE)
    assert all(ward.done(name) == Counter(create=1) for name in THREE)
