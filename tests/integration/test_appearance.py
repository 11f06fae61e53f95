"""How the resource looks from outside: defaults, explanations, columns, names. No operator runs here."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.controlplane.kubectl import Kubectl
from tests.integration.manifests import instance
from tests.rig.stack import ROOT, await_true

pytestmark = pytest.mark.cluster


def crd() -> dict[str, Any]:
    text = (ROOT / "crds" / "gpuinstances.gpuinstance.dev.yaml").read_text()
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def schema_of(definition: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def test_nobody_takes_a_new_object_for_done(api: Kubectl) -> None:
    """Until an operator has seen it, its status says generation -1, which no generation equals."""
    api("create", "-f", "-", stdin=json.dumps(instance("unseen")))
    assert api.json("get", "gpui/unseen")["status"] == {"observedGeneration": -1}
    assert api.attempt("wait", "gpui/unseen", "--for=condition=Ready", "--timeout=0").returncode != 0


def test_the_status_is_a_subresource(api: Kubectl) -> None:
    """Whoever writes the object writes no status by that, and whoever writes the status changes no spec."""
    forged = instance("forged") | {"status": {"observedGeneration": 1, "phase": "Ready"}}
    stored = api.json("create", "-f", "-", stdin=json.dumps(forged))
    assert stored["status"] == {"observedGeneration": -1}
    patch = '{"spec":{"gpuCount":8},"status":{"observedGeneration":1}}'
    api("patch", "gpui/forged", "--subresource=status", "--type=merge", "-p", patch)
    stored = api.json("get", "gpui/forged")
    assert (stored["spec"]["gpuCount"], stored["status"]) == (1, {"observedGeneration": 1})


def test_plain_defaults_are_filled_in(api: Kubectl) -> None:
    """What a person leaves out and a reader would miss is there; nothing else is added to the manifest."""
    manifest = json.dumps(instance("plain", ports=[{"port": 80}]))
    assert api.json("create", "--dry-run=server", "-f", "-", stdin=manifest)["spec"] == {
        "provider": "novita",
        "product": {"name": "RTX 4090 24GB"},
        "image": "docker.io/library/nginx:1.27",
        "ports": [{"port": 80, "protocol": "http"}],
        "powerState": "Running",
        "suspend": False,
        "gpuCount": 1,
        "deletionPolicy": "Delete",
        "deletionProtection": False,
        "drift": "Warn",
    }


def test_defaults_inside_what_was_begun_are_filled_in(api: Kubectl) -> None:
    """Whoever writes a part of a block gets the rest of it, as documented."""
    begun = instance("begun", ports=[{"port": 80}], billing={}, timeouts={}, healthCheck={"endpoints": [{"port": 80}]})
    spec = api.json("create", "--dry-run=server", "-f", "-", stdin=json.dumps(begun))["spec"]
    assert spec["billing"] == {"mode": "OnDemand"}
    assert spec["timeouts"] == {"create": "30m", "start": "15m", "stop": "10m", "delete": "10m"}
    assert spec["healthCheck"] == {
        "enabled": True,
        "endpoints": [{"port": 80, "path": "/", "protocol": "http", "expectedStatuses": "200-399"}],
        "timeoutSeconds": 10,
        "retryAttempts": 3,
        "retryDelaySeconds": 2,
        "maxWaitSeconds": 300,
        "intervalSeconds": 30,
        "failureThreshold": 3,
        "successThreshold": 1,
        "require": "All",
    }


def test_explain_tells_what_a_field_is_for(api: Kubectl) -> None:
    """`kubectl explain` answers with a sentence for each field of spec and status, however deep."""
    for part, heads in (
        ("gpui", ["A GPU machine at a cloud provider, kept as its spec says."]),
        ("gpui.spec.healthCheck", ["When the application counts as serving.", "timeoutSeconds", "enum: All, Any"]),
        ("gpui.spec.healthCheck.endpoints", ["A port from `spec.ports`.", "-required-"]),
        ("gpui.status", ["A one-word summary for people.", "kubectl wait"]),
    ):
        said = " ".join(api("explain", part).split())
        assert [head for head in heads if head not in said] == []
    assert list(silent(schema_of(crd())["properties"]["spec"], "spec")) == []


def silent(schema: dict[str, Any], path: str) -> list[str]:
    """Return the fields without a description."""
    schema = schema.get("items", schema)
    found = []
    for name, child in schema.get("properties", {}).items():
        found += [] if child.get("description") else [f"{path}.{name}"]
        found += silent(child, f"{path}.{name}")
    return found


def test_explain_tells_limits_and_defaults_of_health_checks() -> None:
    """`kubectl explain` shows neither, so the sentence about a setting holds them, and holds the right ones."""
    checks = schema_of(crd())["properties"]["spec"]["properties"]["healthCheck"]
    endpoint = checks["properties"]["endpoints"]["items"]
    for name, field in {**checks["properties"], **endpoint["properties"]}.items():
        said = field["description"]
        if "default" in field:
            assert "default" in said.lower(), name
            assert str(field["default"]).lower() in said.lower(), name
        if "minimum" in field and field.get("maximum") != 65535:
            assert f"{field['minimum']}-{field['maximum']}" in said, name


def test_the_columns_are_those_that_people_need(api: Kubectl) -> None:
    """`kubectl get` shows state, health, product and price; `-o wide` adds where it is and why."""
    api("apply", "-f", "-", stdin=json.dumps(instance("shown")))
    columns = ["NAME", "PHASE", "READY", "HEALTH", "PRODUCT", "GPUS", "PRICE/H", "AGE"]
    assert api("get", "gpui").splitlines()[0].split() == columns
    wide = api("get", "gpui", "-o", "wide").splitlines()[0].split()
    assert wide == [*columns, *["REGION", "INSTANCE", "PROVIDER", "ENDPOINT", "REASON"]]


@pytest.mark.parametrize("name", ["gpui", "gpuinstance", "gpuinstances", "gpuinstances.gpuinstance.dev", "gpu"])
def test_it_goes_by_its_names(api: Kubectl, name: str) -> None:
    """Short name, singular, plural, full name and category all find it."""
    api("apply", "-f", "-", stdin=json.dumps(instance("named")))
    assert "gpuinstance.gpuinstance.dev/named" in api("get", name, "-o", "name")


def test_the_provider_is_for_life(api: Kubectl) -> None:
    """The rule behind `provider` holds for any second provider: rehearsed on a copy of the CRD that has one."""
    copy = crd()
    copy["metadata"]["name"] = "gpuinstances.rehearsal.gpuinstance.dev"
    copy["spec"]["group"] = "rehearsal.gpuinstance.dev"
    copy["spec"]["names"] |= {"shortNames": [], "categories": []}
    schema_of(copy)["properties"]["spec"]["properties"]["provider"]["enum"].append("another")
    api("apply", "--server-side", "-f", "-", stdin=json.dumps(copy))
    try:
        manifest = instance("rehearsed") | {"apiVersion": "rehearsal.gpuinstance.dev/v1alpha1"}
        await_true(lambda: api.attempt("create", "-f", "-", stdin=json.dumps(manifest)).returncode == 0)
        name = "gpuinstances.rehearsal.gpuinstance.dev/rehearsed"
        done = api.attempt("patch", name, "--type=merge", "-p", '{"spec":{"provider":"another"}}')
        assert "spec.provider: Invalid value" in done.stderr
        assert "provider cannot be changed: delete the instance and create another" in done.stderr
    finally:
        api("delete", "crd", copy["metadata"]["name"])
