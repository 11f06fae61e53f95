"""Governed calls of one account: what stops them, what they cost, and that nothing is sent in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog

from gpuinstance.api.reasons import Reason
from gpuinstance.providers.base import (
    CircuitOpen,
    IncompleteListing,
    NotFound,
    NotLeading,
    OutOfCapacity,
    ProviderError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
    WrongState,
)
from gpuinstance.providers.governing.breaker import Circuit
from gpuinstance.providers.governing.governor import Allowance, Governor
from gpuinstance.providers.governing.lanes import Lane
from gpuinstance.providers.governing.leave import ask_leave
from gpuinstance.providers.governing.lessons import LISTING, Errand
from tests.unit.providers.governing import Notebook, now, play, settle

FREE = Allowance(rate=1e6, burst=1e6)
LIST = Errand(Lane.POLLS, LISTING, is_question=True)
DELETE = Errand(Lane.URGENT, "delete", "m-1")
CREATE = Errand(Lane.CHANGES, "create", "gpui-1")
LOOK = Errand(Lane.CHANGES, "get_machine", "m-1", is_question=True)
LOOK_2 = replace(LOOK, about="m-2")


class Account:
    """A governed account, and a provider that answers as it is told."""

    def __init__(self, allowance: Allowance = FREE) -> None:
        self.notes = Notebook()
        self.governor = Governor("cloud", allowance, self.notes, monotonic=now)
        self.answer: ProviderError | None = None
        self.seconds = 0.0
        self.sent: list[tuple[str, float]] = []

    async def _send(self, errand: Errand, requests: int) -> str:
        for _ in range(requests):
            await ask_leave()
            self.sent.append((errand.operation, now()))
            answer = self.answer
            if self.seconds:
                await asyncio.sleep(self.seconds)
            if answer is not None:
                raise answer
        return "done"

    async def call(self, errand: Errand, answer: ProviderError | None = None, *, requests: int = 1) -> str:
        """Call, and have the provider answer so."""
        if answer is not None:
            self.answer = answer
        try:
            return await self.governor.call(errand, lambda: self._send(errand, requests))
        finally:
            if answer is not None:
                self.answer = None

    async def error(self, errand: Errand, answer: ProviderError | None = None, *, requests: int = 1) -> ProviderError:
        """Call, and return the error that comes of it."""
        with pytest.raises(ProviderError) as caught:
            await self.call(errand, answer, requests=requests)
        return caught.value

    async def refused(self, errand: Errand) -> ProviderError:
        """Call, and return the error of a call that was not sent."""
        before = len(self.sent)
        error = await self.error(errand)
        assert len(self.sent) == before, "it was sent"
        return error

    async def breaks(self) -> None:
        """Fail until the circuit is open."""
        for _ in range(5):
            await self.error(LIST, Unavailable("HTTP 502"))
        assert self.governor.circuit is Circuit.OPEN


@pytest.fixture(autouse=True)
def audible() -> Iterator[None]:
    """Everything is logged here, whatever other tests of this process have silenced."""
    before = structlog.get_config()
    structlog.reset_defaults()
    yield
    structlog.configure(**before)


def story(
    allowance: Allowance = FREE,
) -> Callable[[Callable[[Account], Coroutine[Any, Any, None]]], Callable[[], None]]:
    """Make a test of a story about one account in virtual time."""

    def made(tell: Callable[[Account], Coroutine[Any, Any, None]]) -> Callable[[], None]:
        async def told() -> None:
            await tell(Account(allowance))

        def test() -> None:
            play(told())

        test.__doc__ = tell.__doc__
        return test

    return made


# ------------------------------------------------------------------------------------------------- usual


@story()
async def test_a_call_brings_what_it_brings(account: Account) -> None:
    """Its result, or its error, unchanged; and its wait is noted by lane."""
    assert await account.call(DELETE) == "done"
    for error in (NotFound("x"), Rejected("y"), WrongState("z"), OutOfCapacity("none"), UnknownOutcome("?")):
        assert await account.error(DELETE, error) is error
    assert {(provider, lane) for provider, lane, _ in account.notes.waits} == {("cloud", "urgent")}
    assert len(account.notes.waits) == 6
    assert not account.notes.refusals


@story(Allowance(rate=2, burst=1))
async def test_the_wait_is_noted_without_the_call(account: Account) -> None:
    """Half a second for the second call, however long the first takes."""
    account.seconds = 3
    await asyncio.gather(account.call(CREATE), account.call(CREATE))
    assert [seconds for _, _, seconds in account.notes.waits] == pytest.approx([0, 0.5])


@story()
async def test_a_crash_gives_its_place_back(account: Account) -> None:
    """An error that is none of the provider, or a cancellation, says nothing about it."""

    async def crash() -> None:
        raise ZeroDivisionError

    for _ in range(100):
        with pytest.raises(ZeroDivisionError):
            await account.governor.call(CREATE, crash)
        task = asyncio.create_task(account.governor.call(CREATE, lambda: asyncio.sleep(1000)))
        await settle()
        task.cancel()
        await settle()
    assert await account.call(CREATE) == "done"
    assert account.governor.circuit is Circuit.CLOSED


# --------------------------------------------------------------------------------------------------- 429


@story()
async def test_after_429_nothing_leaves_before_its_time(account: Account) -> None:
    """To the second, in no lane; whoever comes is told how long, at once."""
    told = await account.error(CREATE, RateLimited("slow down", retry_after=30))
    assert (told.message, told.reason) == ("slow down", Reason.RATE_LIMITED)
    for at in (0.0, 12.5, 29.9):
        await asyncio.sleep(at - now())
        for errand in (DELETE, LIST, LOOK):
            error = await account.refused(errand)
            assert isinstance(error, RateLimited)
            assert error.retry_after == pytest.approx(30 - at)
    await asyncio.sleep(30 - now())
    assert await account.call(DELETE) == "done"
    assert now() == 30
    assert account.notes.refusals == {"RateLimited": 9}


@story(Allowance(rate=10, burst=100))
async def test_after_429_calls_begin_one_by_one(account: Account) -> None:
    """Not with the whole budget at once, which would bring the next 429."""
    await account.error(CREATE, RateLimited("slow down", retry_after=60))
    await asyncio.sleep(60)
    await asyncio.gather(*(account.call(CREATE) for _ in range(10)))
    assert [at for _, at in account.sent[1:]] == pytest.approx([60 + number / 10 for number in range(10)])


@story(Allowance(rate=1, burst=1))
async def test_429_sends_away_who_waits(account: Account) -> None:
    """They are told the time; they do not wait for it."""
    account.seconds = 0.5
    first = asyncio.create_task(account.error(CREATE, RateLimited("slow down", retry_after=30)))
    await settle()
    waiting = [asyncio.create_task(account.error(errand)) for errand in (DELETE, LIST)]
    await first
    errors = [await task for task in waiting]
    assert now() == 0.5
    assert all(isinstance(error, RateLimited) and error.retry_after == pytest.approx(30) for error in errors)
    assert len(account.sent) == 1


@pytest.mark.parametrize("named", [None, 0.0])
def test_429_without_a_time_pauses_longer_each_time(named: float | None) -> None:
    """Up to five minutes; a success makes the pause short again. A time that is over is none."""

    async def told() -> None:
        account, pauses = Account(), []
        for _ in range(8):
            error = await account.error(LIST, RateLimited("slow down", retry_after=named))
            assert isinstance(error, RateLimited)
            assert error.retry_after
            pauses.append(error.retry_after)
            await asyncio.sleep(error.retry_after)
        assert pauses == pytest.approx([5, 10, 20, 40, 80, 160, 300, 300])
        await account.call(LIST)
        error = await account.error(LIST, RateLimited("slow down"))
        assert isinstance(error, RateLimited)
        assert error.retry_after == pytest.approx(5)

    play(told())


@story()
async def test_429_to_many_at_once_is_one_429(account: Account) -> None:
    """Calls that were under way together fail together; the longest time counts."""
    account.seconds = 1
    account.answer = RateLimited("slow down")
    errors = await asyncio.gather(*(account.error(CREATE) for _ in range(10)))
    assert {error.retry_after for error in errors if isinstance(error, RateLimited)} == {5}
    account.answer = None
    error = await account.refused(LIST)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 5


@story()
async def test_429_stops_a_listing_between_its_pages(account: Account) -> None:
    """Another call of the account was told to pause: the next page is not asked for."""
    account.seconds = 1
    listing = asyncio.create_task(account.error(LIST, requests=10))
    await asyncio.sleep(2.5)
    await account.error(CREATE, RateLimited("slow down", retry_after=30))
    error = await listing
    assert isinstance(error, RateLimited)
    assert [operation for operation, _ in account.sent].count(LISTING) < 5
    assert account.governor.circuit is Circuit.CLOSED


@story(Allowance(rate=1, burst=2))
async def test_429_stops_who_has_just_been_let_go(account: Account) -> None:
    """It has its turn, or its next one, but has not sent yet: in the same moment the pause begins."""
    account.seconds = 1 - 1e-10  # the clock rings for the answer, and then for the token, in one go
    pausing = asyncio.create_task(account.error(CREATE, RateLimited("slow down", retry_after=30)))
    await settle()
    account.seconds, account.answer = 0, None
    listing = asyncio.create_task(account.error(LIST, requests=2))
    await settle()
    assert len(account.sent) == 2
    await pausing
    assert isinstance(await listing, RateLimited)
    assert (len(account.sent), now()) == (2, pytest.approx(1))


@story(Allowance(rate=1, burst=1))
async def test_429_stops_who_has_just_been_let_in(account: Account) -> None:
    """The same, for a provider that asks no further leave."""
    account.seconds = 1 - 1e-10
    pausing = asyncio.create_task(account.error(CREATE, RateLimited("slow down", retry_after=30)))
    await settle()
    with pytest.raises(RateLimited):
        await account.governor.call(DELETE, asyncio.Event().wait)
    await pausing
    assert now() == pytest.approx(1)


@story()
async def test_429_is_no_sign_of_a_broken_provider(account: Account) -> None:
    """It answers."""
    for _ in range(20):
        await account.error(LIST, RateLimited("slow down", retry_after=1))
        await asyncio.sleep(1)
    assert account.governor.circuit is Circuit.CLOSED


# --------------------------------------------------------------------------------------------------- 401


@story()
async def test_a_refused_key_is_tried_less_and_less(account: Account) -> None:
    """By the listing alone: all other calls, deletes too, are told that the key is refused."""
    account.answer = Unauthorized("the key is refused")
    tries = []
    while now() < 86_400:
        before = len(account.sent)
        for errand in (LIST, DELETE, CREATE, LOOK):
            error = await account.error(errand)
            assert isinstance(error, Unauthorized)
            assert error.message == "the key is refused"
        if len(account.sent) > before:
            tries.append(now())
        await asyncio.sleep(10)
    assert {operation for operation, _ in account.sent} == {LISTING}
    assert tries[:6] == pytest.approx([0, 10, 30, 70, 150, 310])
    assert len(account.sent) < 150
    assert account.governor.circuit is Circuit.CLOSED
    account.answer = None
    await asyncio.sleep(600)
    for errand in (LIST, DELETE, CREATE):
        assert await account.call(errand) == "done"


@story()
async def test_a_key_that_may_not_do_one_thing_may_do_the_rest(account: Account) -> None:
    """Only that question is asked less often; how often a change is tried again is not decided here."""
    for errand in (CREATE, LOOK):
        await account.error(errand, Unauthorized("not allowed"))
    for errand in (LIST, DELETE, CREATE, LOOK_2):
        assert await account.call(errand) == "done"
    assert isinstance(await account.refused(LOOK), Unauthorized)


@story(Allowance(rate=1, burst=1))
async def test_a_refused_key_sends_away_who_waits(account: Account) -> None:
    """Their calls would be in vain."""
    account.seconds = 0.5
    listing = asyncio.create_task(account.error(LIST, Unauthorized("the key is refused")))
    await settle()
    waiting = asyncio.create_task(account.error(DELETE))
    await listing
    assert isinstance(await waiting, Unauthorized)
    assert len(account.sent) == 1


# ------------------------------------------------------------------------------------------- the breaker


def incomplete(*, is_broken: bool) -> IncompleteListing:
    """A listing of which a page did not come, or whose pages contradict each other."""
    error = IncompleteListing("page 2")
    error.__cause__ = Unavailable("HTTP 502") if is_broken else None
    return error


@pytest.mark.parametrize("error", [Unavailable("HTTP 502"), UnknownOutcome("no answer"), incomplete(is_broken=True)])
def test_a_broken_provider_is_left_alone(error: ProviderError) -> None:
    """After five failures in a row, for a growing time, which callers are told with a reason of its own."""

    async def told() -> None:
        account = Account()
        for number in range(5):
            await account.error(replace(CREATE, about=str(number)), error)
        for errand in (DELETE, LIST, LOOK):
            refusal = await account.refused(errand)
            assert isinstance(refusal, CircuitOpen)
            assert (refusal.reason, refusal.retry_after) == (Reason.CIRCUIT_OPEN, 10)
            assert error.message in refusal.message
        assert account.notes.refusals == {"CircuitOpen": 3}
        await asyncio.sleep(10)
        assert await account.call(LIST) == await account.call(DELETE) == "done"
        assert account.governor.circuit is Circuit.CLOSED

    play(told())


@pytest.mark.parametrize(
    "error",
    [
        NotFound("x"),
        Rejected("x"),
        OutOfCapacity("x"),
        WrongState("x"),
        Unauthorized("x"),
        NotLeading("x"),
        incomplete(is_broken=False),
    ],
)
def test_a_definite_no_is_an_answer(error: ProviderError) -> None:
    """However often; and what this process did not send is nobody's failure."""

    async def told() -> None:
        account = Account()
        for number in range(20):
            await account.error(replace(CREATE, about=str(number)), error)
        assert await account.call(LIST) == "done"
        assert account.governor.circuit is Circuit.CLOSED

    play(told())


