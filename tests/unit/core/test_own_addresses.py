"""A machine with an address of its own: every port is reached there, whatever the provider publishes."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.words import DriftPolicy, Outcome, Phase
from gpuinstance.core.decide import decide
from gpuinstance.core.differences import drift
from gpuinstance.core.model import Machine
from gpuinstance.core.rules.addresses import learn_addresses
from gpuinstance.core.rules.change import apply_change
from gpuinstance.core.snapshot import Snapshot
from tests.builders import HOST, OF_HOSTWINDS, InstanceBuilder, ago, instance, machine, report, snapshot
from tests.unit.core.table import SILENT, Answer, judge, rows, waits

ELSEWHERE = "203.0.113.99"
UP = machine(exposes=(), host=HOST)
MOVED = machine(exposes=(), host=ELSEWHERE)
SERVER = instance().of_hostwinds()
SERVING = SERVER.serving_at(HOST, 80)


def given(of: InstanceBuilder, *machines: Machine, **facts: Any) -> Snapshot:
    return snapshot(of, *machines, limits=OF_HOSTWINDS, **facts)


URLS = [
    ("80", HOST, f"http://{HOST}:80"),
    ("8080", HOST, f"http://{HOST}:8080"),
    ("443", HOST, f"https://{HOST}:443"),
    ("22/tcp", HOST, f"tcp://{HOST}:22"),
    ("443/tcp", HOST, f"tcp://{HOST}:443"),
    ("80", "2001:db8::7", "http://[2001:db8::7]:80"),
]


@pytest.mark.parametrize(("port", "host", "url"), URLS, ids=[f"{port} of {host}" for port, host, _ in URLS])
def test_each_port_becomes_an_endpoint(port: str, host: str, url: str) -> None:
    """In the words of its protocol; nothing is asked of the provider for it."""
    decision = learn_addresses(given(SERVER.with_ports(port).with_machine(), machine(exposes=(), host=host)))
    assert decision is not None
    assert decision.need is None
    assert [it.url for it in decision.status.endpoints or ()] == [url]


@rows(
    ("it is where it was", given(SERVING, UP), SILENT),
    ("no address for a moment says nothing", given(SERVING, machine(exposes=())), SILENT),
    ("no port is wanted", given(SERVER.with_ports().with_machine(), UP), SILENT),
    (
        "it has none yet",
        given(SERVER.with_ports(80).with_machine(), machine(exposes=())),
        waits(Reason.STARTING, phase=Phase.RUNNING, status=lambda it: it.endpoints is None),
    ),
    (
        "it has moved: its application has to answer there",
        given(SERVING, MOVED),
        waits(Reason.STARTING, status=lambda it: it.endpoints is None and it.health_check is None),
    ),
    (
        "it was started again, at the same address",
        given(SERVING.with_status(instance={"id": "m-1", "name": "x", "started_at": ago(hours=2)}), UP),
        waits(Reason.STARTING, status=lambda it: it.endpoints is None),
    ),
)
def test_learn_addresses(given: Snapshot, answer: Answer | None) -> None:
    """Learned from the listing, and anew when it shows another."""
    judge(learn_addresses, given, answer)


@rows(
    ("nothing was changed", given(SERVING, UP), SILENT),
    (
        "another port needs no call",
        given(SERVING.edited(ports=[{"port": 80}, {"port": 22, "protocol": "tcp"}]), UP),
        waits(
            Reason.APPLYING_CHANGE,
            status=lambda it: it.applied.ports == "22/tcp,80/http" and it.endpoints is None and it.operation is None,
        ),
    ),
    (
        "nor does none",
        given(SERVING.edited(ports=None), UP),
        waits(Reason.APPLYING_CHANGE, status=lambda it: it.applied.ports == "" and it.endpoints is None),
    ),
)
def test_changed_ports(given: Snapshot, answer: Answer | None) -> None:
    """What is applied follows at once, and the endpoints are learned anew."""
    judge(apply_change, given, answer)


@pytest.mark.parametrize("policy", DriftPolicy)
def test_nobody_can_change_ports_at_the_provider(policy: DriftPolicy) -> None:
    """It shows none, and that is no drift."""
    seen = given(SERVING.with_spec(drift=policy), UP, health=report(80))
    assert not drift(seen)
    decision = decide(seen)
    assert (decision.rule, decision.action, decision.status.outcome) == ("settled", None, Outcome.READY)
    synced = decision.status.condition("Synced")
    assert synced is not None
    assert synced.status == "True"


def test_a_machine_that_is_found_again_has_the_ports_of_the_spec() -> None:
    """The provider shows none, so that the spec is the only witness; and it names no disk of its own."""
    found = decide(given(SERVER.with_ports(80, 443), machine(exposes=(), host=HOST, rootfs_gb=None)))
    assert found.rule == "adopt_what_carries_our_name"
    applied = found.status.applied
    assert (applied.ports, applied.rootfs_size_gb) == ("80/http,443/http", None)
