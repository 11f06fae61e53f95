"""What the tests of the chart share: the real helm, built on first use, and a cluster that nobody has used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chart.build import ensure
from tests.chart.helm import ROOT, Helm
from tests.chart.reader import Terminal
from tests.chart.sets import SERVED, SHARED
from tests.controlplane.cluster import Cluster, LocalCluster, open_cluster
from tests.controlplane.progress import Report
from tests.integration.manifests import text

CRDS = ("gpuinstances.gpuinstance.dev", "instanceupgrades.gpuinstance.dev")


@pytest.fixture(scope="session")
def helm_program(report: Report) -> Path:
    """helm, of the pinned version."""
    return ensure(report)


@pytest.fixture(scope="session")
def helm(helm_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """helm without a cluster."""
    return Helm(helm_program, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def served(cluster: Cluster) -> Iterator[None]:
    """The shared cluster has the namespaces that the namespaced set of values names."""
    kubectl = cluster.kubectl()
    namespaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": it}} for it in (*SERVED, SHARED)]
    kubectl("apply", "--server-side", "-f", "-", stdin=text(*namespaces))
    yield
    kubectl("delete", "namespace", *SERVED, SHARED, "--wait=false")


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory, report: Report) -> Iterator[LocalCluster]:
    """A control plane on which nobody has installed anything."""
    with open_cluster(tmp_path_factory.mktemp("fresh"), report) as cluster:
        if not isinstance(cluster, LocalCluster):
            pytest.skip("it would install itself into an existing cluster, and remove the CRDs from it")
        yield cluster


@pytest.fixture
def terminal(fresh: LocalCluster, helm_program: Path, tmp_path: Path) -> Iterator[Terminal]:
    """A shell of an administrator of that cluster, which is empty again afterwards."""
    yield Terminal(fresh.admin, helm_program, tmp_path)
    kubectl = fresh.kubectl()
    for crd in CRDS:
        kubectl.attempt("annotate", "--overwrite", "crd", crd, f"gpuinstance.dev/confirm-deletion={crd}")
    kubectl("delete", "-f", str(ROOT / "deploy/install.yaml"), "--ignore-not-found", "--timeout=60s")
