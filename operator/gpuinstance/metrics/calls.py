"""What is asked of others: calls to providers, and the endpoints of machines.

Part of `Metrics`; every method is safe to call at any time and never raises.
"""

from __future__ import annotations

from gpuinstance.metrics.families import Families, Part

_SECONDS_OF_CALLS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)
_SECONDS_OF_WAITS = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)


class Calls(Part):
    """Calls to providers and to endpoints."""

    def __init__(self, families: Families) -> None:
        super().__init__(families)
        counter, histogram = families.counter, families.histogram
        self._requests = counter(
            "provider_requests",
            "Calls to a provider, by operation and by how they ended: `Success` or the name of an error, such as "
            "`RateLimited`, `Unavailable`, `Unauthorized` or `UnknownOutcome`.",
            "provider",
            "operation",
            "code",
        )
        self._request_seconds = histogram(
            "provider_request_duration_seconds",
            "How long calls to a provider took, retries included.",
            _SECONDS_OF_CALLS,
            "provider",
            "operation",
        )
        self._refusals = counter(
            "provider_calls_refused",
            "Calls that were not sent to a provider, by the reason of the refusal.",
            "provider",
            "reason",
        )
        self._waits = histogram(
            "provider_wait_seconds",
            "How long calls that were sent to a provider had waited for their turn, by lane: `urgent`, `changes` or "
            "`polls`.",
            _SECONDS_OF_WAITS,
            "provider",
            "lane",
        )
        self._checks = counter(
            "health_checks",
            "Checked endpoints, by result (`healthy`, `unhealthy`) and category of the failure.",
            "result",
            "category",
        )
        self._check_seconds = histogram(
            "health_check_duration_seconds",
            "Response time of checked endpoints: how long the last try of a round took.",
            _SECONDS_OF_CALLS,
        )

    def provider_request(self, *, provider: str, operation: str, outcome: str, seconds: float) -> None:
        """A call to a provider ended; `outcome` is `Success` or the name of an error."""
        self._families.add(self._requests, provider, operation, outcome)
        self._families.of(self._request_seconds, provider, operation).observe(seconds)

    def provider_waited(self, *, provider: str, lane: str, seconds: float) -> None:
        """A call to a provider has got its turn."""
        self._families.of(self._waits, provider, lane).observe(seconds)

    def provider_refused(self, *, provider: str, reason: str) -> None:
        """A call to a provider was not sent."""
        self._families.add(self._refusals, provider, reason)

    def health_check(self, healthy: bool, category: str | None, seconds: float | None = None) -> None:  # noqa: FBT001 - a fact
        """One endpoint was checked; `seconds` is the time of its last try."""
        self._families.add(self._checks, "healthy" if healthy else "unhealthy", category or "none")
        if seconds is not None:
            self._check_seconds.observe(seconds)
