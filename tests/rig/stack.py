"""Control plane, simulated providers and operator, each a process of its own, wired to each other.

Integration tests, the demo and `make up` all use `Stack`. It installs what a user would install (crds/,
deploy/rbac.yaml and deploy/policies.yaml, by kubectl), waits for health instead of sleeping, and stops
everything by process id. It asserts nothing: what must be true is said by its users.
"""

from __future__ import annotations

import json
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
from tests.rig.simulator import API_KEY, LOOPBACK, Simulator

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
    simulator_host: str = LOOPBACK
    """Where Novita is simulated, and publishes ports: no Service can lead to a loopback address."""
    hostwinds: bool = False
    """Whether Hostwinds is simulated, too, beside Novita, by a simulator of its own."""
    hostwinds_simulator: Mapping[str, object] = field(default_factory=dict)
    """Further options of that simulator, by name."""
    poll_seconds: float = 2.0
    fast_poll_seconds: float = 0.5
    settle_seconds: float = 2.0
    """How long an unconfirmed create is waited for: longer than the real length of the listing lag."""
    operator: Mapping[str, str] = field(default_factory=dict)
    """Further environment of the operator."""
    operator_python: str = sys.executable
    """Who runs the operator: another Python may have the project installed. PYTHONPATH still leads into the tree."""
    operator_program: Sequence[str] = ("-m", "gpuinstance")
    """What Python runs as the operator, for whoever runs it under supervision."""


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
        further = {**flags, **options.simulator}
        self.simulator = Simulator(sys.executable, directory, env, further, host=options.simulator_host)
        self._hostwinds: Simulator | None = None
        if options.hostwinds:
            further = {**flags, **options.hostwinds_simulator}
            self._hostwinds = Simulator(sys.executable, directory, env, further, "hostwinds")
        self._operator_env = {
            **env,
            "GPUINSTANCE_NOVITA_BASE_URL": self.simulator.novita_url,
            "GPUINSTANCE_POLL_SECONDS": str(options.poll_seconds),
            "GPUINSTANCE_FAST_POLL_SECONDS": str(options.fast_poll_seconds),
            "GPUINSTANCE_SETTLE_SECONDS": str(options.settle_seconds),
            "GPUINSTANCE_PROBE_ALLOWED_NETWORKS": '["127.0.0.0/8"]',  # where the simulated applications are
            "GPUINSTANCE_NOTIFICATION_ALLOWED_NETWORKS": '["127.0.0.0/8"]',  # where tests receive them
            "GPUINSTANCE_NOTIFICATION_FAREWELL_SECONDS": "3",  # or each end would wait for receivers that are gone
            "GPUINSTANCE_LOG_FORMAT": "json",
            **self._hostwinds_env(options),
            **options.operator,
        }
        self.operator = Operator(
            options.operator_python, directory, self._operator_env, program=options.operator_program
        )

    @property
    def operator_user(self) -> str:
        """The operator as RBAC and the audit log know it."""
        return f"system:serviceaccount:{SERVICE_ACCOUNT}:{SERVICE_ACCOUNT}"

    @property
    def hostwinds(self) -> Simulator:
        """The simulated Hostwinds. Raises LookupError where the options do not ask for it."""
        if self._hostwinds is None:
            raise LookupError("this stack has no Hostwinds")
        return self._hostwinds

    @property
    def simulators(self) -> Mapping[str, Simulator]:
        """The simulated providers of this stack, by name."""
        return {"novita": self.simulator} | ({} if self._hostwinds is None else {"hostwinds": self._hostwinds})

    def start(self) -> None:
        """Install, and start simulators and operator. Raises ChildError or TimeoutError where one fails."""
        for simulator in self.simulators.values():
            simulator.child.start()
        install(self.kubectl)
        self.create_namespace(self.namespace)
        # The kubeconfig is a copy of our own, so that whoever uses it need not name the namespace.
        self.kubectl("config", "set-context", "--current", "--namespace", self.namespace)
        for simulator in self.simulators.values():
            _await_serving(simulator)
        self.start_operator()

    def create_namespace(self, name: str, api_key: str = API_KEY) -> None:
        """Create a namespace with the credentials of the simulated providers in it."""
        secrets = [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": f"{provider}-credentials", "namespace": name},
                "stringData": {"apiKey": api_key},
            }
            for provider in self.simulators
        ]
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self._namespaces.append(name)
        both = {"apiVersion": "v1", "kind": "List", "items": [namespace, *secrets]}
        self.kubectl("create", "-f", "-", stdin=json.dumps(both))  # one kubectl takes a third of the time of three

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
        """Stop operator and simulators; leave an existing cluster without what was made in it."""
        try:
            if isinstance(self.cluster, ExistingCluster):
                for name in self._namespaces:  # while the operator still runs: it holds the finalizers
                    self.kubectl("delete", "namespace", name, "--ignore-not-found", "--timeout=90s")
        finally:
            self.operator.stop()
            for simulator in self.simulators.values():
                simulator.close()

    def _hostwinds_env(self, options: Options) -> Mapping[str, str]:
        """Where the operator finds the simulated Hostwinds, and how often it may look there."""
        if self._hostwinds is None:
            return {}
        return {
            "GPUINSTANCE_HOSTWINDS_BASE_URL": self._hostwinds.hostwinds_url,
            "GPUINSTANCE_HOSTWINDS_POLL_SECONDS": str(options.fast_poll_seconds),
            "GPUINSTANCE_HOSTWINDS_RATE": "100",  # a second lasts a minute there
        }


def install(kubectl: Kubectl) -> None:
    """Apply the CRDs, the operator's rights and the admission policies, as an administrator would."""
    kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    # kubectl wait fails, instead of waiting, on a CRD so young that it has no conditions at all.
    crds = ("gpuinstances.gpuinstance.dev", "instanceupgrades.gpuinstance.dev")
    _await_success(kubectl, "wait", "crd", *crds, "--for=condition=Established")
    for name in ("rbac.yaml", "policies.yaml"):
        kubectl("apply", "--server-side", "-f", str(ROOT / "deploy" / name))
    # Established is said a moment before the objects can be listed and the schema is published.
    for kind in ("gpui", "iup"):
        _await_success(kubectl, "get", kind, "--all-namespaces")
        _await_success(kubectl, "explain", f"{kind}.spec")


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
            if options is not None and options.hostwinds:
                report(f"simulated Hostwinds: serving at {stack.hostwinds.url}")
            report(f"operator: ready, metrics at {stack.operator.url}/metrics")
            yield stack
        finally:
            stack.stop()


def _await_serving(simulator: Simulator) -> None:
    await_true(lambda: simulator.healthy, simulator.child)


def _await_success(kubectl: Kubectl, *arguments: str) -> None:
    await_true(lambda: kubectl.attempt(*arguments).returncode == 0)
