"""The control plane keeps its promises: RBAC holds, it restarts in place, nothing outlives its caller."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.controlplane import audit
from tests.controlplane.build import Binaries, ensure
from tests.controlplane.cluster import LocalCluster, open_cluster
from tests.controlplane.credentials import User
from tests.controlplane.gobuild import BuildError
from tests.controlplane.kubectl import Kubectl, KubectlError

ROOT = Path(__file__).parents[2]
VISITOR = User("visitor")

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(
        os.environ.get("USE_EXISTING_CLUSTER", "").lower() == "true",
        reason="these tests are about the control plane that the project starts itself",
    ),
]


def wait_until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def alive(pid: int) -> bool:
    """True while a process has this id and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with open_cluster(tmp_path_factory.mktemp("cluster"), print, users=[VISITOR]) as cluster:
        assert isinstance(cluster, LocalCluster)
        yield cluster


def test_the_server_states_the_pinned_version(local: LocalCluster) -> None:
    """The server says which version it is, so that kubectl can parse it, and it is kubectl's own."""
    version = local.kubectl().json("version")
    assert version["serverVersion"]["gitVersion"] == version["clientVersion"]["gitVersion"]


def test_an_administrator_may_and_a_visitor_may_not(local: LocalCluster) -> None:
    """Tokens identify their users, and RBAC decides what these may do."""
    assert "kube-system" in local.kubectl()("get", "namespaces", "-o", "name")
    with pytest.raises(KubectlError, match='User "visitor" cannot list resource "namespaces"'):
        local.kubectl(VISITOR)("get", "namespaces")


def test_a_stranger_gets_no_kubeconfig(local: LocalCluster) -> None:
    """A user unknown to the token file is refused when the kubeconfig is asked for, not by a later 401."""
    with pytest.raises(KeyError, match="stranger"):
        local.kubeconfig(User("stranger"))


def test_a_service_account_may_do_what_its_binding_says(local: LocalCluster) -> None:
    """Tokens that the API server issues for a service account are accepted, with the rights of its roles."""
    admin = local.kubectl()
    admin("create", "serviceaccount", "reader", "--namespace", "default")
    admin("create", "clusterrole", "reads-namespaces", "--verb=list", "--resource=namespaces")
    grant = ("--clusterrole=reads-namespaces", "--serviceaccount=default:reader")
    admin("create", "clusterrolebinding", "reader", *grant)
    reader = Kubectl(local.service_account_kubeconfig("default", "reader"))
    assert "default" in reader("get", "namespaces", "-o", "name")
    with pytest.raises(KubectlError, match="cannot list resource"):
        reader("get", "secrets")


def test_owned_objects_are_collected_and_namespaces_emptied(local: LocalCluster) -> None:
    """The controller manager does the two things that the tests need it for."""
    admin = local.kubectl()
    admin("create", "namespace", "shortlived")
    admin("create", "configmap", "owner", "--namespace=shortlived")
    owner = admin.json("get", "configmap", "owner", "--namespace=shortlived")["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}
    metadata = {"name": "owned", "namespace": "shortlived", "ownerReferences": [reference]}
    owned = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    admin("apply", "-f", "-", stdin=json.dumps(owned))
    admin("delete", "configmap", "owner", "--namespace=shortlived")
    admin("wait", "configmap/owned", "--namespace=shortlived", "--for=delete", "--timeout=60s")
    admin("delete", "namespace", "shortlived", "--timeout=60s")
    assert "NotFound" in admin.attempt("get", "namespace", "shortlived").stderr


def test_the_audit_log_names_each_write_and_its_author(local: LocalCluster) -> None:
    """When a write has been answered it can be read in the log: user, verb, object and result."""
    assert local.audit_log is not None
    local.kubectl()("create", "configmap", "noted", "--namespace=default")
    local.kubectl(VISITOR).attempt("delete", "configmap", "noted", "--namespace=default")
    created = audit.writes(local.audit_log, user="admin", resource="configmaps", name="noted")
    refused = audit.writes(local.audit_log, user="visitor")
    assert [(write.verb, write.code, write.namespace) for write in created] == [("create", 201, "default")]
    assert [(write.verb, write.code, write.accepted) for write in refused] == [("delete", 403, False)]


def test_the_server_comes_back_where_it_was(local: LocalCluster) -> None:
    """After a restart of the API server the same kubeconfig reaches the same objects."""
    admin = local.kubectl()
    admin("create", "configmap", "kept", "--namespace=default")
    local.stop_apiserver()
    assert admin.attempt("get", "configmap", "kept", "--namespace=default").returncode != 0
    local.start_apiserver()
    assert admin("get", "configmap", "kept", "--namespace=default", "-o", "name").strip() == "configmap/kept"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_caller(tmp_path: Path, number: signal.Signals) -> None:
    """However the process that started the control plane ends, its programs end too."""
    command = [sys.executable, "-m", "tests.controlplane", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, process_group=0) as caller:
        assert caller.stdout is not None
        assert any("KUBECONFIG" in line for line in caller.stdout)
        children = [int(file.read_text()) for file in tmp_path.glob("*.pid")]
        assert len(children) >= 2
        assert all(alive(pid) for pid in children)
        caller.send_signal(number)
    assert wait_until(lambda: not any(alive(pid) for pid in children))


def test_assets_are_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KUBEBUILDER_ASSETS is used as it is, also without a controller manager, and nothing is built."""
    for name in ("etcd", "kube-apiserver"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    assert ensure(print) == Binaries(tmp_path / "etcd", tmp_path / "kube-apiserver", None)
    (tmp_path / "etcd").unlink()
    with pytest.raises(BuildError, match="holds no program etcd"):
        ensure(print)
