"""The API server takes everything that the chart makes, for every set of values, and restricted namespaces run it.

All of it is a rehearsal (--dry-run=server): schemas, defaults and admission are real, and nothing is left behind.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chart.helm import NAME, ROOT, Helm, Manifest
from tests.chart.sets import SETS
from tests.controlplane.cluster import Cluster
from tests.controlplane.kubectl import Kubectl
from tests.integration.manifests import text

pytestmark = pytest.mark.cluster

RELEASE = "admission"
"""Not the usual name: on a shared cluster that is in use."""
RESTRICTED = {"name": RELEASE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
MONITORING = ROOT / "tests/chart/monitoring-crds.yaml"


@pytest.fixture(scope="module")
def admin(cluster: Cluster, served: None) -> Iterator[Kubectl]:
    """An administrator of a cluster with the CRDs, and with the namespaces that the sets of values name."""
    kubectl = cluster.kubectl()
    kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"), "-f", str(MONITORING))
    kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": RESTRICTED}
    kubectl("apply", "--server-side", "-f", "-", stdin=text(namespace))
    yield kubectl
    kubectl("delete", "namespace", RELEASE, "--wait=false")
    kubectl("delete", "-f", str(MONITORING), "--wait=false")


@pytest.mark.parametrize("name", SETS)
def test_the_api_server_takes_what_is_rendered(helm: Helm, admin: Kubectl, name: str) -> None:
    """Every object passes its schema and all admission, and no field is unknown."""
    rendered = helm.render(values=SETS[name], release=RELEASE)
    done = admin.attempt(
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        "-",
        stdin=rendered,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    taken = done.stdout.splitlines()
    assert all(line.endswith("serverside-applied (server dry run)") for line in taken)
    assert len(taken) == len(helm.manifests(values=SETS[name], release=RELEASE))


def pods(rendered: list[Manifest]) -> Iterator[Manifest]:
    """Yield the pods that the objects are or would make."""
    for manifest in rendered:
        if manifest["kind"] in ("Deployment", "Job"):
            template = manifest["spec"]["template"]
            metadata = {**template["metadata"], "name": manifest["metadata"]["name"], "namespace": RELEASE}
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        if manifest["kind"] == "Pod":
            yield manifest


@pytest.mark.parametrize("name", SETS)
def test_a_restricted_namespace_runs_it(helm: Helm, admin: Kubectl, name: str) -> None:
    """The standard `restricted` admits the pods of operator, simulator, guard and test."""
    found = list(pods(helm.manifests(values=SETS[name], release=RELEASE)))
    assert len(found) >= 2
    done = admin.attempt("create", "--dry-run=server", "-f", "-", stdin=text(*found))
    assert done.returncode == 0, done.stderr


def test_that_namespace_refuses_what_is_less(helm: Helm, admin: Kubectl) -> None:
    """Without one of the chart's restrictions the same pod is refused, in words that name it."""
    values = {"podSecurityContext": {"runAsNonRoot": False}}
    careless = next(pods(helm.manifests(values=values, release=RELEASE)))
    done = admin.attempt("create", "--dry-run=server", "-f", "-", stdin=text(careless))
    assert 'violates PodSecurity "restricted' in done.stderr
    assert "runAsNonRoot != true" in done.stderr


def test_the_plain_manifests_are_taken(admin: Kubectl) -> None:
    """`kubectl apply -k deploy` sends what the API server takes: the objects of deploy/install.yaml."""
    rehearsal = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
    admin.attempt("create", "namespace", NAME)  # a rehearsal makes none, and the others need one
    sources = (("-f", str(ROOT / "deploy/install.yaml")), ("-k", str(ROOT / "deploy")))
    whole, base = (admin(*rehearsal, *source) for source in sources)
    assert sorted(whole.splitlines()) == sorted(base.splitlines())
    assert "deployment.apps/gpu-instance-operator serverside-applied (server dry run)" in whole
