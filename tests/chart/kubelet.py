"""Stands in for what a bare control plane lacks: the nodes that run a Job's pod, and the controller that counts it.

It waits for the Job, runs the very command of its container here, with the rights of its service account, and writes
the outcome into its status, where helm looks for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from tests.chart.helm import NAME
from tests.controlplane.cluster import Cluster
from tests.controlplane.kubectl import Kubectl
from tests.integration.world import until

T = TypeVar("T")


def beside_guard(cluster: Cluster, uninstall: Callable[[], T]) -> tuple[T, str]:
    """Run what uninstalls the release, and its guard meanwhile; return the result, and what the guard said."""
    kubectl = cluster.kubectl().within(NAME)
    with ThreadPoolExecutor() as pool:
        ending = pool.submit(uninstall)
        said = run_job(kubectl, f"{NAME}-uninstall", cluster.service_account_kubeconfig(NAME, NAME))
        return ending.result(), said


def run_job(kubectl: Kubectl, name: str, service_account: Path) -> str:
    """Return what the Job's program wrote when it had ended, well or badly. `service_account` is its kubeconfig."""
    job = until(lambda: _waiting(kubectl, name), f"job {name} waits for a node")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    command = [*container["command"], *container.get("args", [])]
    assert command[0] == "python"
    done = subprocess.run(
        [sys.executable, *command[1:]],
        env={"PATH": os.environ["PATH"], "KUBECONFIG": str(service_account)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    patch = json.dumps({"status": _status(well=done.returncode == 0)})
    kubectl("patch", f"job/{name}", "--subresource=status", "--type=merge", "-p", patch)
    return done.stdout + done.stderr


def _waiting(kubectl: Kubectl, name: str) -> dict[str, Any]:
    """Return the Job if it has not ended, else nothing; one of an attempt before stays until helm makes the next."""
    found = kubectl.attempt("get", f"job/{name}", "-o", "json")
    if found.returncode != 0:
        return {}
    job: dict[str, Any] = json.loads(found.stdout)
    return {} if job.get("status", {}).get("conditions") else job


def _status(*, well: bool) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    met, ended = ("SuccessCriteriaMet", "Complete") if well else ("FailureTarget", "Failed")
    reason = "CompletionsReached" if well else "BackoffLimitExceeded"
    conditions = [
        {"type": kind, "status": "True", "reason": reason, "lastTransitionTime": now, "lastProbeTime": now}
        for kind in (met, ended)
    ]
    counted = {"succeeded": 1, "completionTime": now} if well else {"failed": 1}
    return {"startTime": now, "conditions": conditions, "uncountedTerminatedPods": {}, **counted}
