"""What is published for pods in the cluster: which objects, with what in them, and when."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuinstance.api.words import OperationType
from gpuinstance.core.access import Access, Ssh
from gpuinstance.core.connection import Wish, public_data, secret_data, selector_of_slices, service, slices, wish_of
from gpuinstance.core.model import Machine, MachineState
from gpuinstance.core.port_names import names_of_ports
from tests.builders import InstanceBuilder, ago, blind_snapshot, instance, machine, operation, snapshot

PORTS = [{"port": 80, "name": "web"}, {"port": 22, "protocol": "tcp"}]
ENDPOINTS = [
    {"port": 80, "protocol": "http", "url": "https://m-80.example"},
    {"port": 22, "protocol": "tcp", "url": "tcp://proxy.example:32787"},
]
RUNNING = instance().serving(80).with_spec(ports=PORTS, connection={}).with_status(endpoints=ENDPOINTS)


def wish(of: InstanceBuilder = RUNNING, **shown: Any) -> Wish:
    """Return what is wished for an instance whose machine is shown so."""
    found = wish_of(snapshot(of, machine(**shown)), of.build().status)
    assert found is not None
    return found


def test_names_come_from_the_object_or_the_spec() -> None:
    """`{}` is enough; and a wish without `spec.connection` has no names, so that nothing is there."""
    assert (wish().secret_name, wish().service_name) == ("trainer-connection", "trainer")
    named = RUNNING.with_spec(connection={"secret_name": "in", "service_name": "gpu"})
    assert (wish(named).secret_name, wish(named).service_name) == ("in", "gpu")
    absent = wish(RUNNING.with_spec(connection=None))
    assert (absent.secret_name, absent.service_name, absent.ports) == (None, None, ())


@pytest.mark.parametrize("state", [MachineState.STOPPED, MachineState.STOPPING, MachineState.STARTING])
def test_a_machine_that_is_down_cannot_be_reached(state: MachineState) -> None:
    """Its names stay; its addresses and secrets do not hold any more."""
    found = wish(state=state)
    assert (found.secret_name, found.machine_id, found.ports) == ("trainer-connection", None, ())
    assert public_data(found) == {"endpoints": "[]"}


def test_addresses_that_are_being_learned_anew_are_not_published() -> None:
    """A machine that was started again may be somebody else at the old address."""
    assert wish(RUNNING.with_status(endpoints=None)).machine_id is None


def test_a_machine_without_ports_has_a_way_in() -> None:
    """Nothing has to be learned of it."""
    found = wish(RUNNING.with_spec(ports=[]).with_status(endpoints=None))
    assert (found.machine_id, found.ports) == ("m-1", ())


def test_what_is_not_known_changes_nothing() -> None:
    """Blind, deleting, or in a state that says nothing about addresses: what is published stays."""
    status = RUNNING.build().status
    assert wish_of(blind_snapshot(RUNNING), status) is None
    assert wish_of(snapshot(RUNNING.deleting(), machine()), status) is None
    for state in (MachineState.UNKNOWN, MachineState.MIGRATING, MachineState.RESIZING, MachineState.RESIZED):
        assert wish_of(snapshot(RUNNING, machine(state=state)), status) is None


def test_a_lost_machine_is_withdrawn() -> None:
    """The provider shows none."""
    found = wish_of(snapshot(RUNNING), RUNNING.build().status)
    assert found is not None
    assert found.machine_id is None


OCCASIONS: dict[str, tuple[InstanceBuilder, dict[str, Any]]] = {
    "another start": (RUNNING, {"started_at": ago(seconds=5)}),
    "another machine": (
        RUNNING.with_status(instance={"id": "m-2", "name": "n"}),
        {"machine_id": "m-2"},
    ),
    "another address": (RUNNING, {"host": "203.0.113.7"}),
    "another name": (RUNNING.with_spec(connection={"service_name": "gpu"}), {}),
    "another endpoint": (RUNNING.with_status(endpoints=ENDPOINTS[:1]), {}),
    "another name of a port": (RUNNING.with_spec(ports=[{"port": 80, "name": "api"}]), {}),
    "an operation has ended": (RUNNING.with_status(last_operation=operation(OperationType.RESTART)), {}),
    "it is down": (RUNNING, {"state": MachineState.STOPPED}),
}


@pytest.mark.parametrize(("of", "shown"), OCCASIONS.values(), ids=OCCASIONS)
def test_each_change_is_an_occasion(of: InstanceBuilder, shown: dict[str, Any]) -> None:
    """The same facts give the same occasion, and any of these another."""
    assert wish().occasion == wish().occasion
    assert wish(of, **shown).occasion != wish().occasion


ACCESS = Access(Ssh("proxy.example", 32790, "root"), "canary", "https://m-8888.example")


def test_the_secret_holds_all_ways_in() -> None:
    """Each part by itself, for programs, and each port by its name."""
    data = secret_data(wish(), ACCESS)
    assert json.loads(data.pop("endpoints")) == [
        {"name": "web", "port": 80, "protocol": "http", "url": "https://m-80.example"},
        {"name": "tcp-22", "port": 22, "protocol": "tcp", "url": "tcp://proxy.example:32787"},
    ]
    assert data == {
        "sshCommand": "ssh -p 32790 root@proxy.example",
        "sshHost": "proxy.example",
        "sshPort": "32790",
        "sshUser": "root",
        "sshPassword": "canary",
        "jupyterURL": "https://m-8888.example",
        "web.url": "https://m-80.example",
        "web.host": "m-80.example",
        "web.port": "443",
        "tcp-22.url": "tcp://proxy.example:32787",
        "tcp-22.host": "proxy.example",
        "tcp-22.port": "32787",
    }


def test_what_is_not_known_has_no_key() -> None:
    """A pod that asks for it fails to start, instead of using an empty value."""
    assert secret_data(wish(), Access()) == public_data(wish())


def test_the_service_has_the_numbers_of_the_spec() -> None:
    """Nobody selects pods for it, and each port says where it leads."""
    made = service(wish())
    assert made.name == "trainer"
    assert made.content["spec"] == {
        "type": "ClusterIP",
        "ipFamilyPolicy": "PreferDualStack",
        "selector": None,
        "ports": [
            {"name": "web", "port": 80, "protocol": "TCP", "targetPort": 443},
            {"name": "tcp-22", "port": 22, "protocol": "TCP", "targetPort": 32787},
        ],
    }


def test_there_is_a_slice_for_each_host_and_family() -> None:
    """The ports of a slice are those of its host alone, and addresses are sorted."""
    made = slices(
        wish(),
        {
            "m-80.example": [ip_address(it) for it in ("203.0.113.9", "203.0.113.10", "2001:db8::1")],
            "proxy.example": [ip_address("203.0.113.20")],
        },
    )
    shown = [
        (
            it.content["addressType"],
            [(p["name"], p["port"]) for p in it.content["ports"]],
            [e["addresses"] for e in it.content["endpoints"]],
        )
        for it in made
    ]
    assert shown == [
        ("IPv4", [("web", 443)], [["203.0.113.10"], ["203.0.113.9"]]),
        ("IPv6", [("web", 443)], [["2001:db8::1"]]),
        ("IPv4", [("tcp-22", 32787)], [["203.0.113.20"]]),
    ]
    assert len({it.name for it in made}) == 3
    wanted = dict(pair.split("=") for pair in selector_of_slices("trainer").split(","))
    assert all(wanted.items() <= it.labels.items() for it in made)


def test_hosts_without_addresses_have_no_slice() -> None:
    """One that resolves to nothing, or to which nothing may lead."""
    assert slices(wish(), {"m-80.example": []}) == ()


@pytest.mark.parametrize("url", ["", "nonsense", "tcp://host", "tcp://host:99999", "http://[::1", "tcp://:22"])
def test_what_is_no_address_is_left_out(url: str) -> None:
    """A provider's odd text costs its own port, and nothing else."""
    odd = RUNNING.with_status(endpoints=[ENDPOINTS[0], {"port": 22, "protocol": "tcp", "url": url}])
    assert [port.name for port in wish(odd).ports] == ["web"]


