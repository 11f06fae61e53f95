"""What the operator may do: the chart grants what deploy/rbac.yaml grants and docs/install.md says, and no more.

First on paper, then by the word of a real API server, which is asked about every verb on everything that would be
handy for the operator or for a thief.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from tests.chart.helm import NAME, ROOT, Helm, Manifest, one
from tests.chart.rights import EVERY_RIGHT, Right, asked, documented, granted
from tests.chart.sets import SERVED, SETS, SHARED
from tests.controlplane.cluster import Cluster
from tests.controlplane.kubectl import Kubectl
from tests.integration.manifests import text
from tests.integration.world import until

RELEASE, TEAMS = "rights", "rights-teams"
"""Releases of these tests: for the whole cluster, and for some namespaces."""
SOURCE: list[Manifest] = list(yaml.safe_load_all((ROOT / "deploy/rbac.yaml").read_text()))
KINDS = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
ANY_USER = ("system:authenticated",)
READING, WRITING = ("get", "list", "watch"), ("create", "update", "patch", "delete", "deletecollection")


def test_the_chart_grants_what_the_manifest_grants(helm: Helm) -> None:
    """Rule by rule the roles are those of deploy/rbac.yaml, bound to the same service account."""
    rendered = helm.manifests()
    for kind in ("ClusterRole", "Role"):
        assert one(rendered, kind)["rules"] == one(SOURCE, kind)["rules"]
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        for part in ("roleRef", "subjects"):
            assert one(rendered, kind)[part] == one(SOURCE, kind)[part]


def test_the_table_in_the_documents_is_true() -> None:
    """docs/install.md lists each right of the role, and no other."""
    assert documented() == granted(one(SOURCE, "ClusterRole"))


def test_a_namespaced_release_gets_the_same_in_its_namespaces(helm: Helm) -> None:
    """The Role of each served namespace is the ClusterRole of the others."""
    for namespace in SERVED:
        roles = [it for it in helm.manifests(values=SETS["namespaced"]) if it["metadata"].get("namespace") == namespace]
        assert granted(one(roles, "Role", f"{NAME}-serving")) == granted(one(SOURCE, "ClusterRole"))


def test_rights_that_a_cluster_does_not_use_can_be_left_out(helm: Helm) -> None:
    """Without connections nothing but the status is written; without expiry no instance is deleted."""
    values = {"rbac": {"connection": False, "expiry": False}}
    left = granted(one(helm.manifests(values=values), "ClusterRole"))
    assert {it for it in left if it.verb not in ("get", "list", "watch")} == {
        *(Right("gpuinstance.dev", f"{it}/status", "patch") for it in ("gpuinstances", "instanceupgrades")),
        *(Right("gpuinstance.dev", it, "patch") for it in ("gpuinstances", "instanceupgrades")),
        Right("gpuinstance.dev", "instanceupgrades", "delete"),
        Right("", "events", "create"),
    }
    assert left < granted(one(SOURCE, "ClusterRole"))


def namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


@pytest.fixture(scope="module")
def admin(cluster: Cluster, served: None, helm: Helm) -> Iterator[Kubectl]:
    """An administrator of a cluster in which the rights of both releases are granted."""
    kubectl = cluster.kubectl()
    rendered = helm.manifests(release=RELEASE) + helm.manifests(values=SETS["namespaced"], release=TEAMS)
    items = [*map(namespace, (RELEASE, TEAMS)), *(it for it in rendered if it["kind"] in KINDS)]
    kubectl("apply", "--server-side", "-f", "-", stdin=text(*items))
    yield kubectl
    kubectl("delete", "namespace", RELEASE, TEAMS, "--wait=false")
    for kind in ("clusterrole", "clusterrolebinding"):
        kubectl("delete", kind, "-l", f"app.kubernetes.io/instance={RELEASE}")


def account(release: str) -> str:
    return f"system:serviceaccount:{release}:{release}-{NAME}"


@pytest.mark.cluster
def test_the_api_server_allows_what_is_documented_and_nothing_else(admin: Kubectl) -> None:
    """Of every verb on everything worth having, the service account may do what the table says."""
    assert asked(admin, account(RELEASE), EVERY_RIGHT, "default") == documented()
    assert asked(admin, account(RELEASE), EVERY_RIGHT, "kube-system") == documented()


@pytest.mark.cluster
def test_a_namespaced_release_may_do_nothing_elsewhere(admin: Kubectl) -> None:
    """The same rights in each served namespace, none in others, none in the whole cluster."""
    for served in SERVED:
        assert asked(admin, account(TEAMS), EVERY_RIGHT, served) == documented()
    for elsewhere in ("default", "kube-system", SHARED, None):
        assert asked(admin, account(TEAMS), EVERY_RIGHT, elsewhere) == set()


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("release", "where", "question", "answer"),
    [
        (RELEASE, RELEASE, ("update", f"leases/{RELEASE}-{NAME}"), "yes"),
        (RELEASE, RELEASE, ("create", "leases"), "yes"),
        (RELEASE, RELEASE, ("list", "leases"), "yes"),
        (RELEASE, RELEASE, ("update", f"leases/{RELEASE}-{NAME}-0-of-3"), "yes"),
        (RELEASE, RELEASE, ("delete", "leases"), "no"),
        (RELEASE, "default", ("list", "leases"), "no"),
        (RELEASE, "default", ("update", f"leases/{RELEASE}-{NAME}"), "no"),
        (RELEASE, "default", ("create", "leases"), "no"),
        (RELEASE, "default", ("impersonate", "users"), "no"),
        (RELEASE, "default", ("escalate", "clusterroles"), "no"),
        (RELEASE, "default", ("get", "/metrics"), "no"),
        (TEAMS, SHARED, ("get", "secrets/novita-credentials"), "yes"),
        (TEAMS, SHARED, ("get", "secrets/other"), "no"),
        (TEAMS, SHARED, ("delete", "secrets/novita-credentials"), "no"),
    ],
)
def test_rights_to_single_objects(
    admin: Kubectl, release: str, where: str, question: tuple[str, str], answer: str
) -> None:
    """Leases in its own namespace alone, whatever the number of shards; of the shared credentials those alone."""
    said = admin.attempt("auth", "can-i", *question, "--as", account(release), "--namespace", where)
    assert said.stdout.strip() == answer


@pytest.mark.cluster
@pytest.mark.parametrize(("role", "writes"), [("view", False), ("edit", True), ("admin", True)])
def test_users_get_theirs_from_the_usual_roles(admin: Kubectl, role: str, writes: bool) -> None:
    """Whoever has view, edit or admin in a namespace may see, or also change, its instances and upgrades."""
    admin("create", "rolebinding", role, f"--clusterrole={role}", f"--user={role}-user", f"--namespace={SERVED[0]}")
    rights = [it for it in EVERY_RIGHT if it.group == "gpuinstance.dev"]
    verbs = READING + (WRITING if writes else ())
    expected = {Right("gpuinstance.dev", kind, verb) for kind in ("gpuinstances", "instanceupgrades") for verb in verbs}
    until(
        lambda: asked(admin, f"{role}-user", rights, SERVED[0], ANY_USER) == expected,
        "the controller has put the role together",
    )
