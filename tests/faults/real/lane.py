"""One operator of its own with simulated providers, in a namespace of its own, on roads with gates.

Lanes share one API server and do not meet: several runs go on at once, so that waiting costs nothing. A lane
lives one scenario after another; its operator goes on from one to the next unless it is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tests.controlplane.cluster import LocalCluster
from tests.controlplane.credentials import write_kubeconfig
from tests.controlplane.processes import ChildError
from tests.faults.real.gate import Gate, Warden
from tests.rig.operator import Operator
from tests.rig.simulator import API_KEY, Simulator
from tests.rig.stack import ROOT, SERVICE_ACCOUNT, await_true, install

SPEED = 60.0
SETTLE = 8.0
"""Seconds: longer than an operator takes to come back and look around, plus a request that is late."""
RESIZE = 20.0
"""Seconds: longer than a resize lasts. An apply without any effect is repeated only after this."""
POLL = 1.0

T = TypeVar("T")


class Loop:
    """An event loop in a thread of its own, for the gates of all lanes."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gates", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in it and wait for that."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self) -> None:
        """End the thread, and whatever still runs in it."""

        async def end() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.run(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Lane:
    """An operator, its providers, and the gates between."""

    def __init__(
        self,
        cluster: LocalCluster,
        directory: Path,
        number: int,
        loop: Loop,
        *,
        module: tuple[str, ...] = ("gpuinstance",),
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`module` is what the operator is started by: another one for a broken build."""
        directory.mkdir(parents=True, exist_ok=True)
        self.namespace = f"lane-{number}"
        self.directory = directory
        self.cluster = cluster
        self.warden = Warden()
        self._loop = loop
        sources = os.pathsep.join(filter(None, [str(ROOT / "operator"), str(ROOT), os.environ.get("PYTHONPATH", "")]))
        env = {"PYTHONPATH": sources, "PYTHONUNBUFFERED": "1"}
        flags = {"speed": SPEED, "seed": number, "listing-lag": 6, "deletion-lag": 6}
        self.novita = Simulator(sys.executable, directory, env, flags)
        self.hostwinds = Simulator(
            sys.executable, directory, env, {**flags, "repeated-upgrade": "charged"}, "hostwinds"
        )
        trust = ssl.create_default_context(cafile=str(cluster.directory / "pki" / "ca.crt"))
        self.api_gate = Gate(self.warden, cluster.url, trust)
        self.gates = [self.api_gate, Gate(self.warden, self.novita.url), Gate(self.warden, self.hostwinds.url)]
        self._settings = {
            **env,
            "GPUINSTANCE_NAMESPACES": f'["{self.namespace}"]',
            "GPUINSTANCE_POLL_SECONDS": str(POLL),
            "GPUINSTANCE_FAST_POLL_SECONDS": "0.2",
            "GPUINSTANCE_HOSTWINDS_POLL_SECONDS": "0.2",
            "GPUINSTANCE_SETTLE_SECONDS": str(SETTLE),
            "GPUINSTANCE_RESIZE_TIMEOUT_SECONDS": str(RESIZE),
            "GPUINSTANCE_AUDIT_SECONDS": "10",
            "GPUINSTANCE_PROBE_ALLOWED_NETWORKS": '["127.0.0.0/8"]',
            **(settings or {}),
        }
        self._module = module
        self.operator: Operator | None = None
        self.warden.fate.die = self.kill

    def simulator(self, provider: str) -> Simulator:
        """The simulated provider of that name."""
        return self.hostwinds if provider == "hostwinds" else self.novita

    def open(self) -> None:
        """Start everything."""
        for simulator in (self.novita, self.hostwinds):
            simulator.child.start()
        kubectl = self.cluster.kubectl()
        if kubectl.attempt("get", "namespace", self.namespace).returncode:
            self.create_namespace()
        for simulator in (self.novita, self.hostwinds):
            await_true(lambda simulator=simulator: simulator.healthy, simulator.child)  # type: ignore[misc]  # bound at once
        for gate in self.gates:
            self._loop.run(gate.open())
        self._env = {
            **self._settings,
            "GPUINSTANCE_NOVITA_BASE_URL": _moved(self.novita.novita_url, self.gates[1].url),
            "GPUINSTANCE_HOSTWINDS_BASE_URL": _moved(self.hostwinds.hostwinds_url, self.gates[2].url),
            "KUBECONFIG": str(self._kubeconfig(self.api_gate.url)),
        }
        self.start_operator()

    def install(self) -> None:
        """Apply CRDs, rights and policies."""
        install(self.cluster.kubectl())

    def create_namespace(self) -> None:
        """Make the namespace, with the credentials in it."""
        kubectl = self.cluster.kubectl()
        kubectl("create", "namespace", self.namespace)
        for provider in ("novita", "hostwinds"):
            name, key = f"{provider}-credentials", f"--from-literal=apiKey={API_KEY}"
            kubectl("create", "secret", "generic", name, f"--namespace={self.namespace}", key)

    def start_operator(self) -> Operator:
        """Start the operator and wait until it is ready."""
        operator = self.new_operator("operator")
        operator.start()
        self.operator = operator
        await_true(lambda: operator.ready, operator.child, seconds=60)
        return operator

    def new_operator(self, name: str, **env: str) -> Operator:
        """Return an operator of this lane that is not started yet."""
        operator = Operator(sys.executable, self.directory, {**self._env, **env}, name)
        operator.child._command = [sys.executable, "-m", *self._module]
        return operator

    def kill(self) -> None:
        """The operator dies at this very moment; called from a gate, in the middle of a call."""
        self.warden.lives += 1
        if self.operator is not None:
            with contextlib.suppress(ProcessLookupError, ChildError):
                os.kill(self.operator.child.pid, signal.SIGKILL)

    def revive(self) -> bool:
        """Start the operator again if it was killed; says whether it was."""
        assert self.operator is not None
        if self.operator.child.running:
            return False
        self.operator.kill()  # collects what the kernel keeps of it
        self.start_operator()
        return True

    def close(self) -> None:
        """Stop everything."""
        if self.operator is not None:
            self.operator.kill()
        for gate in self.gates:
            self._loop.run(gate.close())
        for simulator in (self.novita, self.hostwinds):
            simulator.close()

    @property
    def log(self) -> str:
        """What the operator has written, all its lives."""
        return self.operator.child.log.read_text() if self.operator is not None else ""

    def _kubeconfig(self, url: str) -> Path:
        kubectl = self.cluster.kubectl()
        token = kubectl("create", "token", SERVICE_ACCOUNT, "--namespace", SERVICE_ACCOUNT, "--duration", "24h").strip()
        return write_kubeconfig(self.directory / "operator.kubeconfig", {"server": url}, {"token": token})


def _moved(url: str, base: str) -> str:
    """The same path, behind a gate."""
    return base + urlsplit(url).path


def until(condition: Callable[[], T], seconds: float, pause: float = 0.05) -> T | None:
    """Return what `condition` returns as soon as that is true; None after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(pause)
    return None
