"""The files in deploy/argocd and deploy/flux hold together."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from gpuinstance.api.health import HealthCheck
from gpuinstance.api.parts import Timeouts
from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.api.v1alpha1 import GROUP, KIND, VERSION
from tests.controlplane.kubectl import Kubectl
from tests.judges.files import ARGOCD, MACHINES, SCRIPT, SETTINGS, UPGRADES, document, documents
from tests.judges.stories import NAMESPACE

HEALTH_KEYS = {f"resource.customizations.health.{GROUP}_{kind}" for kind in (KIND, UPGRADE_KIND)}


def test_the_settings_of_argo_cd_embed_the_script() -> None:
    """What a person applies is what is tested, under the keys where Argo CD looks for it."""
    settings = document(SETTINGS)
    assert settings["data"] == dict.fromkeys(HEALTH_KEYS, SCRIPT.read_text(encoding="utf-8"))


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


@pytest.mark.parametrize(("path", "kind"), [(MACHINES, KIND), (UPGRADES, UPGRADE_KIND)])
def test_flux_waits_for_our_kinds(path: Path, kind: str) -> None:
    """Everything that is applied is waited for, and its health is judged by expressions of its own."""
    spec = document(path)["spec"]
    assert spec["wait"] is True
    (expressions,) = spec["healthCheckExprs"]
    assert (expressions["apiVersion"], expressions["kind"]) == (f"{GROUP}/{VERSION}", kind)


def test_flux_waits_long_enough_for_a_machine_and_not_for_a_payment() -> None:
    """It must not give up before the operator does; and while it waits, no word about a payment comes by git."""
    machines, upgrades = document(MACHINES), document(UPGRADES)
    patience = Timeouts().create + timedelta(seconds=HealthCheck().max_wait_seconds)
    assert Timeouts.model_validate({"create": machines["spec"]["timeout"]}).create > patience
    assert Timeouts.model_validate({"create": upgrades["spec"]["timeout"]}).create < timedelta(minutes=5)
    assert upgrades["spec"]["dependsOn"] == [{"name": machines["metadata"]["name"]}]


@pytest.mark.cluster
def test_the_health_script_is_added_to_settings_that_exist(kubectl: Kubectl) -> None:
    """Applied as the page says, the manifest adds its keys and leaves those of others alone."""
    settings = document(SETTINGS)
    settings["metadata"]["namespace"] = NAMESPACE
    kubectl("create", "configmap", "argocd-cm", "--from-literal=url=https://argocd.example.com")
    for _ in range(2):
        kubectl("apply", "--server-side", "--field-manager=gpuinstance-health", "-f", "-", stdin=json.dumps(settings))
    assert set(kubectl.json("get", "configmap", "argocd-cm")["data"]) == {"url", *HEALTH_KEYS}
