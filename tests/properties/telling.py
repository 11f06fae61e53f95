"""An object whose story is told outside, a receiver, and an operator that may die at any moment. Virtual time.

The object is kept as the API server would keep it; the operator's part is the real `Outgoing` with the real
`Postman`. What the receiver has taken, and in which order, is written down; nothing is judged here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from gpuinstance.api.notices import NoticeFacts
from gpuinstance.api.notifications import NotificationEvent
from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.core.announcements import Announcement
from gpuinstance.known import Known
from gpuinstance.kube import Body, Key
from gpuinstance.notify import Letter, Outcome, Postman, Result
from gpuinstance.outgoing import Outgoing
from gpuinstance.reconcile import to_json
from tests.properties.world.virtual_time import VirtualTimeLoop
from tests.webhooks import secret

KEY = Key("ml", "trainer", "u-1")
BEGINNING = datetime(2027, 1, 15, 12, 0, tzinfo=UTC)
NAMES = ("ops", "chat")
GRACE = timedelta(seconds=30)


def to(*names: str) -> list[dict[str, Any]]:
    """Return the part of the spec that names these destinations."""
    return [{"name": name, "url": f"https://{name}.example/x", "signingSecretRef": {"name": "hooks"}} for name in names]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a receiver has accepted."""

    id: str
    number: int
    """Which of the things that happened, by the generation in the facts."""
    missed: int


@dataclass
class Story:
    """All of it."""

    loop: VirtualTimeLoop = field(default_factory=VirtualTimeLoop)
    body: Body = field(
        default_factory=lambda: {
            "metadata": {"namespace": KEY.namespace, "name": KEY.name, "uid": KEY.uid},
            "spec": {"notifications": to(*NAMES)},
            "status": {},
        }
    )
    happened: int = 0
    writes: int = 0
    given_up: int = 0
    answers: dict[str, Result] = field(default_factory=dict)
    """By destination, for now; otherwise all is delivered."""
    answer_is_lost: bool = False
    """What the receiver accepts next is accepted, and nobody learns of it."""
    taken: dict[str, list[Taken]] = field(default_factory=lambda: {name: [] for name in NAMES})
    woken: int = 0
    lost_answers: int = 0

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A new process: it knows what the API server shows, and nothing else."""
        self.known = Known()
        self.known.see(KEY, self.body)
        postman = Postman(self, self._secret, may_send=lambda: True, jitter=lambda: 1.0)
        self.outgoing = Outgoing(self.known, postman, self, self.now, farewell=GRACE, wake=self._wake)
        self.postman = postman

    def die(self) -> None:
        """The process ends in the middle of everything; what it was about to hear it does not hear."""
        self.lost_answers += 1
        self.loop.abandon()
        self.outgoing.forget(KEY)  # its timers are in the loop that the next process uses, too
        self.start()

    def now(self) -> datetime:
        """Return this moment."""
        return BEGINNING + timedelta(seconds=self.loop.time())

    def look(self, *, happens: bool = False, dies: bool = False) -> None:
        """One pass; `dies` between the write and what follows it."""
        self.loop.run_until_complete(self._look(happens=happens, dies=dies))
        if dies:
            self.die()

    async def _look(self, *, happens: bool, dies: bool) -> None:
        old = self.status
        said: Sequence[Announcement] = ()
        new = old
        if happens:
            self.happened += 1
            facts = NoticeFacts(generation=self.happened, phase="Ready")
            said = (Announcement(NotificationEvent.INSTANCE_READY, facts),)
            new = old.model_copy(update={"observed_generation": self.happened})
        status = self.outgoing.announced(KEY, old, new, said, releasing=False)
        if status != old:
            self.writes += 1
            self.body = {**self.body, "status": to_json(status)}
            self.known.see(KEY, self.body)
            self.outgoing.news(old, status)
        if not dies:
            self.outgoing.post(KEY, self.body)

    @property
    def status(self) -> GPUInstanceStatus:
        """What is saved."""
        return GPUInstanceStatus.model_validate(self.body["status"])

    def wait(self, seconds: float) -> None:
        """Let time pass, without a pass."""
        self.loop.pass_time(seconds)

    async def send(self, url: str, letter: Letter, secrets: Sequence[bytes]) -> Outcome:
        """Be the receiver."""
        await asyncio.sleep(0.05)
        name = url.removeprefix("https://").partition(".")[0]
        result = self.answers.get(name, Result.DELIVERED)
        if result is Result.DELIVERED:
            notice = json.loads(letter.body)
            data = notice["data"]
            self.taken[name].append(Taken(letter.id, data["generation"], data.get("missed", 0)))
            if self.answer_is_lost:
                self.answer_is_lost = False
                self.lost_answers += 1
                return Outcome(Result.UNREACHABLE, "the receiver does not answer in time")
        return Outcome(result, f"the receiver says {result}")

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _secret(self, namespace: str, name: str, key: str) -> str | None:
        return secret()

    def notifications_given_up(self, number: int) -> None:
        """Count what nobody will get."""
        self.given_up += number

    def _wake(self, key: Key, *, after: timedelta) -> None:
        self.woken += 1

    def close(self) -> None:
        """End it."""
        self.loop.abandon()
        self.loop.close()