@story()
async def test_an_outage_is_told_in_the_same_words_from_begin_to_end(account: Account) -> None:
    """Failed probes included: conditions that change with each of them would be written each time."""
    with structlog.testing.capture_logs() as logs:
        await account.breaks()
        told = set()
        while now() < 3600:
            error = await account.error(LIST, Unavailable(f"HTTP 502 at {now()}"))
            assert isinstance(error, CircuitOpen)
            told.add((error.message, error.reason))
            await asyncio.sleep(1)
        assert len(told) == 1
        assert 60 <= len(account.sent) <= 75, "about one call a minute"
        await asyncio.sleep(60)
        await account.call(LIST)
        await account.call(LIST)
    assert [entry["event"].partition(":")[0] for entry in logs] == [
        "the circuit has opened",
        "the circuit has closed",
    ]


@story()
async def test_a_probe_without_an_answer_stays_one(account: Account) -> None:
    """A delete that may have happened must not be called unsent."""
    await account.breaks()
    await asyncio.sleep(10)
    error = UnknownOutcome("no answer to delete")
    assert await account.error(DELETE, error) is error
    assert account.governor.circuit is Circuit.OPEN


@story(Allowance(rate=1, burst=6))
async def test_an_opening_circuit_sends_away_who_waits(account: Account) -> None:
    """At once, with the time; a delete does not wait for its budget in vain."""
    account.seconds = 0.5
    account.answer = Unavailable("HTTP 502")
    failing = [asyncio.create_task(account.error(replace(CREATE, about=str(n)))) for n in range(6)]
    await settle()
    waiting = [asyncio.create_task(account.error(errand)) for errand in (DELETE, LIST, LOOK)]
    await asyncio.gather(*failing)
    assert {type(error) for error in await asyncio.gather(*waiting)} == {CircuitOpen}
    assert now() == 0.5
    assert len(account.sent) == 6


