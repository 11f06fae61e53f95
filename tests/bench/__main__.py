"""Many instances on the real stack: `make bench`, `make bench SIZE=10000`.

API server, simulated provider and operator share the machine with each other, so that the numbers
are those of a small cluster under load, not of the operator alone. Progress goes to stderr, the
table to stdout, and the same numbers to bench.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bench.numbers import Row, histogram_quantile, percentile, print_table, sample, total
from tests.controlplane.progress import printer
from tests.rig.stack import Options, Stack, open_stack

REST_SECONDS = 60.0
_OPTIONS = Options(
    speed=20,
    poll_seconds=60,
    fast_poll_seconds=3,
    settle_seconds=10,
    simulator={"pulling": 20, "warm-up": 20},
)


def manifest(size: int) -> str:
    """Return `size` instances, each with one checked http port."""
    spec = {
        "provider": "novita",
        "product": {"name": "RTX 4090 24GB"},
        "image": "docker.io/library/nginx:1.27",
        "ports": [{"port": 80}],
    }
    items = [
        {
            "apiVersion": "gpuinstance.dev/v1alpha1",
            "kind": "GPUInstance",
            "metadata": {"name": f"bench-{number}"},
            "spec": spec,
        }
        for number in range(size)
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


class Bench:
    """One run against one stack."""

    def __init__(self, stack: Stack, size: int, directory: Path) -> None:
        self._stack = stack
        self._size = size
        self._directory = directory
        self.rows: list[Row] = []

    def run(self) -> None:
        """Measure everything, in the order of a life."""
        self._come_up()
        self._rest()
        self._edit()
        self._restart()
        self._go()

    def _come_up(self) -> None:
        path = self._directory / "instances.json"
        path.write_text(manifest(self._size))
        applied = time.time()
        self._stack.kubectl("create", "-f", str(path), seconds=1800)
        say(f"{self._size} instances created after {time.time() - applied:.0f} s")
        self._until(lambda: self._phase("Ready"), "Ready")
        delays = [self._own_delay(item) for item in self._items()]
        limit = 5 if self._size <= 1000 else 60
        self.rows.append(Row("apply to Ready beyond the provider's time, p95", percentile(delays, 0.95), limit, "s"))
        metrics = self._metrics()
        writes = total(metrics, "gpuinstance_kubernetes_writes_total") / self._size + 1  # and the finalizer
        self.rows.append(Row("Kubernetes writes per instance, Events included", writes, 6, ""))
        spent = total(metrics, "gpuinstance_provider_requests_total")
        self.rows.append(Row("provider calls per created instance", spent / self._size, 3, ""))
        lag = histogram_quantile(metrics, "gpuinstance_event_loop_lag_seconds", 0.99)
        self.rows.append(Row("event loop lag while coming up, p99", lag * 1000, None, "ms"))

    def _own_delay(self, item: dict[str, Any]) -> float:
        """Return seconds from creation to Ready, less what the provider and the application took."""
        status = item["status"]
        created = _moment(item["metadata"]["creationTimestamp"])
        ready = _moment(status["readyAt"])
        machine_time = (2 + 5 + 20 + 20) / _OPTIONS.speed
        return max(0.0, (ready - created).total_seconds() - machine_time)

    def _rest(self) -> None:
        say(f"at rest for {REST_SECONDS:.0f} s")
        before, cpu, began = self._metrics(), self._cpu(), time.monotonic()
        memory = []
        while time.monotonic() - began < REST_SECONDS:
            memory.append(self._memory())
            time.sleep(1)
        after, seconds = self._metrics(), time.monotonic() - began
        small = self._size <= 1000
        writes = total(after, "gpuinstance_kubernetes_writes_total") - total(
            before, "gpuinstance_kubernetes_writes_total"
        )
        self.rows.append(Row("Kubernetes writes at rest", writes, 0, ""))
        lists = sample(after, "gpuinstance_provider_requests_total", "list_machines") - sample(
            before, "gpuinstance_provider_requests_total", "list_machines"
        )
        self.rows.append(Row("provider listings a minute at rest", lists * 60 / seconds, None, ""))
        checks = total(after, "gpuinstance_health_checks_total") - total(before, "gpuinstance_health_checks_total")
        self.rows.append(Row("health checks a second at rest", checks / seconds, None, ""))
        self.rows.append(Row("average CPU at rest", (self._cpu() - cpu) / seconds, 0.05 if small else 0.25, "cores"))
        self.rows.append(Row("resident memory, p95", percentile(memory, 0.95), 200 if small else 600, "MB"))
        lag = histogram_quantile(after, "gpuinstance_event_loop_lag_seconds", 0.99, before)
        self.rows.append(Row("event loop lag at rest, p99", lag * 1000, 100, "ms"))

    def _edit(self) -> None:
        say("ten edits while everything polls")
        delays = []
        for number in range(10):
            name = f"gpui/bench-{number}"
            began = time.monotonic()
            self._stack.kubectl("patch", name, "--type", "merge", "-p", '{"spec":{"powerState":"Stopped"}}')
            self._stack.kubectl("wait", name, "--for=jsonpath={.status.phase}=Stopping", "--timeout=60s")
            delays.append(time.monotonic() - began)
        small = self._size <= 1000
        self.rows.append(
            Row("a user's change to the call at the provider, p95", percentile(delays, 0.95), 2 if small else 5, "s")
        )

    def _restart(self) -> None:
        say("restarting the operator")
        self._stack.operator.stop()
        began = time.monotonic()
        self._stack.start_operator()
        self._until(lambda: int(total(self._metrics(), "gpuinstance_decisions_total")), "observed again")
        small = self._size <= 1000
        self.rows.append(Row("restart to every instance observed", time.monotonic() - began, 5 if small else 30, "s"))

    def _go(self) -> None:
        began = time.monotonic()
        self._stack.kubectl("delete", "gpui", "--all", "--wait=false", seconds=1800)
        self._until(lambda: self._size - len(self._items()), "deleted")
        self.rows.append(Row("all deleted after", time.monotonic() - began, None, "s"))
        created = [entry for entry in self._stack.simulator.ask("ledger") if entry["operation"] == "create"]
        left = [m for m in self._stack.simulator.ask("machines") if m["state"] != "removed"]
        self.rows.append(Row("machines bought beyond one each", len(created) - self._size, 0, ""))
        self.rows.append(Row("machines left", len(left), 0, ""))

    def _until(self, done: Callable[[], int], what: str) -> None:
        began = shown = time.monotonic()
        while (count := done()) < self._size:
            if time.monotonic() - began > 1800:
                raise TimeoutError(f"{count} of {self._size} {what} after half an hour")
            if time.monotonic() - shown > 5:
                shown = time.monotonic()
                say(f"{count} of {self._size} {what} after {shown - began:.0f} s")
            time.sleep(0.5)

    def _phase(self, phase: str) -> int:
        return int(sample(self._metrics(), "gpuinstance_instances", phase))

    def _items(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = json.loads(self._stack.kubectl("get", "gpui", "-o", "json", seconds=300))["items"]
        return items

    def _metrics(self) -> str:
        return self._stack.operator.metrics()

    def _cpu(self) -> float:
        fields = Path(f"/proc/{self._stack.operator.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _memory(self) -> float:
        status = Path(f"/proc/{self._stack.operator.child.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found[1]) / 1000 if found else 0.0


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def say(text: str) -> None:
    """Show progress."""
    sys.stderr.write(f"bench: {text}\n")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Benchmark on the real stack.")
    parser.add_argument("--size", type=int, default=1000, help="number of instances (default: 1000)")
    size = parser.parse_args().size
    with tempfile.TemporaryDirectory(prefix="gpu-instance-bench-") as scratch:
        directory = Path(scratch)
        with open_stack(directory, printer(), _OPTIONS) as stack:
            bench = Bench(stack, size, directory)
            bench.run()
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}"
    print_table(bench.rows, f"{size} instances; API server, provider and operator on one machine: {machine}")


if __name__ == "__main__":
    main()
