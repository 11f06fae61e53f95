"""Publishing: what is there after a round, what is left alone, what is told, and how rarely anything is asked."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, cast

import pytest
from kubernetes.aio import client

from gpuinstance.api.connection import ConnectionStatus
from gpuinstance.api.reasons import Reason
from gpuinstance.core.access import Access, Ssh
from gpuinstance.core.connection import PublishedPort, Wish
from gpuinstance.guard import Guard, NameNotResolved
from gpuinstance.kube import Kube
from gpuinstance.metrics import Metrics
from gpuinstance.providers.base import Provider, Unavailable
from gpuinstance.publishing import Objects, Publisher
from tests.unit.publishing.cluster import SmallCluster, served

WEB = PublishedPort("web", 80, "http", "https://m-80.example", "m-80.example", 443)
SHELL = PublishedPort("tcp-22", 22, "tcp", "tcp://proxy.example:32787", "proxy.example", 32787)
NAMES = {"secret_name": "trainer-connection", "service_name": "trainer"}
RUNNING = Wish("default", "trainer", "uid-trainer", machine_id="m-1", ports=(WEB, SHELL), occasion="one", **NAMES)
DOWN = replace(RUNNING, machine_id=None, ports=(), occasion="down")
MOVED = replace(RUNNING, secret_name="in", service_name="gpu", ports=(WEB,), occasion="moved")
UNWANTED = Wish("default", "trainer", "uid-trainer")
BOTH = ConnectionStatus(**NAMES)
PASSWORD = "canary-of-publishing"
PACE = 300.0


class Account:
    """A provider that tells how to get in."""

    def __init__(self) -> None:
        self.asked = 0
        self.access = Access(Ssh("proxy.example", 32787, "root"), PASSWORD)
        self.fails: Exception | None = None

    async def get_access(self, machine_id: str) -> Access:
        """The method of the protocol."""
        self.asked += 1
        if self.fails is not None:
            raise self.fails
        return self.access


class Names:
    """A name server."""

    def __init__(self) -> None:
        self.answers = {"m-80.example": ["198.18.0.1"], "proxy.example": ["198.18.0.2"]}
        self.answers_at_all = asyncio.Event()
        self.answers_at_all.set()

    async def resolve(self, host: str, _: int) -> Sequence[IPv4Address | IPv6Address]:
        """What the guard asks."""
        await self.answers_at_all.wait()
        if host not in self.answers:
            raise NameNotResolved(host)
        return [ip_address(it) for it in self.answers[host]]


class World:
    """A publisher between all of these, and a clock that stands until it is moved."""

    def __init__(self, cluster: SmallCluster, url: str) -> None:
        self.cluster = cluster
        self.account = Account()
        self.names = Names()
        self.now = 1000.0
        self.leads = True
        configuration = client.Configuration()
        configuration.host = url
        self.kube = Kube(client.ApiClient(configuration))
        self.kube.may_write = lambda: self.leads
        self.told: ConnectionStatus | None = None
        self.restart()

    def restart(self) -> None:
        """The operator's process is another one."""
        guard = Guard(allowed=[ip_network("198.18.0.0/15")], resolve=self.names.resolve)
        metrics = cast("Metrics", _Silent())
        self.publisher = Publisher(Objects(self.kube), metrics, pace=PACE, guard=guard, clock=lambda: self.now)

    async def publish(self, wish: Wish = RUNNING, *, after: float = 0) -> ConnectionStatus | None:
        """One pass, so many seconds later; its word is saved."""
        self.now += after
        self.told = await self.publisher.publish(wish, self.told, cast("Provider", self.account))
        return self.told

    async def trouble(self, wish: Wish = RUNNING, *, after: float = 0) -> tuple[str | None, str]:
        """One pass; reason and message that it tells."""
        told = await self.publish(wish, after=after)
        assert told is not None
        return told.reason, told.message or ""

    def secret(self, name: str = "trainer-connection") -> dict[str, str]:
        """What is in a Secret."""
        data = self.cluster.objects["secrets", name]["data"]
        return {key: b64decode(value).decode() for key, value in data.items()}

    def places(self) -> dict[str, list[str]]:
        """Where each port leads, by its name."""
        found: dict[str, list[str]] = {}
        for (plural, _), it in self.cluster.objects.items():
            if plural == "endpointslices":
                for port in it["ports"]:
                    addresses = [f"{a}:{port['port']}" for e in it["endpoints"] for a in e["addresses"]]
                    found.setdefault(port["name"], []).extend(addresses)
        return found


