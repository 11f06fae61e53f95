"""No secret leaves the operator: not in logs, metrics and crash output, nor in anything that the API server keeps.

A stack of its own, with recognisable secrets, goes through a life in which providers and applications repeat
whatever they were given, at every level of the log, and through every way in which a process can end. Then
everything that was said meanwhile is searched.
"""

from __future__ import annotations

import json
import os
import signal
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gpuinstance.logs import BLOT
from tests.integration.canaries import (
    FILE,
    HEADER,
    HOSTWINDS_KEY,
    NOVITA_KEY,
    ROOT_PASSWORD,
    SAYINGS,
    TOKEN,
    leaks,
)
from tests.integration.manifests import server, serving, upgrade
from tests.integration.pace import Pace
from tests.integration.versions import name_of
from tests.integration.world import World, until
from tests.rig.stack import Stack, await_true

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

NAMESPACE = "canaries"
DEBUG = {
    "GPUINSTANCE_LOG_LEVEL": "DEBUG",
    "GPUINSTANCE_NAMESPACES": json.dumps([NAMESPACE]),
    "GPUINSTANCE_PROVIDER_TIMEOUT_SECONDS": "2",
    "PYTHONFAULTHANDLER": "1",
}
ENV = [
    {"name": name, "valueFrom": {"secretKeyRef": {"name": "team", "key": key}}}
    for name, key in (("TOKEN", "token"), ("FILE", "file"))
]
CHECKS = {
    "failureThreshold": 1,
    "intervalSeconds": 5,
    "retryAttempts": 0,
    "endpoints": [
        {
            "port": 80,
            "headers": [{"name": "X-Token", "valueFrom": {"secretKeyRef": {"name": "team", "key": "header"}}}],
        }
    ],
}
REFUSALS = {
    "refused-1": (400, TOKEN, "plain", "RequestRejected"),
    "refused-2": (401, FILE, "json", "Unauthorized"),
    "refused-3": (403, NOVITA_KEY, "url", "Unauthorized"),
    "refused-4": (422, TOKEN, "base64", "RequestRejected"),
    "refused-5": (400, FILE, "cut", "RequestRejected"),
}
"""How the provider refuses a purchase: with which status, what it repeats and how, and the reason that follows."""

BUGS = """
import asyncio, os, threading
from gpuinstance.providers import wrappers
from gpuinstance.reconcile import Reconciler

WORDS = os.environ["CANARIES"]

class Undead:
    def __del__(self):
        raise RuntimeError("in a finalizer: " + WORDS)

def thread():
    raise RuntimeError("in a thread: " + WORDS)

def callback():
    raise RuntimeError("in a callback: " + WORDS)

async def create(self, order):
    Undead()
    threading.Thread(target=thread).start()
    asyncio.get_running_loop().call_soon(callback)
    raise RuntimeError("in a pass: " + WORDS)

async def drain(self):
    raise RuntimeError("at the end: " + WORDS)

wrappers.SharedListing.create = create
Reconciler.drain = drain
"""
"""Python runs a `sitecustomize` first: with this one, the operator has a bug in each place that knows secrets."""


