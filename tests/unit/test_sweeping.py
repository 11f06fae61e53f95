"""The sweep: what it looks at first, whom it tells, and what it may remove."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any, cast

import pytest
from structlog.testing import CapturingLogger

from gpuinstance import sweeping
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import ProviderName
from gpuinstance.config import Settings
from gpuinstance.core.model import Listing, Machine
from gpuinstance.core.orphans import Told, read
from gpuinstance.credentials import Accounts, CredentialsUnavailable, Place
from gpuinstance.kube import Forbidden, Kube, KubeError
from gpuinstance.metrics import Metrics
from gpuinstance.providers.base import NotFound, Unauthorized, Unavailable
from gpuinstance.sweeping import Sweep
from tests.builders import NOW, machine

ORPHAN = machine("m-9", name="gpui-default-gone-0badcafe-1")
OURS = machine("m-1", name="gpui-default-trainer-943a2f83-1")
FOREIGN = machine("m-7", name="workstation")
OBJECT = {"metadata": {"uid": "943a2f83-0c5e-4d6a-9b7e-1f2a3b4c5d6e"}, "status": {"instance": {"id": "m-1"}}}


class World:
    """Plays the account, the cluster and the clock."""

    name = ProviderName.NOVITA

    def __init__(self, **settings: Any) -> None:
        self.now = NOW
        self.machines: list[Machine] = [OURS, ORPHAN, FOREIGN]
        self.objects: list[dict[str, Any]] = [OBJECT]
        self.events: list[tuple[str, str]] = []
        self.deleted: list[str] = []
        self.order: list[str] = []
        self.trouble: Exception | None = None
        self.opened: list[str | None] = []
        self.most = 100
        self.sweep = Sweep(
            cast("Kube", self), cast("Accounts", self), Settings(**settings), Metrics(), lambda: self.now
        )

    async def later(self, minutes: float) -> None:
        """Sweep once more, so many minutes later."""
        self.now += timedelta(minutes=minutes)
        await self.sweep.once()

    async def account_of(self, instance: GPUInstance) -> World:
        """Play the accounts."""
        name = instance.spec.credentials_ref.name if instance.spec.credentials_ref else None
        self.opened.append(name)
        if name == "missing":
            raise CredentialsUnavailable("Secret default/missing does not exist")
        if name == "forbidden":
            raise Forbidden("secrets is forbidden")
        return self

    def has_room(self) -> bool:
        """Play the accounts."""
        return len(self.opened) < self.most

    def open(self) -> list[tuple[ProviderName, World, Place]]:
        """Play the accounts."""
        return [(ProviderName.NOVITA, self, Place("digest", "default", "novita-credentials"))]

    async def listing(self, *, max_age: float) -> Listing:
        """Play the provider."""
        assert max_age == 0
        self.order.append("provider")
        if self.trouble is not None:
            raise self.trouble
        return Listing(tuple(self.machines), self.now)

    async def delete(self, machine_id: str) -> None:
        """Play the provider."""
        self.deleted.append(machine_id)
        if machine_id not in {it.id for it in self.machines}:
            raise NotFound("gone")

    async def list_objects(self, _kind: str, namespace: str | None) -> list[dict[str, Any]]:
        """Play the API server."""
        assert namespace is None
        self.order.append("cluster")
        return self.objects

    async def post_event(self, body: dict[str, Any], *, reason: str, message: str, warning: bool) -> None:
        """Play the API server."""
        assert warning
        assert body["kind"] == "Secret"
        self.events.append((reason, message))


async def test_an_orphan_is_reported_and_left_alone() -> None:
    """By default an orphan is told by metric and Event, once an hour, and nothing is removed."""
    world = World()
    await world.later(0)
    assert world.sweep.orphans() == {"novita": 0}
    await world.later(11)
    await world.later(5)
    assert world.sweep.orphans() == {"novita": 1}
    assert [reason for reason, _ in world.events] == ["OrphanedMachine"]
    assert "m-9" in world.events[0][1]
    await world.later(61)
    assert len(world.events) == 2
    assert world.deleted == []


async def test_the_provider_is_read_before_the_cluster() -> None:
    """An object that buys its machine between both reads must not look as if it did not exist."""
    world = World()
    await world.later(0)
    assert world.order == ["provider", "cluster"]


async def test_removal_is_opt_in() -> None:
    """With the setting, a confirmed orphan is removed; machines of objects and of other people never are."""
    world = World(orphan_deletion=True)
    await world.later(0)
    assert world.deleted == []
    await world.later(11)
    assert world.deleted == ["m-9"]


async def test_an_orphan_that_is_found_again_is_forgotten() -> None:
    """A machine whose object appears between two sweeps, as after a restored backup, is no orphan."""
    world = World(orphan_deletion=True)
    await world.later(0)
    world.objects.append({"metadata": {"uid": "0badcafe-0000-4000-8000-000000000000"}})
    await world.later(11)
    assert world.deleted == []
    assert world.sweep.orphans() == {"novita": 0}


async def test_nothing_is_concluded_from_a_failed_listing() -> None:
    """Where no provider can be read, the cluster is not even asked, and what was seen before is kept."""
    world = World(orphan_deletion=True)
    await world.later(0)
    world.trouble = Unavailable("HTTP 502")
    await world.later(11)
    assert (world.deleted, world.order) == ([], ["provider", "cluster", "provider"])
    world.trouble = None
    await world.later(1)
    assert world.deleted == ["m-9"]


async def test_one_account_that_cannot_be_read_does_not_keep_the_others_from_it() -> None:
    """As with a key that was revoked, and is not used any more: its account is never forgotten."""
    world = World()
    revoked = World()
    revoked.trouble = Unauthorized("no such key")
    both = [*revoked.open(), (ProviderName.NOVITA, world, Place("another", "default", "novita-credentials"))]
    world.open = lambda: both  # type: ignore[method-assign] # two keys are in use
    await world.later(0)
    await world.later(11)
    assert world.sweep.orphans() == {"novita": 1}
    assert len(world.events) == 1


async def test_two_keys_of_one_account_do_not_double_an_orphan() -> None:
    """As after a key was changed, while the old one is still valid."""
    world = World()
    places = [Place(digest, "default", "novita-credentials") for digest in ("old", "new")]
    both = [(ProviderName.NOVITA, world, place) for place in places]
    world.open = lambda: both  # type: ignore[method-assign] # two keys are in use
    await world.later(0)
    await world.later(11)
    assert world.sweep.orphans() == {"novita": 1}
    assert len(world.events) == 1


async def test_what_somebody_wants_to_adopt_is_no_orphan() -> None:
    """From the moment on in which the object exists, whether or not the operator has taken note of the machine."""
    world = World(orphan_deletion=True)
    await world.later(0)
    world.objects.append({"metadata": {"uid": "0ddba11a"}, "spec": {"adopt": {"instanceID": "m-9"}}})
    await world.later(11)
    assert (world.sweep.orphans(), world.deleted) == ({"novita": 0}, [])


async def test_an_orphan_that_cannot_be_removed_does_not_end_the_sweep() -> None:
    """It is tried again by the next one."""
    world = World(orphan_deletion=True)
    world.machines.append(machine("m-8", name="gpui-default-gone-0badcafe-2"))
    refused: list[str] = []

    async def refuse(machine_id: str) -> None:
        refused.append(machine_id)
        raise Unavailable("HTTP 502")

    world.delete = refuse  # type: ignore[method-assign] # the provider is away
    await world.later(0)
    await world.later(11)
    assert refused == ["m-8", "m-9"]
    await world.later(5)
    assert refused == ["m-8", "m-9"] * 2


async def test_an_event_that_was_not_posted_is_posted_by_the_next_sweep() -> None:
    """Otherwise nobody would hear of the orphan for an hour."""
    world = World()

    async def refuse(*_: Any, **__: Any) -> None:
        raise KubeError("503")

    post = world.post_event
    world.post_event = refuse  # type: ignore[method-assign] # the API server is away
    await world.later(0)
    await world.later(11)
    world.post_event = post  # type: ignore[method-assign] # and comes back
    await world.later(5)
    assert len(world.events) == 1


async def test_an_orphan_never_drops_out_of_the_events() -> None:
    """The next Event comes before Kubernetes forgets the one before it, an hour later."""
    world = World()
    told: list[float] = []
    for minute in range(0, 300, 5):
        before = len(world.events)
        await world.later(5)
        told += [minute] * (len(world.events) - before)
    gaps = [later - earlier for earlier, later in itertools.pairwise(told)]
    assert gaps
    assert 45 <= min(gaps) <= max(gaps) < 60
    assert {read(message) for _, message in world.events} == {
        Told("m-9", "gpui-default-gone-0badcafe-1", "novita", NOW + timedelta(minutes=5), "running")
    }


async def test_nothing_is_concluded_from_a_failed_list_of_objects() -> None:
    """Without the cluster's list every machine would look like an orphan."""
    world = World(orphan_deletion=True)
    await world.later(0)

    async def refuse(_kind: str, namespace: str | None) -> list[dict[str, Any]]:
        assert namespace is None
        raise KubeError("503")

    world.list_objects = refuse  # type: ignore[method-assign] # the API server goes away
    with pytest.raises(KubeError):
        await world.later(11)
    assert world.deleted == []


