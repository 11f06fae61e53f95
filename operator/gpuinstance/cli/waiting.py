"""Waits until objects have reached a goal, cannot reach it any more, are gone, or the time is over.

Between `following`, which brings the pictures, and `judging`, which says what each object is worth. Used by `wait`
and by every command with --wait. All objects have to be at the goal at the same time; the first that cannot get
there ends the wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gpuinstance.api.upgrade import InstanceUpgrade
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.cli.cluster import UPGRADES, Cluster, Resource
from gpuinstance.cli.connection import Object
from gpuinstance.cli.endings import ClusterTrouble, Exit, Trouble
from gpuinstance.cli.following import Clock, Follower, Key, Picture, Scope
from gpuinstance.cli.goals import Absence, Goal, Waited
from gpuinstance.cli.judging import Standing, Verdict, judge
from gpuinstance.cli.named import understood

Progress = Callable[[Mapping[Key, Verdict]], None]


@dataclass(frozen=True, slots=True)
class Wait:
    """What is waited for."""

    resource: Resource
    goals: Mapping[Key, tuple[Goal, ...]]
    """For each object those of which any will do."""
    seconds: float
    """0: look once."""
    past_actions: bool = False

    @property
    def scope(self) -> Scope:
        """What has to be followed."""
        namespaces, names = ({key[part] for key in self.goals} for part in (0, 1))
        namespace = next(iter(namespaces)) if len(namespaces) == 1 else None
        return Scope(self.resource, namespace, next(iter(names)) if len(self.goals) == 1 else None)


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended."""

    code: Exit
    verdicts: Mapping[Key, Verdict]
    objects: Mapping[Key, Object]
    """As they were seen last; also those that are gone."""

    def undecided(self) -> Sequence[Key]:
        """Return those that have not reached the goal."""
        return [key for key, verdict in self.verdicts.items() if verdict.standing is not Standing.REACHED]


def wait(
    cluster: Cluster,
    what: Wait,
    *,
    progress: Progress = lambda _: None,
    on_trouble: Callable[[ClusterTrouble], None] = lambda _: None,
    clock: Clock | None = None,
) -> Result:
    """Wait. Raises Trouble if the cluster cannot be asked, or one of the objects does not exist to begin with.

    `progress` is called with every picture, also where nothing has changed.
    """
    clock = clock or Clock()
    judge_picture = _Judge(what)
    follower = Follower(cluster, what.scope, clock.now() + what.seconds, clock, on_trouble)
    result = None
    for picture in follower.pictures():
        result = judge_picture(picture)
        progress(result.verdicts)
        if result.code is not Exit.TIMED_OUT:
            return result
    assert result is not None
    return result


class _Judge:
    """Remembers which objects were meant: another of the same name is not."""

    def __init__(self, what: Wait) -> None:
        self._what = what
        self._uids: dict[Key, str] = {}
        self._last: dict[Key, Object] = {}
        self._judged: dict[Key, tuple[str, Verdict]] = {}
        """By version: of thousands of objects, an event is about one."""
        self._first = True

    def __call__(self, picture: Picture) -> Result:
        if self._first:
            self._first = False
            self._refuse_missing(picture)
        verdicts = {key: self._verdict(key, picture.get(key)) for key in self._what.goals}
        return Result(_code(verdicts.values()), verdicts, dict(self._last))

    def _refuse_missing(self, picture: Picture) -> None:
        """Tell a name that is not there from one that went while it was waited for."""
        for key, goals in self._what.goals.items():
            if key not in picture and all(goal.absence is Absence.FATAL for goal in goals):
                words = f'{self._what.resource.kind} "{key[1]}" not found in namespace {key[0]}'
                raise Trouble(words, Exit.NOT_FOUND)

    def _verdict(self, key: Key, found: Object | None) -> Verdict:
        if found is not None and self._uids.setdefault(key, found["metadata"]["uid"]) != found["metadata"]["uid"]:
            found = None
        if found is not None:
            self._last[key] = found
            version, verdict = self._judged.get(key, ("", None))
            if verdict is not None and version == found["metadata"]["resourceVersion"]:
                return verdict
        # What was there and is gone will not come back: another of its name would not be it.
        awaited = found is None and key in self._uids
        goals = tuple(it for it in self._what.goals[key] if not (awaited and it.absence is Absence.AWAITED))
        if not goals:
            return Verdict(Standing.GONE, "it was deleted")
        verdict = judge(goals, self._as_model(found), past_actions=self._what.past_actions)
        if found is not None:
            self._judged[key] = found["metadata"]["resourceVersion"], verdict
        return verdict

    def _as_model(self, found: Object | None) -> Waited | None:
        if found is None:
            return None
        if self._what.resource is UPGRADES:
            return understood(InstanceUpgrade, found)
        return understood(GPUInstance, found)


def _code(verdicts: Iterable[Verdict]) -> Exit:
    """Return how it has ended; TIMED_OUT if it has not."""
    standings = {verdict.standing for verdict in verdicts}
    if Standing.IMPOSSIBLE in standings:
        return Exit.IMPOSSIBLE
    if Standing.GONE in standings:
        return Exit.GONE
    return Exit.TIMED_OUT if Standing.WAITING in standings else Exit.OK
