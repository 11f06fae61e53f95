"""The HTTP edge of all providers: one credential, bounded in time, size and connections.

Called by `http_json` and `http_form`, which say how a request looks and where the credential is in it. A
*read* is repeated a few times when the connection or the server fails, whatever its method. A *change* is
never repeated once a byte of it may have been sent: only a connection that was never made is tried a
second time. What an answer means is judged in `answers`; this room only gets one, or says why there is
none. It must never put a header, the credential or an exception's own text into a message.
"""

from __future__ import annotations

import asyncio
import functools
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypedDict
from urllib.parse import quote_plus

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential_jitter,
)

from gpuinstance import __version__
from gpuinstance.api.reasons import Reason
from gpuinstance.providers.answers import Answer, Call, unusable, value_of
from gpuinstance.providers.base import ProviderError, Unauthorized, Unavailable
from gpuinstance.providers.dialects import Dialect
from gpuinstance.providers.governing.leave import ask_leave
from gpuinstance.providers.last_word import last_word

_UNSENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
"""Failures before the first byte of a request: no connection, no TLS, no tunnel, no free slot."""

_FAILED = (httpx.RequestError, OSError)
"""Every way in which a request can end without an answer; OSError holds timeouts and TLS alerts."""

_KEY = re.compile(r"[\x21-\x7e]+")

_ANY_IPV4 = "0.0.0.0"
"""As the near end of a connection it leaves IPv6 out: names are then resolved to IPv4 alone."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the edge. Times are seconds."""

    total: float = 30.0
    """One attempt, from waiting for a connection to the last byte of the answer."""
    queue: float = 15.0
    """Longest wait for a free connection; at most half of `total`."""
    connect: float = 5.0
    """Longest wait for a connection to be made; at most a quarter of `total`. So nothing that is still
    unsent can run out of `total`, and be taken for sent."""
    connections: int = 20
    body_bytes: int = 8 * 1024 * 1024
    read_attempts: int = 3
    read_seconds: float = 30.0
    """No further attempt of a read begins later than this after the first."""
    wait_initial: float = 0.5
    wait_max: float = 5.0


DEFAULT_LIMITS = Limits()


@functools.cache
def _trust() -> ssl.SSLContext:
    """Return the trusted authorities: loading them takes longer than a call, so all accounts share them."""
    return httpx.create_ssl_context()


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


class Wiring(TypedDict, total=False):
    """What every edge takes beside address, key and dialect. `transport`, `sleep` and `now` are seams for tests."""

    limits: Limits
    transport: httpx.AsyncBaseTransport | None
    sleep: Callable[[float], Awaitable[None]]
    now: Callable[[], datetime]


def clean_key(api_key: str) -> str:
    """Return the key as it is sent: a Secret made from a file ends in a newline.

    Raises Unauthorized with reason CredentialsUnavailable if it cannot be a key.
    """
    key = api_key.strip()
    if not _KEY.fullmatch(key):
        raise Unauthorized(
            "the API key is empty or holds characters that are in no key",
            reason=Reason.CREDENTIALS_UNAVAILABLE,
        )
    return key


