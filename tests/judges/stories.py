"""Stories of one object, told in steps; every status in them is written by the product's own core.

A row of the tables in `situations.py` and `upgrade_situations.py` is such a story. `on_paper` plays it without an
API server, the way `live.py` plays it on a real one: a person edits or deletes, the operator looks, and what it
would save becomes the status. Nothing here types a condition or an outcome. `Look` is about a GPUInstance, for an
InstanceUpgrade there is `upgrade_stories`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.api.v1alpha1 import FINALIZER, PLURAL, GPUInstance
from gpuinstance.core.decide import decide
from gpuinstance.core.decision import Decision, Need
from gpuinstance.core.model import Machine
from gpuinstance.core.record import Accepted, Answer, record
from gpuinstance.core.snapshot import Blind, FoundUpgrade, HealthReport, Snapshot
from gpuinstance.reconcile import to_json
from tests import laws
from tests.builders import NOW, UID, snapshot
from tests.integration.manifests import serving

Body = dict[str, Any]

_FIELD_OF = {
    Need.PLAN: "plan",
    Need.SOFTWARE: "software",
    Need.ADDRESSES: "addresses",
    Need.CONFIRMATION: "confirmed_gone",
    Need.HEALTH: "health",
}
_MOST_PASSES = 8
"""More than the rules need to come to rest while the world stands still."""


@dataclass(frozen=True)
class Edit:
    """A person changes fields of the spec; None takes one away."""

    spec: Mapping[str, Any]


@dataclass(frozen=True)
class Delete:
    """A person deletes the object; the finalizer holds it."""


class Visit(ABC):
    """The operator passes over the object until it has nothing new to say."""

    @abstractmethod
    def statuses(self, body: Body) -> list[Body]:
        """Return the statuses that are saved one after another, starting from the object as it is."""


@dataclass(frozen=True)
class Look(Visit):
    """A visit to a GPUInstance.

    `minute` counts from the creation of the object. `facts` are handed out when a rule asks for them, as when the
    operator runs. `answer` is what the provider says to a call; None: the operator is still waiting for it.
    """

    machines: tuple[Machine, ...] = ()
    minute: float = 0
    blind: Blind | None = None
    answer: Answer | None = field(default_factory=lambda: Accepted("m-1"))
    facts: Mapping[str, Any] = field(default_factory=dict)
    upgrade: FoundUpgrade | None = None
    """The upgrade that holds the machine."""

    def statuses(self, body: Body) -> list[Body]:
        """Return what is saved while the world stands still."""
        instance, health = GPUInstance.model_validate(body), None
        saved: list[Body] = []
        for _ in range(_MOST_PASSES):
            seen, decision = self._decided(instance, health)
            health = seen.health
            written = self._written(seen, decision)
            if not written:
                return saved
            for status in written:
                laws.check(status, generation=instance.metadata.generation)
            saved += [to_json(status) for status in written]
            instance = instance.model_copy(update={"status": written[-1]})
            if decision.action is not None and self.answer is None:
                return saved
        raise AssertionError(f"the rules do not come to rest, the last was {decision.rule}")

    def _decided(self, instance: GPUInstance, health: HealthReport | None) -> tuple[Snapshot, Decision]:
        """`health` is the round of checks that an earlier pass has counted already."""
        moment = NOW + timedelta(minutes=self.minute)
        seen = snapshot(instance, *self.machines, at=moment, health=health, upgrade=self.upgrade)
        if self.blind is not None:
            seen = replace(seen, view=self.blind)
        for _ in Need:
            decision = decide(seen)
            if decision.need is None:
                return seen, decision
            name = _FIELD_OF[decision.need]
            fact: dict[str, Any] = {name: self.facts[name]}
            seen = replace(seen, **fact, health_is_new=decision.need is Need.HEALTH)
        raise AssertionError(f"the rules keep asking, the last was {decision.rule}")

    def _written(self, seen: Snapshot, decision: Decision) -> list[GPUInstanceStatus]:
        written = [] if decision.status == seen.status else [decision.status]
        if decision.action is None or self.answer is None:
            return written
        intent = replace(seen, instance=seen.instance.model_copy(update={"status": decision.status}))
        return [*written, record(intent, decision.action, self.answer).status]


Step = Edit | Delete | Visit
Story = tuple[Step, ...]


def look(*machines: Machine, minute: float = 0, answer: Answer | None = None, **facts: Any) -> Look:
    """Return a look at a provider that shows these machines, takes every call, and knows these facts."""
    return Look(machines, minute, answer=answer or Accepted("m-1"), facts=facts)


@dataclass(frozen=True)
class Kind:
    """A kind of object that stories are about."""

    short_name: str
    plural: str
    parse: Callable[[Body], Any]
    example: Callable[[str], Body]
    """What a person applies, by its name."""

    def manifest(self, name: str) -> Body:
        """Return what a person applies. The finalizer is there already."""
        body = self.example(name)
        return {**body, "metadata": {**body["metadata"], "finalizers": [FINALIZER]}}


INSTANCE = Kind("gpui", PLURAL, GPUInstance.model_validate, serving)
"""A machine that serves port 80."""


NAMESPACE = "judges"
"""Where all objects are, on paper as in a cluster: messages may name it."""


def created(kind: Kind = INSTANCE, name: str = "trainer") -> Body:
    """Return the object as the API server shows it before anybody has looked."""
    body = kind.manifest(name)
    metadata = {**body["metadata"], "namespace": NAMESPACE, "uid": UID, "resourceVersion": "1", "generation": 1}
    return {**body, "metadata": metadata, "status": {"observedGeneration": -1}}


def on_paper(story: Iterable[Step], kind: Kind = INSTANCE, name: str = "trainer") -> Body:
    """Return the object at the end of the story."""
    body = created(kind, name)
    for step in story:
        match step:
            case Edit(spec):
                body["spec"] = merged(body["spec"], spec)
                body["metadata"]["generation"] += 1
            case Delete():
                body["metadata"]["deletionTimestamp"] = "2027-01-15T12:00:00Z"
                body["metadata"]["generation"] += 1  # the API server counts a deletion that has to wait
            case Visit():
                statuses = step.statuses(body)
                body["status"] = statuses[-1] if statuses else body["status"]
    return body


def merged(old: Body, patch: Mapping[str, Any]) -> Body:
    """Return a document after a JSON merge patch (RFC 7386)."""
    new = deepcopy(old)
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        elif isinstance(value, Mapping):
            new[key] = merged(new.get(key) or {}, value)
        else:
            new[key] = value
    return new
