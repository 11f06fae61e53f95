"""The screen that answers why an instance is not Ready."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from string import Formatter
from typing import Any

import pytest

from gpuinstance.api.reasons import Reason
from gpuinstance.api.v1alpha1 import GPUInstance
from gpuinstance.cli.command import GROUPS
from gpuinstance.cli.grammar import Grammar
from gpuinstance.cli.hints import CATEGORY_HINTS, FINE, HINTS, NOT_SEEN, NOT_SEEN_YET, Hint
from gpuinstance.cli.screen import Screen
from gpuinstance.cli.why import show_why
from gpuinstance.probes import Category
from tests.unit.cli import objects
from tests.unit.cli.objects import NOW, Object


def screen_of(instance: Object, *, colours: bool = False, width: int = 110) -> str:
    out = io.StringIO()
    show_why(GPUInstance.model_validate(instance), Screen(out, colours=colours, width=width), NOW)
    return out.getvalue()


STARTING = """\
team-a/trainer is not Ready: HealthChecking
  port 80: HTTP 502 (bad gateway)

OPERATION  Create: healthChecking, 25m left
  initiated        11:55:01Z
  monitoring       11:55:03Z   +2s
  running          11:58:00Z   +2m57s
  healthChecking   11:58:00Z   +0s

CONDITIONS
  Ready         False   HealthChecking      2m   (see above)
  Reconciling   True    HealthChecking      2m   (see above)
  Synced        True    Synced              2m   the provider was observed and the spec is applied
  Healthy       False   HealthCheckFailed   2m   (see above)

HEALTH  Partial; checking for 2m, 3m left
  22/tcp    ok                       tcp://proxy.example:30022
  80/http   HTTP 502 (bad gateway)   https://5f1c-80.proxy.example

MACHINE
  5f1c   2 x RTX 4090 24GB, US-CA-06, OnDemand, $1.4/h
         novita says "running"; its name there is gpui-team-a-trainer-943a2f83-1

WHAT TO DO
  Wait, or see in the application's own log why it does not answer yet.
    $ kubectl -n team-a get gpui trainer -w
  Port 80: The provider's proxy gets no answer: the application is not up, or on another port.
