"""One round of health checks: all endpoints of a machine at once, with patience, but not for ever.

Called by a pass that needs the fact. The process has a bounded number of checks on the wire; a check that
fails in a way that may pass is tried again within its round; the round has a deadline. What follows from the
report is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from gpuinstance.api.health import HealthCheck
from gpuinstance.api.words import PortProtocol
from gpuinstance.core.model import Check
from gpuinstance.core.snapshot import HealthReport, Probed
from gpuinstance.guard import Guard
from gpuinstance.probes.asking import Asker
from gpuinstance.probes.failures import Category, Failure, failure_of

MOST_AT_ONCE = 64
"""Checks on the wire in this process."""

ROUND_SECONDS = 60.0
"""What waiting and retries may add to one round beyond one full `timeoutSeconds`: a pass must end."""

_LONGEST_PAUSE = 30.0
_NOT_REACHED = Failure(Category.UNKNOWN, "not checked: too many checks are waiting")
_TIMED_OUT = Failure(Category.TIMEOUT, "no answer in time")

Record = Callable[[bool, str | None, float], None]
"""Hears of one checked endpoint: healthy, category of the failure, seconds that the last try took."""


@dataclass(frozen=True, slots=True)
class _Round:
    """What the checks of one call have in common."""

    settings: HealthCheck
    headers: Mapping[int, Mapping[str, str]] = field(repr=False)
    deadline: float
    """In the time of the event loop."""


class Prober:
    """Health checks of one process. Use one, and close it.

    `clock` returns the present moment, with a time zone. `guard` judges what may be asked, and is closed with this.
    `sleep` waits between tries; `jitter` returns the factor, around 1, by which a pause is stretched. `record` hears
    of each endpoint, for metrics.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        guard: Guard,
        limit: int = MOST_AT_ONCE,
        round_seconds: float = ROUND_SECONDS,
        ssl_context: ssl.SSLContext | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = lambda: random.uniform(0.5, 1.5),  # noqa: S311 - it spreads load
        record: Record = lambda _healthy, _category, _seconds: None,
    ) -> None:
        self._clock = clock
        self._slots = asyncio.Semaphore(limit)
        self._round_seconds = round_seconds
        self._guard = guard
        self._asker = Asker(self._guard, connections=limit, ssl_context=ssl_context)
        self._sleep = sleep
        self._jitter = jitter
        self._record = record

    async def check(
        self,
        checks: Sequence[Check],
        health_check: HealthCheck,
        *,
        headers: Mapping[int, Mapping[str, str]] | None = None,
    ) -> HealthReport:
        """Ask all endpoints and return one result each, in their order. Raises nothing but cancellation.

        `headers` are sent with the http check of their port and may be secret. Each answer is at least as
        fresh as `checked_at`.
        """
        checked_at = self._clock()
        allowed = min(health_check.timeout_seconds + self._round_seconds, health_check.max_wait_seconds)
        deadline = asyncio.get_running_loop().time() + allowed
        round_ = _Round(health_check, headers or {}, deadline)
        results = await asyncio.gather(*(self._endpoint(check, round_) for check in checks))
        return HealthReport(checked_at, tuple(results))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._asker.aclose()
        await self._guard.aclose()

    async def _endpoint(self, check: Check, round_: _Round) -> Probed:
        failure, seconds = await self._with_retries(check, round_)
        self._record(failure is None, failure.category if failure else None, seconds)
        if failure is None:
            return Probed(check.port, healthy=True)
        return Probed(
            check.port,
            healthy=False,
            error_type=failure.category,
            status_code=failure.status_code,
            message=failure.message,
        )

    async def _with_retries(self, check: Check, round_: _Round) -> tuple[Failure | None, float]:
        """Return what the last finished try found, and the seconds that it took."""
        if check.url is None:
            return Failure(Category.UNKNOWN, f"port {check.port} is not published by the provider"), 0.0
        loop = asyncio.get_running_loop()
        found: tuple[Failure | None, float] | None = None

        async def one_try() -> Failure | None:
            nonlocal found
            async with self._slots:  # and not during pauses
                found = found or (_TIMED_OUT, 0.0)
                started = loop.time()
                failure = await self._try(check, round_)
                found = failure, loop.time() - started
            return failure

        def is_over(state: RetryCallState) -> bool:
            tries = 1 + round_.settings.retry_attempts
            return state.attempt_number >= tries or loop.time() + state.upcoming_sleep >= round_.deadline

        retrying = AsyncRetrying(
            retry=retry_if_result(lambda failure: failure is not None and failure.category.retryable),
            stop=is_over,
            wait=lambda state: self._pause(round_.settings.retry_delay_seconds, state.attempt_number),
            sleep=self._sleep,
            retry_error_callback=lambda _: None,
        )
        try:
            async with asyncio.timeout_at(round_.deadline):
                await retrying(one_try)
        except TimeoutError:
            pass  # what was found before the deadline stands
        return found or (_NOT_REACHED, 0.0)

    def _pause(self, first: float, attempt: int) -> float:
        return min(_LONGEST_PAUSE, first * 2.0 ** (attempt - 1) * self._jitter())

    async def _try(self, check: Check, round_: _Round) -> Failure | None:
        try:
            async with asyncio.timeout(round_.settings.timeout_seconds):
                if check.protocol is PortProtocol.HTTP:
                    return await self._asker.http(
                        check, round_.headers.get(check.port, {}), round_.settings.body_error_patterns or ()
                    )
                await self._asker.tcp(check)
                return None
        except Exception as error:  # noqa: BLE001 - whatever happens to a check is its result
            return failure_of(error)
