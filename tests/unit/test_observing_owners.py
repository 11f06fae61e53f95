"""Whose machine it is: for any two objects that name one, exactly one of them is the owner, whoever asks."""

from __future__ import annotations

import itertools
from typing import Any, cast

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.v1alpha1 import KIND, GPUInstance
from gpuinstance.config import Settings
from gpuinstance.core.model import Machine
from gpuinstance.kube import Body, Kube, KubeError
from gpuinstance.owners import owner_of
from gpuinstance.reconcile import to_json
from tests.builders import InstanceBuilder
from tests.materials import NOW, UID, machine
from tests.unit.core.observed import THEIRS, adopting, workstation
from tests.unit.observed_world import World, afterwards

OLD, NEW = "2027-01-15T11:00:00Z", "2027-01-15T11:00:01Z"
ALICE, BOB = "0badcafe-0000-4000-8000-00000000000a", "0ddba11a-0000-4000-8000-00000000000b"


def body(
    uid: str = ALICE, *, created: str = OLD, adopts: str | None = THEIRS, has: str | None = None, **more: Any
) -> Body:
    """Return another object as the API server shows it: what it names, and what it has taken note of."""
    metadata = {"uid": uid, "namespace": "team-b", "name": "web", "creationTimestamp": created}
    metadata |= {"deletionTimestamp": NEW} if more.get("deleting") else {}
    spec = {"provider": more.get("provider", "novita")} | ({"adopt": {"instanceID": adopts}} if adopts else {})
    reason = more.get("reason")
    status = ({"instance": {"id": has}} if has else {}) | (
        {"conditions": [{"type": "Ready", "reason": reason}]} if reason else {}
    )
    return {"metadata": metadata, "spec": spec, "status": status}


def asking(uid: str = BOB, *, created: str = NEW, has: str | None = None) -> GPUInstance:
    """Return the object that asks."""
    shape: InstanceBuilder = adopting()
    built = (shape.with_status(instance={"id": has, "name": "workstation"}) if has else shape).build()
    metadata = {**built.metadata.model_dump(), "uid": uid, "creation_timestamp": created}
    return GPUInstance(metadata=built.metadata.model_validate(metadata), spec=built.spec, status=built.status)


OWNED: dict[str, tuple[Body, GPUInstance]] = {
    "it has bought it": (body(adopts=None), asking()),
    "it has taken note of it": (body(created=NEW, has=THEIRS), asking(created=OLD)),
    "it has bought it, and this one has taken note of it": (body(adopts=None), asking(has=THEIRS)),
    "it wants it, and is older": (body(), asking()),
    "it wants it, is as old, and its uid is smaller": (body(created=NEW), asking()),
    "both have taken note of it, and it is older": (body(has=THEIRS), asking(has=THEIRS)),
    "it goes, but has taken note of it": (body(created=NEW, has=THEIRS, deleting=True), asking()),
}
BOUGHT = workstation(name="gpui-team-b-web-0badcafe-1")


@pytest.mark.parametrize(("other", "me"), OWNED.values(), ids=OWNED)
def test_it_belongs_to_the_other(other: Body, me: GPUInstance) -> None:
    """By name, by record, or by an earlier wish; who it is is said in words."""
    of: Machine = workstation() if other["spec"].get("adopt") else BOUGHT
    assert owner_of(of, [body("other-uid", adopts=None), other], me) == "GPUInstance team-b/web"


FREE: dict[str, tuple[Body, GPUInstance]] = {
    "the other has nothing to do with it": (body(adopts=None), asking()),
    "the other wants another one": (body(adopts="x-10"), asking()),
    "the other has another one": (body(adopts=None, has="x-10"), asking()),
    "the other is at another provider, where the id means another machine": (
        body(provider="hostwinds", has=THEIRS),
        asking(),
    ),
    "the other wants it, and is younger": (body(created=NEW), asking(created=OLD)),
    "both have taken note of it, and the other is younger": (
        body(created=NEW, has=THEIRS),
        asking(created=OLD, has=THEIRS),
    ),
    "the other wants it, and this one has taken note of it": (body(), asking(has=THEIRS)),
    "the other is older, and goes": (body(deleting=True), asking()),
    "the other is older, and it is not in its account": (body(reason=Reason.ADOPTION_FAILED), asking()),
    "it is the one that asks": (body(BOB, has=THEIRS), asking(has=THEIRS)),
}


@pytest.mark.parametrize(("other", "me"), FREE.values(), ids=FREE)
def test_it_belongs_to_nobody_else(other: Body, me: GPUInstance) -> None:
    """What nobody has, or this one has before the other, is its own."""
    assert owner_of(workstation(), [other], me) is None


