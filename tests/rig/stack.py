"""Control plane, simulated provider and operator, each a process of its own, wired to each other.

Integration tests, the demo and `make up` all use `Stack`. It installs what a user would install (crds/,
deploy/rbac.yaml and deploy/policies.yaml, by kubectl), waits for health instead of sleeping, and stops
everything by process id. It asserts nothing: what must be true is said by its users.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.controlplane.cluster import Cluster, ExistingCluster, open_cluster
from tests.controlplane.credentials import User
from tests.controlplane.kubectl import Kubectl
from tests.controlplane.processes import Child
from tests.controlplane.progress import Report
from tests.rig.operator import Operator
from tests.rig.simulator import API_KEY, Simulator

ROOT = Path(__file__).parents[2]
NAMESPACE = "demo"
SERVICE_ACCOUNT = "gpu-instance-operator"
"""The operator's service account and its namespace, as deploy/rbac.yaml names both."""

_HEALTH_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Options:
    """How the two programs of the project are set for one run."""

    speed: float = 20.0
    """Seconds of the provider's time that pass in one real second."""
    listing_lag: float = 0.0
    """Seconds of the provider's time before a new machine appears in listings."""
    seed: int = 1
    simulator: Mapping[str, object] = field(default_factory=dict)
    """Further options of the simulator, by name."""
    poll_seconds: float = 2.0
    fast_poll_seconds: float = 0.5
    settle_seconds: float = 2.0
    """How long an unconfirmed create is waited for: longer than the real length of the listing lag."""
    operator: Mapping[str, str] = field(default_factory=dict)
    """Further environment of the operator."""


class Stack:
    """Everything, once `start` has returned. `namespace` is where the credentials for the simulator are."""

    def __init__(self, cluster: Cluster, directory: Path, options: Options, namespace: str = NAMESPACE) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.cluster = cluster
        self.directory = directory
        self.namespace = namespace
        self.kubectl = cluster.kubectl()
        self._namespaces: list[str] = []
        sources = os.pathsep.join(filter(None, [str(ROOT / "operator"), os.environ.get("PYTHONPATH", "")]))
        env = {"PYTHONPATH": sources, "PYTHONUNBUFFERED": "1"}
        flags = {"speed": options.speed, "listing-lag": options.listing_lag, "seed": options.seed}
        self.simulator = Simulator(sys.executable, directory, env, {**flags, **options.simulator})
        self._operator_env = {
            **env,
            "GPUINSTANCE_NOVITA_BASE_URL": self.simulator.novita_url,
            "GPUINSTANCE_POLL_SECONDS": str(options.poll_seconds),
            "GPUINSTANCE_FAST_POLL_SECONDS": str(options.fast_poll_seconds),
            "GPUINSTANCE_SETTLE_SECONDS": str(options.settle_seconds),
            "GPUINSTANCE_PROBE_ALLOWED_NETWORKS": '["127.0.0.0/8"]',  # where the simulated applications are
            "GPUINSTANCE_LOG_FORMAT": "json",
            **options.operator,
        }
        self.operator = Operator(sys.executable, directory, self._operator_env)

    @property
    def operator_user(self) -> str:
        """The operator as RBAC and the audit log know it."""
        return f"system:serviceaccount:{SERVICE_ACCOUNT}:{SERVICE_ACCOUNT}"

    def start(self) -> None:
        """Install, and start simulator and operator. Raises ChildError or TimeoutError where one fails."""
        self.simulator.child.start()
        install(self.kubectl)
        self.create_namespace(self.namespace)
        # The kubeconfig is a copy of our own, so that whoever uses it need not name the namespace.
        self.kubectl("config", "set-context", "--current", "--namespace", self.namespace)
        await_true(lambda: self.simulator.healthy, self.simulator.child)
        self.start_operator()

    def create_namespace(self, name: str, api_key: str = API_KEY) -> None:
        """Create a namespace with the credentials of the simulated provider in it."""
        self.kubectl("create", "namespace", name)
        self._namespaces.append(name)
        key = f"--from-literal=apiKey={api_key}"
        self.kubectl("create", "secret", "generic", "novita-credentials", f"--namespace={name}", key)

    def start_operator(self, **env: str) -> None:
        """Start the operator, with `env` added to its environment, and wait until it is ready."""
        self.operator.start(KUBECONFIG=str(self.operator_kubeconfig()), **env)
        await_true(lambda: self.operator.ready, self.operator.child)

    def operator_kubeconfig(self) -> Path:
        """Return a kubeconfig of the operator's service account, with a fresh token."""
        return self.cluster.service_account_kubeconfig(SERVICE_ACCOUNT, SERVICE_ACCOUNT)

    def restart_operator(self, **env: str) -> None:
        """Stop the operator gracefully and start it again."""
        self.operator.stop()
        self.start_operator(**env)

    def stop(self) -> None:
        """Stop operator and simulator; leave an existing cluster without what was made in it."""
        try:
            if isinstance(self.cluster, ExistingCluster):
                for name in self._namespaces:  # while the operator still runs: it holds the finalizers
                    self.kubectl("delete", "namespace", name, "--ignore-not-found", "--timeout=90s")
        finally:
            self.operator.stop()
            self.simulator.close()


def install(kubectl: Kubectl) -> None:
    """Apply the CRDs, the operator's rights and the admission policies, as an administrator would."""
    kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    # kubectl wait fails, instead of waiting, on a CRD so young that it has no conditions at all.
    established = ("wait", "crd", "gpuinstances.gpuinstance.dev", "--for=condition=Established")
    await_true(lambda: kubectl.attempt(*established).returncode == 0)
    for name in ("rbac.yaml", "policies.yaml"):
        kubectl("apply", "-f", str(ROOT / "deploy" / name))
    # Established is said a moment before the objects can be listed and the schema is published.
    await_true(lambda: kubectl.attempt("get", "gpui", "--all-namespaces").returncode == 0)
    await_true(lambda: kubectl.attempt("explain", "gpui.spec").returncode == 0)


def await_true(condition: Callable[[], bool], child: Child | None = None, seconds: float = _HEALTH_SECONDS) -> None:
    """Wait until `condition` holds. Raises ChildError if `child` ends first, TimeoutError if it is late."""
    deadline = time.monotonic() + seconds
    while not condition():
        if child is not None:
            child.check()
        if time.monotonic() > deadline:
            late = "the cluster" if child is None else child.name
            tail = "" if child is None else f":\n{child.tail()}"
            raise TimeoutError(f"{late} is not ready after {seconds:.0f} s{tail}")
        time.sleep(0.05)


@contextmanager
def open_stack(
    directory: Path, report: Report, options: Options | None = None, users: Sequence[User] = ()
) -> Iterator[Stack]:
    """Give a stack that is ready, on a control plane of its own, and stop both afterwards."""
    with open_cluster(directory / "controlplane", report, users) as cluster:
        stack = Stack(cluster, directory, options or Options())
        try:
            stack.start()
            report(f"simulated provider: serving at {stack.simulator.url}")
            report(f"operator: ready, metrics at {stack.operator.url}/metrics")
            yield stack
        finally:
            stack.stop()