class _Silent:
    def wrote(self, _: str) -> None:
        return


@pytest.fixture
async def world() -> AsyncIterator[World]:
    cluster = SmallCluster()
    async with served(cluster) as url:
        world = World(cluster, url)
        yield world
        await world.publisher.aclose()
        await world.kube.aclose()


async def test_a_running_machine_is_published(world: World) -> None:
    """Secret, Service and a slice for each host, all owned by the instance; the status names them."""
    assert await world.publish() == BOTH
    assert world.secret()["sshPassword"] == PASSWORD
    assert world.secret()["web.url"] == "https://m-80.example"
    assert world.places() == {"web": ["198.18.0.1:443"], "tcp-22": ["198.18.0.2:32787"]}
    owners = [it["metadata"]["ownerReferences"] for it in world.cluster.objects.values()]
    assert len(owners) == 4
    assert all(
        (it["uid"], it["kind"], it["controller"], it["blockOwnerDeletion"])
        == ("uid-trainer", "GPUInstance", True, False)
        for (it,) in owners
    )


async def test_at_rest_nothing_is_asked_between_rounds_and_nothing_written_by_them(world: World) -> None:
    """Neither Kubernetes nor the provider; and a round at the slow pace finds all as it was."""
    await world.publish()
    reads = world.cluster.reads
    world.cluster.take_writes()
    for _ in range(20):
        assert await world.publish(after=10) == BOTH
    assert world.cluster.reads == reads
    assert await world.publish(after=PACE) == BOTH
    assert world.cluster.reads > reads
    assert world.cluster.take_writes() == []
    assert world.account.asked == 1


async def test_after_a_restart_it_is_compared_and_not_written(world: World) -> None:
    """What was published is read once; the provider is not asked for what the Secret was made from."""
    await world.publish()
    world.cluster.take_writes()
    world.restart()
    assert await world.publish() == BOTH
    assert world.cluster.take_writes() == []
    assert world.account.asked == 1


async def test_another_start_publishes_other_secrets(world: World) -> None:
    """Ports and password change with each start: at once, and only what differs."""
    await world.publish()
    world.cluster.take_writes()
    world.account.access = Access(Ssh("proxy.example", 32999, "root"), "another-canary")
    moved = replace(SHELL, url="tcp://proxy.example:32999", port=32999)
    assert await world.publish(replace(RUNNING, ports=(WEB, moved), occasion="two")) == BOTH
    assert world.secret()["sshPassword"] == "another-canary"
    assert world.secret()["tcp-22.port"] == "32999"
    assert world.places()["tcp-22"] == ["198.18.0.2:32999"]
    assert {method for method, _, _ in world.cluster.take_writes()} == {"PATCH"}


async def test_a_machine_that_stops_leaves_an_empty_secret_and_leads_nowhere(world: World) -> None:
    """Names stay, so that mounts and clients survive; addresses and password are gone."""
    await world.publish()
    assert await world.publish(DOWN) == BOTH
    assert world.secret() == {"endpoints": "[]"}
    assert world.places() == {}
    assert await world.publish(RUNNING) == BOTH
    assert world.secret()["sshPassword"] == PASSWORD
    assert set(world.places()) == {"web", "tcp-22"}


async def test_nothing_is_made_for_a_machine_that_never_ran(world: World) -> None:
    """A pod that waits for the Secret gets it with something in it."""
    assert await world.publish(DOWN) is None
    assert world.cluster.objects == {}


