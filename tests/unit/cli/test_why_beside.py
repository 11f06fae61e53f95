"""What `why` tells of an instance's end, of its Secret and Service, and of its webhooks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.cli import objects
from tests.unit.cli.test_why import screen_of

SAID: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "time is left": (
        {"expiry": {"ttl": "8h", "action": "Stop"}},
        {"expiry": {"expiresAt": "2026-01-01T12:30:00Z"}},
        ["EXPIRY  30m left; then Stop"],
    ),
    "time is over, and the machine idle": (
        {"expiry": {"ttl": "8h", "idleAfter": "1h", "action": "Delete"}},
        {"expiry": {"expiresAt": "2026-01-01T11:58:00Z", "idleAt": "2026-01-01T11:57:00Z", "warning": "raise ttl"}},
        ["EXPIRY  over for 2m; idle for 3m; then Delete", "  raise ttl"],
    ),
    "all is published": (
        {"connection": {}},
        {"connection": {"secretName": "trainer-connection", "serviceName": "trainer"}},
        ["CONNECTION  Secret trainer-connection, Service trainer"],
    ),
    "a name is taken": (
        {"connection": {}},
        {"connection": {"reason": "ConnectionNameTaken", "message": "Service trainer is another one's"}},
        ["CONNECTION  nothing is published", "  ConnectionNameTaken: Service trainer is another one's"],
    ),
    "one is on its way": (
        {"notifications": [{"name": "chat", "url": "https://chat.example", "signingSecretRef": {"name": "chat"}}]},
        {
            "pendingNotifications": [
                {"id": "msg_1", "event": "instance.ready", "at": "2026-01-01T11:58:00Z", "to": [{"name": "chat"}]}
                | {"facts": {"generation": 1}}
            ],
        },
        ["NOTIFICATIONS  1 on their way"],
    ),
    "a receiver is gone, and another one slow": (
        {"notifications": [{"name": "chat", "url": "https://chat.example", "signingSecretRef": {"name": "chat"}}]},
        {
            "pendingNotifications": [
                {"id": "msg_1", "event": "instance.ready", "at": "2026-01-01T11:58:00Z", "to": [{"name": "chat"}]}
                | {"facts": {"generation": 1}}
            ],
            "notificationTroubles": [
                {"name": "chat", "since": "2026-01-01T11:58:00Z", "message": "it answers HTTP 503", "missed": 2},
                {"name": "gone", "since": "2026-01-01T11:57:00Z", "gone": "0123456789ab"},
            ],
        },
        [
            "NOTIFICATIONS  1 on their way",
            "  chat   2m   it answers HTTP 503; 2 given up",
            "  gone   3m   it is gone (HTTP 410)",
        ],
    ),
}


@pytest.mark.parametrize(("spec", "status", "lines"), SAID.values(), ids=SAID)
def test_what_hangs_on_it_is_told(spec: dict[str, Any], status: dict[str, Any], lines: list[str]) -> None:
    """Each in a section of its own, in order."""
    given = objects.ready()
    given["spec"] |= spec
    given["status"] |= status
    shown = screen_of(given).splitlines()
    assert [line for line in shown if line in lines] == lines


def test_what_is_not_asked_for_is_not_mentioned() -> None:
    """The screen stays one screen."""
    shown = screen_of(objects.ready())
    assert not any(title in shown for title in ("EXPIRY", "CONNECTION", "NOTIFICATIONS"))
