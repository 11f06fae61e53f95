"""The simulated provider as a process, and its admin side as a client.

The stack starts it; tests and the demo read its ledger, machines and clock, and set its faults. Nobody here
imports the simulator: it is met over HTTP only, as the operator meets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.controlplane.processes import Child, free_port

API_KEY = "rig-api-key"
"""The one key that the simulated provider accepts. It opens nothing else."""


class Simulator:
    """`python -m gpuinstance_simulator` on a port of its own."""

    def __init__(self, python: str, directory: Path, env: Mapping[str, str], flags: Mapping[str, object]) -> None:
        """`flags` are its command line options without the dashes: {"speed": 20, "lookups-lag": True}."""
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        self.novita_url = f"{self.url}/gpu-instance/openapi/v1"
        options = {"listen": address, "api-key": API_KEY, **flags}
        command = [python, "-m", "gpuinstance_simulator"]
        command += [f"--{name}" if value is True else f"--{name}={value}" for name, value in options.items()]
        self.child = Child("simulator", command, directory, env)
        # Proxies of the environment are for the outside world, never for loopback.
        self._client = httpx.Client(base_url=f"{self.url}/_simulator", timeout=10, trust_env=False)

    @property
    def healthy(self) -> bool:
        """True when it serves."""
        try:
            return self._client.get("/health").is_success
        except httpx.TransportError:
            return False

    def ask(self, what: str, **query: str) -> Any:
        """Return what the admin side says about `what`: ledger, machines, faults, clock ..."""
        return self._client.get(f"/{what}", params=query).raise_for_status().json()

    def tell(self, what: str, body: object) -> Any:
        """Post `body` to the admin side: faults to add, a clock to move; return its answer."""
        return self._client.post(f"/{what}", json=body).raise_for_status().json()

    def forget(self, what: str) -> None:
        """Delete what the admin side keeps under `what`, such as all faults."""
        self._client.delete(f"/{what}").raise_for_status()

    def close(self) -> None:
        """Stop it."""
        self.child.stop()
        self._client.close()
