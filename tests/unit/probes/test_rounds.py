"""A round of checks: what is sent, how often, how long, and how many at once."""

from __future__ import annotations

import asyncio
import gzip
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from gpuinstance import __version__
from gpuinstance.api.words import PortProtocol
from gpuinstance.core.model import Check
from gpuinstance.core.snapshot import Probed
from gpuinstance.guard import Guard
from gpuinstance.probes import Prober
from gpuinstance.probes.asking import http_url
from tests.unit.probes.conftest import NOW, Patient, http_check, quick, url_check
from tests.unit.probes.servers import HOST, hangs, http, nobody, pours, says, serving

HEALTHY = Probed(80, healthy=True)


@pytest.mark.parametrize(
    ("url", "path", "asked"),
    [
        ("https://a.example", "/", "https://a.example/"),
        ("https://a.example/", "/health", "https://a.example/health"),
        ("http://127.0.0.1:8080/_apps/x/80", "/", "http://127.0.0.1:8080/_apps/x/80/"),
        ("http://127.0.0.1:8080/_apps/x/80/", "/v1/models?all=1", "http://127.0.0.1:8080/_apps/x/80/v1/models?all=1"),
        ("http://a.example", "//b.example/", "http://a.example//b.example/"),
        ("http://a.example", "@b.example/", "http://a.example/@b.example/"),
        ("http://a.example?x=1#y", "/z#w", "http://a.example/z"),
        ("http://a.example", "/caf\u00e9 1", "http://a.example/caf%C3%A9%201"),
        ("tcp://a.example:2000", "/", "http://a.example:2000/"),
        ("a.example:2000", "/", "http://a.example:2000/"),
    ],
)
def test_the_path_is_appended_to_the_published_address(url: str, path: str, asked: str) -> None:
    """And no path leads to another host."""
    assert str(http_url(url_check(url, path=path))) == asked


async def test_what_is_sent(patient: Patient) -> None:
    """One plain GET that says who asks, keeps nothing open and wants nothing packed."""
    heard: list[bytes] = []
    async with serving(says(http(), heard=heard)) as port:
        assert await patient.one(http_check(port, path="/health?x=1")) == HEALTHY
    lines = heard[0].decode().split("\r\n")
    assert lines[0] == "GET /health?x=1 HTTP/1.1"
    assert f"User-Agent: gpu-instance-operator/{__version__}" in lines
    assert "Connection: close" in lines
    assert "Accept-Encoding: identity" in lines
    assert not any(line.lower().startswith("cookie") for line in lines)


async def test_headers_of_the_user_are_sent_but_decide_nothing(patient: Patient) -> None:
    """A token for the application arrives; the host and the framing stay ours."""
    heard: list[bytes] = []
    headers = {
        "Authorization": "Bearer x",
        "user-agent": "mine",
        "HOST": "other.example",
        "Transfer-Encoding": "chunked",
    }
    async with serving(says(http(), heard=heard)) as port:
        await patient.prober.check([http_check(port)], quick(), headers={80: headers})
    request = heard[0].decode()
    assert "Authorization: Bearer x" in request
    assert "user-agent: mine" in request
    assert "gpu-instance-operator" not in request
    assert "other.example" not in request
    assert "chunked" not in request


async def test_a_header_that_cannot_be_sent_is_a_failure_that_does_not_show_it(patient: Patient) -> None:
    """A Secret that ends in a newline must not crash a pass, nor be told."""
    async with serving(says(http())) as port:
        report = await patient.prober.check([http_check(port)], quick(), headers={80: {"X-Token": "hush\nhush"}})
    assert not report.results[0].healthy
    assert "hush" not in repr(report)


async def test_cookies_are_not_kept(patient: Patient) -> None:
    """One machine must not see what another has set on the same host."""
    heard: list[bytes] = []
    async with serving(says(http(200, "ok", "Set-Cookie: id=1; Path=/"), heard=heard)) as port:
        await patient.one(http_check(port))
        await patient.one(http_check(port))
    assert b"id=1" not in heard[1]


