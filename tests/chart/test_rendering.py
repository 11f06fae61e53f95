"""What helm makes of the chart, without a cluster: every set of values renders, and what is rendered is meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

import gpuinstance.__main__ as program
from gpuinstance import __version__
from gpuinstance.config import Settings
from tests.chart.helm import CHART, NAME, Helm, HelmError, containers, one, pod_of
from tests.chart.sets import SERVED, SETS, SHARED

CLUSTER_SCOPED = {
    "ClusterRole",
    "ClusterRoleBinding",
    "Namespace",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


@pytest.mark.parametrize("name", SETS)
def test_the_chart_is_in_order(helm: Helm, name: str) -> None:
    """helm's own linter finds nothing to warn of."""
    helm("lint", "--strict", str(CHART), values=SETS[name])


@pytest.mark.parametrize("name", SETS)
def test_whatever_runs_is_confined(helm: Helm, name: str) -> None:
    """No pod of the chart runs as root, writes to its image, or may become more than it is; each has its resources.

    What the API server says to that, is in test_admission.
    """
    rendered = helm.manifests(values=SETS[name])
    running = [it for it in rendered if it["kind"] in ("Deployment", "Job", "Pod")]
    assert {it["kind"] for it in running} == {"Deployment", "Pod"} | (set() if name == "nothing" else {"Job"})
    for manifest in running:
        assert pod_of(manifest)["securityContext"]["runAsUser"] == 65532
        for container in containers(manifest):
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert container["resources"]["requests"]
            assert container["resources"]["limits"].keys() == {"memory"}


def test_only_what_speaks_to_the_api_server_has_a_token(helm: Helm) -> None:
    """The operator and the guard have one; simulator and test have none; the account itself gives none away."""
    rendered = helm.manifests(values=SETS["everything"])
    mounted = {
        it["metadata"]["name"]: pod_of(it)["automountServiceAccountToken"]
        for it in rendered
        if it["kind"] in ("Deployment", "Job", "Pod")
    }
    assert mounted == {NAME: True, f"{NAME}-uninstall": True, f"{NAME}-simulator": False, f"{NAME}-test": False}
    assert one(rendered, "ServiceAccount")["automountServiceAccountToken"] is False


def test_a_pod_may_finish_its_work(helm: Helm) -> None:
    """Kubernetes kills it later than the program itself stops waiting, with time left for last words."""
    pod = pod_of(one(helm.manifests(), "Deployment"))
    assert pod["terminationGracePeriodSeconds"] >= program._GRACE_SECONDS + 10
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())["properties"]
    assert schema["terminationGracePeriodSeconds"]["minimum"] >= program._GRACE_SECONDS + 10


def test_a_new_pod_has_watched_for_a_lease_before_an_old_one_goes(helm: Helm) -> None:
    """Whoever has not may not act yet: a rolling update would be a pause of that length."""
    for values in ({}, {"settings": {"leaseSeconds": 40}}):
        deployment = one(helm.manifests(values=values), "Deployment")
        (operator,) = containers(deployment)
        said = [it["value"] for it in operator["env"] if it["name"] == "GPUINSTANCE_LEASE_SECONDS"]
        lease = int(said[0]) if said else Settings().lease_seconds
        assert deployment["spec"]["minReadySeconds"] == lease


@pytest.mark.parametrize("lease", [10, 15, 600, 3600])
def test_a_lease_of_any_length_leaves_time_to_roll_out(helm: Helm, lease: int) -> None:
    """The API server refuses a Deployment that would have failed before a pod of it may count as ready."""
    spec = one(helm.manifests(values={"settings": {"leaseSeconds": lease}}), "Deployment")["spec"]
    assert spec["progressDeadlineSeconds"] == spec["minReadySeconds"] + 600


