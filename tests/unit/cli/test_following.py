"""List and watch without a gap: whatever becomes of the connection, the picture is right at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from gpuinstance.cli.cluster import INSTANCES, Cluster, Listing, Patience
from gpuinstance.cli.endings import ClusterTrouble, Exit
from gpuinstance.cli.following import Clock, Follower, Picture, Scope
from tests.unit.cli.objects import Object, instance


def at(version: int, name: str = "trainer", phase: str = "Starting") -> Object:
    it = instance(name, phase=phase)
    it["metadata"]["resourceVersion"] = str(version)
    return it


def event(kind: str, it: Object) -> Object:
    return {"type": kind, "object": it}


def error(code: int) -> Object:
    return event("ERROR", {"kind": "Status", "code": code, "message": "no more"})


LOST = ClusterTrouble("cannot reach the cluster at here: ProtocolError")


@dataclass
class Scripted:
    """An API server that follows a script: what each list and each watch answers. Time passes as it says."""

    lists: list[Listing | ClusterTrouble | list[float]]
    """Of a list in pages: after how many seconds each would come."""
    watches: list[list[Object | ClusterTrouble | float]] = field(default_factory=list)
    time: float = 0.0
    asked: list[Any] = field(default_factory=list)

    def list(self, *_: Any, fields: str | None, patience: Patience) -> Listing:
        """Answer a list; the last answer stays."""
        self.asked.append(("list", fields))
        answer = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        if isinstance(answer, list):
            for seconds in answer:
                allowed = patience() if callable(patience) else patience
                self.time += min(seconds, allowed)
                if seconds > allowed:
                    raise LOST
            return Listing([at(5)], "7")
        if isinstance(answer, ClusterTrouble):
            raise answer
        return answer

    def watch(self, *scope: Any, fields: str | None, seconds: float) -> Iterator[Object]:
        """Tell the events of one watch; without any more it is silent to its end. A number lets time pass."""
        self.asked.append(("watch", scope[2]))
        script: list[Object | ClusterTrouble | float] = self.watches.pop(0) if self.watches else [seconds, LOST]
        for item in script:
            if isinstance(item, float):
                self.time += item
            elif isinstance(item, ClusterTrouble):
                raise item
            else:
                yield item

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds >= 0
        self.time += seconds

    def pictures(self, seconds: float = 60, **scope: Any) -> Iterator[Picture]:
        """Follow for so long."""
        clock = Clock(lambda: self.time, self.sleep)
        return Follower(
            cast("Cluster", self), Scope(INSTANCES, "team-a", **scope), seconds, clock, self.troubles.append
        ).pictures()

    def __post_init__(self) -> None:
        self.troubles: list[ClusterTrouble] = []


def phases(pictures: Iterator[Picture], name: str = "trainer") -> list[str | None]:
    """Return what was seen of one object, without repetitions."""
    seen: list[str | None] = []
    for picture in pictures:
        it = picture.get(("team-a", name))
        phase = it["status"]["phase"] if it else None
        if not seen or seen[-1] != phase:
            seen.append(phase)
    return seen


def test_the_watch_begins_where_the_list_ended() -> None:
    """Nothing can happen in between unseen."""
    api = Scripted([Listing([at(5)], "7")], [[event("MODIFIED", at(8, phase="Running"))]])
    pictures = api.pictures()
    assert next(pictures)["team-a", "trainer"]["status"]["phase"] == "Starting"
    assert next(pictures)["team-a", "trainer"]["status"]["phase"] == "Running"
    assert api.asked == [("list", None), ("watch", "7")]


def test_one_object_needs_the_right_to_that_one() -> None:
    """RBAC can be about a name, and the selector says which."""
    api = Scripted([Listing([at(5)], "7")])
    next(api.pictures(name="trainer"))
    assert api.asked == [("list", "metadata.name=trainer")]


def test_a_watch_that_ends_goes_on_from_its_last_event() -> None:
    """Also from a bookmark, so that the version stays young."""
    api = Scripted(
        [Listing([at(5)], "7"), Listing([at(12, phase="Ready")], "12")],
        [
            [event("MODIFIED", at(8, phase="Created"))],
            [event("BOOKMARK", {"metadata": {"resourceVersion": "10"}})],
            [event("MODIFIED", at(12, phase="Ready"))],
        ],
    )
    assert phases(api.pictures()) == ["Starting", "Created", "Ready"]
    assert [it[1] for it in api.asked if it[0] == "watch"][:3] == ["7", "8", "10"]
    assert api.troubles == []


def test_a_connection_that_breaks_is_taken_up_again() -> None:
    """After a pause, from the same version; nobody is asked to list everything anew."""
    api = Scripted(
        [Listing([at(5)], "7"), Listing([at(9, phase="Ready")], "9")],
        [[event("MODIFIED", at(8, phase="Created")), LOST], [LOST], [event("MODIFIED", at(9, phase="Ready"))]],
    )
    assert phases(api.pictures()) == ["Starting", "Created", "Ready"]
    assert [it[1] for it in api.asked if it[0] == "watch"][:3] == ["7", "8", "8"]
    assert api.troubles == [LOST, LOST]
    assert api.asked.count(("list", None)) == 2, "at first and at last"


def test_a_version_that_is_too_old_makes_a_new_list() -> None:
    """410 Gone, in the stream or as the answer: what happened meanwhile is in the list, deletions included."""
    for gone in (error(410), ClusterTrouble("too old", status=410)):
        api = Scripted([Listing([at(5), at(6, "other")], "7"), Listing([at(50, phase="Ready")], "60")], [[gone], []])
        pictures = api.pictures()
        assert set(next(pictures)) == {("team-a", "trainer"), ("team-a", "other")}
        assert phases(pictures) == ["Starting", "Ready"]
        assert ("watch", "60") in api.asked
        assert api.troubles == []


def test_a_deleted_object_leaves_the_picture() -> None:
    """At once, by the watch's word."""
    api = Scripted([Listing([at(5)], "7"), Listing([], "9")], [[event("DELETED", at(8))]])
    assert phases(api.pictures()) == ["Starting", None]


