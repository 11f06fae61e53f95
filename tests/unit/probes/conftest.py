"""A prober for tests: it may reach loopback, trusts the authority of the tests, and never really waits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from gpuinstance.api.health import HealthCheck
from gpuinstance.api.words import PortProtocol
from gpuinstance.core.model import Check
from gpuinstance.core.snapshot import Probed
from gpuinstance.guard import Guard, NameNotResolved
from gpuinstance.guard.addresses import Address
from gpuinstance.probes import Prober
from tests.unit.probes import certificates
from tests.unit.probes.servers import HOST

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
APP = "app.example"
"""A name that the resolver of these tests knows."""


async def resolve(host: str, port: int) -> Sequence[Address]:
    if host != APP:
        raise NameNotResolved(host)
    return [ip_address(HOST)]


@dataclass
class Patient:
    """A prober, and how often and how long it wanted to wait."""

    prober: Prober
    pauses: list[float] = field(default_factory=list)
    records: list[tuple[bool, str | None, float]] = field(default_factory=list)

    async def one(self, check: Check, **settings: Any) -> Probed:
        """Check one endpoint; timings of a test, whatever the API server would allow."""
        report = await self.prober.check([check], quick(**settings))
        assert report.checked_at == NOW
        return report.results[0]


def quick(**settings: Any) -> HealthCheck:
    """Return settings as short as a test is, past the limits of the schema."""
    return HealthCheck.model_construct(**{"retry_attempts": 0, "timeout_seconds": 5, **settings})


def url_check(url: str | None, *, path: str = "/", expected: str = "200-399") -> Check:
    return Check(80, PortProtocol.HTTP, url, path, expected)


def http_check(port: int, *, path: str = "/", expected: str = "200-399") -> Check:
    return url_check(f"http://{HOST}:{port}", path=path, expected=expected)


@pytest.fixture
async def patient() -> AsyncIterator[Patient]:
    """A prober of a test."""
    pauses: list[float] = []
    records: list[tuple[bool, str | None, float]] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    prober = Prober(
        clock=lambda: NOW,
        guard=Guard(allowed=[ip_network("127.0.0.0/8")], resolve=resolve),
        ssl_context=certificates.trusting(),
        sleep=note,
        jitter=lambda: 1.0,
        record=lambda healthy, category, seconds: records.append((healthy, category, seconds)),
    )
    yield Patient(prober, pauses, records)
    await prober.aclose()
