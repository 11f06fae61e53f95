"""Between corridor and postman: the body of a notification, upgrades, the farewell, and when a pass is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gpuinstance.api.notices import Notice, NoticeFacts, NoticeOperation, NoticeOrder
from gpuinstance.api.notifications import NotificationEvent
from gpuinstance.api.status import GPUInstanceStatus
from gpuinstance.api.upgrade import UPGRADE_KIND
from gpuinstance.core.announcements import Announcement, farewell
from gpuinstance.core.outbox import LINGER
from gpuinstance.kube import Body, Key
from gpuinstance.notify import Letter, Result
from gpuinstance.reconcile import to_json
from tests.properties.telling import BEGINNING, GRACE, KEY, Story, to

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parents[1] / "golden"
UPGRADE = Key("ml", "bigger", "u-2", UPGRADE_KIND)
READY = Announcement(
    NotificationEvent.INSTANCE_READY,
    NoticeFacts(
        generation=3,
        phase="Ready",
        previous_phase="HealthChecking",
        reason="Ready",
        operation=NoticeOperation(id="create-1800014400-1", type="Create", attempt=1),
        machine_id="m-1",
        hourly_price="0.35",
    ),
)
UNPAID = Announcement(
    NotificationEvent.UPGRADE_AWAITING_PAYMENT,
    NoticeFacts(
        generation=1,
        phase="AwaitingPayment",
        previous_phase="Ordering",
        reason="AwaitingPayment",
        instance="trainer",
        machine_id="m-1",
        order=NoticeOrder(invoice_id="416", total="4.00"),
    ),
)


class Told(Story):
    """A story that keeps the letters that were sent, and the moments for which a pass was asked."""

    def __post_init__(self) -> None:
        self.letters: list[Letter] = []
        self.asked: list[timedelta] = []
        super().__post_init__()

    async def send(self, url: str, letter: Letter, secrets: Any) -> Any:
        """Keep it."""
        self.letters.append(letter)
        return await super().send(url, letter, secrets)

    def _wake(self, key: Key, *, after: timedelta) -> None:
        self.asked.append(after)

    def announced(self, happened: Announcement | None, key: Key = KEY, *, releasing: bool = False) -> GPUInstanceStatus:
        """Return the status that a pass would save, of an object whose rules have nothing to say."""
        status = GPUInstanceStatus.model_validate(self.of(key)["status"])
        found = self.outgoing.announced(key, status, status, [happened] if happened else [], releasing=releasing)
        assert isinstance(found, GPUInstanceStatus)
        return found

    def of(self, key: Key) -> Body:
        """Return an object as it is known."""
        body = self.known.last(key)
        assert body is not None
        return body

    def save(self, status: GPUInstanceStatus, key: Key = KEY) -> Body:
        """Save it, and hand it over."""
        body = {**self.of(key), "status": to_json(status)}
        self.known.see(key, body)

        async def post() -> None:
            self.outgoing.post(key, body)

        self.loop.run_until_complete(post())
        return body

    def leave(self) -> None:
        """Somebody deletes the object now."""
        body = self.of(KEY)
        self.body = {**body, "metadata": {**body["metadata"], "deletionTimestamp": self.now().isoformat()}}
        self.known.see(KEY, self.body)


@pytest.fixture
def story() -> Iterator[Told]:
    story = Told()
    story.body = {**story.body, "spec": {"notifications": to("ops")}}
    story.known.see(KEY, story.body)
    yield story
    story.close()


@pytest.mark.parametrize(("name", "happened", "key"), [("ready", READY, KEY), ("unpaid", UNPAID, UPGRADE)])
def test_the_body_is_as_documented(story: Told, name: str, happened: Announcement, key: Key) -> None:
    """Byte by byte; a field is never renamed. It is far below the twenty kilobytes that receivers take."""
    story.known.see(UPGRADE, upgrade())
    story.taken.setdefault("ops", [])
    story.save(story.announced(happened, key), key)
    story.wait(1)
    (letter,) = story.letters
    shown = json.dumps(json.loads(letter.body), indent=2, sort_keys=True) + "\n"
    assert shown == (GOLDEN / f"notification-{name}.json").read_text(encoding="utf-8")
    assert len(letter.body) < 1000


def test_the_schema_is_that_of_the_model() -> None:
    """docs/notification.schema.json is what receivers validate by; `make generate` writes it."""
    schema = json.loads((ROOT / "docs/notification.schema.json").read_text(encoding="utf-8"))
    made = Notice.model_json_schema(by_alias=True)
    assert schema["$defs"].keys() == made["$defs"].keys()
    assert "null" not in str(schema), "what is not known is left out"
    assert schema["properties"]["type"]["enum"] == list(NotificationEvent)
    assert {"namespace", "name", "uid", "missed", "machineID"} <= schema["$defs"]["NoticeData"]["properties"].keys()


@pytest.mark.parametrize("name", ["ready", "unpaid"])
def test_the_examples_fit_the_schema(name: str) -> None:
    """Nothing is in them that it does not name, and nothing is missing that it demands."""
    schema = json.loads((ROOT / "docs/notification.schema.json").read_text(encoding="utf-8"))
    example = json.loads((GOLDEN / f"notification-{name}.json").read_text(encoding="utf-8"))
    data = schema["$defs"]["NoticeData"]
    for found, wanted in ((example, schema), (example["data"], data)):
        assert set(wanted["required"]) <= found.keys() <= wanted["properties"].keys()


def upgrade() -> Body:
    return {
        "kind": UPGRADE_KIND,
        "metadata": {"namespace": "ml", "name": "bigger", "uid": "u-2"},
        "spec": {"instanceRef": {"name": "trainer"}},
        "status": {},
    }


def test_an_upgrade_tells_those_of_its_instance(story: Told) -> None:
    """While the instance is not known it keeps what it has, and tells nobody."""
    story.known.see(UPGRADE, upgrade())
    waiting = story.announced(UNPAID, UPGRADE)
    assert [entry.event for entry in waiting.pending_notifications] == ["upgrade.awaiting-payment"]
    story.known.forget(KEY)
    body = story.save(waiting, UPGRADE)
    story.wait(10)
    assert story.letters == []
    assert story.announced(None, UPGRADE).pending_notifications == waiting.pending_notifications
    story.known.see(KEY, story.body)
    story.known.see(UPGRADE, body)
    story.save(waiting, UPGRADE)
    story.wait(10)
    assert len(story.letters) == 1


def test_without_destinations_nothing_changes(story: Told) -> None:
    """The very status comes back, and there is nothing to hold an object for."""
    story.body = {**story.body, "spec": {}}
    story.known.see(KEY, story.body)
    before = story.status
    assert story.outgoing.announced(KEY, before, before, [READY], releasing=True) is before
    assert story.outgoing.holds(KEY, story.body) is None


def test_after_a_delivery_a_pass_is_asked_for_in_a_while(story: Told) -> None:
    """So that what follows soon goes out by the same write; at once where the object waits for it."""
    story.save(story.announced(READY))
    story.wait(1)
    assert story.asked == [LINGER + timedelta(seconds=1)]
    story.leave()
    story.save(story.announced(Announcement(NotificationEvent.INSTANCE_DELETED, READY.facts), releasing=True))
    story.wait(1)
    assert story.asked[1:] == [timedelta()]


def test_the_farewell_is_awaited_and_said_once(story: Told) -> None:
    """The object goes as soon as it is delivered, without a further write."""
    story.leave()
    last = farewell(story.status, story.status)
    status = story.announced(last, releasing=True)
    body = story.save(status)
    assert story.outgoing.holds(KEY, body) == GRACE
    assert story.announced(last, releasing=True) == status, "it is in the outbox already"
    story.wait(1)
    assert story.announced(last, releasing=True) == status, "and worth no write when it is delivered"
    assert story.outgoing.holds(KEY, body) is None
    assert len(story.letters) == 1


def test_a_farewell_that_was_delivered_stays_said(story: Told) -> None:
    """Another write before the object goes does not make it say it again."""
    story.leave()
    last = farewell(story.status, story.status)
    story.save(story.announced(last, releasing=True))
    story.wait(1)
    old = GPUInstanceStatus.model_validate(story.of(KEY)["status"])
    new = old.model_copy(update={"observed_generation": 9})
    saved = story.outgoing.announced(KEY, old, new, [], releasing=False)
    assert [entry.event for entry in saved.pending_notifications] == ["instance.deleted"]
    body = story.save(saved)
    assert story.announced(last, releasing=True) == saved
    assert story.outgoing.holds(KEY, body) is None


@pytest.mark.parametrize("trouble", [Result.REFUSED, Result.UNREACHABLE, Result.NOT_READY])
def test_a_dead_receiver_holds_an_object_for_a_bounded_time(story: Told, trouble: Result) -> None:
    """Counted from the last word; what nobody got is counted."""
    story.answers["ops"] = trouble
    story.save(story.announced(READY))
    story.wait(3600)
    story.leave()
    body = story.save(story.announced(farewell(story.status, story.status), releasing=True))
    left = story.outgoing.holds(KEY, body)
    assert left is not None
    assert left <= GRACE
    story.wait(left.total_seconds())
    assert [story.outgoing.holds(KEY, body) for _ in range(2)] == [None, None]
    assert story.given_up == 2
    assert story.now() >= BEGINNING + GRACE


def test_what_is_forgotten_is_not_told(story: Told) -> None:
    """The object is gone."""
    story.answers["ops"] = Result.REFUSED
    story.save(story.announced(READY))
    story.wait(1)
    story.outgoing.forget(KEY)
    story.wait(3600)
    assert len(story.letters) == 1
