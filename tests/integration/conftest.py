"""What the integration tests share: a bare API server, and a whole stack that is left as it was found."""

from __future__ import annotations

import itertools
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from tests.controlplane.cluster import Cluster, open_cluster
from tests.controlplane.kubectl import Kubectl
from tests.controlplane.processes import Child
from tests.controlplane.progress import Report
from tests.integration.pace import Pace
from tests.integration.saga import Saga, Yard
from tests.integration.versions import violations, watch
from tests.integration.world import SECRETS, World
from tests.rig.simulator import Simulator
from tests.rig.stack import Stack, install

_numbers = itertools.count(1)

AnyWorld = TypeVar("AnyWorld", bound=World)


@pytest.fixture(scope="module")
def api(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """An administrator's kubectl, in a namespace of the module, on a cluster with the project installed."""
    admin = cluster.kubectl()
    install(admin)
    namespace = request.module.__name__.rpartition(".")[2].replace("_", "-")
    admin("create", "namespace", namespace)
    yield admin.within(namespace)
    admin("delete", "iup,gpui", "--all", "--namespace", namespace)
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
        watches = [watch(cluster.admin, directory, kind) for kind in ("gpui", "iup")]
        try:
            stack.start()
            for versions in watches:
                versions.start()
            yield stack
            judge(stack, watches)
        finally:
            for versions in watches:
                versions.stop()
            stack.stop()


def judge(stack: Stack, watches: Sequence[Child]) -> None:
    told = stack.kubectl("get", "events", "--all-namespaces", "-o", "yaml") + stack.operator.metrics()
    done = stack.kubectl.attempt("delete", "iup,gpui", "--all", "--all-namespaces", "--timeout=60s")
    log = stack.operator.child.log.read_text()
    assert done.returncode == 0, f"{done.stderr}{stack.operator.child.tail(60)}"
    for provider, simulator in stack.simulators.items():
        left = [it for it in simulator.ask("machines") if it["name"].startswith("gpui-")]
        # Novita releases no machine that is paid for a term: those objects were deleted without theirs.
        assert [it for it in left if (provider, it["mode"]) != ("novita", "monthly")] == []
    assert wrong_in_the_books(stack.hostwinds.ask("ledger")) == []
    shown = "".join(versions.log.read_text() for versions in watches)
    assert [broken for versions in watches for broken in violations(versions.log)] == []
    assert secrets_in(told + log + shown) == []
    assert "Traceback" not in log


def wrong_in_the_books(ledger: Sequence[dict[str, Any]]) -> list[str]:
    """Return what was done with money that nobody wanted: a second charge, or a change that was not paid for."""
    wrong, paid, applied = [], set[int](), set[int]()
    for entry in ledger:
        invoice, operation = entry["detail"].get("invoice"), entry["operation"]
        if operation == "pay":
            if entry["actor"] == "provider" and float(entry["detail"]["amount"]):
                wrong.append(f"charged without being asked for: {entry}")
            paid.add(invoice)
        if operation == "apply":
            if invoice not in paid or invoice in applied:
                wrong.append(f"applied unpaid, or twice: {entry}")
            applied.add(invoice)
    return wrong


def secrets_in(text: str) -> list[str]:
    """Return the secrets of these tests that the text holds, plain or encoded."""
    forms = {form for secret in SECRETS for form in (secret, b64encode(secret.encode()).decode().rstrip("="))}
    return [form for form in forms if form in text]


@pytest.fixture
def world(stack: Stack) -> Iterator[World]:
    """A namespace with credentials for one test; its faults and instances end with the test."""
    with open_world(stack, stack.simulator, World) as world, restored(stack.simulator):
        yield world


@pytest.fixture
def hostwinds(stack: Stack) -> Iterator[World]:
    """The same, with the books and faults of Hostwinds."""
    with open_world(stack, stack.hostwinds, World) as world, restored(stack.hostwinds):
        yield world


@pytest.fixture(scope="module")
def yard(stack: Stack) -> Iterator[Yard]:
    """A namespace with servers at Hostwinds for all tests of a module; each takes one that is Ready."""
    with open_world(stack, stack.hostwinds, Yard) as yard:
        yield yard


@pytest.fixture
def saga(yard: Yard) -> Iterator[Saga]:
    """An upgrade, not applied yet, of a server of its own; faults and quirks end with the test."""
    wake(yard.stack)
    with restored(yard.simulator):
        yield Saga(yard, yard.take())


@contextmanager
def open_world(stack: Stack, simulator: Simulator, kind: type[AnyWorld]) -> Iterator[AnyWorld]:
    """A namespace with credentials; what is in it is deleted afterwards, and applications are healthy again."""
    wake(stack)
    namespace = f"{stack.namespace}-{next(_numbers)}"
    stack.create_namespace(namespace)
    world = kind(stack, namespace, simulator)
    yield world
    simulator.forget("apps")
    world.kubectl("delete", "iup,gpui", "--all", "--wait=false")


def wake(stack: Stack) -> None:
    if not stack.operator.child.running:  # a test that failed may have left it so
        stack.start_operator()


@contextmanager
def restored(simulator: Simulator) -> Iterator[None]:
    """Afterwards the provider has no faults, and the quirks that it had before."""
    quirks = simulator.ask("quirks")
    yield
    simulator.forget("faults")
    simulator.tell("quirks", quirks)