def test_addresses_of_the_machine_itself_are_used() -> None:
    """At a provider that gives a machine an address of its own."""
    own = RUNNING.with_status(endpoints=[{"port": 80, "protocol": "http", "url": "http://203.0.113.10:80"}])
    (port,) = wish(own).ports
    assert (port.host, port.port) == ("203.0.113.10", 80)


@pytest.mark.parametrize(
    ("given_names", "names"),
    [
        ({}, {80: "http-80", 22: "tcp-22"}),
        ({80: "web"}, {80: "web", 22: "tcp-22"}),
        ({80: "Not A Label"}, {80: "http-80", 22: "tcp-22"}),
        ({80: "tcp-22"}, {80: "tcp-22", 22: "tcp-22-x"}),
    ],
)
def test_each_port_has_a_name(given_names: dict[int, str], names: dict[int, str]) -> None:
    """The spec's where Kubernetes takes it, else one that is made up and nobody else's."""
    assert names_of_ports([(80, "http"), (22, "tcp")], given_names) == names


@given(
    st.dictionaries(st.integers(1, 65535), st.sampled_from(["http", "tcp"]), max_size=15),
    st.dictionaries(st.integers(1, 65535), st.text(max_size=63), max_size=15),
)
def test_no_two_ports_share_a_name(ports: dict[int, str], given_names: dict[int, str]) -> None:
    """Whatever the spec calls them, if the API server has let its names pass as unique."""
    unique = {number: name for number, name in given_names.items() if list(given_names.values()).count(name) == 1}
    names = names_of_ports(ports.items(), unique)
    assert set(names) == set(ports)
    assert len(set(names.values())) == len(ports)


def test_the_machine_is_the_recorded_one() -> None:
    """A second machine of ours, about to be removed, is never published."""
    surplus = Machine("m-9", "other", MachineState.RUNNING, "running", host="203.0.113.99")
    found = wish_of(snapshot(RUNNING, surplus), RUNNING.build().status)
    assert found is not None
    assert found.machine_id is None
