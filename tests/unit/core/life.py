"""One object and its machine for a while: look, gather, save, act, record, and look again.

Plays the corridor's part over the pure core, so that a test of the rules reads like a story. Time passes only
when a test says so. Every status that is saved obeys the laws, and is read back as Kubernetes keeps it. What
the world is like (who answers, what is on sale, how the neighbours are) is in fields that a test sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from gpuinstance.api.status import Condition, GPUInstanceStatus
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import Action, Decision, Need
from gpuinstance.core.model import Machine, Order, Port
from gpuinstance.core.news import News, news
from gpuinstance.core.record import Accepted, Answer, record
from gpuinstance.core.rules.health import endpoints_to_check
from gpuinstance.core.snapshot import HealthReport, Neighbours, Probed, Refusal, Snapshot
from gpuinstance.reconcile import to_json
from tests.builders import InstanceBuilder, blind_snapshot, instance, snapshot
from tests.laws import check
from tests.materials import NOW, ago, machine, order, ports

_MOST_FACTS = 8


FAST = 3
"""Seconds between looks while something changes, as in `materials.LIMITS`."""


@dataclass
class Life:
    """What is true of one object, and what has been done to it."""

    instance: GPUInstance
    machines: tuple[Machine, ...] = ()
    now: datetime = NOW
    blind: bool = False
    """The provider cannot be observed."""
    sick: frozenset[int] = frozenset()
    """Ports that answer 502."""
    published: tuple[Port, ...] = field(default_factory=lambda: ports("80/http", published=True))
    neighbours: Neighbours = field(default_factory=lambda: Neighbours(1, 1))
    plan: Order | Refusal = field(default_factory=order)
    answer: Answer = field(default_factory=Accepted)
    """What the provider says to the next calls."""
    limits: Mapping[str, Any] = field(default_factory=dict)
    """What the provider can do, where that differs from the usual."""

    rounds: int = 0
    """Of health checks."""
    actions: list[Action] = field(default_factory=list)
    written: list[GPUInstanceStatus] = field(default_factory=list)
    """Every status that differed from the one before."""
    told: list[News] = field(default_factory=list)
    """What became an Event."""
    _report: HealthReport | None = None
    _seen_at: datetime = NOW

    @property
    def status(self) -> GPUInstanceStatus:
        """What was last saved."""
        return self.instance.status

    def condition(self, kind: str) -> Condition:
        """Return a condition that the object has."""
        found = self.status.condition(kind)
        assert found is not None, f"no condition {kind}: {self.status}"
        return found

    @property
    def said(self) -> str:
        """The reason of Ready."""
        return self.condition("Ready").reason

    @property
    def is_ready(self) -> bool:
        """Whether Ready is True."""
        return self.condition("Ready").status == "True"

    def edit(self, changed: InstanceBuilder) -> None:
        """Somebody changes the spec to that of `changed`."""
        metadata = self.instance.metadata.model_copy(update={"generation": self.instance.metadata.generation + 1})
        self.instance = self.instance.model_copy(update={"spec": changed.build().spec, "metadata": metadata})

    def look(self, *, after: float = 0) -> Decision:
        """One pass, so many seconds later."""
        self.now += timedelta(seconds=after)
        seen = self._first_look()
        for _ in range(_MOST_FACTS):
            decision = decide(seen)
            if decision.need is None:
                self._carry_out(seen, decision)
                return decision
            seen = self._with_fact(seen, decision.need)
        raise AssertionError(f"the rules keep asking, at last {decision.rule} for {decision.need}")

    def watch(self, seconds: float, *, every: float = 1) -> None:
        """Passes at a pace, for so long."""
        for _ in range(int(seconds / every)):
            self.look(after=every)

    def _first_look(self) -> Snapshot:
        if self.blind:
            return blind_snapshot(self.instance, last_seen_at=self._seen_at, at=self.now)
        self._seen_at = self.now
        if self.status.endpoints is None:
            self._report = None
        seen = snapshot(self.instance, *self.machines, at=self.now, limits=self.limits)
        return replace(seen, health=self._report)

    def _with_fact(self, seen: Snapshot, need: Need) -> Snapshot:
        match need:
            case Need.ADDRESSES:
                return replace(seen, addresses=self.published)
            case Need.HEALTH:
                self.rounds += 1
                results = [self._probe(it.port, it.url) for it in endpoints_to_check(seen.instance)]
                self._report = HealthReport(self.now, tuple(results))
                return replace(seen, health=self._report, health_is_new=True)
            case Need.NEIGHBOURS:
                return replace(seen, neighbours=self.neighbours)
            case Need.PLAN:
                return replace(seen, plan=self.plan)
            case Need.CONFIRMATION:
                assert seen.machine_id is not None
                return replace(seen, confirmed_gone=frozenset({seen.machine_id}))
            case _:
                raise AssertionError(f"nobody should need {need}")

    def _probe(self, port: int, url: str | None) -> Probed:
        if url is None:
            return Probed(port, healthy=False, error_type="unknown", message=f"port {port} is not published")
        if port in self.sick:
            return Probed(port, healthy=False, error_type="badGateway", status_code=502, message="HTTP 502")
        return Probed(port, healthy=True)

    def _carry_out(self, seen: Snapshot, decision: Decision) -> None:
        self._save(decision.status)
        if decision.action is None:
            return
        self.actions.append(decision.action)
        answered = record(replace(seen, instance=self.instance), decision.action, self.answer)
        self._save(answered.status)

    def _save(self, status: GPUInstanceStatus) -> None:
        if status == self.status:
            return
        check(status, generation=self.instance.metadata.generation)
        self.written.append(status)
        if (item := news(self.status, status)) is not None:
            self.told.append(item)
        kept = GPUInstanceStatus.model_validate(to_json(status))
        self.instance = self.instance.model_copy(update={"status": kept})


def bought(*numbers: int | str, **health_check: Any) -> InstanceBuilder:
    """Return an object whose machine was ordered a minute ago."""
    named = instance().with_ports(*numbers).with_spec(health_check=health_check)
    return named.creating(answered=True, began=ago(seconds=60))


def coming_up(*numbers: int, sick: tuple[int, ...] = (), **health_check: Any) -> Life:
    """Return an object whose machine is shown as running for the first time."""
    texts = tuple(f"{number}/http" for number in numbers)
    published = ports(*texts, published=True)
    running = machine(exposes=texts)
    return Life(bought(*numbers, **health_check).build(), (running,), sick=frozenset(sick), published=published)


def serving(*numbers: int, **health_check: Any) -> Life:
    """Return an object that has been Ready for a while, in the middle of an interval."""
    texts = tuple(f"{number}/http" for number in numbers)
    ready = instance().serving(*numbers).with_spec(health_check=health_check)
    life = Life(ready.build(), (machine(exposes=texts),), published=ports(*texts, published=True))
    life.look()
    assert life.is_ready
    life.rounds, life.written = 0, []
    return life