@story()
async def test_a_delete_is_not_starved_when_the_circuit_half_opens(account: Account) -> None:
    """It waits for the probe, and goes before all polls that came earlier."""
    await account.breaks()
    await asyncio.sleep(10)
    account.seconds = 3
    del account.sent[:]
    calls = [asyncio.create_task(account.call(errand)) for errand in (LIST, LIST, CREATE, DELETE)]
    await asyncio.gather(*calls)
    assert account.sent == [(LISTING, 10), ("delete", 13), ("create", 16), (LISTING, 16)]


# ------------------------------------------------------------------------------ what fails for ever


@pytest.mark.parametrize("error", [Unavailable("HTTP 500"), Rejected("no"), Unauthorized("not yours")])
def test_a_question_that_fails_for_ever_is_asked_less_and_less(error: ProviderError) -> None:
    """Every ten seconds for a day: a few hundred calls, and other questions and changes are not touched."""

    async def told() -> None:
        account = Account()
        while now() < 86_400:
            refusal = await account.error(LOOK, error)
            assert type(refusal) is type(error)
            assert refusal.message == error.message
            await asyncio.sleep(10)
        assert len(account.sent) < 300
        for errand in (LOOK_2, LIST, DELETE, CREATE):
            assert await account.call(errand) == "done"
        await asyncio.sleep(300)
        assert await account.call(LOOK) == "done"
        await account.error(LOOK, error)
        await asyncio.sleep(5)
        assert await account.call(LOOK) == "done"

    play(told())


