"""Manifests for machines that exist: what the API server accepts, with all that the provider shows, and no more."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
import yaml

from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.api.words import BillingMode, Management
from gpuinstance.cli.endings import Exit
from gpuinstance.cli.importing import Destination, manifest, name_for, refusal
from gpuinstance.cli.inventory_rows import Row, Verdict
from gpuinstance.core.model import Machine, MachineState
from tests.materials import ports
from tests.unit.cli import objects
from tests.unit.cli.golden import assert_golden
from tests.unit.cli.objects import MACHINE, NOW, Object
from tests.unit.cli.test_command import Api, Kubectl, api, gpu, server
from tests.unit.cli.test_list import INVENTORY, listed

__all__ = ["api", "gpu", "server"]

FULL = Machine(
    id="0042",
    name="my-workstation",
    state=MachineState.STOPPED,
    word="exited",
    product_id="4090.16c62g",
    product_name="RTX 4090 24GB",
    region="us-ca-6",
    billing_mode=BillingMode.MONTHLY,
    ports=ports("80/http", "22/tcp", "2222/tcp"),
    rootfs_gb=80,
    image="docker.io/library/nginx:1.27",
    gpu_count=2,
)
SERVER = Machine(
    id="100185",
    name="web",
    state=MachineState.RUNNING,
    word="active",
    product_id="402",
    product_name="VPS 1 CPU",
    region="1",
    billing_mode=BillingMode.ON_DEMAND,
    image="Ubuntu 22.04",
    host="203.0.113.10",
)
BARE = Machine(id="x", name="", state=MachineState.UNKNOWN, word="")
HERE = Destination("team-a", "trainer")


def row(machine: Machine, provider: str = "novita", *, at: str = "", **fields: Any) -> Row:
    place = at or f"team-a/{provider}-credentials"
    return Row(provider, fields.pop("verdict", Verdict.FOREIGN), machine=machine, secrets=(place,), **fields)


def written(it: Row, to: Destination = HERE) -> Object:
    """Return the manifest, read back."""
    document: Object = yaml.safe_load(manifest(it, to, NOW))
    return document


@pytest.mark.parametrize(("machine", "provider"), [(FULL, "novita"), (SERVER, "hostwinds")])
def test_what_a_person_reads(machine: Machine, provider: str) -> None:
    """All that the provider shows is in it, and what to fill in is marked."""
    assert_golden(f"import-{provider}", manifest(row(machine, provider), HERE, NOW))


@pytest.mark.parametrize(
    ("machine", "provider"), [(FULL, "novita"), (BARE, "novita"), (SERVER, "hostwinds"), (BARE, "hostwinds")]
)
def test_each_is_an_object_that_only_observes(machine: Machine, provider: str) -> None:
    """Whatever is missing; the id stays a text."""
    document = written(row(machine, provider))
    document["metadata"] |= {"uid": "u"}
    instance = GPUInstance.model_validate(document)
    assert instance.spec.managed is Management.OBSERVE
    assert instance.spec.adopt is not None
    assert instance.spec.adopt.instance_id == machine.id
    assert (instance.metadata.namespace, instance.metadata.name) == ("team-a", "trainer")


@pytest.mark.parametrize(
    "text", ["a: b # c", 'quote " and \\', "yes", "0042", "line\nspec: {}", "tab\t", "é", "\U0001f600", "\u2028", "{x}"]
)
def test_a_providers_text_stays_a_text(text: str) -> None:
    """It can neither end its line nor begin another field, in the document or in a comment."""
    odd = replace(FULL, name=text, product_id=text, product_name=text, image=text, region=text, word=text)
    spec = written(row(odd))["spec"]
    assert (spec["product"], spec["image"], spec["regions"]) == ({"id": text}, text, [text])
    assert set(spec) == set(written(row(FULL))["spec"])


def test_limits_of_the_api_are_kept() -> None:
    """What a spec cannot hold becomes a comment."""
    odd = replace(
        FULL, gpu_count=16, rootfs_gb=5000, image="x" * 501, ports=ports(*(f"{n}/http" for n in range(8000, 8020)))
    )
    text = manifest(row(odd), HERE, NOW)
    spec = yaml.safe_load(text)["spec"]
    assert not {"gpuCount", "rootfsSizeGB"} & set(spec)
    assert (spec["image"], len(spec["ports"])) == ("fill-in", 15)
    assert "# 8019/http is published as well" in text
    assert "the provider shows 16" in text


def test_the_secret_is_named_where_it_is_not_the_usual_one() -> None:
    """One of another namespace cannot be named: it is said instead."""
    assert written(row(FULL, at="team-a/own"))["spec"]["credentialsRef"] == {"name": "own"}
    assert "credentialsRef" not in written(row(FULL))["spec"]
    elsewhere = manifest(row(FULL, at="ops/key"), HERE, NOW)
    assert "The API key is in Secret ops/key" in elsewhere
    assert "credentialsRef" not in yaml.safe_load(elsewhere)["spec"]


@pytest.mark.parametrize(
    ("name", "taken", "expected"),
    [
        ("my-workstation", (), "my-workstation"),
        ("My Box (old)!", (), "my-box-old"),
        ("trainer", ("trainer", "trainer-2"), "trainer-3"),
        ("", (), "novita-0042"),
        ("x" * 80, ("x" * 63,), "x" * 61 + "-2"),
    ],
)
def test_names(name: str, taken: tuple[str, ...], expected: str) -> None:
    """Like the machine's, fit for Kubernetes, and free."""
    assert name_for(replace(FULL, name=name), "novita", taken) == expected


