"""The HTTP edge: what is repeated, what never is, and what a failure leaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import httpx
import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.providers.answers import Call
from gpuinstance.providers.base import (
    ProviderError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
)
from gpuinstance.providers.http import DEFAULT_LIMITS, Limits
from gpuinstance.providers.http_json import JsonEdge
from gpuinstance.providers.novita.errors import NOVITA

KEY = "sk-canary-0123456789"
READ = Call("list instances")
CHANGE = Call("create", changes=True)

Step = Exception | httpx.Response


class Script(httpx.AsyncBaseTransport):
    """Answers requests by a script whose last step goes on for ever."""

    def __init__(self, *steps: Step | Callable[[], Step]) -> None:
        self.steps = list(steps)
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer by the next step of the script."""
        self.requests.append(request)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        outcome = step() if callable(step) else step
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def sleep(self, seconds: float) -> None:
        """Note a pause instead of making it."""
        self.slept.append(seconds)

    def edge(self, limits: Limits = DEFAULT_LIMITS) -> JsonEdge:
        """Build an edge over this script."""
        return JsonEdge(
            "http://novita.test/v1",
            KEY,
            NOVITA,
            limits=limits,
            transport=self,
            sleep=self.sleep,
            now=lambda: datetime(2026, 8, 22, tzinfo=UTC),
        )

    async def read(self, limits: Limits = DEFAULT_LIMITS) -> object:
        """Send one read."""
        return await self.edge(limits).read(READ, "/things", {"pageNum": 1})

    async def change(self, limits: Limits = DEFAULT_LIMITS) -> object:
        """Send one change."""
        return await self.edge(limits).change(CHANGE, "/things", {"name": "ä"})


def ok(value: object = True) -> Callable[[], Step]:
    return lambda: httpx.Response(200, json=value)


def status(code: int, **kwargs: object) -> Callable[[], Step]:
    return lambda: httpx.Response(code, **kwargs)  # type: ignore[arg-type]  # what httpx takes


async def test_requests_carry_what_the_provider_wants() -> None:
    """Path below the base URL, bearer token, JSON, our name."""
    script = Script(ok())
    await script.change()
    request = script.requests[0]
    assert str(request.url) == "http://novita.test/v1/things"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"].startswith("gpu-instance-operator/")
    assert json.loads(request.content) == {"name": "ä"}


TRANSIENT = {
    "no connection": httpx.ConnectError("refused"),
    "no answer": httpx.ReadTimeout("slow"),
    "a broken connection": httpx.RemoteProtocolError("Server disconnected"),
    "half a request": httpx.WriteError("gone"),
    "a TLS alert": OSError("sslv3 alert"),
    "a broken server": status(500),
    "a broken gateway": status(502, text="<html>"),
}


@pytest.mark.parametrize("step", TRANSIENT.values(), ids=TRANSIENT.keys())
async def test_a_read_is_repeated(step: Step | Callable[[], Step]) -> None:
    """A read that meets passing trouble succeeds at the next attempt, after a pause."""
    script = Script(step, ok())
    assert await script.read() is True
    assert len(script.requests) == 2
    assert len(script.slept) == 1


@pytest.mark.parametrize("step", TRANSIENT.values(), ids=TRANSIENT.keys())
async def test_a_read_gives_up(step: Step | Callable[[], Step]) -> None:
    """Trouble that stays is Unavailable after three attempts with growing pauses."""
    script = Script(step)
    with pytest.raises(Unavailable):
        await script.read()
    assert len(script.requests) == 3
    assert 0.5 <= script.slept[0] <= 1.0 <= script.slept[1] <= 1.5


@pytest.mark.parametrize("code", [400, 401, 403, 404, 429, 302])
async def test_an_answer_is_not_asked_for_twice(code: int) -> None:
    """Refusals and limits are answers: they are not repeated."""
    script = Script(status(code, json={"reason": "VALIDATOR_PARAM", "message": "m"}))
    with pytest.raises(ProviderError):
        await script.read()
    assert len(script.requests) == 1


async def test_a_limit_is_raised_at_once() -> None:
    """429 is not waited out here: whoever shares the account has to know."""
    script = Script(status(429, headers={"Retry-After": "12"}))
    with pytest.raises(RateLimited) as caught:
        await script.read()
    assert caught.value.retry_after == 12
    assert script.slept == []


UNSENT = {
    "no connection": httpx.ConnectError("refused"),
    "a slow connection": httpx.ConnectTimeout("slow"),
    "no free connection": httpx.PoolTimeout("busy"),
    "no tunnel": httpx.ProxyError("403"),
}