@story()
async def test_not_found_is_asked_again_at_once(account: Account) -> None:
    """It is knowledge, from which consequences are drawn: it has to be of now."""
    for _ in range(10):
        await account.error(LOOK, NotFound("gone"))
    assert len(account.sent) == 10


# ---------------------------------------------------------------------------------- budget and waiting


@story(Allowance(rate=10, burst=3))
async def test_pages_are_paid_for(account: Account) -> None:
    """A listing of ten pages is one call and ten requests."""
    assert await account.call(LIST, requests=10) == "done"
    assert [at for _, at in account.sent] == pytest.approx([0, 0, 0, *(number / 10 for number in range(1, 8))])


@story(Allowance(rate=0.01, burst=1, patience=15))
async def test_a_wait_that_ends_in_vain_is_no_call(account: Account) -> None:
    """Outside and inside: Unavailable, nothing was sent, and nothing is learnt about the provider."""
    listing = asyncio.create_task(account.error(LIST, requests=2))
    await settle()
    for error in [await account.error(CREATE), await listing]:
        assert isinstance(error, Unavailable)
        assert "nothing was sent" in error.message
    assert now() == pytest.approx(15)
    assert len(account.sent) == 1
    assert account.notes.refusals == {"WaitedTooLong": 2}
    assert account.governor.circuit is Circuit.CLOSED