def test_the_probes_ask_what_is_served(helm: Helm) -> None:
    """Each probe asks a path of the operator's server, at the port at which it listens."""
    (operator,) = containers(one(helm.manifests(values={"ports": {"http": 9000}}), "Deployment"))
    paths = {operator[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")}
    assert paths == {"/healthz", "/readyz"}
    assert {operator[f"{probe}Probe"]["httpGet"]["port"] for probe in ("startup", "liveness", "readiness")} == {"http"}
    assert operator["ports"] == [{"name": "http", "containerPort": 9000}]
    assert {"name": "GPUINSTANCE_HTTP_LISTEN", "value": ":9000"} in operator["env"]


def test_what_a_set_brings(helm: Helm) -> None:
    """Parts that are switched on or off are there or not, and nothing else changes."""
    kinds = {name: {it["kind"] for it in helm.manifests("--no-hooks", values=values)} for name, values in SETS.items()}
    monitoring = {"ServiceMonitor", "PrometheusRule", "ConfigMap"}
    roles = {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
    policies = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    always = {"Deployment", "Service"}
    usual = always | {"ServiceAccount", "PodDisruptionBudget", "NetworkPolicy"}
    assert kinds["default"] == kinds["simulator"] == usual | roles | policies
    assert kinds["everything"] == usual | roles | policies | monitoring | {"Namespace"}
    assert kinds["namespaced"] == usual | {"Role", "RoleBinding"}
    assert kinds["nothing"] == always


def test_a_namespaced_release_needs_no_right_in_the_whole_cluster(helm: Helm) -> None:
    """Whoever may do everything in some namespaces can install it there."""
    rendered = helm.manifests(values=SETS["namespaced"])
    assert [it["kind"] for it in rendered if it["kind"] in CLUSTER_SCOPED] == []
    places = {(it["kind"], it["metadata"]["namespace"]) for it in rendered if it["kind"] in ("Role", "RoleBinding")}
    assert {place for _, place in places} == {*SERVED, SHARED, NAME}


def test_every_object_carries_the_labels(helm: Helm) -> None:
    """What belongs to the release can be found by its labels; the copied policies are known by their names."""
    for manifest in helm.manifests(values=SETS["everything"]):
        if not manifest["kind"].startswith("ValidatingAdmission"):
            labels = manifest["metadata"]["labels"]
            assert labels["app.kubernetes.io/instance"] == NAME
            assert labels["example.com/owner"] == "platform"


def test_a_new_chart_alone_restarts_nothing(helm: Helm) -> None:
    """Nothing in the pods' template holds the version of the chart."""
    pod = one(helm.manifests(values={"image": {"tag": "tag"}}), "Deployment")["spec"]["template"]
    assert __version__ not in str(pod)


def test_names_follow_the_release(helm: Helm) -> None:
    """Two releases share no name, whatever they are called; a name is never too long."""
    other = [
        it
        for it in yaml.safe_load_all(helm("template", "second", str(CHART), "--namespace", "elsewhere"))
        if it and not it["kind"].startswith("ValidatingAdmission")
    ]
    ours = {(it["kind"], it["metadata"]["name"]) for it in helm.manifests()}
    assert not ours & {(it["kind"], it["metadata"]["name"]) for it in other}
    assert all(it["metadata"]["name"].startswith("second-gpu-instance-operator") for it in other)
    long = helm.manifests(values={"fullnameOverride": "x" * 60, "simulator": {"enabled": True}})
    assert max(len(it["metadata"]["name"]) for it in long) <= 63


def texts_of(node: Any, key: str = "") -> list[tuple[str, Any]]:
    """Return what stands where Kubernetes wants a name or a label, each with its key."""
    if isinstance(node, dict):
        labels = key in ("labels", "matchLabels")
        named = [(name, it) for name, it in node.items() if labels or name in NAMES]
        return named + [it for name, inner in node.items() for it in texts_of(inner, name)]
    if isinstance(node, list):
        inner = [it for item in node for it in texts_of(item)]
        return inner + ([(key, it) for it in node] if key == "resourceNames" else [])
    return []


NAMES = {"name", "namespace", "serviceAccountName", "priorityClassName", "value"}


@pytest.mark.parametrize("name", ["everything", "namespaced"])
def test_names_that_look_like_something_else_stay_names(helm: Helm, name: str) -> None:
    """Digits alone, or a word of YAML, are a valid name: none becomes a number or a truth on its way."""
    odd = {
        "fullnameOverride": "1e3",
        "nameOverride": "true",
        "serviceAccount": {"name": "0x10"},
        "priorityClassName": "7",
        "watchNamespaces": ["123", "null"],
        "settings": {"sharedCredentialsNamespace": "456"},
    }
    rendered = helm.manifests(values={**SETS[name], **odd}, release="789")
    assert [(it["kind"], *text) for it in rendered for text in texts_of(it) if not isinstance(text[1], str)] == []
    assert {it["metadata"]["namespace"] for it in rendered if it["kind"] == "Role"} == {"123", "null", "456", "789"}


def test_the_image_is_named_by_tag_or_digest(helm: Helm) -> None:
    """The tag is the version of the program unless one is given; a digest wins."""

    def image(values: Mapping[str, Any]) -> str:
        return str(containers(one(helm.manifests(values={"image": values}), "Deployment"))[0]["image"])

    assert image({}) == f"gpu-instance-operator:{__version__}"
    assert image({"repository": "r.example.com/o", "tag": "7"}) == "r.example.com/o:7"
    assert image({"tag": "7", "digest": f"sha256:{'a' * 64}"}) == f"gpu-instance-operator@sha256:{'a' * 64}"


def test_the_version_is_the_same_everywhere() -> None:
    """Chart, program and image are released together."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_a_value_that_is_not_known_is_refused(helm: Helm) -> None:
    """A slip of the pen ends the rendering instead of being passed over."""
    with pytest.raises(HelmError, match="additional properties 'replica' not allowed"):
        helm.render(values={"replica": 3})
