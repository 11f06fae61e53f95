"""The edge of forms: where the key is, what is repeated, and over which kind of address it goes out."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote_plus

import httpx
import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.providers.answers import Call
from gpuinstance.providers.base import ProviderError, RateLimited, Unauthorized, Unavailable, UnknownOutcome
from gpuinstance.providers.hostwinds.errors import HOSTWINDS
from gpuinstance.providers.http import Limits
from gpuinstance.providers.http_form import FormEdge

KEY = "canary+key/0123456789="
URL = "https://hostwinds.test/cloud/api.php"
READ = Call("list servers")
CHANGE = Call("create", changes=True)

Step = Exception | Callable[[], httpx.Response]


class Script(httpx.AsyncBaseTransport):
    """Answers requests by a script whose last step goes on for ever."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.requests: list[httpx.Request] = []
        self.edge = FormEdge(URL, f" {KEY}\n", HOSTWINDS, key_field="API", transport=self, sleep=self.sleep)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer by the next step of the script."""
        self.requests.append(request)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step()

    async def sleep(self, _: float) -> None:
        """Make no pause."""


def answer(status: int = 200, **content: Any) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(status, **(content or {"json": True}))


async def test_the_key_is_in_the_body_and_nowhere_else() -> None:
    """One form, POSTed to the very address, for a read and for a change; a field may have several values."""
    script = Script(answer())
    await script.edge.read(READ, {"action": "get_instances"})
    await script.edge.change(CHANGE, {"action": "add_instance", "keys[]": ("a", "b"), "srvrname": "ä&="})
    for request in script.requests:
        assert (request.method, str(request.url)) == ("POST", URL)
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert "canary" not in repr(request.headers)
    forms = [parse_qs(request.content.decode()) for request in script.requests]
    assert forms[0] == {"action": ["get_instances"], "API": [KEY]}
    assert forms[1] == {"action": ["add_instance"], "keys[]": ["a", "b"], "srvrname": ["ä&="], "API": [KEY]}


PASSING: dict[str, Step] = {
    "no connection": httpx.ConnectError("refused"),
    "no answer": httpx.ReadTimeout("slow"),
    "a broken connection": httpx.RemoteProtocolError("Server disconnected"),
    "half a request": httpx.WriteError("gone"),
    "a TLS alert": OSError("sslv3 alert"),
    "a broken server": answer(500),
    "a broken gateway": answer(502, text="<html>"),
}
SENT = {name: step for name, step in PASSING.items() if name != "no connection"}


@pytest.mark.parametrize("step", PASSING.values(), ids=PASSING.keys())
async def test_a_read_is_repeated_whatever_its_method(step: Step) -> None:
    """The same form is sent again after passing trouble; trouble that stays is Unavailable."""
    script = Script(step, answer())
    assert await script.edge.read(READ, {"action": "get_instances"}) is True
    assert len({request.content for request in script.requests}) == 1
    assert len(script.requests) == 2
    script = Script(step)
    with pytest.raises(Unavailable):
        await script.edge.read(READ, {"action": "get_instances"})
    assert len(script.requests) == 3


@pytest.mark.parametrize("step", SENT.values(), ids=SENT.keys())
async def test_a_change_is_never_repeated_once_a_byte_may_have_been_sent(step: Step) -> None:
    """Its outcome is unknown after one request."""
    script = Script(step)
    with pytest.raises(UnknownOutcome):
        await script.edge.change(CHANGE, {"action": "add_instance"})
    assert len(script.requests) == 1


async def test_a_change_that_was_not_sent_is_tried_once_more() -> None:
    """A connection that was never made carried nothing."""
    script = Script(httpx.ConnectError("refused"), answer())
    assert await script.edge.change(CHANGE, {"action": "add_instance"}) is True
    script = Script(httpx.ConnectError("refused"))
    with pytest.raises(Unavailable, match="not sent"):
        await script.edge.change(CHANGE, {"action": "add_instance"})
    assert len(script.requests) == 2


async def test_a_limit_and_a_refused_key_are_answers() -> None:
    """They are not asked for twice."""
    for status, error in ((429, RateLimited), (401, Unauthorized), (403, Unauthorized)):
        script = Script(answer(status, headers={"Retry-After": "7"}))
        with pytest.raises(error):
            await script.edge.read(READ, {"action": "get_instances"})
        assert len(script.requests) == 1


async def test_an_answer_has_a_largest_size() -> None:
    """A longer one is none."""
    script = Script(answer(text=" " * 2000))
    script.edge = FormEdge(URL, KEY, HOSTWINDS, key_field="API", transport=script, limits=Limits(body_bytes=1000))
    with pytest.raises(Unavailable, match="too large"):
        await script.edge.read(READ, {})
    with pytest.raises(UnknownOutcome, match="too large"):
        await script.edge.change(CHANGE, {})


LEAKS: list[Step] = [
    httpx.LocalProtocolError(f"odd body API={quote_plus(KEY)}"),
    answer(400, json=[{"result": "error", "message": f"no key {KEY}"}]),
    answer(400, json=[{"result": "error", "message": f"API={quote_plus(KEY)}"}]),
    answer(401, json=[{"result": "error", "message": f"no key {KEY}"}]),
]


@pytest.mark.parametrize("step", LEAKS)
async def test_the_key_is_in_no_message(step: Step) -> None:
    """Neither as it is nor as it is written in a form."""
    edge = Script(step).edge
    for attempt in (edge.read(READ, {}), edge.change(CHANGE, {})):
        with pytest.raises(ProviderError) as caught:
            await attempt
        assert "canary" not in caught.value.message
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_call_can_be_veiled_for_later_judgement() -> None:
    """Who judges the content of an answer knows what must not be repeated, without showing it."""
    call = Script(answer()).edge.veil(Call("create", secrets=("mine",)))
    assert {"mine", KEY, quote_plus(KEY)} == set(call.secrets)
    assert "canary" not in repr(call)


@pytest.mark.parametrize("key", ["", "  ", "two words", "line\nbreak", "schlüssel", "\x00"])
def test_a_malformed_key_is_named_before_anything_is_sent(key: str) -> None:
    """It is the Secret's fault, and not repeated in the message."""
    with pytest.raises(Unauthorized) as caught:
        FormEdge(URL, key, HOSTWINDS, key_field="API")
    assert caught.value.reason is Reason.CREDENTIALS_UNAVAILABLE
    assert not key.strip() or key not in caught.value.message