"""


def test_the_whole_screen() -> None:
    """Status, operation with its phases, conditions, health by endpoint, machine, what to do."""
    assert screen_of(objects.starting()) == STARTING


@pytest.mark.parametrize(
    ("make", "lines"),
    [
        (
            objects.ready,
            [
                "team-a/trainer is Ready, for 60s",
                "LAST OPERATION  Create: completed after 3m59s, 60s ago",
                "HEALTH  Healthy",
                "  Nothing. It is as the spec asks.",
            ],
        ),
        (
            objects.refused,
            [
                "team-a/trainer is not Ready: InsufficientResource",
                "OPERATION  Create: failed",
                "  error  InsufficientResource (Retryable)",
                "  next try in 40s, after 3 refusals in a row",
                "    $ kubectl -n team-a edit gpui trainer",
            ],
        ),
        (
            objects.stuck,
            [
                "team-a/trainer is not Ready: CredentialsUnavailable",
                "  Stalled   True      CredentialsUnavailable   2m   (see above)",
                "    $ kubectl -n team-a create secret generic novita-credentials --from-literal=apiKey=...",
            ],
        ),
        (
            objects.instance,
            [
                "team-a/trainer has not been looked at by the operator",
                f"  {NOT_SEEN.text}",
                f"    $ {NOT_SEEN.command}",
            ],
        ),
    ],
)
def test_what_matters_at_each_moment_is_on_it(make: Callable[[], Object], lines: list[str]) -> None:
    """Word for word, so that a changed screen is noticed."""
    shown = screen_of(make()).splitlines()
    for line in lines:
        assert line in shown, shown


@pytest.mark.parametrize(("seconds", "hint"), [(20, NOT_SEEN_YET), (300, NOT_SEEN)])
def test_what_was_fine_before_a_change_is_not_said_to_be(seconds: int, hint: Hint) -> None:
    """Right after an edit or a deletion nothing is as the spec asks before the operator has looked."""
    it: Any = edited(objects.ready, "metadata.generation", 3)
    for condition in it["status"]["conditions"]:
        condition["lastTransitionTime"] = (NOW - timedelta(seconds=seconds)).isoformat()
    shown = screen_of(it)
    assert "team-a/trainer was Ready before its latest change" in shown
    assert hint.text in shown
    assert FINE.text not in shown


def test_a_machine_is_not_said_to_be_what_only_the_spec_asks_for() -> None:
    """Where gpuCount was changed and the machine cannot follow, it does not have as many GPUs."""
    it: Any = edited(objects.ready, "spec.gpuCount", 8)
    assert "8 x RTX 4090" in screen_of(it)
    it["status"]["conditions"][0] |= {"status": "False", "reason": "RecreateRequired"}
    shown = screen_of(it)
    assert "8 x" not in shown
    assert "RTX 4090" in shown


def test_a_machine_that_is_gone_says_nothing() -> None:
    """What it was seen as last is no longer true."""
    it = edited(objects.ready, "status.phase", "Terminated")
    shown = screen_of(it)
    assert "gone from novita; its name there is" in shown
    assert "novita says" not in shown


def edited(make: Callable[[], Object], path: str, value: Any) -> Object:
    """Return an object with one thing different."""
    instance = make()
    it: Any = instance
    *parents, last = path.split(".")
    for key in parents:
        it = it[int(key)] if key.isdigit() else it[key]
    it[last] = value
    return instance


@pytest.mark.parametrize(
    ("instance", "words"),
    [
        (
            edited(objects.ready, "metadata.generation", 3),
            "All this is about generation 2 of the spec; the operator has not looked at generation 3 yet.",
        ),
        (edited(objects.ready, "metadata.deletionTimestamp", "2026-01-01T11:50:00Z"), "in deletion for 10m."),
        (
            edited(objects.starting, "status.operation.deadline", "2026-01-01T11:59:00Z"),
            "healthChecking, past its deadline",
        ),
        (edited(objects.starting, "status.operation.attempt", 2), "Create, attempt 2: healthChecking"),
        (edited(objects.starting, "spec.healthCheck", {"maxWaitSeconds": 60}), "for 2m, longer than maxWaitSeconds"),
        (edited(objects.starting, "status.endpoints", []), "not published"),
        (edited(objects.starting, "status.healthCheck.endpoints", []), "HEALTH  not checked yet"),
        (edited(objects.ready, "status.healthCheck.consecutiveFailures", 2), "2 failed rounds in a row, unready at 3"),
        (edited(objects.ready, "status.conditions.0.status", "Unknown"), "may or may not be Ready"),
        (edited(objects.refused, "status.operation.retryAt", "2026-01-01T11:59:00Z"), "next try at the next look"),
        (edited(objects.stuck, "spec.credentialsRef", {"name": "mine"}), "create secret generic mine "),
        (
            edited(objects.ready, "status.instance", {"name": "gpui-x"}),
            "not seen at novita yet; its name there is gpui-x",
        ),
        (edited(objects.stuck, "status.outcome", "Stopped"), "team-a/trainer is Stopped"),
    ],
)
def test_particular_moments(instance: Object, words: str) -> None:
    """Each is said in words."""
    assert words in screen_of(instance)


def test_trouble_beside_ready_has_its_hint_and_no_reassurance() -> None:
    """Ready, but the provider cannot be observed."""
    instance = objects.ready()
    instance["status"]["conditions"][1] |= {"status": "False", "reason": "RateLimited", "message": "asked for less"}
    shown = screen_of(instance)
    assert HINTS[Reason.RATE_LIMITED].text in shown
    assert HINTS[Reason.READY].text not in shown


def test_a_reason_of_a_newer_operator_is_shown_without_a_hint() -> None:
    """An old command does not fail on a new word."""
    instance = edited(objects.refused, "status.conditions.0.reason", "SunExploded")
    assert "is not Ready: SunExploded" in screen_of(instance)


def test_text_of_a_provider_cannot_drive_the_terminal() -> None:
    """Escape sequences in a quoted message are no escape sequences on the screen."""
    evil = "\x1b]0;owned\x07\x1b[2Jno\r\nstock\u202e"
    instance = edited(objects.refused, "status.conditions.0.message", evil)
    instance["status"]["instance"] = {"name": evil, "state": evil}
    shown = screen_of(instance)
    assert not any(c in shown for c in "\x1b\x07\r\u202e")


def test_colours_add_nothing_but_colours() -> None:
    """Without the codes the text is the same."""
    coloured = screen_of(objects.starting(), colours=True)
    assert "\x1b[31mHTTP 502 (bad gateway)\x1b[0m" in coloured
    for code in ("0", "1", "2", "31", "32", "33"):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert coloured == STARTING


def test_a_narrow_terminal_wraps_messages_under_their_column() -> None:
    """Long messages stay readable."""
    message = "a rather long message of the provider " * 4
    shown = screen_of(edited(objects.refused, "status.conditions.3.message", message), width=80).splitlines()
    first = next(line for line in shown if line.startswith("  Healthy"))
    following = shown[shown.index(first) + 1]
    assert following.startswith(" " * first.index("a rather"))


def test_every_reason_and_category_has_a_hint() -> None:
    """Whoever adds a word also says what to do about it."""
    assert set(HINTS) == set(Reason)
    assert set(CATEGORY_HINTS) == {str(category) for category in Category}


@pytest.mark.parametrize("reason", Reason)
def test_hints_are_sentences_and_commands_can_be_copied(reason: Reason) -> None:
    """No placeholder is left over, and the patch is JSON in quotes."""
    hint = HINTS[reason]
    assert hint.text[0].isupper()
    assert hint.text.endswith(".")
    if hint.command is not None:
        words = {"name": "x", "namespace": "y", "secret": "z"}
        assert {field for _, field, _, _ in Formatter().parse(hint.command) if field} <= words.keys()
        command = hint.command.format(**words)
        assert command.startswith("kubectl ")
        assert "-n y" in command
        assert "{{" not in command
        if command.startswith("kubectl gpu "):
            assert Grammar(GROUPS).read(command.split()[2:]).namespace == "y"
