"""What the operator shows, as Prometheus' own linter reads it."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

from gpuinstance.metrics import Metrics


def test_prometheus_has_nothing_to_complain_about(program: Path) -> None:
    """Names, units, types and help texts are as Prometheus wants them."""
    metrics = Metrics()
    metrics.show_objects(tuple, tuple, lambda: datetime(2026, 1, 31, tzinfo=UTC))
    metrics.show_leader(lambda: True, shard="0-of-1", shards=1)
    metrics.show_orphans(lambda: {"novita": 1.0})
    metrics.show_build("1.2.3", "3.11.9")
    page, _ = metrics.render()
    done = subprocess.run([program, "check", "metrics"], input=page, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