@pytest.mark.parametrize(("a_has", "b_has"), [*itertools.product([None, THEIRS], repeat=2)])
@pytest.mark.parametrize(("a_is", "b_is"), [*itertools.product([OLD, NEW], repeat=2)])
def test_of_two_that_want_it_exactly_one_is_the_owner(
    a_has: str | None, b_has: str | None, a_is: str, b_is: str
) -> None:
    """Each finds out for itself, from the same facts, and they agree."""
    for_a = owner_of(workstation(), [body(BOB, created=b_is, has=b_has)], asking(ALICE, created=a_is, has=a_has))
    for_b = owner_of(workstation(), [body(ALICE, created=a_is, has=a_has)], asking(BOB, created=b_is, has=b_has))
    assert (for_a is None) is not (for_b is None)


# ------------------------------------------------------------------------------------------------- the observer


class Cluster:
    """Plays the API server, which may know more than the watch has shown."""

    def __init__(self, *bodies: Body) -> None:
        self.bodies = list(bodies)
        self.asked: list[str | None] = []
        self.away = False

    async def list_objects(self, kind: str, namespace: str | None) -> list[Body]:
        """Play the API server."""
        assert kind == KIND
        self.asked.append(namespace)
        if self.away:
            raise KubeError("503")
        return self.bodies


def world(cluster: Cluster, *machines: Machine, **settings: Any) -> World:
    found = World(*machines)
    found.alone = machine(THEIRS, exposes=("80/http",))
    found.observer.kube = cast("Kube", cluster)
    found.observer.settings = Settings(**{"poll_seconds": 60, "settle_seconds": 60} | settings)
    return found


async def test_nobody_else_names_it() -> None:
    """Then it is adopted; asked about once more only in the watch's picture, since it is recorded."""
    cluster = Cluster()
    seen = world(cluster, workstation())
    look = await seen.look(adopting())
    assert look.decision.rule == "adopt_named_machine"
    assert look.decision.status.instance is not None
    assert cluster.asked == [None]
    await seen.look(afterwards(look), after=3)
    assert cluster.asked == [None]


async def test_the_owner_may_not_have_been_shown_yet() -> None:
    """Right after a start the watch knows little: the cluster itself is asked before a machine is adopted."""
    look = await world(Cluster(body(has=THEIRS)), workstation()).look(adopting())
    assert look.snapshot.claimed_by == "GPUInstance team-b/web"
    ready = look.decision.status.condition("Ready")
    assert ready is not None
    assert (ready.reason, look.decision.status.instance) == (Reason.FOREIGN_INSTANCE, None)


async def test_a_cluster_that_cannot_be_asked_gives_nothing_away() -> None:
    """The pass fails, and is made again."""
    cluster = Cluster()
    cluster.away = True
    with pytest.raises(KubeError):
        await world(cluster, workstation()).look(adopting())


async def test_what_is_known_to_be_owned_costs_no_further_question() -> None:
    """A refusal is repeated from the watch's picture."""
    cluster = Cluster()
    seen = world(cluster, workstation())
    seen.known = [body(has=THEIRS)]
    look = await seen.look(adopting())
    assert (look.snapshot.claimed_by, cluster.asked) == ("GPUInstance team-b/web", [])


async def test_of_two_records_the_younger_is_given_up() -> None:
    """However they came about, as when two processes held the lease for a moment."""
    seen = world(Cluster(), workstation())
    look = await seen.look(adopting())
    seen.known = [body(has=THEIRS)]
    look = await seen.look(afterwards(look, creation_timestamp=NOW), after=3)
    assert (look.decision.rule, look.decision.status.instance) == ("leave_what_another_owns", None)


async def test_a_machine_that_is_not_listed_has_no_owner() -> None:
    """Nobody is asked about it."""
    cluster = Cluster()
    look = await world(cluster).look(adopting())
    assert (look.snapshot.claimed_by, cluster.asked) == (None, [])
    ready = look.decision.status.condition("Ready")
    assert ready is not None
    assert ready.reason == Reason.ADOPTION_FAILED


async def test_an_operator_of_some_namespaces_adopts_no_machine_of_this_cluster() -> None:
    """Its object may be where the operator cannot look; any other machine may be adopted."""
    cluster = Cluster()
    some = {"namespaces": ["default", "team-b"]}
    orphan = workstation(name="gpui-elsewhere-gone-0badcafe-1")
    look = await world(cluster, orphan, **some).look(adopting())
    assert look.snapshot.claimed_by is not None
    assert "does not serve" in look.snapshot.claimed_by
    look = await world(cluster, workstation(), **some).look(adopting())
    assert (look.decision.rule, cluster.asked) == ("adopt_named_machine", ["default", "team-b"])


def test_a_body_is_what_the_api_server_shows() -> None:
    """The bodies of these tests have the shape of real ones."""
    real = adopting().with_status(instance={"id": THEIRS, "name": "workstation"}).build()
    assert to_json(real.status)["instance"]["id"] == body(has=THEIRS)["status"]["instance"]["id"]
    assert to_json(cast("Any", real.spec))["adopt"] == body()["spec"]["adopt"]
    assert real.metadata.uid == UID
