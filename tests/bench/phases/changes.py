"""Machines change without anybody having asked: how long until their conditions show it.

They end by themselves, are stopped in the provider's console, or blocked by the provider, one after the other at
random moments of one poll interval. That the application does not answer any more is found by the health checks as
well, at a pace of their own: it does not count here. What counts is the first status that names what has happened to
the machine.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.bench import objects
from tests.bench.numbers import percentile
from tests.bench.run import OPTIONS, Run, Teller, say
from tests.bench.table import Row
from tests.bench.watching import Shown, Watch, watching

MOST = 60
VERBS = ("exit", "stop", "freeze")
REASONS = frozenset({"InstanceExited", "Stopping", "InstanceSuspended"})
"""What Ready says of machines that went so."""
PATIENCE_SECONDS = 4 * OPTIONS.poll_seconds


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one machine."""

    name: str
    """Of the instance."""
    machine: str
    verb: str
    at: float
    """Seconds since the Unix epoch."""


def measure(run: Run) -> Iterator[Row]:
    """Change some machines, and wait until all of it is shown."""
    *pages, last = objects.pages(run.stack.kubectl, run.stack.namespace)
    machines = {
        item["metadata"]["name"]: item["status"]["instance"]["id"] for page in [*pages, last] for item in page["items"]
    }
    chosen = random.Random(run.size).sample(sorted(machines), min(MOST, run.size // 3))
    say(f"{len(chosen)} machines change at random moments of {OPTIONS.poll_seconds:.0f} s")
    with watching(run.stack.kubectl, run.stack.namespace, last["metadata"]["resourceVersion"]) as watch:
        changes = _change(run, {name: machines[name] for name in chosen})
        teller = Teller()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (seen := sum(_found(watch, it) is not None for it in changes)) < len(changes):
            if time.monotonic() > deadline:
                break
            teller.tell(f"{seen} of {len(changes)} are shown")
            time.sleep(0.2)
        say(f"{seen} of {len(changes)} are shown")
        delays = [_delay(_found(watch, it), it) for it in changes]
    _unblock(run, changes)
    limit = OPTIONS.poll_seconds + run.by_size(1, 5)
    yield Row("provider state change to condition, p95", percentile(delays, 0.95), "s", limit)
    yield Row("  median", percentile(delays, 0.5), "s")
    yield Row("  slowest", max(delays), "s")


def _change(run: Run, machines: Mapping[str, str]) -> Sequence[Change]:
    """Do to each machine what a console or the provider does, and say when it was true."""
    simulator, dice = run.stack.simulator, random.Random(run.size)
    moments = sorted(dice.uniform(0, OPTIONS.poll_seconds) for _ in machines)
    began, made, teller = time.monotonic(), [], Teller()
    for number, (moment, (name, machine)) in enumerate(zip(moments, machines.items(), strict=True)):
        time.sleep(max(0.0, began + moment - time.monotonic()))
        change = Change(name, machine, VERBS[number % len(VERBS)], time.time())
        simulator.tell(f"machines/{machine}/console", {"action": change.verb})
        teller.tell(f"{number} of {len(machines)} machines have changed")
        made.append(change)
    return made


def _unblock(run: Run, changes: Sequence[Change]) -> None:
    """Let the provider give back what it blocked, for it refuses to delete that. It is down then, like the others."""
    for change in changes:
        if change.verb == "freeze":
            run.stack.simulator.tell(f"machines/{change.machine}/console", {"action": "unfreeze"})


def _found(watch: Watch, change: Change) -> Shown | None:
    """Return what first told of the change, None if nothing has yet."""
    return first_about_the_machine(watch.of(change.name), change.at)


def first_about_the_machine(shown: Sequence[Shown], since: float) -> Shown | None:
    """Return the first status after a moment that names what has happened to the machine."""
    return next((it for it in shown if it.at >= since and it.reason in REASONS), None)


def _delay(shown: Shown | None, change: Change) -> float:
    """Return seconds; what was not shown at all counts as being shown now."""
    return (time.time() if shown is None else shown.at) - change.at
