"""Hostwinds' answers about servers, odd as they come, in the operator's words."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gpuinstance.core.model import Machine, MachineState, Sizes
from gpuinstance.providers.hostwinds.wire import IdAnswer, ListAnswer, ServerAnswer

SERVER = {
    "serviceid": 183,
    "userid": 7,
    "location_id": 1,
    "server_uuid": "6f0c",
    "password": "canary-root",
    "main_ip": "203.0.113.10",
    "private_ip": "10.0.0.5",
    "ips": None,
    "is_suspended": 0,
    "ssh_keys": [],
    "hourly": 0,
    "srvrname": "k8s-7c1e",
    "template_uuid": "d3b0",
    "locked": 0,
    "hostname": "hwsrv-183.example",
    "product_id": 402,
    "billingcycle": "monthly",
    "product_name": "VPS 1 CPU 2 GB",
    "status": "active",
    "disp_status": "Active",
    "image": {"name": "Ubuntu 22.04"},
    "flavor": {},
    "vm_state": "active",
    "task_state": None,
    "ram": 2048,
    "cpu": 1,
    "disk": 50,
    "created_at": "2026-01-02 03:04:05",
    "launched_at": "2026-01-02 03:06:10",
    "power_state": 1,
    "host": "node-1",
}


def parse(**changes: object) -> Machine:
    return ServerAnswer.model_validate(SERVER | changes).to_machine()


def test_a_full_answer() -> None:
    """Everything that the operator knows about a server is read from an answer as it is documented."""
    assert parse() == Machine(
        id="183",
        name="k8s-7c1e",
        state=MachineState.RUNNING,
        word="active",
        product_id="402",
        product_name="VPS 1 CPU 2 GB",
        region="1",
        image="Ubuntu 22.04",
        created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        started_at=datetime(2026, 1, 2, 3, 6, 10, tzinfo=UTC),
        host="203.0.113.10",
        sizes=Sizes(2048, 1, 50),
    )


def test_numbers_may_come_as_text() -> None:
    """As PHP writes them; the server is the same."""
    texts = {key: str(value) for key, value in SERVER.items() if isinstance(value, int)}
    assert parse(**texts) == parse()


def test_the_root_password_is_dropped() -> None:
    """It is in nothing that leaves the parser, also not in what the parser says about a broken answer."""
    answer = ServerAnswer.model_validate(SERVER)
    assert "canary" not in repr(answer)
    assert "canary" not in repr(answer.to_machine())
    assert "canary" not in repr(answer.model_dump())
    for broken in ({**SERVER, "serviceid": None}, {**SERVER, "serviceid": "canary-no-number"}):
        with pytest.raises(ValidationError) as caught:
            ServerAnswer.model_validate(broken)
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize("serviceid", [None, "", 0, "0", [], {}, True])
def test_an_entry_without_an_id_is_an_error(serviceid: object) -> None:
    """Alone and in a listing: what cannot be told apart cannot be called absent."""
    with pytest.raises(ValidationError):
        ListAnswer.model_validate({"servers": [SERVER, {**SERVER, "serviceid": serviceid}]})
    with pytest.raises(ValidationError):
        IdAnswer.model_validate({"id": serviceid, "srvrname": "x"})


MARKS = [
    (0, False), ("0", False), (False, False), (None, False), ("", False), ("no", False), ([], False),
    (1, True), ("1", True), (True, True), ("yes", True), (-1, True), ("something", True), (2, True),
]  # fmt: skip


@pytest.mark.parametrize(("value", "is_set"), MARKS)
def test_marks(value: object, is_set: bool) -> None:
    """A server is suspended or locked unless the mark clearly says no."""
    for field in ("is_suspended", "locked"):
        assert (parse(**{field: value}).state is MachineState.SUSPENDED) is is_set


TROUBLES = [
    ({"status": "error", "disp_status": "No valid host was found"}, "No valid host was found"),
    ({"status": "ERROR", "disp_status": ""}, "ERROR"),
    ({"status": "active", "vm_state": "error", "disp_status": None}, "active"),
    ({"status": "active", "disp_status": "Active"}, ""),
    ({"status": "error", "task_state": "deleting", "disp_status": "Deleting"}, ""),
]


@pytest.mark.parametrize(("changes", "trouble"), TROUBLES)
def test_a_failure_is_told_by_the_display_status(changes: dict[str, object], trouble: str) -> None:
    """In its words, or in those of the status where it has none; a server in order has no trouble."""
    assert parse(**changes).trouble == trouble


SIZES = [
    (2048, 2048), ("2048", 2048), ("2048 MB", 2048), ("2", 2048), (2, 2048), ("2 GB", 2048), ("2GiB", 2048),
    ("0.5 GB", 512), (1024, 1024), (98304, 98304), (96, 98304), (None, 0), ("", 0), ("much", 0), ({}, 0),
]  # fmt: skip


@pytest.mark.parametrize(("value", "megabytes"), SIZES)
def test_memory_in_any_unit(value: object, megabytes: int) -> None:
    """The unit is not documented: it is read where it is named, and told by the size where it is not."""
    sizes = parse(ram=value).sizes
    assert sizes is not None
    assert sizes.ram_mb == megabytes


def test_other_sizes_may_have_units() -> None:
    """Disk is GB, processors are counted."""
    assert parse(disk="100 GB", cpu="2 Cores").sizes == Sizes(2048, 2, 100)
    assert parse(disk="1 TB", cpu="4").sizes == Sizes(2048, 4, 1024)
    assert parse(disk=None, cpu=None).sizes == Sizes(2048, 0, 0)


ADDRESSES = ["0.0.0.0", "", None, "pending", "2001:db8::1", "203.0.113.10/24", "http://203.0.113.10", "256.1.1.1", 7]


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_no_address_is_none(address: object) -> None:
    """Only a plain IPv4 address is believed."""
    assert parse(main_ip=address).host == ""


@pytest.mark.parametrize("time", ["0000-00-00 00:00:00", "", None, "soon", 0, {}, "2026-13-01 00:00:00"])
def test_what_is_no_time_is_none(time: object) -> None:
    """An unreadable time is no time."""
    assert parse(created_at=time, launched_at=time).created_at is None


def test_a_name_may_be_known_from_elsewhere() -> None:
    """Its own name counts first."""
    answer = ServerAnswer.model_validate({key: value for key, value in SERVER.items() if key != "srvrname"})
    assert answer.srvrname is None
    assert answer.to_machine().name == ""
    assert answer.to_machine("elsewhere").name == "elsewhere"
    assert ServerAnswer.model_validate(SERVER).to_machine("elsewhere").name == "k8s-7c1e"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ODD = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(SERVER.keys() - {"serviceid"})), ODD, max_size=6))
def test_no_field_can_break_a_server(changes: dict[str, object]) -> None:
    """Whatever JSON stands in whatever optional field, the server is read."""
    machine = parse(**changes)
    assert machine.id == "183"
    assert {field.name for field in fields(machine)} >= {"state", "host"}
