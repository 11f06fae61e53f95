"""No connection is ever opened to a refused address: proved where the kernel is asked for one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network

import httpx
import pytest

from gpuinstance.guard import Guard, GuardedTransport, NameNotResolved, TargetNotAllowed
from gpuinstance.guard.addresses import Address
from tests.unit.guard import vectors
from tests.unit.guard.sockets import listening_for_connections

HOST = "127.77.0.1"
"""Where the servers of these tests listen: the only address that may be reached, and no usual loopback."""

TLS = httpx.create_ssl_context()
"""Made once: reading all authorities takes longer than any of these tests."""

ALLOWED = ip_network(f"{HOST}/32")


@asynccontextmanager
async def client_of(guard: Guard, *, follow_redirects: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=GuardedTransport(guard, ssl_context=TLS), follow_redirects=follow_redirects, timeout=10
    ) as client:
        yield client
    await guard.aclose()


@asynccontextmanager
async def server(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answer every request with these bytes; yield the port and the requests."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as listening:
        yield listening.sockets[0].getsockname()[1], requests


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@pytest.mark.parametrize(("url", "story"), vectors.URLS, ids=[url for url, _ in vectors.URLS])
async def test_no_connection_is_opened(url: str, story: str) -> None:
    """Each of the table is refused, and no socket of the process has been connected to anything."""
    guard = Guard(denied=[ip_network(vectors.DENIED)], resolve=vectors.resolve)
    with listening_for_connections() as connections:
        async with client_of(guard) as client:
            with pytest.raises((TargetNotAllowed, httpx.InvalidURL)):
                await client.get(url)
    assert connections == [], story


async def test_a_url_without_a_host_is_refused() -> None:
    """Nothing is guessed."""
    async with client_of(Guard()) as client:
        with pytest.raises((TargetNotAllowed, httpx.UnsupportedProtocol)):
            await client.get("http:///nowhere")


@pytest.mark.parametrize(("url", "story"), vectors.URLS, ids=[url for url, _ in vectors.URLS])
async def test_no_redirect_leads_there(url: str, story: str) -> None:
    """Even a client that follows redirects connects to nothing but the server that sent it."""
    guard = Guard(allowed=[ALLOWED], denied=[ip_network(vectors.DENIED)], resolve=vectors.resolve)
    answer = f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with server(answer.encode()) as (port, _):
        with listening_for_connections() as connections:
            async with client_of(guard, follow_redirects=True) as client:
                with pytest.raises((TargetNotAllowed, httpx.InvalidURL, httpx.RemoteProtocolError)):
                    await client.get(f"http://{HOST}:{port}/")
    assert connections == [(HOST, port)], story


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::1", "2130706433", "localhost", "one-of-two.example", "mapped.example"]
)
async def test_tcp_is_guarded_alike(host: str) -> None:
    """A check of a tcp port goes through the same judgement."""
    guard = Guard(resolve=vectors.resolve)
    with listening_for_connections() as connections, pytest.raises(TargetNotAllowed):
        await guard.touch(host, 22)
    assert connections == []
    await guard.aclose()


async def test_the_ear_hears() -> None:
    """What is allowed is heard to connect, so silence in the other tests means something."""
    guard = Guard(allowed=[ALLOWED])
    async with server(OK) as (port, _):
        with listening_for_connections() as connections:
            async with client_of(guard) as client:
                assert (await client.get(f"http://{HOST}:{port}/")).text == "ok"
            await guard.touch(HOST, port)
    assert connections == [(HOST, port), (HOST, port)]


async def test_a_name_is_resolved_once_and_the_judged_address_is_used() -> None:
    """A name server that says something else the second time is not asked a second time."""
    answers = [[ip_address(HOST)], [ip_address("10.0.0.1")]]
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[Address]:
        asked.append(host)
        return answers[len(asked) - 1]

    async with server(OK) as (port, requests):
        with listening_for_connections() as connections:
            async with client_of(Guard(allowed=[ALLOWED], resolve=rebinding)) as client:
                assert (await client.get(f"http://app.example:{port}/")).is_success
    assert asked == ["app.example"]
    assert connections == [(HOST, port)]
    assert f"Host: app.example:{port}".encode() in requests[0]


async def test_each_connection_is_judged_anew() -> None:
    """An address that was fine a moment ago gives no right to the next one."""
    answers = iter([[ip_address(HOST)], [ip_address("10.0.0.1")]])

    async def rebinding(host: str, port: int) -> Sequence[Address]:
        return next(answers)

    async with server(OK) as (port, _), client_of(Guard(allowed=[ALLOWED], resolve=rebinding)) as client:
        await client.get(f"http://app.example:{port}/")
        with pytest.raises(TargetNotAllowed, match="private address is not allowed"):
            await client.get(f"http://app.example:{port}/")


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    """A name with a dead address and a living one works."""

    async def two(host: str, port: int) -> Sequence[Address]:
        return [ip_address("127.77.0.2"), ip_address(HOST)]

    guard = Guard(allowed=[ip_network("127.77.0.0/24")], resolve=two)
    async with server(OK) as (port, _), client_of(guard) as client:
        assert (await client.get(f"http://app.example:{port}/")).is_success
        await guard.touch("app.example", port)


async def test_a_name_without_addresses_is_said_to_be_so() -> None:
    """Also when the name server knows the name."""

    async def none(host: str, port: int) -> Sequence[Address]:
        return []

    with pytest.raises(NameNotResolved):
        await Guard(resolve=none).addresses("app.example", 80)


async def test_the_system_resolves_names() -> None:
    """Without another resolver; and what it says is judged."""
    guard = Guard()
    with pytest.raises(TargetNotAllowed, match="loopback address is not allowed"):
        await guard.addresses("localhost", 80)
    with pytest.raises(NameNotResolved):
        await guard.addresses(f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 63}.invalid", 80)
    await guard.aclose()


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would connect on the operator's behalf, to addresses that nobody judged."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with server(OK) as (port, _):
        with listening_for_connections() as connections:
            async with client_of(Guard(allowed=[ALLOWED])) as client:
                assert (await client.get(f"http://{HOST}:{port}/")).is_success
    assert connections == [(HOST, port)]
