"""A postman in virtual time: hours pass at once, and every try is written down with its moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gpuinstance.api.notifications import Notification, SecretValueRef, SigningSecretRef, UrlSource
from gpuinstance.core.outbox import Report
from gpuinstance.notify import Letter, Mailing, Outcome, Postman, Result, SecretUnreadable, Subject
from tests.properties.world.virtual_time import VirtualTimeLoop
from tests.webhooks import secret

SUBJECT = Subject("GPUInstance", "ml", "trainer", "u-1")
DELIVERED = Outcome(Result.DELIVERED)
BUSY = Outcome(Result.SLOWED, "the receiver answered HTTP 503")
BROKEN = Outcome(Result.REFUSED, "the receiver answered HTTP 500")
GONE = Outcome(Result.GONE, "the receiver answered HTTP 410: it is gone")


@dataclass(frozen=True, slots=True)
class Try:
    """One delivery that was tried."""

    at: float
    url: str
    letter: str


def destination(name: str = "ops", url: str | None = "https://hooks.example/ops") -> Notification:
    source = None if url is not None else UrlSource(secret_key_ref=SecretValueRef(name="hooks", key="url"))
    return Notification(name=name, url=url, url_from=source, signing_secret_ref=SigningSecretRef(name="hooks"))


def letters(*ids: str) -> tuple[Letter, ...]:
    return tuple(Letter(it, it.encode()) for it in ids)


@dataclass
class Desk:
    """The postman, the world around it, and the clock."""

    loop: VirtualTimeLoop = field(default_factory=VirtualTimeLoop)
    answer: Callable[[str, str], Outcome] = lambda _url, _letter: DELIVERED
    """From url and letter."""
    seconds: float = 0.1
    """How long a delivery takes."""
    leads: bool = True
    secrets: dict[tuple[str, str], str | None] = field(default_factory=lambda: {("hooks", "signingSecret"): secret()})
    unreadable: bool = False
    tries: list[Try] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    heard: list[Subject] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self.postman = self.new()

    def new(self) -> Postman:
        """Return a postman who knows nothing, as after a restart."""
        return Postman(
            self, self.read, may_send=lambda: self.leads, news=self.heard.append, record=self.results.append,
            jitter=lambda: 1.0, most_at_once=32,
        )  # fmt: skip

    async def send(self, url: str, letter: Letter, secrets: Sequence[bytes]) -> Outcome:
        """Deliver."""
        self.tries.append(Try(self.loop.time(), url, letter.id))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.seconds)
        self.at_once -= 1
        return self.answer(url, letter.id)

    async def aclose(self) -> None:
        """Nothing is open."""

    async def read(self, namespace: str, name: str, key: str) -> str | None:
        """Read a Secret."""
        if self.unreadable:
            raise SecretUnreadable("the API server is away")
        return self.secrets.get((name, key))

    def carry(
        self, *ids: str, subject: Subject = SUBJECT, to: Notification | None = None, gone: str | None = None
    ) -> None:
        """The saved status of the subject holds this for one destination."""
        self.mail(subject, Mailing(to or destination(), letters(*ids), gone))

    def mail(self, subject: Subject, *mailings: Mailing) -> None:
        """The saved status of the subject holds this."""

        async def carry() -> None:
            self.postman.carry(subject, mailings)

        self.loop.run_until_complete(carry())

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.loop.pass_time(seconds)

    def order(self) -> list[str]:
        """Return the letters that were tried."""
        return [it.letter for it in self.tries]

    @property
    def report(self) -> Report:
        """What the postman has found out about the subject."""
        return self.postman.report(SUBJECT)

    def close(self) -> None:
        """End it all."""
        self.loop.run_until_complete(self.postman.stop())
        self.loop.abandon()
        self.loop.close()
