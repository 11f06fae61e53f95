"""A Kubernetes API server for tests and the demo: started on loopback, or one that exists already.

`open_cluster` is the door. It starts etcd, kube-apiserver and kube-controller-manager as children of the
caller, with RBAC on, own certificates and tokens, on free ports, and waits until the API server says that
it is ready. With USE_EXISTING_CLUSTER=true it starts nothing and uses the current kubeconfig instead.
Nothing here knows the operator or its resources.
"""

from __future__ import annotations

import json
import os
import ssl
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.controlplane import credentials
from tests.controlplane.build import Binaries, ensure
from tests.controlplane.credentials import ADMIN, User, write_kubeconfig
from tests.controlplane.kubectl import Kubectl
from tests.controlplane.processes import Child, free_port
from tests.controlplane.progress import Report

_READY_SECONDS = 90.0
_POLL_SECONDS = 0.1

# Only what the tests are about; each further controller costs memory and time to start.
_CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
)

# Every write, and what service accounts read; without bodies, so that no secret lands in a log.
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None", "verbs": ["get", "list", "watch"]},
        {"level": "Metadata"},
    ],
}


class Cluster(ABC):
    """An API server that somebody may use."""

    directory: Path
    """Where kubeconfig files and logs are written."""
    audit_log: Path | None = None
    """One JSON line for each request that is worth it: whose, and how it ended; see `audit.py`."""

    @property
    @abstractmethod
    def admin(self) -> Path:
        """The kubeconfig of somebody who may do everything."""

    @abstractmethod
    def kubeconfig(self, user: User) -> Path:
        """Return a kubeconfig for `user`."""

    def kubectl(self, user: User | None = None) -> Kubectl:
        """Return kubectl as `user`, or as the administrator."""
        return Kubectl(self.admin if user is None else self.kubeconfig(user))

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """Return a kubeconfig with a token that the API server issues for a service account (24 hours)."""
        admin = self.kubectl()
        token = admin("create", "token", name, "--namespace", namespace, "--duration", "24h").strip()
        path = self.directory / f"{namespace}-{name}.kubeconfig"
        return write_kubeconfig(path, self._cluster_entry(), {"token": token})

    def _cluster_entry(self) -> dict[str, object]:
        config = self.kubectl().json("config", "view", "--raw", "--minify", "--flatten")
        entry: dict[str, object] = config["clusters"][0]["cluster"]
        return entry


