"""Installing, upgrading and uninstalling on a fresh control plane, by typing what docs/install.md says.

helm and the API server are real. No node runs anything: the Jobs that helm waits for are run here (see `kubelet`).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from gpuinstance import __version__
from tests.chart.helm import CHART, NAME
from tests.chart.kubelet import beside_guard
from tests.chart.reader import Terminal, block
from tests.controlplane.cluster import LocalCluster
from tests.controlplane.kubectl import Kubectl
from tests.integration.manifests import instance, text
from tests.integration.world import until

pytestmark = pytest.mark.cluster

CRD = "gpuinstances.gpuinstance.dev"
BACK = f"helm rollback {NAME} 2 --namespace {NAME}"
"""What the document says after a refused uninstall, with the number of the revision."""
LATER = "expiry"
"""A field of the instance's spec that the previous version did not have."""


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    """The chart as it was one version ago: other version and image, a field less in the CRD."""
    folder = tmp_path / "previous"
    shutil.copytree(CHART, folder)
    chart = yaml.safe_load((folder / "Chart.yaml").read_text())
    (folder / "Chart.yaml").write_text(yaml.safe_dump({**chart, "version": "0.0.9", "appVersion": "0.0.9"}))
    file = folder / "crds" / f"{CRD}.yaml"
    crd = yaml.safe_load(file.read_text())
    del spec_of(crd)[LATER]
    file.write_text(yaml.safe_dump(crd))
    return folder


def spec_of(crd: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an instance's spec."""
    fields: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    return fields


def image(kubectl: Kubectl) -> str:
    return kubectl("get", f"deployment/{NAME}", "-o", "jsonpath={.spec.template.spec.containers[0].image}")


def test_a_fresh_cluster_follows_the_document(fresh: LocalCluster, terminal: Terminal) -> None:
    """helm installs CRDs and all objects; its notes hold the next step, which the API server takes as it stands."""
    said = terminal.follow(block("With helm"))
    kubectl = fresh.kubectl()
    assert image(kubectl.within(NAME)) == f"registry.example.com/gpu-instance-operator:{__version__}"
    until(lambda: kubectl.attempt("get", "gpui", "-A").returncode == 0, "the CRDs are served")
    assert "kubectl create secret generic novita-credentials --namespace default" in said
    terminal.follow(said[said.index("kubectl apply --namespace") : said.index("kubectl wait")])
    assert kubectl("get", "gpui", "-o", "name").strip() == "gpuinstance.gpuinstance.dev/trainer"
    kubectl("delete", "gpui/trainer")
    terminal.follow(f"helm uninstall {NAME} --namespace {NAME} --no-hooks")


def test_an_upgrade_and_an_uninstall_follow_the_document(
    fresh: LocalCluster, terminal: Terminal, previous: Path
) -> None:
    """From the previous version to this one and to nothing; what somebody set or created stays until it is deleted.

    helm leaves the CRDs as they were; the command that the document puts first brings the new field. An uninstall is
    refused while an instance exists, in words that name it, and harms nothing.
    """
    values = "--set settings.mark=ours --set replicas=3"
    terminal.follow(f"helm install {NAME} {previous} --namespace {NAME} --create-namespace {values}")
    admin = fresh.kubectl()
    here = admin.within(NAME)
    assert image(here) == "gpu-instance-operator:0.0.9"
    admin("wait", "crd", CRD, "--for=condition=Established", "--timeout=30s")
    assert LATER not in spec_of(admin.json("get", "crd", CRD))
    until(lambda: admin.attempt("apply", "-f", "-", stdin=text(instance("kept"))).returncode == 0, "it is served")

    terminal.follow(block("Upgrade"))
    assert LATER in spec_of(admin.json("get", "crd", CRD))
    deployment = here.json("get", f"deployment/{NAME}")["spec"]
    assert deployment["template"]["spec"]["containers"][0]["image"] == f"gpu-instance-operator:{__version__}"
    assert deployment["replicas"] == 3
    env = deployment["template"]["spec"]["containers"][0]["env"]
    assert {"name": "GPUINSTANCE_MARK", "value": "ours"} in env
    assert admin("get", "gpui/kept", "-o", "name")

    last = block("Uninstall").splitlines()
    refused, said = beside_guard(fresh, lambda: terminal.attempt(last[1]))
    assert refused.returncode != 0
    assert "gpuinstances/kept in default" in said
    assert "kubectl delete iup,gpui --all --all-namespaces" in said
    assert here("get", f"deployment/{NAME}", "-o", "name")
    assert admin("get", "gpui/kept", "-o", "name")
    terminal.follow(BACK)
    terminal.follow(block("Upgrade"))

    ended, said = beside_guard(fresh, lambda: terminal.attempt("\n".join(last)))
    assert (ended.returncode, said) == (0, "nothing would be left behind\n"), ended.stderr
    assert admin("get", "crd", "-o", "name") == ""
    assert admin("get", "clusterrole,validatingadmissionpolicy", "-o", "name").count("gpu") == 0
    assert here("get", "all,role,rolebinding,networkpolicy,pdb", "-o", "name") == ""


def test_plain_manifests_follow_the_document(fresh: LocalCluster, terminal: Terminal) -> None:
    """One command brings everything, the namespace with its Pod Security label among it, and again changes nothing."""
    terminal.follow(block("With plain manifests"))
    kubectl = fresh.kubectl()
    labels = kubectl.json("get", "namespace", NAME)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    versions = ("get", "deployment,role,service,networkpolicy", "-n", NAME, "-o", "jsonpath={..resourceVersion}")
    before = sorted(kubectl(*versions).split())
    assert len(before) == 4
    terminal.follow(block("With plain manifests"))
    assert sorted(kubectl(*versions).split()) == before
