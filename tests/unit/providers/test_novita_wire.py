"""Novita's answers about machines, odd as they come, in the operator's words."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gpuinstance.api.words import BillingMode, PortProtocol
from gpuinstance.core.model import Machine, MachineState, Port, SpotState
from gpuinstance.providers.novita.wire import MachineAnswer, PageAnswer

SUMMARY = {
    "id": "79485daa470d8d6d",
    "name": "worker-7",
    "clusterId": "us-ca-6",
    "clusterName": "US-CA-06 (California)",
    "status": "running",
    "imageUrl": "docker.io/library/nginx:1.27",
    "imageAuthId": "",
    "cpuNum": "16",
    "memory": "62",
    "gpuNum": "2",
    "portMappings": [{"port": 80, "type": "http"}, {"port": 22, "type": "tcp"}],
    "productId": "4090.16c62g",
    "productName": "RTX 4090 24GB",
    "rootfsSize": 60,
    "statusError": {"state": "", "message": ""},
    "envs": [{"key": "TOKEN", "value": "canary-env"}],
    "billingMode": "spot",
    "endTime": "-1",
    "spotStatus": "running",
    "spotReclaimTime": "0",
    "createdAt": "1768435200",
    "lastStartedAt": "1768435260",
    "lastStoppedAt": "0",
    "connectComponentSSH": {"sshCommand": "ssh -p 32787 root@proxy", "password": "canary-ssh"},
    "connectComponentWebTerminal": {"password": "canary-terminal"},
}


def parse(**changes: object) -> Machine:
    return MachineAnswer.model_validate(SUMMARY | changes).to_machine()


def test_a_full_answer() -> None:
    """Everything that the operator knows about a machine is read from an answer as it is documented."""
    assert parse() == Machine(
        id="79485daa470d8d6d",
        name="worker-7",
        state=MachineState.RUNNING,
        word="running",
        product_id="4090.16c62g",
        product_name="RTX 4090 24GB",
        region="us-ca-6",
        billing_mode=BillingMode.SPOT,
        spot=SpotState.STABLE,
        reclaimed_at=None,
        ports=(Port(80, PortProtocol.HTTP), Port(22, PortProtocol.TCP)),
        rootfs_gb=60,
        image="docker.io/library/nginx:1.27",
        gpu_count=2,
        trouble="",
        created_at=datetime(2026, 1, 15, 0, 0, 0, tzinfo=UTC),
        started_at=datetime(2026, 1, 15, 0, 1, 0, tzinfo=UTC),
        stopped_at=None,
    )


@pytest.mark.parametrize(
    ("mode", "gpus", "raw", "price"),
    [
        ("onDemand", "2", "175000", "3.5"),
        ("onDemand", "1", 35000, "0.35"),
        ("onDemand", "1", "0", None),
        ("onDemand", "1", "", None),
        ("onDemand", "1", "-1", None),
        ("onDemand", None, "35000", None),
        ("onDemand", "1", "cheap", None),
        ("onDemand", "1", "0.35", None),
        ("onDemand", "1", "35000.0", "0.35"),
        ("spot", "1", "35000", None),
        ("monthly", "1", "35000", None),
        ("", "1", "35000", None),
    ],
)
def test_the_price_of_a_machine(mode: str, gpus: object, raw: object, price: str | None) -> None:
    """Of one GPU, in whole units. Which price is meant is known for a machine that is paid by the hour only."""
    expected = Decimal(price) if price is not None else None
    assert parse(billingMode=mode, gpuNum=gpus, instancePrice=raw).hourly_price == expected


def test_secrets_in_an_answer_are_dropped() -> None:
    """Passwords and the values of environments are in nothing that leaves the parser."""
    answer = MachineAnswer.model_validate(SUMMARY)
    assert "canary" not in repr(answer)
    assert "canary" not in repr(answer.to_machine())


WORDS = [
    ("pending", MachineState.CREATING),
    ("toCreate", MachineState.CREATING),
    ("creating", MachineState.CREATING),
    ("pulling", MachineState.CREATING),
    ("running", MachineState.RUNNING),
    ("toStart", MachineState.STARTING),
    ("starting", MachineState.STARTING),
    ("toRestart", MachineState.STARTING),
    ("restarting", MachineState.STARTING),
    ("toReset", MachineState.STARTING),
    ("resetting", MachineState.STARTING),
    ("toStop", MachineState.STOPPING),
    ("stopping", MachineState.STOPPING),
    ("exited", MachineState.STOPPED),
    ("migrating", MachineState.MIGRATING),
    ("toRemove", MachineState.REMOVING),
    ("removing", MachineState.REMOVING),
    ("removed", MachineState.REMOVED),
    ("freezing", MachineState.SUSPENDED),
    ("RUNNING", MachineState.RUNNING),
    ("hibernating", MachineState.UNKNOWN),
    ("", MachineState.UNKNOWN),
    (None, MachineState.UNKNOWN),
    ({"status": "running"}, MachineState.UNKNOWN),
]


@pytest.mark.parametrize(("word", "state"), WORDS)
def test_status_words(word: object, state: MachineState) -> None:
    """Each word has its class; one that nobody knows is survived, and shown as it is."""
    machine = parse(status=word)
    assert machine.state is state
    assert machine.word == (word if isinstance(word, str) else "")


SPOT = [
    ("a spot machine in peace", "spot", "running", "running", "0", SpotState.STABLE),
    ("a reclaim is announced", "spot", "running", "notified", "0", SpotState.NOTIFIED),
    ("a reclaim goes on", "spot", "running", "reclaiming", "1768435200", SpotState.RECLAIMING),
    ("a reclaim is over", "spot", "exited", "terminated", "1768435200", SpotState.RECLAIMED),
    ("only its time tells of the reclaim", "spot", "exited", "", "1768435200", SpotState.RECLAIMED),
    ("stopped by its owner", "spot", "exited", "", "0", None),
    ("reclaimed once, running again", "spot", "running", "running", "1768435200", SpotState.STABLE),
    ("no spot machine", "onDemand", "running", "", "0", None),
    ("an unknown word", "spot", "running", "wobbling", "0", None),
]


@pytest.mark.parametrize(
    ("mode", "status", "spot", "time", "expected"), [row[1:] for row in SPOT], ids=[row[0] for row in SPOT]
)
def test_spot(mode: str, status: str, spot: str, time: str, expected: SpotState | None) -> None:
    """Reclaim is told from a stop by the spot status or, where that is empty, by its time."""
    machine = parse(billingMode=mode, status=status, spotStatus=spot, spotReclaimTime=time)
    assert machine.spot is expected
    assert (machine.reclaimed_at is None) == (time == "0")


NUMBERS = [
    ("60", 60),
    (60, 60),
    (60.0, 60),
    (" 60 ", 60),
    ("", None),
    ("-1", None),
    (0, None),
    ("0", None),
    ("sixty", None),
    (True, None),
    (None, None),
    ([], None),
    ("NaN", None),
    ("1e999999999", None),
]


@pytest.mark.parametrize(("raw", "expected"), NUMBERS)
def test_numbers_come_in_any_type(raw: object, expected: int | None) -> None:
    """Numbers as text, sentinels and nonsense are read or left out, never an error."""
    machine = parse(rootfsSize=raw, gpuNum=raw)
    assert (machine.rootfs_gb, machine.gpu_count) == (expected, expected)


@pytest.mark.parametrize("raw", ["", "0", "-1", None, "yesterday", "99999999999999", {}])
def test_no_time_is_none(raw: object) -> None:
    """Sentinels and nonsense in times are no time."""
    machine = parse(createdAt=raw, lastStartedAt=raw, startedAt=raw)
    assert (machine.created_at, machine.started_at) == (None, None)


def test_both_spellings_of_times() -> None:
    """`startedAt` serves where `lastStartedAt` is missing, and likewise for stops."""
    machine = parse(lastStartedAt="", startedAt=1768435200, lastStoppedAt=None, stoppedAt="1768435200")
    assert machine.started_at == machine.stopped_at == datetime(2026, 1, 15, tzinfo=UTC)


ADDRESSES = [
    ("http", "https://m-80.us-ca-6.gpu-instance.novita.ai", "https://m-80.us-ca-6.gpu-instance.novita.ai"),
    ("http", "m-80.us-ca-6.gpu-instance.novita.ai", "https://m-80.us-ca-6.gpu-instance.novita.ai"),
    ("http", "http://127.0.0.1:8080/_apps/m/80", "http://127.0.0.1:8080/_apps/m/80"),
    ("http", "https://host.example/", "https://host.example"),
    ("http", "HTTP://host.example", "http://host.example"),
    ("http", "https://user:canary@host.example", "https://host.example"),
    ("http", "https://host.example/?token=canary", "https://host.example"),
    ("http", "", None),
    ("http", "not ready", None),
    ("http", "javascript:alert(1)", None),
    ("tcp", "proxy.us-ca-6.gpu-instance.novita.ai:32787", "proxy.us-ca-6.gpu-instance.novita.ai:32787"),
    ("tcp", "tcp://proxy.example:32787", "proxy.example:32787"),
    ("tcp", "203.0.113.7:32787", "203.0.113.7:32787"),
    ("tcp", "[2001:db8::1]:22", "[2001:db8::1]:22"),
    ("tcp", "proxy.example", None),
    ("tcp", "", None),
    ("tcp", None, None),
]


@pytest.mark.parametrize(("protocol", "endpoint", "address"), ADDRESSES)
def test_addresses(protocol: str, endpoint: object, address: str | None) -> None:
    """With or without a scheme, an endpoint becomes a URL or host:port; what is neither is none."""
    machine = parse(portMappings=[{"port": 80, "type": protocol, "endpoint": endpoint}])
    assert machine.ports == (Port(80, PortProtocol(protocol), address),)


HTTP, TCP = PortProtocol.HTTP, PortProtocol.TCP
PORTS = [
    ("numbers as text, words in capitals", [{"port": "80", "type": "HTTP"}], (Port(80, HTTP),)),
    ("an unknown protocol", [{"port": 53, "type": "udp"}], ()),
    ("good beside bad", [{"port": 53, "type": "udp"}, {"port": 1, "type": "tcp"}], (Port(1, TCP),)),
    ("no port", [{"type": "http"}, {"port": 0, "type": "http"}], ()),
    ("null", None, ()),
    ("another type", {"port": 80}, ()),
    ("strange entries", ["80/http", None, 7], ()),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "ports"), [row[1:] for row in PORTS], ids=[row[0] for row in PORTS])
def test_ports(raw: object, ports: tuple[Port, ...]) -> None:
    """Ports that cannot be understood are left out; the others stay."""
    assert parse(portMappings=raw).ports == ports


TROUBLES = [
    ("exited", {"state": "error", "message": "image pull failed\n"}, "image pull failed"),
    ("exited", {"state": "ImagePullBackOff", "message": ""}, "ImagePullBackOff"),
    ("creating", "no node", "no node"),
    ("running", {"state": "error", "message": "image pull failed"}, ""),
    ("exited", {"state": "", "message": ""}, ""),
    ("exited", None, ""),
    ("exited", [], ""),
]


@pytest.mark.parametrize(("status", "raw", "trouble"), TROUBLES)
def test_trouble(status: str, raw: object, trouble: str) -> None:
    """A failure shows in statusError, not in the status; on a running machine it is over."""
    assert parse(status=status, statusError=raw).trouble == trouble


def test_an_id_is_all_that_a_machine_needs() -> None:
    """Every other field may be missing."""
    machine = MachineAnswer.model_validate({"id": 7}).to_machine()
    assert (machine.id, machine.state) == ("7", MachineState.UNKNOWN)


@pytest.mark.parametrize("raw", [{}, {"id": ""}, {"id": None}, {"id": ["x"]}, "x", None])
def test_without_an_id_it_is_no_machine(raw: object) -> None:
    """An entry without identity is an error, so that a listing with one is not taken for complete."""
    with pytest.raises(ValidationError):
        MachineAnswer.model_validate(raw)
    with pytest.raises(ValidationError):
        PageAnswer.model_validate({"instances": [SUMMARY, raw], "total": 2})


@pytest.mark.parametrize("raw", [None, [], {}, {"total": 0}, {"instances": {}}, {"instances": "none"}])
def test_a_page_without_a_list_is_no_page(raw: object) -> None:
    """What does not show a list does not say that there is nothing."""
    with pytest.raises(ValidationError):
        PageAnswer.model_validate(raw)


def test_null_is_an_empty_page() -> None:
    """A list without entries may come as null, and the total as text."""
    page = PageAnswer.model_validate({"instances": None, "total": "0"})
    assert page.instances is None
    assert page.total == 0


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ODD = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(SUMMARY.keys() - {"id"})), ODD, max_size=6))
def test_no_field_can_break_a_machine(changes: dict[str, object]) -> None:
    """Whatever JSON stands in whatever optional field, the machine is read."""
    machine = parse(**changes)
    assert machine.id == SUMMARY["id"]
    assert {field.name for field in fields(machine)} >= {"state", "ports"}