class HttpEdge:
    """One account at one HTTP API. `key` is clean; `only_ipv4` keeps connections off IPv6."""

    def __init__(
        self,
        base_url: str,
        key: str,
        dialect: Dialect,
        *,
        headers: Mapping[str, str],
        only_ipv4: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._secrets = tuple({key, quote_plus(key)})
        self._dialect = dialect
        self._limits = limits
        self._sleep = sleep
        self._now = now
        connections = httpx.Limits(max_connections=limits.connections, max_keepalive_connections=limits.connections)
        mounts: dict[str, httpx.AsyncBaseTransport | None] = {}
        if only_ipv4 and transport is None:
            # A mount, unlike a transport, leaves the proxies of the environment in force.
            mounts["all://"] = httpx.AsyncHTTPTransport(verify=_trust(), limits=connections, local_address=_ANY_IPV4)
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers={
                "Accept": "application/json",
                # Compressed bodies would unpack to more than `body_bytes` before they can be counted.
                "Accept-Encoding": "identity",
                "User-Agent": f"gpu-instance-operator/{__version__}",
                **headers,
            },
            timeout=httpx.Timeout(
                limits.total,
                connect=min(limits.connect, limits.total / 4),
                pool=min(limits.queue, limits.total / 2),
            ),
            limits=connections,
            follow_redirects=False,
            verify=_trust(),
            transport=transport,
            mounts=mounts,
        )

    def veil(self, call: Call) -> Call:
        """Return the call with the key among its secrets, for whoever judges an answer further."""
        return replace(call, secrets=(*call.secrets, *self._secrets))

    async def _read(self, call: Call, request: httpx.Request) -> object:
        """Return the JSON value that answers a request without effect, None for an empty answer.

        Raises Unavailable after the last attempt, RateLimited at once, and what `answers` names.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_FAILED) | retry_if_result(_is_server_trouble),
            stop=stop_after_attempt(self._limits.read_attempts) | stop_after_delay(self._limits.read_seconds),
            wait=self._wait(),
            sleep=self._sleep,
            retry_error_callback=_last_outcome,
        )
        return await self._judged(call, retrying, request)

    async def _change(self, call: Call, request: httpx.Request) -> object:
        """Return the JSON value that answers a request with an effect, None for an empty answer.

        Raises UnknownOutcome wherever the request may have taken effect, Unavailable only where
        nothing was sent or the refusal is certain, and NotLeading, which is one of the former.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_UNSENT),
            stop=stop_after_attempt(2),
            wait=self._wait(),
            sleep=self._sleep,
            retry_error_callback=_last_outcome,
        )
        request.extensions["trace"] = last_word
        return await self._judged(call, retrying, request)

    async def aclose(self) -> None:
        """Close all connections; requests in flight fail."""
        await self._client.aclose()

    async def _judged(self, call: Call, retrying: AsyncRetrying, request: httpx.Request) -> object:
        call = self.veil(call)
        if self._client.is_closed:
            raise Unavailable(f"{call.what} was not sent: the client has been closed")
        try:
            answer: Answer = await retrying(self._send, request)
        except _FAILED as error:
            # `from None`: the text of a protocol error can quote a header.
            raise self._no_answer(call, error) from None
        return value_of(answer, call, self._dialect, now=self._now())

    async def _send(self, request: httpx.Request) -> Answer:
        await ask_leave()  # before the time of the attempt begins: waiting here is certainly unsent
        async with asyncio.timeout(self._limits.total):
            response = await self._client.send(request, stream=True)
            try:
                body = await self._body(response)
            finally:
                await response.aclose()
        return Answer(response.status_code, body, response.headers.get("Retry-After"))

    async def _body(self, response: httpx.Response) -> bytes | None:
        """Return the body, or None as soon as it is larger than allowed."""
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self._limits.body_bytes:
                return None
        return bytes(body)

    def _no_answer(self, call: Call, error: Exception) -> ProviderError:
        provider = self._dialect.provider
        if isinstance(error, httpx.PoolTimeout):
            return Unavailable(f"{call.what} was not sent: too many requests to {provider} are waiting")
        if isinstance(error, _UNSENT):
            return Unavailable(f"{call.what} was not sent: {provider} could not be reached")
        if isinstance(error, httpx.TimeoutException | TimeoutError):
            return unusable(call, self._dialect, "no answer in time")
        return unusable(call, self._dialect, "the connection broke before the answer was complete")

    def _wait(self) -> wait_exponential_jitter:
        first = self._limits.wait_initial
        return wait_exponential_jitter(multiplier=first, max=self._limits.wait_max, jitter=first)


def _is_server_trouble(answer: Answer) -> bool:
    return answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _last_outcome(state: RetryCallState) -> Answer:
    """Return the last answer, or raise the last failure, when attempts are used up."""
    if state.outcome is None:
        msg = "tenacity gave up before the first attempt"
        raise RuntimeError(msg)
    answer: Answer = state.outcome.result()
    return answer
