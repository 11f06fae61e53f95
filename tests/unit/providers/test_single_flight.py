"""One request for many: joined, kept, failed together, never cancelled by one of them."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from gpuinstance.providers.base import NotFound, RateLimited, Unavailable
from gpuinstance.providers.shelf import Shelf
from gpuinstance.providers.single_flight import Clock, SingleFlight

START = datetime(2026, 8, 22, tzinfo=UTC)


class World:
    """A hand-driven clock and a request that answers when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.requests: list[asyncio.Future[str]] = []
        self.clock = Clock(lambda: START + timedelta(seconds=self.seconds), lambda: self.seconds)
        self.shared = SingleFlight(self.request, clock=self.clock, failure_age=5)

    async def request(self) -> str:
        """Send one request and wait for its answer."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.requests.append(answer)
        return await answer

    async def ask(self, count: int = 1, **kwargs: object) -> list[asyncio.Task[str]]:
        """Let so many callers ask, and run until all of them wait."""
        kwargs.setdefault("max_age", 0)
        tasks = [asyncio.create_task(self.shared.get(**kwargs)) for _ in range(count)]  # type: ignore[arg-type]  # rows of the table
        await self.settle()
        return tasks

    async def settle(self) -> None:
        """Run everything that can run."""
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
def world() -> World:
    return World()


async def test_many_callers_make_one_request(world: World) -> None:
    """Whoever asks while a request is under way gets its answer."""
    callers = await world.ask(1000)
    world.seconds = 100
    callers += await world.ask(10)
    assert len(world.requests) == 1
    world.requests[0].set_result("machines")
    assert set(await asyncio.gather(*callers)) == {"machines"}


async def test_an_answer_is_kept_for_as_long_as_the_caller_accepts(world: World) -> None:
    """Age counts from the sending of the request."""
    (first,) = await world.ask()
    world.seconds = 4
    world.requests[0].set_result("old")
    await first
    world.seconds = 9
    (patient,) = await world.ask(max_age=10)
    assert patient.result() == "old"
    (impatient,) = await world.ask(max_age=9)
    assert len(world.requests) == 2
    world.requests[1].set_result("new")
    assert await impatient == "new"


async def test_after_a_change_only_a_later_request_will_do(world: World) -> None:
    """`not_before` outlives a request that is under way and one that is kept; one more serves all."""
    before = await world.ask(2)
    world.seconds = 1
    changed = START + timedelta(seconds=1)
    after = await world.ask(3, not_before=changed, max_age=60)
    assert len(world.requests) == 1
    world.requests[0].set_result("before")
    await world.settle()
    assert [task.result() for task in before] == ["before", "before"]
    assert len(world.requests) == 2
    world.requests[1].set_result("after")
    assert await asyncio.gather(*after) == ["after"] * 3
    (later,) = await world.ask(not_before=changed, max_age=60)
    assert later.result() == "after"


async def test_a_moment_in_the_future_is_satisfied_by_a_new_request(world: World) -> None:
    """Clocks differ and go back: a request that is sent after the call is always late enough."""
    (caller,) = await world.ask(not_before=START + timedelta(hours=1))
    world.requests[0].set_result("now")
    assert await caller == "now"
    assert len(world.requests) == 1


async def test_a_failure_is_everybodys_and_is_kept_for_a_moment(world: World) -> None:
    """A thousand waiting callers make one request that fails, and none right after it."""
    callers = await world.ask(1000)
    world.requests[0].set_exception(Unavailable("HTTP 502", code="HTTP 502"))
    errors = await asyncio.gather(*callers, return_exceptions=True)
    assert {type(e) for e in errors} == {Unavailable}
    assert len({id(e) for e in errors}) == 1000
    assert {e.code for e in errors if isinstance(e, Unavailable)} == {"HTTP 502"}
    world.seconds = 4.9
    (soon,) = await world.ask(not_before=START + timedelta(seconds=4))
    assert isinstance(soon.exception(), Unavailable)
    assert len(world.requests) == 1
    world.seconds = 5
    (later,) = await world.ask()
    world.requests[1].set_result("back")
    assert await later == "back"


async def test_after_a_limit_nobody_asks_before_its_time(world: World) -> None:
    """A RateLimited is passed on until Retry-After is over, each time with what is left of it."""
    (first,) = await world.ask()
    world.requests[0].set_exception(RateLimited("slow down", retry_after=30))
    await world.settle()
    error = first.exception()
    assert isinstance(error, RateLimited)
    assert error.retry_after == 30
    world.seconds = 20
    (second,) = await world.ask()
    error = second.exception()
    assert isinstance(error, RateLimited)
    assert error.retry_after == 10
    assert len(world.requests) == 1
    world.seconds = 30
    await world.ask()
    assert len(world.requests) == 2
    world.shared.cancel()
    await world.settle()


async def test_a_caller_who_leaves_disturbs_nobody(world: World) -> None:
    """A cancelled caller is cancelled at once; the request goes on for the others, even for later ones."""
    (leaving, staying) = await world.ask(2)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    world.requests[0].set_result("machines")
    assert await staying == "machines"

    (lonely,) = await world.ask()
    lonely.cancel()
    await world.settle()
    (late,) = await world.ask()
    assert len(world.requests) == 2
    world.requests[1].set_result("more")
    assert await late == "more"


@pytest.mark.parametrize("begun", [True, False])
async def test_a_cancelled_request_does_not_cancel_its_callers(world: World, begun: bool) -> None:
    """They learn that the provider is unavailable; a foreign cancellation is not theirs."""
    caller = asyncio.create_task(world.shared.get(max_age=0))
    if begun:
        await world.settle()
    else:
        await asyncio.sleep(0)
    world.shared.cancel()
    with pytest.raises(Unavailable):
        await caller


async def test_a_bug_is_not_kept(world: World) -> None:
    """What is no error of the provider reaches those who wait, and is not repeated to others."""
    (unlucky,) = await world.ask()
    world.requests[0].set_exception(ZeroDivisionError("bug"))
    await world.settle()
    assert isinstance(unlucky.exception(), ZeroDivisionError)
    (next_,) = await world.ask(max_age=60)
    world.requests[1].set_result("fine")
    assert await next_ == "fine"


async def test_the_request_does_not_run_in_a_callers_context() -> None:
    """What one caller has bound for its log lines must not appear on a request that is everybody's."""
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="nobody")

    async def request() -> str:
        return name.get()

    world = World()
    name.set("first caller")
    assert await SingleFlight(request, clock=world.clock, failure_age=5).get(max_age=0) == "nobody"