@pytest.mark.parametrize(
    ("it", "words"),
    [
        (row(FULL), None),
        (row(FULL, verdict=Verdict.WITHOUT_RESOURCE), None),
        (row(FULL, instance=objects.ready()), "it belongs to GPUInstance team-a/trainer"),
        (row(FULL, verdict=Verdict.SURPLUS, of="team-a/trainer"), "is that of a machine of GPUInstance team-a/trainer"),
        (row(FULL, verdict=Verdict.OTHER_CLUSTER), "the mark of another cluster"),
        (row(FULL, verdict=Verdict.RESOURCE_NOT_SEEN), "you may not see all GPUInstances"),
        (row(replace(FULL, state=MachineState.REMOVING)), "it is being deleted"),
    ],
)
def test_what_is_not_for_import(it: Row, words: str | None) -> None:
    """What would be refused, or would be somebody else's."""
    reason = refusal(it)
    assert (words is None) is (reason is None)
    assert words is None or words in (reason or "")


def test_the_command(api: Api, gpu: Kubectl) -> None:
    """Manifests of what is nobody's; the others are named aside; nothing is changed."""
    secret = {"data": {"apiKey": b64encode(b"canary-of-a-key").decode()}}
    api.answers["/api/v1/namespaces/team-a/secrets/novita-credentials"] = 200, secret
    machines = [listed("5f1c", MACHINE["name"]), listed("m-1", "my-workstation"), listed("m-2", "blue-a-b-0badcafe-1")]
    api.answers[INVENTORY] = 200, {"instances": machines, "total": 3}
    api.holds(objects.ready())
    at = ("--novita-url", f"{api.url}/gpu-instance/openapi/v1", "--provider", "novita")
    result = gpu("import", "--all", *at)
    assert result.code == 0
    [document] = yaml.safe_load_all(result.out)
    assert document["spec"]["adopt"] == {"instanceID": "m-1"}
    assert "left out: 5f1c (gpui-team-a-trainer-943a2f83-1): it belongs to GPUInstance team-a/trainer" in result.err
    assert "left out: m-2 (blue-a-b-0badcafe-1): its name carries the mark of another cluster" in result.err
    assert "1 to import; placeholders, marked `fill in`: 1" in result.err
    assert "hostwinds" not in " ".join(api.asked), "only the provider that is named is asked"
    assert gpu("import", "--id", "m-1", "--id", "m-1", *at).out == result.out
    refused, missing = gpu("import", "--id", "5f1c", *at), gpu("import", "--id", "m-9", *at)
    assert (refused.code, missing.code) == (Exit.REFUSED, Exit.NOT_FOUND)
    assert "canary" not in result.out + result.err


def test_a_provider_that_does_not_answer(api: Api, gpu: Kubectl) -> None:
    """There is nothing to write, which is a failure."""
    api.holds()
    result = gpu("import", "--all", "--provider", "novita")
    assert (result.code, result.out) == (1, "")
    assert "no account at novita could be read" in result.err
