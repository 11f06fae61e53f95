"""The files in deploy/argocd and deploy/flux hold together, and fight with nobody over a field."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from gpuinstance.api.health import HealthCheck
from gpuinstance.api.parts import Timeouts
from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.api.v1alpha1 import GROUP, KIND, VERSION, GPUInstance
from tests.builders import machine, order, ports, report
from tests.controlplane.cluster import Cluster
from tests.controlplane.kubectl import Kubectl
from tests.judges import argocd, flux
from tests.judges.conftest import live_objects
from tests.judges.stories import NAMESPACE, Body, look
from tests.rig.stack import ROOT

ARGOCD = ROOT / "deploy" / "argocd"
HEALTH_KEYS = {f"resource.customizations.health.{GROUP}_{kind}" for kind in (KIND, UPGRADE_KIND)}


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def test_the_settings_of_argo_cd_embed_the_script() -> None:
    """What a person applies is what is tested, under the keys where Argo CD looks for it."""
    (settings,) = documents(ARGOCD / "argocd-cm.yaml")
    assert settings["data"] == dict.fromkeys(HEALTH_KEYS, argocd.SCRIPT.read_text(encoding="utf-8"))


def test_a_message_says_what_the_operator_says() -> None:
    """Argo CD shows the words of the Ready condition, or for which generation it waits."""
    ready = {"type": "Ready", "status": "False", "message": "the machine is coming up"}
    body: Body = {"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "conditions": [ready]}}
    assert argocd.run(argocd.SCRIPT, body) == ("Progressing", "the machine is coming up")
    body["metadata"]["generation"] = 3
    assert argocd.run(argocd.SCRIPT, body) == ("Progressing", "waiting for the operator to look at generation 3")


@pytest.mark.parametrize(
    ("file", "kinds"),
    [("waves.yaml", [KIND, "ConfigMap"]), ("upgrade.yaml", [KIND, UPGRADE_KIND, "ConfigMap"])],
)
def test_the_waves_put_the_machine_before_its_client(file: str, kinds: list[str]) -> None:
    """Argo CD waits only between waves: the machine needs one before its upgrade, and that before what uses it."""
    waves = {
        it["kind"]: int(it["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
        for it in documents(ARGOCD / file)
    }
    assert sorted(waves, key=waves.__getitem__) == kinds
    assert len(set(waves.values())) == len(kinds)


@pytest.mark.parametrize(("path", "kind"), [(flux.MACHINES, KIND), (flux.UPGRADES, UPGRADE_KIND)])
def test_flux_waits_for_our_kinds(path: Path, kind: str) -> None:
    """Everything that is applied is waited for, and its health is judged by expressions of its own."""
    (kustomization,) = documents(path)
    spec = kustomization["spec"]
    assert spec["wait"] is True
    (expressions,) = spec["healthCheckExprs"]
    assert (expressions["apiVersion"], expressions["kind"]) == (f"{GROUP}/{VERSION}", kind)


def test_flux_waits_long_enough_for_a_machine_and_not_for_a_payment() -> None:
    """It must not give up before the operator does; and while it waits, no word about a payment comes by git."""
    (machines,), (upgrades,) = documents(flux.MACHINES), documents(flux.UPGRADES)
    patience = Timeouts().create + timedelta(seconds=HealthCheck().max_wait_seconds)
    assert Timeouts.model_validate({"create": machines["spec"]["timeout"]}).create > patience
    assert Timeouts.model_validate({"create": upgrades["spec"]["timeout"]}).create < timedelta(minutes=5)
    assert upgrades["spec"]["dependsOn"] == [{"name": machines["metadata"]["name"]}]


@pytest.mark.cluster
def test_the_health_script_is_added_to_settings_that_exist(kubectl: Kubectl) -> None:
    """Applied as the page says, the manifest adds its keys and leaves those of others alone."""
    (settings,) = documents(ARGOCD / "argocd-cm.yaml")
    settings["metadata"]["namespace"] = NAMESPACE
    kubectl("create", "configmap", "argocd-cm", "--from-literal=url=https://argocd.example.com")
    for _ in range(2):
        kubectl("apply", "--server-side", "--field-manager=gpuinstance-health", "-f", "-", stdin=json.dumps(settings))
    assert set(kubectl.json("get", "configmap", "argocd-cm")["data"]) == {"url", *HEALTH_KEYS}


@pytest.mark.cluster
@pytest.mark.parametrize("manager", ["argocd-controller", "kustomize-controller"])
def test_nobody_fights_over_a_field(cluster: Cluster, kubectl: Kubectl, manager: str) -> None:
    """A GitOps tool and the operator write the same object again and again, and neither undoes the other.

    Applying what is applied already changes nothing, not even the resourceVersion, and takes no force.
    """
    body = next(it for it in documents(ARGOCD / "waves.yaml") if it["kind"] == KIND)
    name = body["metadata"]["name"] = f"owned-by-{manager}"

    def apply() -> None:
        kubectl("apply", "--server-side", f"--field-manager={manager}", "-f", "-", stdin=json.dumps(body))

    async def let_the_operator_work() -> Body:
        async with live_objects(cluster) as live:
            await live.guard(name)
            await live.take(name, look(plan=order()))
            facts: dict[str, Any] = {"addresses": ports("80/http", published=True), "health": report(80)}
            return await live.take(name, look(machine(), minute=2, **facts))

    apply()
    after = asyncio.run(let_the_operator_work())
    assert after["status"]["outcome"] == "Ready"
    apply()
    again = kubectl.json("get", f"gpui/{name}", "--show-managed-fields")
    assert again["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]
    assert again["metadata"]["generation"] == GPUInstance.model_validate(again).status.observed_generation == 1
    owned = {it["manager"]: set(it["fieldsV1"]) for it in again["metadata"]["managedFields"]}
    assert owned.pop(manager) == {"f:metadata", "f:spec"}
    assert not any("f:spec" in fields for fields in owned.values())