def answer(value: str, asked: list[str]) -> Callable[[], Awaitable[str]]:
    async def request() -> str:
        asked.append(value)
        return value

    return request


async def test_a_shelf_keeps_answers_by_question() -> None:
    """Each question is asked once within its time."""
    world, asked = World(), list[str]()
    shelf: Shelf[str, str] = Shelf(age=10, size=8, clock=world.clock)
    for _ in range(2):
        assert await shelf.get("a", answer("a", asked)) == "a"
        assert await shelf.get("b", answer("b", asked)) == "b"
    assert asked == ["a", "b"]
    world.seconds = 10
    await shelf.get("a", answer("a", asked))
    assert asked == ["a", "b", "a"]
    assert len(shelf) == 1, "what is over leaves with the next question"


async def test_a_shelf_is_bounded() -> None:
    """A thousand different questions leave no more than its size; the oldest yields, a known one does not."""
    world, asked = World(), list[str]()
    shelf: Shelf[str, str] = Shelf(age=10, size=3, clock=world.clock)
    for number in range(1000):
        await shelf.get(str(number), answer(str(number), asked))
    assert len(shelf) == 3
    asked.clear()
    for number in (997, 998, 999):
        await shelf.get(str(number), answer(str(number), asked))
    assert asked == []


async def test_a_shelf_keeps_failures_too() -> None:
    """An unknown template is asked for once, not once for each resource that names it."""
    world, asked = World(), list[str]()

    async def request() -> str:
        asked.append("x")
        raise NotFound("template not found")

    shelf: Shelf[str, str] = Shelf(age=10, size=3, clock=world.clock)
    for _ in range(3):
        with pytest.raises(NotFound):
            await shelf.get("x", request)
    assert len(asked) == 1
