"""`kubectl gpu top`: one picture, and the terminal that shows one after another."""

from __future__ import annotations

import argparse
import os
import pty
import select
import termios
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TextIO

import pytest

from gpuinstance.cli.cluster import Cluster, Listing, Resource
from gpuinstance.cli.commands.top import COMMAND
from gpuinstance.cli.endings import ClusterTrouble, Exit
from gpuinstance.cli.live import Picture, lines, progress
from gpuinstance.cli.session import Session
from tests.unit.cli import objects
from tests.unit.cli.golden import assert_golden
from tests.unit.cli.objects import NOW, Object
from tests.unit.cli.test_command import Api, Kubectl, api, gpu, server

__all__ = ["api", "gpu", "server"]


def test_a_picture() -> None:
    """Everything that changes, in one line each."""
    instances = [objects.ready(), objects.starting(), objects.refused(), objects.instance("new")]
    assert_golden("top", "\n".join(lines(Picture(instances, NOW, namespaces=True), colours=False)) + "\n")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({}, "Create monitoring [##------] 2m, 6m left"),
        ({"estimatedReadyAt": "2026-01-01T12:02:00Z"}, "Create monitoring [####----] 2m, ready in 2m"),
        ({"estimatedReadyAt": "2026-01-01T11:59:00Z"}, "Create monitoring [##------] 2m, 6m left"),
        ({"deadline": "2026-01-01T11:59:00Z"}, "Create monitoring [########] 2m, past its deadline"),
        ({"deadline": None}, "Create monitoring"),
    ],
)
def test_progress(status: dict[str, Any], words: str) -> None:
    """To the expected end if one is known, else to the deadline."""
    times = {"startedAt": "2026-01-01T11:58:00Z", "deadline": "2026-01-01T12:06:00Z"}
    operation = {"type": "Create", "phase": "monitoring", **times, **status}
    it = objects.instance(operation=operation, **status)
    assert progress(it, NOW) == words


def test_nothing_in_flight_is_no_progress() -> None:
    """Also where the status is that of another version."""
    assert (progress(objects.ready(), NOW), progress(objects.instance(operation={"type": "X"}), NOW)) == ("", "X ")


def test_what_does_not_fit_is_counted() -> None:
    """The last line says how much is missing."""
    picture = Picture([objects.instance(f"i-{n}") for n in range(9)], NOW, namespaces=False, trouble="not up to date")
    shown = lines(picture, colours=False, height=8, hint="q ends")
    assert (len(shown), shown[0].endswith("q ends"), shown[1], shown[-1]) == (
        8,
        True,
        "not up to date",
        "... and 6 more",
    )
    assert len(lines(picture, colours=False)) == 13


def test_without_a_terminal_it_is_printed_once(api: Api, gpu: Kubectl) -> None:
    """For a pipe, and for `watch`."""
    api.holds(objects.ready())
    result = gpu("top")
    assert result.code == 0
    assert result.out.startswith("12:00:00Z  1 instance, 1 ready, $1.4/h\n\nNAME")
    assert "\x1b" not in result.out


@dataclass
class Lists(Cluster):
    """A cluster with these answers, one after the other."""

    answers: list[list[Object] | ClusterTrouble | KeyboardInterrupt]
    asked: int = field(default=0)

    def list(self, resource: Resource, namespace: str | None, **_: Any) -> Listing:
        """Answer."""
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return Listing(answer, "1")


@dataclass
class Desk:
    """A terminal with a person at it."""

    keys: int
    screen: TextIO
    keyboard: TextIO

    def shown(self) -> str:
        """Return all that was drawn, once the terminal has passed on its end."""
        text = ""
        while "\x1b[?1049l" not in text:
            ready, _, _ = select.select([self.keys], [], [], 10)
            assert ready, text
            text += os.read(self.keys, 1 << 16).decode()
        return text

    def session(self, cluster: Cluster) -> Session:
        """Return the session of `kubectl gpu top --interval 0.2s`."""
        arguments = argparse.Namespace(all_namespaces=False, namespace="team-a", selector=None, interval=0.2)
        return Session(cluster, arguments, self.screen, self.screen, {}, lambda: NOW + timedelta(), self.keyboard)


@pytest.fixture
def desk() -> Iterator[Desk]:
    master, slave = pty.openpty()
    with os.fdopen(slave, "r", closefd=False) as keyboard, os.fdopen(slave, "w", closefd=False) as screen:
        yield Desk(master, screen, keyboard)
    os.close(master)
    os.close(slave)


def test_q_ends_it_and_the_terminal_is_as_before(desk: Desk) -> None:
    """Other keys change nothing but the time of the next picture."""
    before = termios.tcgetattr(desk.keyboard)
    os.write(desk.keys, b"xq")
    cluster = Lists([[objects.ready()], [objects.starting()]])
    assert COMMAND.run(desk.session(cluster)) is Exit.OK
    shown = desk.shown()
    assert "\x1b[?1049h\x1b[?25l" in shown
    assert shown.endswith("\x1b[?25h\x1b[?1049l")
    assert ("every 0.2 s, q ends" in shown, "HealthChecking" in shown, cluster.asked) == (True, True, 2)
    assert termios.tcgetattr(desk.keyboard) == before


def test_a_cluster_that_stops_answering_is_told_beside_the_last_picture(desk: Desk) -> None:
    """And drawn as before when it answers again."""
    os.write(desk.keys, b"xxq")
    trouble = ClusterTrouble("cannot reach the cluster")
    assert COMMAND.run(desk.session(Lists([[objects.ready()], trouble, [objects.ready()]]))) is Exit.OK
    first, second, third = desk.shown().split("\x1b[H")[1:]
    assert "not up to date: cannot reach the cluster" in second
    assert "trainer" in second
    assert not any("not up to date" in picture for picture in (first, third))


def test_ctrl_c_is_a_way_to_leave(desk: Desk) -> None:
    """The terminal is as before."""
    before = termios.tcgetattr(desk.keyboard)
    os.write(desk.keys, b"x")
    assert COMMAND.run(desk.session(Lists([[objects.ready()], KeyboardInterrupt()]))) is Exit.OK
    assert termios.tcgetattr(desk.keyboard) == before


def test_trouble_at_the_beginning_is_trouble(desk: Desk) -> None:
    """Nothing was drawn that could hide it."""
    with pytest.raises(ClusterTrouble):
        COMMAND.run(desk.session(Lists([ClusterTrouble("cannot reach the cluster")])))
