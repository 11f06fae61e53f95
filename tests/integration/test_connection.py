"""What `spec.connection` publishes, as pods see it: by the API server's Service and EndpointSlices, and by sockets.

A stack of its own, whose provider publishes ports at an address of this machine that is not loopback: the API server
takes no other for an EndpointSlice. Where kube-proxy would lead a connection is worked out here, as it does it.
"""

from __future__ import annotations

import json
import socket
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.controlplane import audit
from tests.integration.manifests import Manifest, server, serving
from tests.integration.pace import Pace
from tests.integration.world import ROOT_PASSWORD, World, until
from tests.rig.stack import Stack

pytestmark = pytest.mark.cluster

NAMESPACE = "connections"
PORTS = [{"port": 80, "name": "web"}, {"port": 22, "protocol": "tcp", "name": "shell"}]
GREETING = "SSH-2.0-simulated\r\n"
PUBLISHED = "secrets,services,endpointslices"


def own_address() -> str:
    """Return an IPv4 address of this machine that is not loopback. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
        try:
            it.connect(("203.0.113.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(it.getsockname()[0])


@pytest.fixture(scope="module")
def connections(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An operator for one namespace, in place of the one that all tests share, and providers of its own."""
    host = own_address()
    settings = {
        "GPUINSTANCE_NAMESPACES": json.dumps([NAMESPACE]),
        "GPUINSTANCE_PROBE_ALLOWED_NETWORKS": json.dumps(["127.0.0.0/8", f"{host}/32"]),
        "GPUINSTANCE_CONNECTION_ALLOWED_NETWORKS": json.dumps([f"{host}/32"]),
        "GPUINSTANCE_CONNECTION_SECONDS": "1",
        "NO_PROXY": "*",
    }
    stack.operator.stop()
    options = replace(Pace().options(), simulator_host=host, operator=settings)
    opened = Stack(stack.cluster, tmp_path_factory.mktemp("connections"), options, namespace=NAMESPACE)
    try:
        opened.start()
        yield opened
    finally:
        opened.kubectl.attempt("delete", "gpui", "--all", "--namespace", NAMESPACE, "--timeout=60s")
        opened.stop()
        stack.start_operator()


@pytest.fixture
def world(connections: Stack) -> World:
    return World(connections, NAMESPACE)


class Pod:
    """What a pod of the namespace can do: read the Secret that it mounts, and connect to a Service by its name."""

    def __init__(self, world: World, instance: str) -> None:
        self._world = world
        self._instance = instance

    def secret(self) -> dict[str, str]:
        """The files in the mounted Secret; none while there is no Secret."""
        found = self._world.kubectl.attempt("get", "secret", f"{self._instance}-connection", "-o", "json")
        data = json.loads(found.stdout).get("data") or {} if found.returncode == 0 else {}
        return {key: b64decode(value).decode() for key, value in data.items()}

    def places(self, number: int) -> list[tuple[str, int]]:
        """Where kube-proxy leads connections to this port of the Service: by the port's name, over all slices."""
        found = self._world.kubectl.attempt("get", "service", self._instance, "-o", "json")
        if found.returncode != 0:
            return []
        ports = {port["port"]: port["name"] for port in json.loads(found.stdout)["spec"]["ports"]}
        label = f"kubernetes.io/service-name={self._instance}"
        slices = self._world.kubectl.json("get", "endpointslices", "-l", label)["items"]
        return [
            (address, port["port"])
            for it in slices
            for port in it["ports"]
            if port["name"] == ports.get(number)
            for endpoint in it["endpoints"] or ()
            if endpoint["conditions"]["ready"]
            for address in endpoint["addresses"]
        ]

    def read(self, number: int, request: str = "") -> str:
        """Connect to a port of the Service, send a request, and return what comes first; empty if nothing can be."""
        places = self.places(number)
        try:
            with socket.create_connection(places[0], timeout=5) as it:
                it.sendall(request.encode())
                return it.recv(4096).decode()
        except (IndexError, OSError):
            return ""

    def browse(self) -> str:
        """Ask the application on port 80, at the path of its public address."""
        url = urlsplit(self.secret().get("web.url", ""))
        return self.read(80, f"GET {url.path} HTTP/1.0\r\nHost: {url.netloc}\r\n\r\n")


def published(world: World, name: str) -> list[str]:
    """Return what is there of an instance's, by kind and name."""
    label = f"gpuinstance.dev/instance={name}"
    return sorted(world.kubectl("get", PUBLISHED, "-l", label, "-o", "name").split())


def connected(name: str, **spec: Any) -> Manifest:
    return serving(name, ports=PORTS, connection={}, **spec)


