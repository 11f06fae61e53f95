"""One delivery: what is sent, what each answer means, and where nothing is ever sent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network

import pytest

from gpuinstance.guard import Guard
from gpuinstance.notify import Deliverer, Letter, Result
from gpuinstance.notify.signing import secrets_in
from tests.webhooks import DROP, OK, Answer, Receiver, secret

LETTER = Letter("msg_1", b'{"type":"instance.ready","timestamp":"2027-01-15T12:00:00Z","data":{"name":"trainer"}}')


def clock() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def deliverer() -> AsyncIterator[Deliverer]:
    """One that may reach this machine, and waits for half a second."""
    deliverer = Deliverer(clock=clock, guard=Guard(allowed=[ip_network("127.0.0.0/8")]), timeout=0.5)
    yield deliverer
    await deliverer.aclose()


async def test_it_sends_what_the_specification_asks_for(deliverer: Deliverer, receiver: Receiver) -> None:
    """The reference library verifies it: the body as it is, signed with its id and the present moment."""
    outcome = await deliverer.send(receiver.url, LETTER, secrets_in(receiver.signing_secret))
    assert outcome.result is Result.DELIVERED
    (arrived,) = receiver.taken
    assert arrived.body.encode() == LETTER.body
    assert arrived.id == LETTER.id
    assert arrived.headers["content-type"] == "application/json"
    assert arrived.headers["user-agent"].startswith("gpu-instance-operator/")


@pytest.mark.parametrize(
    ("answer", "result", "words"),
    [
        (Answer(200), Result.DELIVERED, ""),
        (Answer(202), Result.DELIVERED, ""),
        (Answer(410), Result.GONE, "the receiver answered HTTP 410: it is gone"),
        (Answer(429), Result.SLOWED, "the receiver answered HTTP 429"),
        (Answer(502), Result.SLOWED, "the receiver answered HTTP 502"),
        (Answer(503), Result.SLOWED, "the receiver answered HTTP 503"),
        (Answer(504), Result.SLOWED, "the receiver answered HTTP 504"),
        (Answer(500), Result.REFUSED, "the receiver answered HTTP 500"),
        (Answer(404, body=b"a secret in a page"), Result.REFUSED, "the receiver answered HTTP 404"),
        (
            Answer(302, headers={"location": "http://169.254.169.254/"}),
            Result.REFUSED,
            "the receiver answered HTTP 302, and redirects are not followed",
        ),
        (DROP, Result.UNREACHABLE, "no connection to the receiver, or no answer that is HTTP"),
    ],
)
async def test_what_an_answer_means(
    deliverer: Deliverer, receiver: Receiver, answer: Answer, result: Result, words: str
) -> None:
    """Only 2xx is a delivery; the body of an answer is never quoted, and a redirect never followed."""
    receiver.say([answer])
    outcome = await deliverer.send(receiver.url, LETTER, secrets_in(receiver.signing_secret))
    assert (outcome.result, outcome.words) == (result, words)
    assert len(receiver.arrived) == 1


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("120", 120, 120),
        (timedelta(hours=1), 3000, 3600),
        (timedelta(hours=-1), 0, 0),
        ("99999999999999", 999999999, 999999999),
    ],
)
async def test_retry_after_is_a_number_or_a_date(
    deliverer: Deliverer, receiver: Receiver, header: str | timedelta, low: float, high: float
) -> None:
    """In seconds, and never in the past."""
    text = header if isinstance(header, str) else format_datetime(datetime.now(UTC) + header, usegmt=True)
    receiver.say([Answer(429, headers={"retry-after": text})])
    outcome = await deliverer.send(receiver.url, LETTER, secrets_in(receiver.signing_secret))
    assert outcome.retry_after is not None
    assert low <= outcome.retry_after <= high


async def test_retry_after_that_means_nothing_is_none(deliverer: Deliverer, receiver: Receiver) -> None:
    """As if it were not there."""
    receiver.say([Answer(429, headers={"retry-after": "soon"})])
    assert (await deliverer.send(receiver.url, LETTER, secrets_in(receiver.signing_secret))).retry_after is None


async def test_a_receiver_that_is_silent_is_given_up_in_time(deliverer: Deliverer, receiver: Receiver) -> None:
    """The connection stands, and nothing comes."""
    hold = threading.Event()
    receiver.say([Answer(hold=hold)])
    try:
        async with asyncio.timeout(10):
            outcome = await deliverer.send(receiver.url, LETTER, secrets_in(receiver.signing_secret))
    finally:
        hold.set()
    assert (outcome.result, outcome.words) == (Result.UNREACHABLE, "the receiver does not answer in time")


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::ffff:10.0.0.1]/",
        "http://ok@127.0.0.1/",
        "ftp://hooks.example/",
        "http://[bad/",
        "sk-an-api-key",
        "",
    ],
)
async def test_what_is_not_public_is_never_called(url: str) -> None:
    """Refused before a socket exists; the words quote nothing of what may be a secret."""
    deliverer = Deliverer(clock=clock, guard=Guard())
    try:
        outcome = await deliverer.send(url, LETTER, secrets_in(secret()))
    finally:
        await deliverer.aclose()
    assert outcome.result is Result.NOT_ALLOWED
    assert outcome.words.startswith("the address is refused: ")
    assert not url or url not in outcome.words


async def test_after_trouble_the_next_one_gets_through(deliverer: Deliverer, receiver: Receiver) -> None:
    """A dropped connection leaves nothing behind."""
    receiver.say([DROP], otherwise=OK)
    secrets = secrets_in(receiver.signing_secret)
    await deliverer.send(receiver.url, LETTER, secrets)
    assert (await deliverer.send(receiver.url, LETTER, secrets)).result is Result.DELIVERED


async def test_no_cookie_is_kept(deliverer: Deliverer, receiver: Receiver) -> None:
    """One receiver's would be sent to another one's that shares its domain, whoever's that is."""
    receiver.say([Answer(200, headers={"set-cookie": "planted=1; Path=/"})])
    for _ in range(2):
        await deliverer.send(receiver.url, LETTER, secrets_in(receiver.signing_secret))
    assert all("cookie" not in arrived.headers for arrived in receiver.arrived)
    assert len(receiver.arrived) == 2
