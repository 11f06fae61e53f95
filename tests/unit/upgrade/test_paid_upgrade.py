"""Which upgrade an object is kept for once its machine has served: one that is paid for, and not done."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.upgrade_words import CallPhase, UpgradeOutcome
from gpuinstance.known import Known
from gpuinstance.kube import Key
from gpuinstance.observing_upgrades import paid_upgrade_of
from tests.builders import InstanceBuilder, instance
from tests.materials import NOW, UID, ago, machine
from tests.unit.observed_world import World
from tests.unit.upgrade.test_observing import stored
from tests.upgrade_builders import UpgradeBuilder, renting, upgrade

FIRST = upgrade().named("first", uid="1" * 36)
ENDED: dict[str, Any] = {"outcome": UpgradeOutcome.FAILED, "completed_at": NOW}
GOING = renting().with_spec(expiry={"ttl": "8h", "action": "Delete"})


def found(of: UpgradeBuilder, instance: InstanceBuilder = GOING) -> str | None:
    known = Known()
    body = stored(of)
    known.see(Key.of(body), body)
    return paid_upgrade_of(known, instance.build())


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (FIRST.awaiting_payment(), None),
        (FIRST.paid(), "first"),
        (FIRST.applying(CallPhase.REFUSED, reason=Reason.RATE_LIMITED), "first"),
        (FIRST.paid().with_status(**ENDED), None),
    ],
    ids=["not paid", "paid", "paid, and refused for now", "paid, and failed"],
)
def test_what_is_paid_and_not_done(of: UpgradeBuilder, expected: str | None) -> None:
    """From the known payment on until the end, however often applying it is refused meanwhile."""
    assert found(of) == expected


def test_it_is_asked_only_where_something_would_be_deleted() -> None:
    """Nothing is held back where nothing goes."""
    assert found(FIRST.paid(), renting()) is None
    assert found(FIRST.paid(), renting().with_spec(expiry={"ttl": "8h"})) is None


def test_the_upgrade_of_another_machine_or_object_holds_nothing() -> None:
    """The uid and the machine's id have to fit, not the name alone."""
    other_machine: dict[str, Any] = {"id": "m-2", "name": "x"}
    assert found(FIRST.paid(), GOING.with_status(instance=other_machine)) is None
    assert found(FIRST.paid(), GOING.with_status(instance=None)) is None
    known, body = Known(), stored(FIRST.paid())
    known.see(Key.of(body), body)
    again = GOING.build()
    again = again.model_copy(update={"metadata": again.metadata.model_copy(update={"uid": UID[::-1]})})
    assert paid_upgrade_of(known, again) is None


async def test_an_object_that_is_due_stays_while_such_an_upgrade_is_known() -> None:
    """From what the watch has shown of the upgrade to what is decided about the object, and back once it has ended."""
    known = Known()
    served = instance().running().with_spec(expiry={"ttl": "8h", "action": "Delete"})
    served = served.with_status(created_at=ago(hours=9), expiry={"deletes_at": ago(hours=1)})
    here = served.build()
    assert here.status.instance is not None
    pinned = {"uid": here.metadata.uid, "machine_id": here.status.instance.id}
    world = World(machine("m-1"))
    world.observer.paid_upgrade_of = lambda it: paid_upgrade_of(known, it)
    assert (await world.look(here)).decision.remove is True
    paid = upgrade(instance_ref={"name": here.metadata.name}).paid().with_status(instance=pinned)
    for of, goes in ((paid, False), (paid.with_status(**ENDED), True)):
        body = stored(of)
        known.see(Key.of(body), body)
        decision = (await world.look(here)).decision
        assert (decision.remove, decision.action) == (goes, None)
