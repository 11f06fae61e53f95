"""A provider under stress: whoever calls, and whatever is answered, the account keeps its promises.

Many callers, in all lanes, at any moments, some of whom give up; answers of all kinds, also to the further
requests of a call. All of it in virtual time, in which a story where everybody waits for nobody fails.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gpuinstance.providers.base import (
    NotFound,
    ProviderError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
)
from gpuinstance.providers.governing.breaker import Circuit, Tolerance
from gpuinstance.providers.governing.governor import Allowance, Governor
from gpuinstance.providers.governing.lanes import Lane
from gpuinstance.providers.governing.leave import ask_leave
from gpuinstance.providers.governing.lessons import LISTING, Errand
from tests.properties.world.virtual_time import VirtualTimeLoop

SLACK = 1e-4
"""Seconds, and tokens, by which sums of floats may differ."""
RANKS = {lane: rank for rank, lane in enumerate(Lane)}


@dataclass(frozen=True)
class Caller:
    """Somebody who calls once."""

    at: float
    errand: Errand
    seconds: float
    """How long each request takes."""
    requests: int
    answer: ProviderError | None
    """What the last of its requests brings."""
    gives_up_after: float | None


@dataclass
class Visit:
    """What became of a caller."""

    caller: Caller
    came: float = 0.0
    first_sent: float | None = None
    ended: float | None = None
    outcome: object = None
    circuit: Circuit | None = None
    """The state of the breaker when its first request was sent."""


@dataclass
class Account:
    """The account, and the log of all that happened, in order."""

    governor: Governor = field(init=False)
    sent: list[float] = field(default_factory=list)
    silent_until: float = 0.0
    pauses: list[float] = field(default_factory=list)
    """When the provider asked for one."""
    visits: list[Visit] = field(default_factory=list)
    inside: set[int] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)
    most_inside: int = 0

    def provider_waited(self, **_: Any) -> None:
        """A call got its turn."""

    def provider_refused(self, **_: Any) -> None:
        """A call was not sent."""

    async def send(self, visit: Visit) -> str:
        """Play the adapter and the provider."""
        self.inside.add(id(visit))
        self.most_inside = max(self.most_inside, len(self.inside))
        try:
            for number in range(visit.caller.requests):
                await ask_leave()
                await self._request(visit, is_last=number == visit.caller.requests - 1)
        finally:
            self.inside.discard(id(visit))
        return "done"

    async def _request(self, visit: Visit, *, is_last: bool) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self.silent_until - SLACK:
            self.complaints.append(f"sent at {loop.time()}, asked to wait until {self.silent_until}")
        self.sent.append(loop.time())
        if visit.first_sent is None:
            visit.first_sent, visit.circuit = loop.time(), self.governor.circuit
            if visit.circuit is Circuit.OPEN:
                self.complaints.append(f"sent at {loop.time()} with the circuit open")
            if visit.circuit is Circuit.HALF_OPEN and self._probing(visit):
                self.complaints.append(f"a second probe at {loop.time()}")
        await asyncio.sleep(visit.caller.seconds)
        answer = visit.caller.answer
        if is_last and answer is not None:
            if isinstance(answer, RateLimited):
                self.pauses.append(loop.time())
                self.silent_until = max(self.silent_until, loop.time() + (answer.retry_after or 0.0))
            raise answer

    def _probing(self, asking: Visit) -> bool:
        """Whether another probe is under way, one that was sent since the circuit opened last."""
        others = [it for it in self.visits if it is not asking and id(it) in self.inside]
        return any(it.circuit is Circuit.HALF_OPEN for it in others)


ANSWERS = st.one_of(
    *[st.none()] * 6,  # mostly all goes well: otherwise nobody would ever wait for long
    st.builds(lambda seconds: RateLimited("429", retry_after=seconds), st.sampled_from([None, 0.0, 1.0, 7.5, 40.0])),
    st.builds(lambda kind: kind("x"), st.sampled_from([NotFound, Rejected, Unauthorized])),
    st.builds(lambda kind: kind("x"), st.sampled_from([Unavailable, UnknownOutcome])),
)

ERRANDS = st.one_of(
    st.builds(Errand, st.just(Lane.URGENT), st.just("delete"), st.sampled_from(["m-1", "m-2", "m-3"])),
    st.builds(Errand, st.just(Lane.CHANGES), st.just("create"), st.sampled_from("abcdef")),
    st.builds(
        Errand, st.just(Lane.CHANGES), st.just("get_machine"), st.sampled_from(["m-1", "m-2", "m-3"]), st.just(True)
    ),
    st.just(Errand(Lane.POLLS, LISTING, is_question=True)),
    st.just(Errand(Lane.POLLS, "list_products", is_question=True)),
)

CALLERS = st.lists(
    st.builds(
        Caller,
        at=st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0, 3.0, 11.0, 30.0, 61.0]),
        errand=ERRANDS,
        seconds=st.sampled_from([0.0, 0.1, 1.0, 5.0]),
        requests=st.integers(1, 4),
        answer=ANSWERS,
        gives_up_after=st.one_of(*[st.none()] * 4, st.sampled_from([0.0, 0.5, 2.0, 15.0])),
    ),
    min_size=3,
    max_size=40,
)

ALLOWANCES = st.builds(
    Allowance,
    rate=st.sampled_from([0.2, 1.0, 3.0, 100.0]),
    burst=st.sampled_from([1.0, 2.0, 10.0, 500.0]),
    concurrency=st.sampled_from([1, 2, 5, 20]),
    patience=st.sampled_from([1.0, 15.0]),
    queue=st.sampled_from([1, 5, 1000]),
    tolerance=st.builds(Tolerance, failures=st.sampled_from([1, 3, 5]), successes=st.sampled_from([1, 2])),
)


LATE = Caller(0.0, Errand(Lane.URGENT, "delete", "m-9"), 1.0, requests=1, answer=None, gives_up_after=None)
"""Comes when all is long over."""


def live(callers: list[Caller], allowance: Allowance) -> Account:
    """Let all callers come, and return what happened."""
    loop = VirtualTimeLoop()

    async def story() -> Account:
        account = Account()
        account.governor = Governor("cloud", allowance, account, monotonic=loop.time)
        await asyncio.gather(*(visit(account, caller) for caller in sorted(callers, key=lambda it: it.at)))
        for _ in range(3):
            await visit(account, replace(LATE, at=1000.0))
        return account

    async def visit(account: Account, caller: Caller) -> None:
        seen = Visit(caller)
        account.visits.append(seen)
        await asyncio.sleep(caller.at)
        seen.came = loop.time()
        try:
            async with asyncio.timeout(caller.gives_up_after):
                seen.outcome = await account.governor.call(caller.errand, lambda: account.send(seen))
        except (ProviderError, TimeoutError) as error:
            seen.outcome = error
        seen.ended = loop.time()

    try:
        return loop.run_until_complete(story())
    finally:
        loop.close()


@given(CALLERS, ALLOWANCES)
def test_the_account_keeps_its_promises(callers: list[Caller], allowance: Allowance) -> None:
    """Budget, pauses, breaker, lanes and places; and nobody waits for ever."""
    account = live(callers, allowance)
    assert account.complaints == []
    assert account.most_inside <= allowance.concurrency
    judge_budget(account.sent, allowance)
    judge_answers(account, allowance)
    judge_lanes(account)
    assert [(it.outcome, it.first_sent) for it in account.visits[-3:]] == [
        ("done", it.came) for it in account.visits[-3:]
    ]


def judge_budget(sent: list[float], allowance: Allowance) -> None:
    """In any window no more requests than the rate allows, and a burst."""
    assert sent == sorted(sent)
    for first, begin in enumerate(sent):
        for last in range(first, len(sent)):
            allowed = allowance.rate * (sent[last] - begin) + allowance.burst
            assert last - first + 1 <= allowed + SLACK * allowance.rate + SLACK


def judge_answers(account: Account, allowance: Allowance) -> None:
    """Everybody got one, in time; and an error that says that nothing was sent is true."""
    for visit in account.visits:
        caller = visit.caller
        assert visit.ended is not None
        assert visit.outcome is not None
        for pause in account.pauses:
            waits_on = visit.came <= pause and visit.ended > pause + SLACK and visit.first_sent is None
            assert not waits_on, "nobody waits for the end of a pause"
        longest = caller.requests * (allowance.patience + caller.seconds)
        assert visit.ended - visit.came <= longest + SLACK
        if isinstance(visit.outcome, ProviderError) and "nothing " in visit.outcome.message and caller.requests == 1:
            was_probe = visit.circuit is Circuit.HALF_OPEN  # a read that failed as those before it
            assert visit.first_sent is None or was_probe
        if isinstance(caller.answer, UnknownOutcome) and caller.requests == 1 and visit.first_sent is not None:
            assert visit.outcome is caller.answer or isinstance(visit.outcome, TimeoutError)


def judge_lanes(account: Account) -> None:
    """Whoever was sent went before nobody who had come earlier in the same lane, or was waiting in a higher one."""
    for visit in account.visits:
        if visit.first_sent is None:
            continue
        for other in account.visits:
            rank, other_rank = RANKS[visit.caller.errand.lane], RANKS[other.caller.errand.lane]
            goes_first = other_rank < rank or (other_rank == rank and other.came < visit.came - SLACK)
            was_waiting = other.came < visit.first_sent - SLACK
            until = other.ended if other.first_sent is None else other.first_sent
            assert until is not None
            assert not (goes_first and was_waiting and until > visit.first_sent + SLACK), (visit, other)


@given(CALLERS, ALLOWANCES)
def test_the_same_story_has_the_same_end(callers: list[Caller], allowance: Allowance) -> None:
    """Nothing depends on the order of a set or on real time."""
    one, other = live(callers, allowance), live(callers, allowance)
    assert one.sent == other.sent
    assert [str(it.outcome) for it in one.visits] == [str(it.outcome) for it in other.visits]
