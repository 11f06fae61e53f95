"""Sends one notification, through the guard, and says what became of it.

Only the status line and `Retry-After` of the answer are read; its body is left unread and nothing of it is kept.
Redirects are not followed: the address that was judged is the one that is called. Called by `postman`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from gpuinstance import __version__
from gpuinstance.guard import Guard, GuardedTransport, NameNotResolved, TargetNotAllowed
from gpuinstance.notify.letters import Letter
from gpuinstance.notify.signing import signatures

TIMEOUT_SECONDS = 20.0
"""For connection, request and the head of the answer together."""

_CONNECTIONS = 64


class Result(StrEnum):
    """What became of one try; a label of metrics."""

    DELIVERED = "delivered"
    """An answer of 2xx."""
    GONE = "gone"
    """410: nothing more is wanted there."""
    SLOWED = "slowed"
    """429, 502, 503 or 504: later, and less often."""
    REFUSED = "refused"
    """Any other answer, also a redirect."""
    UNREACHABLE = "unreachable"
    """No answer, or none that is HTTP."""
    NOT_ALLOWED = "not-allowed"
    """Not sent: the address is none that the operator connects to."""
    NOT_READY = "not-ready"
    """Not sent: a Secret is missing, cannot be read, or holds nothing usable."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one try. `words` hold nothing of an address, a secret or an answer's body."""

    result: Result
    words: str = ""
    retry_after: float | None = None
    """Seconds, as the receiver asks."""


_SLOWED = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class Deliverer:
    """The way out. Use one per process, and close it.

    `clock` returns the present moment, with a time zone. `guard` judges where it may be sent, and is closed with this.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        guard: Guard,
        timeout: float = TIMEOUT_SECONDS,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._clock = clock
        self._timeout = timeout
        self._guard = guard
        transport = GuardedTransport(self._guard, connections=_CONNECTIONS, ssl_context=ssl_context)
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            # One receiver's cookies would be sent to another one's.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def send(self, url: str, letter: Letter, secrets: Sequence[bytes]) -> Outcome:
        """Send one notification now. Raises nothing but cancellation."""
        timestamp = int(self._clock().timestamp())
        headers = {
            "content-type": "application/json",
            "user-agent": f"gpu-instance-operator/{__version__}",
            "webhook-id": letter.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures(letter.id, timestamp, letter.body, secrets),
        }
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream("POST", url, content=letter.body, headers=headers) as answer,
            ):
                return self._outcome(answer)
        except Exception as error:  # noqa: BLE001 - whatever happens to a delivery is its outcome
            return _failed(error)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()
        await self._guard.aclose()

    def _outcome(self, answer: httpx.Response) -> Outcome:
        status = answer.status_code
        if answer.is_success:
            return Outcome(Result.DELIVERED)
        if status == HTTPStatus.GONE:
            return Outcome(Result.GONE, "the receiver answered HTTP 410: it is gone")
        result = Result.SLOWED if status in _SLOWED else Result.REFUSED
        words = f"the receiver answered HTTP {status}"
        if answer.is_redirect:
            words += ", and redirects are not followed"
        return Outcome(result, words, self._retry_after(answer.headers.get("retry-after", "")))

    def _retry_after(self, text: str) -> float | None:
        """Return the seconds that a header asks for: a number, or a date (RFC 9110)."""
        if text.isascii() and text.isdigit():
            return float(text[:9])
        try:
            when = parsedate_to_datetime(text)
        except ValueError:
            return None
        return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - self._clock()).total_seconds())


def _failed(error: BaseException) -> Outcome:
    for link in _chain(error):
        match link:
            case TargetNotAllowed():
                return Outcome(Result.NOT_ALLOWED, f"the address is refused: {link}")
            case httpx.InvalidURL() | httpx.UnsupportedProtocol():
                return Outcome(Result.NOT_ALLOWED, "the address is refused: it is no http or https address")
            case NameNotResolved():
                return Outcome(Result.UNREACHABLE, "the receiver's host name cannot be resolved")
            case ssl.SSLError():
                return Outcome(Result.UNREACHABLE, "no trusted TLS connection to the receiver")
            case TimeoutError() | httpx.TimeoutException():
                return Outcome(Result.UNREACHABLE, "the receiver does not answer in time")
            case _:
                continue
    return Outcome(Result.UNREACHABLE, "no connection to the receiver, or no answer that is HTTP")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came from; httpcore hides the cause, which stays the context."""
    link: BaseException | None = error
    for _ in range(10):
        if link is None:
            return
        yield link
        link = link.__cause__ or link.__context__
