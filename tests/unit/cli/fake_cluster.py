"""A cluster in memory: objects with versions, conflicts and rehearsals, and who did what; for tests of commands."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import pytest

from gpuinstance.api.v1alpha1 import ObjectMeta
from gpuinstance.cli import command
from gpuinstance.cli.cluster import INSTANCES, UPGRADES, Listing, Resource
from gpuinstance.cli.endings import ClusterTrouble, Exit
from tests.unit.cli.objects import NOW, Object


class Terminal(io.StringIO):
    """A stream at which somebody sits."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@dataclass
class FakeCluster:
    """Answers as a Cluster does."""

    objects: list[Object] = field(default_factory=list)
    written: list[tuple[str, str, Any]] = field(default_factory=list)
    """Verb, with `?` after it for a rehearsal; name; and what was written."""
    forbidden: set[tuple[str, str]] = field(default_factory=set)
    """(verb, plural) that the user has no right to."""
    meanwhile: list[Callable[[FakeCluster], None]] = field(default_factory=list)
    """What others do, one before each write, and one instead of each watch."""
    asked: list[str] = field(default_factory=list)
    """Which kinds were listed."""
    namespace: str = "team-a"
    version: int = 10

    def __post_init__(self) -> None:
        for it in self.objects:
            it["metadata"].setdefault("resourceVersion", "1")

    def contexts(self) -> list[str]:
        """Return the contexts."""
        return ["here", "there"]

    def of(self, resource: Resource) -> list[Object]:
        """Return all objects of a kind."""
        return [it for it in self.objects if it["kind"] == resource.kind]

    def touch(self, name: str, **changes: Any) -> None:
        """Write fields of an object's top level, as the operator or a person does."""
        it = next(it for it in self.objects if it["metadata"]["name"] == name)
        self.version += 1
        it["metadata"]["resourceVersion"] = str(self.version)
        for key, value in changes.items():
            it[key] = it.get(key, {}) | value

    def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        """Return one object."""
        self._check("get", resource)
        return copy.deepcopy(self._find(resource, namespace, name))

    def instance(self, namespace: str, name: str) -> Object:
        """Return one instance."""
        return self.get(INSTANCES, namespace, name)

    def upgrade(self, namespace: str, name: str) -> Object:
        """Return one upgrade."""
        return self.get(UPGRADES, namespace, name)

    def instances(self, namespace: str | None) -> list[Object]:
        """Return all instances."""
        return self.list(INSTANCES, namespace).items

    def upgrades(self, namespace: str | None) -> list[Object]:
        """Return all upgrades."""
        return self.list(UPGRADES, namespace).items

    def list(self, resource: Resource, namespace: str | None, **options: Any) -> Listing:
        """Return all objects of a kind; selectors by labels are `key=value`, by fields `metadata.name=NAME`."""
        self._check("list", resource)
        self.asked.append(resource.plural)
        found = [it for it in self.of(resource) if namespace in {None, it["metadata"]["namespace"]}]
        if labels := options.get("labels"):
            key, _, value = labels.partition("=")
            found = [it for it in found if it["metadata"].get("labels", {}).get(key) == value]
        if fields := options.get("fields"):
            found = [it for it in found if it["metadata"]["name"] == fields.partition("=")[2]]
        return Listing(copy.deepcopy(found), str(self.version))

    def watch(self, *_: Any, **__: Any) -> Iterator[Object]:
        """Let somebody do something, and end with a version that is too old, so that all is listed anew."""
        self.happen()
        raise ClusterTrouble("too old", status=HTTPStatus.GONE)
        yield

    def create(self, resource: Resource, namespace: str, body: Object, *, rehearse: bool = False) -> Object:
        """Create an object."""
        self._check("create", resource)
        created = copy.deepcopy(body)
        created["metadata"] |= {"namespace": namespace, "uid": f"uid-{self.version}", "generation": 1}
        created["metadata"] |= {"resourceVersion": str(self.version)}
        created["status"] = {"observedGeneration": -1}
        self._note("create", body["metadata"]["name"], body["spec"], rehearse=rehearse)
        if not rehearse:
            self.objects.append(copy.deepcopy(created))
        return created

    def patch_spec(
        self,
        of: ObjectMeta,
        changes: Object,
        *,
        rehearse: bool = False,
        unchanged: bool = False,
        resource: Resource = INSTANCES,
    ) -> Object:
        """Change fields of a spec."""
        self._check("patch", resource)
        self.happen()
        it = self._find(resource, of.namespace, of.name)
        assert it["metadata"]["uid"] == of.uid
        if unchanged and it["metadata"]["resourceVersion"] != of.resource_version:
            raise ClusterTrouble("the cluster refused: the object has been modified", status=HTTPStatus.CONFLICT)
        patched = copy.deepcopy(it)
        patched["spec"] = merged(patched["spec"], changes)
        patched["metadata"]["generation"] += 1
        self._note("patch", of.name, changes, rehearse=rehearse)
        if not rehearse:
            it |= patched
        return patched

    def happen(self) -> None:
        """Let the next thing happen."""
        if self.meanwhile:
            self.meanwhile.pop(0)(self)

    def close(self) -> None:
        """Close."""

    def _find(self, resource: Resource, namespace: str | None, name: str) -> Object:
        for it in self.of(resource):
            if (it["metadata"]["namespace"], it["metadata"]["name"]) == (namespace, name):
                return it
        raise ClusterTrouble(f'{resource.kind} "{name}" not found', Exit.NOT_FOUND, status=HTTPStatus.NOT_FOUND)

    def _check(self, verb: str, resource: Resource) -> None:
        if (verb, resource.plural) in self.forbidden:
            raise ClusterTrouble(f"the cluster refused: you may not {verb} {resource.plural}", status=403)

    def _note(self, verb: str, name: str, what: Any, *, rehearse: bool) -> None:
        self.written.append((verb + "?" * rehearse, name, what))


def merged(spec: Object, changes: Object) -> Object:
    """Return a spec after a JSON merge patch."""
    result = dict(spec)
    for key, value in changes.items():
        result[key] = merged(result.get(key, {}), value) if isinstance(value, dict) else value
    return result


@dataclass
class Typed:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


class Console:
    """A terminal, or a script, in which commands are typed."""

    def __init__(self, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cluster = cluster
        monkeypatch.setattr(command, "Cluster", lambda **_: cluster)

    def __call__(self, line: str, *, typed: str | None = None, env: dict[str, str] | None = None) -> Typed:
        """Run `kubectl gpu` with the words of a line."""
        return self.type(line.split(), typed=typed, env=env)

    def type(self, words: Sequence[str], *, typed: str | None = None, env: dict[str, str] | None = None) -> Typed:
        """Run `kubectl gpu` with these words; `typed` is what a person answers, None if nobody is there."""
        stdin = None if typed is None else Terminal(typed)
        out, err = io.StringIO(), io.StringIO() if typed is None else Terminal()
        code = command.run(words, out, err, {"NO_COLOR": "1"} | (env or {}), lambda: NOW, stdin)
        return Typed(code, out.getvalue(), err.getvalue())


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def gpu(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> Console:
    return Console(cluster, monkeypatch)


def put(cluster: FakeCluster, *objects: Object) -> None:
    """Let the cluster hold these."""
    for it in objects:
        it["metadata"].setdefault("resourceVersion", "1")
        cluster.objects.append(it)