class Canaries:
    """A namespace, an operator for it alone, and providers with keys that are easy to recognise."""

    def __init__(self, stack: Stack, directory: Path) -> None:
        options = replace(
            Pace().options(), simulator={"api-key": NOVITA_KEY}, hostwinds_simulator={"api-key": HOSTWINDS_KEY}
        )
        self.stack = Stack(stack.cluster, directory, options, namespace=NAMESPACE)
        self.novita = World(self.stack, NAMESPACE)
        self.hostwinds = World(self.stack, NAMESPACE, self.stack.hostwinds)
        self.told: dict[str, str] = {}
        self._versions = [stack.directory / f"{name_of(kind)}.log" for kind in ("gpui", "iup")]

    def start(self) -> None:
        """Start the providers, and create the namespace with all Secrets."""
        for simulator in self.stack.simulators.values():
            simulator.child.start()
        for simulator in self.stack.simulators.values():
            await_true(lambda it=simulator: it.healthy, simulator.child)  # type: ignore[misc]  # bound at once
        self.stack.kubectl("create", "namespace", NAMESPACE)
        self.novita.set_secret("novita-credentials", apiKey=NOVITA_KEY)
        self.novita.set_secret("hostwinds-credentials", apiKey=HOSTWINDS_KEY)
        self.novita.set_secret("team", token=TOKEN, file=FILE, header=HEADER)

    def run_operator(self, **env: str) -> None:
        """Start the operator."""
        self.stack.start_operator(**{**DEBUG, **env})

    def listen(self, when: str) -> None:
        """Take note of what can be asked of the running operator."""
        self.told[f"metrics {when}"] = self.stack.operator.metrics()

    def everything(self) -> dict[str, str]:
        """Return all that was said: by the process, by the API server now, and in every version of our objects."""
        kubectl = self.stack.kubectl
        kinds = kubectl("api-resources", "--verbs=list", "--output=name").split()
        kinds = [kind for kind in kinds if kind != "secrets"]
        kept = kubectl("get", ",".join(kinds), "--all-namespaces", "--show-managed-fields", "--output=yaml")
        return {
            **self.told,
            "the operator's output": self.stack.operator.child.log.read_text(),
            "the API server": kept,
            **{log.name: log.read_text() for log in self._versions},
        }

    def stop(self) -> None:
        """Let go of what a failed test has left, and stop everything."""
        self.stack.operator.stop()
        for name in self.stack.kubectl.within(NAMESPACE)("get", "iup,gpui", "--output=name").split():
            self.novita.kubectl("patch", name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
            self.novita.kubectl("delete", name, "--wait=false")
        self.stack.stop()


@pytest.fixture
def canaries(stack: Stack, tmp_path: Path) -> Iterator[Canaries]:
    """A stack of canaries in place of the one operator, which comes back afterwards."""
    stack.operator.stop()
    canaries = Canaries(stack, tmp_path)
    try:
        canaries.start()
        yield canaries
    finally:
        canaries.stop()
        stack.start_operator()


def test_no_secret_comes_to_light(canaries: Canaries, tmp_path: Path) -> None:
    """Neither plain nor encoded, nor its first twelve characters."""
    canaries.run_operator()
    misunderstandings_at_novita(canaries.novita)
    misunderstandings_at_hostwinds(canaries.hostwinds)
    canaries.listen("at DEBUG")
    os.kill(canaries.stack.operator.child.pid, signal.SIGABRT)
    until(lambda: not canaries.stack.operator.child.running, "it has crashed")
    assert "Fatal Python error: Aborted" in canaries.stack.operator.child.log.read_text()

    (tmp_path / "bugs").mkdir()
    (tmp_path / "bugs" / "sitecustomize.py").write_text(BUGS)
    path = canaries.stack.operator.child.env["PYTHONPATH"]
    words = f"{NOVITA_KEY} {HOSTWINDS_KEY} {TOKEN} {FILE} {HEADER}"
    buggy = {"PYTHONPATH": f"{tmp_path / 'bugs'}{os.pathsep}{path}", "CANARIES": words}
    canaries.run_operator(GPUINSTANCE_LOG_LEVEL="INFO", **buggy)
    unexpected_errors(canaries)

    canaries.run_operator(GPUINSTANCE_LOG_FORMAT="console", PYTHONPATH=path)
    canaries.listen("as text")
    canaries.novita.kubectl("delete", "iup,gpui", "--all", "--timeout=60s")
    for simulator in canaries.stack.simulators.values():
        assert simulator.ask("machines") == []
    told = canaries.everything()
    assert_that_something_was_said(told)
    assert leaks(told) == []


def misunderstandings_at_novita(world: World) -> None:
    """The provider repeats the environment and the key: in refusals, in pages of HTML, and about a failed machine."""
    for name, (status, value, saying, _) in REFUSALS.items():
        answer = {"kind": "answer", "status": status, "message": SAYINGS[saying](value)}
        world.fault(answer, name, operation="create", count=None)
        world.apply(serving(name, env=ENV))
    failure = {"kind": "fail", "at": "pulling", "ends": "exited", "message": SAYINGS["plain"](TOKEN)}
    world.fault(failure, "doomed", operation="create")
    world.fault({"kind": "hang", "seconds": 3}, "trainer", operation="create")
    world.apply(serving("doomed", env=ENV), serving("trainer", env=ENV, healthCheck=CHECKS))
    for name, (*_, reason) in REFUSALS.items():
        assert BLOT in world.reason(name, reason)
    assert BLOT in world.reason("doomed", "InstanceFailed")
    world.ready("trainer")
    page = {"kind": "answer", "status": 502, "message": SAYINGS["plain"](NOVITA_KEY)}
    world.fault(page, operation="list", count=2)
    world.fault({"kind": "answer", "status": 500, "message": SAYINGS["basic"](NOVITA_KEY)}, operation="list", nth=3)
    assert BLOT in world.reason("trainer", "ProviderUnavailable", "Synced")
    world.ready("trainer")
    application = {"status": 500, "body": f"<h1>you sent {HEADER}</h1>", "headers": {"X-Echo": HEADER}}
    world.simulator.tell("apps", {"behaviour": application})
    world.reason("trainer", "HealthCheckFailed")
    world.simulator.forget("apps")
    world.ready("trainer")
    target = {"image": {"image": "docker.io/library/nginx:1.28", "env": ENV}}
    answer = {"kind": "answer", "status": 400, "message": SAYINGS["plain"](TOKEN)}
    world.fault(answer, "trainer", operation="upgrade", count=None, id="upgrade")
    world.apply(upgrade("newer", "trainer", target=target))
    world.reason("iup/newer", "RequestRejected")
    world.simulator.forget("faults")


def misunderstandings_at_hostwinds(world: World) -> None:
    """The same there, with the root password in every answer; then a server is bought and moved to another plan."""
    answer = {"kind": "answer", "status": 200, "message": SAYINGS["form"](HOSTWINDS_KEY)}
    world.fault(answer, "refused", operation="create", count=None)
    world.fault({"kind": "truncate"}, "web", operation="get", count=2)
    world.apply(server("web", connection={}), server("refused"))
    world.reason("refused", "RequestRejected")
    world.ready("web")
    form = {"API": HOSTWINDS_KEY, "action": "get_instances"}
    assert ROOT_PASSWORD in httpx.post(world.simulator.hostwinds_url, data=form, trust_env=False).text
    world.wait("web", "jsonpath={.status.connection.secretName}=web-connection")
    published = world.kubectl.json("get", "secret", "web-connection")["data"]["sshPassword"]
    assert b64decode(published).decode() == ROOT_PASSWORD, "there, and nowhere else"
    world.fault({"kind": "answer", "status": 502, "message": SAYINGS["plain"](HOSTWINDS_KEY)}, operation="check_order")
    world.apply(upgrade("bigger", "web"))
    world.wait("iup/bigger", "condition=ActionRequired")
    world.pay("iup/bigger")
    world.patch("iup/bigger", payment={"confirmedInvoiceID": world.status("iup/bigger")["order"]["invoiceID"]})
    world.outcome("iup/bigger", "Succeeded")
    world.simulator.forget("faults")


def unexpected_errors(canaries: Canaries) -> None:
    """Bugs put every secret into the text of an exception: in a pass, a callback, a thread, a finalizer, at the end."""
    operator, world = canaries.stack.operator, canaries.novita
    world.apply(serving("crash", env=ENV))
    until(lambda: "in a pass" in operator.child.log.read_text(), "the pass has failed")
    canaries.listen("at INFO")
    assert operator.stop() == 1
    log = operator.child.log.read_text()
    for place in ("in a pass", "in a callback", "in a thread", "in a finalizer", "at the end"):
        assert f"RuntimeError: {place}: " in log


def assert_that_something_was_said(told: dict[str, str]) -> None:
    """The search looks at what it should look at."""
    assert all(told.values())
    assert "managedFields" in told["the API server"]
    assert "reason: RequestRejected" in told["the API server"]
    for words in ('"level": "debug"', '"level": "info"', "RuntimeError: at the end"):
        assert words in told["the operator's output"]
