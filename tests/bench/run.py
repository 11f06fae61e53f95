"""What every phase of a bench needs: the stack, the number of instances, patience, and the eyes of others.

Made by `__main__`, given to each phase; measures nothing by itself.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.bench.audited import AuditTally
from tests.bench.scrape import Scrape
from tests.bench.usage import Meter
from tests.controlplane.cluster import LocalCluster
from tests.controlplane.processes import Child
from tests.rig.stack import Options, Stack

SMALL = 1000
"""Up to so many instances the limits for a thousand count, beyond it those for ten thousand."""

OPTIONS = Options(
    speed=20,
    poll_seconds=60,
    fast_poll_seconds=3,
    settle_seconds=10,
    simulator={"pulling": 20, "warm-up": 20},
)
"""The operator at its default pace, but for the settle time, which is for lost answers, and none is lost here."""

_PROGRESS_SECONDS = 5.0
_BUSY_SECONDS = 120.0
_STANDSTILL_SECONDS = 300.0
"""No bench goes on waiting when nothing has moved for so long."""


def say(text: str) -> None:
    """Show progress."""
    sys.stderr.write(f"bench: {text}\n")
    sys.stderr.flush()


class Teller:
    """Shows progress now and then, for whoever looks often."""

    def __init__(self) -> None:
        self._began = self._shown = time.monotonic()

    def tell(self, text: str) -> bool:
        """Show it if nothing was shown for some seconds, with the time passed; return whether it was."""
        now = time.monotonic()
        due = now - self._shown >= _PROGRESS_SECONDS
        if due:
            self._shown = now
            say(f"{text} after {now - self._began:.0f} s")
        return due


@dataclass(slots=True)
class Run:
    """One run with `size` instances."""

    stack: Stack
    cluster: LocalCluster
    size: int
    directory: Path
    audit: AuditTally
    notes: list[str]
    """What is printed below the tables."""

    def by_size(self, thousand: float, ten_thousand: float) -> float:
        """Return what counts at this size: a limit, or a pause."""
        return thousand if self.size <= SMALL else ten_thousand

    @property
    def pause(self) -> float:
        """Seconds between two looks while something is waited for.

        Each costs the operator a scrape, which walks over all objects. No number depends on it but `all … after`.
        """
        return self.by_size(1.0, 5.0)

    def scrape(self) -> Scrape:
        """Look at the operator's metrics. Raises httpx.TransportError where it does not answer for minutes."""
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                return Scrape(self.stack.operator.metrics())
            except httpx.TransportError:  # thousands of objects at once, on a processor that it shares
                self.stack.operator.child.check()
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def children(self) -> Mapping[str, Child]:
        """The programs of the stack that run, by what the tables call them."""
        cluster = self.cluster
        all_of_them = {
            "operator": self.stack.operator.child,
            "API server": cluster.apiserver,
            "etcd": cluster.etcd,
            "controller manager": cluster.controller_manager,
            "simulated provider": self.stack.simulator.child,
        }
        return {name: child for name, child in all_of_them.items() if child is not None and child.running}

    def meter(self) -> Meter:
        """Return what reads how much of the processors they use."""
        return Meter(lambda: {name: child.pid for name, child in self.children().items()})

    def phase_is(self, phase: str) -> int:
        """Return how many instances the operator has in a phase."""
        return int(self.scrape().total("gpuinstance_instances", phase=phase))

    def until(self, count: Callable[[], float], wanted: float, what: str) -> None:
        """Wait until `count` has reached `wanted`, and say every few seconds how far it is.

        Raises TimeoutError where nothing moves any more, ChildError where a program of the stack has ended.
        """
        teller, moved, most = Teller(), time.monotonic(), -1.0
        while (now := count()) < wanted:
            for child in (self.stack.operator.child, self.cluster.apiserver, self.stack.simulator.child):
                child.check()
            if now > most:
                most, moved = now, time.monotonic()
            if time.monotonic() - moved > _STANDSTILL_SECONDS:
                raise TimeoutError(f"{now:.0f} of {wanted:.0f} {what}, and no more for {_STANDSTILL_SECONDS:.0f} s")
            if teller.tell(f"{now:.0f} of {wanted:.0f} {what}"):
                self.audit.read()  # before the log is rotated away
            time.sleep(self.pause)

    def until_silent(self) -> None:
        """Wait until the operator has written nothing to the API server for some seconds."""
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < _PROGRESS_SECONDS:
            self.audit.read()
            if (now := self.audit.writes()) != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.5)
