"""Which objects are woken by what a new listing shows otherwise."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.api.v1alpha1 import KIND
from gpuinstance.core.model import Machine
from gpuinstance.core.naming import uid8_in
from gpuinstance.known import Known
from gpuinstance.kube import Body, Key
from gpuinstance.noticing import Noticing
from tests.materials import IDENTITY, UID, machine

OTHER_UID = "0b5f7c11-0000-4000-8000-000000000000"
OWN = machine()
RENAMED = replace(OWN, name="a name that somebody gave it")


def body(name: str, uid: str, *, kind: str = KIND, status: dict[str, Any] | None = None, **spec: Any) -> Body:
    """Return an object as the watch shows it."""
    metadata = {"name": name, "namespace": "default", "uid": uid, "resourceVersion": "1"}
    return {"kind": kind, "metadata": metadata, "spec": spec, "status": status or {}}


def woken_by(machines: Collection[Machine], *bodies: Body) -> set[str]:
    """Return the names of the objects that are woken."""
    known, woken = Known(), set[str]()
    for it in bodies:
        known.see(Key.of(it), it)
    Noticing(known, lambda key: woken.add(key.name)).changed(machines)
    return woken


TRAINER = body("trainer", UID)
OTHER = body("other", OTHER_UID)


@pytest.mark.parametrize(
    ("changed", "subject", "expected"),
    [
        ([OWN], TRAINER, True),
        ([replace(OWN, name=IDENTITY.name(7), id="not recorded yet")], TRAINER, True),
        ([RENAMED], TRAINER, False),
        ([RENAMED], body("trainer", UID, status={"instance": {"id": OWN.id}}), True),
        ([RENAMED], body("trainer", UID, adopt={"instanceID": OWN.id}), True),
        ([replace(RENAMED, id="another", name="x")], body("trainer", UID, status={"instance": {"id": OWN.id}}), False),
        ([], TRAINER, False),
    ],
)
def test_a_machine_wakes_the_object_whose_it_is(changed: list[Machine], subject: Body, expected: bool) -> None:
    """By its name, by the record, and by the wish to adopt it; and no other object."""
    assert woken_by(changed, subject, OTHER) == ({"trainer"} if expected else set())


def test_an_upgrade_of_it_that_goes_on_is_woken_too() -> None:
    """It waits for its machine to be resized; one that has ended waits for nothing."""
    going = body("going", "u1", kind=UPGRADE_KIND, instanceRef={"name": "trainer"})
    over = body("over", "u2", kind=UPGRADE_KIND, instanceRef={"name": "trainer"}, status={"completedAt": "now"})
    others = body("others", "u3", kind=UPGRADE_KIND, instanceRef={"name": "other"})
    assert woken_by([OWN], TRAINER, OTHER, going, over, others) == {"trainer", "going"}


@pytest.mark.parametrize("name", ["", "x", "-", "a-b", "--"])
def test_names_of_strangers_are_survived(name: str) -> None:
    """Whatever people call their machines."""
    assert uid8_in(name) in name
    assert woken_by([replace(OWN, id="another", name=name)], TRAINER) == set()