async def test_a_redirect_is_not_followed(patient: Patient) -> None:
    """Not even on the same host; its status is the answer."""
    heard: list[bytes] = []
    async with serving(says(http(302, "", "Location: /elsewhere"), heard=heard)) as port:
        assert await patient.one(http_check(port)) == HEALTHY
    assert len(heard) == 1


async def test_an_error_page_with_a_good_status_is_unhealthy(patient: Patient) -> None:
    """The status that came is kept, the category is that of the page, and the body is not quoted."""
    async with serving(says(http(200, "<title>502 Bad Gateway</title> at host-4711"))) as port:
        found = await patient.one(http_check(port))
    assert found == Probed(
        80, healthy=False, error_type="badGateway", status_code=200, message="HTTP 200 with an error page (bad gateway)"
    )


@pytest.mark.parametrize(
    "answer",
    [http(401, "bad gateway"), http(200, gzip.compress(b"bad gateway"), "Content-Encoding: gzip"), http(204, "")],
    ids=["not 2xx or 3xx", "packed", "empty"],
)
async def test_bodies_that_tell_nothing(patient: Patient, answer: bytes) -> None:
    """An expected status stands where the body says nothing that could be read."""
    async with serving(says(answer)) as port:
        assert await patient.one(http_check(port, expected="200-401")) == HEALTHY


async def test_a_body_without_end_is_read_to_the_limit(patient: Patient) -> None:
    """It counts as a page with something to say."""
    async with serving(pours) as port:
        assert await patient.one(http_check(port)) == HEALTHY


async def test_tcp(patient: Patient) -> None:
    """A connection is enough; without one the check fails like an http one."""
    async with serving(hangs) as port:
        for url in (f"tcp://{HOST}:{port}", f"{HOST}:{port}", f"http://{HOST}:{port}/some/path"):
            assert await patient.one(Check(22, PortProtocol.TCP, url)) == Probed(22, healthy=True)
    with nobody() as port:
        found = await patient.one(Check(22, PortProtocol.TCP, f"tcp://{HOST}:{port}"))
    assert found == Probed(22, healthy=False, error_type="connectionRefused", message="connection refused")
    assert (await patient.one(Check(22, PortProtocol.TCP, "tcp://10.0.0.1:22"))).error_type == "targetNotAllowed"
    assert (await patient.one(Check(22, PortProtocol.TCP, f"tcp://{HOST}"))).error_type == "targetNotAllowed"


async def test_retries_until_it_answers(patient: Patient) -> None:
    """What may pass is tried again, with pauses that double, and the good answer counts."""
    async with serving(says(http(502), http(503), http(500), http(200))) as port:
        assert await patient.one(http_check(port), retry_attempts=3, retry_delay_seconds=2) == HEALTHY
    assert patient.pauses == [2, 4, 8]
    assert [(healthy, category) for healthy, category, _ in patient.records] == [(True, None)]


async def test_retries_end(patient: Patient) -> None:
    """The last failure is reported; pauses have a ceiling."""
    heard: list[bytes] = []
    async with serving(says(http(502), http(502), http(503), heard=heard)) as port:
        found = await patient.one(http_check(port), retry_attempts=2, retry_delay_seconds=20)
    assert found.error_type == "serviceUnavailable"
    assert len(heard) == 3
    assert patient.pauses == [20, 30]
    assert [(healthy, category) for healthy, category, _ in patient.records] == [(False, "serviceUnavailable")]


@pytest.mark.parametrize("answer", [http(404), b"nonsense\r\n\r\n"], ids=["404", "no HTTP"])
async def test_what_will_not_pass_is_not_retried(patient: Patient, answer: bytes) -> None:
    """Within seconds a missing page does not appear."""
    heard: list[bytes] = []
    async with serving(says(answer, heard=heard)) as port:
        assert not (await patient.one(http_check(port), retry_attempts=3)).healthy
    assert len(heard) == 1


async def test_endpoints_are_asked_in_parallel_and_reported_in_order(patient: Patient) -> None:
    """All are under way at the same time: each answers only after all have asked."""
    together = asyncio.Barrier(3)

    async def meets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await together.wait()
        writer.write(http())

    async with serving(meets) as port:
        checks = [Check(number, PortProtocol.HTTP, f"http://{HOST}:{port}") for number in (3, 1, 2)]
        report = await patient.prober.check(checks, quick())
    assert report.results == (Probed(3, healthy=True), Probed(1, healthy=True), Probed(2, healthy=True))


