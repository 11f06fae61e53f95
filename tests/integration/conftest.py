"""What the integration tests share: a bare API server, and a whole stack that is left as it was found."""

from __future__ import annotations

import itertools
from base64 import b64encode
from collections.abc import Iterator

import pytest

from tests.controlplane.cluster import Cluster, open_cluster
from tests.controlplane.kubectl import Kubectl
from tests.controlplane.processes import Child
from tests.controlplane.progress import Report
from tests.integration.pace import Pace
from tests.integration.versions import violations, watch
from tests.integration.world import SECRETS, World
from tests.rig.stack import Stack, install

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def api(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """An administrator's kubectl, in a namespace of the module, on a cluster with the project installed."""
    admin = cluster.kubectl()
    install(admin)
    namespace = request.module.__name__.rpartition(".")[2].replace("_", "-")
    admin("create", "namespace", namespace)
    yield admin.within(namespace)
    admin("delete", "gpui", "--all", "--namespace", namespace)
    admin("delete", "namespace", namespace, "--wait=false")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, report: Report) -> Iterator[Stack]:
    """A provider in a hurry, the operator, and a control plane of their own: one stack for all these tests.

    It is watched while they use it, and judged when they are done: nothing may be left, in the cluster or at
    the provider; no secret may have come to light; every version of every object must have obeyed the laws of
    conditions; and nothing may have surprised the operator.
    """
    directory = tmp_path_factory.mktemp("stack")
    with open_cluster(directory / "controlplane", report) as cluster:
        stack = Stack(cluster, directory, Pace().options(), namespace="integration")
        versions = watch(cluster.admin, directory)
        try:
            stack.start()
            versions.start()
            yield stack
            judge(stack, versions)
        finally:
            versions.stop()
            stack.stop()


def judge(stack: Stack, versions: Child) -> None:
    told = stack.kubectl("get", "events", "--all-namespaces", "-o", "yaml") + stack.operator.metrics()
    done = stack.kubectl.attempt("delete", "gpui", "--all", "--all-namespaces", "--timeout=60s")
    log = stack.operator.child.log.read_text()
    assert done.returncode == 0, f"{done.stderr}{stack.operator.child.tail(60)}"
    assert [it for it in stack.simulator.ask("machines") if it["name"].startswith("gpui-")] == []
    assert violations(versions.log) == []
    assert secrets_in(told + log + versions.log.read_text()) == []
    assert "Traceback" not in log


def secrets_in(text: str) -> list[str]:
    """Return the secrets of these tests that the text holds, plain or encoded."""
    forms = {form for secret in SECRETS for form in (secret, b64encode(secret.encode()).decode().rstrip("="))}
    return [form for form in forms if form in text]


@pytest.fixture
def world(stack: Stack) -> Iterator[World]:
    """A namespace with credentials for one test; its faults and instances end with the test."""
    if not stack.operator.child.running:  # a test that failed may have left it so
        stack.start_operator()
    namespace = f"{stack.namespace}-{next(_numbers)}"
    stack.create_namespace(namespace)
    world = World(stack, namespace)
    yield world
    stack.simulator.forget("faults")
    stack.simulator.forget("apps")
    world.kubectl("delete", "gpui", "--all", "--wait=false")
