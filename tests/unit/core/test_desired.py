"""What the spec asks for, what was brought about, and whether they agree."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuinstance.api.status import AppliedStatus
from gpuinstance.api.words import PortProtocol, PowerState
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import ChangeSoftware
from gpuinstance.core.desired import (
    applied_as_found,
    applied_by_change,
    applied_by_purchase,
    applied_matches,
    format_ports,
    hardware_fingerprint,
    parse_ports,
    shown_ports,
    software_fingerprint,
    wanted_ports,
)
from gpuinstance.core.model import MachineState, Software
from tests.builders import IMAGE, InstanceBuilder, instance, machine, snapshot
from tests.laws import check

FROM_TEMPLATE: dict[str, Any] = {"image": None, "template_id": "t-1"}
SECRET = "sk-verysecret-0123456789"


def secret_variable(key: str = "token") -> dict[str, Any]:
    return {"name": "TOKEN", "value_from": {"secret_key_ref": {"name": "hub", "key": key}}}


# ---------------------------------------------------------------------------------------------------- ports


@settings(derandomize=True, database=None)
@given(st.dictionaries(st.integers(1, 65535), st.sampled_from(PortProtocol)))
def test_ports_survive_the_status(exposed: dict[int, PortProtocol]) -> None:
    """Written as text and read again, they are the same ports, sorted by number."""
    text = format_ports(exposed.items())
    assert [(p.number, p.protocol) for p in parse_ports(text)] == sorted(exposed.items())
    assert format_ports((p.number, p.protocol) for p in parse_ports(text)) == text


def test_ports_are_sorted_as_numbers() -> None:
    """The same ports are the same text, in whatever order anybody names them."""
    assert format_ports([(8080, PortProtocol.HTTP), (22, PortProtocol.TCP)]) == "22/tcp,8080/http"
    assert shown_ports(machine(exposes=("8080/http", "22/tcp"))) == "22/tcp,8080/http"
    assert parse_ports("") == ()


WANTED: dict[str, tuple[dict[str, Any], str | None]] = {
    "no ports in the spec: none": ({}, ""),
    "an empty list: none": ({"ports": []}, ""),
    "named ports, http unless said otherwise": (
        {"ports": [{"port": 8080}, {"port": 22, "protocol": "tcp"}]},
        "22/tcp,8080/http",
    ),
    "with a template and no list: whatever the template says": (FROM_TEMPLATE, None),
    "with a template and an empty list: none": (FROM_TEMPLATE | {"ports": []}, ""),
    "with a template and a list: the list": (FROM_TEMPLATE | {"ports": [{"port": 80}]}, "80/http"),
}


@pytest.mark.parametrize(("fields", "expected"), WANTED.values(), ids=WANTED)
def test_the_spec_names_its_ports_or_leaves_them_to_the_template(fields: dict[str, Any], expected: str | None) -> None:
    """None says that the spec has no opinion, which is not the same as no ports."""
    assert wanted_ports(instance().with_spec(**fields).build().spec) == expected


# ---------------------------------------------------------------------------------------------- fingerprints

SOFTWARE: dict[str, dict[str, Any]] = {
    "another image": {"image": "other:2"},
    "a template instead": FROM_TEMPLATE,
    "registry credentials": {"registry_auth_id": "auth-1"},
    "a command": {"command": "serve"},
    "an empty command, which is not the image's own": {"command": ""},
    "an entrypoint": {"entrypoint": "/tini"},
    "a variable": {"env": [{"name": "A", "value": "1"}]},
    "another value of it": {"env": [{"name": "A", "value": "2"}]},
    "a reference to a Secret": {"env": [secret_variable()]},
    "another key of it": {"env": [secret_variable("other")]},
    "a volume": {"network_volumes": [{"id": "v-1"}]},
    "another place for it": {"network_volumes": [{"id": "v-1", "mount_path": "/data"}]},
}
HARDWARE: dict[str, dict[str, Any]] = {
    "another product": {"product": {"name": "H100"}},
    "a product by its id": {"product": {"id": "RTX 4090"}},
    "more GPUs": {"gpu_count": 2},
    "another billing mode": {"billing": {"mode": "Spot"}},
    "a term": {"billing": {"mode": "Monthly", "months": 1}},
    "a longer term": {"billing": {"mode": "Monthly", "months": 3}},
    "a CUDA version": {"min_cuda_version": "12.4"},
}
NEITHER: dict[str, dict[str, Any]] = {
    "ports, which are compared themselves": {"ports": [{"port": 80}]},
    "the disk, which is compared itself": {"rootfs_size_gb": 100},
    "regions, which only a purchase asks for": {"regions": ["us-ca-6"]},
    "the price cap, likewise": {"billing": {"max_hourly_price": "1"}},
    "the power state": {"power_state": "Stopped"},
    "an action": {"actions": {"restart": "a"}},
    "health checks": {"health_check": {"enabled": False}},
    "timeouts": {"timeouts": {"create": "1h"}},
    "what happens at deletion": {"deletion_policy": "Orphan"},
    "a list of variables that is there, but empty": {"env": []},
}


def fingerprints(fields: dict[str, Any]) -> tuple[str, str]:
    spec = instance().with_spec(**fields).build().spec
    return software_fingerprint(spec), hardware_fingerprint(spec)


@pytest.mark.parametrize("fields", SOFTWARE.values(), ids=SOFTWARE)
def test_software_is_told_apart(fields: dict[str, Any]) -> None:
    """A change of what runs in the machine changes that fingerprint and not the other."""
    before, after = fingerprints({}), fingerprints(fields)
    assert before[0] != after[0]
    assert before[1] == after[1]
    assert len({fingerprints(other)[0] for other in SOFTWARE.values()}) == len(SOFTWARE)


@pytest.mark.parametrize("fields", HARDWARE.values(), ids=HARDWARE)
def test_hardware_is_told_apart(fields: dict[str, Any]) -> None:
    """A change of what can only be bought changes that fingerprint and not the other."""
    before, after = fingerprints({}), fingerprints(fields)
    assert before[0] == after[0]
    assert before[1] != after[1]
    assert len({fingerprints(other)[1] for other in HARDWARE.values()}) == len(HARDWARE)


@pytest.mark.parametrize("fields", NEITHER.values(), ids=NEITHER)
def test_what_needs_no_other_machine_and_no_reset_changes_no_fingerprint(fields: dict[str, Any]) -> None:
    """A change of it alone must not reset a machine, let alone ask for a new one."""
    assert fingerprints(fields) == fingerprints({})


@pytest.mark.parametrize("fields", [*SOFTWARE.values(), *HARDWARE.values()], ids=[*SOFTWARE, *HARDWARE])
def test_a_fingerprint_is_a_short_digest(fields: dict[str, Any]) -> None:
    """It shows nothing of what it stands for, and is the same in every process."""
    for fingerprint in fingerprints(fields):
        assert len(fingerprint) == 12
        assert set(fingerprint) <= set("0123456789abcdef")


def test_no_value_of_a_secret_reaches_the_status() -> None:
    """Not even as a digest: software that differs only in a secret's value leaves the same status."""

    def changed(value: str) -> str:
        edited = instance().running().edited(env=[secret_variable()])
        decision = decide(snapshot(edited, machine(), software=Software(IMAGE, env=(("TOKEN", value),))))
        assert isinstance(decision.action, ChangeSoftware)
        assert decision.action.software.env == (("TOKEN", value),)
        check(decision.status, generation=2)
        return json.dumps(decision.status.model_dump(mode="json"), sort_keys=True)

    assert SECRET not in changed(SECRET)
    assert changed(SECRET) == changed("something else")