async def test_it_goes_out_over_ipv4_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with addresses of both kinds is asked for its IPv4 ones, and connected to over IPv4."""
    families: list[int] = []
    seen: list[int] = []

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("socket").family)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ntrue")
        writer.close()

    server = await asyncio.start_server(welcome, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def both_kinds(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in ("hostwinds.test", b"hostwinds.test"):
            return await resolve(host, *args, **kwargs)
        family = kwargs.get("family", 0)
        families.append(family)
        four = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        six = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))
        return [it for it in (six, four) if family in (0, it[0])]

    monkeypatch.setattr(loop, "getaddrinfo", both_kinds)
    edge = FormEdge(f"http://hostwinds.test:{port}/api.php", KEY, HOSTWINDS, key_field="API")
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(server.wait_closed)
        stack.callback(server.close)
        stack.push_async_callback(edge.aclose)
        assert await edge.read(READ, {}) is True
    assert (families, seen) == ([socket.AF_INET], [socket.AF_INET])


async def test_an_address_of_the_other_kind_is_not_reached() -> None:
    """It is certain that nothing was sent."""
    no_pause = Script(answer()).sleep
    edge = FormEdge("http://[::1]:9/api.php", KEY, HOSTWINDS, key_field="API", sleep=no_pause)
    with pytest.raises(Unavailable, match="not sent"):
        await edge.change(CHANGE, {})
    await edge.aclose()


async def test_a_proxy_of_the_environment_stays_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider sees the proxy's address then, and its kind is the proxy's affair."""
    direct = FormEdge(URL, KEY, HOSTWINDS, key_field="API")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    proxied = FormEdge(URL, KEY, HOSTWINDS, key_field="API")
    transports = [edge._client._transport_for_url(httpx.URL(URL)) for edge in (direct, proxied)]
    pools = [type(getattr(transport, "_pool", None)).__name__ for transport in transports]
    assert pools == ["AsyncConnectionPool", "AsyncHTTPProxy"]
    for edge in (direct, proxied):
        await edge.aclose()
