"""The rig keeps its word: the demo ends well, and the stack in the background comes and goes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig.stack import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def run(module: str, *arguments: str, seconds: float = 240) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False, env=os.environ
    )


def test_the_demo_tells_the_whole_story() -> None:
    """The demo exits 0, having shown every step and the provider's books."""
    done = run("tests.rig.demo")
    assert done.returncode == 0, done.stdout + done.stderr
    for line in (
        "$ kubectl wait gpui/trainer --for=condition=Ready --timeout=5m",
        "$ kubectl wait iup/bigger --for=condition=ActionRequired --timeout=5m",
        '"total": "4.00"',
        "instanceupgrade.gpuinstance.dev/bigger condition met",
        "$ kubectl delete gpui/trainer gpui/web iup/bigger --timeout=5m",
        "machines left: 0",
    ):
        assert line in done.stdout


def test_a_stack_in_the_background_comes_and_goes() -> None:
    """`up` leaves a stack that is the same for a second `up`, and whose invoices can be paid; `down` leaves nothing."""
    if (ROOT / ".run" / "stack.json").exists():
        pytest.skip("a stack of the person at this machine runs already, and is left alone")
    try:
        first = run("tests.rig.background", "up")
        assert first.returncode == 0, first.stdout + first.stderr
        kubeconfig = next(line for line in first.stdout.splitlines() if line.startswith("export KUBECONFIG="))
        assert kubeconfig in run("tests.rig.background", "up").stdout
        refused = run("tests.rig.background", "pay", "1")
        assert (refused.returncode, "unknown invoice 1" in refused.stderr) == (1, True)
        children = [int(file.read_text()) for file in (ROOT / ".run").rglob("*.pid")]
        assert len(children) >= 5
    finally:
        stopped = run("tests.rig.background", "down")
    assert stopped.stdout == "stopped\n"
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