async def test_the_process_has_a_bounded_number_of_checks_on_the_wire() -> None:
    """Also over several rounds at once."""
    now, most = 0, 0

    async def counts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal now, most
        await reader.readuntil(b"\r\n\r\n")
        now += 1
        most = max(most, now)
        for _ in range(20):
            await asyncio.sleep(0)
        now -= 1
        writer.write(http())

    prober = Prober(clock=lambda: NOW, guard=Guard(allowed=[ip_network("127.0.0.0/8")]), limit=2)
    async with serving(counts) as port:
        checks = [Check(number, PortProtocol.HTTP, f"http://{HOST}:{port}") for number in range(1, 6)]
        reports = await asyncio.gather(*(prober.check(checks, quick()) for _ in range(3)))
    assert all(result.healthy for report in reports for result in report.results)
    assert most == 2
    await prober.aclose()


async def test_a_round_has_a_deadline_and_keeps_what_it_found() -> None:
    """A round that runs out of time during a retry tells the failure that it saw, not the clock."""
    answers = says(http(502))
    tries = 0

    async def first_bad_then_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        await (answers if tries == 1 else hangs)(reader, writer)

    prober = Prober(clock=lambda: NOW, guard=Guard(allowed=[ip_network("127.0.0.0/8")]), jitter=lambda: 1)
    settings = quick(timeout_seconds=50, retry_attempts=5, retry_delay_seconds=0.001, max_wait_seconds=0.3)
    async with serving(first_bad_then_silent) as port:
        report = await prober.check([http_check(port)], settings)
    assert (report.results[0].error_type, tries) == ("badGateway", 2)
    async with serving(hangs) as port:
        report = await prober.check([http_check(port)], settings)
    assert report.results[0].error_type == "timeout"
    await prober.aclose()


async def test_a_pause_beyond_the_deadline_is_not_begun(patient: Patient) -> None:
    """A pass is not held up for a try that could not be made any more."""
    async with serving(says(http(502))) as port:
        found = await patient.one(http_check(port), retry_attempts=5, retry_delay_seconds=25, max_wait_seconds=30)
    assert found.error_type == "badGateway"
    assert patient.pauses == [25]


class Silent:
    """An application that never answers, and knows when it was asked."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one guest."""
        await reader.readuntil(b"\r\n\r\n")
        self.asked.set()
        await reader.read()


async def test_a_check_that_never_got_its_turn_says_so() -> None:
    """The application is not blamed for the operator's own crowd."""
    prober = Prober(clock=lambda: NOW, guard=Guard(allowed=[ip_network("127.0.0.0/8")]), limit=1)
    silent = Silent()
    async with serving(silent) as port:
        crowd = asyncio.ensure_future(prober.check([http_check(port)], quick(timeout_seconds=60, max_wait_seconds=60)))
        await silent.asked.wait()
        report = await prober.check([http_check(port)], quick(max_wait_seconds=0.05))
        crowd.cancel()
        await asyncio.gather(crowd, return_exceptions=True)
    assert report.results[0].message == "not checked: too many checks are waiting"
    assert report.results[0].error_type == "unknown"
    await prober.aclose()


async def test_cancellation_ends_a_round_at_once(patient: Patient) -> None:
    """A shutdown does not wait for a machine that hangs."""
    silent = Silent()
    async with serving(silent) as port:
        round_ = asyncio.ensure_future(patient.prober.check([http_check(port)], quick(timeout_seconds=60)))
        await silent.asked.wait()
        round_.cancel()
        with pytest.raises(asyncio.CancelledError):
            await round_


async def test_the_moment_of_a_report_is_when_it_began() -> None:
    """Each answer is at least that fresh."""
    moments = iter([datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)])
    prober = Prober(clock=lambda: next(moments), guard=Guard())
    report = await prober.check([url_check(None)], quick())
    assert report.checked_at == datetime(2026, 1, 1, tzinfo=UTC)
    await prober.aclose()