async def test_a_dropped_wish_removes_everything(world: World) -> None:
    """And a pass without a wish, before or after, asks nobody anything."""
    assert await world.publish(UNWANTED) is None
    assert world.cluster.reads == 0
    await world.publish()
    assert await world.publish(UNWANTED) is None
    assert world.cluster.objects == {}
    reads = world.cluster.reads
    assert await world.publish(UNWANTED, after=PACE) is None
    assert world.cluster.reads == reads


async def test_another_name_moves_everything(world: World) -> None:
    """The new ones are there, the old ones are not, also across a restart of the operator."""
    await world.publish()
    world.restart()
    renamed = replace(RUNNING, secret_name="in", service_name="gpu", occasion="renamed")
    assert await world.publish(renamed) == ConnectionStatus(secret_name="in", service_name="gpu")
    assert (world.cluster.names("secrets"), world.cluster.names("services")) == (["in"], ["gpu"])
    assert all(name.startswith("gpu-") for name in world.cluster.names("endpointslices"))


@pytest.mark.parametrize("plural", ["secrets", "services"])
async def test_what_is_not_ours_is_never_touched(world: World, plural: str) -> None:
    """Neither overwritten, nor deleted later; told in words at once; the other object is published nevertheless."""
    name = NAMES["secret_name" if plural == "secrets" else "service_name"]
    foreign = {"metadata": {"name": name, "labels": {"theirs": "yes"}}, "data": {"precious": "eA=="}, "spec": {}}
    world.cluster.put(plural, foreign)
    before = dict(world.cluster.objects[plural, name])
    reason, message = await world.trouble()
    assert reason == Reason.CONNECTION_NAME_TAKEN
    assert name in message
    assert "not touched" in message
    other = "services" if plural == "secrets" else "secrets"
    assert len(world.cluster.names(other)) == 1
    await world.publish(DOWN)
    await world.publish(UNWANTED)
    assert world.cluster.objects == {(plural, name): before}


async def test_a_name_that_becomes_free_is_taken(world: World) -> None:
    """By itself, at a slow pace."""
    world.cluster.put("services", {"metadata": {"name": "trainer"}, "spec": {}})
    await world.publish()
    del world.cluster.objects["services", "trainer"]
    assert (await world.publish(after=1)) != BOTH, "not at once"
    assert await world.publish(after=PACE) == BOTH


async def test_whoever_takes_our_services_place_gets_no_addresses_from_us(world: World) -> None:
    """A Service of somebody else under the name would use slices that carry it."""
    await world.publish()
    world.cluster.put("services", {"metadata": {"name": "trainer"}, "spec": {}})
    reason, _ = await world.trouble(after=PACE)
    assert reason == Reason.CONNECTION_NAME_TAKEN
    assert world.places() == {}


EDITS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a password": ("secrets", "trainer-connection", {"data": {"sshPassword": "eA=="}}),
    "a further key": ("secrets", "trainer-connection", {"data": {"more": "eA=="}}),
    "the ports": ("services", "trainer", {"spec": {"ports": []}}),
    "a selector": ("services", "trainer", {"spec": {"selector": {"app": "theirs"}}}),
    "a label": ("services", "trainer", {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}),
}


@pytest.mark.parametrize(("plural", "name", "patch"), EDITS.values(), ids=EDITS)
async def test_an_edit_is_put_right(world: World, plural: str, name: str, patch: dict[str, Any]) -> None:
    """At the slow pace, and with one write."""
    await world.publish()
    right = json.dumps(world.cluster.objects[plural, name].get("data") or world.cluster.objects[plural, name]["spec"])
    world.cluster.edit(plural, name, patch)
    world.cluster.take_writes()
    assert await world.publish(after=PACE) == BOTH
    assert world.cluster.take_writes() == [("PATCH", plural, name)]
    now = world.cluster.objects[plural, name]
    assert json.loads(right) == (now.get("data") or now["spec"])


