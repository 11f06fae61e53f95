"""The postman, hour by hour: order, patience, consideration for receivers, and what is reported."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gpuinstance.core.outbox import Report
from gpuinstance.notify import Mailing, Outcome, Result, Subject
from tests.unit.notify.desk import BROKEN, BUSY, DELIVERED, GONE, SUBJECT, Desk, destination, letters
from tests.webhooks import secret

HOUR = 3600.0


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


def test_all_is_delivered_in_order_and_once(desk: Desk) -> None:
    """However often the same status is shown, until it is saved without what was delivered."""
    for _ in range(3):
        desk.carry("a", "b", "c")
    desk.wait(5)
    desk.carry("a", "b", "c")
    desk.wait(5)
    assert desk.order() == ["a", "b", "c"]
    assert desk.report.settled == {("a", "ops"), ("b", "ops"), ("c", "ops")}
    assert desk.heard == [SUBJECT] * 3
    desk.mail(SUBJECT)
    assert desk.report == Report()
    assert desk.postman.waiting == 0


def test_the_next_one_waits_for_the_one_before(desk: Desk) -> None:
    """A receiver that fails gets nothing out of order."""
    failures = [BROKEN, BROKEN]
    desk.answer = lambda _, letter: failures.pop() if letter == "a" and failures else DELIVERED
    desk.carry("a", "b")
    desk.wait(60)
    assert desk.order() == ["a", "a", "a", "b"]
    assert [round(it.at) for it in desk.tries] == [0, 5, 15, 15]


def test_it_is_tried_for_a_day_at_growing_pauses(desk: Desk) -> None:
    """For as long as the status holds it: some thirty tries, the last ones an hour apart."""
    desk.answer = lambda *_: BROKEN
    desk.carry("a")
    desk.wait(24 * HOUR)
    moments = [it.at for it in desk.tries]
    pauses = [round(after - before) for before, after in itertools.pairwise(moments)]
    assert pauses[:5] == [5, 10, 20, 40, 80]
    assert set(pauses[-10:]) == {3600}
    assert 30 <= len(moments) <= 40
    desk.mail(SUBJECT)
    desk.wait(24 * HOUR)
    assert len(desk.tries) == len(moments), "the status does not hold it any more"


def test_destinations_do_not_wait_for_each_other(desk: Desk) -> None:
    """One that is dead keeps nothing from the others."""
    desk.answer = lambda url, _: BUSY if "dead" in url else DELIVERED
    dead, living = destination("dead", "https://dead.example/x"), destination("living", "https://living.example/x")
    desk.mail(SUBJECT, Mailing(dead, letters("a", "b")), Mailing(living, letters("a", "b")))
    desk.wait(HOUR)
    assert desk.report.settled == {("a", "living"), ("b", "living")}


def test_retry_after_is_honoured(desk: Desk) -> None:
    """By all that goes to that address, from other objects as well."""
    desk.answer = lambda *_: Outcome(Result.SLOWED, "the receiver answered HTTP 429", retry_after=600)
    desk.carry("a")
    desk.wait(10)
    desk.carry("b", subject=replace(SUBJECT, uid="u-2"))
    desk.carry("c", subject=replace(SUBJECT, uid="u-3"), to=destination(url="https://hooks.example/other"))
    desk.wait(580)
    assert desk.order() == ["a", "c"], "another address has not asked for it"
    desk.answer = lambda *_: DELIVERED
    desk.wait(60)
    assert sorted(desk.order()) == ["a", "a", "b", "c", "c"]


def test_gone_ends_it_until_address_or_secret_change(desk: Desk) -> None:
    """All that waits is settled without another call, also by a postman who only knows what the status says."""
    desk.answer = lambda *_: GONE
    desk.carry("a", "b")
    desk.wait(HOUR)
    assert desk.order() == ["a"]
    assert desk.report.settled == {("a", "ops"), ("b", "ops")}
    mark = desk.report.gone["ops"]
    desk.postman = desk.new()
    desk.carry("c", gone=mark)
    desk.wait(HOUR)
    assert desk.order() == ["a"]
    assert desk.report.settled == {("c", "ops")}
    desk.answer = lambda *_: DELIVERED
    desk.secrets["hooks", "signingSecret"] = secret(2)
    desk.carry("d", gone=mark)
    desk.wait(HOUR)
    assert desk.order() == ["a", "d"]
    assert desk.report.fine == {"ops"}
    assert desk.report.gone == {}


def test_a_changed_destination_is_tried_at_once(desk: Desk) -> None:
    """Somebody has mended it."""
    desk.answer = lambda *_: BROKEN
    desk.carry("a")
    desk.wait(3 * HOUR)
    tried, now = len(desk.tries), desk.loop.time()
    desk.answer = lambda *_: DELIVERED
    desk.carry("a", to=destination(url="https://other.example/x"))
    desk.wait(1)
    assert len(desk.tries) == tried + 1
    assert desk.tries[-1].at - now < 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "Secret ml/hooks does not exist, or has no key signingSecret"),
        ("short", "signingSecret in Secret ml/hooks cannot sign: it is not whsec_ and base64"),
    ],
)
def test_a_missing_secret_is_told_at_once_and_looked_for_every_minute(desk: Desk, text: str | None, words: str) -> None:
    """Nothing is sent; once it is there all is delivered."""
    desk.secrets["hooks", "signingSecret"] = text
    desk.carry("a", "b")
    desk.wait(1)
    assert desk.report.troubles == {"ops": words}
    desk.wait(HOUR)
    assert desk.tries == []
    assert desk.heard == [SUBJECT], "the same trouble is told once"
    desk.secrets["hooks", "signingSecret"] = secret()
    desk.wait(61)
    assert desk.order() == ["a", "b"]
    assert desk.report.troubles == {}
    assert desk.report.fine == {"ops"}


def test_an_address_may_be_in_a_secret(desk: Desk) -> None:
    """It is read anew for each try."""
    desk.secrets["hooks", "url"] = "https://first.example/x"
    desk.carry("a", to=destination(url=None))
    desk.wait(1)
    desk.secrets["hooks", "url"] = "https://second.example/x"
    desk.carry("a", "b", to=destination(url=None))
    desk.wait(1)
    assert [it.url for it in desk.tries] == ["https://first.example/x", "https://second.example/x"]


def test_a_secret_that_cannot_be_read_for_now_is_waited_for(desk: Desk) -> None:
    """The API server is away; nothing is concluded from that."""
    desk.unreadable = True
    desk.carry("a")
    desk.wait(600)
    assert desk.tries == []
    desk.unreadable = False
    desk.wait(61)
    assert desk.order() == ["a"]


def test_a_long_pause_is_told_at_once_and_is_never_longer_than_an_hour(desk: Desk) -> None:
    """One answer could silence an address for as long as a notification is kept, and nobody would hear of it."""
    desk.answer = lambda *_: replace(BUSY, retry_after=86_400.0)
    desk.carry("a")
    desk.wait(1)
    assert desk.report.troubles == {"ops": BUSY.words}
    desk.answer = lambda *_: DELIVERED
    desk.wait(HOUR + 60)
    assert desk.report.settled == {("a", "ops")}


def test_trouble_is_told_when_it_lasts(desk: Desk) -> None:
    """A receiver that restarts is none; its words are those of the last try."""
    desk.answer = lambda *_: BUSY
    desk.carry("a")
    desk.wait(30)
    assert desk.report.troubles == {}
    desk.wait(600)
    assert desk.report.troubles == {"ops": BUSY.words}
    desk.answer = lambda *_: BROKEN
    desk.wait(2 * HOUR)
    assert desk.report.troubles == {"ops": BROKEN.words}
    assert desk.heard == [SUBJECT] * 2


def test_without_the_lease_nothing_is_sent(desk: Desk) -> None:
    """Somebody else sends it; a process that gets its right back goes on."""
    desk.leads = False
    desk.carry("a")
    desk.wait(HOUR)
    assert desk.tries == []
    desk.leads = True
    desk.wait(10)
    assert desk.order() == ["a"]


def test_what_is_forgotten_or_stopped_is_not_sent(desk: Desk) -> None:
    """Nothing more about an object that is gone, and nothing after the end."""
    desk.answer = lambda *_: BROKEN
    desk.carry("a")
    desk.carry("b", subject=replace(SUBJECT, uid="u-2"))
    desk.wait(1)
    desk.postman.forget(SUBJECT)
    desk.wait(60)
    assert desk.order().count("a") == 1
    sent = len(desk.tries)
    desk.loop.run_until_complete(desk.postman.stop())
    desk.carry("c")
    desk.wait(HOUR)
    assert len(desk.tries) == sent


def test_the_end_lets_nobody_in_who_waits_at_a_door(desk: Desk) -> None:
    """What is under way is given up, and its places are not handed on."""
    desk.seconds = 10
    for number in range(20):
        desk.carry("a", subject=Subject("GPUInstance", "ml", f"i-{number}", str(number)))
    desk.wait(5)
    desk.loop.run_until_complete(desk.postman.stop())
    desk.wait(HOUR)
    assert len(desk.tries) == 8


def test_one_slow_host_leaves_places_for_the_others(desk: Desk) -> None:
    """Of a hundred objects that tell the same host something, eight are on their way; nobody is left out."""
    desk.seconds = 10
    for number in range(100):
        desk.carry("slow", subject=Subject("GPUInstance", "ml", f"i-{number}", str(number)))
    desk.carry("other", subject=SUBJECT, to=destination(url="https://other.example/x"))
    desk.wait(5)
    assert desk.order().count("slow") == 8
    assert "other" in desk.order()
    desk.wait(200)
    assert desk.order().count("slow") == 100
    assert desk.postman.waiting == 0
    assert desk.most_at_once <= 9


def test_deliveries_under_way_are_bounded(desk: Desk) -> None:
    """However many objects, hosts and namespaces there are."""
    desk.seconds = 1
    for number in range(100):
        to = destination(url=f"https://host-{number}.example/x")
        desk.carry("a", subject=Subject("GPUInstance", f"team-{number % 5}", f"i-{number}", str(number)), to=to)
    desk.wait(60)
    assert len(desk.tries) == 100
    assert desk.most_at_once == 32


def test_who_waits_at_a_door_and_is_forgotten_keeps_nobody_waiting(desk: Desk) -> None:
    """The place is handed on."""
    desk.seconds = 10
    subjects = [Subject("GPUInstance", "ml", f"i-{number}", str(number)) for number in range(30)]
    for subject in subjects:
        desk.carry(subject.name, subject=subject)
    desk.wait(5)
    for subject in subjects[8:20]:
        desk.postman.forget(subject)
    desk.wait(60)
    assert sorted(desk.order()) == sorted(it.name for it in subjects[:8] + subjects[20:])
    assert desk.postman.waiting == 0


def test_a_dead_address_is_hardly_called(desk: Desk) -> None:
    """A thousand objects that tell it something call it a few times in a minute, not a thousand times."""
    desk.answer = lambda *_: Outcome(Result.UNREACHABLE, "the receiver does not answer in time")
    for number in range(1000):
        desk.carry("a", subject=Subject("GPUInstance", "ml", f"i-{number}", str(number)))
    desk.wait(600)
    assert len(desk.tries) <= 100


def test_what_fails_for_one_namespace_keeps_no_other_waiting(desk: Desk) -> None:
    """They share a receiver; the first one's deliveries never come there, the other one's do."""
    others = Subject("GPUInstance", "web", "api", "u-2")
    desk.answer = lambda _, letter: Outcome(Result.UNREACHABLE, "not in time") if letter == "a" else DELIVERED
    desk.carry("a")
    desk.wait(60)
    began = desk.loop.time()
    desk.carry("b", subject=others)
    desk.wait(1)
    assert [it.letter for it in desk.tries if it.at >= began] == ["b"]


def test_each_try_is_counted_by_its_result(desk: Desk) -> None:
    """For the metric."""
    answers = [DELIVERED, BROKEN]
    desk.answer = lambda *_: answers.pop()
    desk.carry("a")
    desk.wait(60)
    assert desk.results == ["refused", "delivered"]
