"""Every request is governed, not only every call: an adapter, its HTTP edge and a governor, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from gpuinstance.providers.base import RateLimited, Unavailable
from gpuinstance.providers.governing.governed import Governed
from gpuinstance.providers.governing.governor import Allowance, Governor
from gpuinstance.providers.governing.leave import ask_leave, governed_by
from gpuinstance.providers.http import DEFAULT_LIMITS, Limits
from gpuinstance.providers.novita import Novita
from tests.unit.providers.governing import Notebook, now, play

Answer = Callable[[httpx.Request], httpx.Response]
SLOW = Allowance(rate=0.1, burst=1, patience=60)


class Api:
    """Novita's API: it notes when requests arrive, and answers as it is told."""

    def __init__(self, answer: Answer, allowance: Allowance = SLOW, limits: Limits = DEFAULT_LIMITS) -> None:
        self._answer = answer
        self.arrived: list[tuple[str, float]] = []
        adapter = Novita(
            "key",
            limits=limits,
            transport=httpx.MockTransport(self._handle),
            now=lambda: datetime(2026, 8, 22, tzinfo=UTC),
        )
        self.provider = Governed(adapter, Governor("novita", allowance, Notebook(), monotonic=now))

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        self.arrived.append((request.url.path.rpartition("/")[2], now()))
        return self._answer(request)

    @property
    def moments(self) -> list[float]:
        """When requests arrived."""
        return [at for _, at in self.arrived]


def paged(request: httpx.Request) -> httpx.Response:
    """Three pages of one machine each."""
    page = int(request.url.params.get("pageNum", "1"))
    machine = {"id": f"m-{page}", "name": f"n-{page}", "status": "running"}
    return httpx.Response(200, json={"instances": [machine], "total": 3})


def test_each_page_takes_a_token() -> None:
    """And the wait for it is no part of the time that the page may take, however short that is."""

    async def story() -> None:
        api = Api(paged, limits=Limits(total=5))
        assert len((await api.provider.list_machines()).machines) == 3
        assert api.moments == pytest.approx([0, 10, 20])

    play(story())


def test_a_repeated_read_takes_a_token_each_time() -> None:
    """A server in trouble is not hit faster than the budget allows."""

    async def story() -> None:
        api = Api(lambda _: httpx.Response(502))
        with pytest.raises(Unavailable, match="502"):
            await api.provider.get_machine("m-1")
        assert api.moments == pytest.approx([0, 10, 20])

    play(story())


def test_429_stops_the_requests_of_all_calls() -> None:
    """A read that is being repeated ends as soon as another call is told to pause; so does a next page."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/stop"):
            return httpx.Response(429, headers={"Retry-After": "77"}, json={"reason": "RATE_LIMIT_EXCEEDED"})
        return httpx.Response(502)

    async def story() -> None:
        api = Api(answer, Allowance(rate=100, burst=100))
        reading = asyncio.create_task(api.provider.get_machine("m-1"))
        listing = asyncio.create_task(api.provider.list_machines())
        await asyncio.sleep(0.1)
        with pytest.raises(RateLimited) as stopped:
            await api.provider.stop("m-2")
        assert stopped.value.retry_after == 77
        for task in (reading, listing):
            with pytest.raises(RateLimited) as caught:
                await task
            assert caught.value.retry_after is not None
            assert caught.value.retry_after > 70
        assert len(api.arrived) == 3

    play(story())


def test_a_change_that_could_not_be_sent_is_not_sent_during_a_pause() -> None:
    """Its second try would be a first one; what has not left by then does not leave."""
    tries = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(request)
        if request.url.path.endswith("/stop"):
            return httpx.Response(429, headers={"Retry-After": "77"}, json={"reason": "RATE_LIMIT_EXCEEDED"})
        raise httpx.ConnectError("no route")

    async def story() -> None:
        api = Api(answer, Allowance(rate=100, burst=100))
        starting = asyncio.create_task(api.provider.start("m-1"))
        await asyncio.sleep(0.1)
        with pytest.raises(RateLimited):
            await api.provider.stop("m-2")
        with pytest.raises(RateLimited):
            await starting
        assert len(tries) == 2

    play(story())


def test_where_nobody_governs_leave_is_given() -> None:
    """An adapter works alone, too, and what governs one call does not govern the next."""

    async def story() -> None:
        asked = []

        async def ask() -> None:
            asked.append(now())

        await ask_leave()
        with governed_by(ask):
            await ask_leave()
            await asyncio.create_task(ask_leave())
        await ask_leave()
        assert len(asked) == 2

    play(story())