async def test_what_others_add_stays(world: World) -> None:
    """Labels and annotations of somebody else are not ours to remove."""
    await world.publish()
    theirs = {"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}, "spec": {"sessionAffinity": "None"}}
    world.cluster.edit("services", "trainer", theirs)
    world.cluster.take_writes()
    await world.publish(after=PACE)
    assert world.cluster.take_writes() == []


@pytest.mark.parametrize("name", ["trainer-connection", "trainer"])
async def test_what_was_deleted_comes_back(world: World, name: str) -> None:
    """And with the present password: this is how one asks for it anew."""
    await world.publish()
    plural = "secrets" if name == "trainer-connection" else "services"
    del world.cluster.objects[plural, name]
    assert await world.publish(after=PACE) == BOTH
    assert name in world.cluster.names(plural)
    assert world.secret()["sshPassword"] == PASSWORD


async def test_names_are_resolved_again(world: World) -> None:
    """At the slow pace: a host that has moved is followed, one that cannot be resolved stays where it was."""
    await world.publish()
    world.names.answers = {"m-80.example": ["198.18.0.9"]}
    assert await world.publish(after=PACE) == BOTH, "a passing trouble is not told"
    assert world.places() == {"web": ["198.18.0.9:443"], "tcp-22": ["198.18.0.2:32787"]}
    reason, message = await world.trouble(after=PACE)
    assert (reason, "proxy.example" in message) == (Reason.CONNECTION_NOT_PUBLISHED, True)
    world.names.answers["proxy.example"] = ["198.18.0.3"]
    assert await world.publish(after=PACE) == BOTH
    assert world.places()["tcp-22"] == ["198.18.0.3:32787"]


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "fd00::1", "::1"])
async def test_no_service_leads_into_the_cluster(world: World, address: str) -> None:
    """An address that is not public is refused in words, and what led there before leads there no more."""
    await world.publish()
    world.names.answers["proxy.example"] = ["198.18.0.2", address]
    reason, message = await world.trouble(after=PACE)
    assert reason == Reason.CONNECTION_ADDRESS_REFUSED
    assert "proxy.example" in message
    assert address not in message
    assert set(world.places()) == {"web"}


async def test_a_provider_that_cannot_be_asked_costs_the_secret_alone(world: World) -> None:
    """It is told when it stays so, and made up for by itself, soon."""
    world.account.fails = Unavailable("down")
    told = await world.publish()
    assert told == ConnectionStatus(service_name="trainer")
    reason, message = await world.trouble(after=20)
    assert (reason, "down" in message) == (Reason.CONNECTION_NOT_PUBLISHED, True)
    world.account.fails = None
    assert await world.publish(after=60) == BOTH


async def test_an_answer_about_a_secret_is_never_quoted(world: World) -> None:
    """An admission webhook may repeat in it what it was given."""
    world.cluster.refuse["secrets"] = (403, f"denied: {PASSWORD}")
    await world.publish()
    reason, message = await world.trouble(after=20)
    assert (reason, "403" in message) == (Reason.CONNECTION_NOT_PUBLISHED, True)
    assert PASSWORD not in message
    world.cluster.refuse = {"services": (422, "spec.ports: too many")}
    del world.cluster.objects["services", "trainer"]
    _, message = await world.trouble(after=PACE)
    assert "too many" in message


async def test_ssh_that_comes_up_later_is_published_then(world: World) -> None:
    """It is asked for again, a few times, and its absence is believed in the end: nobody is asked for ever."""
    way, world.account.access = world.account.access, Access()
    assert await world.publish() == BOTH
    assert "sshCommand" not in world.secret()
    world.account.access = way
    assert await world.publish(after=15) == BOTH
    assert world.secret()["sshPassword"] == PASSWORD

    world.account.access, world.account.asked = Access(), 0
    for _ in range(50):
        assert await world.publish(replace(RUNNING, occasion="no ssh"), after=PACE) == BOTH
    assert world.account.asked == 5