async def test_an_operator_of_some_namespaces_does_not_sweep() -> None:
    """Objects of namespaces that it may not read would look as if they did not exist."""
    world = World(namespaces=["team-a"], orphan_deletion=True)
    await world.later(0)
    await world.later(11)
    assert world.order == []


async def test_one_shard_sweeps_for_all() -> None:
    """The others ask nobody and show nothing."""
    world = World()
    world.sweep.is_ours = lambda: False
    for _ in range(3):
        await world.later(20)
    assert world.order == []
    assert world.sweep.orphans() == {"novita": 0}


def using(*secrets: str | None) -> list[dict[str, Any]]:
    """Return instances, each with a Secret of this name."""
    return [
        {
            "kind": "GPUInstance",
            "metadata": {"namespace": "default", "name": f"i{number}", "uid": str(number), "resourceVersion": "1"},
            "spec": {
                "provider": "novita",
                "product": {"name": "RTX 4090 24GB"},
                "image": "nginx",
                **({} if secret is None else {"credentialsRef": {"name": secret}}),
            },
        }
        for number, secret in enumerate(secrets)
    ]


async def test_accounts_that_only_other_shards_use_are_swept_too() -> None:
    """Each account in use is opened once, whoever looks after its instances; one that cannot be is told by its own."""
    world = World()
    world.sweep.instances = lambda: using(None, "other", "other", "missing")
    await world.later(0)
    assert world.opened == [None, "other", "missing"]
    assert world.order == ["provider", "cluster"]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    """What is logged, whatever others have set up."""
    log = CapturingLogger()
    monkeypatch.setattr(sweeping, "_log", log)
    return log


async def test_a_secret_that_may_not_be_read_does_not_keep_the_others_from_it(log: CapturingLogger) -> None:
    """It is told which one; the rest is swept as ever."""
    world = World()
    world.sweep.instances = lambda: using("forbidden", "other")
    await world.later(0)
    assert world.opened == ["forbidden", "other"]
    assert world.order == ["provider", "cluster"]
    assert [(it.kwargs["namespace"], it.kwargs["secret"]) for it in log.calls] == [("default", "forbidden")]


async def test_no_account_in_use_is_closed_for_the_sweep(log: CapturingLogger) -> None:
    """What is open already is swept; of the rest it is told that it may be missing."""
    world = World()
    world.most = 2
    world.sweep.instances = lambda: using("a", "b", "c")
    await world.later(0)
    assert world.opened == ["a", "b"]
    assert world.order == ["provider", "cluster"]
    assert len(log.calls) == 1
