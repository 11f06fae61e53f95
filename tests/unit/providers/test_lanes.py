"""The door of an account: who goes first, who gives up, and that nobody is forgotten. In virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from gpuinstance.providers.base import ProviderError, RateLimited, Unavailable
from gpuinstance.providers.governing.breaker import Breaker, Circuit, Ticket, Tolerance
from gpuinstance.providers.governing.budget import TokenBucket
from gpuinstance.providers.governing.lanes import Door, Lane
from tests.unit.providers.governing import now, play, settle

URGENT, CHANGES, POLLS = Lane
ENDLESS = 1e6


@dataclass
class Scene:
    """A door, and who went through it when."""

    rate: float = ENDLESS
    burst: float = ENDLESS
    concurrency: int = 1
    queue: int = 100
    patience: float = 1000.0
    clock_reads: int = 0
    entered: list[tuple[str, float]] = field(default_factory=list)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.breaker = Breaker(Tolerance(failures=1, successes=2, first_pause=10))
        self.door = Door(
            TokenBucket(self.rate, self.burst, now=0.0),
            self.breaker,
            concurrency=self.concurrency,
            queue=self.queue,
            patience=self.patience,
            monotonic=self._read_clock,
        )

    def _read_clock(self) -> float:
        self.clock_reads += 1
        return now()

    async def _come(self, name: str, lane: Lane, stay: float | None) -> None:
        ticket = self.tickets[name] = await self.door.enter(lane)
        self.entered.append((name, now()))
        if stay is not None:
            await asyncio.sleep(stay)
            self.door.leave(ticket)

    async def _more(self, name: str, of: str, lane: Lane, patience: float) -> None:
        await self.door.go_on(lane, self.tickets[of], deadline=now() + patience)
        self.entered.append((name, now()))

    def comes(self, name: str, lane: Lane, *, stay: float | None = None) -> None:
        """Somebody comes, enters, and stays for so long, or for ever."""
        self.tasks[name] = asyncio.create_task(self._come(name, lane, stay))

    def goes_on(self, name: str, lane: Lane, *, of: str, patience: float = 1000.0) -> None:
        """Somebody inside wants to send another request."""
        self.tasks[name] = asyncio.create_task(self._more(name, of, lane, patience))

    async def fate(self, name: str) -> ProviderError:
        """Return the error that somebody got who had come in vain."""
        with pytest.raises(ProviderError) as caught:
            await self.tasks[name]
        return caught.value

    def leaves(self, name: str) -> None:
        """Somebody who stayed leaves."""
        self.door.leave(self.tickets[name])

    @property
    def order(self) -> list[str]:
        """The names of those who went through, in order."""
        return [name for name, _ in self.entered]


def test_higher_lanes_go_first_and_in_a_lane_who_came_first() -> None:
    """Whatever the order in which they came."""

    async def story() -> None:
        scene = Scene()
        scene.comes("first", POLLS)
        await settle()
        for name, lane in [("p1", POLLS), ("c1", CHANGES), ("p2", POLLS), ("u1", URGENT), ("c2", CHANGES)]:
            scene.comes(name, lane, stay=1)
        scene.comes("u2", URGENT, stay=1)
        await settle()
        assert scene.order == ["first"]
        assert scene.door.waiting == 6
        scene.leaves("first")
        await asyncio.sleep(10)
        assert scene.order == ["first", "u1", "u2", "c1", "c2", "p1", "p2"]

    play(story())


def test_tokens_come_one_by_one_and_go_to_the_highest_lane() -> None:
    """One a second; a delete that comes while others wait gets the very next one."""

    async def story() -> None:
        scene = Scene(rate=1, burst=1, concurrency=100)
        for number in range(3):
            scene.comes(f"p{number}", POLLS, stay=0)
        await asyncio.sleep(1.5)
        scene.comes("u", URGENT, stay=0)
        await asyncio.sleep(10)
        assert scene.entered == [("p0", 0), ("p1", 1), ("u", 2), ("p2", 3)]

    play(story())


def test_a_late_comer_does_not_take_the_token_of_who_waits() -> None:
    """Also in the moment in which the token is there and the alarm has not rung yet."""

    async def story() -> None:
        scene = Scene(rate=1, burst=1, concurrency=100)
        for name in ("a", "u"):
            scene.comes(name, URGENT, stay=0)
        await settle()
        loop = asyncio.get_running_loop()
        loop.call_at(1.0 - 1e-9, lambda: scene.comes("p", POLLS, stay=0))
        await asyncio.sleep(5)
        assert scene.order == ["a", "u", "p"]

    play(story())


@pytest.mark.parametrize(("concurrency", "polls", "changes"), [(20, 16, 18), (5, 3, 4), (3, 3, 3), (1, 1, 1)])
def test_slow_polls_do_not_take_all_places(concurrency: int, polls: int, changes: int) -> None:
    """Some places are for higher lanes only, if there are enough of them."""

    async def story() -> None:
        scene = Scene(concurrency=concurrency)
        for number in range(concurrency + 1):
            scene.comes(f"p{number}", POLLS)
        await settle()
        assert len(scene.entered) == polls
        for number in range(concurrency + 1):
            scene.comes(f"c{number}", CHANGES)
        await settle()
        assert len(scene.entered) == changes
        for number in range(concurrency + 1):
            scene.comes(f"u{number}", URGENT)
        await settle()
        assert len(scene.entered) == concurrency

    play(story())


def test_a_full_lane_is_told_at_once_and_the_others_are_not_full() -> None:
    """Nothing was sent; a flood of polls does not keep a delete from waiting."""

    async def story() -> None:
        scene = Scene(queue=2)
        for name in ("inside", "p1", "p2"):
            scene.comes(name, POLLS)
        await settle()
        scene.comes("p3", POLLS)
        error = await scene.fate("p3")
        assert isinstance(error, Unavailable)
        assert (error.code, now()) == ("QueueFull", 0)
        scene.comes("u", URGENT, stay=0)
        await settle()
        scene.leaves("inside")
        await settle()
        assert scene.order == ["inside", "u", "p1"]

    play(story())


def test_who_has_waited_too_long_gives_up() -> None:
    """After exactly the time allowed, having sent nothing; who comes later waits on."""

    async def story() -> None:
        scene = Scene(patience=15)
        scene.comes("inside", POLLS)
        await settle()
        scene.comes("early", CHANGES)
        await asyncio.sleep(10)
        scene.comes("late", CHANGES)
        error = await scene.fate("early")
        assert isinstance(error, Unavailable)
        assert error.code == "WaitedTooLong"
        assert now() == pytest.approx(15)
        scene.leaves("inside")
        await settle()
        assert scene.order == ["inside", "late"]
        assert scene.door.waiting == 0

    play(story())


def test_a_cancelled_waiter_leaves_no_gap() -> None:
    """It is as if it had never come."""

    async def story() -> None:
        scene = Scene()
        scene.comes("inside", POLLS)
        await settle()
        scene.comes("gone", URGENT)
        scene.comes("next", CHANGES)
        await settle()
        scene.tasks["gone"].cancel()
        await settle()
        assert scene.tasks["gone"].cancelled()
        assert scene.door.waiting == 1
        scene.leaves("inside")
        await settle()
        assert scene.order == ["inside", "next"]

    play(story())


def test_a_place_given_to_somebody_cancelled_is_given_on() -> None:
    """It was let in, and cancelled before it knew."""

    async def story() -> None:
        scene = Scene()
        scene.comes("inside", POLLS)
        await settle()
        scene.comes("gone", URGENT)
        scene.comes("next", CHANGES)
        await settle()
        scene.leaves("inside")
        scene.tasks["gone"].cancel()
        await settle()
        assert scene.order == ["inside", "next"]

    play(story())


def test_all_who_wait_can_be_sent_away() -> None:
    """Each with an error of its own, at once; those inside stay, and the door goes on working."""

    async def story() -> None:
        scene = Scene(rate=1, burst=1)
        scene.comes("inside", POLLS)
        await settle()
        waiting = [*(lane.value for lane in Lane), "page"]
        for lane in Lane:
            scene.comes(lane.value, lane)
        scene.goes_on("page", POLLS, of="inside")
        await settle()
        scene.door.send_away(RateLimited("pause", retry_after=7))
        errors = [await scene.fate(name) for name in waiting]
        assert len({id(error) for error in errors}) == len(waiting)
        assert all(isinstance(error, RateLimited) and error.retry_after == 7 for error in errors)
        assert now() == 0
        scene.comes("new", POLLS)
        scene.leaves("inside")
        await asyncio.sleep(2)
        assert scene.order == ["inside", "new"]

    play(story())


def test_who_is_inside_needs_a_token_only() -> None:
    """All places are taken by calls that want to send their next page: they get it, one token after the other."""

    async def story() -> None:
        scene = Scene(rate=1, burst=2, concurrency=2)
        for name in ("a", "b"):
            scene.comes(name, POLLS)
        await settle()
        scene.comes("c", POLLS)
        scene.comes("u", URGENT)
        await settle()
        for name in ("a", "b"):
            scene.goes_on(f"{name}2", POLLS, of=name)
        await asyncio.sleep(3)
        assert scene.entered == [("a", 0), ("b", 0), ("a2", 1), ("b2", 2)]
        scene.leaves("a")
        await settle()
        assert scene.order[4:] == ["u"], "a delete goes before a poll that came earlier"

    play(story())


def test_who_entered_first_goes_on_first() -> None:
    """So that some calls of many requests are done in time, instead of all being late together."""

    async def story() -> None:
        scene = Scene(rate=1, burst=3, concurrency=5)
        for name in ("a", "b", "c"):
            scene.comes(name, CHANGES)
        await settle()
        scene.goes_on("c2", CHANGES, of="c", patience=2.5)
        scene.goes_on("b2", CHANGES, of="b")
        await asyncio.sleep(0.5)
        scene.goes_on("a2", CHANGES, of="a")
        await asyncio.sleep(0.6)
        scene.goes_on("a3", CHANGES, of="a")
        await asyncio.sleep(5)
        assert scene.order[3:] == ["a2", "a3", "b2"]
        assert (await scene.fate("c2")).code == "WaitedTooLong"

    play(story())


def test_a_delete_goes_before_the_next_page_of_a_poll() -> None:
    """Pages wait in the lane of their call."""

    async def story() -> None:
        scene = Scene(rate=1, burst=1, concurrency=5)
        scene.comes("listing", POLLS)
        await settle()
        scene.goes_on("page", POLLS, of="listing")
        await settle()
        scene.comes("u", URGENT, stay=0)
        await asyncio.sleep(5)
        assert scene.entered == [("listing", 0), ("u", 1), ("page", 2)]

    play(story())


def test_half_open_one_goes_at_a_time_and_deletes_go_first() -> None:
    """Whoever comes meanwhile waits in its lane; when it has closed, all go."""

    async def story() -> None:
        scene = Scene(concurrency=10)
        scene.comes("broken", POLLS)
        await settle()
        scene.breaker.failed(scene.tickets["broken"], now())
        scene.leaves("broken")
        await asyncio.sleep(10)
        assert scene.breaker.circuit(now()) is Circuit.HALF_OPEN
        for name, lane in [("p1", POLLS), ("p2", POLLS), ("c", CHANGES), ("u", URGENT)]:
            scene.comes(name, lane)
        await settle()
        assert scene.order == ["broken", "p1"]
        scene.breaker.succeeded(scene.tickets["p1"])
        scene.leaves("p1")
        await settle()
        assert scene.order == ["broken", "p1", "u"]
        scene.breaker.succeeded(scene.tickets["u"])
        scene.leaves("u")
        await settle()
        assert scene.order == ["broken", "p1", "u", "c", "p2"]

    play(story())


def test_waiting_costs_nothing() -> None:
    """The clock is read a few times for each who goes, however long all wait; then no alarm is left."""

    async def story() -> None:
        scene = Scene(rate=0.1, burst=1, concurrency=1000, patience=100_000, queue=1000)
        for number in range(200):
            scene.comes(str(number), POLLS, stay=0)
        await asyncio.sleep(2000)
        assert len(scene.entered) == 200
        assert [at for _, at in scene.entered] == pytest.approx([10.0 * number for number in range(200)])
        assert scene.clock_reads < 10 * 200
        reads = scene.clock_reads
        await asyncio.sleep(10_000)
        assert scene.clock_reads == reads

    play(story())
