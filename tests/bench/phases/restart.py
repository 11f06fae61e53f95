"""The operator is stopped and started again: how long until it has looked at every instance.

Each gets a pass as soon as the watch shows it. All have had theirs when there were as many passes as instances, and no
instance waits for one: the second condition is for those that got a second pass by the timer of their polls meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.bench.run import Run, Teller, say
from tests.bench.table import Row

_PATIENCE_SECONDS = 600.0


def measure(run: Run) -> Iterator[Row]:
    """Restart it. From the start of the process on, its imports included."""
    say("restarting the operator")
    operator = run.stack.operator
    config = str(run.stack.operator_kubeconfig())  # made before: it is no work of the operator
    began = time.monotonic()
    operator.stop()
    yield Row("the operator stopped after", time.monotonic() - began, "s")

    began = time.monotonic()
    operator.start(KUBECONFIG=config)
    ready, teller = None, Teller()
    while (elapsed := time.monotonic() - began) < _PATIENCE_SECONDS:
        operator.child.check()
        if ready is None and operator.ready:
            ready = elapsed
        passes, waiting = (0, run.size) if ready is None else _passes_and_waiting(run)
        if passes >= run.size and not waiting:
            break
        teller.tell(f"{passes} passes, {waiting} instances wait for one,")
        time.sleep(run.by_size(0.25, 1.5))
    yield Row("restart to every instance observed again", elapsed, "s", run.by_size(5, 30))
    yield Row("  restart to ready", elapsed if ready is None else ready, "s")
    say(f"every instance observed again after {elapsed:.0f} s")


def _passes_and_waiting(run: Run) -> tuple[int, int]:
    scrape = run.scrape()
    return int(scrape.total("gpuinstance_passes_total")), int(scrape.total("gpuinstance_queue_depth"))
