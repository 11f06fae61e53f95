"""Pytest fixtures around the rig: a cluster for the session, a stack for a module, a namespace for a test.

Loaded for all tests by tests/conftest.py, and costing nothing to those that do not ask. A module that wants
its stack set differently defines a fixture `stack_options` of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.controlplane.cluster import Cluster, open_cluster
from tests.controlplane.progress import Report, printer
from tests.rig.stack import Options, Stack

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Report:
    """Say something to the person who watches, also while pytest captures output."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    say = printer()

    def report(line: str) -> None:
        if capture is None:
            say(line)
            return
        with capture.global_and_fixture_disabled():
            say(line)

    return report


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, report: Report) -> Iterator[Cluster]:
    """A ready API server, shared by all tests of the session; see `tests.controlplane.cluster`."""
    with open_cluster(tmp_path_factory.mktemp("cluster"), report) as opened:
        yield opened


@pytest.fixture(scope="module")
def stack_options() -> Options:
    """How the stack of this module is set: fast, without lag or faults."""
    return Options()


@pytest.fixture(scope="module")
def stack(cluster: Cluster, stack_options: Options, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Simulated provider and operator for one module, on the shared cluster."""
    directory = tmp_path_factory.mktemp("stack")
    opened = Stack(cluster, directory, stack_options, namespace=f"rig-{directory.name.lower()}")
    try:
        opened.start()
        yield opened
    finally:
        opened.stop()


@pytest.fixture
def namespace(stack: Stack) -> str:
    """A namespace of its own for one test, with credentials for the simulated provider in it."""
    name = f"{stack.namespace}-{next(_numbers)}"
    stack.create_namespace(name)
    return name


@pytest.fixture(scope="module")
def make_stack(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Options], Stack]]:
    """Return a way to start a stack inside a test; only one operator may run at a time."""
    opened: list[Stack] = []

    def make(options: Options) -> Stack:
        for earlier in opened:
            earlier.stop()
        directory: Path = tmp_path_factory.mktemp("stack")
        opened.append(Stack(cluster, directory, options, namespace=f"rig-{directory.name.lower()}"))
        opened[-1].start()
        return opened[-1]

    yield make
    for stack in opened:
        stack.stop()
