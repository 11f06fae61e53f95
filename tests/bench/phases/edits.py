"""A user changes what he wants, while everything polls: how long from his kubectl to the call at the provider."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from tests.bench import objects
from tests.bench.numbers import percentile
from tests.bench.provider import ProviderClock
from tests.bench.run import Run, say
from tests.bench.table import Row

NUMBER = 20
_PAUSE_SECONDS = 1.0
"""Between two edits at most: they shall not meet the same moment of the operator's day each time."""


def measure(run: Run) -> Iterator[Row]:
    """Stop some instances that are Ready, one after the other, and find the calls in the provider's ledger."""
    number = max(1, min(NUMBER, run.size // 5))
    say(f"{number} edits while everything polls")
    ready = [
        item
        for page in objects.pages(run.stack.kubectl, run.stack.namespace)
        for item in page["items"]
        if item["status"]["phase"] == "Ready"
    ]
    dice, asked = random.Random(run.size), dict[str, float]()
    stopped = run.phase_is("Stopped")
    for item in dice.sample(ready, number):
        name = item["metadata"]["name"]
        asked[item["status"]["instance"]["id"]] = time.time()
        run.stack.kubectl("patch", "gpui", name, "--type", "merge", "-p", '{"spec":{"powerState":"Stopped"}}')
        time.sleep(dice.uniform(0, _PAUSE_SECONDS))
    run.until(lambda: run.phase_is("Stopped"), stopped + number, "stopped")
    clock = ProviderClock.of(run.stack.simulator)
    told = {
        entry["machine_id"]: clock.at(entry["time"])
        for entry in run.stack.simulator.ask("ledger", operation="stop", actor="api")
    }
    delays = [told[machine] - moment for machine, moment in asked.items()]
    yield Row("kubectl patch to the call at the provider, p95", percentile(delays, 0.95), "s", run.by_size(2, 5))
    yield Row("  median", percentile(delays, 0.5), "s")