async def test_nothing_is_written_without_the_lease(world: World) -> None:
    """Another process may act by now."""
    world.leads = False
    await world.publish()
    assert world.cluster.objects == {}


async def test_a_round_has_an_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that never answers holds a pass for a bounded time."""
    await world.publish()
    world.names.answers_at_all.clear()
    with monkeypatch.context() as impatient:  # the other rounds have all the time that a busy machine takes
        impatient.setattr("gpuinstance.publishing.publisher.PATIENCE_SECONDS", 0.05)
        await world.publish(MOVED)
        reason, message = await world.trouble(MOVED, after=20)
    assert (reason, "not done" in message) == (Reason.CONNECTION_NOT_PUBLISHED, True)
    assert world.secret("in")["sshPassword"] == PASSWORD
    world.names.answers_at_all.set()
    await world.publish(MOVED, after=60)
    assert (world.cluster.names("secrets"), world.cluster.names("services")) == (["in"], ["gpu"])


async def test_somebody_who_is_faster_keeps_what_is_theirs(world: World) -> None:
    """An object that comes to be between our look and our write is not overwritten."""
    world.cluster.meanwhile = lambda: world.cluster.put("secrets", {"metadata": {"name": "trainer-connection"}})
    await world.publish()
    assert "data" not in world.cluster.objects["secrets", "trainer-connection"]
    reason, _ = await world.trouble(after=20)
    assert reason == Reason.CONNECTION_NAME_TAKEN


async def test_a_bug_does_not_reach_the_pass(world: World) -> None:
    """It is in the log, told, and tried again."""
    world.account.fails = ZeroDivisionError("a bug")
    await world.publish()
    reason, _ = await world.trouble(after=20)
    assert reason == Reason.CONNECTION_NOT_PUBLISHED
    world.account.fails = None
    assert await world.publish(after=PACE) == BOTH


@pytest.mark.parametrize("acts_first", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("restarts", [False, True], ids=["lives", "restarts"])
@pytest.mark.parametrize("last", [RUNNING, DOWN, MOVED, UNWANTED], ids=["again", "down", "moved", "unwanted"])
@pytest.mark.parametrize("number", [0, 1, 2, 4])
async def test_wherever_it_breaks_off_it_ends_the_same(
    world: World, number: int, last: Wish, *, restarts: bool, acts_first: bool
) -> None:
    """An API server that fails in the middle, before or after a write, with or without a restart of the operator."""
    await world.publish()
    world.cluster.edit("secrets", "trainer-connection", {"data": {"web.url": "eA=="}})
    world.cluster.take_writes()
    world.cluster.broken_from, world.cluster.acts_first = number, acts_first
    await world.publish(last, after=PACE)
    world.cluster.broken_from = None
    if restarts:
        world.restart()
    for _ in range(3):
        told = await world.publish(last, after=PACE)
    assert told == (
        ConnectionStatus(secret_name=last.secret_name, service_name=last.service_name) if last.secret_name else None
    )
    assert world.cluster.names("secrets") == [it for it in [last.secret_name] if it]
    assert world.cluster.names("services") == [it for it in [last.service_name] if it]
    assert set(world.places()) == {port.name for port in last.ports}
    if last.machine_id is not None:
        assert world.secret(str(last.secret_name))["sshPassword"] == PASSWORD
    elif last.secret_name is not None:
        assert world.secret() == {"endpoints": "[]"}


async def test_a_second_instance_cannot_take_the_first_ones_names(world: World) -> None:
    """Not even one of the same name in another life."""
    await world.publish()
    before = dict(world.cluster.objects)
    other = replace(RUNNING, uid="uid-other", name="other")
    told = await world.publisher.publish(other, None, cast("Provider", world.account))
    assert told is not None
    assert told.reason == Reason.CONNECTION_NAME_TAKEN
    assert "GPUInstance/trainer" in (told.message or "")
    assert world.cluster.objects == before
