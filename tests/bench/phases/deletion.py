"""All instances are deleted; then the provider's ledger tells what was bought, and what is left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.bench import objects
from tests.bench.run import Run
from tests.bench.table import Row


def measure(run: Run) -> Iterator[Row]:
    """Delete them, and count."""
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:  # kubectl asks for one after the other
        asked = pool.submit(run.stack.kubectl, "delete", "gpui", "--all", "--wait=false", seconds=objects.SECONDS)
        run.until(lambda: run.size - run.scrape().total("gpuinstance_instances"), run.size, "deleted")
        asked.result()
    left_over = objects.count(run.stack.kubectl, run.stack.namespace)
    yield Row("all deleted after", time.monotonic() - began, "s")
    bought = run.stack.simulator.ask("ledger", operation="create")
    left = [it for it in run.stack.simulator.ask("machines") if it["state"] != "removed"]
    yield Row("objects left", left_over, limit=0)
    yield Row("machines bought beyond one each", len(bought) - run.size, limit=0)
    yield Row("machines left", len(left), limit=0)
