"""Each way in which an application can fail, on real sockets, and what the report calls it."""

from __future__ import annotations

import errno
import gc
import ssl

import httpx
import pytest

from gpuinstance.core.snapshot import Probed
from gpuinstance.probes import Category
from gpuinstance.probes.failures import failure_of
from tests.unit.probes import certificates
from tests.unit.probes.conftest import APP, Patient, http_check, url_check
from tests.unit.probes.servers import Serve, drips, hangs, hangs_up, http, nobody, resets, says, serving, talks_nonsense

TRUNCATED = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok"


def test_every_category_says_whether_it_may_pass() -> None:
    """What is retried and what is critical is part of the documented behaviour."""
    assert {it.value for it in Category if it.retryable} == {
        "timeout",
        "connectionRefused",
        "connectionReset",
        "networkUnreachable",
        "badGateway",
        "serviceUnavailable",
        "serverError",
    }
    assert {it.value for it in Category if it.critical} == {"tlsError", "invalidResponse", "targetNotAllowed"}
    assert not any(it.retryable and it.critical for it in Category)


@pytest.mark.parametrize(
    ("status", "category", "message"),
    [
        (502, "badGateway", "HTTP 502 (bad gateway)"),
        (504, "badGateway", "HTTP 504 (gateway timeout)"),
        (503, "serviceUnavailable", "HTTP 503 (service unavailable)"),
        (500, "serverError", "HTTP 500 (internal server error)"),
        (599, "serverError", "HTTP 599 (not a standard status)"),
        (404, "clientError", "HTTP 404 (not found)"),
        (401, "clientError", "HTTP 401 (unauthorized)"),
        (429, "clientError", "HTTP 429 (too many requests)"),
    ],
)
async def test_statuses(patient: Patient, status: int, category: str, message: str) -> None:
    """A status that is not expected has a category, is kept as a number, and is told in words."""
    async with serving(says(http(status))) as port:
        found = await patient.one(http_check(port))
    assert found == Probed(80, healthy=False, error_type=category, status_code=status, message=message)


@pytest.mark.parametrize(
    ("expected", "status", "category"),
    [
        ("200-399", 204, None),
        ("200-399", 302, None),
        ("200-399", 401, "clientError"),
        ("200-399,401", 401, None),
        ("200,204", 302, "clientError"),
        ("503", 503, None),
        ("503", 200, "clientError"),
    ],
)
async def test_expected_statuses(patient: Patient, expected: str, status: int, category: str | None) -> None:
    """The list decides alone, for good and for bad; redirects are not followed but counted."""
    async with serving(says(http(status, "", "Location: http://10.0.0.1/"))) as port:
        found = await patient.one(http_check(port, expected=expected))
    assert (found.healthy, found.error_type) == (category is None, category)
    assert found.status_code == (status if category else None)


@pytest.mark.parametrize(
    ("serve", "category", "message"),
    [
        (hangs, "timeout", "no answer in time"),
        (drips, "timeout", "no answer in time"),
        (hangs_up, "connectionReset", "connection closed before the answer was complete"),
        (resets, "connectionReset", "connection closed before the answer was complete"),
        (talks_nonsense, "invalidResponse", "the answer is not valid HTTP"),
        (says(TRUNCATED), "connectionReset", "connection closed before the answer was complete"),
        (says(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000), "invalidResponse", "the answer is not valid HTTP"),
    ],
)
async def test_broken_applications(patient: Patient, serve: Serve, category: str, message: str) -> None:
    """Each has its category and words that stay the same from round to round."""
    timeout = 0.2 if category == "timeout" else 5
    async with serving(serve) as port:
        first = await patient.one(http_check(port), timeout_seconds=timeout)
        second = await patient.one(http_check(port), timeout_seconds=timeout)
    assert first == second == Probed(80, healthy=False, error_type=category, message=message)


async def test_nothing_listens(patient: Patient) -> None:
    """A machine whose application has not opened its port yet refuses the connection."""
    with nobody() as port:
        found = await patient.one(http_check(port))
    assert found == Probed(80, healthy=False, error_type="connectionRefused", message="connection refused")


