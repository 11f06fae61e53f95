"""A simulated provider as a process, and its admin side as a client.

The stack starts one for each provider; tests and the demo read its ledger, machines and clock, pay its invoices,
and set its faults. Nobody here imports the simulator: it is met over HTTP only, as the operator meets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.controlplane.processes import Child, free_port

API_KEY = "rig-api-key"
"""The one key that the simulated provider accepts. It opens nothing else."""
LOOPBACK = "127.0.0.1"


class Simulator:
    """`python -m gpuinstance_simulator` on a port of its own."""

    def __init__(
        self,
        python: str,
        directory: Path,
        env: Mapping[str, str],
        flags: Mapping[str, object],
        provider: str = "novita",
        host: str = LOOPBACK,
    ) -> None:
        """`flags` are its command line options without the dashes: {"speed": 20, "lookups-lag": True}.

        `host` is an address of this machine: there it serves, and there it publishes ports.
        """
        address = f"{host}:{free_port()}"
        self.url = f"http://{address}"
        self.novita_url = f"{self.url}/gpu-instance/openapi/v1"
        self.hostwinds_url = f"{self.url}/cloud/api.php"
        options = {"provider": provider, "listen": address, "api-key": API_KEY, **flags}
        command = [python, "-m", "gpuinstance_simulator"]
        command += [f"--{name}" if value is True else f"--{name}={value}" for name, value in options.items()]
        self.child = Child(f"simulator-{provider}", command, directory, env)
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

    def invoices(self, machine: str | None = None) -> list[dict[str, Any]]:
        """The invoices of Hostwinds, of all machines or of one: id, machine_id, total, due, status, paid_at."""
        found: list[dict[str, Any]] = self.ask("invoices", **({} if machine is None else {"machine": machine}))
        return found

    def pay(self, invoice_id: int | str) -> dict[str, Any]:
        """Pay an invoice, as a person does in the provider's portal; return it."""
        paid: dict[str, Any] = self.tell(f"invoices/{invoice_id}/pay", {})
        return paid

    def forget(self, what: str) -> None:
        """Delete what the admin side keeps under `what`, such as all faults."""
        self._client.delete(f"/{what}").raise_for_status()

    def close(self) -> None:
        """Stop it."""
        self.child.stop()
        self._client.close()