@story(replace(FREE, patience=15))
async def test_a_change_leaves_soon_after_its_intent_or_not_at_all(account: Account) -> None:
    """One that looks first, and is kept waiting by that, is not sent when nobody expects it any more."""
    account.seconds = 8
    error = await account.error(DELETE, requests=3)
    assert isinstance(error, Unavailable)
    assert error.code == "WaitedTooLong"
    assert account.sent == [("delete", 0), ("delete", 8)]
    assert await account.call(LIST, requests=10) == "done"


@story(Allowance(rate=1, burst=1))
async def test_cancelling_a_wait_sends_nothing(account: Account) -> None:
    """It is a cancellation for the caller, and nothing for all others."""
    await account.call(LIST)
    waiting = asyncio.create_task(account.call(CREATE))
    await settle()
    waiting.cancel()
    await settle()
    assert waiting.cancelled()
    await account.call(DELETE)
    assert account.sent == [(LISTING, 0), ("delete", 1)]


@story(Allowance(rate=1, burst=1))
async def test_closing_lets_nobody_wait(account: Account) -> None:
    """Neither who waits nor who comes later."""
    await account.call(LIST)
    waiting = asyncio.create_task(account.error(CREATE))
    await settle()
    account.governor.close()
    for error in [await waiting, await account.refused(DELETE)]:
        assert isinstance(error, Unavailable)
        assert error.code == "Closed"
    assert now() == 0