# -------------------------------------------------------------------------------------------------- applied


def test_a_purchase_brings_about_the_whole_spec() -> None:
    """Nothing is left to change on a machine that was just bought by the spec."""
    bought = instance().with_spec(rootfs_size_gb=100).with_ports(80).with_machine()
    spec = bought.build().spec
    applied = applied_by_purchase(spec, ports="80/http", rootfs_gb=100)
    assert applied.power_state is PowerState.RUNNING
    assert applied_matches(snapshot(bought.with_status(applied=applied)))


FOUND: dict[str, tuple[dict[str, Any], int | None, int]] = {
    "the disk that the provider shows": ({"rootfs_size_gb": 100}, 80, 80),
    "else the one that the spec asks for": ({"rootfs_size_gb": 100}, None, 100),
    "else the one that is bought without a wish": ({}, None, 60),
}


@pytest.mark.parametrize(("fields", "shown", "expected"), FOUND.values(), ids=FOUND)
def test_a_machine_found_again_counts_as_what_it_shows(
    fields: dict[str, Any], shown: int | None, expected: int
) -> None:
    """What can be seen is taken from the machine, the rest from the spec."""
    found = machine(exposes=("22/tcp",), rootfs_gb=shown, state=MachineState.STOPPED)
    given = snapshot(instance().with_spec(**fields).with_ports(80), found)
    spec, applied = given.spec, applied_as_found(given, found)
    assert (applied.ports, applied.rootfs_size_gb) == ("22/tcp", expected)
    assert (applied.software, applied.hardware) == (software_fingerprint(spec), hardware_fingerprint(spec))
    assert applied.power_state is None


CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "software": ("software:abcdef012345", {"software": "abcdef012345"}),
    "ports": ("ports:22/tcp,80/http", {"ports": "22/tcp,80/http"}),
    "no ports any more": ("ports:", {"ports": ""}),
    "a larger disk": ("disk:200", {"rootfs_size_gb": 200}),
    "no target, as for other operations": ("", {}),
    "a target of another version of the operator": ("memory:64", {}),
}


@pytest.mark.parametrize(("target", "fields"), CHANGES.values(), ids=CHANGES)
def test_a_change_brings_about_its_target_and_nothing_else(target: str, fields: dict[str, Any]) -> None:
    """Everything else that was applied stays as it is recorded."""
    before = AppliedStatus(ports="80/http", rootfs_size_gb=60, software="0", hardware="1")
    assert applied_by_change(before, target) == before.model_copy(update=fields)


MATCHES: dict[str, tuple[InstanceBuilder, bool]] = {
    "nothing was changed": (instance().with_ports(80).running(), True),
    "nothing was ever applied": (instance().seen(), False),
    "other software": (instance().running().edited(command="serve"), False),
    "other hardware": (instance().running().edited(gpu_count=2), False),
    "other ports": (instance().running().edited(ports=[{"port": 80}]), False),
    "the same ports in another order": (
        instance().with_ports(80, "22/tcp").running().edited(ports=[{"port": 22, "protocol": "tcp"}, {"port": 80}]),
        True,
    ),
    "ports that are the template's, whatever they are": (instance().with_spec(**FROM_TEMPLATE).running(), True),
    "a larger disk": (instance().running().edited(rootfs_size_gb=61), False),
    "a disk that is already larger": (instance().running().edited(rootfs_size_gb=10), True),
    "something that is not part of the machine": (instance().running().edited(regions=["us-ca-6"]), True),
}


@pytest.mark.parametrize(("of", "expected"), MATCHES.values(), ids=MATCHES)
def test_applied_matches_when_nothing_is_left_to_do(of: InstanceBuilder, *, expected: bool) -> None:
    """Only what the spec says about the machine itself counts."""
    assert applied_matches(snapshot(of, machine())) is expected
