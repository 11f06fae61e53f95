"""The trial that docs/install.md describes, and an operator of some namespaces, up to a machine that is Ready.

helm installs into a fresh control plane; what the Deployments ask for is then started here, with their arguments,
environment and service account, as a node would. Pods are on the loopback interface, which is the only difference.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.helm import NAME, ROOT
from tests.chart.kubelet import beside_guard
from tests.chart.reader import Terminal, block
from tests.controlplane.cluster import LocalCluster
from tests.controlplane.kubectl import Kubectl
from tests.controlplane.processes import Child
from tests.integration.manifests import serving, text
from tests.rig.operator import Operator
from tests.rig.stack import await_true

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

_RUNNING = {"PYTHONPATH": str(ROOT / "operator"), "PYTHONUNBUFFERED": "1"}


def address() -> str:
    """Return an address of this machine for a pod, so that its fixed ports are its own."""
    return f"127.{random.randrange(100, 200)}.{random.randrange(256)}.{random.randrange(1, 255)}"


@contextmanager
def running(cluster: LocalCluster, directory: Path) -> Iterator[Operator]:
    """Run what the Deployments of the release ask for: the simulated providers, and one replica of the operator."""
    here = cluster.kubectl().within(NAME)
    pod = address()
    children = []
    for container in _containers(here, f"{NAME}-simulator"):
        known = {"POD_IP": pod, "API_KEY": next(it["value"] for it in container["env"] if it["name"] == "API_KEY")}
        arguments = [_expanded(it, known) for it in container["args"]]
        command = [sys.executable, *container["command"][1:], *arguments]
        children.append(Child(f"simulator-{container['name']}", command, directory, _RUNNING))
    (container,) = _containers(here, NAME)
    env = {it["name"]: it["value"].replace(f"{NAME}-simulator", pod) for it in container["env"]}
    networks = json.loads(env["GPUINSTANCE_PROBE_ALLOWED_NETWORKS"])
    env["GPUINSTANCE_PROBE_ALLOWED_NETWORKS"] = json.dumps([*networks, "127.0.0.0/8"])
    env["GPUINSTANCE_LEASE_NAMESPACE"] = NAME  # as a pod would find it beside its token
    env["KUBECONFIG"] = str(cluster.service_account_kubeconfig(NAME, NAME))
    operator = Operator(sys.executable, directory, {**_RUNNING, **env})
    try:
        for child in children:
            child.start()
        operator.start()
        await_true(lambda: operator.leads and operator.ready, operator.child)
        yield operator
    finally:
        operator.stop()
        for child in children:
            child.stop()


def _containers(kubectl: Kubectl, deployment: str) -> list[dict[str, Any]]:
    template = kubectl.json("get", f"deployment/{deployment}")["spec"]["template"]
    found: list[dict[str, Any]] = template["spec"]["containers"]
    return found


def _expanded(argument: str, known: dict[str, str]) -> str:
    for name, value in known.items():
        argument = argument.replace(f"$({name})", value)
    return argument


def helm_test(terminal: Terminal, operator: Operator) -> str:
    """Return what the program of `helm test` says of an operator."""
    hooks = yaml.safe_load_all(terminal.follow(f"helm get hooks {NAME} --namespace {NAME}"))
    (container,) = next(it for it in hooks if it["kind"] == "Pod")["spec"]["containers"]
    assert container["args"] == [f"http://{NAME}:8080/readyz"]
    command = [sys.executable, *container["command"][1:], f"{operator.url}/readyz"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


def test_the_trial_ends_with_a_machine(fresh: LocalCluster, terminal: Terminal, tmp_path: Path) -> None:
    """The commands of the document lead from nothing to an instance that is Ready, at no provider's cost."""
    installing, rest = block("A trial without an account").split("kubectl", 1)
    terminal.follow(installing)
    kubectl = fresh.kubectl()
    with running(fresh, tmp_path) as operator:
        terminal.follow(f"kubectl{rest}")
        assert helm_test(terminal, operator) == "ok"
        assert kubectl("get", "gpui/trainer", "-o", "jsonpath={.status.outcome}") == "Ready"
        kubectl("delete", "gpui/trainer", "--timeout=60s")
    kubectl("delete", "secret", "novita-credentials")
    terminal.follow(f"helm uninstall {NAME} --namespace {NAME} --no-hooks")


def test_an_operator_of_some_namespaces_serves_them(fresh: LocalCluster, terminal: Terminal, tmp_path: Path) -> None:
    """With the rights of Roles alone an instance becomes Ready and is deleted; one elsewhere is never touched.

    Nor is that one in the way of an uninstall: it was never this operator's.
    """
    admin = fresh.kubectl()
    values = yaml.safe_load(block("Some namespaces only", "yaml"))
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump({**values, "simulator": {"enabled": True}}))
    for namespace in values["watchNamespaces"]:
        admin("create", "namespace", namespace)
        admin(
            "create", "secret", "generic", "novita-credentials", "--from-literal=apiKey=simulated-key", "-n", namespace
        )
    terminal.follow("kubectl apply --server-side -f charts/gpu-instance-operator/crds/")
    chart = os.path.relpath(ROOT / "charts" / NAME, ROOT)
    terminal.follow(f"helm install {NAME} {chart} --namespace {NAME} --create-namespace --skip-crds --values {file}")
    with running(fresh, tmp_path):
        elsewhere, here = admin.within("default"), admin.within(values["watchNamespaces"][0])
        elsewhere("apply", "-f", "-", stdin=text(serving()))
        here("apply", "-f", "-", stdin=text(serving()))
        here("wait", "gpui/trainer", "--for=condition=Ready", "--timeout=90s")
        assert elsewhere.json("get", "gpui/trainer")["status"] == {"observedGeneration": -1}
        here("delete", "gpui/trainer", "--timeout=60s")
    ended, said = beside_guard(fresh, lambda: terminal.attempt(f"helm uninstall {NAME} --namespace {NAME}"))
    assert (ended.returncode, said) == (0, "nothing would be left behind\n"), ended.stderr
    elsewhere("delete", "gpui/trainer", "--timeout=60s")
    for namespace in values["watchNamespaces"]:
        admin("delete", "namespace", namespace, "--wait=false")