def test_an_api_server_that_is_away_is_waited_for() -> None:
    """With longer and longer pauses, to the deadline."""
    unavailable = ClusterTrouble("the cluster refused: shutting down", status=503)
    api = Scripted([Listing([at(5)], "7"), LOST, unavailable, Listing([at(9, phase="Ready")], "9")], [[error(500)], []])
    assert phases(api.pictures()) == ["Starting", "Ready"]
    assert api.time >= 60
    assert len(api.troubles) == 3


LASTING = (401, 403, 404)


@pytest.mark.parametrize("status", LASTING)
def test_what_no_patience_helps_against_ends_it(status: int) -> None:
    """A right that is not there is said at once; one that was taken away, after seconds."""
    lasting = ClusterTrouble("the cluster refused: you may not", status=status)
    cases: list[Callable[[], Scripted]] = [
        lambda: Scripted([lasting]),
        lambda: Scripted([Listing([at(5)], "7")], [[lasting]] * 99),
        lambda: Scripted([Listing([at(5)], "7"), lasting], [[LOST], [error(410)]]),
    ]
    for case in cases:
        api = case()
        with pytest.raises(ClusterTrouble, match="you may not"):
            phases(api.pictures(seconds=600))
        assert api.time < 15


@pytest.mark.parametrize("status", LASTING)
def test_an_api_server_that_has_just_started_may_not_know_better(status: int) -> None:
    """Who was allowed to look before is not sent away by the first refusal."""
    early = ClusterTrouble("the cluster refused: not yet", status=status)
    api = Scripted(
        [Listing([at(5)], "7"), early, early, Listing([at(9, phase="Ready")], "9")], [[LOST], [early], [early]]
    )
    assert phases(api.pictures()) == ["Starting", "Ready"]


