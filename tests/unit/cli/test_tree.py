"""The tree of an instance: what hangs on it, what is its own, and what could not be seen."""

from __future__ import annotations

import io
from typing import Any

import pytest

from gpuinstance.cli.cluster import SECRETS
from gpuinstance.cli.reading import SERVICES, Sight
from gpuinstance.cli.screen import Screen
from gpuinstance.cli.tree import PLAIN, ROUND, Beside, glyphs_for, node_of, rows
from tests.unit.cli import objects
from tests.unit.cli.golden import assert_golden
from tests.unit.cli.objects import NOW, Object
from tests.unit.cli.test_command import Api, Kubectl, api, gpu, server, status

__all__ = ["api", "gpu", "server"]

CREATED = "2026-01-01T11:55:00Z"
UID = objects.instance()["metadata"]["uid"]


def owned(uid: str = UID) -> Object:
    return {"metadata": {"creationTimestamp": CREATED, "ownerReferences": [{"uid": uid}]}}


def drawn(instance: Object, beside: Beside, *, glyphs: Any = ROUND) -> list[str]:
    """Return the lines below the titles, each without its namespace."""
    out = io.StringIO()
    tree = node_of(instance, beside, NOW)
    Screen(out, width=200).table(rows([("team-a", tree)], NOW, glyphs))
    return [line.removeprefix("team-a").strip() for line in out.getvalue().splitlines()[1:]]


def upgrade(name: str, created: str = CREATED, **state: Any) -> Object:
    it = objects.upgrade(name, **state)
    it["metadata"]["creationTimestamp"] = created
    return it


def test_a_whole_tree() -> None:
    """Everything in one picture."""
    slices = [{"metadata": {"name": "trainer-x-ipv4"}, "endpoints": [{"addresses": ["192.0.2.7"]}]}]
    beside = Beside(
        [objects.awaiting_payment()],
        Sight(SECRETS, "novita-credentials", owned()),
        Sight(SECRETS, "trainer-connection", owned()),
        Sight(SERVICES, "trainer", owned()),
        slices,
    )
    assert_golden("tree", "\n".join(drawn(objects.starting(), beside)) + "\n")


def test_a_new_object_has_no_branches_yet() -> None:
    """It is said that nobody has looked at it."""
    assert drawn(objects.instance(), Beside())[0].split() == [
        "GPUInstance/trainer", "-", "5m", "not", "looked", "at", "yet"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Sight(SECRETS, "trainer-connection", None, "does not exist"), "connection: does not exist"),
        (Sight(SECRETS, "trainer-connection", None, "you may not read it"), "connection: you may not read it"),
        (Sight(SECRETS, "trainer-connection", owned("another")), "connection: belongs to somebody else"),
    ],
)
def test_what_is_missing_or_not_its_own(seen: Sight, words: str) -> None:
    """The name is shown, with why it does not serve."""
    assert drawn(objects.ready(), Beside(secret=seen))[-1].endswith(words)


def test_upgrades_stand_in_the_order_of_their_turn() -> None:
    """The one at work, those that wait, those that have ended."""
    upgrades = [
        objects.finished("Succeeded", "Completed") | {"metadata": {"name": "done", "creationTimestamp": CREATED}},
        upgrade("later", "2026-01-01T11:57:00Z"),
        upgrade("sooner", "2026-01-01T11:56:00Z", phase="Pending"),
        objects.awaiting_payment(),
    ]
    shown = [line.split("InstanceUpgrade/")[1] for line in drawn(objects.ready(), Beside(upgrades))[-4:]]
    assert [line.split()[0] for line in shown] == ["bigger", "sooner", "later", "done"]
    assert shown[1].endswith("Pending, 1. in the queue")
    assert shown[2].endswith("not looked at yet, 2. in the queue")


def test_a_stream_without_such_letters_gets_others() -> None:
    """Rather than a traceback."""
    assert (glyphs_for("utf-8"), glyphs_for(None), glyphs_for("ascii"), glyphs_for("x-y")) == (
        ROUND,
        ROUND,
        PLAIN,
        PLAIN,
    )
    assert "|- Machine/5f1c" in drawn(objects.ready(), Beside(), glyphs=PLAIN)[1] or "`- " in "".join(
        drawn(objects.ready(), Beside(), glyphs=PLAIN)
    )


def test_the_command(api: Api, gpu: Kubectl) -> None:
    """What may not be read costs its line only; Secrets' values are shown nowhere."""
    it = objects.ready()
    it["spec"]["connection"] = {}
    api.holds(it)
    api.holds(objects.upgrade() | {"spec": {"instanceRef": {"name": "trainer"}}}, plural="instanceupgrades")
    place = "/api/v1/namespaces/team-a"
    api.answers[f"{place}/secrets/novita-credentials"] = status(403, "Forbidden", "no")
    api.answers[f"{place}/secrets/trainer-connection"] = 200, {**owned(), "data": {"sshPassword": "Y2FuYXJ5"}}
    api.answers[f"{place}/services/trainer"] = 200, owned()
    result = gpu("tree", "trainer")
    assert (result.code, result.err) == (0, "")
    assert "Y2FuYXJ5" not in result.out
    for text in ("the provider's API key: you may not read it", "Service/trainer", "InstanceUpgrade/bigger"):
        assert text in result.out
    assert gpu("tree", "trainer", "-A").code == 2
    assert gpu("tree", "iup/bigger").code == 2
    assert [line.split()[:2] for line in gpu("tree", "-A").out.splitlines()[1:2]] == [["team-a", "GPUInstance/trainer"]]


def test_nothing_to_show(api: Api, gpu: Kubectl) -> None:
    """It is said aside."""
    api.holds()
    assert gpu("tree").err == "No instances found in namespace team-a.\n"