@pytest.mark.parametrize("error", UNSENT.values(), ids=UNSENT.keys())
async def test_a_change_that_was_not_sent_is_tried_once_more(error: Exception) -> None:
    """It either succeeds then, or is Unavailable: nothing was changed."""
    script = Script(error, ok())
    assert await script.change() is True
    script = Script(error)
    with pytest.raises(Unavailable, match="not sent"):
        await script.change()
    assert len(script.requests) == 2


SENT = {name: step for name, step in TRANSIENT.items() if name != "no connection"} | {
    "a redirect": status(307, headers={"Location": "http://elsewhere.test/"}),
    "a page": status(200, text="<html>"),
    "half an answer": status(200, text='{"id"'),
    "a corrupt encoding": status(200, content=b"no gzip", headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("step", SENT.values(), ids=SENT.keys())
async def test_a_change_that_may_have_been_sent_is_never_repeated(step: Step | Callable[[], Step]) -> None:
    """Its outcome is unknown after one request, whatever came back."""
    script = Script(step)
    with pytest.raises(UnknownOutcome):
        await script.change()
    assert len(script.requests) == 1


async def test_a_refused_change_is_not_repeated() -> None:
    """A definite no is passed on."""
    script = Script(status(400, json={"reason": "VALIDATOR_PARAM", "message": "bad"}))
    with pytest.raises(Rejected, match="Novita refused create: bad"):
        await script.change()
    assert len(script.requests) == 1


class Endless(httpx.AsyncByteStream):
    """A body without end that counts what was taken of it."""

    def __init__(self) -> None:
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.taken += 1
            yield b" " * 1024

    async def aclose(self) -> None:
        """Nothing is held open."""


async def test_an_answer_has_a_largest_size() -> None:
    """A body that does not end is left after the allowed bytes."""
    limits = Limits(body_bytes=10 * 1024)
    body = Endless()
    with pytest.raises(Unavailable, match="too large"):
        await Script(httpx.Response(200, stream=body)).read(limits)
    assert body.taken == 11
    with pytest.raises(UnknownOutcome):
        await Script(httpx.Response(200, stream=Endless())).change(limits)


class Silent(httpx.AsyncByteStream):
    """A body that never comes."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async def aclose(self) -> None:
        """Nothing is held open."""


async def test_an_attempt_has_a_longest_time() -> None:
    """Headers followed by silence end with the attempt's time, not with the silence."""
    limits = Limits(total=0.01, read_attempts=2)
    script = Script(lambda: httpx.Response(200, stream=Silent()))
    with pytest.raises(Unavailable, match="no answer in time"):
        await script.read(limits)
    assert len(script.requests) == 2
    with pytest.raises(UnknownOutcome, match="no answer in time"):
        await Script(lambda: httpx.Response(200, stream=Silent())).change(limits)


LEAKS = [
    httpx.LocalProtocolError(f"Illegal header value b'Bearer {KEY}'"),
    httpx.ConnectError(f"cannot reach http://{KEY}@novita.test"),
    status(400, json={"reason": "VALIDATOR_PARAM", "message": f"key {KEY} may not"}),
    status(401, json={"reason": "INVALID_API_KEY", "message": f"unknown key {KEY}"}),
    status(500, json={"message": f"crashed with {KEY}"}),
]


@pytest.mark.parametrize("step", LEAKS)
async def test_the_key_is_in_no_message(step: Step | Callable[[], Step]) -> None:
    """Neither an exception's text nor a provider that repeats the key brings it into an error."""
    for attempt in (Script(step).read, Script(step).change):
        with pytest.raises(ProviderError) as caught:
            await attempt()
        assert KEY not in caught.value.message
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("key", ["", "  ", "two words", "line\nbreak", "schlüssel", "\x00"])
def test_a_malformed_key_is_named_before_anything_is_sent(key: str) -> None:
    """A key that no header can carry is the Secret's fault, and is not repeated in the message."""
    with pytest.raises(Unauthorized) as caught:
        JsonEdge("http://novita.test", key, NOVITA)
    assert caught.value.reason is Reason.CREDENTIALS_UNAVAILABLE
    assert not key.strip() or key not in caught.value.message


async def test_a_key_from_a_file_may_end_in_a_newline() -> None:
    """Blanks around the key are not part of it."""
    script = Script(ok())
    edge = JsonEdge("http://novita.test", f" {KEY}\n", NOVITA, transport=script)
    await edge.read(READ, "/x", {})
    assert script.requests[0].headers["Authorization"] == f"Bearer {KEY}"


async def test_a_closed_edge_sends_nothing() -> None:
    """After closing, a call is Unavailable: provably unsent."""
    script = Script(ok())
    edge = script.edge()
    await edge.aclose()
    with pytest.raises(Unavailable, match="not sent"):
        await edge.change(CHANGE, "/x", {})
    assert script.requests == []