async def test_the_name_does_not_resolve(patient: Patient) -> None:
    """It is not mistaken for a dead machine."""
    found = await patient.one(url_check("http://gone.example:8080"))
    assert (found.error_type, found.message) == ("dnsFailure", "the host name cannot be resolved")


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        (certificates.presenting(APP, expired=True), "TLS certificate not accepted (certificate has expired)"),
        (certificates.presenting(APP, self_signed=True), "TLS certificate not accepted (self-signed certificate)"),
        (
            certificates.presenting("another.example"),
            f"TLS certificate not accepted (Hostname mismatch, certificate is not valid for '{APP}'.)",
        ),
    ],
    ids=["expired", "self-signed", "of another name"],
)
async def test_certificates_are_verified(patient: Patient, tls: ssl.SSLContext, message: str) -> None:
    """A machine that cannot prove its name is not healthy, and the reason is said."""
    async with serving(says(http()), tls=tls) as port:
        found = await patient.one(url_check(f"https://{APP}:{port}"))
    assert found == Probed(80, healthy=False, error_type="tlsError", message=message)


@pytest.mark.parametrize(
    ("serve", "category", "message"),
    [
        (talks_nonsense, "tlsError", "TLS handshake failed"),
        (hangs_up, "connectionReset", "connection closed before the answer was complete"),
        (resets, "connectionReset", "connection closed before the answer was complete"),
        (hangs, "timeout", "no answer in time"),
    ],
)
async def test_no_tls_where_https_is_published(patient: Patient, serve: Serve, category: str, message: str) -> None:
    """A broken handshake has a name too, and leaves no socket behind (an open one would fail this test)."""
    async with serving(serve) as port:
        timeout = 0.2 if category == "timeout" else 5
        found = await patient.one(url_check(f"https://{APP}:{port}"), timeout_seconds=timeout)
        gc.collect()
    assert found == Probed(80, healthy=False, error_type=category, message=message)


async def test_tls_goes_to_the_judged_address_with_the_name_of_the_url(patient: Patient) -> None:
    """SNI, the name in the certificate and the Host header are those of the URL."""
    names: list[str | None] = []
    tls = certificates.presenting(APP)
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    heard: list[bytes] = []
    async with serving(says(http(), heard=heard), tls=tls) as port:
        found = await patient.one(url_check(f"https://{APP}:{port}"))
    assert found == Probed(80, healthy=True)
    assert names == [APP]
    assert f"Host: {APP}:{port}".encode() in heard[0]


REFUSED = ("http://10.0.0.1", "http://169.254.169.254", "http://[::1]:1", "http://2130706433", f"http://me@{APP}")
UNUSABLE = ("file:///etc/passwd", "http://", "http://a b", "", "://", "http://\x00")


@pytest.mark.parametrize("url", [*REFUSED, *UNUSABLE])
async def test_refused_targets(patient: Patient, url: str) -> None:
    """An address that must not be asked, or is none, is told apart from a dead application."""
    found = await patient.one(url_check(url))
    assert found.error_type == "targetNotAllowed"
    assert found.message is not None
    assert found.message.startswith("not connected: ")


async def test_a_port_without_an_address_fails_in_words(patient: Patient) -> None:
    """The provider publishes no such port: nothing is asked, and nothing is tried again."""
    found = await patient.one(url_check(None), retry_attempts=3)
    assert found == Probed(80, healthy=False, error_type="unknown", message="port 80 is not published by the provider")
    assert patient.pauses == []


@pytest.mark.parametrize(
    ("error", "category"),
    [
        (OSError(errno.ENETUNREACH, "x"), "networkUnreachable"),
        (OSError(errno.EHOSTUNREACH, "x"), "networkUnreachable"),
        (PermissionError(errno.EPERM, "x"), "networkUnreachable"),
        (OSError(errno.ETIMEDOUT, "x"), "timeout"),
        (httpx.ReadError("x"), "connectionReset"),
        (ZeroDivisionError("x"), "unknown"),
    ],
)
def test_errors_that_loopback_cannot_make(error: Exception, category: str) -> None:
    """Wrapped as the libraries wrap them; their text never shows."""
    outer = httpx.ConnectError("All connection attempts failed: x")
    outer.__context__ = error
    found = failure_of(outer if isinstance(error, OSError) else error)
    assert found.category == category
    assert " x" not in found.message
