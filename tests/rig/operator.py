"""The operator as a process of its own, killed, frozen and restarted at will.

The stack starts it with the kubeconfig of its service account, so that deploy/rbac.yaml is what it may do.
Configured by environment only, as in a pod.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from tests.controlplane.processes import Child, free_port

STOP_SECONDS = 40.0
"""How long a graceful shutdown may take: a provider call in flight is awaited."""


class Operator:
    """`python -m gpuinstance` with its health and metrics on a port of its own; `name` is that of its log.

    `program` are the arguments of Python, for whoever runs it under supervision.
    """

    def __init__(
        self,
        python: str,
        directory: Path,
        env: Mapping[str, str],
        name: str = "operator",
        program: Sequence[str] = ("-m", "gpuinstance"),
    ) -> None:
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        self.child = Child(name, [python, *program], directory, {**env, "GPUINSTANCE_HTTP_LISTEN": address})

    @property
    def ready(self) -> bool:
        """True when /readyz says so."""
        return self._says_ok("readyz")

    @property
    def alive(self) -> bool:
        """True when /healthz says so."""
        return self._says_ok("healthz")

    @property
    def leads(self) -> bool:
        """True when it is the one that acts."""
        try:
            return re.search(r"^gpuinstance_leader\{.*\} 1\.0$", self.metrics(), re.MULTILINE) is not None
        except httpx.TransportError:
            return False

    def metrics(self) -> str:
        """Return /metrics in the Prometheus text format."""
        return httpx.get(f"{self.url}/metrics", timeout=10, trust_env=False).raise_for_status().text

    def start(self, **env: str) -> None:
        """Start it; `env` is added to its environment, for this start and later ones."""
        self.child.env.update(env)
        self.child.start()

    def stop(self) -> int | None:
        """Let it shut down gracefully; return its exit code."""
        return self.child.stop(STOP_SECONDS)

    def kill(self) -> None:
        """End it at once, as `kill -9` does."""
        self.child.kill()

    def freeze(self) -> None:
        """Let it stand still from this moment on, as a machine that is out of memory does."""
        os.kill(self.child.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on where it stood, as if no time had passed."""
        os.kill(self.child.pid, signal.SIGCONT)

    def _says_ok(self, probe: str) -> bool:
        try:
            return httpx.get(f"{self.url}/{probe}", timeout=5, trust_env=False).is_success
        except httpx.TransportError:
            return False