def test_pods_reach_the_machine_while_it_runs(world: World) -> None:
    """By one name: when its ports change, when it stops, when it starts again elsewhere; and nothing stays of it."""
    world.simulator.tell("apps", {"port": 22, "behaviour": {"banner": GREETING}})
    pod = Pod(world, "trainer")
    world.apply(connected("trainer"))
    world.ready("trainer")
    world.wait("trainer", "jsonpath={.status.connection.serviceName}=trainer")
    assert pod.read(22) == GREETING
    assert " 200 " in pod.browse()
    first = pod.secret()
    assert (first["sshUser"], first["shell.host"]) == ("root", pod.places(22)[0][0])
    assert len(first["sshPassword"]) == 16

    # At rest it is looked after, and not written.
    since = world.now()
    until(lambda: looks(world, "trainer-connection", since) >= 3, "it was looked at three times")
    assert world.writes(since) == []

    world.patch("trainer", ports=[*PORTS, {"port": 8080, "protocol": "tcp", "name": "more"}])
    until(lambda: pod.places(8080), "the new port is published")
    assert pod.read(22) == GREETING

    world.patch("trainer", powerState="Stopped")
    world.outcome("trainer", "Stopped")
    until(lambda: pod.secret() == {"endpoints": "[]"}, "the Secret is empty")
    until(lambda: not pod.places(22), "the Service leads nowhere")

    world.patch("trainer", powerState="Running")
    world.ready("trainer")
    until(lambda: pod.read(22) == GREETING, "it is reached again")
    second = pod.secret()
    assert second["sshPassword"] != first["sshPassword"]
    assert second["shell.port"] != first["shell.port"]

    told = world.kubectl("get", "gpui,events,services,endpointslices", "-o", "yaml")
    told += world.stack.operator.child.log.read_text() + world.stack.operator.metrics()
    assert [it for it in (first["sshPassword"], second["sshPassword"]) if it in told] == []
    assert published(world, "trainer") != []
    world.delete("trainer")
    until(lambda: not published(world, "trainer"), "the garbage collector has removed it all")


def looks(world: World, secret: str, since: int) -> int:
    """Return how often the operator has read a Secret."""
    log = world.stack.cluster.audit_log
    if log is None:
        pytest.skip("an existing cluster shows no audit log")
    asked = audit.requests(log, user=world.stack.operator_user, resource="secrets", name=secret, since=since)
    return sum(request.verb == "get" for request in asked)


def test_names_that_are_taken_are_left_alone(world: World) -> None:
    """Told by an Event and in the status; free names, and those that the spec changes to, are taken at once."""
    world.set_secret("taken-connection", precious="yes")
    world.kubectl("create", "service", "clusterip", "taken", "--tcp=1:1")
    world.apply(connected("taken"))
    world.wait("taken", "jsonpath={.status.connection.reason}=ConnectionNameTaken")
    message = world.status("taken")["connection"]["message"]
    assert "Secret taken-connection exists and was made by somebody else" in message
    assert "Service taken exists and was made by somebody else" in message
    told = until(
        lambda: [it for it in world.events("taken") if it["reason"] == "ConnectionNameTaken"], "an Event was posted"
    )
    assert [it["type"] for it in told] == ["Warning"]
    world.ready("taken")

    world.patch("taken", connection={"secretName": "free", "serviceName": "gpu"})
    world.wait("taken", "jsonpath={.status.connection.serviceName}=gpu")
    until(lambda: "reason" not in world.status("taken")["connection"], "nothing stands in the way")
    assert {"secret/free", "service/gpu"} <= set(published(world, "taken"))
    world.patch("taken", connection=None)
    until(lambda: not published(world, "taken"), "it is removed with the wish")
    until(lambda: "connection" not in world.status("taken"), "the status says so")
    world.delete("taken")
    assert Pod(world, "taken").secret() == {"precious": "yes"}
    assert world.kubectl.json("get", "service", "taken")["spec"]["ports"][0]["port"] == 1


def test_a_server_with_an_address_of_its_own(connections: Stack) -> None:
    """The root password is in the Secret and nowhere else; a Service leads to no address inside, and says so."""
    world = World(connections, NAMESPACE, connections.hostwinds)
    world.apply(server("web", connection={}))
    world.ready("web")
    world.wait("web", "jsonpath={.status.connection.reason}=ConnectionAddressRefused")
    pod = Pod(world, "web")
    assert pod.secret()["sshPassword"] == ROOT_PASSWORD
    assert pod.places(8080) == []
    told = world.kubectl("get", "gpui,events,services,endpointslices", "--show-managed-fields", "-o", "yaml")
    assert ROOT_PASSWORD not in told + world.stack.operator.child.log.read_text() + world.stack.operator.metrics()
    world.delete("web")


REFUSED: dict[str, tuple[Manifest, str]] = {
    "the credentials": (
        serving(connection={"secretName": "novita-credentials"}),
        "must not be a Secret with a provider's API key",
    ),
    "credentials of another name": (
        serving(credentialsRef={"name": "mine"}, connection={"secretName": "mine"}),
        "must not be a Secret with a provider's API key",
    ),
    "another provider's credentials": (
        serving(connection={"secretName": "hostwinds-credentials"}),
        "must not be a Secret with a provider's API key",
    ),
    "no name of a Service": (serving(connection={"serviceName": "1st.gpu"}), "serviceName must be a DNS label"),
    "no name of a Secret": (serving(connection={"secretName": "My Secret"}), "secretName must be a DNS-1123 name"),
    "no name of a port": (serving(ports=[{"port": 80, "name": "Web UI"}], connection={}), "names of ports become"),
    "an object that no Service can be called after": (serving("a.b", connection={}), "set spec.connection.serviceName"),
    "a long name": (
        serving("a" * 250, connection={"serviceName": "gpu"}),
        "set spec.connection.secretName",
    ),
}


@pytest.mark.parametrize(("manifest", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_published_is_refused(world: World, manifest: Manifest, words: str) -> None:
    """By the API server, in words."""
    done = world.kubectl.attempt("create", "--dry-run=server", "-f", "-", stdin=json.dumps(manifest))
    assert done.returncode != 0
    assert words in done.stderr
