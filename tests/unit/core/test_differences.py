"""Differences of an observed machine from its spec: each point by name, what is wanted and what was found."""

from __future__ import annotations

from typing import Any

import pytest

from gpuinstance.api.words import BillingMode, PowerState
from gpuinstance.core.differences import drift, from_spec
from gpuinstance.core.model import MachineState
from tests.builders import IMAGE, blind_snapshot, instance, machine, snapshot
from tests.unit.core.observed import Found, adopting, found, with_image, workstation

OTHER = "docker.io/library/nginx:1.28"
READY = instance().serving(80)


NOT_AS_THE_SPEC: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, str, str]]] = {
    "down": ({}, {"state": MachineState.STOPPED}, ("powerState", "Running", "Stopped")),
    "up": ({"power_state": PowerState.STOPPED}, {}, ("powerState", "Stopped", "Running")),
    "another product": ({"product": {"name": "H100"}}, {}, ("product", "H100", "RTX 4090")),
    "another product by id": ({"product": {"id": "h100.a"}}, {}, ("product", "h100.a", "4090.a")),
    "more GPUs": ({}, {"gpu_count": 2}, ("gpuCount", "1", "2")),
    "another bill": ({}, {"billing_mode": BillingMode.MONTHLY}, ("billing.mode", "OnDemand", "Monthly")),
    "another image": ({}, {"image": OTHER}, ("image", IMAGE, OTHER)),
    "another port": ({}, {"exposes": ("8080/http",)}, ("ports", "80/http", "8080/http")),
    "a further port": ({}, {"exposes": ("22/tcp", "80/http")}, ("ports", "80/http", "22/tcp,80/http")),
    "too small a disk": ({"rootfs_size_gb": 100}, {}, ("rootfsSizeGB", "100", "60")),
}


@pytest.mark.parametrize(("spec", "machine_", "expected"), NOT_AS_THE_SPEC.values(), ids=NOT_AS_THE_SPEC)
def test_where_an_observed_machine_is_not_as_the_spec_says(
    spec: dict[str, Any], machine_: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    """Each point is named as in the spec, with what should be and what is; nothing else is."""
    life = found(adopting(**spec), workstation(**machine_)).settle()
    assert life.shown() == {expected[0]: expected[1:]}
    assert life.actions == []


AS_THE_SPEC: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as it is": ({}, {}),
    "the image in short": ({}, {"image": "nginx:1.27"}),
    "a name in other letters": ({"product": {"name": "rtx 4090 "}}, {}),
    "a larger disk": ({"rootfs_size_gb": 30}, {}),
    "nothing shown": ({}, {"image": "", "product_id": "", "product_name": "", "gpu_count": None, "billing_mode": None}),
    "a template's ports and image": ({"template_id": "t-1", "image": None, "ports": None}, {}),
    "an environment, which nobody sees": ({"env": [{"name": "TOKEN", "value": "canary"}]}, {}),
}


@pytest.mark.parametrize(("spec", "machine_"), AS_THE_SPEC.values(), ids=AS_THE_SPEC)
def test_where_it_is_as_the_spec_says(spec: dict[str, Any], machine_: dict[str, Any]) -> None:
    """What does not show is taken as the spec says, and a way of writing is no difference."""
    life = found(adopting(**spec), workstation(**machine_)).settle()
    assert life.shown() == {}
    assert life.condition("Synced").status == "True"


def test_no_value_of_an_environment_comes_to_light() -> None:
    """Neither in differences, nor in words, nor in fingerprints that could be guessed."""
    secret = [{"name": "TOKEN", "value": "canary"}]
    life = found(adopting(env=secret, product={"name": "H100"}), workstation(image=OTHER, exposes=())).settle()
    assert len(life.shown()) == 3
    assert "canary" not in life.status.model_dump_json() + repr(life.told)


def test_what_an_upgrade_made_of_it_is_no_difference() -> None:
    """An instance that was upgraded, and is only observed now, is not compared with a spec from before."""
    upgraded = with_image(instance().serving(80), OTHER, upgraded_by="uid-1").with_spec(management="Observe")
    bigger = machine(image=OTHER, product_name="H100", gpu_count=8)
    assert from_spec(snapshot(upgraded, bigger)) == []
    life: Found = found(upgraded, bigger).settle()
    assert (life.is_ready, life.shown()) == (True, {})


def test_blindness_keeps_what_is_known() -> None:
    """A provider that is away has not made anything right."""
    life = found(adopting(), workstation(image=OTHER)).settle()
    kept = life.shown()
    assert kept
    life.blind = True
    life.watch(600, every=30)
    assert life.shown() == kept
    assert not drift(blind_snapshot(READY))