def test_a_watch_that_always_ends_at_once_is_not_asked_without_pause() -> None:
    """As behind a gateway that does not let it through; the pauses grow."""
    api = Scripted([Listing([at(5)], "7")], [[]] * 999)
    assert phases(api.pictures(seconds=60)) == ["Starting"]
    assert api.asked.count(("watch", "7")) < 30


def test_the_first_look_is_not_repeated() -> None:
    """A cluster that cannot be reached at all is said at once."""
    with pytest.raises(ClusterTrouble, match="cannot reach"):
        next(Scripted([LOST]).pictures())


@pytest.mark.parametrize(
    ("seconds", "pages", "end"),
    [(5, [60], 5), (5, [4, 4, 4], 5), (0, [60], 1), (0, [0.5] * 9, 1)],
    ids=["one page", "many pages", "no time", "no time, many pages"],
)
def test_a_first_look_takes_no_longer_than_is_waited(seconds: float, pages: list[float], end: float) -> None:
    """However many pages it has; the time is over then, and that is how it ends. A second is always given."""
    api = Scripted([pages])
    with pytest.raises(ClusterTrouble, match=r"cannot reach|did not answer in time") as trouble:
        next(api.pictures(seconds=seconds))
    assert trouble.value.code is Exit.TIMED_OUT
    assert api.time == pytest.approx(end)


def test_a_silent_cluster_is_given_up_before_a_long_wait_is_over() -> None:
    """Half a minute for a page; then the cluster is what is wrong, and not the time."""
    api = Scripted([[60]])
    with pytest.raises(ClusterTrouble, match="cannot reach") as trouble:
        next(api.pictures(seconds=3600))
    assert trouble.value.code is Exit.FAILED
    assert api.time == pytest.approx(30)
    assert next(Scripted([[20, 20, 20]]).pictures(seconds=3600)), "each page has its half a minute"


def test_pages_that_are_too_old_are_read_again_once() -> None:
    """410 Gone among the pages of the first list: its moment has been forgotten, another one has not."""
    gone = ClusterTrouble("the cluster refused: the continue token is too old", status=410)
    assert next(Scripted([gone, Listing([at(5)], "7")]).pictures())
    with pytest.raises(ClusterTrouble, match="too old"):
        next(Scripted([gone, gone, Listing([at(5)], "7")]).pictures())


def test_a_last_look_has_an_end() -> None:
    """Ten seconds for all of its pages: what was known stays, and the wait has its own end."""
    api = Scripted([Listing([at(5)], "7"), [4] * 9])
    assert phases(api.pictures(seconds=12)) == ["Starting"]
    assert api.time == pytest.approx(22)
    assert len(api.troubles) == 1


def test_a_last_look_at_the_deadline() -> None:
    """What became true right before the end is seen, also if no watch has told it."""
    api = Scripted([Listing([at(5)], "7"), Listing([at(9, phase="Ready")], "9")])
    assert phases(api.pictures(seconds=12)) == ["Starting", "Ready"]
    assert api.time == pytest.approx(12)


def test_a_last_look_that_fails_leaves_what_was_known() -> None:
    """The end comes in time all the same."""
    api = Scripted([Listing([at(5)], "7"), LOST])
    assert phases(api.pictures(seconds=12)) == ["Starting"]
    assert api.troubles == [LOST]


def test_no_time_is_two_looks() -> None:
    """A timeout of 0 looks, and does not watch."""
    api = Scripted([Listing([at(5)], "7")])
    assert phases(api.pictures(seconds=0)) == ["Starting"]
    assert {it[0] for it in api.asked} == {"list"}


def test_silence_is_broken_now_and_then() -> None:
    """A dead connection is noticed within half a minute, and the picture comes again for whoever shows progress."""
    api = Scripted([Listing([at(5)], "7")])
    assert len(list(api.pictures(seconds=95))) >= 5
    assert api.asked.count(("watch", "7")) == 4
    assert api.troubles == []
