"""What kubelet and Prometheus get."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from gpuinstance.metrics import Metrics
from gpuinstance.server import Server, parse_address


class Health:
    """What the process says of itself, as a test wants it."""

    def __init__(self) -> None:
        self.alive: str | None = None
        self.ready: str | None = "the watch has not begun"


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
async def client(health: Health) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a running server."""
    metrics = Metrics()
    metrics.conflict()
    server = Server("127.0.0.1:0", metrics, alive=lambda: health.alive, ready=lambda: health.ready)
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        yield client
    await server.stop()


async def test_alive_and_ready_are_two_questions(client: httpx.AsyncClient, health: Health) -> None:
    """A process that is alive but not ready is neither restarted nor used."""
    alive, ready = await client.get("/healthz"), await client.get("/readyz")
    assert (alive.status_code, alive.text) == (200, "ok\n")
    assert (ready.status_code, ready.text) == (503, "the watch has not begun\n")
    health.alive, health.ready = "the queue has not moved for 300 s", None
    alive, ready = await client.get("/healthz"), await client.get("/readyz")
    assert (alive.status_code, alive.text) == (503, "the queue has not moved for 300 s\n")
    assert ready.status_code == 200


async def test_metrics_are_served_as_what_they_are(client: httpx.AsyncClient) -> None:
    """Prometheus refuses a scrape without the right content type."""
    plain = await client.get("/metrics")
    assert plain.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "gpuinstance_conflicts_total 1.0" in plain.text
    open_metrics = await client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert open_metrics.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert open_metrics.text.endswith("# EOF\n")


async def test_nothing_else_is_served(client: httpx.AsyncClient) -> None:
    """No other path, no other method."""
    assert (await client.get("/")).status_code == 404
    assert (await client.post("/healthz")).status_code == 405


async def test_a_taken_port_is_an_error_and_leaves_nothing_behind() -> None:
    """The operator must not run without its liveness."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = Server(f"127.0.0.1:{port}", Metrics(), alive=lambda: None, ready=lambda: None)
        with pytest.raises(OSError, match="address already in use"):
            await server.start()
    await server.stop()


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::]:8080", ("::", 8080)),
        (":8080", (None, 8080)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_addresses(listen: str, address: tuple[str | None, int]) -> None:
    """As servers are usually told where to listen."""
    assert parse_address(listen) == address


@pytest.mark.parametrize("listen", ["", "8080", "::1:8080", "[::1]", "host:", "host:http", "host:1234567"])
def test_what_is_no_address_is_refused_in_words(listen: str) -> None:
    """The text shows what was given and how it should look."""
    with pytest.raises(ValueError, match=r"not an address such as 127\.0\.0\.1:8080"):
        parse_address(listen)