class ExistingCluster(Cluster):
    """The cluster of the current kubeconfig; whoever that names must be an administrator."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        current = Kubectl(None).json("config", "view", "--raw", "--minify", "--flatten")
        self._entries = current["clusters"][0]["cluster"], current["users"][0]["user"]
        self._admin = write_kubeconfig(directory / "admin.kubeconfig", *self._entries)

    @property
    def admin(self) -> Path:
        """A copy of the current context, so that a switch of context meanwhile changes nothing."""
        return self._admin

    def kubeconfig(self, user: User) -> Path:
        """Return a kubeconfig in which the administrator impersonates `user`."""
        cluster, admin = self._entries
        impersonation = {"as": user.name, "as-groups": list(user.groups)}
        path = self.directory / f"{user.name.replace(':', '-')}.kubeconfig"
        return write_kubeconfig(path, cluster, {**admin, **impersonation})


class LocalCluster(Cluster):
    """etcd, kube-apiserver and kube-controller-manager of our own, on loopback."""

    def __init__(self, binaries: Binaries, directory: Path, users: Sequence[User] = ()) -> None:
        """`users` may log in besides the administrator, and may do what roles allow them."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.audit_log = directory / "audit.log"
        self._users = {ADMIN, *users}
        self._files = credentials.write(directory / "pki", self._users)
        self._port, etcd_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self._port}"
        (directory / "audit-policy.json").write_text(json.dumps(_AUDIT_POLICY))
        self._admin = self.kubeconfig(ADMIN)
        etcd_url = f"http://127.0.0.1:{etcd_port}"
        self.etcd = Child("etcd", [binaries.etcd, *self._etcd_flags(etcd_url)], directory)
        self.apiserver = Child("kube-apiserver", [binaries.kube_apiserver, *self._apiserver_flags(etcd_url)], directory)
        self.controller_manager: Child | None = None
        if binaries.kube_controller_manager is not None:
            command: list[str | Path] = [binaries.kube_controller_manager, *self._manager_flags()]
            self.controller_manager = Child("kube-controller-manager", command, directory)

    @property
    def admin(self) -> Path:
        """The kubeconfig of `ADMIN`."""
        return self._admin

    def kubeconfig(self, user: User) -> Path:
        """Return a kubeconfig with the token of `user`, one of those that the cluster was made with."""
        if user not in self._users:
            raise KeyError(f"the cluster was started without the user {user.name}")
        path = self.directory / f"{user.name.replace(':', '-')}.kubeconfig"
        return write_kubeconfig(path, self._entry(), {"token": user.token})

    def start(self) -> None:
        """Start everything and wait until the API server is ready. Raises ChildError where it cannot be."""
        self.etcd.start()
        self.start_apiserver()
        if self.controller_manager is not None:
            self.controller_manager.start()

    def start_apiserver(self) -> None:
        """Start the API server, on the port that it had before, and wait until it is ready."""
        self.apiserver.start()
        self._await_ready()

    def stop_apiserver(self) -> None:
        """Stop the API server alone: clients are refused until `start_apiserver`.

        Watches that are open would let it linger for a minute, so they are cut.
        """
        self.apiserver.stop(seconds=2)

    def stop(self) -> None:
        """Stop everything; what was never started is passed over."""
        if self.controller_manager is not None:
            self.controller_manager.stop()
        self.apiserver.stop()
        self.etcd.stop()

    def _cluster_entry(self) -> dict[str, object]:
        return self._entry()

    def _entry(self) -> dict[str, object]:
        return {"server": self.url, "certificate-authority": str(self._files.ca)}

    def _etcd_flags(self, url: str) -> list[str]:
        peer = f"http://127.0.0.1:{free_port()}"
        return [
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--log-level=warn",
            "--unsafe-no-fsync",  # nothing here has to survive the machine
        ]

    def _apiserver_flags(self, etcd_url: str) -> list[str]:
        files = self._files
        return [
            f"--etcd-servers={etcd_url}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",  # loopback is refused as an endpoint, and nobody looks it up
            f"--secure-port={self._port}",
            f"--tls-cert-file={files.certificate}",
            f"--tls-private-key-file={files.key}",
            f"--cert-dir={self.directory / 'pki'}",
            f"--token-auth-file={files.tokens}",
            f"--service-account-issuer={self.url}",
            f"--service-account-key-file={files.service_account_key}",
            f"--service-account-signing-key-file={files.service_account_key}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",  # pods need no token: none ever runs
            f"--audit-policy-file={self.directory / 'audit-policy.json'}",
            f"--audit-log-path={self.audit_log}",
            "--audit-log-mode=blocking",  # a request is in the log before its answer is sent
            "--profiling=false",
        ]

    def _manager_flags(self) -> list[str]:
        return [
            f"--kubeconfig={self._admin}",
            f"--controllers={','.join(_CONTROLLERS)}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            "--secure-port=0",
            f"--cert-dir={self.directory / 'pki'}",
            f"--root-ca-file={self._files.ca}",
        ]

    def _await_ready(self) -> None:
        trust = ssl.create_default_context(cafile=str(self._files.ca))
        request = urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {ADMIN.token}"})
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            self.etcd.check()
            self.apiserver.check()
            try:
                with urllib.request.urlopen(request, context=trust, timeout=5):
                    return
            except (urllib.error.URLError, OSError) as error:
                if time.monotonic() > deadline:
                    log = self.apiserver.tail()
                    raise TimeoutError(f"the API server is not ready: {error}\n{log}") from error
            time.sleep(_POLL_SECONDS)


@contextmanager
def open_cluster(directory: Path, report: Report, users: Sequence[User] = ()) -> Iterator[Cluster]:
    """Give a cluster that is ready, and stop it afterwards if it was started here.

    Raises BuildError where the programs cannot be had, ChildError or TimeoutError where they do not start.
    """
    if os.environ.get("USE_EXISTING_CLUSTER", "").lower() == "true":
        report("control plane: using the cluster of the current kubeconfig")
        yield ExistingCluster(directory)
        return
    cluster = LocalCluster(ensure(report), directory, users)
    try:
        cluster.start()
        report(f"control plane: ready at {cluster.url}")
        yield cluster
    finally:
        cluster.stop()
